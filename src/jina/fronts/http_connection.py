"""One HTTP connection: an asyncio protocol around the sans-IO core, with one task at a time for the request that is being answered.

Requests of a connection are answered one after the other, in order; the next ones wait in a bounded queue. A caller that leaves (or
closes its sending side, as most clients do when they leave) cancels the task.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import deque
from collections.abc import AsyncIterator, Coroutine
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from jina.call import Call, EndpointInfo, Item, Reply, Status
from jina.fronts import http_calls, http_replies
from jina.fronts.http_calls import Note
from jina.fronts.http_replies import JSON
from jina.wire import sse
from jina.wire.envelope import Envelope, EnvelopeError
from jina.wire.http import CONTINUE, Refusal, Request, ServerConnection

if TYPE_CHECKING:
    from jina.fronts.http import HttpFront

_log = logging.getLogger("jina.http")
_JOIN_BELOW = 64 << 10
_ALLOWED_METHODS = b"DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"


class Connection(asyncio.Protocol):
    """See the module's docstring."""

    def __init__(self, front: HttpFront) -> None:
        self._front = front
        self._loop = asyncio.get_running_loop()
        self._queue: deque[Request | Refusal] = deque()
        self._task: asyncio.Task[None] | None = None
        self._request: Request | None = None
        self._request_id = ""
        self._writable: asyncio.Future[None] | None = None
        self._is_paused = self._is_closing = self._is_serving = self._is_in_task = False
        self._stream_at: float | None = None
        self._stalled_since: float | None = None
        self._n_stalled_bytes = 0

    # --- what asyncio calls ----------------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._core = ServerConnection(self._front.limits, self._front.heads, self._loop.time())
        self._front.opened(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._is_closing = True
        self._queue.clear()
        if self._task is not None:
            self._task.cancel()
        if self._writable is not None and not self._writable.done():
            self._writable.cancel()
        self._front.closed(self)

    def eof_received(self) -> bool:
        return False

    def data_received(self, data: bytes) -> None:
        core = self._core
        events = core.receive(data, self._loop.time())
        if events:
            self._queue.extend(events)
            if self._request is None:
                self._serve()
            if len(self._queue) >= self._front.options.max_pipelined and not self._is_paused:
                self._is_paused = True
                self._transport.pause_reading()
        if core.wants_continue and self._request is None and not self._queue:
            core.wants_continue = False
            self._transport.write(CONTINUE)

    def pause_writing(self) -> None:
        self._writable = self._loop.create_future()
        self._stalled_since, self._n_stalled_bytes = self._loop.time(), self._transport.get_write_buffer_size()

    def resume_writing(self) -> None:
        writable, self._writable, self._stalled_since = self._writable, None, None
        if writable is not None and not writable.done():
            writable.set_result(None)
        if self._request is None and self._queue:
            self._serve()

    # --- what the front calls ----------------------------------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Look at the clock: once a second for all connections."""
        if self._stalled_since is not None and self._is_stalled(now):
            self._transport.abort()
        elif self._stream_at is not None:
            if now - self._stream_at >= sse.PING_EVERY_S and self._writable is None:
                self._write_event(sse.ping(str(datetime.now(UTC))))
        elif self._request is None and not self._queue:
            if self._core.is_idle_too_long(now):
                self._close()
            else:
                refusal = self._core.check(now)
                if refusal is not None:
                    self._refuse(refusal)

    def _is_stalled(self, now: float) -> bool:
        """Whether the caller has taken nothing for too long; one that reads slowly is waited for."""
        limit, n_bytes = self._front.options.write_timeout_s, self._transport.get_write_buffer_size()
        if n_bytes < self._n_stalled_bytes:
            self._stalled_since, self._n_stalled_bytes = now, n_bytes
        return limit is not None and now - cast("float", self._stalled_since) > limit

    def close_if_idle(self) -> None:
        """Close unless a request, or part of one, is held."""
        if self._request is None and not self._queue and self._core.is_idle:
            self._close()

    # --- one request after the other -----------------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        if self._is_serving:
            return  # an answer that was ready at once: the loop below, further up the stack, goes on
        self._is_serving = True
        try:
            self._serve_queue()
        finally:
            self._is_serving = False

    def _serve_queue(self) -> None:
        queue = self._queue
        while queue and self._request is None and self._writable is None and not self._is_closing:
            event = queue.popleft()
            if event.__class__ is Refusal:
                self._refuse(event)
                return
            self._request = request = cast("Request", event)
            self._begin(request)
        if self._is_paused and len(queue) < self._front.options.max_pipelined and not self._is_closing:
            self._is_paused = False
            self._transport.resume_reading()
        if self._core.wants_continue and self._request is None and not queue:
            self._core.wants_continue = False
            self._transport.write(CONTINUE)

    def _finish(self) -> None:
        """The reply to the current request is written."""
        request, self._request, self._request_id = self._request, None, ""
        self._stream_at = None
        if self._is_closing:
            return
        if (request is not None and not request.keep_alive) or (self._front.is_draining and not self._queue):
            self._close()
        else:
            self._core.replied(self._loop.time())

    def _close(self) -> None:
        self._is_closing = True
        self._queue.clear()
        self._transport.close()

    def _refuse(self, refusal: Refusal) -> None:
        self._request_id = self._front.ids.request_id()
        self._write(refusal.status, http_replies.detail_body(refusal.detail), keep_alive=False)
        self._close()

    def _begin(self, request: Request) -> None:
        """Answer a request at once, or start the task that will."""
        front = self._front
        note = http_calls.note_of(request.head)
        self._request_id = note.request_id
        if front.guard is None and request.method == b"POST" and not note.problem:
            info = front.batch_routes.get(request.target)
            if info is not None:
                self._begin_call(request, info, note, "")
                return
        if front.guard is None or _is_open(request, front.options.cors):
            self._route(request, note)
        else:
            verdict = front.guard(request.head.headers)
            if verdict is None or isinstance(verdict, Status):
                self._judged(request, note, verdict)
            else:
                self._start(self._judge(request, note, verdict))

    async def _judge(self, request: Request, note: Note, verdict: Any) -> None:
        status = await verdict
        self._judged(request, note, status)

    def _judged(self, request: Request, note: Note, status: Status | None) -> None:
        if status is None:
            self._route(request, note)
        else:
            number, body, lines = http_replies.failure(status)
            self._answer(number, body, lines)

    def _route(self, request: Request, note: Note) -> None:
        front, method = self._front, request.method
        raw_path, _, query = request.target.partition(b"?")
        if front.options.cors and method == b"OPTIONS" and "access-control-request-method" in request.head.headers:
            self._preflight(request)
            return
        if note.problem:
            self._answer(400, http_replies.detail_body(note.problem))
            return
        path = _path(raw_path)
        info = front.routes.get(path) or front.routes.get(path.rstrip("/"))
        if path == "/":
            self._health(method)
        elif (page := front.page(path)) is not None:
            if method in (b"GET", b"HEAD"):
                self._answer(200, page[2], page[1], page[0])
            else:
                self._not_allowed(b"GET, HEAD")
        elif info is None:
            self._answer(404, http_replies.encode(front.not_found(path)))
        elif method == b"POST" or (method == b"GET" and info.kind == "stream"):
            self._begin_call(request, info, note, query.decode("latin-1"))
        else:
            self._not_allowed(b"GET, POST" if info.kind == "stream" else b"POST")

    def _health(self, method: bytes) -> None:
        if method not in (b"GET", b"HEAD"):
            self._not_allowed(b"GET, HEAD")
        elif self._front.is_ready():
            self._answer(200, b"{}")
        else:
            self._answer(503, http_replies.detail_body("not ready"), b"retry-after: 1\r\n")

    def _not_allowed(self, allowed: bytes) -> None:
        self._answer(405, http_replies.detail_body("Method Not Allowed"), b"allow: %b\r\n" % allowed)

    def _preflight(self, request: Request) -> None:
        headers = request.head.headers
        wanted = headers.get("access-control-request-headers", "*").encode("latin-1")
        lines = b"access-control-allow-methods: %b\r\naccess-control-max-age: 600\r\naccess-control-allow-headers: %b\r\n"
        self._answer(200, b"OK", lines % (_ALLOWED_METHODS, wanted), b"text/plain; charset=utf-8")

    # --- calls -----------------------------------------------------------------------------------------------------------------------

    def _begin_call(self, request: Request, info: EndpointInfo, note: Note, query: str) -> None:
        front = self._front
        try:
            found = http_calls.read(info, request.body, query, is_get=request.method == b"GET")
        except EnvelopeError as error:
            self._answer(*http_replies.envelope_failure(error))
            return
        request.body = b""
        self._request_id = found.request_id or note.request_id or front.ids.request_id()
        call = http_calls.make_call(info, found, request.head, note, self._request_id, self._loop.time(), front.ids.call_id())
        self._start(self._call(call, found))

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        if self._is_in_task:  # the task that asked the guard goes on with the call
            self._next = coroutine
            return
        if sys.version_info >= (3, 12):
            task = asyncio.Task(self._run(coroutine), loop=self._loop, eager_start=True)
        else:
            task = self._loop.create_task(self._run(coroutine))
        if not task.done():
            self._task = task

    _next: Coroutine[Any, Any, None] | None = None

    async def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._is_in_task = True
        try:
            await coroutine
            while self._next is not None:
                coroutine, self._next = self._next, None
                await coroutine
        except asyncio.CancelledError:
            if not self._is_closing:
                self._transport.abort()
        except Exception:
            _log.exception("a handler raised instead of answering")
            self._fail()
        self._task, self._is_in_task = None, False
        if self._request is None and self._queue:
            self._serve()

    def _fail(self) -> None:
        if self._request is None or self._is_closing:
            return
        if self._stream_at is not None:
            self._transport.abort()
        else:
            self._answer(500, http_replies.detail_body("Internal Server Error"))

    async def _call(self, call: Call, found: Envelope) -> None:
        front = self._front
        reply = await front.handler(call)
        if self._is_closing:
            if reply.items is not None:
                await _close_items(reply.items)
        elif reply.status is not None:
            prefix = ("body",) if found.is_bare else ("body", "data")
            self._answer(*http_replies.failure(reply.status, prefix))
        elif reply.items is not None:
            await self._stream(reply)
        else:
            header = {"requestId": call.request_id, "targetExecutor": ""} if front.options.has_header else None
            lines = http_replies.header_lines(reply.headers) if reply.headers else b""
            self._answer(200, http_replies.documents_body(reply, header), lines)

    async def _stream(self, reply: Reply) -> None:
        items = cast("AsyncIterator[Item]", reply.items)
        try:
            self._write_stream_head(http_replies.header_lines(reply.headers))
            await self._write_items(items)
        finally:
            await _close_items(items)
        if not self._is_closing:
            if not self._is_http_10:
                self._transport.write(b"0\r\n\r\n")
            self._finish()

    async def _write_items(self, items: AsyncIterator[Item]) -> None:
        is_failed = False
        try:
            async for item in items:
                is_failed = item.status is not None
                if item.status is not None:
                    self._write_event(sse.error(http_replies.failure(item.status)[1]))
                elif item.payload is not None:
                    self._write_event(sse.update(item.payload.data))
                while self._writable is not None:
                    await self._writable
        except Exception:
            _log.exception("a stream of a handler raised")
            is_failed = True
            self._write_event(sse.error(http_replies.detail_body("Internal Server Error")))
        if not is_failed:
            self._write_event(sse.END)

    # --- writing ---------------------------------------------------------------------------------------------------------------------

    def _answer(self, status: int, body: bytes, lines: bytes = b"", content_type: bytes = JSON) -> None:
        request = self._request
        assert request is not None
        if not self._request_id:
            self._request_id = self._front.ids.request_id()
        if self._front.is_draining and not self._queue:
            request.keep_alive = False
        self._write(status, body, lines, content_type, keep_alive=request.keep_alive)
        self._finish()

    def _write(self, status: int, body: bytes, lines: bytes = b"", content_type: bytes = JSON, *, keep_alive: bool) -> None:
        if self._is_closing:
            return
        request = self._request
        if self._front.options.cors and request is not None:
            lines += _cors_lines(request)
        if not keep_alive:
            lines += b"connection: close\r\n"
        elif request is not None and request.is_http_10:
            lines += b"connection: keep-alive\r\n"
        head = b"%bdate: %b\r\ncontent-type: %b\r\nx-request-id: %b\r\n%bcontent-length: %d\r\n\r\n" % (
            http_replies.status_line(status),
            self._front.date,
            content_type,
            self._request_id.encode(),
            lines,
            len(body),
        )
        if request is not None and request.method == b"HEAD":
            self._transport.write(head)
        elif len(body) < _JOIN_BELOW:
            self._transport.write(head + body)
        else:
            self._transport.writelines((head, body))

    def _write_stream_head(self, lines: bytes) -> None:
        request = cast("Request", self._request)
        if self._front.options.cors:
            lines += _cors_lines(request)
        self._is_http_10 = request.is_http_10
        if request.is_http_10 or self._front.is_draining:
            request.keep_alive = False
        headers = sse.HEADERS if request.keep_alive else sse.HEADERS.replace(b"connection: keep-alive", b"connection: close")
        framing = b"" if request.is_http_10 else b"transfer-encoding: chunked\r\n"
        self._transport.write(
            b"HTTP/1.1 200 OK\r\ndate: %b\r\n%b%bx-request-id: %b\r\n%b\r\n"
            % (self._front.date, headers, framing, self._request_id.encode(), lines)
        )
        self._stream_at = self._loop.time()

    _is_http_10 = False

    def _write_event(self, event: bytes) -> None:
        if not self._is_closing:
            self._transport.write(event if self._is_http_10 else b"%x\r\n%b\r\n" % (len(event), event))
            self._stream_at = self._loop.time()


def _is_open(request: Request, has_cors: bool) -> bool:
    """Whether a request needs no key: health, and the question of a browser that may not send one yet."""
    if request.target == b"/" and request.method in (b"GET", b"HEAD"):
        return True
    return has_cors and request.method == b"OPTIONS" and "access-control-request-method" in request.head.headers


def _path(raw: bytes) -> str:
    if b"%" not in raw:
        return raw.decode("latin-1")
    from urllib.parse import unquote_to_bytes

    return unquote_to_bytes(raw).decode("utf-8", "replace")


def _cors_lines(request: Request) -> bytes:
    origin = request.head.headers.get("origin")
    if origin is None:
        return b""
    origin_bytes = origin.encode("latin-1")
    return b"access-control-allow-origin: %b\r\naccess-control-allow-credentials: true\r\nvary: origin\r\n" % origin_bytes


async def _close_items(items: AsyncIterator[Item]) -> None:
    close = getattr(items, "aclose", None)
    if close is not None:
        await close()
