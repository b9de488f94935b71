# mypy: disable-error-code="misc,type-arg,valid-type,arg-type,call-arg,unused-ignore,assignment"
"""Classes of others as JSON: plain models, dataclasses and structs."""

from __future__ import annotations

import dataclasses
from typing import Any, Optional

import msgspec
import numpy as np
import pytest
from pydantic import BaseModel, ConfigDict, Field, computed_field, field_serializer

from jina.codec.json import JsonCodec
from jina.codec.schema import schema_of
from jina.docs import AnyTensor, NdArray
from jina.errors import InvalidInputError, MalformedError, UnencodableError


def codec(cls: type) -> JsonCodec:
    return JsonCodec(schema_of(cls))


def test_aliases_serializers_and_computed_fields_count() -> None:
    """As in FastAPI."""

    class User(BaseModel):
        given: str = Field(alias="givenName")
        secret: str = ""

        @field_serializer("secret")
        def hide(self, value: str) -> str:
            return "*" * len(value)

        @computed_field
        def shout(self) -> str:
            return self.given.upper()

    known = codec(User)
    docs = known.decode(b'[{"givenName":"a","secret":"bc"}]')
    assert docs[0].given == "a"
    assert known.encode(docs) == b'[{"givenName":"a","secret":"**","shout":"A"}]'
    assert set(known.json_schema()["properties"]) == {"givenName", "secret", "shout"}


def test_plain_models_get_our_bytes_tensors_and_numbers() -> None:
    """Though pydantic alone would refuse them."""

    class Plain(BaseModel):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        b: bytes
        x: float = 0.0
        a: np.ndarray[Any, Any] | None = None
        t: AnyTensor | None = None

    known = codec(Plain)
    data = b'[{"b":"data:;base64,/w==","x":0.5,"a":[1,2],"t":[[1.5]]}]'
    (doc,) = known.decode(data)
    assert (doc.b, doc.a.tolist(), doc.t.tolist()) == (b"\xff", [1, 2], [[1.5]])
    assert known.encode([doc]) == data


@dataclasses.dataclass
class Node:
    n: int
    b: bytes = b""
    children: Optional[list[Node]] = None  # noqa: UP045


class Cell(msgspec.Struct):
    n: int
    b: bytes = b""
    bs: list[bytes] = []
    t: NdArray[2] | None = None  # type: ignore[valid-type]
    next: Optional[Cell] = None  # noqa: UP045
    extra: Any = None


class Lean(msgspec.Struct):
    n: int = msgspec.field(name="N")
    x: float = 0.0


def test_dataclasses_go_both_ways() -> None:
    """Recursive ones too."""
    data = b'[{"n":1,"b":"data:;base64,/w==","children":[{"n":2,"b":"x","children":null}]}]'

    assert codec(Node).decode(data) == [Node(1, b"\xff", [Node(2, b"x")])]
    assert codec(Node).encode(codec(Node).decode(data)) == data
    assert codec(Node).json_schema()["properties"]["n"] == {"title": "N", "type": "integer"}


def test_structs_go_both_ways() -> None:
    """With our bytes and tensors; those without go straight through msgspec."""
    data = b'[{"n":1,"b":"data:;base64,/w==","bs":["x"],"t":[1,2],"next":{"n":2,"b":"","bs":[],"t":null,"next":null,'
    data += b'"extra":null},"extra":"y"}]'

    (cell,) = codec(Cell).decode(data)
    assert (cell.b, cell.bs, cell.t.tolist(), cell.next.n) == (b"\xff", [b"x"], [1, 2], 2)
    assert codec(Cell).encode([cell]) == data
    assert codec(Lean).encode(codec(Lean).decode(b'[{"N":1,"x":2.5}]')) == b'[{"N":1,"x":2.5}]'
    assert codec(Lean).decode_one(codec(Lean).encode_one(Lean(n=1))) == Lean(n=1)
    assert codec(Lean).json_schema()["required"] == ["N"]
    assert codec(Cell).json_schema()["properties"]["b"] == {"type": "string", "format": "binary", "default": ""}
    with pytest.raises(UnencodableError, match=r"field 'extra' of document 0 \(Cell\)"):
        codec(Cell).encode([Cell(n=1, extra=object())])


class Keyed(msgspec.Struct):
    by_number: dict[int, bytes]


def test_keys_of_a_struct_that_are_no_strings_go_both_ways() -> None:
    """Beside bytes, which take another way in than other structs."""
    data = b'[{"by_number":{"-1":"x"}}]'

    assert codec(Keyed).decode(data) == [Keyed({-1: b"x"})]
    assert codec(Keyed).encode(codec(Keyed).decode(data)) == data
    with pytest.raises(InvalidInputError, match=r"0\.by_number"):
        codec(Keyed).decode(b'[{"by_number":{"x":"x"}}]')


@pytest.mark.parametrize(
    ("cls", "data", "loc"),
    [
        (Lean, b'[{"N":"x"}]', (0, "N")),
        (Lean, b"[{}]", (0,)),
        (Cell, b'[{"n":1,"bs":["a",2]}]', (0, "bs", 1)),
        (Cell, b'[{"n":1,"t":[1]}]', (0, "t")),
        (Cell, b"{}", ()),
    ],
)
def test_findings_in_structs_have_a_place(cls: type, data: bytes, loc: tuple[Any, ...]) -> None:
    """msgspec's words, our place."""
    with pytest.raises(InvalidInputError) as caught:
        codec(cls).decode(data)

    assert caught.value.details[0]["loc"] == loc


@pytest.mark.parametrize(
    "data",
    [b'[{"N":1,"x":NaN}]', b'[{"N":1,"x":1e999}]', b'[{"N":1,"z":"\xff"}]', b'[{"N":1,"' + b"z" * 300 + b'\xff":1}]', b"[" * 3],
)
def test_structs_refuse_what_is_not_json(data: bytes) -> None:
    """As models do."""
    with pytest.raises(MalformedError):
        codec(Lean).decode(data)
