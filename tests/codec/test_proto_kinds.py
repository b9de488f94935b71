"""Our dialect: every kind of value in every kind of class comes back as it was."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import uuid
from typing import Any, Literal

import msgspec
import numpy as np
import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator

from jina.codec.proto import ProtoCodec
from jina.codec.schema import schema_of
from jina.errors import ConfigError, InvalidInputError, MalformedError, UnencodableError


class Color(enum.Enum):
    RED = "red"
    BLUE = 2


class Level(enum.IntEnum):
    LOW = 1


class Part(BaseModel):
    n: int = 0


ANNOTATIONS: dict[str, Any] = {
    "text": str,
    "small": int,
    "big": int,
    "huge": int,
    "number": float,
    "flag": bool,
    "raw": bytes,
    "moment": dt.datetime,
    "zoned": dt.datetime,
    "day": dt.date,
    "clock": dt.time,
    "span": dt.timedelta,
    "amount": decimal.Decimal,
    "key": uuid.UUID,
    "color": Color,
    "level": Level,
    "choice": Literal["a", 1],
    "either": int | str,
    "maybe": int | None,
    "part": Part,
    "parts": list[Part],
    "by_name": dict[str, Part],
    "by_number": dict[int, list[str]],
    "pair": tuple[int, str],
    "many": tuple[int, ...],
    "words": set[str],
    "frozen": frozenset[int],
    "nested": list[list[dict[str, tuple[int, dt.date]]]],
    "anything": Any,
}
VALUES: dict[str, Any] = {
    "text": "é😀",
    "small": -1,
    "big": 2**31,
    "huge": -(2**200),
    "number": -0.0,
    "flag": False,
    "raw": b"\xff\x00",
    "moment": dt.datetime(2024, 2, 29, 1, 2, 3, 4, fold=1),
    "zoned": dt.datetime(2024, 2, 29, tzinfo=dt.UTC),
    "day": dt.date(1, 1, 1),
    "clock": dt.time(23, 59, 59, 999999),
    "span": dt.timedelta(days=-3, microseconds=7),
    "amount": decimal.Decimal("1.10"),
    "key": uuid.UUID(int=5),
    "color": Color.BLUE,
    "level": Level.LOW,
    "choice": 1,
    "either": "x",
    "maybe": None,
    "part": Part(n=2**40),
    "parts": [Part(n=1), Part()],
    "by_name": {"b": Part(n=1), "a": Part()},
    "by_number": {3: ["x"], 1: []},
    "pair": (1, "z"),
    "many": (1, 2**33),
    "words": {"a", "b"},
    "frozen": frozenset({1}),
    "nested": [[{"k": (1, dt.date(2000, 1, 1))}], []],
    "anything": {"a": [1, None, (2, dt.date(2000, 1, 1)), {1: 2}]},
}

AsModel: Any = type("AsModel", (BaseModel,), {"__annotations__": ANNOTATIONS, "__module__": __name__})
AsDataclass: Any = dataclasses.make_dataclass("AsDataclass", ANNOTATIONS.items())
AsStruct: Any = msgspec.defstruct("AsStruct", ANNOTATIONS.items())


def our_base_doc() -> Any:
    docs = pytest.importorskip("jina.docs")
    return type("AsDoc", (docs.BaseDoc,), {"__annotations__": ANNOTATIONS, "__module__": __name__})


def codec(cls: type) -> ProtoCodec:
    return ProtoCodec(schema_of(cls))


def value_of(doc: Any) -> dict[str, Any]:
    return {name: getattr(doc, name) for name in ANNOTATIONS}


@pytest.mark.parametrize("is_trusted", [True, False])
@pytest.mark.parametrize("family", ["model", "dataclass", "struct", "doc"])
def test_every_kind_comes_back_in_every_family(family: str, is_trusted: bool) -> None:
    """Ints of any size, moments, enums, plain models, keys that are no strings: equal, and of the same types."""
    cls = {"model": AsModel, "dataclass": AsDataclass, "struct": AsStruct}.get(family) or our_base_doc()
    doc = cls(**VALUES)
    (back,) = codec(cls).decode(codec(cls).encode([doc], dialect="ours"), trusted=is_trusted)

    assert type(back) is cls
    assert value_of(back) == VALUES
    assert {name: type(value) for name, value in value_of(back).items()} == {name: type(value) for name, value in VALUES.items()}
    assert (back.moment.fold, back.zoned.utcoffset(), str(back.amount)) == (1, dt.timedelta(0), "1.10")


@pytest.mark.parametrize("name", ["big", "moment", "day", "clock", "span", "amount", "key", "color", "part", "by_number", "frozen"])
def test_the_strict_dialect_names_what_it_cannot_carry(name: str) -> None:
    """The error says where the value is."""
    cls: Any = type("One", (BaseModel,), {"__annotations__": {name: ANNOTATIONS[name]}, "__module__": __name__})
    with pytest.raises(UnencodableError, match=rf"at `docs\[1\]\.{name}"):
        codec(cls).encode([cls.model_construct(**{name: None}), cls(**{name: VALUES[name]})], dialect="strict")


def test_the_int_that_does_not_fit_is_shown() -> None:
    """32 bits are what docarray has."""

    class Doc(BaseModel):
        values: dict[str, list[int]]

    with pytest.raises(UnencodableError, match=r"int 4294967296 does not fit .* at `doc\.values\['k'\]\[1\]`"):
        codec(Doc).encode_one(Doc(values={"k": [1, 2**32]}))


def test_a_class_that_contains_itself_works_to_depth_64() -> None:
    """Deeper, or endless, is an error and never a RecursionError."""

    def chain(n: int) -> Tree:
        doc = Tree()
        for _ in range(n):
            doc = Tree(child=doc)
        return doc

    tree = codec(Tree)
    assert tree.decode_one(tree.encode_one(chain(60), dialect="ours")) == chain(60)
    with pytest.raises(UnencodableError, match="nested deeper than 64"):
        tree.encode_one(chain(200), dialect="ours")
    endless = Tree()
    endless.child = endless
    with pytest.raises(UnencodableError, match="contains itself"):
        tree.encode_one(endless, dialect="ours")
    data = b""
    for _ in range(5000):
        node = b"\x3a" + _delimited(data)
        data = b"\n" + _delimited(b"\n\x05child\x12" + _delimited(node))
    with pytest.raises(MalformedError, match="nested deeper than 64"):
        tree.decode_one(data)


class Tree(BaseModel):
    child: Tree | None = None


def _delimited(data: bytes) -> bytes:
    from jina.codec.varint import varint

    return varint(len(data)) + data


def test_constraints_and_validators_are_applied_to_bytes_from_outside() -> None:
    """Trusted bytes were checked where they were made."""

    class Free(BaseModel):
        n: int
        name: str

    class Checked(BaseModel):
        n: int = Field(ge=0)
        name: str

        @field_validator("name")
        @classmethod
        def upper(cls, value: str) -> str:
            return value.upper()

    data = codec(Free).encode([Free(n=1, name="a"), Free(n=-1, name="b")])
    with pytest.raises(InvalidInputError) as error:
        codec(Checked).decode(data)

    assert [(detail["loc"], detail["type"]) for detail in error.value.details] == [((1, "n"), "greater_than_equal")]
    assert codec(Checked).decode(codec(Free).encode([Free(n=1, name="a")]))[0].name == "A"
    assert codec(Checked).decode(data, trusted=True)[1].n == -1


def test_values_of_another_type_are_cast_or_refused_by_the_class() -> None:
    """As the class's own validation does: 3.0 is an int, "x" is none."""

    class Floats(BaseModel):
        n: float
        m: float = 1.0

    class Ints(BaseModel):
        n: int
        k: int = 7

    assert codec(Ints).decode(codec(Floats).encode([Floats(n=3.0)])) == [Ints(n=3)]
    with pytest.raises(InvalidInputError) as error:
        codec(Ints).decode(codec(Floats).encode([Floats(n=3.5)]))
    assert error.value.details[0]["loc"] == (0, "n")


