"""What a gRPC caller can get wrong: each has a clear answer in every way to call, and the next call works."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator

import grpc
import pytest

from jina.codec import codec_for
from jina.codec.struct import dict_to_struct
from jina.codec.varint import varint
from tests.process.grpc_ways import METHODS, Outcome, in_list, message, send
from tests.process.shapes import SHAPES, Service, shaped
from tests.process.strict_executor import Strict, Thing

pytestmark = pytest.mark.process

WAYS = [
    ("unary", "/batch"),
    ("unary", "/abatch"),
    ("unary", "/one"),
    ("call", "/batch"),
    ("stream_doc", "/stream"),
    ("stream_doc", "/astream"),
]
MAX_MESSAGE = 12 << 20


@pytest.fixture(scope="module", params=SHAPES)
def running(request: pytest.FixtureRequest) -> Iterator[Service]:
    with shaped(request.param, Strict, before=Strict, port=0, max_message_bytes=MAX_MESSAGE) as running:
        yield running


@pytest.fixture(scope="module")
def channel(running: Service) -> Iterator[grpc.Channel]:
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(f"127.0.0.1:{running.ports[0]}", options=options) as channel:
        yield channel


def assert_goes_on(channel: grpc.Channel) -> None:
    for way, endpoint in (("unary", "/batch"), ("stream_doc", "/stream")):
        outcome = send(channel, way, message(way, endpoint, document(n=int_node(5))))
        assert (outcome.status, outcome.is_error, thing(outcome, way).n) == ("OK", False, 5)


def thing(outcome: Outcome, way: str) -> Thing:
    codec = codec_for(Thing)
    found: Thing = codec.decode_proto_one(outcome.docs[0]) if way == "stream_doc" else codec.decode_proto(outcome.docs[0])[0]
    return found


def document(**nodes: bytes) -> bytes:
    """A DocProto, made by hand from the bytes of its NodeProtos."""
    return b"".join(field(1, field(1, name.encode()) + field(2, node)) for name, node in nodes.items())


def field(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def text_node(text: str) -> bytes:
    return field(1, text.encode())


def int_node(n: int) -> bytes:
    return b"\x10" + varint(n)


def float_node(x: float) -> bytes:
    return b"\x19" + struct.pack("<d", x)


def tensor(buffer: bytes, shape: list[int], dtype: str = "<f8") -> bytes:
    dense = field(1, buffer) + field(2, b"".join(map(varint, shape))) + field(3, dtype.encode())
    return field(6, field(1, dense)) + field(13, b"ndarray")


def deep_dict(depth: int) -> bytes:
    """A document whose free-form field is nested: NodeProto.dict is a map, and a map's entry is a message."""
    node = field(1, b"end")
    for _ in range(depth):
        node = field(12, field(1, field(1, b"a") + field(2, node)))
    return field(1, field(1, b"extra") + field(2, node))


def deep_doc(depth: int) -> bytes:
    """A document in a document in a document, where a text should be."""
    node = field(1, b"end")
    for _ in range(depth):
        node = field(7, field(1, field(1, b"text") + field(2, node)))
    return field(1, field(1, b"text") + field(2, node))


GOOD = document(text=text_node("a long enough text"), n=int_node(3))
DOCUMENTS: list[tuple[str, bytes, str]] = [
    ("a wrong type", document(n=text_node("seven")), "n"),
    ("a document for a number", document(n=field(7, b"")), "n"),
    ("a wrong tensor shape", document(vector=tensor(b"\0" * 16, [2])), "shape"),
    ("a tensor whose buffer is too short", document(vector=tensor(b"\0" * 10, [3])), "tensor"),
    ("a tensor whose buffer is too long", document(vector=tensor(b"\0" * 32, [3])), "tensor"),
    ("a tensor of no known type", document(vector=tensor(b"\0" * 24, [3], "rubbish")), "tensor"),
    ("a tensor of objects", document(vector=tensor(b"\0" * 24, [3], "|O")), "tensor"),
    ("a tensor of gigantic shape", document(vector=tensor(b"", [2**31, 2**31, 0])), "tensor"),
    ("invalid UTF-8", field(1, field(1, b"text") + field(2, field(1, b"\xff\xfe"))), ""),
    ("nesting in a free-form field", deep_dict(1000), ""),
    ("nesting of 20,000", deep_dict(20_000), ""),
    ("nested documents", deep_doc(1000), ""),
    ("a document cut off", GOOD[:-3], ""),
    ("a length beyond the end", b"\x0a\xff\xff\xff\xff\x0f", ""),
    ("a varint without end", b"\xff" * 20, ""),
    ("a group", b"\x0b\x0b\x0b", ""),
]


