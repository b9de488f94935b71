"""Random ids in quantity: one system call gives many."""

from __future__ import annotations

import os

_POOL_BYTES = 4096


class RequestIds:
    """Draws 128-bit ids from a pool of the system's random bytes. For one thread."""

    def __init__(self) -> None:
        self._pool, self._at = b"", 0

    def call_id(self) -> bytes:
        """16 random bytes."""
        at = self._at
        if at >= len(self._pool):
            self._pool, at = os.urandom(_POOL_BYTES), 0
        self._at = at + 16
        return self._pool[at : at + 16]

    def request_id(self) -> str:
        """32 hexadecimal characters."""
        return self.call_id().hex()
