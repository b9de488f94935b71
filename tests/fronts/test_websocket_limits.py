"""What is held of messages and answers, and how a WebSocket ends."""

from __future__ import annotations

import asyncio
import itertools
import json
from types import SimpleNamespace

import pytest
from websockets.frames import Close, Frame, Opcode

from jina.call import Payload, Reply
from jina.fronts import turns
from jina.wire.buffered import Buffered
from tests.fronts.http_handler import Handler, run
from tests.fronts.websocket_peers import ask, end_of, serving, to
from tests.waiting import loop_turns, until


def test_a_message_beyond_the_limit_closes_with_1009() -> None:
    """One byte less is answered."""

    async def scenario(handler: Handler) -> None:
        async with serving(handler, max_message_bytes=1000) as front, to(front, compression=None) as socket:
            await socket.send('{"data": []}' + " " * 988)
            assert json.loads(await socket.recv())["data"] == []
            await socket.send('{"data": []}' + " " * 989)
            assert (await end_of(socket)).code == 1009

    run(scenario)


def test_compressed_messages_are_read_and_large_answers_compressed() -> None:
    """Where the client offers it."""

    async def scenario(handler: Handler) -> None:
        async with serving(handler) as front, to(front) as socket:
            assert socket.response is not None
            assert "permessage-deflate" in socket.response.headers["sec-websocket-extensions"]
            assert (await ask(socket, data=[{"text": "x" * 5000}]))["data"] == [{"text": "x" * 5000}]

    run(scenario)


def test_no_more_messages_are_begun_at_once_than_may_be() -> None:
    """The next is begun when one is done; messages count as held until then."""

    async def scenario(handler: Handler) -> None:
        buffered = Buffered(1 << 30)
        handler.waits_for = asyncio.get_running_loop().create_future()
        async with serving(handler, buffered=buffered, prefetch=2) as front, to(front, compression=None, max_size=None) as socket:
            for _ in range(5):
                await socket.send(json.dumps({"data": [{"text": "x" * 100_000}]}))
            await until(lambda: len(handler.calls) == 2)
            await loop_turns(200)
            assert len(handler.calls) == 2
            assert buffered.n_bytes >= 200_000
            handler.waits_for.set_result(None)
            for _ in range(5):
                await socket.recv()
            assert len(handler.calls) == 5
            assert buffered.n_bytes == 0

    run(scenario)


def test_many_small_messages_are_answered_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many come in one read, another caller is answered meanwhile."""
    ticks = itertools.count()
    monkeypatch.setattr(turns, "time", SimpleNamespace(monotonic=lambda: next(ticks) * turns.TURN_S / 10))

    async def scenario(handler: Handler) -> None:
        async with serving(handler) as front, to(front, compression=None) as busy, to(front) as other:
            busy.transport.write(Frame(Opcode.TEXT, b'{"data": []}').serialize(mask=True) * 2000)
            await until(lambda: bool(handler.calls))
            await ask(other, data=[])
            assert len(handler.calls) < 1000
            for _ in range(2000):
                await busy.recv()

    run(scenario)


def test_a_message_without_room_closes_with_1011() -> None:
    """And so does a reply without room; nothing stays counted."""

    async def scenario(handler: Handler) -> None:
        buffered = Buffered(50_000)
        async with serving(handler, buffered=buffered) as front:
            async with to(front, compression=None) as socket:
                await socket.send("x" * 60_000)
                assert (await end_of(socket)).code == 1011
            handler.reply = Reply(payload=Payload(b'["%b"]' % (b"x" * 60_000)))
            async with to(front, compression=None) as socket:
                await socket.send('{"data": []}')
                end = await end_of(socket)
                assert (end.code, "max_buffered_bytes" in end.reason) == (1011, True)
            assert buffered.n_bytes == 0

    run(scenario)


def test_a_caller_that_leaves_cancels_its_calls() -> None:
    """With a Close or without; a stream is closed."""

    async def scenario(handler: Handler) -> None:
        for leave in (lambda socket: socket.close(), lambda socket: asyncio.to_thread(socket.transport.abort)):
            handler.waits_for = asyncio.get_running_loop().create_future()
            handler.cancelled.clear()
            async with serving(handler) as front, to(front) as socket:
                handler.started.clear()
                await socket.send('{"data": []}')
                await handler.started.wait()
                await leave(socket)
                await handler.cancelled.wait()

    run(scenario)


def test_draining_answers_what_is_begun_and_closes_with_1001() -> None:
    """What comes meanwhile is not begun."""

    async def scenario(handler: Handler) -> None:
        handler.waits_for = asyncio.get_running_loop().create_future()
        async with serving(handler) as front, to(front) as socket, to(front) as idle:
            await socket.send('{"data": []}')
            await handler.started.wait()
            drained = asyncio.create_task(front.drain())
            assert (await end_of(idle)).code == 1001
            await socket.send('{"data": []}')
            await socket.ping()
            handler.waits_for.set_result(None)
            assert json.loads(await socket.recv())["data"] == []
            assert await end_of(socket) == Close(1001, "the service is stopping")
            await drained
            assert len(handler.calls) == 1

    run(scenario)
