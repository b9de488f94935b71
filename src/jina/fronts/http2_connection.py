"""One HTTP/2 connection: an asyncio protocol around the sans-IO core, with one `Run` a call, which ends when its caller leaves.

Most of it is gRPC's; where the port also speaks HTTP, a stream that is no gRPC is an `Http2Request`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, cast

from jina.fronts import grpc_methods, turns
from jina.fronts.grpc_requests import id_metadata, send_refusal
from jina.fronts.unsent import Unsent
from jina.transport.run import Run
from jina.transport.writing import Gatherer, write_pieces
from jina.wire.buffered import FULL, SMALL
from jina.wire.grpc import (
    CALL_STARTED,
    CANCELLED,
    CLOSED,
    HALF_CLOSED,
    HTTP_BEGUN,
    HTTP_DATA,
    MESSAGE,
    UNARY,
    WRITABLE,
    GrpcStatus,
    RequestHead,
    ServerConnection,
)

if TYPE_CHECKING:
    from jina.fronts.front import Front
    from jina.fronts.grpc_carrier import ServerStreamCall
    from jina.fronts.http2_request import Http2Request

_log = logging.getLogger("jina.grpc")
_NO_GRPC = "this port speaks HTTP and no gRPC; the service's protocol option can add it"
_ACK_S = 0.2
"""How long a client that should go elsewhere may take to say that it has heard of it; calls that it began before then are taken."""
_IDLE_ACK_S = 10.0
"""The same where nothing presses."""
_PER_WRITE = 16
"""Of many calls that came in one read, so many are answered with one write: the caller goes on with them while the next are worked on."""
_PER_MESSAGE = 64
"""What each message of a stream call counts beside its bytes: there may be any number of them."""


class Http2Connection(Gatherer, asyncio.Protocol):
    """One client's connection."""

    def __init__(self, front: Front) -> None:
        self.front = front
        self.wire = ServerConnection(
            limits=front.http2_limits,
            max_message_bytes=front.options.max_message_bytes,
            unary_paths=grpc_methods.UNARY_PATHS,
            buffered=front.buffered,
            refusal_metadata=id_metadata,
            takes_http=front.has_http or front.has_websocket,
            takes_connect=front.has_websocket,
        )
        self._requests: dict[int, Http2Request] = {}
        self._unary, self._streams = (grpc_methods.UNARY, grpc_methods.STREAMS) if front.has_grpc else ({}, {})
        self._tasks: dict[int, Run] = {}
        self._calls: dict[int, ServerStreamCall] = {}
        self._writable: dict[int, asyncio.Future[None]] = {}
        self._is_unfold_due = False
        self._can_write = True
        self._is_leaving = self._is_closing = False
        self._last_read = 0.0
        self._waits_since: float | None = None
        self._n_unflushed = 0

    # --- asyncio's side --------------------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.loop = asyncio.get_running_loop()
        self._unsent = Unsent(self.transport, self.front.buffered)
        self._last_read = self.loop.time()
        self.front.opened(self)
        if self.front.is_draining:
            self.drain()
        self.flush()

    def data_received(self, data: bytes) -> None:
        now = self._last_read = time.monotonic()
        self._is_flush_due = True  # seldom, below: each write is a system call
        n_handled = 0
        for event in self.wire.receive(data, now):
            self._handle(event)
            n_handled += 1
            if n_handled == _PER_WRITE:
                n_handled = 0
                self.flush()
                self._is_flush_due = True
        self.flush()
        if self.wire.unfolding:
            self._unfold_soon()
        if time.monotonic() - now > turns.TURN_S and not self.transport.is_closing():  # else the loop may read on at once
            self.transport.pause_reading()
            self.loop.call_soon(self._read_on)

    def _unfold_soon(self) -> None:
        if not self._is_unfold_due:
            self._is_unfold_due = True
            self.front.turns.later(self._unfold)

    def _unfold(self) -> None:
        self._is_unfold_due = False
        self.flush_soon()
        for event in self.wire.unfold(time.monotonic()):
            self._handle(event)
        if self.wire.unfolding:
            self._unfold_soon()

    def _read_on(self) -> None:
        if self._can_write and not self.transport.is_closing():
            self.transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        for event in self.wire.eof():
            self._handle(event)
        self._unsent.rest()
        self._count_flushed()
        self.front.closed(self)

    def pause_writing(self) -> None:
        self._can_write = False
        self._unsent.watch(self.loop.time())
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self._can_write = True
        if not self._is_closing:
            self._unsent.rest()
        self.transport.resume_reading()
        for stream in {*self._writable, *self._calls}:  # if it is not writable now, WRITABLE will come
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
        for request in list(self._requests.values()):
            request.tick(now)
        if self._unsent.is_stalled(now, options.write_timeout_s):
            self.transport.abort()
        elif self._can_write and not self._is_closing:
            self._check_silence(now)

    def _check_silence(self, now: float) -> None:
        options = self.front.options
        if self.wire.awaits_head:
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
            answer = self._unary.get(event[2].path)
            if answer is not None:
                if len(event[3]) <= SMALL or self._has_room(event[1], len(event[3])):
                    self._start(event[1], answer, event[2], event[3])
            else:  # a stream of one message, whole in one read
                self._open(event[1], event[2])
                self._handle((MESSAGE, event[1], event[3]))
                self._handle((HALF_CLOSED, event[1]))
        elif kind == CALL_STARTED:
            self._open(event[1], event[2])
        elif kind == MESSAGE:
            call = self._calls.get(event[1])
            if call is not None and self._has_room(event[1], len(event[2]) + _PER_MESSAGE):
                call.message(event[2])
        elif kind == HALF_CLOSED:
            call = self._calls.get(event[1])
            if call is not None:
                call.half_close()
        elif kind == HTTP_DATA:
            request = self._requests.get(event[1])
            if request is not None:
                request.data_received(event[2], event[3])
        elif kind == HTTP_BEGUN:
            self._begin_request(event[1], event[2])
        elif kind == CANCELLED:
            self._left(event[1])
        elif kind == WRITABLE:
            self._wrote(event[1])
        elif kind == CLOSED:
            self.flush()
            self._close()

    def _has_room(self, stream: int, n_bytes: int) -> bool:
        """Count a message, or end its call."""
        if self.wire.count(stream, n_bytes):
            return True
        send_refusal(self, stream, FULL)
        self._left(stream)
        return False

    def _start(self, stream: int, answer: grpc_methods.Unary, head: RequestHead, data: bytes) -> None:
        run = self._tasks[stream] = Run(self._run(stream, answer, head, data), self.loop)
        run.start(needs_task=self.front.needs_task)

    async def _run(self, stream: int, answer: grpc_methods.Unary, head: RequestHead, data: bytes) -> None:
        """Run one call; what it raises is a bug of ours, which the caller hears of and the log shows."""
        try:
            await answer(self, stream, head, data)
        except Exception:
            _log.exception("a gRPC method raised")
            self.wire.refuse(stream, GrpcStatus.INTERNAL, "internal error; the server's log has its traceback")
        finally:
            self._tasks.pop(stream, None)
            if self._writable:
                self._writable.pop(stream, None)
            if self._is_flush_due:
                pass
            elif self._tasks:
                self.flush_soon()
            else:  # a lone call need not wait for company
                self.flush()

    def _open(self, stream: int, head: RequestHead) -> None:
        make = self._streams.get(head.path)
        if make is None:
            self.wire.refuse(stream, GrpcStatus.UNIMPLEMENTED, "Method not found!" if self.front.has_grpc else _NO_GRPC)
            return
        self._calls[stream] = make(self, stream, head)

    def _begin_request(self, stream: int, head: RequestHead) -> None:
        from jina.fronts.http2_request import Http2Request

        request = Http2Request(self, stream, head)
        if not request.is_over:
            self._requests[stream] = request

    def _left(self, stream: int) -> None:
        task = self._tasks.pop(stream, None)
        if task is not None:
            task.cancel()
        call = self._calls.pop(stream, None)
        if call is not None:
            call.cancelled()
        request = self._requests.pop(stream, None)
        if request is not None:
            request.cancelled()

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

    def blocked(self, stream: int) -> asyncio.Future[None] | None:
        """Give what to wait for while much is queued for this stream, or None."""
        if self.can_write(stream) or self.transport.is_closing():
            return None
        future = self._writable.get(stream)
        if future is None or future.done():
            future = self._writable[stream] = self.loop.create_future()
        return future

    async def wait_writable(self, stream: int) -> None:
        """Wait until what is queued for this stream has left."""
        self.flush()
        while (future := self.blocked(stream)) is not None:
            await future

    def forget(self, stream: int) -> None:
        """An HTTP request is answered."""
        self._requests.pop(stream, None)
        self._writable.pop(stream, None)

    def _close(self) -> None:
        """Close once all has left; the write timeout counts for that too."""
        if not self._is_closing:
            self._is_closing = True
            self._unsent.watch(self.loop.time())
            self.transport.close()

    def release(self, stream: int, data: bytes) -> None:
        """A message of a stream call is held no more."""
        self.wire.uncount(stream, len(data) + _PER_MESSAGE)

    def admits(self, n_bytes: int) -> bool:
        """Whether a reply of this size may be held; it counts from now on. Nobody asks for a small one that leaves at once."""
        if not self.front.buffered.take(n_bytes):
            return False
        self._n_unflushed += n_bytes
        return True

    def end(self, stream: int) -> None:
        """End a stream call in peace; a failure is told with `send_failure`."""
        self._calls.pop(stream, None)
        self.wire.send_status(stream, GrpcStatus.OK)
        self.flush_soon()

    def gone(self, stream: int) -> None:
        """A stream call has ended with a failure that its caller was told."""
        self._calls.pop(stream, None)
        self.flush_soon()

    def start_task(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a part of a stream call; the call owns the task."""
        return self.loop.create_task(coroutine)

    def flush(self) -> None:
        self._is_flush_due = False
        if self._n_unflushed:
            self._count_flushed()
        out = self.wire.take_pieces()
        if out and not self.transport.is_closing():
            was_stalled = not self._can_write
            n_bytes = write_pieces(self.transport, out)
            if was_stalled:
                self._unsent.grew(n_bytes)
        if self.wire.is_drained and not self._is_closing:
            self._close()
            self.loop.call_later(_ACK_S, self._let_go)

    def _count_flushed(self) -> None:
        """From here on a reply counts where it waits: with its stream, or in a transport that is full."""
        self.front.buffered.give_back(self._n_unflushed)
        self._n_unflushed = 0

    def drain(self, ack_s: float = _ACK_S) -> None:
        """Tell the client to go elsewhere; close when its calls have ended. It may take `ack_s` to say that it has heard."""
        self._is_leaving = True
        for request in list(self._requests.values()):
            request.drain()
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
