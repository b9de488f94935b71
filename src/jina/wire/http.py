"""HTTP/1.1 for a server, without IO: bytes in, requests or one refusal out.

llhttp (through httptools, in its strict mode) reads the grammar; `http_reading` holds what a grammar does not; when the connection ends
and how slow its caller may be stands here, and for that `now` is passed in. The core never answers: it gives `Request`s in the order
they came, and at most one `Refusal`, after which it reads no more.

Requests with the same headers share one `Head` (browsers and clients repeat theirs), content-length excepted.
"""

from __future__ import annotations

from typing import Final, cast

import httptools

from jina.limits import Limits as Limits
from jina.wire.body_rate import BodyRate
from jina.wire.http_reading import BODY, HEAD, IDLE, Reading, StopReading
from jina.wire.http_requests import Head as Head
from jina.wire.http_requests import Refusal as Refusal
from jina.wire.http_requests import Request as Request
from jina.wire.http_requests import body_too_slow

_UNUSED_PARSER_S: Final = 5.0
_MAX_FRAMING_BYTES: Final = 1 << 20
_MAX_FRAMING_RATIO: Final = 16
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class ServerConnection(Reading):
    """One connection's reading side."""

    __slots__ = ()

    def receive(self, data: bytes, now: float) -> list[Request | Refusal]:
        """Take bytes in; give what is complete now, in order."""
        if self.is_closed:
            if self.is_upgraded:
                self.rest += data
            return []
        self._now = now
        events: list[Request | Refusal] = []
        is_beginning = self._state == IDLE
        if is_beginning:
            at = self._openings.take(data, events)
            if at:
                self._since = now
                if at == len(data):
                    return events
                data = data[at:]
        self._events = events
        n_before = len(events)
        parser = self._parser
        if parser is None:
            parser = self._parser = httptools.HttpRequestParser(self)
        rest: bytes | None = None
        try:
            try:
                parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                rest = data[upgrade.args[0] :]
            if rest is not None:
                self._go_on(rest)
        except httptools.HttpParserCallbackError as error:
            if not isinstance(error.__context__, StopReading):
                raise
        except httptools.HttpParserError as error:
            if not self.is_closed:
                self._refuse(400, f"not an HTTP/1.1 request: {error}")
        if self._state != IDLE and not events:  # else some of it was other requests
            self._count_raw(len(data))
        elif is_beginning and len(events) == n_before + 1 and not self.is_closed:
            self._openings.learn(data, cast("Request", events[-1]))
        return events

    def check(self, now: float) -> Refusal | None:
        """Give the refusal that is due because the peer is too slow, if one is; only for a connection without open requests."""
        limits, waited = self._limits, now - self._since
        if self._state == HEAD:
            if limits.header_timeout_s is not None and waited > limits.header_timeout_s:
                return self._refuse(408, f"the headers took longer than header_timeout_s={limits.header_timeout_s}")
        elif self._state == BODY and limits.min_body_bytes_per_s is not None:
            if self._rate is None:
                self._rate = BodyRate(self._since)
            if self._rate.is_too_slow(self._body_bytes, now, limits.min_body_bytes_per_s):
                return self._refuse(*body_too_slow(limits.min_body_bytes_per_s))
        return None

    def is_idle_too_long(self, now: float) -> bool:
        """Whether nothing of a request has come for longer than the limit; ask once a second."""
        if self._state != IDLE:
            return False
        waited, limit = now - self._since, self._limits.idle_timeout_s
        if waited > _UNUSED_PARSER_S and self._parser is not None:
            self._parser, self._url, self._content_length = None, b"", None
            self._headers, self._events = [], []
        return limit is not None and waited > limit

    @property
    def is_idle(self) -> bool:
        """Whether no part of a request is held."""
        return self._state == IDLE

    def replied(self, now: float) -> None:
        """Say that a reply was written: idle time starts from here, and the time of what came meanwhile."""
        self._since = now
        if self._rate is not None:
            self._rate.pause(now)

    def _go_on(self, data: bytes) -> None:
        """Read on behind a request that asks for an upgrade, which nobody grants, unless one is that may be granted."""
        while not self.is_closed:
            if self._again:
                data, self._again = self._again + data, b""
                self._parser = httptools.HttpRequestParser(self)
            assert self._parser is not None
            if not data:
                return
            try:
                self._parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as upgrade:
                data = data[upgrade.args[0] :]
        if self.is_upgraded:
            self.rest = bytes(data)

    def _count_raw(self, n_bytes: int) -> None:
        """Count what was read of a request that is not complete, for the parser throws some of it away."""
        self._raw_bytes += n_bytes
        if self._state == BODY:
            if self._raw_bytes > _MAX_FRAMING_BYTES + _MAX_FRAMING_RATIO * self._body_bytes:
                self._refuse(400, "the body's chunks are mostly framing")
        elif self._raw_bytes > self._limits.max_header_bytes + self._limits.max_target_bytes + 1024:
            self._refuse(431, f"the headers exceed max_header_bytes={self._limits.max_header_bytes}")

    @property
    def pending(self) -> Request | None:
        """The request whose body is on its way; empty so far, whatever has come."""
        return self._request

    def stop(self) -> None:
        """Read no more: the request whose body is on its way is answered already."""
        self.is_closed, self.wants_continue = True, False
        self.drop()
