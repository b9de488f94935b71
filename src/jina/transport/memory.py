"""Two asyncio protocols joined without sockets: what one writes the other receives, a turn of the loop later, with back-pressure."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from jina.transport.connect import Connect

_HIGH_BYTES = 1 << 20


class MemoryTransport(asyncio.Transport):
    """One end. Bytes wait in the other end's queue while that has paused reading; past a limit the writer is told to pause."""

    def __init__(self, loop: asyncio.AbstractEventLoop, name: str) -> None:
        super().__init__({"peername": (name, 0), "sockname": (name, 0)})
        self._loop = loop
        self._inbox: list[bytes] = []
        self._n_inbox = 0
        self._high, self._low = _HIGH_BYTES, _HIGH_BYTES // 4
        self._is_paused = self._is_told_to_pause = self._is_due = False
        self._is_closing = self._is_lost = self._is_peer_done = False

    def join(self, protocol: asyncio.BaseProtocol, peer: MemoryTransport) -> None:
        """Set who is at this end, and the other end."""
        self._protocol: Any = protocol
        self._peer = peer

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Change who is at this end."""
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Who is at this end."""
        found: asyncio.BaseProtocol = self._protocol
        return found

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Pass bytes to the other end."""
        if self._is_closing or not len(data):
            return
        peer = self._peer
        peer._inbox.append(bytes(data))
        peer._n_inbox += len(data)
        peer._deliver_soon()
        if peer._n_inbox > self._high and not self._is_told_to_pause:
            self._is_told_to_pause = True
            self._protocol.pause_writing()

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """Pass several pieces to the other end."""
        self.write(b"".join(list_of_data))

    def get_write_buffer_size(self) -> int:
        """Bytes that the other end has not taken."""
        return self._peer._n_inbox

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Give (low, high)."""
        return self._low, self._high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Say when to pause and resume writing."""
        self._high = _HIGH_BYTES if high is None else high
        self._low = self._high // 4 if low is None else low

    def can_write_eof(self) -> bool:
        """Half a connection cannot be closed."""
        return False

    def pause_reading(self) -> None:
        """Leave what comes in the queue."""
        self._is_paused = True

    def resume_reading(self) -> None:
        """Take what has come."""
        self._is_paused = False
        self._deliver_soon()

    def is_reading(self) -> bool:
        """Whether `data_received` may be called."""
        return not (self._is_paused or self._is_closing)

    def _deliver_soon(self) -> None:
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._deliver)

    def _deliver(self) -> None:
        self._is_due = False
        if self._is_paused or self._is_lost:
            return
        inbox, self._inbox, self._n_inbox = self._inbox, [], 0
        if inbox and not self._is_closing:
            self._protocol.data_received(b"".join(inbox))
        self._peer._drained()
        if self._is_peer_done and not self._inbox:
            self._lose()

    def _drained(self) -> None:
        if self._is_told_to_pause and self._peer._n_inbox <= self._low:
            self._is_told_to_pause = False
            if not self._is_lost:
                self._protocol.resume_writing()

    def is_closing(self) -> bool:
        """Whether this end was closed."""
        return self._is_closing

    def close(self) -> None:
        """Close this end; the other takes what was written, then hears of it."""
        if self._is_closing:
            return
        self._is_closing = True
        self._peer._is_peer_done = True
        self._peer._deliver_soon()
        self._loop.call_soon(self._lose)

    def abort(self) -> None:
        """Close at once; what was written may be lost."""
        self._peer._inbox.clear()
        self.close()

    def _lose(self) -> None:
        if not self._is_lost:
            self._is_closing = self._is_lost = True
            self._peer._is_peer_done = True
            self._peer._deliver_soon()
            self._protocol.connection_lost(None)


def join(client: asyncio.BaseProtocol, server: asyncio.BaseProtocol) -> tuple[MemoryTransport, MemoryTransport]:
    """Connect two protocols on the running loop; gives (client's transport, server's)."""
    loop = asyncio.get_running_loop()
    ours, theirs = MemoryTransport(loop, "client"), MemoryTransport(loop, "server")
    ours.join(client, theirs)
    theirs.join(server, ours)
    server.connection_made(theirs)
    client.connection_made(ours)
    return ours, theirs


def connector(make_server: Callable[[], asyncio.BaseProtocol]) -> Connect:
    """Give a Connect that answers every connection with a new protocol of `make_server`."""

    async def connect(make_protocol: Callable[[], asyncio.Protocol]) -> tuple[Any, Any]:
        client = make_protocol()
        transport, _ = join(client, make_server())
        return transport, client

    return connect
