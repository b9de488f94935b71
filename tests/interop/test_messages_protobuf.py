"""Our message codecs against the protobuf library: the same bytes, the same values, the same refusals."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest
from fuzz.protobuf import bytes_of, real
from google.protobuf import json_format
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st

from jina.codec import message_tables as tables
from jina.codec.message_values import message_class
from jina.codec.messages import (
    header_bytes,
    read_document_request,
    read_request,
    read_route,
    read_status,
    reply_routes,
    route_bytes,
    status_bytes,
    write_document_request,
    write_reply,
    write_request,
)
from jina.codec.struct import dict_to_struct, struct_to_dict
from jina.errors import MalformedError
from tests.interop.testing_protobuf import Struct, as_float, json_objects, messages, words

Request = real("jina.DataRequestProto")
MESSAGES = [name for name in tables.messages() if not name.startswith("grpc.reflection.v1.")]


@pytest.mark.parametrize("name", MESSAGES)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_every_message_is_read_and_written_as_protobuf_does(name: str, data: st.DataObject) -> None:
    """Parsing protobuf's bytes and serialising again gives the same bytes; so does the JSON form; so does the text form."""
    message = data.draw(messages(name))
    ours = message_class(name).FromString(bytes_of(message))

    assert ours.SerializeToString() == bytes_of(message)
    assert [field.name for field, _ in ours.ListFields()] == [field.name for field, _ in message.ListFields()]
    assert sorted(str(ours).splitlines()) == sorted(str(message).splitlines())  # protobuf prints maps in no order
    try:
        expected = json_format.MessageToDict(message)
    except (json_format.SerializeToJsonError, ValueError):
        return
    assert ours.to_dict() == expected


@pytest.mark.parametrize("name", ["jina.DataRequestProto", "docarray.DocProto", "jina.StatusProto", "google.protobuf.Struct"])
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_two_serialisations_in_a_row_merge_as_protobuf_merges_them(name: str, data: st.DataObject) -> None:
    """Joined bytes are one message in which repeated fields grow, oneofs change over and submessages are merged."""
    joined = bytes_of(data.draw(messages(name))) + bytes_of(data.draw(messages(name)))

    assert message_class(name).FromString(joined).SerializeToString() == bytes_of(real(name).FromString(joined))


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_damaged_bytes_never_do_more_than_protobuf_allows(data: st.DataObject) -> None:
    """A cut, a flipped byte or noise ends in MalformedError or in a message, and in nothing else."""
    good = bytes_of(data.draw(messages("jina.DataRequestProto")))
    damaged = data.draw(st.sampled_from(["cut", "flip", "noise"]))
    if damaged == "cut" and good:
        good = good[: data.draw(st.integers(0, len(good) - 1))]
    elif damaged == "flip" and good:
        at = data.draw(st.integers(0, len(good) - 1))
        good = good[:at] + bytes([data.draw(st.integers(0, 255))]) + good[at + 1 :]
    else:
        good = data.draw(st.binary(max_size=40))
    try:
        expected = real("jina.DataRequestProto").FromString(good)
    except Exception:
        expected = None
    try:
        envelope = read_request(good)
    except MalformedError:
        assert expected is None or b"\x80" in good or any(byte > 0x7F for byte in good)
        return
    if expected is not None:
        assert envelope.request_id == expected.header.request_id
        assert envelope.endpoint == (expected.header.exec_endpoint if expected.header.HasField("exec_endpoint") else None)
        assert len(envelope.routes) == len(expected.routes)


