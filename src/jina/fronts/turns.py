"""A fair share of the event loop for every caller, however much of it some of them ask for at once."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final

TURN_S: Final = 0.01
"""What one connection, or all WebSockets together, do in a turn of the loop before others have theirs."""


class Turns:
    """Limits what those who ask do in one turn of the loop, all of them together; who has more to do goes on later, one after the other."""

    __slots__ = ("_end_s", "_is_due", "_waiting")

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()
        self._is_due, self._end_s = False, 0.0

    def has_time(self) -> bool:
        """Whether there is time left in this turn."""
        now = time.monotonic()
        if not self._is_due:
            self._begin(now)
        return now < self._end_s

    def later(self, go_on: Callable[[], None]) -> None:
        """Call this in one of the next turns."""
        self._waiting.append(go_on)
        if not self._is_due:
            self._begin(time.monotonic())

    def _begin(self, now: float) -> None:
        self._is_due, self._end_s = True, now + TURN_S
        asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        self._is_due = False
        for _ in range(len(self._waiting)):
            self._waiting.popleft()()
            if not self.has_time():
                break
        if self._waiting and not self._is_due:
            self._begin(time.monotonic())
