"""HTTP/1.1 in the client's role, sans-IO, over llhttp: requests to bytes, bytes to responses. One request at a time; no pipelining.

The requests are those whose responses have a body (no HEAD, no CONNECT). Content codings are undone; trailers are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import httptools

from jina.errors import InvalidInputError
from jina.wire.content_coding import CodingError, Unfolding, codings_of

HEAD: Final = 1
"""(HEAD, status, headers): names in lower case; of equal names the values are joined with a comma."""
BODY: Final = 2
"""(BODY, data): a piece of the body."""
END: Final = 3
"""(END, keep_alive): the response is complete; another request may follow if `keep_alive`."""

UPGRADED: Final = 4
"""(UPGRADED, headers, rest): the last one. A 101; what follows is of another protocol."""

MAX_HEADER_BYTES: Final = 65536
_FREE_BYTES: Final = 64 << 20
"""A folded response may unfold to this size whatever the ratio: tensors of zeros are common, and hostile servers rare."""
_INTERIM_BYTES: Final = 64
_FIELD_BYTES: Final = 4
_HEADERS_TOO_LARGE: Final = f"the server's headers are larger than {MAX_HEADER_BYTES} bytes"
_MAX_FRAMING_BYTES: Final = 1 << 20
_MAX_FRAMING_RATIO: Final = 16
Event = tuple[Any, ...]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
_TARGET = re.compile(r"/[!-~]*").fullmatch


class BadResponseError(Exception):
    """What the server sent is no HTTP response, or passes a limit."""


def request_bytes(method: str, target: str, headers: Mapping[str, str], body: bytes | None = None) -> bytes:
    """Write a request; `content-length` is added where there is a body.

    Args:
        method: e.g. `POST`.
        target: Path and query, percent-encoded.
        headers: `host` among them.
        body: None for none.

    Raises:
        InvalidInputError: A target, name or value that would break the framing.
    """
    if _TARGET(target) is None:
        raise InvalidInputError(f"the path {target[:80]!r} must begin with '/' and be visible ASCII; percent-encode the rest")
    head = [f"{method} {target} HTTP/1.1\r\n"]
    for name, value in headers.items():
        if _TOKEN(name) is None or any(character in value for character in "\r\n\0"):
            raise InvalidInputError(f"header {name[:80]!r} with value {value[:80]!r} cannot be sent: no line ends, no odd names")
        head.append(f"{name}: {value}\r\n")
    if body is not None:
        head.append(f"content-length: {len(body)}\r\n")
    head.append("\r\n")
    try:
        return "".join(head).encode("latin-1") + (body or b"")
    except UnicodeEncodeError as error:
        raise InvalidInputError(f"a header value holds {error.object[error.start : error.end]!r}, which HTTP cannot carry") from None


class ResponseReader:
    """Reads the responses of one connection, one after the other.

    Attributes:
        has_begun: Some of the present response has come.
        max_body_bytes: A body that is larger, unfolded, is refused.
    """

    def __init__(self, max_body_bytes: int | None = None, *, may_upgrade: bool = False) -> None:
        """Begin; with `may_upgrade` the request asked for another protocol."""
        self.max_body_bytes, self._may_upgrade = max_body_bytes, may_upgrade
        self._parser = httptools.HttpResponseParser(self)
        self._begin()

    def _begin(self) -> None:
        self._headers: dict[str, str] = {}
        self._events: list[Event] = []
        self._pieces: list[bytes] = []
        self._unfolding: Unfolding | None = None
        self._n_read = self._n_header = self._n_body = 0
        self._is_until_eof = self._has_head = self.has_begun = False

    def feed(self, data: bytes) -> list[Event]:
        """Take what was read.

        Raises:
            BadResponseError: It is no HTTP response.
        """
        self.has_begun = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            if isinstance(error.__context__, BadResponseError):
                raise error.__context__ from None
            if data[:1] == b"\x00" and data[3:4] == b"\x04":  # SETTINGS, the first frame of every HTTP/2 server (RFC 9113, 3.4)
                raise BadResponseError("the server's answer is not HTTP/1.1: this is a gRPC port; use protocol='grpc'") from None
            raise BadResponseError(f"the server's answer is not HTTP: {error}") from None
        except httptools.HttpParserUpgrade as upgrade:
            return [(UPGRADED, self._headers, data[upgrade.args[0] :])]
        self._n_read += len(data)
        if not self._has_head and self._n_read > 2 * MAX_HEADER_BYTES:  # the parser keeps a field that has no end
            raise BadResponseError(_HEADERS_TOO_LARGE)
        if self._n_read > _MAX_FRAMING_BYTES + _MAX_FRAMING_RATIO * self._n_body:
            raise BadResponseError("the server's answer has hardly a body for its headers, or for the framing of its chunks")
        if self._pieces:
            self._flush()
        return self._take()

    def eof(self) -> list[Event]:
        """The connection is closed: the end of a body that has no length.

        Raises:
            BadResponseError: In the middle of a response.
        """
        if not self._is_until_eof:
            raise BadResponseError("the server closed the connection before its answer was complete")
        if self._unfolding is not None:
            self._end_coding(self._unfolding)
        return [(END, False)]

    def _flush(self) -> None:
        """Make one event of the pieces of a body that came together, unfolded."""
        data, self._pieces = b"".join(self._pieces), []
        if self._unfolding is not None:
            try:
                data = b"".join(self._unfolding.feed(data))
            except CodingError as error:
                raise BadResponseError(f"the server's answer: {error}") from None
        if data:
            self._events.append((BODY, data))

    def _end_coding(self, unfolding: Unfolding) -> None:
        try:
            unfolding.end()
        except CodingError as error:
            raise BadResponseError(f"the server's answer: {error}") from None

    def _take(self) -> list[Event]:
        events, self._events = self._events, []
        if events and events[-1][0] == END:
            self._begin()
        return events

    def on_message_begin(self) -> None:
        if self._events and self._events[-1][0] == END:
            raise BadResponseError("the server sent more than it was asked for")

    def on_header(self, name: bytes, value: bytes | None) -> None:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1") if value else ""
        self._n_header += len(key) + len(text) + _FIELD_BYTES
        if self._n_header > MAX_HEADER_BYTES:
            raise BadResponseError(_HEADERS_TOO_LARGE)
        self._headers[key] = f"{self._headers[key]}, {text}" if key in self._headers else text

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status == 101:
            self._check_upgrade()
            return
        headers, self._headers = self._headers, {}  # what follows are trailers, or the next head's
        if status < 100:
            raise BadResponseError(f"the server's answer has the status {status:03}")
        if status < 200:
            self._n_header += _INTERIM_BYTES
            if self._n_header > MAX_HEADER_BYTES:
                raise BadResponseError(_HEADERS_TOO_LARGE)
            return
        self._has_head = True
        has_body = status not in (204, 304)
        coding = headers.get("transfer-encoding")
        if coding is not None and coding.lower() != "chunked":
            raise BadResponseError(f"the server's answer is in the transfer coding {coding[:80]!r}; only 'chunked' is understood")
        self._is_until_eof = has_body and coding is None and "content-length" not in headers
        if has_body and "content-encoding" in headers:
            self._unfolding = self._unfolding_of(headers["content-encoding"])
        self._events.append((HEAD, status, headers))

    def _check_upgrade(self) -> None:
        """The parser stops behind a 101, but tells where only if these fields do."""
        if not self._may_upgrade:
            raise BadResponseError("the server changed to another protocol, which it was not asked for")
        names = self._headers.get("connection", "").lower()
        if "upgrade" not in self._headers or "upgrade" not in (name.strip(" \t") for name in names.split(",")):
            raise BadResponseError("the server changed to another protocol without the fields 'upgrade' and 'connection: upgrade'")

    def _unfolding_of(self, field: str) -> Unfolding | None:
        try:
            codings = codings_of(field)
        except CodingError:
            raise BadResponseError(f"the server's answer is in a coding that was not asked for: {field[:80]!r}") from None
        if not codings:
            return None
        return Unfolding(codings, max_bytes=self.max_body_bytes, limit="max_message_bytes", free_bytes=_FREE_BYTES)

    def on_body(self, data: bytes) -> None:
        self._n_body += len(data)
        if self.max_body_bytes is not None and self._n_body > self.max_body_bytes:
            raise BadResponseError(f"the server's answer exceeds max_message_bytes={self.max_body_bytes}")
        self._pieces.append(data)

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() >= 200:
            if self._pieces:
                self._flush()
            if self._unfolding is not None:
                self._end_coding(self._unfolding)
            self._events.append((END, self._parser.should_keep_alive()))
