"""What Jina 3's client and stubs get of a Flow of `flows.py`: `flow_calls.py NAME GRPC,HTTP,WEBSOCKET...` prints it for each service."""

import asyncio
import json
import os
import re
import signal
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Callable, Dict, List  # noqa: UP035

import aiohttp
import grpc
from client_cases import failure, plain, response
from docarray import DocList
from flow_executors import Item, Length, Word
from google.protobuf import empty_pb2, json_format

from jina import Client
from jina.proto import jina_pb2_grpc
from jina.types.request.data import DataRequest

sys.path.append(str(Path(__file__).resolve().parents[1]))

RETURNS = {"Word": Word, "Length": Length, "Item": Item}
LIMIT_S = 10


def documents(n: int) -> Any:
    return DocList[Word]([Word(id=f"w{i}", text=f"word {i}", n=i) for i in range(n)])


class Service:
    """A running Flow, and every way to ask it."""

    def __init__(self, ports: str) -> None:
        numbers = [int(word) for word in ports.split(",")]
        self.ports = dict(zip(("grpc", "http", "websocket"), numbers))  # noqa: B905 - some may be missing
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.ports['grpc']}")
        self.ways: Dict[str, Callable[[Any], Any]] = {  # noqa: UP006
            "grpc": lambda call: self.post("grpc", call),
            "unary": lambda call: self.post("grpc", call, stream=False),
            "http": lambda call: self.post("http", call),
            "wire": self.wire,
            "json": self.json,
            "stream grpc": lambda call: asyncio.run(self.stream("grpc", call)),
            "stream http": lambda call: asyncio.run(self.stream("http", call)),
            "ready": lambda call: {each: self.client(each).is_flow_ready(timeout=5) for each in self.ports},
            "dry run": lambda call: self.told(jina_pb2_grpc.JinaGatewayDryRunRPCStub, "dry_run"),
            "info": lambda call: {name: sorted(each) for name, each in self.told(jina_pb2_grpc.JinaInfoRPCStub, "_status").items()},
            "discovery": self.discovery,
            "websocket json": lambda call: asyncio.run(self.socket(call, "json")),
            "websocket bytes": lambda call: asyncio.run(self.socket(call, "bytes")),
            "websocket": lambda call: self.post("websocket", call),
        }

    def client(self, protocol: str, **more: Any) -> Any:
        return Client(host="127.0.0.1", port=self.ports[protocol], protocol=protocol, **more)

    def post(self, protocol: str, call: Any, **more: Any) -> Any:
        if call.n_docs is not None:
            more["inputs"] = documents(call.n_docs)
        if protocol == "grpc" or protocol == "http":
            more["timeout"] = LIMIT_S
        found = self.client(protocol).post(call.on, return_responses=True, return_type=DocList[RETURNS[call.returns]], **more, **call.more)
        return [response(each) for each in found]

    def wire(self, call: Any) -> Any:
        """One request without the client: trailing metadata are seen, too."""
        request = DataRequest()
        request.header.exec_endpoint = call.on
        request.header.target_executor = call.more.get("target_executor") or ""
        if call.n_docs is not None:
            request.data.docs = documents(call.n_docs)
        if call.more.get("parameters"):
            request.parameters = call.more["parameters"]
        method = self.channel.unary_unary("/jina.JinaSingleDataRequestRPC/process_single_data")
        try:
            answer, told = method.with_call(request.proto_with_data.SerializeToString(), timeout=LIMIT_S)
        except grpc.RpcError as error:
            return without_ids({"code": str(error.code()), "details": error.details(), "trailing": metadata(error)})
        found = DataRequest(answer)
        found.document_array_cls = DocList[RETURNS[call.returns]]
        return {**response(found), "trailing": metadata(told)}

    def json(self, call: Any) -> Any:
        body: Dict[str, Any] = {"data": [json.loads(doc.json()) for doc in documents(call.n_docs or 0)]}  # noqa: UP006
        if call.more.get("parameters"):
            body["parameters"] = call.more["parameters"]
        header = {"targetExecutor": call.more.get("target_executor"), "requestId": call.more.get("request_id")}
        if any(header.values()):
            body["header"] = {name: value for name, value in header.items() if value}
        return self.ask("POST", call.on, body)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Status and JSON of one HTTP request."""
        url = f"http://127.0.0.1:{self.ports['http']}/{path.strip('/')}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, {"content-type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:
                status, kind, text = answer.status, answer.headers["content-type"], answer.read().decode()
        except urllib.error.HTTPError as error:
            status, kind, text = error.code, error.headers["content-type"], error.read().decode()
        found = json.loads(text) if kind == "application/json" else text
        return {"status": status, "type": kind, "body": without_ids(found) if path != "/openapi.json" else shape(found)}

    async def stream(self, protocol: str, call: Any) -> Any:
        found: List[Any] = []  # noqa: UP006
        given = Item(id="w", text="word", n=call.n_docs)
        client = self.client(protocol, asyncio=True)
        try:
            async with asyncio.timeout(LIMIT_S):
                async for each in client.stream_doc(on=call.on, inputs=given, return_type=RETURNS[call.returns], **call.more):
                    found.append(plain(each))
        except Exception as error:
            found.append(failure(error))
        return found

    def told(self, stub: Any, method: str) -> Any:
        """What a method that is asked nothing says."""
        return json_format.MessageToDict(getattr(stub(self.channel), method)(empty_pb2.Empty(), timeout=LIMIT_S))

    def discovery(self, call: Any) -> Any:
        found = self.told(jina_pb2_grpc.JinaDiscoverEndpointsRPCStub, "endpoint_discovery")
        schemas = found.get("schemas", {})
        return {
            "endpoints": sorted(found.get("endpoints", [])),
            "write": found.get("writeEndpoints", []),
            "schemas": {name: [each["input"].get("title"), each["output"].get("title")] for name, each in sorted(schemas.items())},
        }

    async def socket(self, call: Any, protocol: str) -> Any:
        """One message over a WebSocket of our own: the sub-protocol that comes back, the answer, how it closes."""
        async with aiohttp.ClientSession() as session:
            url = f"ws://127.0.0.1:{self.ports['websocket']}/"
            async with session.ws_connect(url, protocols=[protocol], timeout=LIMIT_S) as socket:
                if protocol == "json":
                    docs = [json.loads(doc.json()) for doc in documents(call.n_docs)]
                    await socket.send_str(json.dumps({"data": docs, "execEndpoint": call.on, **call.more}))
                else:
                    request = DataRequest()
                    request.header.exec_endpoint = call.on
                    request.data.docs = documents(call.n_docs)
                    await socket.send_bytes(request.SerializePartialToString())
                message = await socket.receive(LIMIT_S)
                found = {"chosen": socket.protocol, "kind": message.type.name, "data": None}
                if message.type is aiohttp.WSMsgType.TEXT:
                    found["data"] = without_ids(json.loads(message.data))
                elif message.type is aiohttp.WSMsgType.BINARY:
                    answer = DataRequest(message.data)
                    answer.document_array_cls = DocList[Word]
                    found["data"] = response(answer)
                if not socket.closed:
                    await (socket.send_str("{}") if protocol == "json" else socket.send_bytes(bytes([1])))
                    closing = await socket.receive(LIMIT_S)
                    found["after the end"] = closing.type.name
                return {**found, "code": socket.close_code}


def metadata(call: Any) -> Any:
    return sorted([name, value] for name, value in call.trailing_metadata() or ())


def shape(openapi: Any) -> Any:
    """Of an OpenAPI document: paths with methods, and the names of schemas."""
    paths = {path: sorted(methods) for path, methods in sorted(openapi["paths"].items())}
    return {"info": openapi["info"], "paths": paths, "schemas": sorted(openapi["components"]["schemas"])}


def without_ids(value: Any) -> Any:
    """Random ids become their length; values of `/status` that tell about the machine become None."""
    if isinstance(value, dict):
        if value.keys() == {"jina", "envs"}:
            return {name: sorted(each) for name, each in value.items()}
        return {name: without_ids(each) for name, each in value.items()}
    if isinstance(value, list):
        return [without_ids(each) for each in value]
    if isinstance(value, str):
        value = re.sub(r"\b[0-9a-f]{32}\b", "ID", value)
        return re.sub(r"(127\.0\.0\.1|0\.0\.0\.0|localhost):\d+", "HOST", value)
    return value


class Late(KeyboardInterrupt):
    """Jina's client would wait for ever. asyncio lets nothing else out of a callback."""


