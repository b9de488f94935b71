"""The front's end of a connection to one worker: calls and streams over HTTP/2 on a Unix socket."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from jina.codec.pieces import Message
from jina.errors import TransportError
from jina.transport.begun import BegunView
from jina.transport.hop_messages import CALL, STREAM
from jina.transport.hop_stream import HopStream
from jina.transport.run import Waiter
from jina.transport.writing import Gatherer, write_pieces
from jina.wire import grpc
from jina.wire.buffered import FULL, Buffered
from jina.wire.grpc import ENDED, MESSAGE, UNARY_REPLY, ClientConnection
from jina.wire.http2_limits import Http2Limits

T = TypeVar("T")
_log = logging.getLogger("jina.hop")

_CALL_BLOCK = grpc.request_block(CALL, "worker")
_STREAM_BLOCK = grpc.request_block(STREAM, "worker")

_ANY_NUMBER = (1 << 31) - 1
HOP_LIMITS = Http2Limits(
    max_streams=1_000_000, max_resets=_ANY_NUMBER, max_pings=_ANY_NUMBER, max_settings=_ANY_NUMBER, max_empty_frames=_ANY_NUMBER
)
"""Between our own processes the fronts' limits count, not these: all callers may leave at once."""

RENEW_AT = (1 << 31) - (1 << 24)
"""HTTP/2 numbers streams up to 2^31 and never again: from this number on a fresh connection is asked for, again and again."""
_ASK_AGAIN_AFTER = 1 << 10
_LAST_NUMBER = (1 << 31) - 1
_LOOK_S, _MAX_LOOKS = 0.025, 40


class ChannelLost(TransportError):
    """The worker went away while it held a call; `has_begun` says whether the user's code had begun to run it."""

    def __init__(self, message: str, *, has_begun: bool) -> None:
        super().__init__(message)
        self.has_begun = has_begun


class HopError(TransportError):
    """The worker refused a message of the hop: a bug of ours, or a message over its limit."""


class NoRoomError(HopError):
    """The worker answers with more than the front may hold now."""


