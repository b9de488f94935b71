"""What gRPC-Web says in the bodies of HTTP requests and responses (gRPC's PROTOCOL-WEB), sans-IO.

Messages stand there as over HTTP/2, each behind its flag and length; the trailers are one more piece, with the flag 0x80, at the end of
the response. Both may be in base64, for browsers that cannot read bytes as they come: then each piece is encoded by itself.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64encode
from collections.abc import Generator, Iterable, Mapping
from typing import Final

from jina.codec.pieces import Bytes
from jina.wire import grpc_fields
from jina.wire.buffered import FULL, SMALL, Buffered
from jina.wire.grpc_fields import Metadata, RequestHead
from jina.wire.grpc_messages import MAX_RATIO, PREFIX, TURN_BYTES, Allowance, MessageError, MessageReader
from jina.wire.status import GRPC_STATUS, GrpcStatus

_TRAILERS: Final = 0x80
_TYPE: Final = re.compile(r"application/grpc-web(-text)?(\+[\w.-]+)?\s*(;.*)?", re.IGNORECASE | re.ASCII).fullmatch
_PADDED: Final = re.compile(rb"(?<==)(?=[^=])")
_MAX_PADDING: Final = 20_000
_MAX_MESSAGES: Final = 10_000
_STEP: Final = 64 << 10
_OF_HTTP: Final = frozenset(("connection", "keep-alive", "transfer-encoding", "upgrade"))


def is_grpc_web(content_type: str) -> bool:
    """Tell whether a content type is gRPC-Web's."""
    return _TYPE(content_type) is not None


def is_text(content_type: str) -> bool:
    """Tell whether a content type of gRPC-Web says base64."""
    found = _TYPE(content_type)
    return found is not None and found[1] is not None


def reply_type(content_type: str, accept: str) -> str:
    """Give the content type of a reply: base64 if the caller asks for that, else as the request was; the same kind of message."""
    found = _TYPE(content_type)
    assert found is not None
    wanted = [part for part in accept.split(",") if is_grpc_web(part.strip())]
    in_text = is_text(wanted[0].strip()) if wanted else found[1] is not None
    return f"application/grpc-web{'-text' if in_text else ''}{found[2] or '+proto'}"


def request_head(path: str, headers: Mapping[str, str], request_id: str) -> RequestHead:
    """Give the head of a call, as gRPC knows it, from an HTTP request's headers; `request_id` for a caller that gave none."""
    fields = [(name, value) for name, value in headers.items() if name not in _OF_HTTP]
    if "x-request-id" not in headers:
        fields.append(("x-request-id", request_id))
    values = {**dict(fields), ":method": "POST", ":path": path, "content-type": grpc_fields.CONTENT_TYPE}
    return RequestHead(fields, values)


def read_messages(
    body: bytes, *, in_text: bool, encoding: str, max_bytes: int | None, buffered: Buffered
) -> Generator[None, None, list[bytes]]:
    """Read the messages of a whole request; all together they may be as large as one.

    Where they are compressed, each `next` is a step of about 3 ms, and what was unfolded counts until the last, which gives them.

    Raises:
        MessageError: One is broken, or they are too large or too many, or there is no room for them.
    """
    data = memoryview(_from_text(body) if in_text else body)
    allowed = max(len(data) * MAX_RATIO, 1 << 20)
    allowed = allowed if max_bytes is None else min(allowed, max_bytes)
    allowance = Allowance()
    reader, messages, total, n_counted = MessageReader(encoding, max_bytes, buffered, allowance), list[bytes](), 0, 0
    try:
        for at in range(0, len(data), _STEP):  # so that a body of very many messages is found out early
            piece: Bytes = data[at : at + _STEP]
            while True:
                found = reader.feed(piece)
                messages += found
                total += sum(map(len, found))
                if total > allowed:
                    raise MessageError(GrpcStatus.RESOURCE_EXHAUSTED, f"the request's messages have more than {allowed} bytes together")
                if len(messages) > _MAX_MESSAGES:
                    raise MessageError(GrpcStatus.RESOURCE_EXHAUSTED, f"the request has more than {_MAX_MESSAGES} messages")
                if not reader.is_unfolding:
                    break
                n_held = total + reader.n_bytes
                if n_held > max(n_counted, SMALL):
                    if not buffered.take(n_held - n_counted):
                        raise MessageError(GRPC_STATUS[FULL.code], FULL.description, FULL.retry_after_s)
                    n_counted = n_held
                yield
                allowance.n_bytes, piece = TURN_BYTES, b""
    finally:
        buffered.give_back(n_counted)
    if reader.n_bytes:
        raise MessageError(GrpcStatus.INTERNAL, "the request ends within a message")
    return messages


def _from_text(body: bytes) -> bytes:
    """Read base64 of which any piece may be padded."""
    if body.count(b"=") > _MAX_PADDING:
        raise MessageError(GrpcStatus.RESOURCE_EXHAUSTED, f"the body has more than {_MAX_PADDING} characters of padding")
    try:
        return b"".join(binascii.a2b_base64(part, strict_mode=True) for part in _PADDED.split(body))
    except ValueError as error:
        raise MessageError(GrpcStatus.INTERNAL, f"the body is not base64: {error}") from error


def message_frame(message: bytes) -> bytes:
    """Give a message as it stands in a response."""
    return PREFIX.pack(0, len(message)) + message


def trailers_frame(status: int, text: str, metadata: Metadata) -> bytes:
    """Give the end of a response: the status, its text, and what goes with it."""
    fields = grpc_fields.trailers_fields(status, text, metadata)
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields).encode()
    return PREFIX.pack(_TRAILERS, len(lines)) + lines


def encode(pieces: Iterable[bytes], *, in_text: bool) -> bytes:
    """Put pieces together, in base64 if that is wanted."""
    data = b"".join(pieces)
    return b64encode(data) if in_text else data
