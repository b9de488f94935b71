"""What was written to a caller and has not arrived: how much of it waits here, and for how long none of it has moved."""

from __future__ import annotations

import asyncio
import fcntl
import math
import sys
import termios

from jina.wire.buffered import Buffered


class Unsent:
    """Looks at one transport while that is full, or closes. A caller that takes a little now and then is waited for."""

    __slots__ = ("_buffered", "_n_bytes", "_n_counted", "_since", "_transport")

    def __init__(self, transport: asyncio.Transport, buffered: Buffered) -> None:
        self._transport, self._buffered = transport, buffered
        self._since: float | None = None
        self._n_bytes = 0.0
        self._n_counted = 0

    def watch(self, now: float) -> None:
        """From now on, unless it is so already, what waits is counted, and the time in which nothing arrives."""
        if self._since is None:
            self._since, self._n_bytes = now, math.inf  # the next look tells
            self._count(self._transport.get_write_buffer_size())

    def grew(self, n_bytes: int) -> None:
        """More was written meanwhile: what leaves of it is progress all the same."""
        self._n_bytes += n_bytes
        self._count(self._transport.get_write_buffer_size())

    def rest(self) -> None:
        """Little or nothing waits any more."""
        self._since = None
        self._count(0)

    def is_stalled(self, now: float, limit_s: float | None) -> bool:
        """Whether nothing has arrived for longer than the limit."""
        if self._since is None:
            return False
        waiting = self._transport.get_write_buffer_size()
        n_bytes = waiting + in_kernel(self._transport)
        if n_bytes < self._n_bytes:
            self._since, self._n_bytes = now, n_bytes
            self._count(waiting)
        return limit_s is not None and now - self._since > limit_s

    def _count(self, n_bytes: int) -> None:
        self._buffered.give_back(self._n_counted - n_bytes)
        self._n_counted = n_bytes


def in_kernel(transport: asyncio.Transport) -> int:
    """How much of what was written the kernel keeps until the peer has it; 0 where it cannot tell.

    It may keep megabytes, and takes more only when a good part of them has gone: a slow reader shows here first.
    """
    sock = transport.get_extra_info("socket")
    try:
        return 0 if sock is None else int.from_bytes(fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)), sys.byteorder)
    except (OSError, ValueError):  # it is closed, or of a kind that does not say
        return 0
