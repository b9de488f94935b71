"""One document, given as bytes, sent in each of the ways that gRPC knows, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import grpc

from jina.codec.messages import (
    header_bytes,
    read_document_request,
    read_request,
    read_status,
    write_document_request,
    write_request,
)
from jina.codec.varint import varint

METHODS = {
    "unary": "/jina.JinaSingleDataRequestRPC/process_single_data",
    "call": "/jina.JinaRPC/Call",
    "stream_doc": "/jina.JinaSingleDocumentRequestRPC/stream_doc",
}


class Outcome(NamedTuple):
    """What became of a call.

    Attributes:
        status: Name of the gRPC status.
        is_error: The reply's header (of the last message) says ERROR.
        text: Details of the status, or the description in the header.
        docs: The documents of each reply that has no error.
        trailing: Trailing metadata.
    """

    status: str
    is_error: bool
    text: str
    docs: list[bytes]
    trailing: dict[str, str]


def in_list(document: bytes) -> bytes:
    """A DocListProto of one document."""
    return b"\x0a" + varint(len(document)) + document


def message(way: str, endpoint: str, document: bytes | None, parameters: bytes = b"", request_id: str = "r") -> bytes:
    """The request's message."""
    header = header_bytes(request_id, endpoint)
    if way == "stream_doc":
        return write_document_request(header, parameters, document=document)
    return write_request(header, parameters, docs=None if document is None else in_list(document))


def send(
    channel: grpc.Channel, way: str, data: bytes, *, timeout: float | None = 30, metadata: tuple[tuple[str, str], ...] = ()
) -> Outcome:
    """Send one message and wait for the end of the call."""
    replies: list[bytes] = []
    call = None
    try:
        if way == "unary":
            raw, call = channel.unary_unary(METHODS[way]).with_call(data, timeout=timeout, metadata=metadata)
            replies.append(raw)
        elif way == "call":
            call = channel.stream_stream(METHODS[way])(iter([data]), timeout=timeout, metadata=metadata)
            replies.extend(call)
        else:
            call = channel.unary_stream(METHODS[way])(data, timeout=timeout, metadata=metadata)
            replies.extend(call)
    except grpc.RpcError as error:
        return _outcome(way, replies, error.code().name, error.details() or "", dict(error.trailing_metadata() or ()))
    return _outcome(way, replies, "OK", "", dict(call.trailing_metadata()))


def _outcome(way: str, replies: list[bytes], status: str, text: str, trailing: dict[str, str]) -> Outcome:
    read: Callable[[bytes], object] = read_document_request if way == "stream_doc" else read_request
    envelopes = [read(reply) for reply in replies]
    states = [read_status(envelope.status) for envelope in envelopes]  # type: ignore[attr-defined]
    docs = [envelope.docs or b"" for envelope, state in zip(envelopes, states, strict=True) if not state.is_error]  # type: ignore[attr-defined]
    is_error = bool(states) and states[-1].is_error
    return Outcome(status, is_error, text or (states[-1].description if states else ""), docs, trailing)
