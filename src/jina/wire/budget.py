"""What a peer may do often, but not too often: the same count for frames of HTTP/2 and of WebSocket."""

from __future__ import annotations


class Budget:
    """How many of something may come in a burst; it fills again as time passes."""

    __slots__ = ("_last", "_left", "_per_s", "_size")

    def __init__(self, size: int, recovery_s: float) -> None:
        self._size, self._left, self._last = float(size), float(size), 0.0
        self._per_s = size / recovery_s if recovery_s else 0.0

    def spend(self, now: float) -> bool:
        """Take one; False if none is left."""
        self._left = min(self._size, self._left + max(0.0, now - self._last) * self._per_s) - 1
        self._last = now
        return self._left >= 0

    def give_back(self) -> None:
        """Add one again."""
        if self._left < self._size:
            self._left += 1
