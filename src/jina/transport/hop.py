"""The front's end of a connection to one worker: calls and streams over HTTP/2 on a Unix socket."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar, cast

from jina.errors import TransportError
from jina.transport.begun import read_begun
from jina.transport.hop_messages import CALL, STREAM
from jina.wire import grpc
from jina.wire.grpc import ENDED, MESSAGE, UNARY_REPLY, ClientConnection
from jina.wire.http2_limits import Limits

T = TypeVar("T")
_log = logging.getLogger("jina.hop")

_CALL_BLOCK = grpc.request_block(CALL, "worker")
_STREAM_BLOCK = grpc.request_block(STREAM, "worker")

HOP_LIMITS = Limits(max_streams=1_000_000)
"""Between our own processes the fronts' limits count, not these."""

RENEW_AT = (1 << 31) - (1 << 24)
"""HTTP/2 numbers streams up to 2^31 and never again: from this number on a fresh connection is asked for."""


class ChannelLost(TransportError):
    """The worker went away while it held a call; `has_begun` says whether the user's code had begun to run it."""

    def __init__(self, message: str, *, has_begun: bool) -> None:
        super().__init__(message)
        self.has_begun = has_begun


class HopError(TransportError):
    """The worker refused a message of the hop: a bug of ours, or a message over its limit."""


class Channel(asyncio.Protocol):
    """A connection to one replica.

    Attributes:
        pod: The replica's name, e.g. `executor/rep-0`.
        n_bytes_in_flight: What the requests in flight hold: the worker may not have read them yet.
        is_lost: It takes no calls any more.
        on_idle: Called whenever the last call in flight has ended.
        on_worn: Called once, when the connection should be replaced by a fresh one (see `reopen`); it still takes calls for long.
    """

    def __init__(self, pod: str, socket_path: str, begun_path: str, on_lost: Callable[[Channel], None], renew_at: int = RENEW_AT) -> None:
        self.pod, self._socket_path, self._begun_path, self._on_lost = pod, socket_path, begun_path, on_lost
        self._renew_at, self._wears_at = renew_at, renew_at
        self._connection = ClientConnection(limits=HOP_LIMITS, max_message_bytes=None)
        self._calls: dict[int, asyncio.Future[bytes]] = {}
        self._streams: dict[int, HopStream[Any]] = {}
        self._is_flush_due = False
        self.n_bytes_in_flight = 0
        self.is_lost = self._is_closing = False
        self.on_idle: Callable[[], None] | None = None
        self.on_worn: Callable[[Channel], None] | None = None

    @property
    def n_in_flight(self) -> int:
        """Calls and streams that have not ended."""
        return len(self._calls) + len(self._streams)

    # --- calls -----------------------------------------------------------------------------------------------------------------------

    async def call(self, message: bytes) -> bytes:
        """Send an unary call; cancelling the task that awaits it tells the worker that the caller has gone.

        Raises:
            ChannelLost: The worker went away before it answered.
            HopError: The worker refused the message.
        """
        if self.is_lost or not self._connection.can_start:
            raise ChannelLost(f"the connection to {self.pod} is lost", has_begun=False)
        stream = self._connection.call(_CALL_BLOCK, message)
        if stream >= self._wears_at:
            self._wear()
        future: asyncio.Future[bytes] = self._loop.create_future()
        self._calls[stream] = future
        self.n_bytes_in_flight += len(message)
        if len(self._calls) == 1:
            self._flush()  # a lone call need not wait for company
        else:
            self._flush_soon()
        try:
            return await future
        except asyncio.CancelledError:
            if self._calls.pop(stream, None) is not None:
                self._connection.cancel(stream)
                self._flush_soon()
                self._ended()
            raise
        finally:
            self.n_bytes_in_flight -= len(message)

    def stream(self, message: bytes, read: Callable[[bytes], Sequence[T]]) -> HopStream[T]:
        """Open a stream; it must be read to its end or cancelled. `read` gives the items of one message."""
        if self.is_lost or not self._connection.can_start:
            raise ChannelLost(f"the connection to {self.pod} is lost", has_begun=False)
        number = self._connection.start(_STREAM_BLOCK)
        if number >= self._wears_at:
            self._wear()
        self._connection.hold(number)
        self._connection.send_message(number, message)
        self._connection.half_close(number)
        self._streams[number] = opened = HopStream(self, number, read, len(message))
        self.n_bytes_in_flight += len(message)
        self._flush_soon()
        return opened

    def consumed(self, number: int, n_bytes: int) -> None:
        """A stream's reader took messages of this many bytes: the worker may send as many more."""
        self._connection.consumed(number, n_bytes)
        self._flush_soon()

    def cancel_stream(self, number: int) -> None:
        """Nobody reads this stream any more."""
        if self._pop_stream(number) is not None:
            self._connection.cancel(number)
            self._flush_soon()
            self._ended()

    def close(self) -> None:
        """End the connection; what is in flight is lost."""
        self._transport.close()

    def close_when_idle(self) -> None:
        """End the connection once what is in flight has ended."""
        self._is_closing = True
        self._ended()

    async def reopen(self) -> Channel:
        """Give a fresh connection to the same worker; this one stays as it is.

        Raises:
            OSError: It does not listen (any more).
        """
        return await connect(self.pod, self._socket_path, self._begun_path, on_lost=self._on_lost, renew_at=self._renew_at)

    def _pop_stream(self, number: int) -> HopStream[Any] | None:
        stream = self._streams.pop(number, None)
        if stream is not None:
            self.n_bytes_in_flight -= stream.n_request_bytes
        return stream

    def _wear(self) -> None:
        self._wears_at = 1 << 31
        if self.on_worn is not None:
            self.on_worn(self)

    # --- asyncio's side --------------------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=1 << 24)
        self._loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = self._loop.create_future()
        self._flush()

    def data_received(self, data: bytes) -> None:
        calls = self._calls
        if not self.ready.done():
            self.ready.set_result(None)
        for event in self._connection.receive(data, time.monotonic()):
            kind = event[0]
            if kind == UNARY_REPLY:
                future = calls.pop(event[1], None)
                if future is not None and not future.done():
                    future.set_result(event[2])
            elif kind == MESSAGE:
                stream = self._streams.get(event[1])
                if stream is not None:
                    self._feed(stream, event[2])
            elif kind == ENDED:
                self._end(event[1], event[2], event[3], is_unprocessed=event[5])
            elif kind == grpc.GOAWAY:
                self._on_lost(self)  # it takes no new calls; those that it holds are still answered
            elif kind == grpc.CLOSED:
                self._transport.close()
        if not calls:
            self._ended()
        self._flush()

    def connection_lost(self, error: Exception | None) -> None:
        self.is_lost = True
        if not self.ready.done():
            self.ready.set_exception(ConnectionResetError(f"{self.pod} closed the connection at once"))
        begun = read_begun(self._begun_path)
        calls, self._calls = self._calls, {}
        streams, self._streams = self._streams, {}
        for number, future in calls.items():
            if not future.done():
                future.set_exception(self._lost(has_begun=number in begun))
        for number, stream in streams.items():
            stream.end(self._lost(has_begun=number in begun))
        self._on_lost(self)

    def _feed(self, stream: HopStream[Any], message: bytes) -> None:
        """Hand over a message; one that cannot be read fails its stream, not the connection and all that is on it."""
        try:
            stream.feed(message)
        except Exception as error:
            _log.exception("a message of %s cannot be read", self.pod)
            stream.cancel()
            stream.end(HopError(f"a message of {self.pod} cannot be read: {error}"))

    def _lost(self, *, has_begun: bool) -> ChannelLost:
        return ChannelLost(f"{self.pod} went away", has_begun=has_begun)

    def _end(self, number: int, status: int, message: str, *, is_unprocessed: bool) -> None:
        error: Exception | None = HopError(f"{self.pod} answered with gRPC status {status}: {message}") if status else None
        if is_unprocessed:
            error = self._lost(has_begun=False)
        future = self._calls.pop(number, None)
        if future is not None and not future.done():
            future.set_exception(error or HopError(f"{self.pod} ended a call without a reply"))
        stream = self._pop_stream(number)
        if stream is not None:
            stream.end(error)

    def _ended(self) -> None:
        if not self._calls and not self._streams:
            if self.on_idle is not None:
                self.on_idle()
            if self._is_closing:
                self._transport.close()

    def _flush_soon(self) -> None:
        if not self._is_flush_due:
            self._is_flush_due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._is_flush_due = False
        out = self._connection.take_output()
        if out:
            self._transport.write(out)


