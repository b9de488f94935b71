"""A worker's wire, in this process: bytes are moved whatever the executor's thread is doing."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from jina import Executor, caller_gone, requests
from jina.call import Call, Payload
from jina.docs import BaseDoc, DocList
from jina.main import attendance
from jina.main.wire import Wire
from jina.process.messages import WorkerSpec
from jina.runtime import local
from jina.transport.begun import N_SLOTS, BegunView
from jina.transport.hop import HopChannel, connect
from jina.transport.hop_messages import read_items, read_reply, write_call
from tests.process.waiting import wait_until

pytestmark = pytest.mark.anyio


class Word(BaseDoc):
    text: str = ""


class Held(Executor):
    """Methods that wait for the test."""

    n_threads = 1

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.entered, self.leave, self.turned = threading.Event(), threading.Event(), threading.Event()
        self.was_gone = False
        self.n_quick = 1000

    @requests(on="/quick")
    def quick(self, docs: DocList[Word], **kwargs: Any) -> DocList[Word]:
        return DocList[Word]([Word(id="-", text=threading.current_thread().name)])

    @requests(on="/held")
    def held(self, docs: DocList[Word], **kwargs: Any) -> DocList[Word]:
        self.entered.set()
        assert self.leave.wait(30)
        return docs

    @requests(on="/turning")
    def turn(self, docs: DocList[Word], **kwargs: Any) -> None:
        """Quick so many times, then slow."""
        self.n_quick -= 1
        if not self.n_quick:
            assert self.turned.wait(30)

    @requests(on="/until-gone")
    def until_gone(self, docs: DocList[Word], **kwargs: Any) -> None:
        self.entered.set()
        give_up_at = time.monotonic() + 30
        while not caller_gone() and time.monotonic() < give_up_at:
            time.sleep(0.001)
        self.was_gone = caller_gone()

    @requests(on="/burst")
    def burst(self, doc: Word, **kwargs: Any) -> Iterator[Word]:
        yield from (Word(text=str(n)) for n in range(5))
        assert self.leave.wait(30)
        yield Word(text="last")

    @requests(on="/for-ever")
    def for_ever(self, doc: Word, **kwargs: Any) -> Iterator[Word]:
        while True:
            yield doc

    @requests(on="/step-by-step")
    def step(self, doc: Word, **kwargs: Any) -> Iterator[Word]:
        while True:
            time.sleep(0.0005)
            yield doc


class HeldAndAsync(Held):
    """The same, beside coroutines."""

    @requests(on="/await")
    async def wait(self, docs: DocList[Word], **kwargs: Any) -> DocList[Word]:
        await asyncio.sleep(0)
        return docs

    @requests(on="/blocking-steps")
    async def step_blocking(self, doc: Word, **kwargs: Any) -> AsyncIterator[Word]:
        while True:
            time.sleep(0.0005)  # noqa: ASYNC251 - what users do
            yield doc


class Concurrent(HeldAndAsync):
    """The same with several threads: the user's loop serves its sockets."""

    n_threads = 3


class Served:
    def __init__(self, executor: Held, wire: Wire, channel: HopChannel, folder: Path) -> None:
        self.executor, self.wire, self.channel, self._folder = executor, wire, channel, folder

    async def call(self, endpoint: str) -> str:
        message = write_call(Call(endpoint, Payload(b'[{"text":"a"}]', "json")))
        reply, _ = read_reply(await self.channel.call(message))
        assert reply.status is None, reply.status
        assert reply.payload is not None
        return reply.payload.data.decode()

    def stream(self, endpoint: str) -> Any:
        return self.channel.stream(write_call(Call(endpoint, Payload(b'{"text":"a"}', "json", True), is_stream=True)), read_items)

    def begun(self) -> set[int]:
        view = BegunView(str(self._folder / "begun"))
        try:
            return view.read()
        finally:
            view.close()


@asynccontextmanager
async def served(folder: Path, cls: type[Held] = Held) -> AsyncIterator[Served]:
    """Serve an executor; whatever a test holds is let go at its end."""
    spec = WorkerSpec("held/rep-0", "held", str(folder / "s"), str(folder / "begun"), [], "", b"", {}, cls.n_threads, None, None, 60.0)
    executor = cls()
    wire = Wire(executor, spec, asyncio.get_running_loop())
    channel = await connect("held/rep-0", spec.socket_path, spec.begun_path, on_lost=lambda channel: None)
    try:
        yield Served(executor, wire, channel, folder)
    finally:
        executor.leave.set()
        executor.turned.set()
        await asyncio.to_thread(wire.drain, 30)
        channel.close()


