"""Running an Executor's endpoints off the loop that moves bytes."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from jina import Executor, caller_gone, requests
from jina.call import Call, Item, Payload, Reply
from jina.docs import BaseDoc, DocList
from jina.errors import Code
from jina.runtime.in_process import InProcess
from jina.runtime.work import MAX_AHEAD, MAX_BYTES_AHEAD

pytestmark = pytest.mark.anyio


class Text(BaseDoc):
    text: str = ""


class Sample(Executor):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.entered = threading.Event()
        self.leave = threading.Event()
        self.was_gone: list[bool] = []
        self.n_made = 0
        self.is_closed = False
        self.was_cancelled = False

    @requests(on="/up")
    def up(self, docs: DocList[Text], **kwargs: Any) -> DocList[Text]:
        return DocList[Text]([Text(id=doc.id, text=doc.text.upper()) for doc in docs])

    @requests(on="/thread")
    def thread(self, docs: DocList[Text], **kwargs: Any) -> DocList[Text]:
        return DocList[Text]([Text(text=threading.current_thread().name)])

    @requests(on="/raise")
    def fail(self, docs: DocList[Text], **kwargs: Any) -> None:
        raise KeyError("gone")

    @requests(on="/wait")
    def wait(self, docs: DocList[Text], **kwargs: Any) -> None:
        self.entered.set()
        self.leave.wait(10)
        self.was_gone.append(caller_gone())

    @requests(on="/await")
    async def wait_async(self, docs: DocList[Text], **kwargs: Any) -> None:
        self.entered.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise

    @requests(on="/many")
    def many(self, doc: Text, parameters: dict[str, Any], **kwargs: Any) -> Iterator[Text]:
        try:
            for n in range(int(parameters["n"])):
                self.n_made += 1
                yield Text(id=str(n), text=doc.text)
        finally:
            self.is_closed = True

    @requests(on="/amany")
    async def amany(self, doc: Text, parameters: dict[str, Any], **kwargs: Any) -> AsyncIterator[Text]:
        try:
            for n in range(int(parameters["n"])):
                self.n_made += 1
                yield Text(id=str(n), text=doc.text)
        finally:
            self.is_closed = True

    @requests(on="/broken")
    def broken(self, doc: Text, **kwargs: Any) -> Iterator[Text]:
        yield Text(text="one")
        yield 2  # type: ignore[misc]
        yield Text(text="three")
        raise OSError("disk full")


def call(endpoint: str, data: bytes = b'[{"id":"a","text":"hi"}]', *, is_stream: bool = False, **more: Any) -> Call:
    return Call(endpoint, Payload(data, "json", is_stream), is_stream=is_stream, **more)


def text(reply: Reply) -> bytes:
    assert reply.status is None, reply.status
    assert reply.payload is not None
    return reply.payload.data


async def collect(reply: Reply) -> list[Item]:
    assert reply.items is not None
    return [item async for item in reply.items]


async def test_def_methods_run_in_a_thread_of_their_own() -> None:
    """A `def` method never runs on the loop that moves bytes."""
    handler = InProcess(Sample())
    assert b"executor-0" in text(await handler(call("/thread")))
    assert text(await handler(call("/up"))) == b'[{"id":"a","text":"HI"}]'


async def test_a_reply_is_in_the_encoding_that_the_caller_wants() -> None:
    """JSON in, binary out: what the next reader wants."""
    reply = await InProcess(Sample())(call("/up", wants="strict"))
    assert reply.payload is not None
    assert reply.payload.encoding == "strict"
    assert b"HI" in reply.payload.data


async def test_what_a_method_raises_becomes_a_status() -> None:
    """The caller hears the exception's class, arguments and traceback, and gets its documents back."""
    reply = await InProcess(Sample())(call("/raise"))
    assert reply.status is not None
    assert (reply.status.code, reply.status.name, reply.status.args) == (Code.EXECUTOR_FAILED, "KeyError", ["gone"])
    assert reply.payload is not None
    assert b"hi" in reply.payload.data


