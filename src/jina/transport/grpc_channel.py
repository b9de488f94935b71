"""A client's channel to a gRPC service: one connection, opened when it is first needed and again when it is lost.

Calls wait here while the connection is being opened, or while the peer allows no further one. A call that the peer says it never began
goes on to the next connection; what else breaks off is told to its owner. Everything here belongs to one loop.
"""

from __future__ import annotations

import asyncio
from collections import deque

from jina.transport.connect import Connect
from jina.transport.grpc_calls import CallEnd, ClientCall
from jina.transport.grpc_connection import ChannelOptions, GrpcConnection
from jina.wire.grpc import GrpcStatus

_MAX_USELESS_CONNECTIONS = 3


class GrpcChannel:
    """Calls to one service.

    Attributes:
        options: Limits and times.
    """

    def __init__(self, connect: Connect, target: str, options: ChannelOptions | None = None) -> None:
        """Prepare; nothing is opened before the first call.

        Args:
            connect: Opens a connection.
            target: What errors call the service.
            options: Limits and times.
        """
        self._connect, self._target = connect, target
        self.options = options or ChannelOptions()
        self._connection: GrpcConnection | None = None
        self._all: set[GrpcConnection] = set()
        self._waiting: deque[ClientCall] = deque()
        self._connecting: asyncio.Task[None] | None = None
        self._n_useless = 0
        self._is_closed = False

    def start(self, call: ClientCall) -> None:
        """Begin a call as soon as that can be; all that becomes of it is told through its `on_...`."""
        call.watch_deadline(asyncio.get_running_loop())
        self.again(call)

    def again(self, call: ClientCall) -> None:
        """Begin a call, or begin it once more."""
        connection = self._connection
        if connection is not None and not self._waiting and connection.wire.can_start:
            connection.begin(call)
        else:
            self._waiting.append(call)
            self.advance()

    def advance(self) -> None:
        """Begin what waits, as far as the connection allows."""
        connection = self._connection
        while self._waiting and connection is not None and connection.wire.can_start:
            call = self._waiting.popleft()
            if not call.is_over:
                connection.begin(call)
        if not self._waiting:
            return
        if connection is not None and not connection.wire.can_start and not connection.wire.n_streams:
            connection.leave_when_idle()  # its stream numbers are used up
        elif connection is None and self._connecting is None and not self._is_closed:
            self._connecting = asyncio.get_running_loop().create_task(self._open())

    def left(self, connection: GrpcConnection) -> None:
        """A connection takes no new calls."""
        self._all.discard(connection)
        if self._connection is connection:
            self._connection = None

    async def _open(self) -> None:
        connection: GrpcConnection | None = None
        try:
            async with asyncio.timeout(self.options.connect_timeout_s):
                _, connection = await self._connect(lambda: GrpcConnection(self, self.options))
                assert connection is not None
                self._all.add(connection)
                await connection.ready
        except TimeoutError:
            self._fail(f"no answer within {self.options.connect_timeout_s:g} s")
        except OSError as error:
            self._fail(str(error) or type(error).__name__)
        else:
            if connection.is_leaving:
                self._count_useless()
            else:
                self._connection, self._n_useless = connection, 0
        finally:
            self._connecting = None
            if connection is not None and self._connection is not connection and not connection.is_leaving:
                connection.close()
        self.advance()

    def _count_useless(self) -> None:
        """A server, or a proxy before it, took the connection and at once said that it takes no calls."""
        self._n_useless += 1
        if self._n_useless >= _MAX_USELESS_CONNECTIONS:
            self._n_useless = 0
            self._fail(f"it closed {_MAX_USELESS_CONNECTIONS} connections one after the other before any call could begin")

    def _fail(self, reason: str) -> None:
        waiting, self._waiting = self._waiting, deque()
        text = f"failed to connect to {self._target}: {reason}"
        for call in waiting:
            call.end(CallEnd(GrpcStatus.UNAVAILABLE, text))

    def close(self) -> None:
        """Close all connections; calls under way end with UNAVAILABLE."""
        self._is_closed = True
        if self._connecting is not None:
            self._connecting.cancel()
        for connection in list(self._all):
            connection.close()
        self._fail("the client was closed")
