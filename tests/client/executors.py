"""The Executor that most tests of the client call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

from jina import Executor, requests
from jina.docs import BaseDoc, DocList


class Text(BaseDoc):
    text: str = ""


class Sample(Executor):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n_calls = 0
        self.seen: list[dict[str, Any]] = []
        self.n_now = self.n_most = 0

    @requests(on="/up")
    def up(self, docs: DocList[Text], parameters: dict[str, Any], **kwargs: Any) -> DocList[Text]:
        self.n_calls += 1
        self.seen.append(parameters)
        return DocList[Text]([Text(id=doc.id, text=doc.text.upper()) for doc in docs])

    @requests(on="/size")
    def size(self, docs: DocList[Text], **kwargs: Any) -> DocList[Text]:
        return DocList[Text]([Text(text=str(len(docs)))])

    @requests(on="/slow_first")
    async def slow_first(self, docs: DocList[Text], **kwargs: Any) -> DocList[Text]:
        await asyncio.sleep(0.05 if docs[0].text == "0" else 0)
        return docs

    @requests(on="/count")
    async def count(self, docs: DocList[Text], **kwargs: Any) -> DocList[Text]:
        self.n_now += 1
        self.n_most = max(self.n_most, self.n_now)
        await asyncio.sleep(0.005)
        self.n_now -= 1
        return docs

    @requests(on="/fail")
    def fail(self, docs: DocList[Text], **kwargs: Any) -> None:
        if not docs or docs[0].text != "fine":
            raise KeyError("no such thing")

    @requests(on="/never")
    async def never(self, docs: DocList[Text], **kwargs: Any) -> None:
        await asyncio.Event().wait()

    @requests(on="/dict")
    def give_dict(self, docs: DocList[Text], **kwargs: Any) -> dict[str, Any]:
        return {"n": len(docs)}

    @requests(on="/headers")
    def headers(self, docs: DocList[Text], headers: dict[str, str], **kwargs: Any) -> DocList[Text]:
        return DocList[Text]([Text(text=headers.get("x-colour", ""))])

    @requests(on="/count_up")
    def count_up(self, doc: Text, parameters: dict[str, Any], **kwargs: Any) -> Iterator[Text]:
        for number in range(int(parameters.get("n", 3))):
            yield Text(text=f"{doc.text}{number}")

    @requests(on="/break_off")
    async def break_off(self, doc: Text, **kwargs: Any) -> AsyncIterator[Text]:
        yield Text(text="first")
        raise RuntimeError("broken off")

    @requests(on="/endless")
    async def endless(self, doc: Text, **kwargs: Any) -> AsyncIterator[Text]:
        yield Text(text="first")
        await asyncio.Event().wait()

    @requests(on="/big")
    async def big(self, doc: Text, **kwargs: Any) -> AsyncIterator[Text]:
        for _ in range(40):
            yield Text(text="x" * 200_000)
