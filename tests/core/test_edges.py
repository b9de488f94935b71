"""Whether documents fit along an edge."""

from __future__ import annotations

import datetime
import decimal
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ConfigDict, create_model

from jina.codec import codec_for
from jina.core.edges import misfit
from jina.docs import BaseDoc, DocList, NdArray


class Text(BaseDoc):
    text: str


class Page(BaseDoc):
    text: str
    number: int = 0
    parts: DocList[Text] = DocList[Text]()


class Number(BaseDoc):
    text: int


class Pages(BaseDoc):
    parts: DocList[Number]


class Vector(BaseDoc):
    vector: NdArray[384]  # type: ignore[type-arg, valid-type]


class Longer(BaseDoc):
    vector: NdArray[768]  # type: ignore[type-arg, valid-type]


class Batch(BaseDoc):
    vector: NdArray["x", 384]  # type: ignore[name-defined, type-arg, valid-type]  # noqa: F821, UP037 - the name of an axis


class AnyVector(BaseDoc):
    vector: NdArray


class Day(BaseDoc):
    text: datetime.date


class Optional(BaseDoc):
    text: str | None = None


class Either(BaseDoc):
    text: dict[str, int] | list[int]


class Lists(BaseDoc):
    text: list[str]


class Closed(BaseDoc):
    model_config = ConfigDict(extra="forbid")
    text: str


class Tree(BaseDoc):
    children: list[Tree] = []
    text: str = ""


class Wood(BaseDoc):
    children: list[Wood] = []
    text: list[str] = []


class Red(BaseDoc):
    color: Literal["red", "green"]


class Blue(BaseDoc):
    color: Literal["blue", "yellow"]


class Green(BaseDoc):
    color: Literal["green", "blue"]


class Free(BaseDoc):
    text: Any = None


def between(first: type[BaseDoc], second: type[BaseDoc]) -> str:
    return misfit(codec_for(first).json_schema(), codec_for(second).json_schema())


@pytest.mark.parametrize(
    ("first", "second"),
    [
        *[(kind, kind) for kind in (Text, Page, Vector, AnyVector, Either, Tree, Red, Closed, Free)],
        (Page, Text),
        (Optional, Text),
        (Text, Optional),
        (Text, Day),
        (Day, Text),
        (Free, Number),
        (Number, Free),
        (Vector, AnyVector),
        (AnyVector, Longer),
        (Red, Green),
        (Lists, Either),
        (Text, Number),
        (Batch, Longer),
    ],
)
def test_what_may_fit_is_let_through(first: type[BaseDoc], second: type[BaseDoc]) -> None:
    """Whether it does is seen when documents come."""
    assert between(first, second) == ""


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        (Number, Text, "field 'text' is integer there and string here"),
        (Text, Vector, "field 'vector' is required here and not there"),
        (Pages, Page, "field 'text' is required here and not there"),
        (Lists, Text, "field 'text' is array there and string here"),
        (Vector, Longer, "field 'vector' has the shape [384] there and [768] here"),
        (Text, Either, "field 'text' is string there and object or array here"),
        (Page, Closed, "is there, and nothing of that name may be here"),
        (Tree, Wood, "text' is string there and array here"),
        (Red, Blue, "field 'color' is one of ['red', 'green'] there and one of ['blue', 'yellow'] here"),
    ],
)
def test_what_cannot_fit_says_which_field(first: type[BaseDoc], second: type[BaseDoc], text: str) -> None:
    """And what it is on either side."""
    assert text in between(first, second)


VALUES: list[tuple[Any, Any]] = [
    *((str, value) for value in ("5", "true", "2020-01-01", "abc")),
    *((int, 1), (float, 1.0), (bool, True), (bytes, b"5"), (datetime.datetime, datetime.datetime(2020, 1, 1))),
    *((datetime.date, datetime.date(2020, 1, 1)), (datetime.timedelta, datetime.timedelta(1)), (decimal.Decimal, decimal.Decimal(1))),
    *((list[int], [1]), (list[str], ["a"]), (set[int], {1}), (tuple[int, int], (1, 2)), (dict[str, Any], {"a": 1})),
    *((NdArray, np.ones(4)), (NdArray[4], np.ones(4)), (NdArray[2, 2], np.ones((2, 2))), (NdArray[5], np.ones(5))),  # type: ignore[type-arg, valid-type]
    (Text, Text(text="a")),
]


def holding(kind: Any) -> Any:
    return create_model("Holding", __base__=BaseDoc, x=(kind, ...))


@pytest.mark.filterwarnings("ignore:.*shape")
def test_what_is_refused_cannot_be_read_whatever_it_holds() -> None:
    """Every pair of types, with values that others might be made of: no flow that would work is refused."""
    classes = {str(kind): holding(kind) for kind, _ in VALUES}
    wrong = []
    for kind, value in VALUES:
        first = classes[str(kind)]
        data = bytes(codec_for(first).encode_pieces([first(x=value)], dialect="ours"))
        for name, second in classes.items():
            try:
                codec_for(second).decode_proto(data, dialect="ours")
            except Exception:
                continue
            if between(first, second):
                wrong.append((str(kind), name))

    assert wrong == []


schemas = st.recursive(
    st.sampled_from([{"type": "string"}, {"type": "integer"}, {"type": "null"}, {}, {"type": "boolean"}]),
    lambda inner: st.one_of(
        st.builds(lambda items: {"type": "array", "items": items}, inner),
        st.builds(lambda each: {"anyOf": each}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda each: {"type": "object", "properties": each, "required": [*each]}, st.dictionaries(st.sampled_from("abc"), inner)),
    ),
)


@given(schemas)
def test_every_schema_fits_itself(schema: dict[str, Any]) -> None:
    """Whatever it is made of."""
    assert misfit(schema, schema) == ""
