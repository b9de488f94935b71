"""The cases of `client_cases.py` over WebSocket, and over gRPC where its port is given: `websocket_cases.py PORT [GRPC_PORT]`."""

import json
import sys

from client_cases import CASES, run

from jina import Client


def main() -> None:
    outcomes = {}
    for protocol, port in zip(("websocket", "grpc"), sys.argv[1:]):  # noqa: B905 - one or two ports
        client = Client(host="127.0.0.1", port=int(port), protocol=protocol)
        aio = Client(host="127.0.0.1", port=int(port), protocol=protocol, asyncio=True)
        for name in CASES:
            if not name.startswith("stream"):
                outcomes[f"{protocol}: {name}"] = run(name, client, aio)
    print("\n" + json.dumps(outcomes))


if __name__ == "__main__":
    main()