@pytest.mark.parametrize(("data", "word"), [pytest.param(*case, id=name) for name, *case in DOCUMENTS])
@pytest.mark.parametrize(("way", "endpoint"), WAYS)
def test_a_bad_document_is_an_error_in_the_reply(channel: grpc.Channel, way: str, endpoint: str, data: bytes, word: str) -> None:
    """The call succeeds and its header says ERROR, as from Jina; it names the field where there is one."""
    outcome = send(channel, way, message(way, endpoint, data))
    assert (outcome.status, outcome.is_error) == ("OK", True), outcome
    assert outcome.text
    assert word in outcome.text
    assert_goes_on(channel)


@pytest.mark.parametrize("way", METHODS)
def test_random_documents_are_answered(channel: grpc.Channel, way: str) -> None:
    """Bytes at random, and good documents with bytes changed or cut: an answer each time, and never a broken service."""
    chance = random.Random(3)
    endpoint = "/stream" if way == "stream_doc" else "/batch"
    for _ in range(150):
        data = bytearray(GOOD if chance.random() < 0.7 else chance.randbytes(chance.randrange(40)))
        for _ in range(chance.randrange(1, 4)):
            if data:
                data[chance.randrange(len(data))] = chance.randrange(256)
        outcome = send(channel, way, message(way, endpoint, bytes(data[: chance.randrange(len(data) + 1)])))
        assert outcome.status == "OK", outcome
    assert_goes_on(channel)


MESSAGES: list[tuple[str, bytes]] = [
    ("cut off", message("unary", "/batch", GOOD)[:-5]),
    ("a length beyond the end", b"\x0a\xff\xff\xff\xff\x0fnonsense"),
    ("a varint without end", b"\xff" * 40),
    ("a header of rubbish", field(1, b"\xff\xff\xff\xff")),
    ("an endpoint that is not UTF-8", field(1, field(3, b"\xff\xfe"))),
]


@pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in MESSAGES])
@pytest.mark.parametrize("way", METHODS)
def test_a_message_that_is_none_is_internal(channel: grpc.Channel, way: str, data: bytes) -> None:
    """As from grpcio's server, which cannot read it either."""
    outcome = send(channel, way, data)
    assert outcome.status == "INTERNAL", outcome
    assert outcome.text
    assert_goes_on(channel)


@pytest.mark.parametrize("way", METHODS)
def test_random_messages_are_answered(channel: grpc.Channel, way: str) -> None:
    """Whatever comes, the call ends with a status."""
    chance = random.Random(5)
    good = message(way, "/stream" if way == "stream_doc" else "/batch", GOOD, dict_to_struct({"a": [1, {"b": None}]}))
    for _ in range(150):
        data = bytearray(good if chance.random() < 0.7 else chance.randbytes(chance.randrange(60)))
        for _ in range(chance.randrange(1, 4)):
            if data:
                data[chance.randrange(len(data))] = chance.randrange(256)
        outcome = send(channel, way, bytes(data[: chance.randrange(len(data) + 1)]))
        assert outcome.status in ("OK", "INTERNAL", "INVALID_ARGUMENT"), outcome
    assert_goes_on(channel)


def deep_struct(depth: int) -> bytes:
    value = field(3, b"end")
    for _ in range(depth):
        value = field(5, field(1, field(1, b"a") + field(2, value)))
    return field(1, field(1, b"a") + field(2, value))


@pytest.mark.parametrize("depth", [100, 1000, 20_000])
@pytest.mark.parametrize("way", METHODS)
def test_deep_parameters_are_an_invalid_argument(channel: grpc.Channel, way: str, depth: int) -> None:
    """They would be a 422 over HTTP."""
    outcome = send(channel, way, message(way, "/stream" if way == "stream_doc" else "/batch", GOOD, deep_struct(depth)))
    assert outcome.status == "INVALID_ARGUMENT", outcome
    assert "nested" in outcome.text
    assert_goes_on(channel)


@pytest.mark.parametrize("way", METHODS)
def test_parameters_of_many_megabytes_are_an_invalid_argument(channel: grpc.Channel, way: str) -> None:
    """They are read in the front, where others wait for it; documents are not."""
    parameters = dict_to_struct({"a": [{"b": 1.0}] * 300_000})
    outcome = send(channel, way, message(way, "/stream" if way == "stream_doc" else "/batch", GOOD, parameters))
    assert outcome.status == "INVALID_ARGUMENT", outcome
    assert "send more as documents" in outcome.text
    assert_goes_on(channel)


