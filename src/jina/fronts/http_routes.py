"""Which endpoint a request is for, or the answer to what is for none: pages, health, CORS, refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from jina.call import EndpointInfo
from jina.fronts import http_replies
from jina.fronts.http_calls import Note
from jina.fronts.http_replies import JSON
from jina.fronts.http_site import FlowRoute
from jina.wire.http_requests import Request

if TYPE_CHECKING:
    from jina.fronts.front import Front

Answer = tuple[int, bytes, bytes, bytes]
"""HTTP status, body, header lines, content type."""
_ALLOWED_METHODS = b"DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"


def find(front: Front, request: Request, note: Note, raw_path: bytes) -> EndpointInfo | FlowRoute | Answer:
    """Give the endpoint to call, or what to answer."""
    method = request.method
    if front.options.cors and _is_preflight(request):
        return _preflight(request)
    if note.problem:
        return note.problem_status, http_replies.detail_body(note.problem), http_replies.lines_for(note.problem_status), JSON
    if raw_path == b"*":
        return _options(b"GET, HEAD, OPTIONS, POST")
    path = _path(raw_path)
    if path == "/":
        return _health(method, is_ready=front.is_ready)
    page = front.site.page(path)
    if page is not None:
        return (200, page[2], page[1], page[0]) if method in (b"GET", b"HEAD") else _not_allowed(method, b"GET, HEAD")
    info = front.site.routes.get(path) or front.site.routes.get(path.rstrip("/"))
    if info is None:
        if path[-1:] == "/" and front.site.page(path[:-1]) is not None:
            return _redirect(method, path)
        route = front.site.flow_routes.get(path)
        if route is not None:
            return route if method == route.value[1] else _not_allowed(method, route.value[1])
        return 404, http_replies.encode(front.site.not_found(path)), b"", JSON
    if method == b"POST" or (method == b"GET" and info.kind == "stream"):
        return info
    return _not_allowed(method, b"GET, POST" if info.kind == "stream" else b"POST")


def is_open(request: Request, has_cors: bool) -> bool:
    """Whether a request needs no key: health, and the question of a browser that may not send one yet."""
    if request.target == b"/" and request.method in (b"GET", b"HEAD") and not request.is_upgrade:
        return True
    return has_cors and _is_preflight(request)


def _is_preflight(request: Request) -> bool:
    return request.method == b"OPTIONS" and "access-control-request-method" in request.head.headers


def _preflight(request: Request) -> Answer:
    wanted = request.head.headers.get("access-control-request-headers", "*").encode("latin-1")
    lines = b"access-control-allow-methods: %b\r\naccess-control-max-age: 600\r\naccess-control-allow-headers: %b\r\n"
    return 200, b"OK", lines % (_ALLOWED_METHODS, wanted), b"text/plain; charset=utf-8"


def _health(method: bytes, *, is_ready: Callable[[], bool]) -> Answer:
    if method not in (b"GET", b"HEAD"):
        return _not_allowed(method, b"GET, HEAD")
    if is_ready():
        return 200, b"{}", b"", JSON
    return 503, http_replies.detail_body("not ready"), b"retry-after: 1\r\n", JSON


def _redirect(method: bytes, path: str) -> Answer:
    """Lead from a page's path with a slash behind it to the page; relative, as the pages' own links, for proxies that add a prefix."""
    if method not in (b"GET", b"HEAD"):
        return _not_allowed(method, b"GET, HEAD")
    return 307, b"", b"location: ../%b\r\n" % path[:-1].rpartition("/")[2].encode(), b"text/plain; charset=utf-8"


def _not_allowed(method: bytes, allowed: bytes) -> Answer:
    if method == b"OPTIONS":
        return _options(allowed + b", OPTIONS")
    return 405, http_replies.detail_body("Method Not Allowed"), b"allow: %b\r\n" % allowed, JSON


def _options(allowed: bytes) -> Answer:
    return 200, b"", b"allow: %b\r\n" % allowed, JSON


def _path(raw: bytes) -> str:
    return unquote_to_bytes(raw).decode("utf-8", "replace") if b"%" in raw else raw.decode("latin-1")
