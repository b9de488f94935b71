"""The gRPC front: connections, the calls on them, and who answers which method.

Which method means what stands in `grpc_methods.py`; this module moves bytes between an asyncio transport and the sans-IO
`ServerConnection`, keeps one task a call, and lets go of it when the caller leaves.
"""

from __future__ import annotations

import asyncio
import sys
import time
import traceback
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from jina.call import EndpointInfo, Handler
from jina.fronts import grpc_methods
from jina.fronts.grpc_requests import id_metadata, send_refusal
from jina.runtime.guards import Guard
from jina.wire.buffered import FULL, SMALL, Buffered
from jina.wire.grpc import CALL_STARTED, CANCELLED, CLOSED, HALF_CLOSED, MESSAGE, UNARY, WRITABLE, RequestHead, ServerConnection
from jina.wire.http2_limits import Limits

_OK, _UNIMPLEMENTED, _INTERNAL = 0, 12, 13
_TICK_S = 1.0
_ACK_S = 0.2
"""How long a client that should go elsewhere may take to say that it has heard of it; calls that it began before then are taken."""
_IDLE_ACK_S = 10.0
"""The same where nothing presses."""


@dataclass(frozen=True, kw_only=True)
class GrpcFrontOptions:
    """What can be set of a gRPC front.

    Attributes:
        max_message_bytes: Larger messages end their call with RESOURCE_EXHAUSTED; None for no limit.
        max_streams: Calls at once on one connection.
        prefetch: Requests of one bidirectional stream that are worked on at once; 0 for no limit.
        max_header_bytes: The largest metadata of one call.
        max_header_fields: The most fields in it.
        header_timeout_s: What a client may take for its preface, or for one block of metadata; None for no limit.
        idle_timeout_s: A connection without calls on which nothing comes (a ping is something) for so long is told to go away, and
            closed; None for no limit, as grpcio has it.
        write_timeout_s: A client that takes nothing for so long is cut off, a call whose reply it does not let in, or whose request
            message does not come to its end, is reset; None for no limit.
    """

    max_message_bytes: int | None = 1 << 30
    max_streams: int = 1000
    prefetch: int = 1000
    max_header_bytes: int = 64 << 10
    max_header_fields: int = 100
    header_timeout_s: float | None = 10.0
    idle_timeout_s: float | None = None
    write_timeout_s: float | None = 60.0


class GrpcFront:
    """What all connections of one gRPC port share."""

    def __init__(
        self,
        handler: Handler,
        endpoints: Sequence[EndpointInfo],
        *,
        name: str = "executor",
        guard: Guard | None = None,
        is_ready: Callable[[], bool] = lambda: True,
        is_up: Callable[[], bool] = lambda: True,
        options: GrpcFrontOptions | None = None,
        buffered: Buffered | None = None,
    ) -> None:
        """Answer calls with `handler`.

        Args:
            handler: Takes every call with documents.
            endpoints: What discovery tells; may be replaced with `set_endpoints`.
            name: The deployment's, which the health service knows beside its own services.
            guard: Decides who may call; health is exempt.
            is_ready: The front's own state, for Health('').
            is_up: The replicas' state, for Health('<name>').
            options: Limits and forms.
            buffered: Counts what all connections of all ports hold.
        """
        self.handler, self.guard, self.name = handler, guard, name
        self.is_ready, self.is_up = is_ready, is_up
        self.options = options or GrpcFrontOptions()
        self.buffered = buffered or Buffered()
        self.endpoints = list(endpoints)
        self.connections: set[GrpcConnection] = set()
        self.watchers: set[asyncio.Event] = set()
        self.is_draining = False
        options = self.options
        self.limits = Limits(
            max_streams=options.max_streams, max_header_list_bytes=options.max_header_bytes, max_header_fields=options.max_header_fields
        )
        self._all_gone: asyncio.Event | None = None
        self._timer: asyncio.TimerHandle | None = None

    def set_endpoints(self, endpoints: Sequence[EndpointInfo]) -> None:
        """Tell other endpoints from now on."""
        self.endpoints = list(endpoints)

    def make_protocol(self) -> GrpcConnection:
        """For `create_server`."""
        return GrpcConnection(self)

    async def drain(self) -> None:
        """Say NOT_SERVING, take no new calls, return when those under way have ended and the connections are closed."""
        self.is_draining = True
        for watcher in self.watchers:
            watcher.set()
        self._all_gone = asyncio.Event()
        for connection in list(self.connections):
            connection.drain()
        self.check_gone()
        await self._all_gone.wait()

    def check_gone(self) -> None:
        """Called when a connection is gone."""
        if not self.connections:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self._all_gone is not None:
                self._all_gone.set()

    def opened(self, connection: GrpcConnection) -> None:
        """Count a connection in; the first one starts the timer that serves them all."""
        self.connections.add(connection)
        if self._timer is None:
            self._timer = connection.loop.call_later(_TICK_S, self._tick)

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(_TICK_S, self._tick)
        for connection in list(self.connections):
            connection.tick(loop.time())