@settings(max_examples=200, deadline=None)
@given(words, st.none() | words, st.none() | words, json_objects, st.binary(max_size=20))
def test_request_has_protobufs_bytes(
    request_id: str, endpoint: str | None, target: str | None, parameters: dict[str, Any], blob: bytes
) -> None:
    """A request written by hand equals protobuf's, and reads back to its parts."""
    docs = real("docarray.DocListProto")()
    docs.docs.add().data["x"].blob = blob
    message = Request()
    message.header.SetInParent()
    message.header.request_id = request_id
    if endpoint is not None:
        message.header.exec_endpoint = endpoint
    if target is not None:
        message.header.target_executor = target
    message.parameters.update(parameters)
    if not parameters:
        message.ClearField("parameters")
    message.data.docs.CopyFrom(docs)

    written = write_request(header_bytes(request_id, endpoint, target), dict_to_struct(parameters), b"", bytes_of(docs))
    assert written == bytes_of(message)
    envelope = read_request(written)
    assert (envelope.request_id, envelope.endpoint, envelope.target_executor) == (request_id, endpoint, target)
    assert struct_to_dict(envelope.parameters) == as_float(parameters)
    assert envelope.docs == bytes_of(docs)
    assert (envelope.status, envelope.routes, envelope.docs_bytes, envelope.unknown) == (b"", (), None, b"")


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_request_of_protobuf_is_split_right(data: st.DataObject) -> None:
    """All parts of random requests, merged ones included, are those that protobuf sees."""
    raw = bytes_of(data.draw(messages("jina.DataRequestProto"))) + bytes_of(data.draw(messages("jina.DataRequestProto")))
    message = Request.FromString(raw)
    envelope = read_request(raw)

    assert envelope.request_id == message.header.request_id
    assert envelope.endpoint == (message.header.exec_endpoint if message.header.HasField("exec_endpoint") else None)
    assert envelope.target_executor == (message.header.target_executor if message.header.HasField("target_executor") else None)
    assert bytes_of(real("jina.StatusProto").FromString(envelope.status)) == bytes_of(message.header.status)
    assert bytes_of(Struct.FromString(envelope.parameters)) == bytes_of(message.parameters)
    assert [bytes_of(real("jina.RouteProto").FromString(route)) for route in envelope.routes] == [
        bytes_of(route) for route in message.routes
    ]
    which = message.data.WhichOneof("documents")
    assert (envelope.docs is not None) == (which == "docs")
    assert bytes_of(real("docarray.DocListProto").FromString(envelope.docs or b"")) == bytes_of(message.data.docs)
    assert envelope.docs_bytes == (message.data.docs_bytes if which == "docs_bytes" else None)
    assert [read_route(route).executor for route in envelope.routes] == [route.executor for route in message.routes]


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_single_document_request_is_split_and_written_right(data: st.DataObject) -> None:
    """The message of streaming endpoints, both ways."""
    message = data.draw(messages("jina.SingleDocumentRequestProto"))
    message.header.SetInParent()
    envelope = read_document_request(bytes_of(message))

    assert (envelope.docs is not None) == message.HasField("document")
    assert bytes_of(real("docarray.DocProto").FromString(envelope.docs or b"")) == bytes_of(message.document)
    routes = b"".join(b"\x1a" + _size(route) + route for route in envelope.routes)
    again = write_document_request(envelope.header, envelope.parameters, routes, envelope.docs)
    assert bytes_of(real("jina.SingleDocumentRequestProto").FromString(again)) == _without_empty_parameters(message)


def _size(data: bytes) -> bytes:
    return bytes([len(data) & 127 | 128, len(data) >> 7]) if len(data) > 127 else bytes([len(data)])


def _without_empty_parameters(message: Any) -> bytes:
    if not message.parameters.fields:
        message.ClearField("parameters")
    return bytes(bytes_of(message))


@given(st.booleans(), words, words, st.lists(words, max_size=3), st.lists(words, max_size=3), words)
def test_status_has_protobufs_bytes(is_error: bool, description: str, name: str, args: list[str], stacks: list[str], executor: str) -> None:
    """What an Executor's error says arrives, in protobuf's bytes."""
    message = real("jina.StatusProto")(code=int(is_error), description=description)
    if name or args or stacks or executor:
        message.exception.CopyFrom(real("jina.StatusProto.ExceptionProto")(name=name, args=args, stacks=stacks, executor=executor))

    written = status_bytes(is_error, description, name, args, stacks, executor)
    assert written == bytes_of(message)
    assert read_status(written) == (is_error, description, name, args, stacks, executor)


@given(st.floats(min_value=-1e9, max_value=4e9), words)
def test_routes_have_protobufs_bytes(moment: float, name: str) -> None:
    """Times of a route are exact Timestamps for every number of seconds, negative ones included."""
    seconds = math.floor(moment)
    nanos = int((moment - seconds) * 1e9)
    route = real("jina.RouteProto")(executor=name)
    for stamp in (route.start_time, route.end_time):
        stamp.SetInParent()
        stamp.seconds, stamp.nanos = seconds, nanos
    route.status.code = 1
    expected = Request(routes=[route])

    written = route_bytes(name, moment, moment, status_bytes(True))
    assert written == bytes_of(expected)
    parts = read_route(bytes_of(route))
    assert parts.executor == name
    assert parts.start_s == pytest.approx(moment, abs=1e-6)
    assert read_status(parts.status).is_error


