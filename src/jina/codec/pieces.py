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


def parts_of(message: Message) -> tuple[Bytes, ...]:
    """Give the pieces of a message; of one that lies together, itself."""
    return message.parts if isinstance(message, Pieces) else (message,)


def message_of(head: bytes, body: Bytes | Pieces) -> Message:
    """Put one thing before another, without a copy where that is large."""
    if isinstance(body, Pieces):
        return Pieces(head, *body.parts)
    return b"".join((head, body)) if len(body) < LARGE else Pieces(head, body)


def tail(data: bytes, start: int) -> bytes:
    """Give the rest of a message; of a large one without a copy, which has no methods of `bytes`: it is passed on, or `placed`."""
    return data[start:] if len(data) - start < LARGE else cast("bytes", memoryview(data)[start:])


def placed(data: bytes) -> tuple[bytes, int]:
    """Give the bytes that a `tail` is the end of, and where it begins in them."""
    if isinstance(data, memoryview):
        whole: bytes = data.obj
        return whole, len(whole) - len(data)
    return bytes(data), 0


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