class StreamCall(Protocol):
    """A call with a stream of requests: what the connection feeds while it lasts."""

    def message(self, data: bytes) -> None:
        """Take one message of the caller's."""

    def half_close(self) -> None:
        """The caller sends no more."""

    def writable(self) -> None:
        """What was queued for the caller has left."""

    def cancelled(self) -> None:
        """The caller has left."""


class GrpcConnection(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, front: GrpcFront) -> None:
        self.front = front
        self.wire = ServerConnection(
            limits=front.limits,
            max_message_bytes=front.options.max_message_bytes,
            unary_paths=grpc_methods.UNARY_PATHS,
            buffered=front.buffered,
            refusal_metadata=id_metadata,
        )
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._calls: dict[int, StreamCall] = {}
        self._writable: dict[int, asyncio.Future[None]] = {}
        self._is_flush_due = False
        self._can_write = True
        self._is_leaving = self._is_closing = False
        self._last_read = 0.0
        self._waits_since: float | None = None
        self._stalled_since, self._n_stalled_bytes = 0.0, 0
        self._n_unsent = self._n_unflushed = 0

    # --- asyncio's side --------------------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.loop = asyncio.get_running_loop()
        self._last_read = self.loop.time()
        self.front.opened(self)
        if self.front.is_draining:
            self.drain()
        self.flush()

    def data_received(self, data: bytes) -> None:
        now = self._last_read = time.monotonic()
        for event in self.wire.receive(data, now):
            self._handle(event)
        self.flush()

    def connection_lost(self, error: Exception | None) -> None:
        for event in self.wire.eof():
            self._handle(event)
        self._count_unsent(0)
        self._count_flushed()
        self.front.connections.discard(self)
        self.front.check_gone()

    def pause_writing(self) -> None:
        self._can_write = False
        self._stalled_since, self._n_stalled_bytes = self.loop.time(), self.transport.get_write_buffer_size()
        self._count_unsent(self._n_stalled_bytes)
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self._can_write = True
        self._count_unsent(0)
        self.transport.resume_reading()
        for stream in [*self._writable, *self._calls]:  # if it is not writable now, WRITABLE will come
            if self.wire.is_writable(stream):
                self._wrote(stream)

    def tick(self, now: float) -> None:
        """Look at the clock: about once a second for all connections."""
        options = self.front.options
        if options.write_timeout_s is not None:
            for stream in self.wire.stalled(now, options.write_timeout_s, is_blocked=not self._can_write):
                self.wire.reset(stream)
                self._left(stream)
                self.flush_soon()
        if not self._can_write or self._is_closing:
            n_bytes = self.transport.get_write_buffer_size()
            if n_bytes < self._n_stalled_bytes:
                self._stalled_since, self._n_stalled_bytes = now, n_bytes
                self._count_unsent(n_bytes)
            elif _is_over(options.write_timeout_s, self._stalled_since, now):
                self.transport.abort()
        elif self.wire.awaits_head:
            if self._waits_since is None:
                self._waits_since = self._last_read
            elif _is_over(options.header_timeout_s, self._waits_since, now):
                self.transport.abort()
        else:
            self._waits_since = None
            if not self._is_leaving and not self.wire.n_streams and _is_over(options.idle_timeout_s, self._last_read, now):
                self.drain(_IDLE_ACK_S)

    # --- events ----------------------------------------------------------------------------------------------------------------------

    def _handle(self, event: tuple[Any, ...]) -> None:
        kind = event[0]
        if kind == UNARY:
            answer = grpc_methods.UNARY.get(event[2].path)
            if answer is not None:
                if len(event[3]) <= SMALL or self._has_room(event):
                    self._start(event[1], answer(self, event[1], event[2], event[3]))
            else:  # a stream of one message, whole in one read
                self._open(event[1], event[2])
                self._handle((MESSAGE, event[1], event[3]))
                self._handle((HALF_CLOSED, event[1]))
        elif kind == CALL_STARTED:
            self._open(event[1], event[2])
        elif kind == MESSAGE:
            call = self._calls.get(event[1])
            if call is not None and (len(event[2]) <= SMALL or self._has_room(event)):
                call.message(event[2])
        elif kind == HALF_CLOSED:
            call = self._calls.get(event[1])
            if call is not None:
                call.half_close()
        elif kind == CANCELLED:
            self._left(event[1])
        elif kind == WRITABLE:
            self._wrote(event[1])
        elif kind == CLOSED:
            self.flush()
            self._close()

    def _has_room(self, event: tuple[Any, ...]) -> bool:
        """Count a message that is not small, or end its call."""
        stream = event[1]
        if self.wire.count(stream, len(event[-1])):
            return True
        send_refusal(self, stream, FULL)
        self._left(stream)
        return False

    def _start(self, stream: int, answer: Coroutine[Any, Any, None]) -> None:
        self._tasks[stream] = self.loop.create_task(self._run(stream, answer))

    async def _run(self, stream: int, answer: Coroutine[Any, Any, None]) -> None:
        """Keep one call's task; what it raises is a bug of ours, which the caller hears of and the log shows."""
        try:
            await answer
        except Exception:
            traceback.print_exc(file=sys.stderr)
            self.wire.refuse(stream, _INTERNAL, "internal error; the server's log has its traceback")
        finally:
            self._tasks.pop(stream, None)
            self._writable.pop(stream, None)
            if self._tasks:
                self.flush_soon()
            else:  # a lone call need not wait for company
                self.flush()

    def _open(self, stream: int, head: RequestHead) -> None:
        make = grpc_methods.STREAMS.get(head.path)
        if make is None:
            self.wire.refuse(stream, _UNIMPLEMENTED, "Method not found!")
            return
        self._calls[stream] = make(self, stream, head)

    def _left(self, stream: int) -> None:
        task = self._tasks.pop(stream, None)
        if task is not None:
            task.cancel()
        call = self._calls.pop(stream, None)
        if call is not None:
            call.cancelled()

    def _wrote(self, stream: int) -> None:
        future = self._writable.pop(stream, None)
        if future is not None and not future.done():
            future.set_result(None)
        call = self._calls.get(stream)
        if call is not None:
            call.writable()

    # --- for methods -----------------------------------------------------------------------------------------------------------------

    def can_write(self, stream: int) -> bool:
        """Little is queued for this stream, here and in the transport."""
        return self._can_write and self.wire.is_writable(stream)

    async def wait_writable(self, stream: int) -> None:
        """Wait until what is queued for this stream has left."""
        self.flush()
        while not self.can_write(stream) and not self.transport.is_closing():
            future = self._writable[stream] = self.loop.create_future()
            await future

    def _close(self) -> None:
        """Close once all has left; the write timeout counts for that too."""
        if not self._is_closing:
            self._is_closing = True
            self._stalled_since, self._n_stalled_bytes = self.loop.time(), self.transport.get_write_buffer_size()
            self.transport.close()

    def admits(self, n_bytes: int) -> bool:
        """Whether a reply of this size may be held; it counts from now on."""
        if n_bytes <= SMALL:
            return True
        if not self.front.buffered.take(n_bytes):
            return False
        self._n_unflushed += n_bytes
        return True

    def end(self, stream: int) -> None:
        """End a stream call in peace; a failure is told with `send_failure`."""
        self._calls.pop(stream, None)
        self.wire.send_status(stream, _OK)
        self.flush_soon()

    def gone(self, stream: int) -> None:
        """A stream call has ended with a failure that its caller was told."""
        self._calls.pop(stream, None)
        self.flush_soon()

    def start_task(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a part of a stream call; the call owns the task."""
        return self.loop.create_task(coroutine)

    def flush_soon(self) -> None:
        """Write what has gathered at the end of this turn of the loop."""
        if not self._is_flush_due:
            self._is_flush_due = True
            self.loop.call_soon(self.flush)

    def flush(self) -> None:
        """Write what has gathered."""
        self._is_flush_due = False
        if self._n_unflushed:
            self._count_flushed()
        out = self.wire.take_output()
        if out and not self.transport.is_closing():
            was_stalled = not self._can_write
            self.transport.write(out)
            if was_stalled:
                self._n_stalled_bytes += len(out)
                self._count_unsent(self.transport.get_write_buffer_size())
        if self.wire.is_drained and not self._is_closing:
            self._close()
            self.loop.call_later(_ACK_S, self._let_go)

    def _count_unsent(self, n_bytes: int) -> None:
        """That much of what was written waits in the transport."""
        self.front.buffered.give_back(self._n_unsent - n_bytes)
        self._n_unsent = n_bytes

    def _count_flushed(self) -> None:
        """From here on a reply counts where it waits: with its stream, or in a transport that is full."""
        self.front.buffered.give_back(self._n_unflushed)
        self._n_unflushed = 0

    def drain(self, ack_s: float = _ACK_S) -> None:
        """Tell the client to go elsewhere; close when its calls have ended. It may take `ack_s` to say that it has heard."""
        self._is_leaving = True
        self.wire.goaway()
        self.flush_soon()
        self.loop.call_later(ack_s, self._end_drain)

    def _end_drain(self) -> None:
        """The client has heard, or is silent: take no more calls of it."""
        self.wire.end_drain()
        self.flush()

    def _let_go(self) -> None:
        """Do not wait for a client that has got everything and does not close its side of TLS."""
        if not self.transport.get_write_buffer_size():
            self.transport.abort()


def _is_over(limit_s: float | None, since: float, now: float) -> bool:
    return limit_s is not None and now - since > limit_s
