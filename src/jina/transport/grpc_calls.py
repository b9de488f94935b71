"""Calls as a client's channel begins them. Their owners override, or pass in, what is to happen. Everything here belongs to one loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from jina.codec.pieces import Message
from jina.wire import grpc
from jina.wire.grpc import ClientConnection, GrpcStatus, Metadata

if TYPE_CHECKING:
    from jina.transport.grpc_connection import GrpcConnection


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
        n_refusals: How often the server refused it.
    """

    def __init__(self, block: bytes, timeout_s: float | None = None, encoding: str = "identity") -> None:
        self._block, self._encoding = block, encoding
        self._deadline = None if timeout_s is None else time.monotonic() + timeout_s
        self._timer: asyncio.TimerHandle | None = None
        self._connection: GrpcConnection | None = None
        self._stream = 0
        self.is_over = False
        self.n_refusals = 0
        self._refusal = ""

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

    def watch_deadline(self, loop: asyncio.AbstractEventLoop, awaited: Callable[[], str]) -> None:
        """End the call when its time is up; `awaited` tells what a call waits for that was not begun."""
        if self._deadline is not None:
            self._timer = loop.call_later(max(0.0, self._deadline - time.monotonic()), self._expire, awaited)

    def begin(self, connection: GrpcConnection) -> int:
        """Send it; gives the stream's number."""
        self._connection = connection
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
    def is_sent(self) -> bool:
        """A connection took it, so the server may have begun it, unless the end says otherwise."""
        return self._connection is not None

    @property
    def may_start_again(self) -> bool:
        """It can be begun once more: nothing came of it yet, and all that was sent is still here."""
        return not self.is_over

    def refused(self, reason: str) -> None:
        """The server did not begin it; another start follows."""
        self._connection = None
        self.n_refusals += 1
        self._refusal = reason

    def _send(self, wire: ClientConnection, block: bytes) -> int:
        raise NotImplementedError

    def _finish(self) -> None:
        self.is_over = True
        if self._timer is not None:
            self._timer.cancel()

    def _expire(self, awaited: Callable[[], str]) -> None:
        if self.is_over:
            return
        text = "Deadline Exceeded"
        if self.n_refusals:
            times = "once" if self.n_refusals == 1 else f"{self.n_refusals} times"
            text += f"; the server has refused the call {times}: {self._refusal}"
        elif self._connection is None:
            text += f" while the call waited for {awaited()}"
        self.cancel()
        self.on_end(CallEnd(GrpcStatus.DEADLINE_EXCEEDED, text))


class UnaryCall(ClientCall):
    """One message out, one message back: `on_done(message, end)`, the message None unless the status is OK."""

    def __init__(
        self,
        block: bytes,
        message: Message,
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
        self._sent: list[Message] = []  # until the server has begun the call: it may refuse it
        self._is_half_closed = self._is_begun = False

    def _send(self, wire: ClientConnection, block: bytes) -> int:
        stream = wire.start(block, self._encoding)
        wire.hold(stream)
        for message in self._sent:
            wire.send_message(stream, message)
        if self._is_half_closed:
            wire.half_close(stream)
        return stream

    @property
    def may_start_again(self) -> bool:
        return not self.is_over and not self._is_begun

    def begun(self) -> None:
        """The server has begun to answer."""
        self._is_begun = True
        self._sent.clear()

    def send(self, message: Message) -> None:
        """Send a message, at once or as soon as the call has begun."""
        if not self._is_begun:
            self._sent.append(message)
        if self._connection is not None and not self.is_over:
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
