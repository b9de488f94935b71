"""Serve `service.Served` over WebSocket until standard input ends: `serve_websocket.py FD` writes the ports to FD.

Jina 3 has WebSocket on Flows only; ours also beside gRPC on the port of a Deployment.
"""

import json
import sys

from serve import free_port


def main() -> None:
    from service import Served

    import jina

    port = free_port()
    if jina.__version__.startswith("3.33"):
        service = jina.Flow(protocol="websocket", port=port).add(uses=Served, name="served", uses_with={"greeting": "good day"})
    else:
        service = jina.Deployment(uses=Served, protocol=["grpc", "websocket"], port=port, name="served", uses_with={"greeting": "good day"})
    with service:
        with open(int(sys.argv[1]), "w") as told:
            told.write(json.dumps({"grpc": port, "websocket": port}) + "\n")
        sys.stdin.read()


if __name__ == "__main__":
    main()
