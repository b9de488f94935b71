"""A client's channel to a gRPC service: one connection, opened when it is first needed and again when it is lost.

Calls wait here while the connection is being opened, or while the peer allows no further one. A call that the peer says it never began
goes on to the next connection; what else breaks off is told to its owner. Everything here belongs to one loop.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, cast

from jina.transport.connect import Connect
from jina.wire import grpc
from jina.wire.grpc import ClientConnection, GrpcStatus, Metadata
from jina.wire.http2_limits import Limits

_MAX_USELESS_CONNECTIONS = 3
_MAX_STARTS = 20


@dataclass(frozen=True, kw_only=True)
class ChannelOptions:
    """What can be set of a channel.

    Attributes:
        max_receive_bytes, max_send_bytes: Larger messages fail their call; None for no limit.
        max_metadata_bytes: Of what the server sends as headers or trailers.
        keepalive_time_s: After so long without a sign of life the server is asked for one; None for never.
        keepalive_timeout_s: How long it has to answer.
        is_kept_alive_idle: Ask also while no call is under way.
        connect_timeout_s: For the connection and the server's first words.
    """

    max_receive_bytes: int | None = 1 << 30
    max_send_bytes: int | None = None
    max_metadata_bytes: int = 65536
    keepalive_time_s: float | None = 10.0
    keepalive_timeout_s: float = 20.0
    is_kept_alive_idle: bool = False
    connect_timeout_s: float = 20.0


class CallEnd(NamedTuple):
    """How a call ended; `status` is a gRPC status number, `is_unprocessed` says that the server never began it."""

    status: int
    message: str = ""
    metadata: tuple[tuple[str, str | bytes], ...] = ()
    is_unprocessed: bool = False


class ClientCall:
    """One call, begun by a channel on one connection, perhaps later, perhaps again. Its owner overrides `on_...`.

    Attributes:
        is_over: It ended, or was cancelled; nothing is told of it any more.
    """

    def __init__(self, block: bytes, timeout_s: float | None = None, encoding: str = "identity") -> None:
        self._block, self._encoding = block, encoding
        self._deadline = None if timeout_s is None else time.monotonic() + timeout_s
        self._timer: asyncio.TimerHandle | None = None
        self._connection: GrpcConnection | None = None
        self._stream = 0
        self._n_starts = 0
        self.is_over = False

    def on_message(self, data: bytes) -> None:
        """A message came."""

    def on_end(self, end: CallEnd) -> None:
        """The call is over."""

    def cancel(self) -> None:
        """Leave the call; harmless after its end."""
        if not self.is_over:
            self._finish()
            if self._connection is not None:
                self._connection.cancel(self._stream)

    # --- the channel's side ----------------------------------------------------------------------------------------------------------

    def watch_deadline(self, loop: asyncio.AbstractEventLoop) -> None:
        """End the call when its time is up."""
        if self._deadline is not None:
            self._timer = loop.call_later(max(0.0, self._deadline - time.monotonic()), self._expire)

    def begin(self, connection: GrpcConnection) -> int:
        """Send it; gives the stream's number."""
        self._connection = connection
        self._n_starts += 1
        block = self._block
        if self._deadline is not None:
            block += grpc.timeout_field(max(0.0, self._deadline - time.monotonic()))
        self._stream = self._send(connection.wire, block)
        return self._stream

    def end(self, end: CallEnd) -> None:
        """Tell the owner, once."""
        if not self.is_over:
            self._finish()
            self.on_end(end)

    @property
    def may_start_again(self) -> bool:
        """It can be begun on another connection: nothing is lost by sending it once more."""
        return not self.is_over and self._n_starts < _MAX_STARTS

    def _send(self, wire: ClientConnection, block: bytes) -> int:
        raise NotImplementedError

    def _finish(self) -> None:
        self.is_over = True
        if self._timer is not None:
            self._timer.cancel()

    def _expire(self) -> None:
        if not self.is_over:
            self.cancel()
            self.on_end(CallEnd(GrpcStatus.DEADLINE_EXCEEDED, "Deadline Exceeded"))


