"""Jina's request messages, read by hand and by the protobuf library: the same parts, the same refusals; what is written is read back."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import DecodeError

from fuzz.protobuf import real
from jina.codec import messages as codec
from jina.errors import MalformedError

MAX_BYTES = 512
WORDS = (
    b"\n\x04\n\x02ab",
    b"\x1a\x01/",
    b'"\x02\n\x00',
    b"\x12\x02\x08\x01",
    b"\x1a\x06\n\x01a\x12\x01b",
    b"\x80\x80\x80\x80\x10",
    b"\x0b\x0c",
    b"\xf8\x01",
)
LONG_TAG = object()
"""Ours refuses tags that are longer than they must be, at whatever depth; the library takes them."""
Request, Single, Status = real("jina.DataRequestProto"), real("jina.SingleDocumentRequestProto"), real("jina.StatusProto")


def check(data: bytes) -> None:
    envelope = _try(codec.read_request, data)
    theirs = _parse(Request, data)
    if theirs is not None and envelope is not LONG_TAG:
        assert envelope is not None, "protobuf reads it"
        _compare(envelope, theirs)
        assert (envelope.docs is not None) == (theirs.data.WhichOneof("documents") == "docs")
        assert (envelope.docs_bytes is not None) == (theirs.data.WhichOneof("documents") == "docs_bytes")
        again = codec.read_request(codec.write_request(envelope.header, envelope.parameters, docs=envelope.docs))
        assert (again.header, again.parameters, again.docs) == (envelope.header, envelope.parameters, envelope.docs)
    single, theirs = _try(codec.read_document_request, data), _parse(Single, data)
    if theirs is not None and single is not LONG_TAG:
        assert single is not None
        _compare(single, theirs)
        assert (single.docs is not None) == theirs.HasField("document")
    status, theirs = _try(codec.read_status, data), _parse(Status, data)
    if theirs is not None and status is not LONG_TAG:
        assert status is not None
        assert (status.is_error, status.description, status.name) == (theirs.code != 0, theirs.description, theirs.exception.name)
        assert (status.args, status.stacks) == (list(theirs.exception.args), list(theirs.exception.stacks))
        written = codec.status_bytes(*status)
        assert codec.read_status(written) == status
    _try(codec.read_route, data)


def _compare(ours: codec.Envelope, theirs: Any) -> None:
    header = theirs.header
    assert ours.request_id == header.request_id
    assert ours.endpoint == (header.exec_endpoint if header.HasField("exec_endpoint") else None)
    assert ours.target_executor == (header.target_executor if header.HasField("target_executor") else None)
    assert len(ours.routes) == len(theirs.routes)
    for route, expected in zip(ours.routes, theirs.routes, strict=True):
        found = _try(codec.read_route, route)
        assert found is LONG_TAG or found.executor == expected.executor
    assert type(theirs.parameters).FromString(ours.parameters) == theirs.parameters
    again = type(header).FromString(codec.header_bytes(ours.request_id, ours.endpoint, ours.target_executor, ours.status))
    assert (again.request_id, again.exec_endpoint, again.status) == (header.request_id, header.exec_endpoint, header.status)


def _try(read: Any, data: bytes) -> Any:
    try:
        return read(data)
    except MalformedError as error:
        return LONG_TAG if "no field has the tag" in str(error) else None


def _parse(kind: Any, data: bytes) -> Any:
    try:
        return kind.FromString(data)
    except DecodeError:
        return None


def seeds() -> list[bytes]:
    header = codec.header_bytes("id", "/a", "e", codec.status_bytes(True, "no", "ValueError", ["a"], ["b"], "E"))
    routes = codec.route_bytes("gateway", 1.5, 2.25, codec.status_bytes(True, "x"))
    return [
        codec.write_request(header, b"\n\x0b\n\x01a\x12\x06\x1a\x04abcd", routes, b"\n\x07\n\x05\n\x01a\x12\x00"),
        codec.write_document_request(header, b"", routes, b"\n\x05\n\x01a\x12\x00"),
        codec.status_bytes(True, "no", "ValueError", ["a"], ["b"], "E"),
        codec.header_bytes("", None, None),
    ]
