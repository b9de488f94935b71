"""A caller over HTTP/1.1 that is joined to a front through memory."""

from __future__ import annotations

import asyncio

from jina.transport.memory import MemoryTransport


class Http1(asyncio.Protocol):
    """One HTTP/1.1 connection."""

    transport: MemoryTransport

    def __init__(self) -> None:
        self.received, self.is_lost, self.changed = b"", False, asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, MemoryTransport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        self.changed.set()

    def connection_lost(self, error: Exception | None) -> None:
        self.is_lost = True
        self.changed.set()

    @property
    def status(self) -> int:
        """Of what came; 0 while nothing has."""
        return int(self.received[9:12] or 0)

    async def ask(self, data: bytes) -> int:
        """Send a request, give the status of its answer."""
        self.received = b""
        self.transport.write(data)
        while b"\r\n\r\n" not in self.received:
            self.changed.clear()
            await self.changed.wait()
        return self.status
