"""An Executor with a schema to get wrong, and with every way to misbehave."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from jina import Executor, requests
from jina.docs import BaseDoc, DocList, NdArray


class Thing(BaseDoc):
    text: str = ""
    n: int = 0
    x: float = 0.0
    vector: NdArray[3] | None = None  # type: ignore[type-arg, valid-type]
    extra: dict[str, Any] = {}


class Strict(Executor):
    """Gives things back."""

    @requests(on="/batch")
    def batch(self, docs: DocList[Thing], parameters: dict[str, Any], **kwargs: Any) -> DocList[Thing]:
        return docs

    @requests(on="/abatch")
    async def abatch(self, docs: DocList[Thing], **kwargs: Any) -> DocList[Thing]:
        return docs

    @requests(on="/one")
    def one(self, doc: Thing, **kwargs: Any) -> Thing:
        return doc

    @requests(on="/stream")
    def stream(self, doc: Thing, parameters: dict[str, Any], **kwargs: Any) -> Iterator[Thing]:
        yield doc

    @requests(on="/astream")
    async def astream(self, doc: Thing, **kwargs: Any) -> AsyncIterator[Thing]:
        yield doc


class Shy(Exception):
    """Raises whatever one asks of it."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(f"no {name}")


class Unruly(Executor):
    """Each endpoint fails in its own way; `/batch` and `/stream` do not."""

    @requests(on="/batch")
    def batch(self, docs: DocList[Thing], **kwargs: Any) -> DocList[Thing]:
        return docs

    @requests(on="/raise")
    def fail(self, docs: DocList[Thing], **kwargs: Any) -> DocList[Thing]:
        raise ValueError("no such word")

    @requests(on="/araise")
    async def afail(self, docs: DocList[Thing], **kwargs: Any) -> DocList[Thing]:
        raise ValueError("no such word")

    @requests(on="/raise-one")
    def fail_one(self, doc: Thing, **kwargs: Any) -> Thing:
        raise ValueError("no such word")

    @requests(on="/odd-text")
    def odd_text(self, docs: DocList[Thing], **kwargs: Any) -> DocList[Thing]:
        raise ValueError("\udc80 is no character")

    @requests(on="/system-exit")
    def system_exit(self, docs: DocList[Thing], **kwargs: Any) -> DocList[Thing]:
        raise SystemExit(3)

    @requests(on="/asystem-exit")
    async def asystem_exit(self, docs: DocList[Thing], **kwargs: Any) -> DocList[Thing]:
        raise SystemExit(3)

    @requests(on="/indescribable")
    def indescribable(self, docs: DocList[Thing], **kwargs: Any) -> DocList[Thing]:
        raise Shy

    @requests(on="/aindescribable")
    async def aindescribable(self, docs: DocList[Thing], **kwargs: Any) -> DocList[Thing]:
        raise Shy

    @requests(on="/recursion")
    def recursion(self, docs: DocList[Thing], **kwargs: Any) -> DocList[Thing]:
        return self.recursion(docs=docs)

    @requests(on="/wrong-type")
    def wrong_type(self, docs: DocList[Thing], **kwargs: Any) -> DocList[Thing]:
        return 7  # type: ignore[return-value]

    @requests(on="/awrong-type")
    async def awrong_type(self, docs: DocList[Thing], **kwargs: Any) -> DocList[Thing]:
        return 7  # type: ignore[return-value]

    @requests(on="/list-for-one")
    def list_for_one(self, doc: Thing, **kwargs: Any) -> Thing:
        return [doc, doc]  # type: ignore[return-value]

    @requests(on="/wrong-items")
    def wrong_items(self, docs: DocList[Thing], **kwargs: Any) -> DocList[Thing]:
        return ["a", doc_of(docs)]  # type: ignore[return-value]

    @requests(on="/nan-result")
    def nan_result(self, docs: DocList[Thing], **kwargs: Any) -> dict[str, Any]:
        return {"score": math.nan}

    @requests(on="/odd-result")
    def odd_result(self, docs: DocList[Thing], **kwargs: Any) -> dict[str, Any]:
        return {"self": object()}

    @requests(on="/ok-result")
    def ok_result(self, docs: DocList[Thing], **kwargs: Any) -> dict[str, Any]:
        return {"score": 1}

    @requests(on="/nan-out")
    def nan_out(self, docs: DocList[Thing], **kwargs: Any) -> DocList[Thing]:
        return DocList[Thing]([Thing(x=math.nan)])

    @requests(on="/big-out")
    def big_out(self, docs: DocList[Thing], **kwargs: Any) -> DocList[Thing]:
        return DocList[Thing]([Thing(n=2**40)])

    @requests(on="/stream")
    def stream(self, doc: Thing, **kwargs: Any) -> Iterator[Thing]:
        yield doc

    @requests(on="/raise-before")
    def before(self, doc: Thing, **kwargs: Any) -> Iterator[Thing]:
        raise ValueError("no such word")
        yield doc

    @requests(on="/araise-before")
    async def abefore(self, doc: Thing, **kwargs: Any) -> AsyncIterator[Thing]:
        raise ValueError("no such word")
        yield doc

    @requests(on="/raise-amid")
    def amid(self, doc: Thing, **kwargs: Any) -> Iterator[Thing]:
        yield doc
        yield doc
        raise ValueError("no such word")

    @requests(on="/araise-amid")
    async def aamid(self, doc: Thing, **kwargs: Any) -> AsyncIterator[Thing]:
        yield doc
        yield doc
        raise ValueError("no such word")

    @requests(on="/yield-wrong")
    def yield_wrong(self, doc: Thing, **kwargs: Any) -> Iterator[Thing]:
        yield doc
        yield 7  # type: ignore[misc]
        yield doc

    @requests(on="/yield-wrong-first")
    def yield_wrong_first(self, doc: Thing, **kwargs: Any) -> Iterator[Thing]:
        yield 7  # type: ignore[misc]
        yield doc

    @requests(on="/yield-big")
    def yield_big(self, doc: Thing, **kwargs: Any) -> Iterator[Thing]:
        yield Thing(n=2**40)

    @requests(on="/sleep")
    def sleep(self, docs: DocList[Thing], **kwargs: Any) -> DocList[Thing]:
        time.sleep(docs[0].x)
        return docs

    @requests(on="/asleep")
    async def asleep(self, docs: DocList[Thing], **kwargs: Any) -> DocList[Thing]:
        await asyncio.sleep(docs[0].x)
        return docs

    @requests(on="/slow-stream")
    async def slow_stream(self, doc: Thing, **kwargs: Any) -> AsyncIterator[Thing]:
        yield doc
        await asyncio.sleep(30)
        yield doc

    @requests(on="/late-stream")
    async def late_stream(self, doc: Thing, **kwargs: Any) -> AsyncIterator[Thing]:
        await asyncio.sleep(30)
        yield doc

    @requests(on="/headers")
    def headers(self, docs: DocList[Thing], headers: dict[str, str], **kwargs: Any) -> DocList[Thing]:
        return DocList[Thing]([Thing(text=headers.get(docs[0].text, ""))])


def doc_of(docs: DocList[Thing]) -> Thing:
    return docs[0]
