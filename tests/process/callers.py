"""The simplest callers of a running service: grpcio with raw bytes, and the standard library's HTTP client."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any, NamedTuple

import grpc

from jina.codec import codec_for
from jina.codec.messages import (
    header_bytes,
    read_document_request,
    read_request,
    read_status,
    write_document_request,
    write_request,
)
from jina.codec.struct import dict_to_struct, struct_to_dict
from jina.docs import DocList
from tests.process.executors import Text

SINGLE = "/jina.JinaSingleDataRequestRPC/process_single_data"


class GrpcReply(NamedTuple):
    """A reply of `process_single_data`, read."""

    docs: bytes | None
    is_error: bool
    description: str
    name: str
    stacks: list[str]
    parameters: dict[str, Any]
    request_id: str
    routes: int
    trailing: dict[str, str]

    def decoded(self, cls: type) -> list[Any]:
        """Decode the documents."""
        return codec_for(cls).decode_proto(self.docs or b"")


class GrpcCaller:
    """Calls over grpcio's own client."""

    def __init__(self, port: int, *, metadata: tuple[tuple[str, str], ...] = ()) -> None:
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.max_receive_message_length", -1)])
        self._metadata = metadata
        self._single = self.channel.unary_unary(SINGLE)
        self._stream_doc = self.channel.unary_stream("/jina.JinaSingleDocumentRequestRPC/stream_doc")
        self._call = self.channel.stream_stream("/jina.JinaRPC/Call")

    def __enter__(self) -> GrpcCaller:
        return self

    def __exit__(self, *_: object) -> None:
        self.channel.close()

    def post(
        self,
        endpoint: str,
        docs: list[Any],
        *,
        parameters: Mapping[str, Any] | None = None,
        timeout: float | None = 30,
        request_id: str = "r",
        metadata: tuple[tuple[str, str], ...] = (),
        target: str | None = None,
    ) -> GrpcReply:
        """One unary request."""
        message = request(endpoint, docs, parameters=parameters, request_id=request_id, target=target)
        raw, call = self._single.with_call(message, timeout=timeout, metadata=(*self._metadata, *metadata))
        return reply(raw, dict(call.trailing_metadata()))

    def start(self, endpoint: str, docs: list[Any], *, timeout: float | None = 30) -> Any:
        """One unary request, as grpcio's future."""
        return self._single.future(request(endpoint, docs), timeout=timeout, metadata=self._metadata)

    def call(self, endpoint: str, batches: list[list[Any]], *, metadata: tuple[tuple[str, str], ...] = ()) -> Iterator[GrpcReply]:
        """One bidirectional stream; request ids are 0, 1, 2, ..."""
        messages = (request(endpoint, docs, request_id=str(index)) for index, docs in enumerate(batches))
        for raw in self._call(messages, timeout=60, metadata=(*self._metadata, *metadata)):
            yield reply(raw, {})

    def stream(self, endpoint: str, doc: Any, *, parameters: Mapping[str, Any] | None = None, timeout: float = 30) -> Iterator[Any]:
        """Items of a streaming endpoint: document bytes, or the StatusParts of a failed one."""
        document = codec_for(type(doc)).encode_proto_one(doc)
        struct = dict_to_struct(dict(parameters)) if parameters else b""
        message = write_document_request(header_bytes("s", endpoint), struct, document=document)
        for raw in self._stream_doc(message, timeout=timeout, metadata=self._metadata):
            envelope = read_document_request(raw)
            status = read_status(envelope.status)
            yield status if status.is_error else envelope.docs


def request(
    endpoint: str, docs: list[Any], *, parameters: Mapping[str, Any] | None = None, request_id: str = "r", target: str | None = None
) -> bytes:
    """A serialised DataRequestProto."""
    data = codec_for(type(docs[0])).encode_proto(docs) if docs else b""
    return write_request(header_bytes(request_id, endpoint, target), dict_to_struct(dict(parameters)) if parameters else b"", docs=data)


def reply(raw: bytes, trailing: dict[str, str]) -> GrpcReply:
    """Read a serialised DataRequestProto."""
    envelope = read_request(raw)
    status = read_status(envelope.status)
    return GrpcReply(
        envelope.docs,
        status.is_error,
        status.description,
        status.name,
        status.stacks,
        struct_to_dict(envelope.parameters),
        envelope.request_id,
        len(envelope.routes),
        trailing,
    )


class HttpReply(NamedTuple):
    """An HTTP reply, read whole."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


def http_call(
    port: int, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None, timeout: float = 30
) -> HttpReply:
    """One HTTP request on a connection of its own; a dict or list as body goes as JSON."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        raw = body if isinstance(body, bytes | str | None) else json.dumps(body)
        connection.request(method, path, raw, {"content-type": "application/json", **(headers or {})})
        response = connection.getresponse()
        return HttpReply(response.status, {key.lower(): value for key, value in response.getheaders()}, response.read())
    finally:
        connection.close()


def http_post(port: int, endpoint: str, docs: list[Any], *, parameters: Mapping[str, Any] | None = None, timeout: float = 30) -> HttpReply:
    """Post documents (plain values) to an endpoint."""
    body = {"data": docs, **({"parameters": parameters} if parameters is not None else {})}
    return http_call(port, "POST", endpoint, body, timeout=timeout)


def http_status(connection: http.client.HTTPConnection) -> int:
    """Ask for `/`, and close the connection."""
    with closing(connection):
        connection.request("GET", "/")
        return connection.getresponse().status


def echo(where: Any, **options: Any) -> list[str]:
    """Post an "a" to `/echo` of a Client or a Deployment."""
    found: list[str] = where.post("/echo", Text(text="a"), return_type=DocList[Text], **options).text
    return found


def echo_by_grpcio(channel: grpc.Channel) -> list[str]:
    """Do the same by a channel of grpcio's."""
    answer = reply(channel.unary_unary(SINGLE)(request("/echo", [Text(text="a")]), timeout=20), {})
    return [doc.text for doc in answer.decoded(Text)]


def is_refused(family: int, address: Any) -> bool:
    """Whether nobody listens there."""
    with socket.socket(family) as sock:
        try:
            sock.connect(address)
        except OSError:
            return True
    return False
