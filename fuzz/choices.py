"""Decisions read from an input's bytes, for targets in which raw bytes would die early; and cuts of an input, as a network makes them."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")
_RANDOM = random.Random()


class Choices:
    """Reads decisions from the front of some bytes; when they are used up every number is 0."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def is_empty(self) -> bool:
        """Whether all bytes are used up."""
        return self._at >= len(self._data)

    def number(self, below: int = 256) -> int:
        """A number from 0, of as many bytes as `below` needs."""
        n_bytes = max(1, ((below - 1).bit_length() + 7) // 8)
        return int.from_bytes(self.take(n_bytes), "big") % below

    def pick(self, options: Sequence[T]) -> T:
        """One of the options."""
        return options[self.number(len(options))]

    def take(self, n_bytes: int) -> bytes:
        """So many bytes, or as many as are left."""
        start, self._at = self._at, self._at + n_bytes
        return self._data[start : self._at]

    def string(self) -> bytes:
        """Bytes with their length before them."""
        return self.take(self.number())

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(len(self._data))


def cuts(data: bytes) -> Iterator[bytes]:
    """The data in at most 26 pieces, each input in its own way: small ones at the beginning, or from some place on."""
    how = _RANDOM
    how.seed(zlib.crc32(data))
    most = how.choice((1, 1, 3, 9, 64, 1000, 20000))
    at = how.choice((0, 0, how.randint(0, len(data))))
    if at:
        yield data[:at]
    for part in how.randbytes(24):
        size = (part * most >> 8) + 1
        if at < len(data):
            yield data[at : at + size]
        at += size
    if at < len(data):
        yield data[at:]
