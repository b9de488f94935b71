"""Writing what a wire core has gathered: together, at the end of a turn of the loop, and without a copy of what is large."""

from __future__ import annotations

import asyncio
from typing import Protocol

from jina.codec.pieces import Bytes


class Writer(Protocol):
    """What is written to: a transport, or one of `sockets.py`."""

    def write(self, data: Bytes, /) -> None:
        """Send bytes."""

    def writelines(self, list_of_data: list[Bytes], /) -> None:
        """Send several pieces."""


def write_pieces(writer: Writer, pieces: list[Bytes]) -> int:
    """Write them all; gives how many bytes that were."""
    if len(pieces) == 1:
        writer.write(pieces[0])
        return len(pieces[0])
    if not pieces:
        return 0
    writer.writelines(pieces)
    return sum(map(len, pieces))


class Gatherer:
    """A base for what writes at most once in a turn of the loop: each write is a system call.

    A base and no part, so a connection holds no further object, and one that is going to flush anyway sets `_is_flush_due` itself, without
    a call. `flush` unsets it.
    """

    loop: asyncio.AbstractEventLoop
    _is_flush_due = False

    def flush_soon(self) -> None:
        """Write what has gathered at the end of this turn of the loop."""
        if not self._is_flush_due:
            self._is_flush_due = True
            self.loop.call_soon(self.flush)

    def flush(self) -> None:
        """Write what has gathered."""
        raise NotImplementedError
