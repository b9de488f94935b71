"""Executors that real worker processes run in the tests."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from jina import Executor, requests
from jina.docs import BaseDoc, DocList


class Text(BaseDoc):
    text: str = ""


class Count(BaseDoc):
    n: int


class Echo(Executor):
    """Most of what an executor can do, well and badly."""

    def __init__(self, marker: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.marker = marker

    @requests(on="/echo")
    def echo(self, docs: DocList[Text], **kwargs: Any) -> DocList[Text]:
        return DocList[Text]([Text(id=doc.id, text=doc.text + "!") for doc in docs])

    @requests(on="/async")
    async def aecho(self, docs: DocList[Text], **kwargs: Any) -> DocList[Text]:
        await asyncio.sleep(0)
        return DocList[Text]([Text(id=doc.id, text=doc.text + "?") for doc in docs])

    @requests(on="/one")
    def one(self, doc: Text, **kwargs: Any) -> Count:
        return Count(id=doc.id, n=len(doc.text))

    @requests(on="/pid")
    def pid(self, docs: DocList[Text], **kwargs: Any) -> DocList[Count]:
        return DocList[Count]([Count(n=os.getpid())])

    @requests(on="/parameters")
    def see_parameters(self, docs: DocList[Text], parameters: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        return {"seen": parameters}

    @requests(on="/headers")
    def see_headers(self, docs: DocList[Text], headers: dict[str, str], **kwargs: Any) -> DocList[Text]:
        return DocList[Text]([Text(text=headers.get("x-tenant", ""))])

    @requests(on="/raise")
    def fail(self, docs: DocList[Text], **kwargs: Any) -> DocList[Text]:
        raise ValueError("no such word")

    @requests(on="/wrong-type")
    def wrong(self, docs: DocList[Text], **kwargs: Any) -> DocList[Text]:
        return 7  # type: ignore[return-value]

    @requests(on="/close-descriptors")
    def close_descriptors(self, docs: DocList[Text], **kwargs: Any) -> DocList[Text]:
        """Close those of ours that are of a kind, as careless code does with a range of them."""
        for fd in range(3, 256):
            with contextlib.suppress(OSError):
                if docs[0].text in os.readlink(f"/proc/self/fd/{fd}"):
                    os.close(fd)
        return docs

    @requests(on="/forked-pool")
    def forked_pool(self, docs: DocList[Text], **kwargs: Any) -> DocList[Text]:
        with multiprocessing.get_context("fork").Pool(2) as pool:  # its end sends SIGTERM
            pool.map(abs, [1, 2])
        return DocList[Text]([Text(text=str(os.getpid()))])

    @requests(on="/exit")
    def exit(self, docs: DocList[Text], **kwargs: Any) -> DocList[Text]:
        os._exit(3)

    @requests(on="/exit-once")
    def exit_once(self, docs: DocList[Text], **kwargs: Any) -> DocList[Text]:
        path = Path(docs[0].text)
        if not path.exists():
            path.touch()
            os._exit(4)
        return DocList[Text]([Text(text="second time")])

    @requests(on="/hold")
    def hold(self, docs: DocList[Text], **kwargs: Any) -> DocList[Text]:
        """Hold the interpreter lock for the seconds given."""
        hold_the_lock(float(docs[0].text))
        return docs

    @requests(on="/block-async")
    async def block(self, docs: DocList[Text], **kwargs: Any) -> DocList[Text]:
        time.sleep(float(docs[0].text))  # noqa: ASYNC251 - what people do
        return docs

    @requests(on="/hold-stream")
    def hold_stream(self, doc: Text, **kwargs: Any) -> Iterator[Text]:
        hold_the_lock(float(doc.text))
        yield doc

    @requests(on="/block-stream")
    async def block_stream(self, doc: Text, **kwargs: Any) -> AsyncIterator[Text]:
        time.sleep(float(doc.text))  # noqa: ASYNC251 - what people do
        yield doc

    @requests(on="/exit-stream")
    def exit_stream(self, doc: Text, **kwargs: Any) -> Iterator[Text]:
        os._exit(3)
        yield doc

    @requests(on="/aexit")
    async def aexit(self, docs: DocList[Text], **kwargs: Any) -> DocList[Text]:
        os._exit(3)

    @requests(on="/exit-amid")
    def exit_amid(self, doc: Text, **kwargs: Any) -> Iterator[Text]:
        for _ in range(200):  # no more than 64 are made before they leave
            yield doc
        os._exit(3)

    @requests(on="/sleep")
    def sleep(self, docs: DocList[Text], **kwargs: Any) -> DocList[Text]:
        time.sleep(float(docs[0].text))
        return docs

    @requests(on="/async-sleep")
    async def asleep(self, docs: DocList[Text], **kwargs: Any) -> DocList[Text]:
        """Sleep; leave a file if cancelled."""
        seconds, path = docs[0].text.split(" ", 1)
        Path(f"{path}.begun").touch()  # noqa: ASYNC240
        try:
            await asyncio.sleep(float(seconds))
        except asyncio.CancelledError:
            Path(path).write_text("cancelled")  # noqa: ASYNC240
            raise
        return docs

    @requests(on="/count")
    def count(self, doc: Text, parameters: dict[str, Any], **kwargs: Any) -> Iterator[Count]:
        for n in range(int(parameters.get("n", doc.text or 3))):
            yield Count(n=n)

    @requests(on="/acount")
    async def acount(self, doc: Text, parameters: dict[str, Any], **kwargs: Any) -> AsyncIterator[Count]:
        for n in range(int(parameters.get("n", doc.text or 3))):
            yield Count(n=n)
            await asyncio.sleep(0)

    @requests(on="/forever")
    def forever(self, doc: Text, **kwargs: Any) -> Iterator[Count]:
        """Leave a file when closed."""
        try:
            while True:
                yield Count(n=1)
                time.sleep(0.001)
        finally:
            Path(doc.text).write_text("closed")

    @requests(on="/aforever")
    async def aforever(self, doc: Text, **kwargs: Any) -> AsyncIterator[Count]:
        try:
            while True:
                yield Count(n=1)
                await asyncio.sleep(0.001)
        finally:
            Path(doc.text).write_text("closed")  # noqa: ASYNC240

    @requests(on="/break")
    def broken(self, doc: Text, **kwargs: Any) -> Iterator[Count]:
        yield Count(n=0)
        yield Count(n=1)
        raise RuntimeError("out of numbers")

    @requests(on="/spawn")
    def spawn(self, docs: DocList[Text], **kwargs: Any) -> DocList[Count]:
        """Start a process of our own that sleeps for long."""
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        return DocList[Count]([Count(n=child.pid)])

    def close(self) -> None:
        if self.marker:
            with Path(self.marker).open("a") as file:
                file.write("closed\n")


class Broken(Executor):
    """Cannot be made."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        raise RuntimeError("the model file is missing")


def hold_the_lock(seconds: float) -> None:
    """Keep the interpreter lock in C code for this long, so that no other thread of the process runs."""
    import ctypes

    libc = ctypes.PyDLL(None)  # PyDLL does not release the lock
    libc.usleep(int(seconds * 1_000_000))
