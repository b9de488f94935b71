"""Jina's request messages as the front and the client read and write them: by hand, documents unread.

This is the hot path of gRPC. A request is split into its four fields; the documents stay bytes, so do the parameters until somebody
asks (`struct.struct_to_dict`). Writing is joining bytes, in field order, which makes the result equal to protobuf's deterministic
serialisation. Routes are written in `routes.py`; what is rare (discovery, health, reflection) stands in `service_messages.py`;
message objects with protobuf's own methods in `jina.proto.jina_pb2`.

Protobuf's rule that a message field given twice is merged is kept: joining the parts' bytes is the same as merging them.
Fields that we do not know, or whose wire type is another than ours, are kept in `unknown`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from jina.codec.fields import collect, last_text, skip_field, string_field, string_fields, text, truncated
from jina.codec.pieces import LARGE, Message, message_of, tail
from jina.codec.routes import read_route as read_route
from jina.codec.routes import reply_routes as reply_routes
from jina.codec.routes import route_bytes as route_bytes
from jina.codec.routes import routes_bytes as routes_bytes
from jina.codec.varint import read_varint, varint
from jina.errors import MalformedError

MAX_CACHED_HEADERS: Final = 512
MAX_CACHED_HEADER_BYTES: Final = 256


class Envelope(msgspec.Struct, gc=False):
    """A request or reply without its documents decoded.

    Attributes:
        request_id: As sent, possibly empty.
        endpoint, target_executor: None where the sender did not set them.
        status: A serialised StatusProto; empty if there is none (`read_status` reads it).
        parameters: A serialised Struct.
        docs: A serialised DocListProto (of a SingleDocumentRequestProto: DocProto); None if there is none. May be a `tail`.
        docs_bytes: docarray's own binary form, the alternative to `docs`.
        routes: Serialised RouteProtos.
        header: The serialised HeaderProto.
        unknown: Fields of the outer message that are not ours, tags included.
    """

    request_id: str
    endpoint: str | None
    target_executor: str | None
    status: bytes
    parameters: bytes
    docs: bytes | None
    docs_bytes: bytes | None
    routes: tuple[bytes, ...]
    header: bytes
    unknown: bytes


# --- reading -------------------------------------------------------------------------------------------------------------------------


def read_request(data: bytes) -> Envelope:
    """Split a serialised DataRequestProto (a request or a reply).

    Raises:
        MalformedError: Not such a message. Parameters, routes and documents are not looked into.
    """
    header, parameters, routes, unknown, content, start, end = _split(data)
    docs = docs_bytes = None
    if end >= 0:
        docs, docs_bytes = _read_content(content, start, end)
    request_id, endpoint, target, status = _read_header(header)
    return Envelope(request_id, endpoint, target, status, parameters, docs, docs_bytes, routes, header, unknown)


def read_document_request(data: bytes) -> Envelope:
    """Split a serialised SingleDocumentRequestProto; `docs` is the one document."""
    header, parameters, routes, unknown, content, start, end = _split(data)
    document = content[start:end] if end >= 0 else None
    request_id, endpoint, target, status = _read_header(header)
    return Envelope(request_id, endpoint, target, status, parameters, document, None, routes, header, unknown)


def _split(data: bytes) -> tuple[bytes, bytes, tuple[bytes, ...], bytes, bytes, int, int]:
    """Header, parameters, routes and unknown fields of the two request messages; field 4, the large one, as (bytes, start, end)."""
    header = parameters = b""
    routes: list[bytes] = []
    unknown: list[bytes] = []
    again: list[tuple[int, bytes]] = []  # what is merged is joined once, so that a field given many times costs no more than its bytes
    content_start, content_end = 0, -1
    pos, end = 0, len(data)
    try:
        while pos < end:
            tag = data[pos]
            if tag != 0x0A and tag != 0x22 and tag != 0x12 and tag != 0x1A:
                start, pos = pos, skip_field(data, pos, end)
                unknown.append(data[start:pos])
                continue
            size = data[pos + 1]
            start = pos + 2
            if size > 0x7F:
                size, start = read_varint(data, pos + 1)
            pos = start + size
            if tag == 0x22 and content_end < 0:
                content_start, content_end = start, pos
            elif tag == 0x0A and not header:
                header = data[start:pos]
            elif tag == 0x12 and not parameters:
                parameters = data[start:pos]
            elif tag == 0x1A:
                routes.append(data[start:pos])
            else:
                again.append((tag, data[start:pos]))
    except IndexError:
        raise truncated() from None
    if pos != end:
        raise truncated()
    content = data
    if again:
        header, parameters = _merged(0x0A, header, again), _merged(0x12, parameters, again)
        if any(tag == 0x22 for tag, _ in again):
            content = _merged(0x22, data[content_start:content_end], again)
            content_start, content_end = 0, len(content)
    return header, parameters, tuple(routes), b"".join(unknown), content, content_start, content_end


def _merged(tag: int, first: bytes, again: Sequence[tuple[int, bytes]]) -> bytes:
    return b"".join([first, *(part for given, part in again if given == tag)])


def _read_content(data: bytes, pos: int, end: int) -> tuple[bytes | None, bytes | None]:
    """The documents in a DataContentProto: (docs, None), (None, docs_bytes) or neither; of a oneof the last given counts."""
    docs: bytes | None = None
    docs_bytes: bytes | None = None
    more: list[bytes] = []
    try:
        while pos < end:
            tag = data[pos]
            if tag != 0x0A and tag != 0x12:
                pos = skip_field(data, pos, end)
                continue
            size, start = read_varint(data, pos + 1)
            pos = start + size
            if pos > end:
                raise truncated()
            if tag == 0x12:
                docs, docs_bytes, more = None, data[start:pos], []
            elif docs is None:
                docs, docs_bytes = tail(data, start) if pos == len(data) else data[start:pos], None
            else:
                more.append(data[start:pos])
    except IndexError:
        raise truncated() from None
    return b"".join((docs or b"", *more)) if more else docs, docs_bytes


class Header(NamedTuple):
    """What a HeaderProto says; see Envelope. `request_id` is None where it is not given."""

    request_id: str | None
    endpoint: str | None
    target_executor: str | None
    status: bytes


_headers: dict[bytes, Header] = {}


def _read_header(data: bytes) -> tuple[str, str | None, str | None, bytes]:
    """Read a HeaderProto; what follows the request id repeats from call to call and is remembered."""
    if len(data) > 1 and data[0] == 0x0A and data[1] < 0x80:
        after = 2 + data[1]
        rest = _headers.get(data[after:])
        if rest is None:
            rest = _remember_header(data, after)
        if rest[0] is None:
            try:
                return str(data[2:after], "utf-8"), rest[1], rest[2], rest[3]
            except UnicodeDecodeError:
                raise MalformedError(f"malformed protobuf: `header.request_id` is not UTF-8: {data[2:after]!r}") from None
    request_id, endpoint, target, status = _parse_header(data)
    return request_id or "", endpoint, target, status


def _remember_header(data: bytes, after: int) -> Header:
    if after > len(data):
        raise truncated()
    rest = data[after:]
    header = _parse_header(rest)
    if len(rest) <= MAX_CACHED_HEADER_BYTES and header.request_id is None:
        if len(_headers) >= MAX_CACHED_HEADERS:
            _headers.clear()
        _headers[rest] = header
    return header


def _parse_header(data: bytes) -> Header:
    status: list[bytes] = []
    request_id: str | None = None
    endpoint: str | None = None
    target: str | None = None
    pos, end = 0, len(data)
    try:
        while pos < end:
            tag = data[pos]
            if tag != 0x0A and tag != 0x12 and tag != 0x1A and tag != 0x22:
                pos = skip_field(data, pos, end)
                continue
            size, start = read_varint(data, pos + 1)
            pos = start + size
            part = data[start:pos]
            if tag == 0x0A:
                request_id = text(part, "`header.request_id`")
            elif tag == 0x12:
                status.append(part)
            elif tag == 0x1A:
                endpoint = text(part, "`header.exec_endpoint`")
            else:
                target = text(part, "`header.target_executor`")
    except IndexError:
        raise truncated() from None
    if pos != end:
        raise truncated()
    return Header(request_id, endpoint, target, b"".join(status))


class StatusParts(NamedTuple):
    """What a StatusProto says."""

    is_error: bool
    description: str
    name: str
    args: list[str]
    stacks: list[str]
    executor: str


def read_status(data: bytes) -> StatusParts:
    """Read a serialised StatusProto; empty bytes are a success."""
    fields: dict[int, list[bytes]] = {0x12: [], 0x1A: []}
    collect(data, fields)
    error: dict[int, list[bytes]] = {0x0A: [], 0x12: [], 0x1A: [], 0x22: []}
    collect(b"".join(fields[0x1A]), error)
    return StatusParts(
        _read_code(data) != 0,
        last_text(fields[0x12], "`status.description`"),
        last_text(error[0x0A], "`status.exception.name`"),
        [text(part, "`status.exception.args`") for part in error[0x12]],
        [text(part, "`status.exception.stacks`") for part in error[0x1A]],
        last_text(error[0x22], "`status.exception.executor`"),
    )


def _read_code(data: bytes) -> int:
    code, pos, end = 0, 0, len(data)
    while pos < end:
        if data[pos] == 0x08:
            code, pos = read_varint(data, pos + 1)
        else:
            pos = skip_field(data, pos, end)
    return code & 0xFFFFFFFF  # an enum has 32 bits, whatever comes


# --- writing -------------------------------------------------------------------------------------------------------------------------


def status_bytes(
    is_error: bool,
    description: str = "",
    name: str = "",
    args: Sequence[str] = (),
    stacks: Sequence[str] = (),
    executor: str = "",
) -> bytes:
    """A serialised StatusProto; the exception part is left out where all of it is empty."""
    out = (b"\x08\x01" if is_error else b"") + string_field(2, description)
    if not (name or args or stacks or executor):
        return out
    error = string_field(1, name) + string_fields(2, args) + string_fields(3, stacks) + string_field(4, executor)
    return out + b"\x1a" + varint(len(error)) + error


@lru_cache(512)
def _header_tail(endpoint: str | None, target_executor: str | None) -> bytes:
    out = b""
    for tag, value in ((b"\x1a", endpoint), (b"\x22", target_executor)):
        if value is not None:
            raw = value.encode()
            out += tag + varint(len(raw)) + raw
    return out


def header_bytes(request_id: str, endpoint: str | None = None, target_executor: str | None = None, status: bytes = b"") -> bytes:
    """A serialised HeaderProto; `status` is a serialised StatusProto, left out if empty."""
    raw = request_id.encode()
    tail = _header_tail(endpoint, target_executor)
    if status:
        tail = b"\x12" + varint(len(status)) + status + tail
    return b"\n" + varint(len(raw)) + raw + tail if raw else tail


def write_request(header: bytes, parameters: bytes = b"", routes: bytes = b"", docs: bytes | None = None) -> bytes:
    """A serialised DataRequestProto, which replies are, too.

    Args:
        header: From `header_bytes`, or as it came.
        parameters: A serialised Struct, left out if empty.
        routes: From `routes_bytes`.
        docs: A serialised DocListProto; None for a message without data.
    """
    return bytes(request_message(header, parameters, routes, docs))


def request_message(header: bytes, parameters: bytes, routes: bytes, docs: Message | None) -> Message:
    """The same; large documents are not copied."""
    if docs is None:
        return _front_part(header, parameters) + routes
    n_bytes = len(docs)
    size = varint(n_bytes)
    front, content = _front_part(header, parameters), varint(1 + len(size) + n_bytes)
    if n_bytes < LARGE and docs.__class__ is bytes:
        return b"".join((front, routes, b'"', content, b"\n", size, docs))
    return message_of(b"".join((front, routes, b'"', content, b"\n", size)), docs)


def write_document_request(header: bytes, parameters: bytes = b"", routes: bytes = b"", document: bytes | None = None) -> bytes:
    """A serialised SingleDocumentRequestProto, request or streamed reply; `document` is a serialised DocProto."""
    if document is None:
        return _front_part(header, parameters) + routes
    return b"".join((_front_part(header, parameters), routes, b'"', varint(len(document)), document))


def _front_part(header: bytes, parameters: bytes) -> bytes:
    front = b"\n" + varint(len(header)) + header
    return front + b"\x12" + varint(len(parameters)) + parameters if parameters else front


def write_reply(
    request_id: str,
    endpoint: str | None,
    status: bytes = b"",
    parameters: bytes = b"",
    routes: bytes = b"",
    docs: bytes | None = None,
) -> Message:
    """The DataRequestProto that answers a request: as Jina's gateway does, with `target_executor` emptied.

    The arguments are those of `header_bytes` and `write_request`.
    """
    return request_message(header_bytes(request_id, endpoint, "", status), parameters, routes, docs)


def write_document_reply(
    request_id: str,
    endpoint: str | None,
    status: bytes = b"",
    parameters: bytes = b"",
    routes: bytes = b"",
    document: bytes | None = None,
) -> bytes:
    """One SingleDocumentRequestProto of a streamed answer."""
    return write_document_request(header_bytes(request_id, endpoint, "", status), parameters, routes, document)
