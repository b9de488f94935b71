"""One reply as server-sent events over HTTP/1.1, written item by item as the handler makes them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

from jina.call import Item
from jina.fronts import http_replies
from jina.wire import sse
from jina.wire.buffered import FULL

_log = logging.getLogger("jina.http")
_MAX_GATHERED_BYTES = 65_536
_HEADERS_OF_THE_LAST = sse.HEADERS.replace(b"connection: keep-alive", b"connection: close")


class EventStream:
    """Writes the events of one reply; those of one turn of the loop leave together.

    Args:
        transport: Where to.
        clock: Gives monotonic seconds.
        blocked: Gives what to wait for while the transport takes no more, or None.
        has_room: Whether an item of so many bytes may be held.
        is_chunked: False for HTTP/1.0, where the connection's end is the stream's.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        clock: Callable[[], float],
        blocked: Callable[[], asyncio.Future[None] | None],
        has_room: Callable[[int], bool],
        *,
        is_chunked: bool,
    ) -> None:
        self._transport, self._clock, self._blocked, self._is_chunked = transport, clock, blocked, is_chunked
        self._wrote_at, self._has_room = clock(), has_room
        self._gathered: list[bytes] = []
        self._n_gathered_bytes = 0

    def begin(self, lines: bytes, *, keep_alive: bool) -> None:
        """Write the head; `lines` are further header fields."""
        headers = sse.HEADERS if keep_alive else _HEADERS_OF_THE_LAST
        framing = b"transfer-encoding: chunked\r\n" if self._is_chunked else b""
        self._transport.write(b"HTTP/1.1 200 OK\r\n%b%b%b\r\n" % (headers, framing, lines))

    async def send(self, items: AsyncIterator[Item]) -> None:
        """Write all items, as fast as the caller reads; a failure is the last event, else `end` is."""
        is_failed, has_room, blocked = False, self._has_room, self._blocked
        try:
            async for item in items:
                is_failed = item.status is not None
                if item.status is not None:
                    self._write(sse.error(http_replies.failure(item.status)[1]))
                elif item.payload is not None and has_room(len(item.payload.data)):
                    self._write(sse.update(item.payload.data))
                elif item.payload is not None:
                    is_failed = True
                    self._write(sse.error(http_replies.failure(FULL)[1]))
                    break
                if self._n_gathered_bytes >= _MAX_GATHERED_BYTES:
                    self.flush()
                while (writable := blocked()) is not None:
                    await writable
        except Exception:
            _log.exception("a stream of a handler raised")
            is_failed = True
            self._write(sse.error(http_replies.detail_body("Internal Server Error")))
        if not is_failed:
            self._write(sse.END)

    def ping_if_quiet(self, now: float) -> None:
        """Write a comment if nothing was written for a while."""
        if now - self._wrote_at >= sse.PING_EVERY_S:
            self._write(sse.ping(str(datetime.now(UTC))))

    def end(self) -> None:
        """Write what ends the body."""
        self.flush()
        if self._is_chunked:
            self._transport.write(b"0\r\n\r\n")

    def flush(self) -> None:
        """Hand the gathered events to the transport."""
        events, self._gathered, self._n_gathered_bytes = b"".join(self._gathered), [], 0
        if events and not self._transport.is_closing():
            self._transport.write(b"%x\r\n%b\r\n" % (len(events), events) if self._is_chunked else events)
            self._wrote_at = self._clock()

    def _write(self, event: bytes) -> None:
        if not self._gathered:
            asyncio.get_running_loop().call_soon(self.flush)
        self._gathered.append(event)
        self._n_gathered_bytes += len(event)


async def close_items(items: AsyncIterator[Item]) -> None:
    """Tell who makes the items that nobody reads on."""
    close = getattr(items, "aclose", None)
    if close is not None:
        await close()