class UnaryCall(ClientCall):
    """One message out, one message back: `on_done(message, end)`, the message None unless the status is OK."""

    def __init__(
        self,
        block: bytes,
        message: bytes,
        on_done: Callable[[bytes | None, CallEnd], None],
        *,
        timeout_s: float | None = None,
        encoding: str = "identity",
    ) -> None:
        super().__init__(block, timeout_s, encoding)
        self._message, self._on_done = message, on_done

    def _send(self, wire: ClientConnection, block: bytes) -> int:
        return wire.call(block, self._message, self._encoding)

    def on_reply(self, data: bytes, metadata: Metadata) -> None:
        """The reply came."""
        if not self.is_over:
            self._finish()
            self._on_done(data, CallEnd(0, "", tuple(metadata)))

    def on_end(self, end: CallEnd) -> None:
        self._on_done(None, end)


class StreamCall(ClientCall):
    """Messages out, messages back. What comes must be given back with `consumed`, so that a slow reader stops the server."""

    def __init__(self, block: bytes, *, timeout_s: float | None = None, encoding: str = "identity") -> None:
        super().__init__(block, timeout_s, encoding)
        self._sent: list[bytes] = []
        self._is_half_closed = False

    def _send(self, wire: ClientConnection, block: bytes) -> int:
        stream = wire.start(block, self._encoding)
        wire.hold(stream)
        for message in self._sent:
            wire.send_message(stream, message)
        self._sent.clear()
        if self._is_half_closed:
            wire.half_close(stream)
        return stream

    @property
    def may_start_again(self) -> bool:
        return super().may_start_again and not self._n_starts  # what was sent is not kept here; the owner opens another call

    def send(self, message: bytes) -> None:
        """Send a message, at once or as soon as the call has begun."""
        if self._connection is None:
            self._sent.append(message)
        elif not self.is_over:
            self._connection.wire.send_message(self._stream, message)
            self._connection.flush_soon()

    def half_close(self) -> None:
        """Say that no more messages come."""
        self._is_half_closed = True
        if self._connection is not None and not self.is_over:
            self._connection.wire.half_close(self._stream)
            self._connection.flush_soon()

    def consumed(self, n_bytes: int) -> None:
        """Messages of this many bytes were taken; the server may send as many more."""
        if self._connection is not None and not self.is_over:
            self._connection.wire.consumed(self._stream, n_bytes)
            self._connection.flush_soon()


