"""One HTTP/1.1 connection: an asyncio protocol around the sans-IO core, with one HttpExchange for its requests.

Requests of a connection are answered one after the other, in order; the next ones wait in a bounded queue. A caller that leaves (or
closes its sending side, as most clients do when they leave) cancels the one that is being answered. A connection that begins as HTTP/2, or
has agreed on it in TLS, is handed to `http2_connection`; one that changes to WebSocket, to its session.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol, cast

from jina.fronts import http_replies
from jina.fronts.http_exchange import HttpExchange
from jina.fronts.unsent import Unsent
from jina.wire.http import CONTINUE, Head, Refusal, Request, ServerConnection
from jina.wire.http2_frames import PREFACE

if TYPE_CHECKING:
    from jina.fronts.front import Front

_FRESH_S = 0.3
_LINGER_S = 0.2
_HEAR_S = 1.0
"""How long a refused caller may go on sending what nobody reads: a reset would overtake the reply that says why."""
_JOIN_BELOW = 64 << 10
_MAX_REST_BYTES = 64 << 10
"""What a caller may send behind a request to change to WebSocket before that is answered."""


class Session(Protocol):
    """What a connection, or a stream of one, can become: it is given the bytes that come, and writes to its channel."""

    def data_received(self, data: bytes) -> None:
        """Take bytes."""

    def connection_lost(self) -> None:
        """Nothing comes, and nothing leaves, any more."""

    def tick(self, now: float) -> None:
        """Look at the clock: about once a second."""

    def drain(self) -> None:
        """Finish what is held, take nothing new, close the channel."""


class Http1Connection(asyncio.Protocol):
    """See the module's docstring. For a Session it is the channel."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._loop = asyncio.get_running_loop()
        self._queue: list[Request | Refusal] = []
        self._exchange = HttpExchange(front, self, self._loop)
        self._writable: asyncio.Future[None] | None = None
        self._is_paused = self._is_closing = self._is_serving = False
        self._is_chunked = False
        self._first: bytes | None = b""
        self._session: Session | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        front, now = self._front, self._loop.time()
        self._core = ServerConnection(
            front.options, front.heads, now, front.buffered, openings=front.openings, takes_websocket=front.has_websocket
        )
        self._unsent = Unsent(self._transport, front.buffered)
        self._opened_at = now
        front.opened(self)
        tls = transport.get_extra_info("ssl_object")
        if tls is not None and tls.selected_alpn_protocol() == "h2":
            self._become_http2(b"")
        elif front.is_draining:
            self.drain()

    def connection_lost(self, error: Exception | None) -> None:
        self._is_closing = True
        self._forget_queue()
        self._core.drop()
        self._unsent.rest()
        self._exchange.leave()
        if self._session is not None:
            self._session.connection_lost()
        if self._writable is not None and not self._writable.done():
            self._writable.cancel()
        self._front.closed(self)

    def eof_received(self) -> bool:
        return False

    def data_received(self, data: bytes) -> None:
        if self._session is not None:
            self._session.data_received(data)
            return
        if self._first is not None:
            data = self._first + data
            if PREFACE.startswith(data[: len(PREFACE)]):
                if len(data) < len(PREFACE):
                    self._first = data
                else:
                    self._become_http2(data)
                return
            self._first = None
        core = self._core
        events = core.receive(data, self._loop.time())
        if events:
            queue, exchange = self._queue, self._exchange
            if exchange.request is None and self._is_open_to_one(events):
                exchange.serve(cast("Request", events[0]))
            else:
                queue.extend(events)
                if exchange.request is None:
                    self._serve()
                if len(queue) >= self._front.options.max_pipelined:
                    self._pause()
        if core.is_upgraded and len(core.rest) > _MAX_REST_BYTES:
            self._pause()
        if core.wants_continue:
            self._tell_to_go_on()

    def _is_open_to_one(self, events: list[Request | Refusal]) -> bool:
        """Whether a lone request has come, as most do, and need not wait for anything."""
        is_free = not self._queue and self._writable is None and not self._is_serving and not self._is_closing
        return is_free and len(events) == 1 and events[0].__class__ is Request

    def pause_writing(self) -> None:
        self._writable = self._loop.create_future()
        self._unsent.watch(self._loop.time())

    def resume_writing(self) -> None:
        writable, self._writable = self._writable, None
        if not self._is_closing:
            self._unsent.rest()
        if writable is not None and not writable.done():
            writable.set_result(None)
        if self._exchange.request is None and self._queue:
            self._serve()

    def _become_http2(self, data: bytes) -> None:
        from jina.fronts.http2_connection import Http2Connection

        connection = Http2Connection(self._front)
        self._transport.set_protocol(connection)
        connection.connection_made(self._transport)
        self._front.closed(self)
        if data:
            connection.data_received(data)

    def tick(self, now: float) -> None:
        """Look at the clock."""
        if self._unsent.is_stalled(now, self._front.options.write_timeout_s):
            self._transport.abort()
        elif self._is_closing:
            return
        elif self._session is not None:
            self._session.tick(now)
        elif self._exchange.request is not None:
            self._exchange.tick(now)
        elif not self._queue:
            limit_s = self._front.options.header_timeout_s
            if self._first and limit_s is not None and now - self._opened_at > limit_s:
                self.abort()  # half a preface
            elif self._core.is_idle_too_long(now):
                self.close()
            else:
                refusal = self._core.check(now)
                if refusal is not None:
                    self._refuse(refusal)

    def drain(self) -> None:
        """Close unless a request, or part of one, is held; the first one of a fresh connection may be on its way."""
        if self not in self._front.connections:
            return  # meanwhile it has become HTTP/2, or is lost
        if self._is_closing:
            self._loop.call_later(_LINGER_S, self._let_go)
            return
        if self._session is not None:
            self._session.drain()
            return
        if self._exchange.request is not None or self._queue or not self._core.is_idle:
            return
        is_fresh = self._first is not None
        left_s = self._opened_at + _FRESH_S - self._loop.time() if is_fresh else 0.0
        if left_s > 0:
            self._loop.call_later(left_s, self.drain)
        else:
            self.close()

    def _serve(self) -> None:
        if self._is_serving:
            return  # an answer that was ready at once: the loop below, further up the stack, goes on
        self._is_serving = True
        try:
            self._serve_queue()
        finally:
            self._is_serving = False

    def _serve_queue(self) -> None:
        queue, exchange = self._queue, self._exchange
        while queue and exchange.request is None and self._writable is None and not self._is_closing:
            event = queue.pop(0)
            if event.__class__ is Refusal:
                self._refuse(event)
                return
            exchange.serve(cast("Request", event))
        if self._is_paused and len(queue) < self._front.options.max_pipelined and not self._is_closing:
            self.resume_reading()

    def _tell_to_go_on(self) -> None:
        if self._exchange.request is None and not self._queue:
            self._core.wants_continue = False
            request = cast("Request", self._core.pending)
            refusal = self._exchange.refusal(request)
            if refusal is None:
                self._transport.write(CONTINUE)
            else:
                self._core.stop()
                self._end_with(*refusal, head=request.head)

    def _pause(self) -> None:
        if not self._is_paused:
            self.pause_reading()

    def _forget_queue(self) -> None:
        for event in self._queue:
            if isinstance(event, Request):
                self._exchange.release(event)
        self._queue.clear()

    def _let_go(self) -> None:
        """Do not wait for a caller that has got everything and does not close its side of TLS."""
        if not self._transport.get_write_buffer_size():
            self._transport.abort()

    def _refuse(self, refusal: Refusal) -> None:
        self._end_with(*http_replies.refusal(refusal.status, refusal.detail), http_replies.JSON, head=refusal.head)

    def _end_with(self, status: int, body: bytes, lines: bytes, content_type: bytes, *, head: Head | None) -> None:
        """Answer a request that is not read, and close in such a way that its caller hears it."""
        if head is not None and self._front.options.cors:
            lines += http_replies.cors_lines(head)
        self._write(status, body, lines, content_type, request_id=self._front.ids.request_id(), request=None)
        if self._transport.can_write_eof():
            self._is_closing = True
            self._transport.write_eof()
            self._transport.resume_reading()
            self._loop.call_later(_HEAR_S, self.close)
        else:
            self.close()

    def respond(self, exchange: HttpExchange, status: int, body: bytes, lines: bytes, content_type: bytes) -> None:
        """Write a whole response."""
        request = exchange.request
        assert request is not None
        if (self._front.is_draining and not self._queue) or request.is_upgrade:
            request.keep_alive = False
        self._write(status, body, lines, content_type, request_id=exchange.request_id, request=request)

    def _write(
        self,
        status: int,
        body: bytes,
        lines: bytes,
        content_type: bytes = http_replies.JSON,
        *,
        request_id: str,
        request: Request | None,
    ) -> None:
        if self._is_closing:
            return
        if request is None or not request.keep_alive:
            lines += b"connection: close\r\n"
        elif request.is_http_10:
            lines += b"connection: keep-alive\r\n"
        start, length = self._front.start_of(status, content_type), b"content-length: %d\r\n\r\n" % len(body)
        head = (start, request_id.encode(), b"\r\n", lines, length)
        if request is not None and request.method == b"HEAD":
            self._transport.write(b"".join(head))
        elif len(body) < _JOIN_BELOW:
            self._transport.write(b"".join((*head, body)))
        else:
            self._transport.writelines((b"".join(head), body))

    def begin(self, exchange: HttpExchange, status: int, lines: bytes) -> None:
        """Write the head of a response whose body is chunked, or for HTTP/1.0 ends with the connection."""
        request = exchange.request
        assert request is not None
        if request.is_http_10 or self._front.is_draining:
            request.keep_alive = False
        self._is_chunked = not request.is_http_10
        framing = b"transfer-encoding: chunked\r\n" if self._is_chunked else b""
        framing += b"connection: keep-alive\r\n" if request.keep_alive else b"connection: close\r\n"
        self._transport.write(b"%b%b%b\r\n" % (http_replies.status_line(status), lines, framing))

    def write(self, data: bytes) -> None:
        """Write a piece of the body; as a channel, bytes as they are."""
        if not self._is_closing:
            self._transport.write(b"%x\r\n%b\r\n" % (len(data), data) if self._is_chunked else data)

    def end(self, trailers: bytes) -> None:
        """Write what ends the body."""
        if self._is_chunked and not self._is_closing:
            self._transport.write(b"0\r\n%b\r\n" % trailers)
        self._is_chunked = False

    def blocked(self) -> asyncio.Future[None] | None:
        """Give what to wait for while the caller takes no more."""
        return self._writable

    def finished(self, request: Request) -> None:
        """Wait for the next request, or close."""
        if self._is_closing:
            return
        if not request.keep_alive or (self._front.is_draining and not self._queue):
            self.close()
        else:
            self._core.replied(self._loop.time())
            if self._core.wants_continue:
                self._tell_to_go_on()

    def idle(self) -> None:
        """Go on with the next request."""
        if self._exchange.request is None and self._queue:
            self._serve()

    def upgrade(self, lines: bytes, session: Session) -> None:
        """Change to another protocol: from now on this is the channel of `session`; `lines` are header fields."""
        self._transport.write(b"HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\n%b\r\n" % lines)
        self._session = session
        if self._is_paused:
            self.resume_reading()
        rest, self._core.rest = self._core.rest, b""
        if rest:
            session.data_received(rest)

    def close(self) -> None:
        """Close when everything has left; the write timeout counts for whatever has not."""
        self._is_closing = True
        self._forget_queue()
        self._unsent.watch(self._loop.time())
        self._transport.close()
        if self._front.is_draining:
            self._loop.call_later(_LINGER_S, self._let_go)

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    def pause_reading(self) -> None:
        """Read no further until `resume_reading`."""
        self._is_paused = True
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        self._is_paused = False
        self._transport.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What the transport knows, e.g. `peername`."""
        return self._transport.get_extra_info(name, default)