def test_reply_is_read_by_protobuf_with_routes_and_status() -> None:
    """A whole reply as the front writes it: target emptied, gateway first, the failed stop with the status."""

    class Stop:
        def __init__(self, executor: str, is_failed: bool) -> None:
            self.executor, self.start_s, self.end_s, self.is_failed = executor, 1.25, 2.5, is_failed

    status = status_bytes(True, "ValueError('x')", "ValueError", ["x"], ["Traceback\n", "ValueError: x\n"], "E")
    routes = reply_routes(time.time() - 1, [Stop("a", False), Stop("b", True)], status)
    message = Request.FromString(write_reply("ab" * 16, "/x", status, dict_to_struct({"a": 1}), routes, b""))

    assert message.header.HasField("target_executor")
    assert message.header.target_executor == ""
    assert message.header.status.exception.executor == "E"
    assert [route.executor for route in message.routes] == ["gateway", "a", "b"]
    assert message.routes[0].end_time.ToNanoseconds() > message.routes[0].start_time.ToNanoseconds()
    assert message.routes[2].status == message.header.status
    assert message.routes[2].end_time.ToJsonString() == "1970-01-01T00:00:02.500Z"
    assert message.data.WhichOneof("documents") == "docs"


def test_fields_of_the_future_are_kept() -> None:
    """A field we do not know is not lost on the way through."""
    future = b"\xa2\x06\x03new"
    raw = write_request(header_bytes("a", "/x")) + future

    assert read_request(raw).unknown == future
    assert message_class("jina.DataRequestProto").FromString(raw).SerializeToString() == raw


def test_request_id_that_is_not_text_is_malformed() -> None:
    """Bytes that are not UTF-8 in a string field are refused, as protobuf refuses them."""
    with pytest.raises(MalformedError, match="request_id"):
        read_request(b"\n\x04\n\x02\xff\xff")


@pytest.mark.parametrize("name", ["jina.StatusProto", "docarray.NodeProto", "google.protobuf.Struct", "jina.RouteProto"])
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damaged_messages_are_taken_and_refused_where_protobuf_does(name: str, data: st.DataObject) -> None:
    """After a cut, a flipped byte, or noise: the same verdict and the same bytes; only tags that are longer than need be differ."""
    raw = bytearray(bytes_of(data.draw(messages(name))))
    for _ in range(data.draw(st.integers(0, 2))):
        if raw:
            raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 127) | st.integers(0, 255))
    if data.draw(st.booleans()):
        del raw[data.draw(st.integers(0, len(raw))) :]
    try:
        expected = real(name).FromString(bytes(raw))
    except Exception:
        with pytest.raises(MalformedError):
            message_class(name).FromString(bytes(raw))
        return
    try:
        ours = message_class(name).FromString(bytes(raw))
    except MalformedError as error:
        if "no field has the tag" not in str(error):
            raise
        return
    if name.startswith("jina."):  # protobuf (upb) takes a map entry that holds an unknown field for an unknown field itself
        assert ours.SerializeToString() == bytes_of(expected)


@pytest.mark.parametrize("tag", [0x0A, 0x52, 0x12])
@pytest.mark.parametrize("size", [b"\0", b"\x80" * 4 + b"\0", b"\x80" * 5 + b"\0", b"\x80" * 9 + b"\x02"])
def test_sizes_in_too_many_bytes_are_refused_as_protobuf_does(tag: int, size: bytes) -> None:
    """Five at most, of known fields and unknown ones."""
    raw = bytes([tag]) + size
    if len(size) > 5:
        with pytest.raises(DecodeError):
            real("jina.RouteProto").FromString(raw)
        with pytest.raises(MalformedError):
            message_class("jina.RouteProto").FromString(raw)
    else:
        assert message_class("jina.RouteProto").FromString(raw).SerializeToString() == bytes_of(real("jina.RouteProto").FromString(raw))
