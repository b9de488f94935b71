"""What is written at the end of a turn of the loop."""

from __future__ import annotations

import asyncio

import pytest

from jina.transport.writing import Gatherer

pytestmark = pytest.mark.anyio


class Pen(Gatherer):
    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.gathered = ""
        self.written: list[str] = []

    def say(self, text: str) -> None:
        self.gathered += text
        self.flush_soon()

    def work(self) -> None:
        """Say much, and flush at the end anyway, as a connection does with what one read brought."""
        self._is_flush_due = True
        self.say("c")
        self.say("d")
        self.flush()

    def flush(self) -> None:
        self._is_flush_due = False
        self.written.append(self.gathered)
        self.gathered = ""


async def test_what_gathers_in_a_turn_is_written_once_at_its_end() -> None:
    """However often a write is asked for, there is one a turn, and the next turn has its own."""
    pen = Pen()
    pen.say("a")
    pen.say("b")
    assert pen.written == []

    await asyncio.sleep(0)
    assert pen.written == ["ab"]

    pen.say("c")
    await asyncio.sleep(0)
    assert pen.written == ["ab", "c"]


async def test_who_flushes_anyway_has_nothing_scheduled() -> None:
    """Who says beforehand that a flush is due writes once, and nothing more happens at the end of the turn."""
    pen = Pen()
    pen.work()
    await asyncio.sleep(0)

    assert pen.written == ["cd"]