@pytest.mark.parametrize("number", [b"\x11" + b"\0\0\0\0\0\0\xf8\x7f", b"\x11" + b"\0\0\0\0\0\0\xf0\x7f"], ids=["NaN", "infinity"])
@pytest.mark.parametrize("way", METHODS)
def test_parameters_without_json_form_are_an_invalid_argument(channel: grpc.Channel, way: str, number: bytes) -> None:
    """NaN and infinity in a Struct."""
    parameters = field(1, field(1, b"a") + field(2, number))
    outcome = send(channel, way, message(way, "/stream" if way == "stream_doc" else "/batch", GOOD, parameters))
    assert outcome.status == "INVALID_ARGUMENT", outcome
    assert_goes_on(channel)


@pytest.mark.parametrize(("way", "endpoint"), WAYS)
def test_nan_in_a_document_is_a_number_in_protobuf(channel: grpc.Channel, way: str, endpoint: str) -> None:
    """Where the encoding can say it, it goes through."""
    outcome = send(channel, way, message(way, endpoint, document(x=float_node(float("nan")))))
    assert thing(outcome, way).x != thing(outcome, way).x


@pytest.mark.parametrize(("way", "endpoint"), WAYS)
def test_a_document_of_10_mb_comes_back(channel: grpc.Channel, way: str, endpoint: str) -> None:
    """Whole."""
    text = "ä" * 5_000_000
    outcome = send(channel, way, message(way, endpoint, document(text=text_node(text))))
    assert thing(outcome, way).text == text


@pytest.mark.parametrize("way", METHODS)
def test_a_message_over_the_limit_is_resource_exhausted(channel: grpc.Channel, way: str) -> None:
    """It names the option, and the connection goes on."""
    data = message(way, "/stream" if way == "stream_doc" else "/batch", document(text=text_node("a" * (MAX_MESSAGE + 1))))
    outcome = send(channel, way, data)
    assert (outcome.status, "max_message_bytes" in outcome.text) == ("RESOURCE_EXHAUSTED", True), outcome
    assert_goes_on(channel)


@pytest.mark.parametrize(("way", "endpoint"), [("unary", "/nothing"), ("call", "/nothing"), ("stream_doc", "/nothing")])
def test_an_unknown_endpoint_gives_the_documents_back(channel: grpc.Channel, way: str, endpoint: str) -> None:
    """As Jina does; the description names what there is."""
    outcome = send(channel, way, message(way, endpoint, GOOD))
    assert (outcome.status, outcome.is_error) == ("OK", False)
    assert outcome.docs == [GOOD if way == "stream_doc" else in_list(GOOD)]
    if way != "stream_doc":
        assert "'/batch'" in outcome.text
    assert_goes_on(channel)


@pytest.mark.parametrize("way", METHODS)
def test_no_data_at_all(channel: grpc.Channel, way: str) -> None:
    """No documents are an empty list; a stream needs one."""
    outcome = send(channel, way, message(way, "/stream" if way == "stream_doc" else "/batch", None))
    assert outcome.status == "OK"
    assert_goes_on(channel)


@pytest.mark.parametrize(
    ("way", "endpoint", "word"), [("unary", "/stream", "stream"), ("call", "/stream", "stream"), ("stream_doc", "/batch", "generator")]
)
def test_the_wrong_way_to_call_an_endpoint_is_told(channel: grpc.Channel, way: str, endpoint: str, word: str) -> None:
    """A streaming endpoint with one answer wanted, and the other way round."""
    outcome = send(channel, way, message(way, endpoint, GOOD))
    assert (outcome.status, outcome.is_error) == ("OK", True)
    assert word in outcome.text
    assert_goes_on(channel)


@pytest.mark.parametrize("way", METHODS)
def test_a_status_names_the_request(channel: grpc.Channel, way: str) -> None:
    """By the id that came with the call's metadata, where the message could not be read."""
    outcome = send(channel, way, b"\xff\xff", metadata=(("x-request-id", "mine"),))
    assert (outcome.status, outcome.trailing["x-request-id"]) == ("INTERNAL", "mine")
    assert_goes_on(channel)


@pytest.mark.parametrize("method", ["/jina.Nothing/here", "/jina.JinaRPC/call", "/"])
def test_an_unknown_method_is_unimplemented(channel: grpc.Channel, method: str) -> None:
    """As from grpcio's server."""
    with pytest.raises(grpc.RpcError) as failed:
        channel.unary_unary(method)(b"")
    assert failed.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert_goes_on(channel)
