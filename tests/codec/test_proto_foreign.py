"""Values of our own dialect are found in bytes whose class nobody knows."""

from __future__ import annotations

import contextlib
import datetime
import enum
import uuid
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from jina.codec import codec_for
from jina.codec.proto_foreign import find_private
from jina.docs import AnyDoc, BaseDoc, DocList, NdArray
from jina.errors import MalformedError, UnencodableError


class Part(BaseModel):
    n: int = 1


class Colour(enum.Enum):
    RED = "red"


class Leaf(BaseDoc):
    value: Any = None


class Tree(BaseDoc):
    text: str = "j\x05j.int"
    leaf: Leaf = Leaf()
    leaves: DocList[Leaf] = DocList[Leaf]()
    table: dict[str, Any] = {}
    tensor: NdArray | None = None


WHEN = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
PRIVATE = [
    (2**40, "int 1099511627776"),
    (-(2**31) - 1, "int -2147483649"),
    (2**300, "an int of 301 bits"),
    (WHEN, "datetime 2026-01-02T00:00:00+00:00"),
    (WHEN.date(), "date 2026-01-02"),
    (datetime.timedelta(1), "timedelta 1 0 0"),
    (Decimal("1.10"), "decimal 1.10"),
    (uuid.UUID(int=7), "uuid 00000000-0000-0000-0000-000000000007"),
    (1 + 2j, "a complex number"),
    (Colour.RED, "an enum's member"),
    (Part(), "a nested model that is no BaseDoc"),
    ({1: "a"}, "a dict whose keys are not all strings"),
    (frozenset((1,)), "a frozenset"),
]


@pytest.mark.parametrize(("value", "told"), PRIVATE)
def test_a_private_value_is_named_with_its_place(value: Any, told: str) -> None:
    """At the top, in a nested document, in a list of documents, in a dict, in a list."""
    places = {
        "docs[0].leaf.value": Tree(leaf=Leaf(value=value)),
        "docs[0].leaves[1].value": Tree(leaves=DocList[Leaf]([Leaf(), Leaf(value=value)])),
        "docs[0].table['a'][1]": Tree(table={"a": [1, value]}),
    }
    for path, doc in places.items():
        data = codec_for(Tree).encode_proto([doc], dialect="ours")
        assert find_private(data) == f"{told} has no form in docarray's wire format - at `{path}`"
    single = codec_for(Leaf).encode_proto_one(Leaf(value=value), dialect="ours")
    assert find_private(single, is_single=True) == f"{told} has no form in docarray's wire format - at `doc.value`"


def test_docarrays_own_values_pass() -> None:
    """Also a text that looks like the mark of a private type."""
    tree = Tree(
        tensor=np.array([1.0, 2.0]), table={"a": [1, None, "x", {"b": 2.5}], "t": (1, 2)}, leaves=DocList[Leaf]([Leaf(value=b"j\x05j.int")])
    )
    assert find_private(codec_for(Tree).encode_proto([tree, Tree()], dialect="ours")) == ""
    assert find_private(b"") == ""


@pytest.mark.parametrize("n_before", [1 << 17, *range((1 << 20) - 70, (1 << 20) - 30), 3 << 20])
def test_a_large_message_is_looked_through_where_it_lies(n_before: int) -> None:
    """What was received is passed on as the end of a larger message. Wherever the value stands it is found."""
    data = b"head" + codec_for(Leaf).encode_proto([Leaf(value=bytes(n_before)), Leaf(value=2**40)], dialect="ours")
    assert "docs[1].value" in find_private(memoryview(data)[4:])  # type: ignore[arg-type]


VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=5) | st.decimals(allow_nan=False) | st.datetimes() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(VALUES, max_size=3))
def test_it_finds_something_exactly_where_the_strict_dialect_refuses(values: list[Any]) -> None:
    docs = [Leaf(id="a", value=value) for value in values]
    found = find_private(codec_for(Leaf).encode_proto(docs, dialect="ours"))
    if found:
        with pytest.raises(UnencodableError):
            codec_for(Leaf).encode_proto(docs, dialect="strict")
    else:
        codec_for(Leaf).encode_proto(docs, dialect="strict")


@given(st.binary(max_size=60))
def test_bytes_that_are_no_documents_are_malformed_or_nothing(data: bytes) -> None:
    for is_single in (False, True):
        with contextlib.suppress(MalformedError):
            find_private(data + b"j\x05j.int", is_single=is_single)


def test_a_document_of_no_class_is_looked_through_too() -> None:
    extra: dict[str, Any] = {"extra": {"n": [2**40]}}
    data = codec_for(AnyDoc).encode_proto([AnyDoc(**extra)], dialect="ours")
    assert find_private(data).endswith("at `docs[0].extra['n'][0]`")
