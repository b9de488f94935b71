"""HTTP/1.1 in the client's role, sans-IO, over llhttp: requests to bytes, bytes to responses. One request at a time; no pipelining."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import httptools

from jina.errors import InvalidInputError

HEAD: Final = 1
"""(HEAD, status, headers): names in lower case; of equal names the values are joined with a comma."""
BODY: Final = 2
"""(BODY, data): a piece of the body."""
END: Final = 3
"""(END, keep_alive): the response is complete; another request may follow if `keep_alive`."""

MAX_HEADER_BYTES: Final = 65536
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
    """

    def __init__(self, max_body_bytes: int | None = None) -> None:
        self._max_body_bytes = max_body_bytes
        self._begin()

    def _begin(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[str, str] = {}
        self._events: list[Event] = []
        self._n_header, self._n_body = 0, 0
        self._is_until_eof = self.has_begun = self._is_over = False

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
        return self._take()

    def eof(self) -> list[Event]:
        """The connection is closed: the end of a body that has no length.

        Raises:
            BadResponseError: In the middle of a response.
        """
        if not self._is_until_eof:
            raise BadResponseError("the server closed the connection before its answer was complete")
        return [(END, False)]

    def _take(self) -> list[Event]:
        events, self._events = self._events, []
        if events and events[-1][0] == END:
            self._begin()
        return events

    # --- httptools' callbacks --------------------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._events and self._events[-1][0] == END:
            raise BadResponseError("the server sent more than it was asked for")

    def on_header(self, name: bytes, value: bytes) -> None:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        self._n_header += len(key) + len(text)
        if self._n_header > MAX_HEADER_BYTES:
            raise BadResponseError(f"the server's headers are larger than {MAX_HEADER_BYTES} bytes")
        self._headers[key] = f"{self._headers[key]}, {text}" if key in self._headers else text

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:
            self._headers = {}
            return
        headers = self._headers
        has_body = status not in (204, 304)
        self._is_until_eof = has_body and "content-length" not in headers and "chunked" not in headers.get("transfer-encoding", "")
        self._events.append((HEAD, status, headers))

    def on_body(self, data: bytes) -> None:
        self._n_body += len(data)
        if self._max_body_bytes is not None and self._n_body > self._max_body_bytes:
            raise BadResponseError(f"the server's answer is larger than {self._max_body_bytes} bytes; max_message_bytes moves the limit")
        self._events.append((BODY, data))

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() >= 200:
            self._events.append((END, self._parser.should_keep_alive()))
