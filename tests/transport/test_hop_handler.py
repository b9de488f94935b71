"""The hop between an app process and the front, both ends in one process over a real Unix socket."""

from __future__ import annotations

import asyncio
import os
import stat
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from jina.call import Call, Handler, Item, Payload, Reply, Status
from jina.errors import Code, MalformedError
from jina.transport.front_channel import FrontChannel
from jina.transport.handler_messages import read_item, read_reply
from jina.transport.hop_handler import HopHandlerServer
from tests.waiting import loop_turns

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def joined(handler: Handler, path: Path, **kwargs: Any) -> AsyncIterator[tuple[FrontChannel, HopHandlerServer]]:
    server = HopHandlerServer(handler)
    listening = await server.listen(str(path / "s"))
    async with FrontChannel(str(path / "s"), **kwargs) as front:
        yield front, server
    listening.close()
    await server.drain()


def call(data: bytes = b"[]", **kwargs: Any) -> Call:
    return Call("/echo", Payload(data), **kwargs)


def answering(make: Callable[[Call], Reply]) -> Handler:
    async def handle(call: Call) -> Reply:
        return make(call)

    return handle


async def test_calls_and_replies_arrive_whole(tmp_path: Path) -> None:
    """Everything that a Call and a Reply say; the deadline is the same moment on both sides."""
    seen: list[Call] = []

    def make(call: Call) -> Reply:
        seen.append(call)
        status = Status(Code.INVALID_INPUT, "no", "E", ["a"], ["trace"], "Echo", [{"loc": [0, "n"]}], 2.5)
        return Reply(status, Payload(call.payload.data, "ours", True), None, {"a": 1.0}, [], "remark", {"x-a": "b"})

    deadline = time.monotonic() + 100
    sent = Call(
        "/echo", Payload(b"\xff", "strict"), "me", {"p": [1.5, None]}, {"h": "v"}, "target", deadline, 9, False, "strict", b"i" * 16
    )
    async with joined(answering(make), tmp_path) as (front, _):
        reply = await front(sent)
    assert seen[0].deadline == pytest.approx(deadline, abs=1)
    seen[0].deadline = deadline
    assert seen == [sent]
    assert reply == make(sent)


async def test_many_calls_are_under_way_at_once(tmp_path: Path) -> None:
    """Replies find their calls in whatever order they come."""

    async def handle(call: Call) -> Reply:
        await asyncio.sleep(int(call.payload.data) % 3 / 100)
        return Reply(payload=call.payload)

    async with joined(handle, tmp_path) as (front, _):
        replies = await asyncio.gather(*(front(call(str(n).encode())) for n in range(100)))
    assert [int(reply.payload.data) for reply in replies if reply.payload] == list(range(100))


async def test_a_stream_gives_its_items_and_its_end(tmp_path: Path) -> None:
    """Items may be failures; the reply's own words come with the head."""

    async def items() -> AsyncIterator[Item]:
        yield Item(Payload(b"1", "json", True))
        yield Item(status=Status(Code.EXECUTOR_FAILED, "no"))

    async with joined(answering(lambda call: Reply(items=items(), headers={"x-a": "b"})), tmp_path) as (front, _):
        reply = await front(call(is_stream=True))
        assert reply.items is not None
        assert [item async for item in reply.items] == [Item(Payload(b"1", "json", True)), Item(status=Status(Code.EXECUTOR_FAILED, "no"))]
    assert reply.headers == {"x-a": "b"}


async def test_a_stream_that_cannot_begin_is_a_failed_call(tmp_path: Path) -> None:
    """It has a status and no items."""
    async with joined(answering(lambda call: Reply(Status(Code.UNAVAILABLE, "down"))), tmp_path) as (front, _):
        reply = await front(call(is_stream=True))
    assert (reply.status, reply.items) == (Status(Code.UNAVAILABLE, "down"), None)


async def test_a_slow_reader_stops_the_stream_at_its_source(tmp_path: Path) -> None:
    """Items are made as fast as they are read, some buffers aside."""
    n_made = 0

    async def items() -> AsyncIterator[Item]:
        nonlocal n_made
        while True:
            n_made += 1
            yield Item(Payload(bytes(10_000), "json", True))
            await asyncio.sleep(0)

    async with joined(answering(lambda call: Reply(items=items())), tmp_path) as (front, _):
        reply = await front(call(is_stream=True))
        assert reply.items is not None
        n_before = -1
        while n_made != n_before:
            n_before = n_made
            await loop_turns(100)
        assert n_made < 1000
        for _ in range(500):
            await anext(reply.items)
        assert n_made > 500
        await reply.items.aclose()  # type: ignore[attr-defined]


