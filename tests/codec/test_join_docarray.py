# mypy: disable-error-code="name-defined,misc"
"""What docarray's own `reduce_all` makes of lists is what ours does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from jina import docarray_repairs
from jina.codec import codec_for
from jina.codec.join import join_documents

docarray = pytest.importorskip("docarray")
typing_ = pytest.importorskip("docarray.typing")
reduce = pytest.importorskip("docarray.utils.reduce")
pytestmark = pytest.mark.docarray
docarray_repairs.repair()


class Inner(docarray.BaseDoc):
    text: str | None = None


class Outer(docarray.BaseDoc):
    number: int = 0
    tags: list[str] = []
    more: list[str] | None = None
    kinds: set[str] = set()
    pair: tuple[int, ...] = ()
    notes: dict[str, Any] = {}
    bare: list = []  # type: ignore[type-arg]
    tensor: typing_.NdArray | None = None
    inner: Inner
    inners: docarray.DocList[Inner] = docarray.DocList[Inner]()


def branches() -> list[Any]:
    inners = docarray.DocList[Inner]
    parts, later_parts = [Inner(id="x", text="x"), Inner(id="y", text="y")], [Inner(id="y", text="z"), Inner(id="z")]
    one = Outer(id="1", number=1, tags=["a"], more=["a"], kinds={"a"}, pair=(1,), notes={"a": 1}, bare=[1], inner=Inner(id="i"))
    one.tensor, one.inners = np.zeros(2), inners(parts)
    two = Outer(id="1", tags=["b"], more=["b"], kinds={"b"}, pair=(2,), notes={"b": 1}, bare=[2], inner=Inner(id="j", text="j"))
    two.inners = inners(later_parts)
    return [docarray.DocList[Outer]([one]), docarray.DocList[Outer]([Outer(id="3", inner=Inner(id="3")), two])]


def test_docarrays_own_reduce_gives_the_same() -> None:
    """For what it can do: two lists, with no None against a document."""
    codec = codec_for(Outer)
    ours, theirs = join_documents(branches(), codec.schema), list(reduce.reduce_all(branches()))

    assert ours[0].kinds == theirs[0].kinds == {"a", "b"}
    for doc in (*ours, *theirs):
        doc.kinds = set()
    assert codec.encode_proto(ours) == codec.encode_proto(theirs)
