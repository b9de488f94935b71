"""A client's channel to a gRPC service: one connection, opened when it is first needed and again when it is lost.

Calls wait here while the connection is being opened, or while the server takes no further one. A call that it says it never began is
begun again when there is room (`grpc_slots.py`); what else breaks off is told to its owner. Everything here belongs to one loop.

The states that gRPC gives a channel are: IDLE, nothing is open and nothing waits; CONNECTING, `_connecting` is there; READY, `_connection`
is there; TRANSIENT_FAILURE, an attempt has failed. After that the next call makes the next attempt at once; calls that wait for readiness
make it after a pause that grows (gRPC's connection-backoff.md).
"""

from __future__ import annotations

import asyncio
import random
from collections import deque

from jina.transport.connect import Connect
from jina.transport.grpc_calls import CallEnd, ClientCall
from jina.transport.grpc_connection import ChannelOptions, GrpcConnection
from jina.transport.grpc_slots import Slots
from jina.wire.grpc import GrpcStatus

_MAX_USELESS_CONNECTIONS = 3
_BACKOFF_FACTOR, _BACKOFF_JITTER = 1.6, 0.2


class GrpcChannel:
    """Calls to one service.

    Attributes:
        options: Limits and times.
        keepalive_time_s: Of the options, until a server finds it too short.
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
        self.keepalive_time_s = self.options.keepalive_time_s
        self._connection: GrpcConnection | None = None
        self._all: set[GrpcConnection] = set()
        self._waiting: deque[ClientCall] = deque()
        self._connecting: asyncio.Task[None] | None = None
        self._slots: Slots | None = None
        self._pause: asyncio.TimerHandle | None = None
        self._backoff: asyncio.TimerHandle | None = None
        self._failure = ""
        self._n_useless = self._n_failures = 0
        self._is_closed = False

    def start(self, call: ClientCall) -> None:
        """Begin a call as soon as that can be; all that becomes of it is told through its `on_...`."""
        call.watch_deadline(asyncio.get_running_loop(), self._awaited)
        connection = self._connection
        if self._is_closed:
            call.end(CallEnd(GrpcStatus.UNAVAILABLE, "the client was closed"))
        elif connection is not None and not self._waiting and self._slots is None and connection.wire.can_start:
            connection.begin(call)
        else:
            self._waiting.append(call)
            self.advance()

    def _awaited(self) -> str:
        """What calls that were never begun wait for."""
        if self._connection is None:
            return f"a connection: {self._failure}" if self._failure else "a connection"
        return f"one of the calls that the server allows at a time ({self._connection.wire.max_streams})"

    def advance(self) -> None:
        """Begin what waits, as far as the server allows."""
        connection = self._connection
        while self._waiting and connection is not None and connection.wire.can_start and self._has_room(connection.n_calls):
            call = self._waiting.popleft()
            if not call.is_over:
                connection.begin(call)
        if not self._waiting or self._is_closed or not self._has_room(0):
            return
        if connection is not None and not connection.wire.can_start and not connection.wire.n_streams and connection.wire.max_streams:
            connection.leave_when_idle()  # its stream numbers are used up
        if self._connection is None and self._connecting is None and self._backoff is None:
            self._connecting = asyncio.get_running_loop().create_task(self._open())

    def refused(self, connection: GrpcConnection, refused: list[tuple[ClientCall, str]]) -> None:
        """The server did not begin these calls (with its reasons): they wait before all others."""
        now_s = asyncio.get_running_loop().time()
        if self._slots is None:
            self._slots = Slots()
        if connection.is_leaving:
            self._slots.left(now_s)
        else:
            self._slots.refused(connection.n_calls, now_s)
        for call, reason in refused:
            call.refused(reason)
        self._waiting.extendleft(call for call, _ in reversed(refused))
        refused_s = now_s - self._slots.since_s
        if refused_s >= self.options.max_refused_s and (connection.is_leaving or not connection.n_calls):
            self._slots = None
            self._end_waiting(f"{self._target} has refused all calls for {refused_s:.1f} s: {refused[0][1]}")

    def ended(self, n_calls: int) -> None:
        """So many calls were answered."""
        if self._slots is not None and n_calls > 0:
            self._slots.answered(n_calls)

    def _has_room(self, n_calls: int) -> bool:
        """Whether the server's refusals leave room for another call; if only time is missing, `advance` comes then."""
        if self._slots is None:
            return True
        loop = asyncio.get_running_loop()
        missing_s = self._slots.opens_s - loop.time()
        if missing_s > 0 and self._pause is None:
            self._pause = loop.call_later(missing_s, self._pause_is_over)
        return self._slots.has_room(n_calls, loop.time())

    def _pause_is_over(self) -> None:
        self._pause = None
        self.advance()

    def left(self, connection: GrpcConnection) -> None:
        """A connection takes no new calls."""
        if self._connection is connection:
            self._connection = None

    def ask_less(self) -> None:
        """A server says that it is asked for signs of life too often."""
        if self.keepalive_time_s is not None:
            self.keepalive_time_s *= 2

    def lost(self, connection: GrpcConnection) -> None:
        """A connection is closed."""
        self._all.discard(connection)

    async def _open(self) -> None:
        connection: GrpcConnection | None = None
        try:
            async with asyncio.timeout(self.options.connect_timeout_s):
                _, connection = await self._connect(lambda: GrpcConnection(self, self.options))
                assert connection is not None
                if not connection.is_leaving:
                    self._all.add(connection)
                await connection.ready
        except TimeoutError:
            self._fail(f"no answer within {self.options.connect_timeout_s:g} s")
        except Exception as error:  # whatever it is, nobody else would tell the calls that wait
            self._fail(str(error) or type(error).__name__)
        else:
            if connection.is_leaving:
                self._count_useless()
            else:
                self._connection, self._n_useless = connection, 0
                self._n_failures, self._failure = 0, ""
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
        self._failure = f"failed to connect to {self._target}: {reason}"
        options = self.options
        if not options.waits_for_ready:
            self._end_waiting(self._failure)
            return
        pause_s = min(options.first_backoff_s * _BACKOFF_FACTOR**self._n_failures, options.max_backoff_s)
        self._n_failures = min(self._n_failures + 1, 100)
        jitter = random.uniform(1 - _BACKOFF_JITTER, 1 + _BACKOFF_JITTER)
        self._backoff = asyncio.get_running_loop().call_later(pause_s * jitter, self._backoff_is_over)

    def _backoff_is_over(self) -> None:
        self._backoff = None
        self.advance()

    def _end_waiting(self, reason: str) -> None:
        waiting, self._waiting = self._waiting, deque()
        for call in waiting:
            call.end(CallEnd(GrpcStatus.UNAVAILABLE, reason))

    def close(self) -> None:
        """Close all connections; calls under way end with UNAVAILABLE."""
        self._is_closed = True
        if self._connecting is not None:
            self._connecting.cancel()
        for timer in (self._pause, self._backoff):
            if timer is not None:
                timer.cancel()
        for connection in list(self._all):
            connection.close()
        self._end_waiting("the client was closed")
