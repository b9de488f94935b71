"""A session by itself: its clock, and a caller that does not read."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from websockets.frames import Opcode

from jina.call import Payload, Reply
from jina.fronts import turns, websocket_session
from jina.wire.buffered import Buffered
from tests.fronts.http_handler import Handler, run
from tests.fronts.websocket_peers import Channel, client_frame, serving, session_on, to
from tests.waiting import loop_turns, until


def test_a_silent_caller_is_asked_for_a_sign_of_life_and_then_cut_off() -> None:
    """20 seconds each; whatever comes is a sign."""

    async def scenario(handler: Handler) -> None:
        channel = Channel()
        session, _ = session_on(channel, handler)
        now, s = session.now(), websocket_session.PING_S
        session.tick(now + s - 1)
        assert channel.written == b""
        session.tick(now + s + 1)
        assert bytes(channel.written) == b"\x89\x00"
        session.data_received(client_frame(Opcode.PONG))
        session.tick(session.now() + s + 1)
        session.tick(session.now() + 2 * s)
        assert channel.calls == []
        session.tick(session.now() + 2 * s + 2)
        assert channel.calls == ["abort"]

    run(scenario)


def test_a_caller_whose_bytes_are_not_read_is_not_asked() -> None:
    """It could not be heard; the write timeout counts instead."""

    async def scenario(handler: Handler) -> None:
        channel = Channel()
        session, speaker = session_on(channel, handler)
        channel.full = asyncio.get_running_loop().create_future()
        session.data_received(client_frame(Opcode.TEXT, b"a"))
        assert (speaker.taken, channel.calls) == ([], ["pause_reading"])
        session.tick(session.now() + 1000)
        assert channel.written == b""
        full, channel.full = channel.full, None
        full.set_result(None)
        await until(lambda: channel.calls == ["pause_reading", "resume_reading"])
        assert speaker.taken == [b"a"]

    run(scenario)


def test_a_caller_that_does_not_answer_our_close_is_cut_off() -> None:
    """After five seconds; one that broke a rule after one, or with its own Close."""

    async def scenario(handler: Handler) -> None:
        channel = Channel()
        session, _ = session_on(channel, handler)
        session.fail(1011, "no")
        session.tick(session.now() + 4)
        assert channel.calls == []
        session.tick(session.now() + 6)
        session.tick(session.now() + 7)
        assert channel.calls == ["close"]
        for answer in (b"", b"more" * 10, client_frame(Opcode.CLOSE, b"\x03\xea")):
            channel = Channel()
            session, _ = session_on(channel, handler)
            session.data_received(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")
            assert channel.written[0] == 0x88
            session.data_received(answer)
            assert channel.calls == (["close"] if answer[:1] == b"\x88" else [])
            session.tick(session.now() + 2)
            assert channel.calls == ["close"]

    run(scenario)


def test_an_answer_waits_while_the_caller_does_not_read() -> None:
    """It counts as held meanwhile; when the caller leaves it is forgotten."""

    async def scenario(handler: Handler) -> None:
        channel = Channel()
        session, _ = session_on(channel, handler)
        buffered, loop = session.front.buffered, asyncio.get_running_loop()
        channel.full = loop.create_future()
        sending = [asyncio.create_task(session.send(b"x", is_text=True, has_more=True)) for _ in range(2)]
        await asyncio.sleep(0)
        assert (bytes(channel.written), buffered.n_bytes) == (b"", 2)
        full, channel.full = channel.full, loop.create_future()
        full.set_result(None)
        await loop_turns(20)
        assert (bytes(channel.written), buffered.n_bytes) == (b"", 2)
        sending[0].cancel()
        await asyncio.sleep(0)
        assert buffered.n_bytes == 1
        full, channel.full = channel.full, None
        full.set_result(None)
        await sending[1]
        await asyncio.sleep(0)
        assert (bytes(channel.written), buffered.n_bytes) == (b"\x81\x01x", 0)

    run(scenario)


def test_answers_that_are_done_at_once_do_not_pass_a_caller_that_does_not_read() -> None:
    """Only as much is written as fills the channel; the others wait and are counted."""

    async def scenario(handler: Handler) -> None:
        size = 1 << 20
        handler.waits_for = asyncio.get_running_loop().create_future()
        handler.reply = Reply(payload=Payload(b'"%b"' % bytes(size)))
        buffered = Buffered()
        async with serving(handler, buffered=buffered) as front, to(front, compression=None, max_size=None) as socket:
            (connection,) = front.connections
            transport = vars(connection)["_transport"]
            for _ in range(20):
                await socket.send('{"data": []}')
            await until(lambda: len(handler.calls) == 20)
            socket.transport.pause_reading()
            handler.waits_for.set_result(None)
            await until(lambda: transport.get_write_buffer_size() > 64 << 10 and buffered.n_bytes > 10 * size)
            assert transport.get_write_buffer_size() <= (64 << 10) * 2 + size + 1000
            socket.transport.resume_reading()
            for _ in range(20):
                assert len(await socket.recv()) > size

    run(scenario)


def test_a_message_that_trickles_in_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a body below 1 KiB/s is, with 1008; a pause between messages is none."""
    monkeypatch.setattr(turns, "TURN_S", 60.0)  # all of this is one turn of the loop

    async def scenario(handler: Handler) -> None:
        channel = Channel()
        session, speaker = session_on(channel, handler)
        now = session.now()
        big = client_frame(Opcode.TEXT, b"x" * 100_000)
        for second in range(100):
            session.tick(now + second)
            session.data_received(big)
        assert len(speaker.taken) == 100
        session.data_received(big[:1000])
        for second in range(100, 200):
            session.data_received(big[1000 + second : 1001 + second])
            session.tick(now + second)
        assert channel.written.endswith((1008).to_bytes(2, "big") + b"the message came slower than min_body_bytes_per_s=1024")
        assert channel.calls == ["close"]

    run(scenario)


def test_a_call_may_end_with_its_session_closed() -> None:
    """Nothing is written, nothing is raised."""

    async def scenario(handler: Handler) -> None:
        channel = Channel()
        session, _ = session_on(channel, handler)
        session.connection_lost()
        await loop_turns(20)
        await session.send(b"x" * 20_000, is_text=True)
        session.drain()
        assert channel.written == b""

    run(scenario)


def test_calls_of_two_answers_leave_together() -> None:
    """Those of one turn of the loop are one write."""

    async def scenario(handler: Handler) -> None:
        writes: list[int] = []
        async with serving(handler) as front, to(front, compression=None) as socket:
            handler.waits_for = asyncio.get_running_loop().create_future()
            (connection,) = front.connections
            channel: Any = connection
            write = channel.write

            def counted(data: bytes) -> None:
                writes.append(len(data))
                write(data)

            channel.write = counted
            for _ in range(3):
                await socket.send('{"data": []}')
            await until(lambda: len(handler.calls) == 3)
            handler.waits_for.set_result(None)
            for _ in range(3):
                await socket.recv()
            assert len(writes) < 3

    run(scenario)
