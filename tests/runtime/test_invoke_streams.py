# mypy: disable-error-code="empty-body, no-untyped-def, no-any-return, misc, valid-type, name-defined"
# mypy: disable-error-code="override, attr-defined, arg-type, comparison-overlap, unused-ignore"
"""How streaming methods are called, and what ends them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from jina.executor import Executor, requests
from jina.runtime import invoke
from tests.runtime.calling import Text, run


class Bad(Executor):
    @requests(on="/items")
    def items(self, doc: Text, **kwargs: Any) -> Iterator[Text]:
        yield Text(text="a")
        yield "b"  # type: ignore[misc]
        yield None  # type: ignore[misc]
        yield Text(text="c")

    @requests(on="/items_async")
    async def items_async(self, doc: Text, **kwargs: Any) -> AsyncIterator[Text]:
        for item in self.items(doc):
            yield item

    @requests(on="/raises")
    def raises(self, doc: Text, **kwargs: Any) -> Iterator[Text]:
        yield Text(text="a")
        raise ValueError("no more")

    @requests(on="/raises_async")
    async def raises_async(self, doc: Text, **kwargs: Any) -> AsyncIterator[Text]:
        yield Text(text="a")
        raise ValueError("no more")

    @requests(on="/iterator")
    def iterator(self, doc: Text, **kwargs: Any) -> Iterator[Text]:
        return iter([doc, doc])


@pytest.mark.parametrize("path", ["/items", "/items_async"])
def test_wrong_item_is_an_error_and_the_stream_goes_on(path: str) -> None:
    """One TypeError an item."""
    first, second, third, fourth = run(Bad(), path, [Text()])

    assert (first.text, fourth.text) == ("a", "c")
    assert isinstance(second, TypeError)
    assert isinstance(third, TypeError)
    assert str(second) == f"endpoint {path!r} must yield 'Text', got 'str' ('b')"


@pytest.mark.parametrize("path", ["/raises", "/raises_async"])
def test_what_a_stream_raises_comes_after_its_items(path: str) -> None:
    """Items before it are not lost."""
    executor = Bad()
    endpoint = invoke.find_endpoint(executor, path)
    assert endpoint is not None
    seen = []

    async def collect() -> None:
        if endpoint.is_async:
            async for item in invoke.stream_async(executor, endpoint, Text(), {}):
                seen.append(item.text)
        for item in invoke.stream(executor, endpoint, Text(), {}):
            seen.append(item.text)

    with pytest.raises(ValueError, match="no more"):
        asyncio.run(collect())
    assert seen == ["a"]


def test_method_may_return_an_iterator_instead_of_yielding() -> None:
    """Its annotation says that it streams."""
    assert len(run(Bad(), "/iterator", [Text()])) == 2


def test_closing_a_stream_closes_the_method() -> None:
    """Its `finally` runs at once, for both kinds of generators."""
    closed = []

    class E(Executor):
        @requests(on="/sync")
        def sync(self, doc: Text, **kwargs: Any) -> Iterator[Text]:
            try:
                while True:
                    yield doc
            finally:
                closed.append("sync")

        @requests(on="/async")
        async def coroutine(self, doc: Text, **kwargs: Any) -> AsyncIterator[Text]:
            try:
                while True:
                    yield doc
            finally:
                closed.append("async")

    executor = E()
    stream: Any = invoke.stream(executor, executor.requests["/sync"], Text(), {})
    next(stream)
    stream.close()

    async def leave() -> None:
        items = invoke.stream_async(executor, executor.requests["/async"], Text(), {})
        await anext(items)
        await items.aclose()

    asyncio.run(leave())
    assert closed == ["sync", "async"]