class HopStream(Generic[T]):
    """What one streamed reply brings, in order."""

    def __init__(self, channel: Channel, number: int, read: Callable[[bytes], Sequence[T]], n_request_bytes: int) -> None:
        self._channel, self._number, self._read, self.n_request_bytes = channel, number, read, n_request_bytes
        self._waiting: deque[T] = deque()
        self._n_held_bytes = 0
        self._has_ended = False
        self._error: Exception | None = None
        self._wake: asyncio.Future[None] | None = None

    async def next(self) -> T | None:
        """Give the next item, None at the end.

        Raises:
            ChannelLost, HopError: The stream broke off; messages that came before have been given.
            TimeoutError: It has expired; what came and was not read yet is dropped.
        """
        while not self._waiting:
            if self._has_ended:
                if self._error is not None:
                    raise self._error
                return None
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake
        item = self._waiting.popleft()
        if not self._waiting:  # the reader has caught up
            self._channel.consumed(self._number, self._n_held_bytes)
            self._n_held_bytes = 0
        return item

    def cancel(self) -> None:
        """Stop reading; the worker stops making. Harmless after the end."""
        self._channel.cancel_stream(self._number)

    def expire(self) -> None:
        """End the stream now: its time is up. Harmless after the end."""
        if not (self._has_ended and not self._waiting):
            self._waiting.clear()
            self.cancel()
            self.end(TimeoutError())

    def feed(self, message: bytes) -> None:
        """Take a message that has come."""
        self._waiting += self._read(message)
        self._n_held_bytes += len(message)
        self._rouse()

    def end(self, error: Exception | None) -> None:
        """Take the end, or what broke the stream off."""
        self._has_ended, self._error = True, error
        self._rouse()

    def _rouse(self) -> None:
        wake, self._wake = self._wake, None
        if wake is not None and not wake.done():
            wake.set_result(None)


async def connect(pod: str, socket_path: str, begun_path: str, *, on_lost: Callable[[Channel], None], renew_at: int = RENEW_AT) -> Channel:
    """Connect to a worker that listens.

    Args:
        pod: The replica's name.
        socket_path: Where it listens.
        begun_path: Where it notes the calls that it has begun.
        on_lost: Called when the connection is lost, and when the worker says that it takes no new calls.
        renew_at: The stream number from which on the channel counts as worn.

    Raises:
        OSError: It does not listen (any more).
    """
    loop = asyncio.get_running_loop()
    _, channel = await loop.create_unix_connection(lambda: Channel(pod, socket_path, begun_path, on_lost, renew_at), socket_path)
    try:
        await channel.ready
    except BaseException:
        channel.close()
        raise
    return channel
