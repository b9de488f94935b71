"""Message objects: presence, oneofs, lists and maps, step by step beside the protobuf library's own."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from jina.codec.fields import read_tag, skip_field, split_fields
from jina.codec.message_text import parse
from jina.codec.message_values import message_class
from jina.codec.messages import read_request, read_status
from jina.codec.routes import read_timestamp
from jina.codec.varint import varint
from jina.errors import MalformedError, UnencodableError
from jina.proto import jina_pb2


def test_reading_does_not_set_and_changing_does() -> None:
    """A submessage exists from its first change on, whoever holds it."""
    request = jina_pb2.DataRequestProto()
    status = request.header.status
    assert not request.HasField("header")
    assert list(status.exception.args) == []
    assert request.SerializeToString() == b""

    status.exception.args.append("x")
    assert request.HasField("header")
    assert request.header.HasField("status")
    assert jina_pb2.DataRequestProto.FromString(request.SerializeToString()).header.status.exception.args == ["x"]


def test_optional_fields_know_whether_they_are_set() -> None:
    """An empty `exec_endpoint` is another thing than none."""
    header = jina_pb2.HeaderProto()
    assert not header.HasField("exec_endpoint")
    header.exec_endpoint = ""
    assert header.HasField("exec_endpoint")
    assert header.SerializeToString() == b"\x1a\x00"
    header.ClearField("exec_endpoint")
    assert not header.HasField("exec_endpoint")
    assert header.exec_endpoint == ""
    with pytest.raises(ValueError, match="presence"):
        header.HasField("request_id")


def test_oneof_holds_one_thing() -> None:
    """Setting one side unsets the other, also from within a submessage."""
    content = jina_pb2.DataRequestProto.DataContentProto()
    assert content.WhichOneof("documents") is None
    content.docs_bytes = b"x"
    docs = content.docs
    assert content.WhichOneof("documents") == "docs_bytes"
    docs.docs.add()
    assert content.WhichOneof("documents") == "docs"
    assert content.docs_bytes == b""
    content.ClearField("documents")
    assert content.WhichOneof("documents") is None


def test_documents_stay_bytes_until_somebody_looks() -> None:
    """A proxy that parses a request does not pay for its documents, and passes on even bad ones."""
    raw = b'"\x04\n\x02\xff\xff'
    request = jina_pb2.DataRequestProto.FromString(raw)

    assert request.HasField("data")
    assert request.data.WhichOneof("documents") == "docs"
    assert request.SerializeToString() == raw
    assert request.data.raw("docs") == b"\xff\xff"
    with pytest.raises(MalformedError):
        _ = request.data.docs


@pytest.mark.parametrize(
    "wrong",
    [
        lambda header: setattr(header, "request_id", 5),
        lambda header: setattr(header, "timeout", "x"),
        lambda header: setattr(header.status.exception, "name", None),
        lambda header: header.status.exception.args.append(1),
        lambda header: header.status.exception.stacks.extend([b"\xff"]),
    ],
)
def test_values_of_the_wrong_type_are_refused(wrong: Callable[[Any], None]) -> None:
    """As in protobuf, when they are set and not when they are sent."""
    with pytest.raises((TypeError, ValueError)):
        wrong(jina_pb2.HeaderProto())


def test_numbers_out_of_range_are_refused() -> None:
    """uint32 holds what it holds."""
    header = jina_pb2.HeaderProto()
    with pytest.raises(ValueError, match="out of range"):
        header.timeout = -1
    with pytest.raises(ValueError, match="out of range"):
        header.timeout = 2**32
    header.timeout = 2**32 - 1
    assert jina_pb2.HeaderProto.FromString(header.SerializeToString()).timeout == 2**32 - 1


def test_unknown_names_are_refused() -> None:
    """A misspelt field is an error, not a new attribute."""
    header = jina_pb2.HeaderProto()
    with pytest.raises(AttributeError):
        header.requestid = "x"
    with pytest.raises(AttributeError):
        _ = header.requestid
    with pytest.raises(ValueError, match="requestid"):
        jina_pb2.HeaderProto(requestid="x")
    with pytest.raises(AttributeError, match="not allowed"):
        header.status = jina_pb2.StatusProto()


def test_repeated_messages_are_added_in_place_and_appended_as_copies() -> None:
    """`add` gives the element, `append` leaves the argument alone."""
    request = jina_pb2.DataRequestProto()
    request.routes.add(executor="a").status.code = 1
    mine = jina_pb2.RouteProto(executor="b")
    request.routes.append(mine)
    mine.executor = "c"
    request.routes.extend([mine])

    assert [route.executor for route in request.routes] == ["a", "b", "c"]
    assert len(jina_pb2.DataRequestProto.FromString(request.SerializeToString()).routes) == 3
    del request.routes[0]
    request.routes.pop()
    assert [route.executor for route in request.routes] == ["b"]
    with pytest.raises(TypeError):
        request.routes.append(jina_pb2.HeaderProto())
    with pytest.raises(TypeError):
        request.routes[0] = mine


def test_copies_share_nothing() -> None:
    """CopyFrom, MergeFrom, copy, pickle."""
    one = jina_pb2.StatusProto(description="x", exception={"args": ["1"]})
    two = jina_pb2.StatusProto(code="ERROR")
    two.CopyFrom(one)
    assert two == one
    two.MergeFrom(one)
    assert two.exception.args == ["1", "1"]
    assert one.exception.args == ["1"]
    for same in (copy.deepcopy(one), copy.copy(one), pickle.loads(pickle.dumps(one))):
        assert same == one
        assert same is not one
    two.Clear()
    assert two == jina_pb2.StatusProto()
    assert one != jina_pb2.HeaderProto()
    with pytest.raises(TypeError):
        two.CopyFrom(jina_pb2.HeaderProto())


def test_enum_values_are_attributes() -> None:
    """On the message, on the enum, and by name."""
    status = jina_pb2.StatusProto
    assert (status.SUCCESS, status.ERROR, status.StatusCode.ERROR) == (0, 1, 1)
    assert status.StatusCode.Name(1) == "ERROR"
    assert status.StatusCode.Value("SUCCESS") == 0
    assert dict(status.StatusCode.items()) == {"SUCCESS": 0, "ERROR": 1}
    with pytest.raises(ValueError, match="9"):
        status.StatusCode.Name(9)
    with pytest.raises(ValueError, match="NO"):
        status(code="NO")
    assert status(code=9).to_dict() == {"code": 9}


def test_struct_is_used_like_a_dict() -> None:
    """Parameters of a message, by key."""
    request = jina_pb2.DataRequestProto()
    parameters = request.parameters
    parameters["a"] = 1
    parameters.update({"b": [1, {"c": None}], "d": {"e": "x"}})

    assert parameters["a"] == 1.0
    assert next(iter(parameters["b"])) == 1.0
    assert parameters["d"]["e"] == "x"
    assert sorted(parameters) == ["a", "b", "d"]
    assert len(parameters) == 3
    assert "a" in parameters
    del parameters["a"]
    assert request.to_dict() == {"parameters": {"b": [1.0, {"c": None}], "d": {"e": "x"}}}
    parameters.get_or_create_list("l").append(True)
    parameters.get_or_create_struct("s")["k"] = False
    assert (parameters["l"][0], parameters["s"]["k"]) == (True, False)
    with pytest.raises(KeyError):
        _ = parameters["zzz"]
    with pytest.raises(UnencodableError, match=r"bad"):
        parameters["bad"] = object()


def test_maps_of_messages_make_what_is_asked_for() -> None:
    """As `proto.data[key]` does in docarray's own code."""
    doc = message_class("docarray.DocProto")()
    doc.data["n"].integer = -5
    doc.data["m"].ndarray.dense.shape.extend([2, 3])
    again = message_class("docarray.DocProto").FromString(doc.SerializeToString())

    assert again.data["n"].integer == -5
    assert list(again.data["m"].ndarray.dense.shape) == [2, 3]
    assert again.data["n"].WhichOneof("content") == "integer"
    with pytest.raises(ValueError, match="CopyFrom"):
        doc.data["n"] = again.data["n"]
    info = jina_pb2.JinaInfoProto(jina={"a": "b"})
    info.envs["k"] = "v"
    info.envs.update(x="y")
    assert jina_pb2.JinaInfoProto.FromString(info.SerializeToString()).to_dict() == {"jina": {"a": "b"}, "envs": {"k": "v", "x": "y"}}