def on_alarm(*args: Any) -> None:
    raise Late


def attempt(function: Callable[..., Any], *args: Any) -> Any:
    signal.setitimer(signal.ITIMER_REAL, LIMIT_S + 1)
    try:
        return function(*args)
    except BaseException as error:  # Jina's own are no Exception
        return failure(error)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def outcomes(service: Service, graph: Any) -> Any:
    found = {}
    for name, request in graph.requests.items():
        found[f"{name}: http request"] = attempt(service.ask, request.method, request.path, request.body)
    for way in service.ways:  # WebSocket last: an error there can stop all of Jina's gateway
        for name, call in graph.calls.items():
            if way in call.ways:
                found[f"{name}: {way}"] = outcome = attempt(service.ways[way], call)
                if way == "websocket" and outcome == failure(Late()):
                    # Jina's client may wait for ever although all replies are there and the connection has ended with 1000
                    found[f"{name}: {way}"] = attempt(service.ways[way], call)
    return found


def main() -> None:
    from flows import GRAPHS

    graph = GRAPHS[sys.argv[1]]
    signal.signal(signal.SIGALRM, on_alarm)
    print("\n" + json.dumps([outcomes(Service(ports), graph) for ports in sys.argv[2:]]), flush=True)
    os._exit(0)  # threads of a client that waits


if __name__ == "__main__":
    main()