class HopChannel(Gatherer, asyncio.Protocol):
    """A connection to one replica.

    Attributes:
        pod: The replica's name, e.g. `executor/rep-0`.
        n_bytes_in_flight: What the requests in flight hold: the worker may not have read them yet.
        is_lost: It takes no calls any more.
        silent_s: For how long the worker has owed a sign of life (see `ask`).
        on_idle: Called whenever the last call in flight has ended.
        on_worn: Called now and then when the connection should be replaced by a fresh one (see `reopen`); it still takes calls for long.
    """

    def __init__(
        self,
        pod: str,
        socket_path: str,
        begun_path: str,
        on_lost: Callable[[HopChannel], None],
        renew_at: int = RENEW_AT,
        buffered: Buffered | None = None,
    ) -> None:
        self.pod, self._socket_path, self._begun_path, self._on_lost = pod, socket_path, begun_path, on_lost
        self._renew_at, self._wears_at = renew_at, renew_at
        self._buffered = buffered
        self._connection = ClientConnection(limits=HOP_LIMITS, max_message_bytes=None, buffered=buffered)
        self._calls: dict[int, Waiter[bytes]] = {}
        self._streams: dict[int, HopStream[Any]] = {}
        self._was_heard = True
        self.silent_s = 0.0
        self.n_bytes_in_flight = 0
        self.is_lost = self._is_closing = self._is_aborted = False
        self._takes_calls = True
        self.on_idle: Callable[[], None] | None = None
        self.on_worn: Callable[[HopChannel], None] | None = None

    @property
    def n_in_flight(self) -> int:
        """Calls and streams that have not ended."""
        return len(self._calls) + len(self._streams)

    async def call(self, message: Message, deadline: float | None = None) -> bytes:
        """Send an unary call; cancelling the task that awaits it, and its deadline, tell the worker that the caller has gone.

        Raises:
            ChannelLost: The worker went away before it answered.
            HopError: The worker refused the message.
            TimeoutError: The deadline (monotonic clock) came first.
        """
        if not self._takes_calls:
            raise ChannelLost(f"the connection to {self.pod} is lost", has_begun=False)
        number = self._connection.call(_CALL_BLOCK, message)
        if number >= self._wears_at:
            self._wear()
        reply: Waiter[bytes] = Waiter()
        self._calls[number] = reply
        self.n_bytes_in_flight += len(message)
        if len(self._calls) == 1:
            self.flush()  # a lone call need not wait for company
        else:
            self.flush_soon()
        timer = None if deadline is None else self.loop.call_at(deadline, _expire, reply)
        try:
            return await reply
        except (asyncio.CancelledError, TimeoutError):
            if self._calls.pop(number, None) is not None:
                self._connection.cancel(number)
                self.flush_soon()
                self._ended()
            raise
        finally:
            self.n_bytes_in_flight -= len(message)
            if timer is not None:
                timer.cancel()

    def stream(self, message: Message, read: Callable[[bytes], Sequence[T]]) -> HopStream[T]:
        """Open a stream; it must be read to its end or cancelled. `read` gives the items of one message."""
        if not self._takes_calls:
            raise ChannelLost(f"the connection to {self.pod} is lost", has_begun=False)
        number = self._connection.start(_STREAM_BLOCK)
        if number >= self._wears_at:
            self._wear()
        self._connection.hold(number)
        self._connection.send_message(number, message)
        self._connection.half_close(number)
        self._streams[number] = opened = HopStream(self, number, read, len(message))
        self.n_bytes_in_flight += len(message)
        self.flush_soon()
        return opened

    def consumed(self, number: int, n_bytes: int) -> None:
        """A stream's reader took messages of this many bytes: the worker may send as many more."""
        self._connection.consumed(number, n_bytes)
        self.flush_soon()

    def cancel_stream(self, number: int) -> None:
        """Nobody reads this stream any more."""
        if self._pop_stream(number) is not None:
            self._connection.cancel(number)
            self.flush_soon()
            self._ended()

    def ask(self, passed_s: float) -> None:
        """Ask for a sign of life (PING); if none has come since this was last called, it is `passed_s` longer overdue."""
        if not self._was_heard:
            self.silent_s += passed_s
            return
        self._was_heard, self.silent_s = False, 0.0
        self._connection.ping()
        self.flush()

    def close(self) -> None:
        """End the connection at once; what is in flight is lost."""
        self._takes_calls = False
        self._abort()

    def end(self) -> None:
        """The worker is dead: read what it has written, then close, even if something that it left behind holds the connection open."""
        self._takes_calls = False
        self._was_heard = True
        self._linger(0, 0)

    def _abort(self) -> None:
        self._is_aborted = True
        self._transport.abort()

    def _linger(self, n_looks: int, n_silent: int) -> None:
        """Wait while something comes. Two looks must find nothing: after a standstill a loop may come to its timers before it reads."""
        n_silent = 0 if self._was_heard else n_silent + 1
        if n_silent == 2 or n_looks == _MAX_LOOKS:
            self._abort()
            return
        self._was_heard = False
        self.loop.call_later(_LOOK_S, self._linger, n_looks + 1, n_silent)

    def close_when_idle(self) -> None:
        """End the connection once what is in flight has ended."""
        self._is_closing = True
        self._ended()

    async def reopen(self) -> HopChannel:
        """Give a fresh connection to the same worker; this one stays as it is.

        Raises:
            OSError: It does not listen (any more).
        """
        return await connect(
            self.pod, self._socket_path, self._begun_path, on_lost=self._on_lost, renew_at=self._renew_at, buffered=self._buffered
        )

    def _pop_stream(self, number: int) -> HopStream[Any] | None:
        stream = self._streams.pop(number, None)
        if stream is not None:
            self.n_bytes_in_flight -= stream.n_request_bytes
        return stream

    def _wear(self) -> None:
        if self._wears_at == _LAST_NUMBER:
            self._takes_calls = False
            self._on_lost(self)
        elif self.on_worn is not None:
            self.on_worn(self)
        self._wears_at = min(self._wears_at + _ASK_AGAIN_AFTER, _LAST_NUMBER)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._begun = BegunView(self._begun_path)
        self._transport.set_write_buffer_limits(high=1 << 24)
        self.loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = self.loop.create_future()
        self.flush()

    def data_received(self, data: bytes) -> None:
        calls = self._calls
        self._was_heard = True
        if not self.ready.done():
            self.ready.set_result(None)
        for event in self._connection.receive(data, time.monotonic()):
            kind = event[0]
            if kind == UNARY_REPLY:
                reply = calls.pop(event[1], None)
                if reply is not None:
                    reply.set_result(event[2])
            elif kind == MESSAGE:
                stream = self._streams.get(event[1])
                if stream is not None:
                    self._feed(stream, event[2])
            elif kind == ENDED:
                self._end(event[1], event[2], event[3], is_unprocessed=event[5])
            elif kind == grpc.GOAWAY:
                self._takes_calls = False
                self._on_lost(self)  # it takes no new calls; those that it holds are still answered
            elif kind == grpc.CLOSED:
                self._takes_calls = False
                self._transport.close()
        if not calls:
            self._ended()
        self.flush()

    def connection_lost(self, error: Exception | None) -> None:
        self.is_lost, self._takes_calls = True, False
        if not self.ready.done():
            self.ready.set_exception(ConnectionResetError(f"{self.pod} closed the connection at once"))
        begun = self._begun.read()
        self._begun.close()
        begun.update(number for number in (*self._calls, *self._streams) if self._connection.has_head(number))
        calls, self._calls = self._calls, {}
        for number, reply in calls.items():
            reply.set_exception(self._lost(has_begun=number in begun))
        for number in list(self._streams):
            stream = self._pop_stream(number)
            if stream is not None:
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
        if message == FULL.description:
            error = NoRoomError(message)
        if is_unprocessed:
            error = self._lost(has_begun=False)
        reply = self._calls.pop(number, None)
        if reply is not None:
            reply.set_exception(error or HopError(f"{self.pod} ended a call without a reply"))
        stream = self._pop_stream(number)
        if stream is not None:
            stream.end(error)

    def _ended(self) -> None:
        if not self._calls and not self._streams:
            if self.on_idle is not None:
                self.on_idle()
            if self._is_closing:
                self._transport.close()

    def flush(self) -> None:
        self._is_flush_due = False
        if not self._is_aborted:  # calls that are cancelled afterwards have nobody to tell
            write_pieces(self._transport, self._connection.take_pieces())


def _expire(reply: Waiter[bytes]) -> None:
    reply.set_exception(TimeoutError())


async def connect(
    pod: str,
    socket_path: str,
    begun_path: str,
    *,
    on_lost: Callable[[HopChannel], None],
    renew_at: int = RENEW_AT,
    buffered: Buffered | None = None,
) -> HopChannel:
    """Connect to a worker that listens.

    Args:
        pod: The replica's name.
        socket_path: Where it listens.
        begun_path: Where it notes the calls that it has begun.
        on_lost: Called when the connection is lost, and when the worker says that it takes no new calls.
        renew_at: The stream number from which on the channel counts as worn.
        buffered: Counts replies that have come in part; a call whose reply there is no room for fails.

    Raises:
        OSError: It does not listen (any more).
    """
    loop = asyncio.get_running_loop()
    _, channel = await loop.create_unix_connection(
        lambda: HopChannel(pod, socket_path, begun_path, on_lost, renew_at, buffered), socket_path
    )
    try:
        await channel.ready
    except BaseException:
        channel.close()
        raise
    return channel
