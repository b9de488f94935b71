"""Calls as a client's channel begins them. Their owners override, or pass in, what is to happen. Everything here belongs to one loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from jina.wire import grpc
from jina.wire.grpc import ClientConnection, GrpcStatus, Metadata

if TYPE_CHECKING:
    from jina.transport.grpc_connection import GrpcConnection

_MAX_STARTS = 20


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
