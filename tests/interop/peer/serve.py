"""Serve `service.Served` with whichever `jina` this interpreter has, until standard input ends: `serve.py FD` writes the ports to FD."""

import json
import socket
import sys


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port


def main() -> None:
    from service import Served

    from jina import Deployment

    ports = [free_port(), free_port()]
    deployment = Deployment(uses=Served, protocol=["grpc", "http"], port=ports, name="served", uses_with={"greeting": "good day"})
    with deployment:
        with open(int(sys.argv[1]), "w") as told:
            told.write(json.dumps({"grpc": ports[0], "http": ports[1]}) + "\n")
        sys.stdin.read()


if __name__ == "__main__":
    main()
