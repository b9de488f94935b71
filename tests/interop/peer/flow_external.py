"""A Flow of Jina 3 with an external executor: `flow_external.py GRPC_PORT` prints what its callers get as JSON."""

import json
import sys
import urllib.request
from typing import Any

from client_cases import failure, plain, response
from docarray import DocList
from serve import free_port
from service import Inner, Rich, Strict

from jina import Client, Flow


def attempt(function: Any) -> Any:
    try:
        return function()
    except Exception as error:
        return failure(error)


def get(url: str, body: Any = None) -> Any:
    request = urllib.request.Request(url, json.dumps(body).encode() if body is not None else None, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read())


def main() -> None:
    port, ports = int(sys.argv[1]), [free_port(), free_port()]
    flow = Flow(protocol=["grpc", "http"], port=ports).add(name="outside", external=True, host="127.0.0.1", port=port)
    docs = DocList[Inner]([Inner(id=str(n), n=n) for n in range(3)])
    with flow:
        client = Client(port=ports[0])
        url = f"http://127.0.0.1:{ports[1]}"

        def post(on: str, **more: Any) -> Any:
            return [response(each) for each in client.post(on, docs, return_responses=True, results_in_order=True, **more)]

        found = {
            "documents": attempt(lambda: plain(client.post("/one", docs, return_type=DocList[Strict]))),
            "rich": attempt(
                lambda: plain(client.post("/echo", DocList[Rich]([Rich(id="a", tensor=[1.0, 2.0])]), return_type=DocList[Rich]))
            ),
            "responses": attempt(lambda: post("/dict", parameters={"a": 1}, request_size=2, return_type=DocList[Inner])),
            "failure": attempt(lambda: plain(client.post("/raise", docs, return_type=DocList[Inner]))),
            "unknown": attempt(lambda: plain(client.post("/nowhere", docs, return_type=DocList[Inner]))),
            "ready": attempt(client.is_flow_ready),
            "http": attempt(lambda: get(f"{url}/one", {"data": [{"id": "a", "n": 4}]})),
            "http paths": attempt(lambda: sorted(get(f"{url}/openapi.json")["paths"])),
            "http components": attempt(lambda: sorted(get(f"{url}/openapi.json")["components"]["schemas"])),
        }
    print("\n" + json.dumps(found))


if __name__ == "__main__":
    main()
