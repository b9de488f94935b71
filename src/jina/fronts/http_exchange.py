"""One HTTP request and its response, whatever carries them: from the guard and the routes to the Call, and back.

What writes the response is a `Responder`: an HTTP/1.1 connection, which answers one request after the other with one HttpExchange, or a
stream of an HTTP/2 connection.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from jina.call import Call, EndpointInfo, Item, Status
from jina.fronts import http_calls, http_replies, http_routes
from jina.fronts.dry_run import dry_run
from jina.fronts.http_calls import Note
from jina.fronts.http_replies import JSON
from jina.fronts.http_site import FlowRoute
from jina.fronts.http_stream import EventStream, close_items
from jina.transport.run import Run
from jina.wire.buffered import FULL, SMALL
from jina.wire.content_coding import CodingError
from jina.wire.envelope import Envelope, EnvelopeError
from jina.wire.http_requests import Request
from jina.wire.websocket_handshake import Refused

if TYPE_CHECKING:
    from jina.fronts.front import Front
    from jina.fronts.http1_connection import Session

_log = logging.getLogger("jina.http")


class Responder(Protocol):
    """What writes the response to one request. Header lines are `name: value`, names in lower case, each with its CRLF."""

    def respond(self, exchange: HttpExchange, status: int, body: bytes, lines: bytes, content_type: bytes) -> None:
        """Write a whole response."""

    def begin(self, exchange: HttpExchange, status: int, lines: bytes) -> None:
        """Write the head of a response whose body is written piece by piece."""

    def write(self, data: bytes) -> None:
        """Write a piece of the body."""

    def end(self, trailers: bytes) -> None:
        """Write what ends the body."""

    def blocked(self) -> asyncio.Future[None] | None:
        """Give what to wait for while the caller takes no more."""

    def abort(self) -> None:
        """End a response that cannot be finished; of a channel, close at once."""

    def upgrade(self, lines: bytes, session: Session) -> None:
        """Change to another protocol: from now on this is the channel of `session`; `lines` are header fields."""

    def close(self) -> None:
        """Of a channel: close when everything has left."""

    def pause_reading(self) -> None:
        """Of a channel: give no more bytes until `resume_reading`."""

    def resume_reading(self) -> None:
        """Of a channel: give bytes again."""

    def finished(self, request: Request) -> None:
        """The response is written."""

    def idle(self) -> None:
        """Nothing of the request is under way any more."""


class HttpExchange:
    """One request at a time, and its response.

    Attributes:
        request: The one that is being answered.
        request_id: What its reply says of it.
        is_gone: Its caller has left.
    """

    __slots__ = (
        *("_front", "_has_begun", "_is_in_run", "_loop", "_next", "_responder", "_run", "_stream"),
        *("is_gone", "request", "request_id"),
    )

    def __init__(self, front: Front, responder: Responder, loop: asyncio.AbstractEventLoop) -> None:
        """Answer requests as `front` does, through `responder`."""
        self._front, self._responder, self._loop = front, responder, loop
        self.request: Request | None = None
        self.request_id = ""
        self.is_gone = self._has_begun = self._is_in_run = False
        self._run: Run | None = None
        self._next: Callable[[], Awaitable[None]] | None = None
        self._stream: EventStream | None = None

    def serve(self, request: Request) -> None:
        """Answer a request at once, or start what will."""
        front, self.request = self._front, request
        note = http_calls.note_of(request.head)
        self.request_id = note.request_id
        if front.guard is None and request.method == b"POST" and not note.problem:
            info = front.site.batch_routes.get(request.target)
            if info is not None:
                self._begin_call(request, info, note, "")
                return
        if request.method == b"POST" and request.head.headers.get("content-type", "")[:20].lower() == "application/grpc-web":
            from jina.fronts import grpc_web

            if front.has_http and grpc_web.is_grpc_web(request.head.headers["content-type"]):
                grpc_web.serve(front, self, request)
                return
        if front.guard is None or http_routes.is_open(request, front.options.cors):
            self._route(request, note)
        else:
            verdict = front.guard(request.head.headers)
            if verdict is None or isinstance(verdict, Status):
                self._judged(request, note, verdict)
            else:
                self.start(self._judge, request, note, verdict)

    def refusal(self, request: Request) -> http_routes.Answer | None:
        """Give what is answered to a request whatever its body; None if that decides, or if it takes time to find out."""
        front, note = self._front, http_calls.note_of(request.head)
        if request.head.headers.get("content-type", "").startswith("application/grpc"):
            return None
        if front.guard is not None and not http_routes.is_open(request, front.options.cors):
            verdict = front.guard(request.head.headers)
            if isinstance(verdict, Status):
                return *http_replies.failure(verdict), JSON
            if verdict is not None:
                if inspect.iscoroutine(verdict):
                    verdict.close()
                return None
        found = http_routes.find(front, request, note, request.target.partition(b"?")[0])
        return found if isinstance(found, tuple) else None

    def leave(self) -> None:
        """Stop: the caller has left."""
        self.is_gone = True
        if self.request is not None:
            self.release(self.request)
        if self._run is not None:
            self._run.cancel()

    def tick(self, now: float) -> None:
        """Look at the clock: a stream on which nothing was written for a while tells that it is alive."""
        if self._stream is not None and self._responder.blocked() is None:
            self._stream.ping_if_quiet(now)

    def release(self, request: Request) -> None:
        """The request's body is not held any more."""
        self._front.buffered.give_back(request.n_counted)
        request.n_counted = 0

    def answer(self, status: int, body: bytes, lines: bytes = b"", content_type: bytes = JSON) -> None:
        """Send a whole response; `lines` are further header fields."""
        if self.request is None or self.is_gone:
            return
        if not self.request_id:
            self.request_id = self._front.ids.request_id()
        if self._front.options.cors:
            lines += http_replies.cors_lines(self.request.head)
        self._responder.respond(self, status, body, lines, content_type)
        self._finish()

    def begin(self, status: int, lines: bytes) -> None:
        """Send the head of a response whose body follows piece by piece; `lines` name its content type."""
        assert self.request is not None
        if not self.request_id:
            self.request_id = self._front.ids.request_id()
        if self._front.options.cors:
            lines += http_replies.cors_lines(self.request.head)
        fixed = b"date: %b\r\nx-request-id: %b\r\n" % (self._front.date, self.request_id.encode())
        self._has_begun = True
        self._responder.begin(self, status, fixed + lines)

    def write(self, data: bytes) -> None:
        """Send a piece of the body."""
        if not self.is_gone:
            self._responder.write(data)

    def end(self, trailers: bytes = b"") -> None:
        """Send what ends the body; `trailers` as header lines."""
        if not self.is_gone:
            self._responder.end(trailers)
            self._finish()

    def blocked(self) -> asyncio.Future[None] | None:
        """Give what to wait for while the caller takes no more, or None."""
        return self._responder.blocked()

    def start(self, handle: Callable[..., Awaitable[None]], *given: Any) -> None:
        """Run what answers the request; it ends when the caller leaves."""
        if self._is_in_run:  # what asked the guard goes on with the call
            self._next = partial(handle, *given)
            return
        self._run = Run(self._handle(handle, *given), self._loop)
        self._run.start(needs_task=self._front.needs_task)

    async def _handle(self, handle: Callable[..., Awaitable[None]], *given: Any) -> None:
        self._is_in_run = True
        try:
            await handle(*given)
            while self._next is not None:
                handle, self._next = self._next, None
                await handle()
        except asyncio.CancelledError:
            if not self.is_gone:
                self._responder.abort()
        except Exception:
            _log.exception("a handler raised instead of answering")
            if self._has_begun:
                self._responder.abort()
            else:
                self.answer(500, http_replies.detail_body("Internal Server Error"))
        self._run, self._is_in_run = None, False
        self._responder.idle()

    async def _judge(self, request: Request, note: Note, verdict: Any) -> None:
        self._judged(request, note, await verdict)

    def _judged(self, request: Request, note: Note, status: Status | None) -> None:
        if status is None:
            self._route(request, note)
        else:
            self.answer(*http_replies.failure(status))

    def _route(self, request: Request, note: Note) -> None:
        if request.is_upgrade and self._front.has_websocket:
            self._upgrade(request, note)
            return
        raw_path, _, query = request.target.partition(b"?")
        found = http_routes.find(self._front, request, note, raw_path)
        if isinstance(found, EndpointInfo):
            self._begin_call(request, found, note, query.decode("latin-1"))
        elif found is FlowRoute.POST:
            self._begin_call(request, None, note, "")
        elif found is FlowRoute.DRY_RUN:
            self.start(self._dry_run, note)
        else:
            self.answer(*found)

    def _upgrade(self, request: Request, note: Note) -> None:
        from jina.fronts.websocket import open_session

        found = open_session(self._front, request, note, self._responder)
        if isinstance(found, Refused):
            self.answer(found.status, http_replies.detail_body(found.detail), found.lines)
        else:
            self._responder.upgrade(*found)

    async def _dry_run(self, note: Note) -> None:
        deadline = None if note.timeout_s is None else self._loop.time() + note.timeout_s
        self.request_id = self.request_id or self._front.ids.request_id()
        reply = await self._front.handler(dry_run(self.request_id, deadline))
        self.answer(200, http_replies.status_body(reply.status))

    def _begin_call(self, request: Request, info: EndpointInfo | None, note: Note, query: str) -> None:
        if note.codings and request.body:
            self.start(self._unfold, request, info, note, query)
        else:
            self._make_call(request, info, note, query)

    async def _unfold(self, request: Request, info: EndpointInfo | None, note: Note, query: str) -> None:
        front = self._front
        try:
            body, n_counted = await http_calls.unfolded(request.body, note.codings, front.options.max_body_bytes, front.buffered)
        except CodingError as error:
            self.answer(error.status, http_replies.detail_body(str(error)), http_replies.lines_for(error.status))
            return
        self.release(request)
        request.body, request.n_counted = body, n_counted
        self._make_call(request, info, note, query)

    def _make_call(self, request: Request, info: EndpointInfo | None, note: Note, query: str) -> None:
        ids = self._front.ids
        try:
            if info is None:
                info, found = http_calls.read_named(self._front.by_path, request.body)
            else:
                found = http_calls.read(info, request.body, query, is_get=request.method == b"GET")
        except EnvelopeError as error:
            self.answer(*http_replies.envelope_failure(error))
            return
        request.body = b""
        self.request_id = found.request_id or note.request_id or ids.request_id()
        call = http_calls.make_call(info, found, request.head, note, self.request_id, self._loop.time(), ids.call_id())
        self.start(self._call, request, call, found)

    async def _call(self, request: Request, call: Call, found: Envelope) -> None:
        front = self._front
        reply = await front.handler(call)
        if request.n_counted:
            self.release(request)
        if self.is_gone:
            if reply.items is not None:
                await close_items(reply.items)
        elif reply.status is not None:
            prefix = ("body",) if found.is_bare else ("body", "data")
            self.answer(*http_replies.failure(reply.status, prefix, call.request_id if front.options.is_flow else ""))
        elif reply.items is not None:
            await self._send_events(reply.items, http_replies.header_lines(reply.headers))
        else:
            header = {"requestId": call.request_id, "targetExecutor": ""} if front.options.is_flow else None
            lines = http_replies.header_lines(reply.headers) if reply.headers else b""
            body = http_replies.documents_body(reply, header)
            if len(body) <= SMALL or front.buffered.has_room(len(body)):
                self.answer(200, body, lines)
            else:
                self.answer(*http_replies.failure(FULL))

    async def _send_events(self, items: AsyncIterator[Item], lines: bytes) -> None:
        self._stream = EventStream(self, self._loop, self._front.buffered.has_room)
        try:
            self._stream.begin(lines)
            await self._stream.send(items)
        finally:
            await close_items(items)
        self._stream.flush()
        self.end()

    def _finish(self) -> None:
        request, self.request, self.request_id = self.request, None, ""
        self._stream, self._has_begun = None, False
        assert request is not None
        if request.n_counted:
            self.release(request)
        self._responder.finished(request)
