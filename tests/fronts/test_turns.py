"""What takes long is done in turns, so that other callers have theirs."""

from __future__ import annotations

import asyncio
import itertools
from types import SimpleNamespace
from typing import Any

import pytest
from websockets.frames import Opcode

from jina.fronts import turns
from jina.fronts.http2_connection import Http2Connection
from jina.fronts.turns import Turns
from jina.wire.http2_frames import PREFACE, settings
from tests.fronts.http_handler import Handler, run
from tests.fronts.websocket_peers import Channel, client_frame, session_on
from tests.waiting import until


def test_those_who_wait_go_on_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a turn has time for one, each of them gets a turn before the first gets its second."""
    monkeypatch.setattr(turns, "TURN_S", -1.0)

    async def scenario(handler: Handler) -> None:
        shared, done = Turns(), list[str]()

        def work(name: str, times: int) -> None:
            done.append(name)
            if times > 1:
                shared.later(lambda: work(name, times - 1))

        for name in "abc":
            shared.later(lambda name=name: work(name, 3))  # type: ignore[misc]
        for n_done in range(10):
            assert len(done) == n_done
            await asyncio.sleep(0)
        assert "".join(done) == "abcabcabc"

    run(scenario)


def test_a_turn_has_time_until_it_is_used_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the next one has as much."""
    now = [1.0]
    monkeypatch.setattr(turns, "time", SimpleNamespace(monotonic=lambda: now[0]))

    async def scenario(handler: Handler) -> None:
        shared = Turns()
        assert shared.has_time()
        now[0] += turns.TURN_S
        assert not shared.has_time()
        await asyncio.sleep(0)
        assert shared.has_time()

    run(scenario)


def test_many_messages_of_one_caller_leave_time_for_anothers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose few are read while most of the first one's wait, unread."""

    ticks = itertools.count()
    monkeypatch.setattr(turns, "time", SimpleNamespace(monotonic=lambda: next(ticks) * turns.TURN_S / 10))

    async def scenario(handler: Handler) -> None:
        busy_channel, channel = Channel(), Channel()
        busy, busy_speaker = session_on(busy_channel, handler)
        other, speaker = session_on(channel, handler)
        other.front = busy.front
        busy.data_received(client_frame(Opcode.TEXT, b"a") * 1000)
        other.data_received(client_frame(Opcode.TEXT, b"b") * 15)
        assert (busy_channel.calls, channel.calls) == (["pause_reading"], ["pause_reading"])
        await until(lambda: len(speaker.taken) == 15)
        assert len(busy_speaker.taken) < 100
        await until(lambda: len(busy_speaker.taken) == 1000)
        assert busy_channel.calls == channel.calls == ["pause_reading", "resume_reading"]

    run(scenario)


class _Transport:
    def __init__(self) -> None:
        self.calls: list[str] = []

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def __getattr__(self, name: str) -> Any:
        return lambda *args: self.calls.append(name)


@pytest.mark.parametrize("is_long", [False, True])
def test_a_connection_whose_bytes_took_long_reads_on_in_the_next_turn(is_long: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop reads on from one connection as long as bytes are there: millions of tiny frames would hold up all others."""
    monkeypatch.setattr(turns, "TURN_S", -1.0 if is_long else 60.0)

    async def scenario(handler: Handler) -> None:
        session, _ = session_on(Channel(), handler)
        connection, transport = Http2Connection(session.front), _Transport()
        connection.connection_made(transport)  # type: ignore[arg-type]
        connection.data_received(PREFACE + settings({}))
        assert ("pause_reading" in transport.calls) == is_long
        assert "resume_reading" not in transport.calls
        await asyncio.sleep(0)
        assert ("resume_reading" in transport.calls) == is_long

    run(scenario)
