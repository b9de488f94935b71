"""What `post` takes as `inputs`, as batches of documents: none, one, many, generators of both kinds, or a function that gives these."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple

from jina.client.background import Background
from jina.errors import BadClientInput
from jina.hints import is_document_class

Batch = Any
"""A list of documents of any class, a DocList, or None for a request without documents."""


class Batches(NamedTuple):
    """Batches in order: one of the two iterators.

    Attributes:
        is_quick: `items` never waits: everything is there already.
        n_batches: How many there will be, None if nobody knows.
    """

    items: Iterator[Batch] | None
    async_items: AsyncIterator[Batch] | None
    is_quick: bool
    n_batches: int | None


def batches_of(inputs: Any, size: int) -> Batches:
    """Cut inputs into batches of `size` documents; 0 or less for all in one.

    Raises:
        BadClientInput: No documents; what an iterator gives is looked at when it gives it.
    """
    if callable(inputs) and not is_document(inputs):
        inputs = inputs()
    if inspect.iscoroutine(inputs):
        inputs.close()
        raise BadClientInput("inputs are a coroutine; await it first, or give an async generator")
    if inputs is None:
        return Batches(iter((None,)), None, True, 1)
    if is_document(inputs):
        return Batches(iter(([inputs],)), None, True, 1)
    if isinstance(inputs, AsyncIterable):
        return Batches(None, _async_batches(inputs, size), False, None)
    if isinstance(inputs, str | bytes) or not isinstance(inputs, Iterable):
        raise _no_document(inputs)
    many: Any = inputs
    if hasattr(many, "__len__") and hasattr(many, "__getitem__"):
        n_docs = len(many)
        step = size if size > 0 else max(n_docs, 1)
        return Batches(_slices(many, n_docs, step), None, True, -(-n_docs // step))
    return Batches(_sync_batches(inputs, size), None, hasattr(inputs, "__len__"), None)


@lru_cache(256)
def _is_document_class(kind: Any) -> bool:
    return is_document_class(kind)


def is_document(value: Any) -> bool:
    """Tell whether a value is one document; a dict is."""
    kind: Any = type(value)
    return isinstance(value, dict) or _is_document_class(kind)


def checked(batch: Batch) -> Batch:
    """Give the batch with its dicts as documents.

    Raises:
        BadClientInput: It holds something else.
    """
    kinds = set(map(type, batch))
    if any(issubclass(kind, dict) for kind in kinds):
        from jina.docs import AnyDoc

        batch = [AnyDoc(**item) if isinstance(item, dict) else item for item in batch]
    for kind in kinds:
        if not (_is_document_class(kind) or issubclass(kind, dict)):
            raise _no_document(next(item for item in batch if type(item) is kind))
    return batch


def _no_document(value: Any) -> BadClientInput:
    shown = repr(value)
    shown = shown if len(shown) < 80 else shown[:77] + "..."
    return BadClientInput(f"inputs must be documents (or dicts), got {shown} of type {type(value).__name__}")


def _slices(inputs: Any, n_docs: int, step: int) -> Iterator[Batch]:
    for start in range(0, n_docs, step):
        yield inputs[start : start + step]


def _sync_batches(inputs: Iterable[Any], size: int) -> Iterator[Batch]:
    items = iter(inputs)
    while batch := list(islice(items, size) if size > 0 else items):
        yield batch


async def _async_batches(inputs: AsyncIterable[Any], size: int) -> AsyncIterator[Batch]:
    batch: list[Any] = []
    async for item in inputs:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


class ThreadedIterator:
    """An async iterator read from sync code: it runs on a loop in a thread of its own, one item at a time."""

    def __init__(self, items: AsyncIterator[Batch]) -> None:
        self._items = items
        self._background = Background("jina-inputs")
        self._task: asyncio.Task[Any] | None = None

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        try:
            return self._background.run(self._next())
        except StopAsyncIteration:
            raise StopIteration from None

    async def _next(self) -> Batch:
        self._task = asyncio.current_task()
        return await anext(self._items)

    async def _close(self) -> None:
        if self._task is not None and not self._task.done():  # whoever waited for it was interrupted
            self._task.cancel()
            await asyncio.wait((self._task,))
        if inspect.isasyncgen(self._items):
            await self._items.aclose()

    def close(self) -> None:
        """Close the iterator, end the thread."""
        try:
            self._background.run(self._close())
        finally:
            self._background.stop()


class AwaitedIterator:
    """A sync iterator read from async code: each item is made in a thread, so that one that waits holds nobody up."""

    def __init__(self, items: Iterator[Batch]) -> None:
        self._items = items

    def __aiter__(self) -> AsyncIterator[Batch]:
        return self

    async def __anext__(self) -> Batch:
        item = await asyncio.to_thread(next, self._items, self)
        if item is self:
            raise StopAsyncIteration
        return item