@pytest.fixture(params=[Held, HeldAndAsync, Concurrent], ids=["attended", "mixed", "loop"])
def cls(request: pytest.FixtureRequest) -> type[Held]:
    found: type[Held] = request.param
    return found


async def test_methods_always_run_in_the_same_thread(tmp_path: Path, cls: type[Held]) -> None:
    """What a user's library keeps per thread stays valid, also after the relief has stood in; with several threads, in one of them."""
    async with served(tmp_path, cls) as it:
        names = {await it.call("/quick") for _ in range(5)}
        held = asyncio.ensure_future(it.call("/held"))
        await asyncio.to_thread(it.executor.entered.wait, 30)
        behind = asyncio.ensure_future(it.call("/quick"))
        await asyncio.sleep(0.01)
        it.executor.leave.set()
        await held
        names.add(await behind)
        assert names <= {f'[{{"id":"-","text":"executor-{n}"}}]' for n in range(cls.n_threads)}


async def test_a_leaving_caller_is_heard_of_while_the_method_runs(tmp_path: Path, cls: type[Held]) -> None:
    """`caller_gone()` turns true although the thread that moves the bytes is the one that asks."""
    async with served(tmp_path, cls) as it:
        call = asyncio.ensure_future(it.call("/until-gone"))
        await asyncio.to_thread(it.executor.entered.wait, 30)
        call.cancel()
        await it.call("/quick")
        await asyncio.to_thread(wait_until, lambda: it.executor.was_gone)


async def test_a_reply_does_not_wait_for_a_slow_call_that_came_with_it(tmp_path: Path, cls: type[Held]) -> None:
    """Calls that arrive in one read: what the first one made leaves before the second one begins, or soon after."""
    async with served(tmp_path, cls) as it:
        for _ in range(20):  # now /quick counts as quick
            await it.call("/quick")
        first, second, third = (asyncio.ensure_future(it.call(path)) for path in ("/quick", "/held", "/quick"))
        await first
        assert not second.done()
        it.executor.leave.set()
        await asyncio.gather(second, third)


async def test_items_made_in_a_burst_do_not_wait_for_the_next_one(tmp_path: Path, cls: type[Held]) -> None:
    """Quick items leave together, but not later because the generator then takes long."""
    async with served(tmp_path, cls) as it:
        stream = it.stream("/burst")
        texts = [(await stream.next()).payload.data for _ in range(5)]
        assert [b'"%d"' % n in text for n, text in enumerate(texts)] == [True] * 5
        it.executor.leave.set()
        assert b'"last"' in (await stream.next()).payload.data
        assert await stream.next() is None


async def test_an_endless_stream_lets_other_calls_in_and_can_be_cancelled(tmp_path: Path, cls: type[Held]) -> None:
    """It gives up its thread between two items, and the bytes of others are read although it never waits."""
    async with served(tmp_path, cls) as it:
        stream = it.stream("/for-ever")
        for n in range(300):
            assert (await stream.next()) is not None
            if n % 100 == 0:
                await it.call("/quick")
        stream.cancel()
        await it.call("/quick")
        await asyncio.to_thread(wait_until, lambda: not it.begun())


@pytest.mark.parametrize(
    ("cls", "endpoint"),
    [(Held, "/step-by-step"), (HeldAndAsync, "/step-by-step"), (HeldAndAsync, "/blocking-steps"), (Concurrent, "/blocking-steps")],
)
async def test_streams_that_came_together_take_turns_with_each_other_and_with_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cls: type[Held], endpoint: str
) -> None:
    """None of them waits until another one ends, and the sockets are served although there is always something to do."""
    if cls is Held:
        monkeypatch.setattr(attendance, "_LOOK_EVERY_S", 0.05)  # much goes on between two looks
    async with served(tmp_path, cls) as it, asyncio.timeout(30):
        streams = [it.stream(endpoint) for _ in range(3)]
        for _ in range(5):
            for stream in streams:
                assert (await stream.next()) is not None
            await it.call("/quick")
        for stream in streams:
            stream.cancel()
        await it.call("/quick")
        await asyncio.to_thread(wait_until, lambda: not it.begun())


