"""One HTTP connection: an asyncio protocol around the sans-IO core, with one `Run` at a time for the request that is being answered.

Requests of a connection are answered one after the other, in order; the next ones wait in a bounded queue. A caller that leaves (or
closes its sending side, as most clients do when they leave) cancels it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from jina.call import Call, EndpointInfo, Item, Status
from jina.fronts import http_calls, http_replies, http_routes
from jina.fronts.http_calls import Note
from jina.fronts.http_replies import JSON
from jina.fronts.http_stream import EventStream, close_items
from jina.fronts.unsent import Unsent
from jina.transport.run import Run
from jina.wire.buffered import FULL, SMALL
from jina.wire.envelope import Envelope, EnvelopeError
from jina.wire.http import CONTINUE, Refusal, Request, ServerConnection

if TYPE_CHECKING:
    from jina.fronts.http import HttpFront

_log = logging.getLogger("jina.http")
_FRESH_S = 0.3
_LINGER_S = 0.2
_HEAR_S = 1.0
"""How long a refused caller may go on sending what nobody reads: a reset would overtake the reply that says why."""
_JOIN_BELOW = 64 << 10


class Connection(asyncio.Protocol):
    """See the module's docstring."""

    def __init__(self, front: HttpFront) -> None:
        self._front = front
        self._loop = asyncio.get_running_loop()
        self._queue: deque[Request | Refusal] = deque()
        self._task: Run | None = None
        self._request: Request | None = None
        self._request_id = ""
        self._writable: asyncio.Future[None] | None = None
        self._is_paused = self._is_closing = self._is_serving = self._is_in_task = False
        self._stream: EventStream | None = None

    # --- what asyncio calls ----------------------------------------------------------------------------------------------------------

    _is_used = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._core = ServerConnection(self._front.limits, self._front.heads, self._loop.time(), self._front.buffered)
        self._unsent = Unsent(self._transport, self._front.buffered)
        self._opened_at = self._loop.time()
        self._front.opened(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._is_closing = True
        self._forget_queue()
        self._core.drop()
        self._unsent.rest()
        if self._request is not None:
            self._release(self._request)
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
            self._is_used = True
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
        self._unsent.watch(self._loop.time())

    def resume_writing(self) -> None:
        writable, self._writable = self._writable, None
        if not self._is_closing:
            self._unsent.rest()
        if writable is not None and not writable.done():
            writable.set_result(None)
        if self._request is None and self._queue:
            self._serve()

    # --- what the front calls ----------------------------------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Look at the clock: once a second for all connections."""
        if self._unsent.is_stalled(now, self._front.options.write_timeout_s):
            self._transport.abort()
        elif self._is_closing:
            return
        elif self._stream is not None:
            if self._writable is None:
                self._stream.ping_if_quiet(now)
        elif self._request is None and not self._queue:
            if self._core.is_idle_too_long(now):
                self._close()
            else:
                refusal = self._core.check(now)
                if refusal is not None:
                    self._refuse(refusal)

    def close_if_idle(self) -> None:
        """Close unless a request, or part of one, is held; the first one of a fresh connection may be on its way."""
        if self._is_closing:
            self._loop.call_later(_LINGER_S, self._let_go)
            return
        if self._request is not None or self._queue or not self._core.is_idle:
            return
        left_s = 0.0 if self._is_used else self._opened_at + _FRESH_S - self._loop.time()
        if left_s > 0:
            self._loop.call_later(left_s, self.close_if_idle)
        else:
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
        self._stream = None
        if request is not None and request.n_counted:
            self._release(request)
        if self._is_closing:
            return
        if (request is not None and not request.keep_alive) or (self._front.is_draining and not self._queue):
            self._close()
        else:
            self._core.replied(self._loop.time())

    def _close(self) -> None:
        self._is_closing = True
        self._forget_queue()
        self._unsent.watch(self._loop.time())  # the write timeout counts for whatever has not left
        self._transport.close()
        if self._front.is_draining:
            self._loop.call_later(_LINGER_S, self._let_go)

    def _forget_queue(self) -> None:
        for event in self._queue:
            if isinstance(event, Request):
                self._release(event)
        self._queue.clear()

    def _release(self, request: Request) -> None:
        """The request's body is not held any more."""
        self._front.buffered.give_back(request.n_counted)
        request.n_counted = 0

    def _let_go(self) -> None:
        """Do not wait for a caller that has got everything and does not close its side of TLS."""
        if not self._transport.get_write_buffer_size():
            self._transport.abort()

    def _refuse(self, refusal: Refusal) -> None:
        self._request_id = self._front.ids.request_id()
        lines = b"retry-after: 1\r\n" if refusal.status == 503 else b""
        self._write(refusal.status, http_replies.detail_body(refusal.detail), lines, keep_alive=False)
        if self._transport.can_write_eof():
            self._is_closing = True
            self._transport.write_eof()
            self._transport.resume_reading()
            self._loop.call_later(_HEAR_S, self._close)
        else:
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
        if front.guard is None or http_routes.is_open(request, front.options.cors):
            self._route(request, note)
        else:
            verdict = front.guard(request.head.headers)
            if verdict is None or isinstance(verdict, Status):
                self._judged(request, note, verdict)
            else:
                self._start(partial(self._judge, request, note, verdict))

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
        raw_path, _, query = request.target.partition(b"?")
        found = http_routes.find(self._front, request, note, raw_path)
        if isinstance(found, EndpointInfo):
            self._begin_call(request, found, note, query.decode("latin-1"))
        else:
            self._answer(*found)

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
        self._start(partial(self._call, request, call, found))

    def _start(self, handle: Callable[[], Awaitable[None]]) -> None:
        if self._is_in_task:  # the task that asked the guard goes on with the call
            self._next = handle
            return
        self._task = Run(self._run(handle), self._loop)
        self._task.start(needs_task=self._front.needs_task)

    _next: Callable[[], Awaitable[None]] | None = None

    async def _run(self, handle: Callable[[], Awaitable[None]]) -> None:
        self._is_in_task = True
        try:
            await handle()
            while self._next is not None:
                handle, self._next = self._next, None
                await handle()
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
        if self._stream is not None:
            self._transport.abort()
        else:
            self._answer(500, http_replies.detail_body("Internal Server Error"))

    async def _call(self, request: Request, call: Call, found: Envelope) -> None:
        front = self._front
        reply = await front.handler(call)
        if request.n_counted:
            self._release(request)
        if self._is_closing:
            if reply.items is not None:
                await close_items(reply.items)
        elif reply.status is not None:
            prefix = ("body",) if found.is_bare else ("body", "data")
            self._answer(*http_replies.failure(reply.status, prefix))
        elif reply.items is not None:
            await self._send_stream(reply.items, http_replies.header_lines(reply.headers))
        else:
            header = {"requestId": call.request_id, "targetExecutor": ""} if front.options.has_header else None
            lines = http_replies.header_lines(reply.headers) if reply.headers else b""
            body = http_replies.documents_body(reply, header)
            if len(body) <= SMALL or front.buffered.has_room(len(body)):
                self._answer(200, body, lines)
            else:
                self._answer(*http_replies.failure(FULL))

    async def _send_stream(self, items: AsyncIterator[Item], lines: bytes) -> None:
        request = cast("Request", self._request)
        if self._front.options.cors:
            lines += http_replies.cors_lines(request)
        if request.is_http_10 or self._front.is_draining:
            request.keep_alive = False
        lines = b"date: %b\r\nx-request-id: %b\r\n%b" % (self._front.date, self._request_id.encode(), lines)
        has_room = self._front.buffered.has_room
        self._stream = EventStream(self._transport, self._loop.time, lambda: self._writable, has_room, is_chunked=not request.is_http_10)
        try:
            self._stream.begin(lines, keep_alive=request.keep_alive)
            await self._stream.send(items)
        finally:
            await close_items(items)
        if not self._is_closing:
            self._stream.end()
            self._finish()

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
            lines += http_replies.cors_lines(request)
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
