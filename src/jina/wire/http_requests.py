"""What an HTTP/1.1 server is given: requests with their heads, and one refusal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_SINGLETONS: Final = frozenset({"host", "content-length", "transfer-encoding", "content-type", "authorization", "expect"})


class Head:
    """Header fields of a request, shared by all requests that bring the same: treat it as frozen.

    Attributes:
        headers: Names in lower case; repeated fields joined with ", ".
        problem: Why requests with these headers are refused, or an empty string.
        note: For the front: what it made of the headers.
    """

    __slots__ = ("expects_continue", "has_host", "headers", "is_chunked", "note", "problem")

    def __init__(self, fields: tuple[tuple[bytes, bytes], ...]) -> None:
        headers: dict[str, str] = {}
        self.problem = ""
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
        expect = headers.get("expect", "").lower()
        self.expects_continue = expect == "100-continue"
        self.has_host = "host" in headers
        self.note: object = None


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
    """What came cannot be served, and nothing after it can be read: answer with `status` and close."""

    __slots__ = ("detail", "status")

    def __init__(self, status: int, detail: str) -> None:
        self.status, self.detail = status, detail
