"""How many bytes all connections of a process hold together, and what a caller is told once that is too much.

Messages that come in and replies that have not left are counted. Nobody waits for room while holding some: the message that
asks for more is refused, so what is held gets done and goes.
"""

from __future__ import annotations

from typing import Final

from jina.call import Status
from jina.errors import Code

SMALL: Final = 16 << 10
"""Messages up to this size are not counted: their number is bounded elsewhere, and counting them would cost more than it tells."""

FULL: Final = Status(
    Code.OVERLOADED,
    "the service would hold more bytes than it may (max_buffered_bytes); try again in a moment, or with a smaller message",
    retry_after_s=1.0,
)


class Buffered:
    """The count. Whoever takes gives back.

    Attributes:
        limit: The most that may be held; None for no limit.
        n_bytes: Held now.
    """

    __slots__ = ("limit", "n_bytes")

    def __init__(self, limit: int | None = None) -> None:
        self.limit: int | None = limit
        self.n_bytes: int = 0

    def has_room(self, n_bytes: int) -> bool:
        """Whether a message of this size may be held."""
        return n_bytes <= SMALL or self.limit is None or self.n_bytes + n_bytes <= self.limit

    def room(self) -> int | None:
        """How much more may be held; None for no limit."""
        return None if self.limit is None else max(0, self.limit - self.n_bytes)

    def take(self, n_bytes: int) -> bool:
        """Count bytes in; False if there is no room for them, and then they are not counted."""
        if self.limit is not None and self.n_bytes + n_bytes > self.limit:
            return False
        self.n_bytes += n_bytes
        return True

    def give_back(self, n_bytes: int) -> None:
        """Count bytes out. Negative: count in what is there already and cannot be refused."""
        self.n_bytes -= n_bytes
