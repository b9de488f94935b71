"""Message objects (`jina_pb2`, health, documents) against the protobuf library: the same fields, the same JSON, the same bytes."""

from __future__ import annotations

import json

from google.protobuf import json_format
from google.protobuf.message import DecodeError

from fuzz.protobuf import bytes_of, real
from jina.codec import service_messages as service
from jina.codec.message_text import from_dict, to_dict, to_text
from jina.codec.message_values import message_class
from jina.errors import InvalidInputError, MalformedError

MAX_BYTES = 384
HELD_FACTOR = 2000
NAMES = (
    *("jina.DataRequestProto", "jina.RouteProto", "jina.EndpointsProto", "jina.JinaInfoProto", "jina.StatusProto", "docarray.NodeProto"),
    *("docarray.DocListProto", "grpc.health.v1.HealthCheckRequest", "jina.SnapshotStatusProto", "jina.DataRequestListProto"),
)
WORDS = (
    b"\n\x02\n\x00",
    b"\x12\x02\x08\x01",
    b"\x08\x80\x80\x80\x80\x10",
    b"R\x02id",
    b"\x0b\x0c",
    b"\xff\xff\xff\xff\x0f",
    b"\x22\x04\n\x02\n\x00",
)


def check(data: bytes) -> None:
    if not data:
        return
    name, data = NAMES[data[0] % len(NAMES)], data[1:]
    _check_services(data)
    ours, theirs = message_class(name)(), real(name)()
    try:
        ours.MergeFromString(data)
    except MalformedError:
        return
    try:
        theirs.MergeFromString(data)
    except DecodeError:
        theirs = None
    written = ours.SerializeToString()
    assert message_class(name).FromString(written).SerializeToString() == written
    if theirs is None:
        return  # texts and parts that nobody has looked at yet are not checked by ours
    again = real(name).FromString(written)
    again.DiscardUnknownFields()
    with_unknown = bytes_of(theirs)
    theirs.DiscardUnknownFields()
    if bytes_of(theirs) != with_unknown:
        return  # the library takes an entry of a map with an unknown field in it for an unknown field
    assert bytes_of(again) == bytes_of(theirs)
    try:
        expected = json_format.MessageToDict(theirs)
        found = to_dict(ours)
        assert to_text(ours) == repr(ours)
    except (json_format.Error, ValueError, InvalidInputError, MalformedError):
        return
    assert json.dumps(found, sort_keys=True) == json.dumps(expected, sort_keys=True), (found, expected)
    copy = message_class(name)()
    from_dict(found, copy)
    assert to_dict(copy) == found


def _check_services(data: bytes) -> None:
    for read in (
        service.read_health_request,
        service.read_endpoints,
        service.read_info,
        lambda data: service.answer_reflection(data, ["a.B"]),
    ):
        try:
            read(data)
        except (MalformedError, InvalidInputError):
            continue


def seeds() -> list[bytes]:
    found = []
    for index, name in enumerate(NAMES):
        message = real(name)()
        for field in message.DESCRIPTOR.fields:
            if field.message_type is not None and not field.is_repeated:
                getattr(message, field.name).SetInParent()
            elif not field.is_repeated and field.type == field.TYPE_STRING:
                setattr(message, field.name, "é")
        found.append(bytes((index,)) + message.SerializeToString())
    return [*found, b"\2" + service.write_endpoints(["/a"], ["/b"], {"a": {"b": 1}}), b"\3" + service.write_info({"jina": "3"}, {"A": "b"})]
