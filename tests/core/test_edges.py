"""Whether documents fit along an edge."""

from __future__ import annotations

import datetime
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ConfigDict

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
    text: int | list[int]


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
        (Number, Either),
    ],
)
def test_what_may_fit_is_let_through(first: type[BaseDoc], second: type[BaseDoc]) -> None:
    """Whether it does is seen when documents come."""
    assert between(first, second) == ""


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        (Text, Number, "field 'text' is string there and integer here"),
        (Text, Vector, "field 'vector' is required here and not there"),
        (Page, Pages, "field 'parts[].text' is string there and integer here"),
        (Vector, Longer, "field 'vector' has the shape [384] there and [768] here"),
        (Batch, Longer, "field 'vector' has the shape"),
        (Text, Either, "field 'text' is string there and integer or array here"),
        (Page, Closed, "is there, and nothing of that name may be here"),
        (Tree, Wood, "text' is string there and array here"),
        (Red, Blue, "field 'color' is one of ['red', 'green'] there and one of ['blue', 'yellow'] here"),
    ],
)
def test_what_cannot_fit_says_which_field(first: type[BaseDoc], second: type[BaseDoc], text: str) -> None:
    """And what it is on either side."""
    assert text in between(first, second)


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