async def test_a_quick_reply_does_not_wait_for_a_call_that_is_slow_for_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cls: type[Held]
) -> None:
    """Also when the relief has stood in for long and no bytes come that would wake it."""
    monkeypatch.setattr(local, "_QUICK_S", 10.0)
    monkeypatch.setattr(local, "COMPANY_S", 60.0)
    async with served(tmp_path, cls) as it, asyncio.timeout(30):
        for _ in range(20):  # now /turning counts as quick
            await it.call("/turning")
        held = asyncio.ensure_future(it.call("/held"))
        await asyncio.to_thread(it.executor.entered.wait, 30)
        it.executor.n_quick = 2
        calls = [asyncio.ensure_future(it.call("/turning")) for _ in range(2)]
        await asyncio.sleep(0.02)
        it.executor.leave.set()
        await held
        done, slow = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)  # several threads may take them in any order
        assert len(done) == len(slow) == 1
        it.executor.turned.set()
        await slow.pop()


async def test_the_relief_sleeps_while_nobody_calls_and_is_roused_by_a_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a quiet time a call is served at once, and what comes while it runs is heard as ever."""
    monkeypatch.setattr(attendance, "_LOOK_EVERY_S", 0.0001)
    monkeypatch.setattr(attendance, "_QUIET_LOOKS", 1)
    async with served(tmp_path) as it:
        for _ in range(30):
            await asyncio.sleep(0.001)
            await it.call("/quick")
        call = asyncio.ensure_future(it.call("/until-gone"))
        await asyncio.to_thread(it.executor.entered.wait, 30)
        call.cancel()
        await it.call("/quick")
        assert it.executor.was_gone


async def test_a_call_counts_as_begun_until_its_reply_has_left(tmp_path: Path, cls: type[Held]) -> None:
    """A death in between must not make it run a second time unnoticed."""
    async with served(tmp_path, cls) as it:
        held = asyncio.ensure_future(it.call("/held"))
        await asyncio.to_thread(it.executor.entered.wait, 30)
        assert len(it.begun()) == 1
        it.executor.leave.set()
        await held
        await it.call("/quick")
        await asyncio.to_thread(wait_until, lambda: not it.begun())


async def test_large_messages_pass_both_ways_at_once(tmp_path: Path, cls: type[Held]) -> None:
    """More than the sockets hold: what cannot leave waits, and reading goes on meanwhile."""
    async with served(tmp_path, cls) as it:
        it.executor.leave.set()
        text = "x" * (3 << 20)
        message = write_call(Call("/held", Payload(b'[{"text":"%b"}]' % text.encode(), "json")))
        replies = await asyncio.gather(*(it.channel.call(message) for _ in range(8)))
        for raw in replies:
            reply, _ = read_reply(raw)
            assert reply.payload is not None
            assert text.encode() in reply.payload.data


async def test_many_connections_and_calls_at_once_lose_nothing(tmp_path: Path, cls: type[Held]) -> None:
    """Callers that come, call and leave while others do."""
    async with served(tmp_path, cls) as it:

        async def visit(n: int) -> None:
            channel = await it.channel.reopen()
            guest = Served(it.executor, it.wire, channel, tmp_path)
            calls = [asyncio.ensure_future(guest.call("/quick")) for _ in range(50)]
            if n % 3 == 0:
                calls.pop().cancel()
            await asyncio.gather(*calls)
            if n % 2 == 0:
                calls = [asyncio.ensure_future(guest.call("/quick"))]
            channel.close()
            await asyncio.gather(*calls, return_exceptions=True)

        await asyncio.gather(*(visit(n) for n in range(30)))
        await it.call("/quick")


async def test_threads_at_once_never_share_a_note_nor_lose_one(tmp_path: Path) -> None:
    """Each thread takes back the notes of its own calls: one that is given back twice would stand for two calls."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        async with served(tmp_path, Concurrent) as it:
            for _ in range(60):
                await asyncio.gather(*(it.call("/quick") for _ in range(50)))
            await asyncio.to_thread(wait_until, lambda: not it.begun() and len(it.wire._notes._free) >= N_SLOTS)
            assert sorted(it.wire._notes._free) == list(range(N_SLOTS))
    finally:
        sys.setswitchinterval(interval)
