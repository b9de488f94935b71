"""gRPC-Web: gRPC's calls for browsers, each in the body of an HTTP request and of its response (gRPC's PROTOCOL-WEB).

The methods are those of `grpc_methods`; a WebCall carries one call to them. Requests come whole, so that of a stream of requests none is
answered before the last was sent; replies leave as they are made.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Generator
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

from jina.codec.messages import read_request
from jina.codec.pieces import Message
from jina.errors import MalformedError
from jina.fronts import grpc_methods, http_calls, http_replies
from jina.fronts.grpc_requests import deadline_of, ids, send_refusal
from jina.wire import grpc_fields, grpc_web
from jina.wire.buffered import FULL
from jina.wire.envelope import is_request_id
from jina.wire.grpc import GrpcStatus, Metadata, retry_metadata
from jina.wire.grpc_fields import Pairs
from jina.wire.grpc_messages import MessageError
from jina.wire.grpc_web import is_grpc_web as is_grpc_web
from jina.wire.http_requests import Request

if TYPE_CHECKING:
    from jina.fronts.front import Front
    from jina.fronts.grpc_carrier import ServerStreamCall
    from jina.fronts.http_exchange import HttpExchange

Steps = Generator[None, None, list[bytes]]
_log = logging.getLogger("jina.grpc")
_STREAM = 1
_WITH_HEADER = frozenset(("/jina.JinaSingleDataRequestRPC/process_single_data", "/jina.JinaSingleDocumentRequestRPC/stream_doc"))
"""Methods whose request names itself in its header."""
_PER_MESSAGE = 64
"""What each message counts beside its bytes."""
_EXPOSED = b"access-control-expose-headers: grpc-status, grpc-message, grpc-accept-encoding, x-request-id\r\n"
_CODED = "gRPC-Web compresses its messages (grpc-encoding), not the whole body (content-encoding)"


def serve(front: Front, exchange: HttpExchange, request: Request) -> None:
    """Answer a POST whose content type is gRPC-Web's. The methods themselves ask the front's guard."""
    WebCall(front, exchange, request).begin(request)


class WebCall:
    """One call, and what carries it: see `grpc_carrier`."""

    def __init__(self, front: Front, exchange: HttpExchange, request: Request) -> None:
        self.front, self.loop, self.wire = front, asyncio.get_running_loop(), self
        self._exchange = exchange
        headers = request.head.headers
        path = request.target.partition(b"?")[0].decode("latin-1")
        self._request_id = exchange.request_id = exchange.request_id or ids.request_id()
        self._head = grpc_web.request_head(path, headers, self._request_id)
        self._type = grpc_web.reply_type(headers["content-type"], headers.get("accept", ""))
        self._in_text = grpc_web.is_text(self._type)
        self._lines = _EXPOSED if front.options.cors and "origin" in headers else b""
        self._n_counted = 0
        self._has_begun = self._is_over = False
        self._awaited: asyncio.Future[None] | None = None
        self._call: ServerStreamCall | None = None
        self._ended: asyncio.Future[None] | None = None

    def begin(self, request: Request) -> None:
        """Answer at once, or start what will."""
        if http_calls.note_of(request.head).codings:
            self._exchange.answer(415, http_replies.detail_body(_CODED))
            return
        head = self._head
        if head.fault is not None:
            if head.fault[0] == GrpcStatus.UNIMPLEMENTED:
                self._lines += b"grpc-accept-encoding: %b\r\n" % grpc_fields.ACCEPTED.encode()
            self.refuse(_STREAM, *head.fault)
            return
        steps = self._read(request)
        if not self._is_read(request, steps):
            self._exchange.start(self._read_on, request, steps)

    def _is_read(self, request: Request, steps: Steps) -> bool:
        """Do a step; after the last one, go on with the messages."""
        try:
            next(steps)
            return False
        except StopIteration as end:
            messages = end.value
        except MessageError as error:
            self.refuse(_STREAM, error.status, error.text, retry_metadata(error.retry_after_s))
            return True
        self._exchange.release(request)
        self._answer(messages)
        return True

    async def _read_on(self, request: Request, steps: Steps) -> None:
        deadline = deadline_of(self._head)
        with closing(steps):
            await asyncio.sleep(0)
            while not self._is_read(request, steps):
                if deadline is not None and time.monotonic() > deadline:
                    self.refuse(_STREAM, GrpcStatus.DEADLINE_EXCEEDED, "the request was not unfolded before its deadline")
                    return
                await asyncio.sleep(0)

    def _answer(self, messages: list[bytes]) -> None:
        head = self._head
        unary, stream = grpc_methods.UNARY.get(head.path), grpc_methods.STREAMS.get(head.path)
        if stream is not None:
            self._exchange.start(partial(self._run, messages, partial(self._stream, stream, messages)))
        elif unary is None:
            self.refuse(_STREAM, GrpcStatus.UNIMPLEMENTED, "Method not found!")
        elif len(messages) != 1:
            text = f"method {head.path!r} takes exactly one message, got {len(messages)}"
            self.refuse(_STREAM, GrpcStatus.UNIMPLEMENTED, text)
        else:
            if head.path in _WITH_HEADER:
                self._take_id(messages[0])
            self._exchange.start(partial(self._run, messages, partial(unary, self, _STREAM, head, messages[0])))

    def _take_id(self, message: bytes) -> None:
        """Name the request as it names itself: HTTP's head leaves before a method has said anything."""
        try:
            request_id = read_request(message).request_id
        except MalformedError:
            return  # the method will say so
        if is_request_id(request_id):
            self._request_id = self._exchange.request_id = request_id

    def _read(self, request: Request) -> Steps:
        body, request.body = request.body, b""
        in_text, limit = grpc_web.is_text(request.head.headers["content-type"]), self.front.options.max_message_bytes
        encoding, buffered = self._head.encoding, self.front.buffered
        return grpc_web.read_messages(body, in_text=in_text, encoding=encoding, max_bytes=limit, buffered=buffered)

    async def _run(self, messages: list[bytes], answer: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run the call; what it raises is a bug of ours, which the caller hears of and the log shows."""
        if not self.count(_STREAM, sum(map(len, messages)) + _PER_MESSAGE * len(messages)):
            send_refusal(self, _STREAM, FULL)
            return
        try:
            await answer()
        except Exception:
            _log.exception("a gRPC method raised")
            self.refuse(_STREAM, GrpcStatus.INTERNAL, "internal error; the server's log has its traceback")
        finally:
            self.uncount(_STREAM, self._n_counted)

    async def _stream(self, make: grpc_methods.Stream, messages: list[bytes]) -> None:
        self._ended = self.loop.create_future()
        call = self._call = make(self, _STREAM, self._head)
        try:
            while messages and not self._is_over:
                call.message(messages.pop(0))
            if not self._is_over:
                call.half_close()
                await self._ended
        finally:
            if not self._is_over:
                call.cancelled()

    def can_write(self, stream: int) -> bool:
        """The caller takes what is written."""
        blocked = self._exchange.blocked()
        if blocked is not None and self._call is not None and blocked is not self._awaited:
            self._awaited = blocked
            blocked.add_done_callback(self._wrote)
        return blocked is None

    def _wrote(self, blocked: asyncio.Future[None]) -> None:
        if self._call is not None and not self._is_over and not blocked.cancelled():
            self._call.writable()

    async def wait_writable(self, stream: int) -> None:
        """Wait until it does."""
        while (blocked := self._exchange.blocked()) is not None:
            await blocked

    def admits(self, n_bytes: int) -> bool:
        """Whether a reply of this size may be held; it is counted where it waits."""
        return self.front.buffered.has_room(n_bytes)

    def release(self, stream: int, data: bytes) -> None:
        """A message is held no more."""
        self.uncount(stream, len(data) + _PER_MESSAGE)

    def end(self, stream: int) -> None:
        """End a stream call in peace."""
        self.send_status(stream, GrpcStatus.OK)

    def gone(self, stream: int) -> None:
        """A stream call has ended, and `send_status` was called."""

    def start_task(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a part of a stream call; the call owns the task."""
        return self.loop.create_task(coroutine)

    def flush_soon(self) -> None:
        """Nothing gathers here."""

    def reply(self, stream: int, message: Message, metadata: Metadata = ()) -> None:
        """Answer an unary call."""
        self._finish([grpc_web.message_frame(bytes(message)), grpc_web.trailers_frame(GrpcStatus.OK, "", metadata)])

    def send_message(self, stream: int, message: Message) -> None:
        """Send one message."""
        if self._is_over or self._exchange.is_gone:
            return
        if not self._has_begun:
            self._has_begun = True
            self._exchange.begin(200, b"content-type: %b\r\n%b" % (self._type.encode(), self._lines))
        self._exchange.write(grpc_web.encode((grpc_web.message_frame(bytes(message)),), in_text=self._in_text))

    def send_status(self, stream: int, status: int, message: str = "", metadata: Metadata = ()) -> None:
        """End the call."""
        self._finish([grpc_web.trailers_frame(status, message, metadata)])

    def refuse(self, stream: int, status: int, message: str, metadata: Pairs = ()) -> None:
        """End a call that nobody has read."""
        self.send_status(stream, status, message, (*metadata, ("x-request-id", self._request_id)))

    def _finish(self, pieces: list[bytes]) -> None:
        if self._is_over:
            return
        self._is_over = True
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)
        data = grpc_web.encode(pieces, in_text=self._in_text)
        if self._has_begun:
            self._exchange.write(data)
            self._exchange.end()
        else:
            self._exchange.answer(200, data, self._lines, self._type.encode())

    def hold(self, stream: int) -> None:
        """All that will come is here."""

    def consumed(self, stream: int, n_bytes: int) -> None:
        """Nothing waits to be sent."""

    def count(self, stream: int, n_bytes: int) -> bool:
        """Count what is held; False if that is too much."""
        if not self.front.buffered.take(n_bytes):
            return False
        self._n_counted += n_bytes
        return True

    def uncount(self, stream: int, n_bytes: int) -> None:
        """It is held no more."""
        n_bytes = min(n_bytes, self._n_counted)
        self._n_counted -= n_bytes
        self.front.buffered.give_back(n_bytes)
