"""What an HTTP server is given: requests with their heads, and one refusal; and what headers, targets and bodies must be like."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

Fields = tuple[tuple[bytes, bytes], ...]
_HOST = re.compile(
    r"(\[[0-9A-Fa-f:.]+\]|\[[vV][0-9A-Fa-f]+\.[\w.~!$&'()*+,;=:-]+\]|([\w.~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)(:[0-9]*)?", re.ASCII
).fullmatch
_SINGLETONS: Final = frozenset({"host", "content-length", "transfer-encoding", "content-type", "authorization", "expect"})


Problem = tuple[int, str]
"""An HTTP status, and what to say."""
FRAGMENT: Final[Problem] = (400, "the target has a fragment")


def target_too_long(limit: int) -> Problem:
    """Say so of a target of more bytes than `max_target_bytes`."""
    return 414, f"the target exceeds max_target_bytes={limit}"


def body_too_large(limit: int) -> Problem:
    """Say so of a body of more bytes than `max_body_bytes`, or one that says that it will be."""
    return 413, f"the body exceeds max_body_bytes={limit}"


def body_too_slow(limit: int) -> Problem:
    """Say so of a body that `BodyRate` finds too slow for `min_body_bytes_per_s`."""
    return 408, f"the body came slower than min_body_bytes_per_s={limit}"


def appended(body: bytes | bytearray, data: bytes) -> bytearray:
    """Put another piece behind what has come of a body: many small ones cost their bytes, not an object each."""
    if isinstance(body, bytes):
        body = bytearray(body)
    body += data
    return body


class Head:
    """Header fields of a request, shared by all requests that bring the same: treat it as frozen.

    Attributes:
        headers: Names in lower case; repeated fields joined with ", ".
        problem: Why requests with these headers are refused, or an empty string.
        problem_status: The HTTP status that goes with it.
        is_plain: Nothing of it need be looked at in an HTTP/1.1 request.
        note: For the front: what it made of the headers.
    """

    __slots__ = ("expects_continue", "has_host", "headers", "is_chunked", "is_plain", "note", "problem", "problem_status")

    def __init__(self, fields: Fields) -> None:
        headers: dict[str, str] = {}
        self.problem, self.problem_status = "", 400
        for raw_name, raw_value in fields:
            name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1").strip(" \t")
            if name not in headers:
                headers[name] = value
            elif name in _SINGLETONS:
                self.problem = f"header '{name}' is given twice"
            else:
                headers[name] += ("; " if name == "cookie" else ", ") + value
        self.headers: Mapping[str, str] = headers
        coding = headers.get("transfer-encoding")
        self.is_chunked = coding is not None
        if coding is not None and coding.lower() != "chunked":
            self.problem = "only the transfer coding 'chunked' is understood"
            *others, last = (part.strip(" \t") for part in coding.lower().split(","))
            if last == "chunked" and last not in others:
                self.problem_status = 501  # the framing is clear, what is in it is not (RFC 9112, 6.1 and 6.3)
        expect = headers.get("expect", "").lower()
        self.expects_continue = expect == "100-continue"
        if "expect" in headers and not self.expects_continue and not self.problem:
            self.problem, self.problem_status = "only '100-continue' may be expected", 417
        host = headers.get("host")
        self.has_host = host is not None
        if host and _HOST(host) is None:
            self.problem, self.problem_status = f"header 'host' is no host: {host[:80]!r}", 400
        self.is_plain = self.has_host and not self.is_chunked and not self.problem
        self.note: object = None


def split_absolute(target: bytes) -> tuple[bytes, bytes] | None:
    """Give authority and origin form of an absolute-form target; None if it is no http URL with a host."""
    scheme, separator, rest = target.partition(b"://")
    if not separator or scheme.lower() not in (b"http", b"https"):
        return None
    at = min((found for found in (rest.find(b"/"), rest.find(b"?")) if found >= 0), default=len(rest))
    authority, path = rest[:at], rest[at:]
    if not authority or authority[:1] == b":":
        return None
    return authority, path if path[:1] == b"/" else b"/" + path


def with_host(fields: Fields, host: bytes) -> Fields:
    """Put what the target says in the place of the field `Host` (RFC 9112, 3.2.2)."""
    return ((b"host", host), *(field for field in fields if field[0].lower() != b"host"))


class Request:
    """One whole request.

    Attributes:
        target: As sent (origin form), without scheme and authority.
        keep_alive: The client wants the connection to stay.
        is_http_10: Replies must not be chunked.
        n_counted: Bytes of the body that are counted as held by this process.
        is_upgrade: It asks for WebSocket, on a connection that may become one: what follows is in `ServerConnection.rest`.
    """

    __slots__ = ("body", "head", "is_http_10", "is_upgrade", "keep_alive", "method", "n_counted", "target")

    def __init__(self, method: bytes, target: bytes, head: Head, keep_alive: bool, is_http_10: bool) -> None:
        self.method, self.target, self.head = method, target, head
        self.keep_alive, self.is_http_10 = keep_alive, is_http_10
        self.body: bytes = b""
        self.n_counted = 0
        self.is_upgrade = False


class Refusal:
    """What came cannot be served, and nothing after it can be read: answer with `status` and close. `head` is what was read of it."""

    __slots__ = ("detail", "head", "status")

    def __init__(self, status: int, detail: str, head: Head | None = None) -> None:
        self.status, self.detail, self.head = status, detail, head
