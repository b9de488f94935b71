"""One stream of documents, read item by item, over each of the protocols."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

import grpc
from websockets.sync.client import connect

from jina.codec.messages import header_bytes, read_document_request, read_status, write_document_request
from jina.codec.routes import read_route
from jina.codec.struct import dict_to_struct
from tests.process.grpc_ways import METHODS

PROTOCOLS = ["grpc", "http", "websocket"]
WAYS = ["stream_doc", "get", "post", "websocket"]
_SMALL = 1 << 16
"""What the kernel may hold for a reader that stops."""


class Event(NamedTuple):
    """What came: a document (`update`), its failure (`error`) or the `end`; what was said; over gRPC also who failed."""

    name: str
    document: dict[str, Any] | bytes = b""
    said: str = ""
    failed: tuple[str, ...] = ()


class Stream:
    """A call under way; leaving the block leaves the call."""

    def __init__(
        self, ports: list[int], way: str, endpoint: str, document: bytes, text: str, parameters: Mapping[str, Any], timeout_s: float
    ) -> None:
        """Send one document: `document` in protobuf, or one that says `text`."""
        self._timeout_s = timeout_s
        self.events: Iterator[Event]
        if way == "stream_doc":
            self.events = self._grpc(ports[0], endpoint, document, parameters)
        elif way == "websocket":
            self.events = self._websocket(ports[2], endpoint, text, parameters)
        else:
            self.events = self._http(ports[1], way, endpoint, text, parameters)

    def __enter__(self) -> Iterator[Event]:
        return self.events

    def __exit__(self, *_: object) -> None:
        self.events.close()  # type: ignore[attr-defined]

    def _grpc(self, port: int, endpoint: str, document: bytes, parameters: Mapping[str, Any]) -> Iterator[Event]:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            message = write_document_request(header_bytes("s", endpoint), dict_to_struct(dict(parameters)), document=document)
            call = channel.unary_stream(METHODS["stream_doc"])(message, timeout=self._timeout_s)
            try:
                for raw in call:
                    envelope = read_document_request(raw)
                    status = read_status(envelope.status)
                    if status.is_error:
                        failed = tuple(route.executor for route in map(read_route, envelope.routes) if route.status)
                        yield Event("error", said=status.description, failed=failed)
                    else:
                        yield Event("update", envelope.docs or b"")
                yield Event("end")
            except grpc.RpcError as error:
                yield Event("error", said=error.details() or "")
            finally:
                call.cancel()

    def _http(self, port: int, way: str, endpoint: str, text: str, parameters: Mapping[str, Any]) -> Iterator[Event]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.sock = _connected(port)
        headers = {"x-request-timeout": str(self._timeout_s)}
        try:
            if way == "get":
                connection.request("GET", f"{endpoint}?text={quote(text)}&parameters={quote(json.dumps(parameters))}", headers=headers)
            else:
                connection.request("POST", endpoint, json.dumps({"data": {"text": text}, "parameters": parameters}), headers)
            response = connection.getresponse()
            if response.status != 200:
                yield Event("error", said=response.read().decode())
                return
            lines: dict[str, str] = {}
            while raw := response.readline():
                name, _, value = raw.decode().rstrip("\r\n").partition(": ")
                if name:
                    lines[name] = value
                elif "event" in lines:
                    data = lines.get("data", "")
                    is_update = lines["event"] == "update"
                    yield Event(lines["event"], json.loads(data) if is_update else b"", "" if is_update else data)
                    lines = {}
        finally:
            connection.sock.close()
            connection.close()

    def _websocket(self, port: int, endpoint: str, text: str, parameters: Mapping[str, Any]) -> Iterator[Event]:
        sock = _connected(port)
        headers = {"x-request-timeout": str(self._timeout_s)}
        with connect(
            f"ws://127.0.0.1:{port}/", sock=sock, proxy=None, compression=None, max_queue=1, close_timeout=0.1, additional_headers=headers
        ) as websocket:
            try:
                websocket.send(json.dumps({"data": {"text": text}, "execEndpoint": endpoint, "parameters": parameters}))
                while True:
                    reply = json.loads(websocket.recv(60))
                    name = reply["header"]["event"]
                    if name == "update":
                        yield Event(name, reply["data"][0])
                    else:
                        yield Event(name, said=reply["header"]["status"]["description"] if name == "error" else "")
                        return
            finally:
                sock.shutdown(socket.SHUT_RDWR)


def _connected(port: int) -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL)
    sock.settimeout(60)
    sock.connect(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock
