"""How many calls at a time a server takes that refuses some, and when a refused one may be begun again.

A server may refuse a call that it never began (REFUSED_STREAM, or GOAWAY): it takes fewer at a time than it says, or than it has told us
yet. What was under way then is the limit, and every round of answers raises it by one. Nothing is begun before one of our own calls has
ended or a pause is over; the pause grows while the server begins nothing at all. No clock here: `now_s` comes in.
"""

from __future__ import annotations

import random
from math import inf

_FIRST_PAUSE_S = 0.01
_LONGEST_PAUSE_S = 2.0


class Slots:
    """What a server's refusals have taught.

    Attributes:
        opens_s: When the next call may be begun.
        since_s: When the server refused the first call after the last that it answered.
    """

    def __init__(self) -> None:
        self._limit = inf
        self._n_rounds = 0
        self.opens_s = self.since_s = 0.0

    def has_room(self, n_under_way: int, now_s: float) -> bool:
        """A call may be begun now."""
        return n_under_way < self._limit and now_s >= self.opens_s

    def refused(self, n_under_way: int, now_s: float) -> None:
        """The server refused calls, and kept that many."""
        self._limit = max(1.0, n_under_way)
        self._shut(now_s, _FIRST_PAUSE_S * 2**self._n_rounds)

    def left(self, now_s: float) -> None:
        """The server left, and calls go on to another connection: at once, unless this happens again and again."""
        self._shut(now_s, _FIRST_PAUSE_S * 2**self._n_rounds if self._n_rounds else 0.0)

    def answered(self, n_calls: int) -> None:
        """So many calls have ended: the server works, and there is room."""
        self._n_rounds, self.opens_s = 0, 0.0
        self._limit += n_calls / self._limit

    def _shut(self, now_s: float, pause_s: float) -> None:
        if now_s >= self.opens_s:  # several calls refused together are one refusal
            self.since_s = self.since_s if self._n_rounds else now_s
            self._n_rounds += 1
            self.opens_s = now_s + min(pause_s, _LONGEST_PAUSE_S) * random.uniform(0.5, 1.0)
