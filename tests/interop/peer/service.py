"""One Executor on docarray's classes, the same source for Jina 3 and for us."""

import time
from typing import Any, AsyncIterator, Dict, Iterator, List, Optional, Union  # noqa: UP035 - pydantic 1 under Jina 3 reads these

from docarray import BaseDoc, DocList
from docarray.documents import ImageDoc, TextDoc
from docarray.typing import AnyUrl, ImageUrl, NdArray
from pydantic import BaseModel

from jina import Executor, requests


class Inner(BaseDoc):
    text: str = ""
    n: int = 0


class Rich(BaseDoc):
    text: str = "none"
    count: int = 1
    score: float = 0.5
    flag: bool = False
    blob: bytes = b""
    note: Optional[str] = None  # noqa: UP045
    link: Optional[AnyUrl] = None  # noqa: UP045
    image: Optional[ImageUrl] = None  # noqa: UP045
    tensor: Optional[NdArray] = None  # noqa: UP045
    vector: Optional[NdArray[4]] = None  # noqa: UP045
    table: Dict[str, Any] = {}  # noqa: UP006
    sizes: Dict[str, int] = {}  # noqa: UP006
    words: List[str] = []  # noqa: UP006
    either: Union[str, float] = "x"  # noqa: UP007
    inner: Optional[Inner] = None  # noqa: UP045
    children: DocList[Inner] = DocList[Inner]()


class Strict(BaseDoc):
    n: int


class Options(BaseModel):
    times: int
    word: str = "x"


class Served(Executor):
    def __init__(self, greeting: str = "hello", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.greeting = greeting

    @requests(on="/echo")
    def echo(self, docs: DocList[Rich], **kwargs: Any) -> DocList[Rich]:
        for doc in docs:
            doc.text += "!"
            doc.count += 1
            if doc.tensor is not None:
                doc.tensor = doc.tensor * 2
        return docs

    @requests(on="/in-place")
    def in_place(self, docs: DocList[Rich], **kwargs: Any) -> None:
        for doc in docs:
            doc.text = self.greeting

    @requests(on="/count")
    async def count(self, docs: DocList[Rich], **kwargs: Any) -> DocList[Strict]:
        return DocList[Strict]([Strict(id=doc.id, n=len(doc.text)) for doc in docs])

    @requests(on="/one")
    def one(self, doc: Inner, **kwargs: Any) -> Strict:
        return Strict(id=doc.id, n=doc.n + 1)

    @requests(on="/dict")
    def as_dict(self, docs: DocList[Inner], parameters: Dict[str, Any], **kwargs: Any) -> DocList[Inner]:  # noqa: UP006
        return {"seen": parameters, "n": len(docs)}  # type: ignore[return-value]

    @requests(on="/seen")
    def seen(self, docs: DocList[Inner], parameters: Dict[str, Any], **kwargs: Any) -> DocList[Inner]:  # noqa: UP006
        return DocList[Inner]([Inner(id="p", text=repr(sorted(parameters.items())))])

    @requests(on="/typed")
    def typed(self, docs: DocList[Inner], parameters: Options, **kwargs: Any) -> DocList[Inner]:
        return DocList[Inner]([Inner(id=doc.id, text=parameters.word * parameters.times) for doc in docs])

    @requests(on="/raise")
    def fail(self, docs: DocList[Inner], **kwargs: Any) -> DocList[Inner]:
        raise ValueError("no such word", 7)

    @requests(on="/raise-second")
    def fail_second(self, docs: DocList[Inner], **kwargs: Any) -> DocList[Inner]:
        if any(doc.n == 2 for doc in docs):
            raise RuntimeError("two")
        return docs

    @requests(on="/wrong")
    def wrong(self, docs: DocList[Inner], **kwargs: Any) -> DocList[Inner]:
        return 7  # type: ignore[return-value]

    @requests(on="/slow-first")
    async def slow_first(self, docs: DocList[Inner], **kwargs: Any) -> DocList[Inner]:
        import asyncio

        await asyncio.sleep(0.2 if docs[0].n == 0 else 0)
        return docs

    @requests(on="/sleep")
    def sleep(self, docs: DocList[Inner], **kwargs: Any) -> DocList[Inner]:
        time.sleep(1.0)
        return docs

    @requests(on="/texts")
    def texts(self, docs: DocList[TextDoc], **kwargs: Any) -> DocList[ImageDoc]:
        return DocList[ImageDoc]([ImageDoc(id=doc.id, url=f"{doc.text}.png") for doc in docs])

    @requests(on="/stream")
    async def stream(self, doc: Inner, parameters: Optional[Dict[str, Any]] = None, **kwargs: Any) -> AsyncIterator[Inner]:  # noqa: UP006, UP045
        for n in range(doc.n):
            yield Inner(id=f"{doc.id}-{n}", text=doc.text, n=n)

    @requests(on="/stream-sync")
    def stream_sync(self, doc: Inner, **kwargs: Any) -> Iterator[Inner]:
        for n in range(doc.n):
            yield Inner(id=f"{doc.id}-{n}", text=doc.text, n=n)

    @requests(on="/stream-rich")
    async def stream_rich(self, doc: Inner, **kwargs: Any) -> AsyncIterator[Rich]:
        for n in range(doc.n):
            yield Rich(id=f"{doc.id}-{n}", text=doc.text, count=n, tensor=[n, n + 0.5], children=[Inner(id=f"c{n}", n=n)])

    @requests(on="/stream-raise")
    async def stream_raise(self, doc: Inner, **kwargs: Any) -> AsyncIterator[Inner]:
        yield Inner(id="0", text="before")
        raise ValueError("in the middle")