async def test_documents_that_do_not_fit_are_refused_with_their_place() -> None:
    """A finding says where in the documents it is."""
    reply = await InProcess(Sample())(call("/up", b'[{"text":"a"},{"text":7}]'))
    assert reply.status is not None
    assert reply.status.code is Code.INVALID_INPUT
    assert list(reply.status.details[0]["loc"]) == [1, "text"]


async def test_a_call_whose_deadline_passed_in_the_queue_does_not_run() -> None:
    """Nobody waits for it any more, so the method is not called."""
    executor = Sample()
    handler = InProcess(executor)
    first = asyncio.create_task(handler(call("/wait")))
    await asyncio.to_thread(executor.entered.wait)
    late = await handler(call("/up", deadline=asyncio.get_running_loop().time() - 1))
    executor.leave.set()
    await first
    assert late.status is not None
    assert late.status.code is Code.DEADLINE


async def test_a_sync_method_can_ask_whether_its_caller_has_gone() -> None:
    """`caller_gone()` is False while somebody waits, True once nobody does."""
    executor = Sample()
    handler = InProcess(executor)
    task = asyncio.create_task(handler(call("/wait")))
    await asyncio.to_thread(executor.entered.wait)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    executor.leave.set()
    await handler(call("/wait"))
    assert executor.was_gone == [True, False]


async def test_an_async_method_is_cancelled_when_its_caller_leaves() -> None:
    """Its `await` raises CancelledError."""
    executor = Sample()
    task = asyncio.create_task(InProcess(executor)(call("/await")))
    await asyncio.to_thread(executor.entered.wait)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    while not executor.was_cancelled:  # noqa: ASYNC110 - another thread sets it
        await asyncio.sleep(0)


@pytest.mark.parametrize("endpoint", ["/many", "/amany"])
async def test_streams_give_every_item_in_order(endpoint: str) -> None:
    """More items than may be ahead of the reader arrive complete and in order."""
    n = MAX_AHEAD * 3 + 1
    items = await collect(await InProcess(Sample())(call(endpoint, b'{"text":"x"}', is_stream=True, parameters={"n": n})))
    assert [item.payload.data for item in items if item.payload] == [f'{{"id":"{i}","text":"x"}}'.encode() for i in range(n)]


@pytest.mark.parametrize("endpoint", ["/many", "/amany"])
async def test_a_reader_that_leaves_ends_the_generator(endpoint: str) -> None:
    """The generator is closed, and it never ran further ahead than it may."""
    executor = Sample()
    reply = await InProcess(executor)(call(endpoint, b'{"text":"x"}', is_stream=True, parameters={"n": 1_000_000}))
    assert reply.items is not None
    async for _ in reply.items:
        break
    await reply.items.aclose()  # type: ignore[attr-defined]
    while not executor.is_closed:  # noqa: ASYNC110 - another thread sets it
        await asyncio.sleep(0)
    assert executor.n_made <= MAX_AHEAD + 2


async def test_a_stream_goes_on_after_an_item_of_a_wrong_type_and_ends_with_what_it_raises() -> None:
    """One failed item for the stray value, the next document, then the exception."""
    items = await collect(await InProcess(Sample())(call("/broken", b'{"text":"x"}', is_stream=True)))
    assert [item.status.name if item.status else "document" for item in items] == ["document", "TypeError", "document", "OSError"]


async def test_streaming_an_endpoint_that_does_not_stream_says_so() -> None:
    """One failed item, which begins with Jina's words."""
    items = await collect(await InProcess(Sample())(call("/up", b'{"text":"x"}', is_stream=True)))
    assert [item.status.description for item in items if item.status] == [
        "endpoint must be generator: '/up' does not stream; call it with post"
    ]


