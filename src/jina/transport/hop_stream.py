"""One streamed reply of a worker, as its reader in the front sees it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from jina.transport.hop import HopChannel

T = TypeVar("T")


class HopStream(Generic[T]):
    """What one streamed reply brings, in order."""

    def __init__(self, channel: HopChannel, number: int, read: Callable[[bytes], Sequence[T]], n_request_bytes: int) -> None:
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
        return self.take()

    def take(self) -> T | None:
        """Give the next item if it has come, else None; see `next`."""
        if not self._waiting:
            return None
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