@pytest.mark.parametrize(
    "moment", ["2024-01-02T03:04:05Z", "1969-12-31T23:59:59.500Z", "2024-01-02T03:04:05.123456789Z", "2024-01-02T03:04:05.000001Z"]
)
def test_timestamps_convert(moment: str) -> None:
    """RFC 3339 text, datetime, and numbers."""
    stamp = message_class("google.protobuf.Timestamp")()
    stamp.FromJsonString(moment)

    assert stamp.ToJsonString() == moment
    again = message_class("google.protobuf.Timestamp")()
    again.FromNanoseconds(stamp.ToNanoseconds())
    assert again == stamp
    assert stamp.ToDatetime(UTC) == datetime.fromisoformat(moment[:26].rstrip("Z") + "+00:00")
    assert read_timestamp(stamp.SerializeToString()) == pytest.approx(stamp.ToNanoseconds() / 1e9)


@pytest.mark.parametrize(
    "data",
    [
        b"\x0a",
        b"\x0a\x05ab",
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x00\x00",
        b"\x0f\x00",
        b"\x0c",
        b"\x0b\x08",
        b"\x8a\x00\x00",
        b"\x09\x00",
    ],
)
def test_bytes_that_are_no_message_are_malformed(data: bytes) -> None:
    """Cut off, endless, field number 0, wire types that do not exist, groups without an end, overlong tags."""
    for read in (
        jina_pb2.StatusProto.FromString,
        jina_pb2.DataRequestProto.FromString,
        read_request,
        read_status,
        lambda raw: list(split_fields(raw)),
    ):
        with pytest.raises(MalformedError):
            read(data)


