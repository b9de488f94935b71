"""Bytes from anywhere: a document or one of two clear errors, never anything else."""

from __future__ import annotations

import warnings
from typing import Any, Literal

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from pydantic import BaseModel, ConfigDict

from jina.codec import codec_for
from jina.codec.proto import ProtoCodec
from jina.codec.schema import schema_of
from jina.codec.varint import varint
from jina.docs import BaseDoc, DocList
from jina.errors import InvalidInputError, MalformedError


class Part(BaseModel):
    n: int = 1


class Doc(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    text: str = ""
    n: int = 0
    f: float = 0.0
    b: bool = False
    raw: bytes = b""
    tensor: np.ndarray | None = None
    part: Part | None = None
    parts: list[Part] = []
    words: set[str] = set()
    anything: Any = None


CODEC = ProtoCodec(schema_of(Doc))
VALID = CODEC.encode(
    [
        Doc(text="abc", n=-5, f=1.5, b=True, raw=b"\xff", tensor=np.arange(6.0).reshape(2, 3), part=Part(), words={"a"}),
        Doc(parts=[Part(n=2**40)], anything={"k": [1, (2.5, None), {"x"}, b"y", {3: 4}]}, tensor=np.zeros(2, "<f4")),
        Doc(text="x" * 300, n=2**31 - 1),
    ],
    dialect="ours",
)
QUICK = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))


def read(data: bytes) -> list[Any] | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return CODEC.decode(data)
        except (MalformedError, InvalidInputError):
            return None


@QUICK
@given(st.binary(max_size=200))
@example(b"\n\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")
@example(b"\x0b" * 3000)
def test_random_bytes_are_read_or_refused(data: bytes) -> None:
    """No exception but ours leaves the reader."""
    read(data)


@QUICK
@given(st.lists(st.tuples(st.integers(0, len(VALID) - 1), st.integers(0, 255)), min_size=1, max_size=4), st.integers(0, len(VALID)))
def test_valid_bytes_with_damage_are_read_or_refused(changes: list[tuple[int, int]], length: int) -> None:
    """Flipped bytes and cut ends reach every branch of the reader."""
    data = bytearray(VALID)
    for at, byte in changes:
        data[at] = byte

    read(bytes(data))
    read(bytes(data[:length]))


def test_every_cut_is_noticed() -> None:
    """A prefix is malformed unless it ends between two documents."""
    assert sum(read(VALID[:n]) is not None for n in range(len(VALID))) == 3


def delimited(tag: bytes, data: bytes) -> bytes:
    return tag + varint(len(data)) + data


def entry(key: bytes, node: bytes) -> bytes:
    return delimited(b"\n", delimited(b"\n", key) + delimited(b"\x12", node))


def tensor(buffer: bytes, shape: bytes, dtype: bytes) -> bytes:
    dense = delimited(b"\n", buffer) + delimited(b"\x12", shape) + delimited(b"\x1a", dtype)
    return delimited(b"\x32", delimited(b"\n", dense))


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (tensor(b"12345678", b"\x01", b"|O"), "dtype"),
        (tensor(b"12345678", b"\x02", b"<f8"), "needs 16 bytes, got 8"),
        (tensor(b"", b"\xff\xff\xff\xff\x0f" * 4, b"<f8"), "got 0"),
        (tensor(b"1234", b"\x01", b"x,y"), "dtype"),
        (tensor(b"1234", b"", b""), "dtype"),
        (delimited(b"\n", b"\xff"), "not UTF-8"),
        (b"\x10" + b"\xff" * 11, "longer than 10 bytes"),
        (b"\x11" + b"\0" * 8, "wire type 1"),
        (b"\n\x05ab", "over the end"),
        (delimited(b"\n", b"x") + delimited(b"\x6a", b"j.datetime"), "no datetime"),
        (delimited(b"\n", b"x") + delimited(b"\x6a", b"j.unheard"), "none of ours"),
        (b"\x0f", "wire type 7"),
    ],
)
def test_broken_nodes_are_malformed(node: bytes, message: str) -> None:
    """The text says what was wrong."""
    with pytest.raises(MalformedError, match=message):
        CODEC.decode_one(entry(b"anything", node))
    with pytest.raises(MalformedError):
        CODEC.decode_one(entry(b"tensor", node))


def test_containers_nested_a_thousand_deep_are_malformed() -> None:
    """Not a RecursionError."""
    node = b""
    for _ in range(1000):
        node = delimited(b"\x4a", delimited(b"\n", node))

    with pytest.raises(MalformedError, match="nested deeper than 64"):
        CODEC.decode_one(entry(b"anything", node))


