"""Serve `service.Served` with whichever `jina` this interpreter has, until standard input ends: `serve.py FD [PORT]` tells its ports to FD.

With a port it speaks gRPC there and nothing else.
"""

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

    protocols = ["grpc"] if len(sys.argv) > 2 else ["grpc", "http"]
    ports = [int(port) for port in sys.argv[2:]] or [free_port(), free_port()]
    deployment = Deployment(uses=Served, protocol=protocols, port=ports, name="served", uses_with={"greeting": "good day"})
    with deployment:
        with open(int(sys.argv[1]), "w") as told:
            told.write(json.dumps(dict(zip(protocols, ports, strict=True))) + "\n")
        sys.stdin.read()


if __name__ == "__main__":
    main()
