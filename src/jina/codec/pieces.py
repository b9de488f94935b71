"""Large messages in the pieces of memory that they were made in: copying those into one would cost more than sending them does."""

from __future__ import annotations

from typing import Final, cast

Bytes = bytes | memoryview

LARGE: Final = 64 << 10
"""From this size on bytes are passed on where they lie; smaller ones are cheaper to copy than to keep track of."""


class Pieces:
    """One message; `len` is that of all its parts together."""

    __slots__ = ("_size", "parts")

    def __init__(self, *parts: Bytes) -> None:
        self.parts, self._size = parts, sum(map(len, parts))

    def __len__(self) -> int:
        return self._size

    def __bytes__(self) -> bytes:
        return b"".join(self.parts)


Message = bytes | Pieces


def message_of(head: bytes, body: Bytes) -> Message:
    """Put one thing before another, without a copy where that is large."""
    return b"".join((head, body)) if len(body) < LARGE else Pieces(head, body)


def view(data: bytes, start: int, end: int | None = None) -> bytes:
    """Give a part of a large message without a copy. What it is given to must only pass it on: it has no methods of `bytes`."""
    return cast("bytes", memoryview(data)[start:end])


def gathered(parts: list[Bytes]) -> list[Bytes]:
    """Join what is small, leave alone what is large: for writing all of it at once."""
    if sum(map(len, parts)) < LARGE:
        return [b"".join(parts)]
    out: list[Bytes] = []
    small: list[Bytes] = []
    for part in parts:
        if len(part) < LARGE // 4:
            small.append(part)
            continue
        if small:
            out.append(b"".join(small))
            small = []
        out.append(part)
    if small:
        out.append(b"".join(small))
    return out