def test_missing_fields_get_defaults_or_are_named() -> None:
    """Unknown ones are passed over."""

    class Small(BaseModel):
        a: int = 1

    @dataclasses.dataclass
    class Large:
        a: int
        b: list[int] = dataclasses.field(default_factory=list)

    class Demanding(msgspec.Struct):
        c: int

    assert codec(Large).decode(codec(Small).encode([Small(a=5)])) == [Large(5)]
    with pytest.raises(InvalidInputError) as error:
        codec(Demanding).decode(codec(Small).encode([Small()]))
    assert "`c`" in error.value.details[0]["msg"]


def test_aliases_are_for_json_only() -> None:
    """The binary wire has the attribute's name."""

    class Doc(BaseModel):
        n: int = Field(alias="theN", ge=0)

    class Renamed(msgspec.Struct, rename="camel"):
        the_n: int

    assert codec(Doc).decode(codec(Doc).encode([Doc(theN=3)]))[0].n == 3
    assert codec(Renamed).decode(codec(Renamed).encode([Renamed(3)]))[0].the_n == 3


def test_private_attributes_and_own_init_are_respected() -> None:
    """Such a class is always made by its own machinery."""

    class Doc(BaseModel):
        n: int
        _seen: list[int] = []

    (doc,) = codec(Doc).decode(codec(Doc).encode([Doc(n=1)]), trusted=True)

    assert doc._seen == []


def test_what_is_decoded_is_a_full_pydantic_model() -> None:
    """Equal to one made by hand, copyable, with its set fields known; changes do not touch others."""

    class Doc(BaseModel):
        a: int
        b: str

    one, two = codec(Doc).decode(codec(Doc).encode([Doc(a=1, b="x"), Doc(a=1, b="x")]))
    one.__pydantic_fields_set__.clear()

    assert two == Doc(a=1, b="x")
    assert two.model_copy(update={"a": 2}).a == 2
    assert two.model_fields_set == {"a", "b"}


def test_arrays_in_plain_classes_keep_dtype_and_shape() -> None:
    """numpy's own arrays are a field type like any other; what comes back may be written to."""

    class Doc(BaseModel):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        a: np.ndarray

    for array in (np.zeros((0, 3), "<f2"), np.arange(6).reshape(2, 3)[:, ::2], np.array(5.0), np.zeros(100_000), np.ones(3, ">i4")):
        (back,) = codec(Doc).decode(codec(Doc).encode([Doc(a=array)]))
        assert (back.a.dtype, back.a.shape, back.a.tobytes()) == (array.dtype, array.shape, array.tobytes())
        back.a[...] = 0
    with pytest.raises(UnencodableError, match="Python objects"):
        codec(Doc).encode([Doc(a=np.array([object()]))])


def test_a_class_that_cannot_be_a_document_is_named() -> None:
    """So is one with a name that leads nowhere."""

    @dataclasses.dataclass
    class Lost:
        a: Nowhere  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(ConfigError, match="int"):
        schema_of(int)
    with pytest.raises(ConfigError, match="Lost"):
        schema_of(Lost)
