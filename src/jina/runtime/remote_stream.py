"""A streamed reply of an executor elsewhere: its messages as they come, and the items that they are."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Self

from jina.call import Item, Status
from jina.codec.pieces import Message
from jina.errors import Code, JinaError
from jina.runtime.remote_peers import Peer
from jina.transport.grpc_calls import CallEnd, StreamCall


class RemoteStream(StreamCall):
    """One call of an endpoint that streams. What is not read here stops the service.

    Attributes:
        ended: How the call ended, once it has.
    """

    def __init__(self, peer: Peer, block: bytes, message: Message, timeout_s: float | None) -> None:
        """Send the call."""
        super().__init__(block, timeout_s=timeout_s)
        self._peer = peer
        self._waiting: deque[bytes] = deque()
        self._n_held_bytes = 0
        self._wake: asyncio.Future[None] | None = None
        self._is_counted = True
        self.ended: CallEnd | None = None
        self.send(message)
        self.half_close()
        peer.n_calls += 1
        peer.channel.start(self)

    async def next(self) -> bytes | None:
        """Give the next message; None once the call has `ended`."""
        while not self._waiting:
            if self.ended is not None:
                return None
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake
        data = self._waiting.popleft()
        if not self._waiting:  # the reader has caught up
            self.consumed(self._n_held_bytes)
            self._n_held_bytes = 0
        return data

    def leave(self) -> None:
        """Read no more: the service is told, unless the call has ended. May be called again."""
        self.cancel()
        if self._is_counted:
            self._is_counted = False
            self._peer.n_calls -= 1

    def on_message(self, data: bytes) -> None:
        self._waiting.append(data)
        self._n_held_bytes += len(data)
        self._rouse()

    def on_end(self, end: CallEnd) -> None:
        self.ended = end
        self._rouse()

    def _rouse(self) -> None:
        wake, self._wake = self._wake, None
        if wake is not None and not wake.done():
            wake.set_result(None)


class RemoteItems:
    """An async iterator of a stream's items; what breaks the stream off is its last one. Closing it leaves the call, begun or not."""

    def __init__(
        self, stream: RemoteStream, first: list[Item], read: Callable[[bytes], Awaitable[Item]], broken: Callable[[CallEnd], Status]
    ) -> None:
        """Go on with a stream.

        Args:
            stream: It.
            first: Items that were read already.
            read: Reads an item; raises JinaError if it cannot.
            broken: Says why the stream broke off.
        """
        self._stream, self._first, self._read, self._broken = stream, deque(first), read, broken
        self._is_over = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Item:
        if self._first:
            return self._first.popleft()
        if self._is_over:
            raise StopAsyncIteration
        try:
            data = await self._stream.next()
            if data is not None:
                return await self._read(data)
        except JinaError as error:
            await self.aclose()
            return Item(status=Status(Code.INTERNAL, f"an item of the stream cannot be read: {error}"))
        except BaseException:
            await self.aclose()
            raise
        await self.aclose()
        ended = self._stream.ended
        if ended is not None and ended.status:
            return Item(status=self._broken(ended))
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Leave the call."""
        self._is_over = True
        self._stream.leave()
