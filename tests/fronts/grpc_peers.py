"""A gRPC client in memory, and handlers for it to call."""

from __future__ import annotations

import asyncio
from typing import Any

from jina.call import Call, Payload, Reply
from jina.fronts.front import Front
from jina.fronts.http2_connection import Http2Connection
from jina.limits import FrontOptions
from jina.transport.memory import MemoryTransport, join
from jina.wire.grpc import ClientConnection
from jina.wire.http2_limits import Http2Limits
from tests.waiting import loop_turns

_WIDE = Http2Limits(stream_window_bytes=1 << 30, connection_window_bytes=1 << 30)


class Peer(asyncio.Protocol):
    """A client that answers PINGs and the like, unless it is silent."""

    def __init__(self, *, is_silent: bool = False) -> None:
        self.wire = ClientConnection(limits=_WIDE, max_message_bytes=None)
        self.events: list[tuple[Any, ...]] = []
        self.is_silent, self.is_closed = is_silent, False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, MemoryTransport)
        self.transport = transport
        self.flush()

    def data_received(self, data: bytes) -> None:
        if not self.is_silent:
            self.events += self.wire.receive(data)
            self.flush()

    def connection_lost(self, error: Exception | None) -> None:
        self.is_closed = True

    def flush(self) -> None:
        out = self.wire.take_output()
        if out and not self.is_silent:
            self.transport.write(out)

    def count(self, kind: int) -> int:
        return sum(event[0] == kind for event in self.events)


class Slow:
    """A handler that answers when it is let."""

    def __init__(self, size: int = 0) -> None:
        self.may_answer, self.size = asyncio.Event(), size

    async def __call__(self, call: Call) -> Reply:
        await self.may_answer.wait()
        return Reply(payload=Payload(bytes(self.size), "strict"))


async def connected(handler: Any, peer: Peer, **options: Any) -> tuple[Front, Http2Connection]:
    front = Front(handler, [], options=FrontOptions(**options), protocols=["grpc"])
    connection = Http2Connection(front)
    join(peer, connection)
    await loop_turns(5)
    return front, connection