@pytest.mark.parametrize("is_stream", [False, True])
async def test_whoever_leaves_cancels_the_handler(tmp_path: Path, is_stream: bool) -> None:
    """Cancelling the task that waits for the reply is enough."""
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def handle(call: Call) -> Reply:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()
        raise AssertionError

    async with joined(handle, tmp_path) as (front, _):
        task = asyncio.ensure_future(front(call(is_stream=is_stream)))
        await begun.wait()
        task.cancel()
        await asyncio.wait_for(cancelled.wait(), 10)


@pytest.mark.parametrize("n_read", [0, 1])
async def test_closing_the_items_ends_the_stream_at_its_source(tmp_path: Path, n_read: int) -> None:
    """The generator of the handler is closed."""
    closed = asyncio.Event()

    async def items() -> AsyncIterator[Item]:
        try:
            while True:
                yield Item(Payload(b"1", "json", True))
                await asyncio.sleep(0)
        finally:
            closed.set()

    async with joined(answering(lambda call: Reply(items=items())), tmp_path) as (front, _):
        reply = await front(call(is_stream=True))
        assert reply.items is not None
        for _ in range(n_read):
            await anext(reply.items)
        await reply.items.aclose()  # type: ignore[attr-defined]
        await asyncio.wait_for(closed.wait(), 10)


async def test_a_handler_that_raises_is_an_internal_failure(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The traceback is logged on its side; the connection goes on."""

    def make(call: Call) -> Reply:
        if call.payload.data == b"bad":
            raise ZeroDivisionError
        return Reply(payload=call.payload)

    async with joined(answering(make), tmp_path) as (front, _):
        replies = [await front(call(b"bad")), await front(call(b"bad", is_stream=True)), await front(call(b"good"))]
    assert [reply.status and reply.status.code for reply in replies] == [Code.INTERNAL, Code.INTERNAL, None]
    assert "ZeroDivisionError" in caplog.text


async def test_calls_wait_for_a_front_that_is_away(tmp_path: Path) -> None:
    """A call that was held is answered with UNAVAILABLE, one that comes while nobody listens waits; and no longer than it may."""
    begun = asyncio.Event()

    async def handle(call: Call) -> Reply:
        begun.set()
        await asyncio.sleep(0 if call.payload.data else 60)
        return Reply(payload=call.payload)

    path = str(tmp_path / "s")
    async with FrontChannel(path) as front, FrontChannel(path, max_wait_s=0.01) as impatient:
        waiting = asyncio.ensure_future(front(call(b"first")))
        refused = [await impatient(call()), await front(call(deadline=time.monotonic() + 0.01))]
        assert [reply.status and reply.status.code for reply in refused] == [Code.UNAVAILABLE, Code.DEADLINE]
        assert not front.is_up
        server = HopHandlerServer(handle)
        listening = await server.listen(path)
        assert (await waiting).payload == Payload(b"first")
        begun.clear()
        held = asyncio.ensure_future(front(call(b"")))
        await begun.wait()
        listening.close()
        for connection in list(server.connections):
            connection.abort()
        lost = (await held).status
        assert lost is not None
        assert (lost.code, "broke off" in lost.description) == (Code.UNAVAILABLE, True)
        second = HopHandlerServer(handle)
        again = await second.listen(path)
        assert (await front(call(b"second"))).payload == Payload(b"second")
    again.close()
    await second.drain()


async def test_only_this_user_can_open_the_socket(tmp_path: Path) -> None:
    """Mode 0600, whatever the umask."""
    before = os.umask(0)
    try:
        async with joined(answering(lambda call: Reply()), tmp_path):
            assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o600
    finally:
        os.umask(before)


async def test_leaving_leaves_nothing_behind(tmp_path: Path) -> None:
    """Once the channel is left, no task of it runs, whether it was connected or still tried."""
    async with FrontChannel(str(tmp_path / "nobody")) as alone:
        await asyncio.sleep(0)
    assert alone._task.cancelled()
    async with joined(answering(lambda call: Reply()), tmp_path) as (front, _):
        await front.ready()
    assert front._task.cancelled()


async def test_a_front_that_is_lost_at_once_is_waited_for_again(tmp_path: Path) -> None:
    """A call that was woken by a front that has gone again waits for the next one, within its time."""
    server = HopHandlerServer(answering(lambda call: Reply(description="back")))
    async with FrontChannel(str(tmp_path / "s")) as front:
        waiting = asyncio.ensure_future(front(call()))
        await asyncio.sleep(0)
        front._up.set()  # as if one came, and was lost before the call had its turn
        front._up.clear()
        listening = await server.listen(str(tmp_path / "s"))
        assert (await waiting).description == "back"
    listening.close()
    await server.drain()


@pytest.mark.parametrize("read", [read_reply, read_item])
def test_what_is_no_message_of_the_front_is_malformed(read: Callable[[bytes], object]) -> None:
    """Whatever is read of it, the failure has one class."""
    for message in (b"", b"\xc1", b"\x90", b"\xff\xff"):
        with pytest.raises(MalformedError):
            read(message)