class GrpcConnection(asyncio.Protocol):
    """One connection under a channel.

    Attributes:
        wire: The protocol's state.
        ready: Done when the server has said that it speaks HTTP/2.
        is_leaving: No new calls: the server is going away, or the connection is lost.
    """

    def __init__(self, channel: GrpcChannel, options: ChannelOptions) -> None:
        self._channel, self._options = channel, options
        limits = Limits(max_header_list_bytes=options.max_metadata_bytes)
        self.wire = ClientConnection(limits=limits, max_message_bytes=options.max_receive_bytes)
        self._calls: dict[int, ClientCall] = {}
        self._is_flush_due = False
        self._heard_s, self._asked_s = 0.0, 0.0
        self._watch: asyncio.TimerHandle | None = None
        self.is_leaving = False

    # --- calls -----------------------------------------------------------------------------------------------------------------------

    def begin(self, call: ClientCall) -> None:
        """Send a call; `wire.can_start` must be True."""
        self._calls[call.begin(self)] = call
        self.flush_soon()
        if self._watch is None:
            self._watch_soon()

    def cancel(self, stream: int) -> None:
        """Tell the server that nobody waits for a call any more."""
        if self._calls.pop(stream, None) is not None:
            self.wire.cancel(stream)
            self.flush_soon()
            self._channel.advance()

    def close(self) -> None:
        """End the connection; calls under way end with UNAVAILABLE."""
        self._leave()
        self.wire.goaway()
        self.flush()
        self._transport.close()

    def leave_when_idle(self) -> None:
        """Take no new calls, and close when the last has ended."""
        self._leave()
        if not self._calls:
            self.close()

    def _leave(self) -> None:
        if not self.is_leaving:
            self.is_leaving = True
            self._channel.left(self)

    # --- asyncio's side --------------------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=1 << 22)
        self._loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = self._loop.create_future()
        self._heard_s = self._loop.time()
        if self._options.is_kept_alive_idle:
            self._watch_soon()
        self.flush()

    def data_received(self, data: bytes) -> None:
        self._heard_s = self._loop.time()
        self._handle(self.wire.receive(data, self._heard_s))
        if not self.ready.done() and self.wire.is_ready:
            self.ready.set_result(None)
        self.flush()

    def connection_lost(self, error: Exception | None) -> None:
        if self._watch is not None:
            self._watch.cancel()
        if not self.ready.done():
            self.ready.set_exception(ConnectionResetError("the server closed the connection at once; does it speak gRPC?"))
            self.ready.exception()
        self._leave()
        self._handle(self.wire.eof())
        calls, self._calls = self._calls, {}
        for call in calls.values():
            call.end(CallEnd(GrpcStatus.UNAVAILABLE, "the connection was lost"))

    # No `pause_writing`: a server stops reading while its caller does not read, so a client that did the same would wait for it for ever.
    # What is queued here is bounded by the server's windows, what must be answered by the caps on its PINGs and SETTINGS.

    def _handle(self, events: list[grpc.Event]) -> None:
        calls = self._calls
        for event in events:
            kind = event[0]
            if kind == grpc.UNARY_REPLY:
                call = calls.pop(event[1], None)
                if isinstance(call, UnaryCall):
                    call.on_reply(event[2], event[3].metadata)
            elif kind == grpc.MESSAGE:
                call = calls.get(event[1])
                if call is not None and not call.is_over:
                    call.on_message(event[2])
            elif kind == grpc.ENDED:
                call = calls.pop(event[1], None)
                if call is not None:
                    self._end(call, CallEnd(*event[2:6]))
            elif kind == grpc.GOAWAY:
                self._leave()
            elif kind == grpc.CLOSED:
                self._leave()
                self.flush()
                self._transport.close()
        if self.is_leaving and not self._calls:
            self._transport.close()
        elif events:
            self._channel.advance()

    def _end(self, call: ClientCall, end: CallEnd) -> None:
        if end.is_unprocessed and call.may_start_again:
            self._loop.call_soon(self._channel.again, call)
        else:
            call.end(end)

    def flush_soon(self) -> None:
        """Write what has gathered at the end of this turn of the loop."""
        if not self._is_flush_due:
            self._is_flush_due = True
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Write what has gathered."""
        self._is_flush_due = False
        out = self.wire.take_output()
        if out and not self._transport.is_closing():
            self._transport.write(out)

    # --- signs of life ---------------------------------------------------------------------------------------------------------------

    def _watch_soon(self) -> None:
        if self._options.keepalive_time_s is not None:
            self._watch = self._loop.call_later(self._options.keepalive_time_s, self._ask)

    def _ask(self) -> None:
        """Ask for a sign of life after a silence; while no call is under way, stop looking."""
        self._watch = None
        if not self._calls and not self._options.is_kept_alive_idle:
            return
        silent_s = self._loop.time() - self._heard_s
        if silent_s + 0.001 < (self._options.keepalive_time_s or 0.0):
            self._watch_soon()
            return
        self.wire.ping()
        self.flush()
        self._asked_s = self._loop.time()
        self._watch = self._loop.call_later(self._options.keepalive_timeout_s, self._look)

    def _look(self) -> None:
        if self._heard_s < self._asked_s:
            self._leave()
            self._transport.abort()
        else:
            self._watch_soon()


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
