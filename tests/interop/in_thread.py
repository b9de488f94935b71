"""A server on our wire code, on an event loop in a thread of its own: what other libraries' blocking clients call."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from tests.wire.echo_server import GrpcProtocol

P = TypeVar("P", bound=GrpcProtocol)


class InThread(Generic[P]):
    """Serves from when it is made until `close`.

    Attributes:
        log: What the connections note.
        connections: All that there were.
    """

    def __init__(self, make: Callable[[list[object]], P]) -> None:
        """Begin; `make` is given the log."""
        self.log: list[object] = []
        self.connections: list[P] = []
        self.loop, self._make = asyncio.new_event_loop(), make
        self._server = self.loop.run_until_complete(self.loop.create_server(self._connect, "127.0.0.1", 0))
        self.port: int = self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()

    def _connect(self) -> P:
        self.connections.append(self._make(self.log))
        return self.connections[-1]

    def drain(self) -> None:
        """Say goodbye on all connections; in the loop's thread."""
        for connection in self.connections:
            connection.wire.goaway()
            connection.flush()

    async def _shut(self) -> None:
        self._server.close()
        for connection in self.connections:
            connection.transport.abort()
        await asyncio.sleep(0)
        self.loop.stop()

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._shut(), self.loop)
        self._thread.join(10)
        self.loop.close()
