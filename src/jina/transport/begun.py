"""The note that a worker keeps of the calls it has begun, where the front can read it after the worker's death.

A small shared file of 32-bit slots. A worker writes a call's stream number into a slot before it runs the user's code and zero after
it. When the worker dies, in whatever way, the slots that are not zero name the calls that may have killed it; all others can be sent
again as if nothing had happened.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Collection

N_SLOTS = 4096
_SLOT = struct.Struct("<I")


class BegunNotes:
    """The worker's side: slots to write into."""

    def __init__(self, path: str) -> None:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.ftruncate(fd, N_SLOTS * _SLOT.size)
            self._map = mmap.mmap(fd, N_SLOTS * _SLOT.size)
        finally:
            os.close(fd)
        self._free = list(range(N_SLOTS - 1, -1, -1))

    def begin(self, stream: int) -> int:
        """Note that a call begins; gives the slot to hand to `end`. -1 if all are taken (the call is then not noted)."""
        try:
            slot = self._free.pop()
        except IndexError:
            return -1
        _SLOT.pack_into(self._map, slot * 4, stream)
        return slot

    def end(self, slot: int) -> None:
        """Note that the call in this slot is over."""
        if slot >= 0:
            _SLOT.pack_into(self._map, slot * 4, 0)
            self._free.append(slot)

    def forget(self, streams: Collection[int]) -> None:
        """Take back the notes on a connection that is lost: nobody will ask for them, and the next connection counts from 1 again."""
        for slot in range(N_SLOTS):
            if _SLOT.unpack_from(self._map, slot * 4)[0] in streams:
                _SLOT.pack_into(self._map, slot * 4, 0)


class BegunView:
    """The front's side. It stays readable when the file is removed, by the death of the worker or by whoever clears temporary files."""

    def __init__(self, path: str) -> None:
        """Open the notes of a worker that is ready; one that keeps none has begun nothing."""
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            self._fd = -1

    def read(self) -> set[int]:
        """Give the stream numbers of the calls that have begun and not ended."""
        if self._fd < 0:
            return set()
        data = os.pread(self._fd, N_SLOTS * _SLOT.size, 0)
        return {number for (number,) in _SLOT.iter_unpack(data[: len(data) & -4]) if number}

    def close(self) -> None:
        """Let the file go."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
