"""Responses of default routes in a web app, and the caller that leaves before one is ready."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from jina.call import Item, Reply
from jina.fronts import http_replies
from jina.wire import sse

_log = logging.getLogger("jina.http")


def json_response(status: int, body: bytes, request_id: str = "", lines: bytes = b"", content_type: str = "application/json") -> Response:
    """Give a response with a body that is ready, and with further header lines as the HTTP front writes them."""
    response = Response(body, status)
    response.headers["content-type"] = content_type  # as it is: starlette adds a charset to text
    _add_headers(response, request_id, lines)
    return response


async def unless_gone(receive: Receive, call: Coroutine[Any, Any, Reply]) -> Reply | None:
    """Await a call, and cancel it if the caller leaves first; None then."""
    made = asyncio.ensure_future(call)
    if await _first_of(receive, made):
        return made.result()
    return None


class EventResponse(Response):
    """A streamed reply as server-sent events; a caller that leaves ends the stream at its source."""

    def __init__(self, items: AsyncIterator[Item], request_id: str, lines: bytes) -> None:
        super().__init__(None, 200)
        del self.headers["content-length"]
        self._items = items
        _add_headers(self, request_id, sse.HEADERS + lines)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        pings = asyncio.ensure_future(_ping(send))
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            written = asyncio.ensure_future(self._write(send))
            if await _first_of(receive, written):
                written.result()
        finally:
            pings.cancel()
            close = getattr(self._items, "aclose", None)
            if close is not None:
                await close()

    async def _write(self, send: Send) -> None:
        is_failed = False
        try:
            async for item in self._items:
                is_failed = item.status is not None
                if item.status is not None:
                    await _send(send, sse.error(http_replies.failure(item.status)[1]))
                elif item.payload is not None:
                    await _send(send, sse.update(item.payload.data))
        except Exception:
            _log.exception("a stream of a handler raised")
            is_failed = True
            await _send(send, sse.error(http_replies.detail_body("Internal Server Error")))
        if not is_failed:
            await _send(send, sse.END)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _first_of(receive: Receive, work: asyncio.Future[Any]) -> bool:
    """Wait until the work is done (True) or the caller has left (False). Work that nobody waits for any more is cancelled and awaited."""
    gone = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
        return work.done()
    finally:
        gone.cancel()
        if not work.done():
            work.cancel()
        await asyncio.gather(work, gone, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _ping(send: Send) -> None:
    """Keep proxies from closing a quiet stream."""
    while True:
        await asyncio.sleep(sse.PING_EVERY_S)
        await _send(send, sse.ping(str(datetime.now(UTC))))


async def _send(send: Send, event: bytes) -> None:
    await send({"type": "http.response.body", "body": event, "more_body": True})


def _add_headers(response: Response, request_id: str, lines: bytes) -> None:
    if request_id:
        response.headers["x-request-id"] = request_id
    for line in lines.decode("latin-1").split("\r\n"):
        name, separator, value = line.partition(": ")
        if separator:
            response.headers.append(name, value)
