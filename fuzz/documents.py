"""Document classes of every family for the codecs' targets, each with a few instances."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import uuid
from typing import Any, Literal, Optional

import msgspec
import numpy as np
from pydantic import BaseModel, Field

from jina.codec import Codec, codec_for
from jina.docs import BaseDoc, DocList, ImageUrl, NdArray


class Color(enum.Enum):
    RED = "red"
    BLUE = 2


class Small(BaseDoc):
    text: str = ""
    n: int = 0
    score: float = 0.0
    flag: bool = False
    raw: bytes = b""


class Nested(BaseDoc):
    small: Small | None = None
    smalls: DocList[Small] = DocList[Small]()
    tensor: NdArray | None = None
    three: NdArray[3] | None = None  # type: ignore[type-arg, valid-type]
    url: ImageUrl | None = None
    tags: dict[str, Any] = {}  # noqa: RUF012 - pydantic copies it


class Cat(BaseDoc):
    name: str
    lives: int = 9


class Dog(BaseDoc):
    name: str
    bark: str = ""


class Either(BaseDoc):
    pet: Cat | Dog
    pets: DocList[Cat] | DocList[Dog] | None = None
    value: int | str | None = None


class Part(BaseModel):
    n: int = 0


class Kinds(BaseModel):
    moment: dt.datetime | None = None
    day: dt.date | None = None
    clock: dt.time | None = None
    span: dt.timedelta | None = None
    amount: decimal.Decimal | None = None
    key: uuid.UUID | None = None
    color: Color | None = None
    choice: Literal["a", 1] = "a"
    big: int = 0
    part: Part | None = None
    by_name: dict[str, Part] = {}
    by_number: dict[int, list[str]] = {}
    pair: tuple[int, str] | None = None
    many: tuple[int, ...] = ()
    frozen: frozenset[int] = frozenset()
    anything: Any = None


class Checked(BaseModel):
    text: str = Field("", max_length=20, alias="theText")
    n: int = Field(0, ge=0, le=100)
    items: list[float] = Field([], max_length=3)


class Tree(BaseModel):
    name: str = ""
    below: list["Tree"] = []  # noqa: UP037
    one: Optional["Tree"] = None  # noqa: UP037, UP045


@dataclasses.dataclass
class Data:
    text: str = ""
    parts: list[Part] = dataclasses.field(default_factory=list)
    pair: tuple[int, str] | None = None


class Packed(msgspec.Struct):
    text: str = ""
    n: int | None = None
    scores: list[float] = []


INSTANCES: dict[type, list[Any]] = {
    Small: [Small(id="a", text="é😀", n=-5, score=1.5, flag=True, raw=b"\xff"), Small(id="b")],
    Nested: [
        Nested(id="a", small=Small(id="s"), smalls=DocList[Small]([Small(id="x"), Small(id="y")]), tensor=np.arange(6.0).reshape(2, 3)),
        Nested(id="b", three=np.zeros(3, "<f4"), url=ImageUrl("http://h/a.png"), tags={"k": [1, 2.5, None, {"x": b"y"}]}),
    ],
    Either: [
        Either(id="a", pet=Cat(id="c", name="x"), value=3),
        Either(id="b", pet=Dog(id="d", name="y"), pets=DocList[Dog]([Dog(id="e", name="z")])),
    ],
    Kinds: [
        Kinds(
            moment=dt.datetime(2024, 2, 29, tzinfo=dt.UTC),
            day=dt.date(1, 1, 1),
            clock=dt.time(23, 59, 59, 999999),
            span=dt.timedelta(days=-3, microseconds=7),
            amount=decimal.Decimal("1.10"),
            key=uuid.UUID(int=5),
            color=Color.BLUE,
            big=-(2**200),
            part=Part(n=2**40),
        ),
        Kinds(choice=1, by_name={"b": Part(n=1)}, by_number={3: ["x"]}, pair=(1, "z"), many=(1, 2**33), frozen=frozenset({1})),
        Kinds(anything={"a": [1, None, (2, dt.date(2000, 1, 1)), {1: 2}]}),
    ],
    Checked: [Checked(theText="abc", n=7, items=[1.0, 2.5])],
    Tree: [Tree(name="a", below=[Tree(name="b", one=Tree())])],
    Data: [Data("abc", [Part(n=1)], (1, "x")), Data()],
    Packed: [Packed("x", 3, [1.0, -0.0]), Packed()],
}
CODECS: tuple[Codec, ...] = tuple(codec_for(cls) for cls in INSTANCES)
