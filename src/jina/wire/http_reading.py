"""What llhttp calls while it reads requests, and the rules that it does not know: framing, hosts, targets, limits in bytes and counts."""

from __future__ import annotations

from typing import Final, NoReturn

import httptools

from jina.limits import Limits
from jina.wire.body_rate import BodyRate
from jina.wire.buffered import FULL, SMALL, Buffered
from jina.wire.http_requests import (
    FRAGMENT,
    Fields,
    Head,
    Refusal,
    Request,
    appended,
    body_too_large,
    split_absolute,
    target_too_long,
    with_host,
)
from jina.wire.http_whole import Openings

_MAX_HEADS: Final = 256
_MAX_HEAD_KEY_BYTES: Final = 4096
_MAX_LENGTH_DIGITS: Final = 20

IDLE, HEAD, BODY = range(3)


class StopReading(Exception):
    """The parser need not go on."""


class Reading:
    """One connection's state, which the parser's calls change.

    Attributes:
        is_closed: No further request will come out: after a refusal, or a request that ends the connection.
        wants_continue: The client waits for `100 Continue` before it sends its body; whoever sends it sets this to False.
        is_upgraded: The last request asks for WebSocket, and nothing after it is read here.
        rest: What came behind that request.
    """

    __slots__ = (
        "_again",
        "_body",
        "_body_bytes",
        "_buffered",
        "_content_length",
        "_events",
        "_field_bytes",
        "_headers",
        "_heads",
        "_limits",
        "_n_counted",
        "_n_more_fields",
        "_now",
        "_openings",
        "_parser",
        "_rate",
        "_raw_bytes",
        "_request",
        "_since",
        "_state",
        "_takes_websocket",
        "_url",
        "is_closed",
        "is_upgraded",
        "rest",
        "wants_continue",
    )

    def __init__(
        self,
        limits: Limits,
        heads: dict[Fields, Head],
        now: float,
        buffered: Buffered | None = None,
        *,
        openings: Openings | None = None,
        takes_websocket: bool = False,
    ) -> None:
        """Begin a connection.

        Args:
            limits: What the peer may ask for.
            heads: Known heads; share one dict between the connections of a port.
            now: Monotonic seconds, like every `now` here.
            buffered: Counts bodies; whoever takes a request gives back its `n_counted`.
            openings: What has been learnt of requests; share it between the connections of a port.
            takes_websocket: A request to upgrade to WebSocket may be granted; other upgrades are not noticed.
        """
        self._limits, self._heads, self._takes_websocket = limits, heads, takes_websocket
        self._buffered = buffered or Buffered()
        self._openings = openings or Openings()
        self._parser: httptools.HttpRequestParser | None = None  # made when something comes: most of an idle connection's memory
        self._events: list[Request | Refusal] = []
        self._state, self._since, self._now = IDLE, now, now
        self._raw_bytes = self._n_more_fields = self._field_bytes = 0
        self._url = self._again = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._content_length: bytes | None = None
        self._request: Request | None = None
        self._body: bytes | bytearray = b""
        self._body_bytes = self._n_counted = 0
        self._rate: BodyRate | None = None
        self.is_closed = self.wants_continue = self.is_upgraded = False
        self.rest = b""

    def _refuse(self, status: int, detail: str, head: Head | None = None) -> Refusal:
        refusal = Refusal(status, detail, head or (None if self._request is None else self._request.head))
        self._events.append(refusal)
        self.is_closed, self.wants_continue = True, False
        self._headers = []
        self.drop()
        return refusal

    def drop(self) -> None:
        """Forget the body that has not come whole."""
        self._buffered.give_back(self._n_counted)
        self._body, self._n_counted = b"", 0

    def _stop(self, status: int, detail: str, head: Head | None = None) -> NoReturn:
        self._refuse(status, detail, head)
        raise StopReading

    def on_message_begin(self) -> None:
        self._state, self._since = HEAD, self._now
        self._raw_bytes = self._n_more_fields = self._field_bytes = 0
        self._url, self._headers, self._content_length = b"", [], None

    def on_url(self, url: bytes) -> None:
        self._url = self._url + url if self._url else url
        if len(self._url) > self._limits.max_target_bytes:
            self._stop(*target_too_long(self._limits.max_target_bytes))

    def on_header(self, name: bytes, value: bytes | None) -> None:
        value = value or b""
        self._field_bytes = n_bytes = self._field_bytes + len(name) + len(value) + 32
        headers, limits = self._headers, self._limits
        if self._state == BODY:
            self._n_more_fields += 1  # a trailer: counted, not kept
        elif len(name) == 14 and name.lower() == b"content-length":
            self._content_length = value
            self._n_more_fields += 1
        else:
            headers.append((name, value))
        if n_bytes > limits.max_header_bytes:
            self._stop(431, f"the headers exceed max_header_bytes={limits.max_header_bytes}")
        if len(headers) + self._n_more_fields > limits.max_header_fields:
            self._stop(431, f"more header fields than max_header_fields={limits.max_header_fields}")

    def on_headers_complete(self) -> None:
        parser = self._parser
        assert parser is not None
        version, method, target = parser.get_http_version(), parser.get_method(), self._url
        is_http_10 = version != "1.1"
        if is_http_10 and version != "1.0":
            self._stop(505, f"HTTP/{version} is not spoken here; use HTTP/1.1")
        if target[:1] == b"/":
            fields = tuple(self._headers)
            head = self._heads.get(fields) or self._new_head(fields)
        else:
            head, target = self._head_and_origin_form(method)
        if b"#" in target:
            self._stop(*FRAGMENT)
        if is_http_10 or not head.is_plain:
            self._check_head(head, is_http_10)
        length, most = self._content_length, self._limits.max_body_bytes
        if length is not None and most is not None and (len(length) > _MAX_LENGTH_DIGITS or int(length) > most):
            self._stop(*body_too_large(most), head)
        request = Request(method, target, head, parser.should_keep_alive(), is_http_10)
        if parser.should_upgrade():
            if method == b"CONNECT":
                self._stop(400, "CONNECT to a path")
            if self._has_body(head):
                self._again = self._without_upgrade(method, b"HTTP/" + version.encode())
                return
            request.is_upgrade = self._takes_websocket and not is_http_10 and head.headers.get("upgrade", "").lower() == "websocket"
        self._request = request
        self._state, self._body, self._body_bytes = BODY, b"", 0
        if head.expects_continue and not is_http_10:
            self.wants_continue = self._has_body(head)

    def _has_body(self, head: Head) -> bool:
        return head.is_chunked or (self._content_length or b"0").strip(b"0 ") != b""

    def _new_head(self, fields: Fields) -> Head:
        head = Head(fields)
        if self._field_bytes <= _MAX_HEAD_KEY_BYTES:
            if len(self._heads) >= _MAX_HEADS:
                self._heads.clear()
            self._heads[fields] = head
        return head

    def _head_and_origin_form(self, method: bytes) -> tuple[Head, bytes]:
        fields = tuple(self._headers)
        if method == b"CONNECT":
            self._stop(501, "this is no proxy: CONNECT is not served")
        head = self._heads.get(fields) or self._new_head(fields)
        if self._url == b"*" and method == b"OPTIONS":
            return head, self._url
        parts = split_absolute(self._url)
        if parts is None:
            self._stop(400, "the target is neither a path nor an http URL")
        if head.problem or not head.has_host or head.headers["host"].encode("latin-1") == parts[0]:
            return head, parts[1]
        return Head(with_host(fields, parts[0])), parts[1]

    def _check_head(self, head: Head, is_http_10: bool) -> None:
        if head.problem:
            self._stop(head.problem_status, head.problem)
        if head.is_chunked and (self._content_length is not None or is_http_10):
            self._stop(400, "'transfer-encoding' with 'content-length' or in HTTP/1.0")
        if not head.has_host and not is_http_10:
            self._stop(400, "header 'host' is missing")

    def _without_upgrade(self, method: bytes, version: bytes) -> bytes:
        """Write the head once more: of a request that asks for an upgrade, the parser would not read the body."""
        lines = [b"%b: %b\r\n" % field for field in self._headers if field[0].lower() != b"upgrade"]
        if self._content_length is not None:
            lines.append(b"content-length: %b\r\n" % self._content_length)
        return b"%b %b %b\r\n%b\r\n" % (method, self._url, version, b"".join(lines))

    def on_body(self, data: bytes) -> None:
        self._body_bytes += len(data)
        most = self._limits.max_body_bytes
        if most is not None and self._body_bytes > most:
            self._stop(*body_too_large(most))
        if self._body_bytes > SMALL:
            self._count()
        self.wants_continue = False
        self._body = appended(self._body, data) if self._body else data

    def _count(self) -> None:
        n_bytes = self._body_bytes - self._n_counted
        if not self._buffered.take(n_bytes):
            self._stop(503, FULL.description)
        self._n_counted += n_bytes

    def on_message_complete(self) -> None:
        if self._again:
            return
        request = self._request
        assert request is not None
        body = self._body
        request.body = body if isinstance(body, bytes) else bytes(body)
        if self._n_counted:
            request.n_counted, self._n_counted = self._n_counted, 0
        self._events.append(request)
        self._request, self._body, self._state, self._since = None, b"", IDLE, self._now
        self.wants_continue = False
        if self._rate is not None:
            self._rate = None
        if request.is_upgrade or not request.keep_alive:
            self.is_closed, self.is_upgraded = True, request.is_upgrade
