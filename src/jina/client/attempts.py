"""The attempts at a request, or at all of a post that travel together: how many, and one time for all of them."""

from __future__ import annotations

import time

from jina.client.post import Post

_LEAST_S = 0.005
"""Less than this is no time: a loop's timers are a little early, and nothing is answered in it."""


class Attempts:
    """Counts them. The time runs from the first question for it; a pause that would outlast it is not made.

    Attributes:
        n: How many were made; one that does not count is taken away again.
    """

    __slots__ = ("_retries", "_timeout_s", "_until_s", "n")

    def __init__(self, post: Post) -> None:
        self.n = 0
        self._retries, self._timeout_s = post.retries, post.timeout_s
        self._until_s: float | None = None

    def begin(self) -> float | None:
        """Count another; gives the seconds that it has, None for no limit."""
        self.n += 1
        return self.left_s()

    def left_s(self) -> float | None:
        """Give the seconds that are left, None for no limit."""
        if self._timeout_s is None:
            return None
        now_s = time.monotonic()
        if self._until_s is None:
            self._until_s = now_s + self._timeout_s
        return max(0.0, self._until_s - now_s)

    @property
    def is_late(self) -> bool:
        """The time is up."""
        left_s = self.left_s()
        return left_s is not None and left_s < _LEAST_S

    def pause_s(self, status: int, http_status: int | None = None) -> float | None:
        """Seconds to wait before the next; None where the last must do. See `Retries.pause_s`."""
        pause_s, left_s = self._retries.pause_s(self.n, status, http_status), self.left_s()
        return None if pause_s is None or (left_s is not None and left_s - pause_s < _LEAST_S) else pause_s