async def test_an_unknown_endpoint_gives_the_documents_back() -> None:
    """As from Jina's worker: success, unchanged."""
    assert text(await InProcess(Sample())(call("/nowhere", b'[{"x":1}]'))) == b'[{"x":1}]'


@pytest.mark.parametrize("is_quiet", [False, True])
async def test_what_a_method_raises_is_logged_where_it_runs(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, is_quiet: bool
) -> None:
    """One entry with endpoint, request id and traceback (left out where that is asked for); bad input is the caller's affair."""
    if is_quiet:
        monkeypatch.setenv("JINA_QUIET_ERROR", "1")
    executor = Sample()
    executor.logger = logging.getLogger("the-executor")
    handler = InProcess(executor)
    try:
        await handler(Call("/raise", Payload(b"[]", "json"), "the-id"))
        await handler(Call("/up", Payload(b'[{"text":[]}]', "json"), "other"))
    finally:
        handler.close()
    (entry,) = [record.getMessage() for record in caplog.records if record.name == "the-executor"]
    assert entry.startswith("/raise failed, request the-id: KeyError('gone')")
    assert ("Traceback" in entry) is not is_quiet


class Large(Executor):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n_made = 0

    @requests(on="/large")
    def large(self, doc: Text, **kwargs: Any) -> Iterator[Text]:
        while True:
            self.n_made += 1
            yield Text(text="x" * (MAX_BYTES_AHEAD // 4))

    @requests(on="/alarge")
    async def alarge(self, doc: Text, **kwargs: Any) -> AsyncIterator[Text]:
        while True:
            self.n_made += 1
            yield Text(text="x" * (MAX_BYTES_AHEAD // 4))


@pytest.mark.parametrize("endpoint", ["/large", "/alarge"])
async def test_a_stream_of_large_items_is_held_back_by_their_bytes(endpoint: str) -> None:
    """A reader that takes its time costs about a megabyte, not sixty-four items of any size; and it gets all that it asks for."""
    executor = Large()
    reply = await InProcess(executor)(call(endpoint, b'{"text":"x"}', is_stream=True))
    assert reply.items is not None
    n_read = 0
    async for _ in reply.items:
        n_read += 1
        if n_read == 40:
            break
    await reply.items.aclose()  # type: ignore[attr-defined]
    assert executor.n_made <= n_read + 8


class Branches(Executor):
    @requests(on="/x")
    def method(self, docs: DocList[Text], docs_matrix: Any, docs_map: Any, **kwargs: Any) -> DocList[Text]:
        lists = [("docs", docs), *((f"matrix {n}", branch) for n, branch in enumerate(docs_matrix)), *docs_map.items()]
        return DocList[Text]([Text(id=name, text=",".join(doc.text for doc in branch)) for name, branch in lists])


@pytest.mark.parametrize(
    ("keeps_branches", "made"),
    [
        (False, [("docs", "b,c"), ("matrix 0", "b,c"), ("gateway", "b,c")]),
        (True, [("docs", "a,b,c"), ("matrix 0", "a"), ("matrix 1", "b,c"), ("matrix 2", ""), ("one", "a"), ("two", "b,c"), ("three", "")]),
    ],
)
async def test_branches_are_joined_or_given_as_they_are(keeps_branches: bool, made: list[tuple[str, str]]) -> None:
    """By id; or in `docs_matrix` and `docs_map`, with all of them behind one another in `docs`."""
    one, two = Payload(b'[{"id":"1","text":"a"}]'), Payload(b'[{"id":"1","text":"b"},{"id":"2","text":"c"}]')
    branches = (("one", one), ("two", two), ("three", Payload(b"", "ours")))
    handler = InProcess(Branches())
    try:
        reply = await handler(Call("/x", Payload(b"", "ours"), branches=branches, keeps_branches=keeps_branches))
    finally:
        handler.close()

    assert reply.status is None
    assert reply.payload is not None
    assert [(doc["id"], doc["text"]) for doc in json.loads(reply.payload.data)] == made
