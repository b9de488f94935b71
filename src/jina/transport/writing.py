"""Writing what a wire core has gathered, without a copy of what is large."""

from __future__ import annotations

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
