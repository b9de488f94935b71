"""The transport that is only memory."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from jina.transport.memory import join
from tests.waiting import loop_turns

pytestmark = pytest.mark.anyio


class Recorder(asyncio.Protocol):
    def __init__(self) -> None:
        self.data = b""
        self.notes: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = cast("asyncio.Transport", transport)
        self.notes.append("made")

    def data_received(self, data: bytes) -> None:
        self.data += data

    def connection_lost(self, error: Exception | None) -> None:
        self.notes.append("lost")

    def pause_writing(self) -> None:
        self.notes.append("pause")

    def resume_writing(self) -> None:
        self.notes.append("resume")


async def test_bytes_arrive_later_in_one_piece() -> None:
    """Nothing is received inside `write`, so neither end calls into the other."""
    client, server = Recorder(), Recorder()
    ours, _ = join(client, server)
    ours.write(b"ab")
    ours.writelines([b"c", b"d"])
    assert server.data == b""
    await loop_turns(5)

    assert server.data == b"abcd"


async def test_writer_is_told_to_pause_while_the_reader_does() -> None:
    """Back-pressure as sockets have it."""
    client, server = Recorder(), Recorder()
    ours, theirs = join(client, server)
    ours.set_write_buffer_limits(high=10)
    theirs.pause_reading()
    ours.write(b"x" * 11)
    await loop_turns(5)
    assert (server.data, client.notes, ours.get_write_buffer_size()) == (b"", ["made", "pause"], 11)

    theirs.resume_reading()
    await loop_turns(5)
    assert (len(server.data), client.notes) == (11, ["made", "pause", "resume"])


async def test_close_delivers_what_was_written_and_tells_both_once() -> None:
    """The other end hears of it after the last byte."""
    client, server = Recorder(), Recorder()
    ours, theirs = join(client, server)
    ours.write(b"last words")
    ours.close()
    ours.write(b"too late")
    theirs.close()
    await loop_turns(5)
    ours.close()
    await loop_turns(5)

    assert client.notes == server.notes == ["made", "lost"]
    assert client.transport.is_closing()
    assert not ours.can_write_eof()


async def test_closed_end_gets_no_more_bytes() -> None:
    """Who closed does not hear what the other still says."""
    client, server = Recorder(), Recorder()
    ours, theirs = join(client, server)
    ours.close()
    theirs.write(b"hello?")
    await loop_turns(5)

    assert client.data == b""
    assert server.notes == ["made", "lost"]