def test_groups_of_unknown_fields_are_skipped_whole() -> None:
    """Old peers may send them; they are kept."""
    group = b"\xa3\x06\x08\x01\xa3\x06\xa4\x06\xa4\x06"
    assert skip_field(group, 0, len(group)) == len(group)
    assert read_tag(group, 0) == (100 << 3 | 3, 2)
    assert jina_pb2.StatusProto.FromString(group + b"\x08\x01").code == 1
    assert read_request(group).unknown == group
    with pytest.raises(MalformedError):
        skip_field(b"\xa3\x06" * 200, 0, 400)


def test_messages_nested_too_deep_are_malformed() -> None:
    """A bomb of nested documents does not reach Python's own limit."""
    raw = b""
    for _ in range(3000):
        raw = b"\x0a" + varint(len(raw)) + raw
        raw = b"\x4a" + varint(len(raw)) + raw  # NodeProto.list of ListOfAnyProto.data
    with pytest.raises(MalformedError, match="deeper"):
        message_class("docarray.NodeProto").FromString(raw)


@pytest.mark.parametrize(
    "data", [{"x": 1}, {"header": []}, {"header": {"timeout": 1.5}}, {"routes": [{"startTime": "yesterday"}]}, {"data": {"docsBytes": "*"}}]
)
def test_json_that_does_not_fit_is_malformed(data: dict[str, Any]) -> None:
    """With the message's name in the text."""
    with pytest.raises(MalformedError, match=r"jina\.|google\."):
        parse("jina.DataRequestProto", data)


def test_front_reads_messages_without_pydantic_numpy_or_protobuf() -> None:
    """Importing the codecs of messages stays cheap, so a front process stays small."""
    code = (
        "import sys, jina.codec.messages, jina.codec.struct, jina.codec.service_messages, jina.codec.descriptors, jina.proto.jina_pb2;"
        "jina.codec.descriptors.file_descriptors();"
        "print([name for name in ('numpy', 'pydantic', 'google.protobuf', 'jina.docs', 'jina.codec.codec') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_second_request_id_wins_even_when_empty() -> None:
    """Two headers in one message are merged; the later value counts."""
    twice = b"\x0a\x03\x0a\x01a" + b"\x0a\x02\x0a\x00"
    assert read_request(twice).request_id == jina_pb2.DataRequestProto.FromString(twice).header.request_id == ""
    assert read_request(b"\x0a\x03\x0a\x01a").request_id == "a"
