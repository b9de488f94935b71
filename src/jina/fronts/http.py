"""The HTTP/1.1 front: which path is what, and what all connections of one port share.

Bytes are moved by `http_connection.py`; what a request says is read by `http_calls.py`, what is answered is written by `http_replies.py`.
"""

from __future__ import annotations

import asyncio
import difflib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

import msgspec

from jina.call import EndpointInfo, Handler
from jina.fronts import http_pages
from jina.fronts.http_connection import Connection
from jina.fronts.table import known_options
from jina.runtime.guards import Guard
from jina.wire.buffered import Buffered
from jina.wire.http import Head, Limits
from jina.wire.ids import RequestIds
from jina.wire.openapi import make_document

_TICK_S = 1.0
DEFAULT_TITLE = "My Jina Service"


@dataclass(frozen=True, kw_only=True)
class HttpFrontOptions:
    """What can be set of an HTTP front; None means no limit.

    Attributes:
        title, description, version: Of the API page.
        cors: Let browsers call from any origin.
        has_header: Replies carry `header`, as those of a Flow do.
        max_body_bytes, max_header_bytes, max_header_fields, header_timeout_s, idle_timeout_s, min_body_bytes_per_s: See `wire.http.Limits`.
        write_timeout_s: A caller that takes nothing of its reply for so long is cut off.
        max_pipelined: Requests of one connection that are held before reading from it stops.
    """

    title: str | None = None
    description: str | None = None
    version: str = "0.1.0"
    cors: bool = False
    has_header: bool = False
    max_body_bytes: int | None = 100 << 20
    max_header_bytes: int = 64 << 10
    max_header_fields: int = 100
    header_timeout_s: float | None = 10.0
    idle_timeout_s: float | None = 60.0
    min_body_bytes_per_s: int | None = 1024
    write_timeout_s: float | None = 60.0
    max_pipelined: int = 16


@dataclass(frozen=True)
class DefaultRoute:
    """One route that every service has or that an endpoint asks for, free of any web framework.

    Attributes:
        path: With its leading slash.
        methods: HTTP methods it answers.
        endpoint: What is called, or None for the health page.
    """

    path: str
    methods: tuple[str, ...]
    endpoint: EndpointInfo | None


def default_routes(endpoints: Sequence[EndpointInfo]) -> list[DefaultRoute]:
    """Give the routes of a service: what the front serves itself and what an app of the user's is given."""
    routes = [DefaultRoute("/", ("GET", "HEAD"), None)]
    for info in endpoints:
        if not info.path.strip("/").startswith("_jina"):
            methods = ("GET", "POST") if info.kind == "stream" else ("POST",)
            routes.append(DefaultRoute("/" + info.path.strip("/"), methods, info))
    return routes


class HttpFront:
    """What all connections of one HTTP port share."""

    def __init__(
        self,
        handler: Handler,
        endpoints: Sequence[EndpointInfo],
        *,
        guard: Guard | None = None,
        is_ready: Callable[[], bool] = lambda: True,
        options: HttpFrontOptions | None = None,
        buffered: Buffered | None = None,
    ) -> None:
        """Answer calls with `handler`.

        Args:
            handler: Takes every call with documents.
            endpoints: What the service has.
            guard: Lets callers in or not; `GET /` is open to all.
            is_ready: Whether `GET /` says so.
            options: Limits and texts.
            buffered: Counts what all connections of all ports hold.
        """
        self.handler, self.guard, self.is_ready = handler, guard, is_ready
        self.needs_task = getattr(handler, "needs_task", True)
        self.options = options or HttpFrontOptions()
        self.buffered = buffered or Buffered()
        self.limits = known_options(Limits, vars(self.options))
        self.heads: dict[tuple[tuple[bytes, bytes], ...], Head] = {}
        self.ids = RequestIds()
        self.is_draining = False
        self.connections: set[Connection] = set()
        self.date = b""
        self._timer: asyncio.TimerHandle | None = None
        self._drained: asyncio.Future[None] | None = None
        self.set_endpoints(endpoints)

    def set_endpoints(self, endpoints: Sequence[EndpointInfo]) -> None:
        """Learn what the service has; calls that are under way are not touched."""
        self.endpoints = list(endpoints)
        self._openapi: bytes | None = None
        self.batch_routes: dict[bytes, EndpointInfo] = {}
        self.routes: dict[str, EndpointInfo] = {}
        for route in default_routes(endpoints):
            if route.endpoint is not None and route.path != "/":
                self.routes[route.path] = route.endpoint
                if route.endpoint.kind != "stream":
                    self.batch_routes[route.path.encode()] = route.endpoint

    def make_protocol(self) -> Connection:
        """Give the protocol for a new connection."""
        return Connection(self)

    async def drain(self) -> None:
        """Finish the requests that are held, close connections as they fall idle, and return when none is left."""
        self.is_draining = True
        for connection in list(self.connections):
            connection.close_if_idle()
        if self.connections:
            self._drained = asyncio.get_running_loop().create_future()
            await self._drained

    # --- for connections ---------------------------------------------------------------------------------------------------------------

    def opened(self, connection: Connection) -> None:
        """Count a connection in; the first one starts the timer that serves them all."""
        self.connections.add(connection)
        if self._timer is None:
            self._tick()

    def closed(self, connection: Connection) -> None:
        """Count a connection out."""
        self.connections.discard(connection)
        if not self.connections:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self._drained is not None and not self._drained.done():
                self._drained.set_result(None)

    def openapi(self) -> bytes:
        """The API's description as JSON."""
        if self._openapi is None:
            options = self.options
            document = make_document(
                self.endpoints,
                title=options.title or DEFAULT_TITLE,
                description=options.description or "",
                version=options.version,
                has_header=options.has_header,
            )
            self._openapi = msgspec.json.encode(document)
        return self._openapi

    def page(self, path: str) -> tuple[bytes, bytes, bytes] | None:
        """Give content type, header lines and body of a page, or None."""
        if path == "/openapi.json":
            return b"application/json", b"", self.openapi()
        if path in http_pages.PATHS:
            return http_pages.page(path, self.options.title or DEFAULT_TITLE)
        return None

    def not_found(self, path: str) -> dict[str, Any]:
        """What a caller of an unknown path is told."""
        near = difflib.get_close_matches(path[:256], self.routes, n=1, cutoff=0.5)
        return {"detail": "Not Found", "hint": f"did you mean {near[0]!r}?"} if near else {"detail": "Not Found"}

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(_TICK_S, self._tick)
        self.date = formatdate(time.time(), usegmt=True).encode()
        now = loop.time()
        for connection in list(self.connections):
            connection.tick(now)
