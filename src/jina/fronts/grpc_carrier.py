"""What a gRPC method asks of whatever carries its call (a connection of HTTP/2, or one request of gRPC-Web), and is told by it.

A call is known by its stream's number; where there is but one call, by any.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Protocol

from jina.codec.pieces import Message
from jina.wire.grpc import Metadata
from jina.wire.grpc_fields import Pairs

if TYPE_CHECKING:
    from jina.fronts.front import Front


class CarrierWire(Protocol):
    """Says things to the caller, and counts what is held for it. After a call's end all of it does nothing."""

    def reply(self, stream: int, message: Message, metadata: Metadata = ()) -> None:
        """Answer an unary call: the message, status OK with trailing `metadata`."""

    def send_message(self, stream: int, message: Message) -> None:
        """Send one message."""

    def send_status(self, stream: int, status: int, message: str = "", metadata: Metadata = ()) -> None:
        """End a call."""

    def refuse(self, stream: int, status: int, message: str, metadata: Pairs = ()) -> None:
        """End a call that nobody has read, and say which it was."""

    def hold(self, stream: int) -> None:
        """From now on the caller sends no further ahead than what is `consumed` allows."""

    def consumed(self, stream: int, n_bytes: int) -> None:
        """Messages of so many bytes were taken."""

    def count(self, stream: int, n_bytes: int) -> bool:
        """Count what is held for a call, until `uncount` or the call's end; False if that is too much."""

    def uncount(self, stream: int, n_bytes: int) -> None:
        """It is held no more."""


class Carrier(Protocol):
    """Carries calls."""

    @property
    def front(self) -> Front:
        """What all callers of the port share."""

    @property
    def wire(self) -> CarrierWire:
        """Where replies go."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """Where all of this runs."""

    def can_write(self, stream: int) -> bool:
        """Little is queued for this call; if not, the stream call hears `writable` later."""

    async def wait_writable(self, stream: int) -> None:
        """Wait until what is queued for this call has left."""

    def admits(self, n_bytes: int) -> bool:
        """Whether a reply of this size may be held."""

    def release(self, stream: int, data: bytes) -> None:
        """A message of a stream call is held no more."""

    def end(self, stream: int) -> None:
        """End a stream call in peace."""

    def gone(self, stream: int) -> None:
        """A stream call has ended with a failure that its caller was told."""

    def start_task(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a part of a stream call; the call owns the task."""

    def flush_soon(self) -> None:
        """Write what has gathered at the end of this turn of the loop."""


class ServerStreamCall(Protocol):
    """A call with a stream of requests, as its carrier sees it while it lasts."""

    def message(self, data: bytes) -> None:
        """Take one message of the caller's."""

    def half_close(self) -> None:
        """The caller sends no more."""

    def writable(self) -> None:
        """What was queued for the caller has left."""

    def cancelled(self) -> None:
        """The caller has left."""
