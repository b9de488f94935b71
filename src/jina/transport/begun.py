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
from pathlib import Path

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


def read_begun(path: str) -> set[int]:
    """The front's side: stream numbers of the calls that had begun and not ended. Empty if the worker never got that far."""
    try:
        data = Path(path).read_bytes()
    except OSError:
        return set()
    return {number for (number,) in _SLOT.iter_unpack(data) if number}
