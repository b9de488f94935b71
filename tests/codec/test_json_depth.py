# mypy: disable-error-code="misc,type-arg,valid-type,arg-type,call-arg,unused-ignore,assignment"
"""Documents within documents as JSON: how deep they may be."""

from __future__ import annotations

from typing import Annotated, Literal, Optional, Union

import pytest
from pydantic import Field

from jina.codec.json import JsonCodec
from jina.codec.schema import schema_of
from jina.docs import BaseDoc
from jina.errors import InvalidInputError, UnencodableError


def codec(cls: type) -> JsonCodec:
    return JsonCodec(schema_of(cls))


class Chain(BaseDoc):
    next: Chain | None = None


@pytest.mark.parametrize("depth", [300, 3000])
def test_what_is_nested_too_deep_to_be_written_is_named(depth: int) -> None:
    """Also where showing it would go too deep."""
    doc = Chain()
    for _ in range(depth):
        doc = Chain.model_construct(id="a", next=doc)

    with pytest.raises(UnencodableError, match=r"field 'next' of document 0 \(Chain\) has no JSON form"):
        codec(Chain).encode([doc])


class Left(BaseDoc):
    kind: Literal["left"] = "left"
    inner: Optional[Union[Left, Right]] = None  # noqa: UP007, UP045


class Right(BaseDoc):
    kind: Literal["right"] = "right"
    inner: Optional[Union[Left, Right]] = None  # noqa: UP007, UP045


class ToldApart(BaseDoc):
    inner: Optional[Annotated[Union[ToldLeft, ToldRight], Field(discriminator="kind")]] = None  # noqa: UP007, UP045


class ToldLeft(ToldApart):
    kind: Literal["left"] = "left"


class ToldRight(ToldApart):
    kind: Literal["right"] = "right"


class First(BaseDoc):
    n: int = 0


class Second(BaseDoc):
    text: str = ""


class Links(BaseDoc):
    inner: Optional[Links] = None  # noqa: UP045
    either: First | Second | None = None
    other: First | Second | None = None


def inner_of(depth: int, kind: str | None = None) -> bytes:
    head = b"{" if kind is None else b'{"kind":"%b",' % kind.encode()
    return b"[" + (head + b'"inner":') * depth + b'{"kind":"nothing"}' + b"}" * depth + b"]"


@pytest.mark.parametrize("kind", [None, "left"])
def test_unions_whose_reading_doubles_with_each_level_may_not_be_deep(kind: str | None) -> None:
    """A thousand tries are borne, 2^60 are not even begun; the text says what to do."""
    with pytest.raises(InvalidInputError) as shallow:
        codec(Left).decode(inner_of(9, kind))
    assert len(shallow.value.details) > 0
    with pytest.raises(InvalidInputError, match="no discriminator"):
        codec(Left).decode(inner_of(60, kind))
    with pytest.raises(InvalidInputError, match="no discriminator"):
        codec(Left).decode_one(inner_of(60, kind)[1:-1])


def test_other_recursive_classes_may_be_as_deep_as_ever() -> None:
    """With a discriminator, without a union, or with one that leads nowhere."""
    told = codec(ToldLeft).decode(inner_of(60, "left").replace(b"nothing", b"right"))
    assert isinstance(told[0].inner.inner, ToldLeft)
    chain = codec(Links).decode(inner_of(60))
    assert isinstance(chain[0].inner.inner, Links)
