"""One HTTP request on a stream of an HTTP/2 connection: its body is collected, then an HttpExchange answers it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from jina.fronts import http_replies
from jina.fronts.http_exchange import HttpExchange
from jina.wire.body_rate import BodyRate
from jina.wire.buffered import FULL
from jina.wire.grpc import RequestHead
from jina.wire.hpack import HOP_BY_HOP
from jina.wire.http2_frames import INTERNAL_ERROR, NO_ERROR
from jina.wire.http_requests import FRAGMENT, Head, Request, appended, body_too_large, body_too_slow, target_too_long

if TYPE_CHECKING:
    from jina.fronts.http1_connection import Session
    from jina.fronts.http2_connection import Http2Connection

_LINGER_S = 0.2
_HEAR_S = 1.0
"""How long a caller that was answered early may go on sending what nobody reads."""


class Http2Request:
    """A Responder for its HttpExchange, and the channel of a Session that the stream has become."""

    def __init__(self, connection: Http2Connection, stream: int, head: RequestHead) -> None:
        self._connection, self._stream = connection, stream
        self._front = connection.front
        self._exchange = HttpExchange(self._front, self, connection.loop)
        self._body: bytes | bytearray = b""
        self._n_bytes, self._rate = 0, BodyRate(connection.loop.time())
        self._has_ended = self._is_served = False
        self._session: Session | None = None
        self._request = request = _request_of(head)
        length = head.values.get("content-length", "0")
        most = self._front.options.max_body_bytes
        if request.head.problem:
            self._refuse(request.head.problem_status, request.head.problem)
        elif most is not None and int(length) > most:
            self._refuse(*body_too_large(most))
        elif len(request.target) > self._front.options.max_target_bytes:
            self._refuse(*target_too_long(self._front.options.max_target_bytes))
        elif b"#" in request.target:
            self._refuse(*FRAGMENT)
        elif request.method == b"CONNECT":
            request.is_upgrade = head.values.get(":protocol") == "websocket"
            self._serve()
        elif request.head.expects_continue:
            refusal = self._exchange.refusal(request)
            if refusal is None:
                connection.wire.send_http(stream, ((":status", "100"),), is_end=False)
            else:
                self._answer(*refusal)

    @property
    def is_over(self) -> bool:
        """It was answered as it came."""
        return self._is_served and self._exchange.request is None and self._session is None

    def data_received(self, data: bytes, is_end: bool) -> None:
        """Take a piece of the body."""
        self._has_ended = is_end
        if self._session is not None:
            if data:
                self._session.data_received(data)
            if is_end:
                self._session.connection_lost()
                self.close()
            return
        if self._is_served:
            return
        self._n_bytes += len(data)
        most = self._front.options.max_body_bytes
        if most is not None and self._n_bytes > most:
            self._refuse(*body_too_large(most))
        elif not self._connection.wire.count(self._stream, len(data)):
            self._refuse(503, FULL.description)
        else:
            self._body = appended(self._body, data) if self._body else data
            if is_end:
                self._request.body, self._body = bytes(self._body), b""
                self._serve()

    def tick(self, now: float) -> None:
        """Look at the clock."""
        rate = self._front.options.min_body_bytes_per_s
        if self._session is not None:
            self._session.tick(now)
        elif self._is_served:
            self._exchange.tick(now)
        elif rate is not None and self._rate.is_too_slow(self._n_bytes, now, rate):
            self._refuse(*body_too_slow(rate))

    def cancelled(self) -> None:
        """The caller has left."""
        self._exchange.leave()
        if self._session is not None:
            self._session.connection_lost()

    def drain(self) -> None:
        """Take nothing new, and end."""
        if self._session is not None:
            self._session.drain()

    def _serve(self) -> None:
        self._is_served = True
        self._exchange.serve(self._request)

    def _refuse(self, status: int, detail: str) -> None:
        self._answer(*http_replies.refusal(status, detail))

    def _answer(self, status: int, body: bytes, lines: bytes, content_type: bytes = http_replies.JSON) -> None:
        self._is_served, self._body = True, b""
        self._exchange.request = self._request
        self._exchange.answer(status, body, lines, content_type)

    def respond(self, exchange: HttpExchange, status: int, body: bytes, lines: bytes, content_type: bytes) -> None:
        """Write a whole response."""
        fields = (
            (":status", str(status)),
            ("date", self._front.date.decode()),
            ("content-type", content_type.decode("latin-1")),
            ("x-request-id", exchange.request_id),
            *_fields_of(lines),
            ("content-length", str(len(body))),
        )
        self._connection.wire.send_http(self._stream, fields, b"" if self._request.method == b"HEAD" else body, is_end=True)

    def begin(self, exchange: HttpExchange, status: int, lines: bytes) -> None:
        """Write the head of a response."""
        self._send(((":status", str(status)), *_fields_of(lines)))

    def write(self, data: bytes) -> None:
        """Write a piece of the body; as a channel, bytes as they are."""
        self._send((), data)

    def end(self, trailers: bytes) -> None:
        """Write what ends the body."""
        self._send(_fields_of(trailers), is_end=True)

    def _send(self, fields: tuple[tuple[str, str], ...], data: bytes = b"", *, is_end: bool = False) -> None:
        self._connection.wire.send_http(self._stream, fields, data, is_end=is_end)
        self._connection.flush_soon()

    def blocked(self) -> asyncio.Future[None] | None:
        """Give what to wait for while the caller takes no more."""
        return self._connection.blocked(self._stream)

    def finished(self, request: Request) -> None:
        """Forget the request; a caller that still sends its body need not go on."""
        self._connection.forget(self._stream)
        if not self._has_ended:  # curl drops an answer whose stream is reset while it still sends
            self._connection.loop.call_later(_HEAR_S, self._let_go)
        self._connection.flush_soon()

    def idle(self) -> None:
        """There is no next request on a stream."""

    def upgrade(self, lines: bytes, session: Session) -> None:
        """Change to another protocol: from now on this is the channel of `session`; `lines` are header fields."""
        self._session = session
        self._send(((":status", "200"), *_fields_of(lines)))

    def close(self) -> None:
        """End the stream when everything has left."""
        self._send((), is_end=True)
        self._connection.forget(self._stream)
        self._connection.loop.call_later(_LINGER_S, self._let_go)

    def _let_go(self) -> None:
        self._connection.wire.reset(self._stream, NO_ERROR)
        self._connection.flush_soon()

    def abort(self) -> None:
        """End the stream at once."""
        self._connection.forget(self._stream)
        self._connection.wire.reset(self._stream, INTERNAL_ERROR)
        self._connection.flush_soon()

    def pause_reading(self) -> None:
        """Open the stream's window no further until `resume_reading`."""
        self._connection.wire.pause(self._stream)

    def resume_reading(self) -> None:
        """Let the caller send on."""
        self._connection.wire.resume(self._stream)
        self._connection.flush_soon()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What the transport knows, e.g. `peername`."""
        return self._connection.transport.get_extra_info(name, default)


def _request_of(head: RequestHead) -> Request:
    fields = [
        (name.encode("latin-1"), value.encode("latin-1")) for name, value in head.fields if name[0] != ":" and name != "content-length"
    ]
    values = head.values
    if "host" not in values and ":authority" in values:
        fields.append((b"host", values[":authority"].encode("latin-1")))
    return Request(values[":method"].encode("latin-1"), values.get(":path", "").encode("latin-1"), Head(tuple(fields)), True, False)


def _fields_of(lines: bytes) -> tuple[tuple[str, str], ...]:
    pairs = (line.partition(": ") for line in lines.decode("latin-1").split("\r\n") if line)
    return tuple((name.lower(), value.strip(" \t")) for name, _, value in pairs if name.lower() not in HOP_BY_HOP)