def test_unhashable_items_of_a_set_are_invalid() -> None:
    """The error names the field."""
    item = delimited(b"\x4a", b"")
    with pytest.raises(InvalidInputError) as error:
        CODEC.decode_one(entry(b"anything", delimited(b"\x52", delimited(b"\n", item))))

    assert error.value.details[0]["loc"] == ("anything",)


def test_what_protobuf_allows_is_read() -> None:
    """Unknown fields and groups, value before key, repeated keys and contents (the last wins), messages in two parts (merged)."""
    unknown = b"\x98\x06\x05" + b"\xa3\x06\x08\x01\xa4\x06" + b"\xad\x06abcd" + delimited(b"\xb2\x06", b"??")
    text = delimited(b"\n", delimited(b"\x12", delimited(b"\n", b"no") + unknown + delimited(b"\n", b"yes")) + delimited(b"\n", b"text"))
    parts = delimited(b"\x3a", entry(b"n", b"\x10\x07")) + delimited(b"\x3a", unknown)
    doc = unknown + entry(b"n", b"\x10\x01") + text + entry(b"part", parts) + entry(b"n", b"\x10\x02") + entry(b"other", b"")
    read = CODEC.decode(unknown + delimited(b"\n", doc) + unknown)

    assert read == [Doc(text="yes", n=2, part=Part(n=7))]


def test_shapes_may_be_packed_or_not() -> None:
    """protobuf readers take both."""
    dense = delimited(b"\n", bytes(6)) + b"\x10\x01\x10\x02" + delimited(b"\x12", b"\x03") + delimited(b"\x1a", b"|u1")
    doc = CODEC.decode_one(entry(b"tensor", delimited(b"\x32", delimited(b"\n", dense))))

    assert doc.tensor.shape == (1, 2, 3)


def test_reading_takes_time_in_proportion() -> None:
    """Many parts of one message, many entries and many orders are no more work than their bytes."""
    part = delimited(b"\x3a", entry(b"n", b"\x10\x07"))
    doc = CODEC.decode_one(entry(b"part", part * 20_000) + entry(b"n", b"\x10\x01") * 20_000)

    assert (doc.part.n, doc.n) == (7, 1)


class Sent(BaseDoc):
    inner: Sent | None = None
    items: DocList[Sent] = DocList()
    n: int = 0


class Wanted(BaseDoc):
    inner: Wanted | None = None
    items: DocList[Wanted] = DocList()
    n: int = 0
    z: int = 0


class Cat(BaseDoc):
    kind: Literal["cat"] = "cat"
    pet: Cat | Dog | None = None


class Dog(BaseDoc):
    kind: Literal["dog"] = "dog"
    pet: Cat | Dog | None = None


Cat.model_rebuild()


class Unfit(BaseDoc):
    kind: str = "cow"
    pet: Unfit | None = None


DEPTH = 60  # work that doubles with each level would not end


def test_a_missing_field_at_each_level_costs_no_more_than_one() -> None:
    """Documents that are not in the usual form are read once more, those within them are not."""
    sent = Sent()
    for at in range(DEPTH):
        sent = Sent(inner=sent) if at % 2 else Sent(items=DocList[Sent]([sent]))
    (read,) = codec_for(Wanted).decode_proto(codec_for(Sent).encode_proto([sent]))

    depth = 0
    while read.inner or read.items:
        read, depth = read.inner or read.items[0], depth + 1
    assert depth == DEPTH


def test_classes_that_cannot_be_told_apart_by_their_fields_are_tried_once_a_level() -> None:
    """Whether one of them fits at last or none does."""
    dog, cow = Dog(), Unfit()
    for _ in range(DEPTH):
        dog, cow = Dog(pet=dog), Unfit(kind="dog", pet=cow)

    assert codec_for(Dog).decode_proto(codec_for(Dog).encode_proto([dog])) == [dog]
    with pytest.raises(InvalidInputError, match="kind"):
        codec_for(Dog).decode_proto(codec_for(Unfit).encode_proto([cow]))


@pytest.mark.parametrize("cls", [str, int, bytes, np.ndarray])
def test_bytes_that_are_no_entry_are_refused(cls: type) -> None:
    """No field's ready-made header is FF, whatever length stands behind it: not that of a text, nor a tensor's of a form not yet seen."""
    codec = ProtoCodec(schema_of(type("One", (BaseModel,), {"__annotations__": {"a": cls}, "model_config": Doc.model_config})))
    for size in range(256):
        document = bytes((0xFF, size)) + b"\x0a" * size

        with pytest.raises(MalformedError):
            codec.decode(b"\n" + varint(len(document)) + document)
