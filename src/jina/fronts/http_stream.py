"""One reply as server-sent events, written item by item as the handler makes them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from jina.call import Item
from jina.fronts import http_replies
from jina.wire import sse
from jina.wire.buffered import FULL

if TYPE_CHECKING:
    from jina.fronts.http_exchange import HttpExchange

_log = logging.getLogger("jina.http")
_MAX_GATHERED_BYTES = 65_536


class EventStream:
    """Writes the events of one reply; those of one turn of the loop leave together.

    Args:
        exchange: What it answers.
        loop: The running one.
        has_room: Whether an item of so many bytes may be held.
    """

    def __init__(self, exchange: HttpExchange, loop: asyncio.AbstractEventLoop, has_room: Callable[[int], bool]) -> None:
        self._exchange, self._loop, self._has_room = exchange, loop, has_room
        self._wrote_at = loop.time()
        self._gathered: list[bytes] = []
        self._n_gathered_bytes = 0

    def begin(self, lines: bytes) -> None:
        """Write the head; `lines` are further header fields."""
        self._exchange.begin(200, sse.HEADERS + lines)

    async def send(self, items: AsyncIterator[Item]) -> None:
        """Write all items, as fast as the caller reads; a failure is the last event, else `end` is."""
        is_failed, has_room, blocked = False, self._has_room, self._exchange.blocked
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

    def flush(self) -> None:
        """Send the gathered events."""
        events, self._gathered, self._n_gathered_bytes = b"".join(self._gathered), [], 0
        if events:
            self._exchange.write(events)
            self._wrote_at = self._loop.time()

    def _write(self, event: bytes) -> None:
        if not self._gathered:
            self._loop.call_soon(self.flush)
        self._gathered.append(event)
        self._n_gathered_bytes += len(event)


async def close_items(items: AsyncIterator[Item]) -> None:
    """Tell who makes the items that nobody reads on."""
    close = getattr(items, "aclose", None)
    if close is not None:
        await close()
