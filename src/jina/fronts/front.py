"""What all connections of one port share: what is served, what callers may ask, who is connected, and the clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from email.utils import formatdate
from typing import Protocol

from jina.call import EndpointInfo, Handler
from jina.fronts import http_replies
from jina.fronts.http_site import Site
from jina.fronts.turns import Turns
from jina.limits import FrontOptions
from jina.runtime.guards import Guard
from jina.wire.buffered import Buffered
from jina.wire.http2_limits import Http2Limits
from jina.wire.http_requests import Head
from jina.wire.http_whole import Openings
from jina.wire.ids import RequestIds

_TICK_S = 1.0


class Connection(Protocol):
    """What a front asks of its connections."""

    def tick(self, now: float) -> None:
        """Look at the clock: about once a second for all connections."""

    def drain(self) -> None:
        """Finish what is held, take nothing new, close."""


class Front:
    """What all connections of one port share."""

    def __init__(
        self,
        handler: Handler,
        endpoints: Sequence[EndpointInfo],
        *,
        protocols: Sequence[str],
        name: str = "executor",
        guard: Guard | None = None,
        is_ready: Callable[[], bool] = lambda: True,
        is_up: Callable[[], bool] = lambda: True,
        options: FrontOptions | None = None,
        buffered: Buffered | None = None,
    ) -> None:
        """Answer calls with `handler`.

        Args:
            handler: Takes every call with documents.
            endpoints: What the service has; may be replaced with `set_endpoints`.
            protocols: What the port speaks: `http` (HTTP/1.1, HTTP/2, gRPC-Web), `grpc`, `websocket`.
            name: The deployment's, which the health service knows beside its own services.
            guard: Decides who may call; health is exempt.
            is_ready: The front's own state, for `GET /` and Health('').
            is_up: The replicas' state, for Health('<name>').
            options: Limits and texts.
            buffered: Counts what all connections of all ports hold.
        """
        self.handler, self.guard, self.name = handler, guard, name
        self.needs_task = getattr(handler, "needs_task", True)
        self.is_ready, self.is_up = is_ready, is_up
        self.options = options = options or FrontOptions()
        self.buffered = buffered or Buffered()
        self.has_http, self.has_grpc, self.has_websocket = (each in protocols for each in ("http", "grpc", "websocket"))
        self.http2_limits = Http2Limits(
            max_streams=options.max_streams, max_header_list_bytes=options.max_header_bytes, max_header_fields=options.max_header_fields
        )
        self.site = Site(title=options.title, description=options.description, version=options.version, is_flow=options.is_flow)
        self.heads: dict[tuple[tuple[bytes, bytes], ...], Head] = {}
        self.openings = Openings()
        self.ids = RequestIds()
        self.turns = Turns()
        self.date = b""
        self._starts: dict[tuple[int, bytes], bytes] = {}
        self.connections: set[Connection] = set()
        self.watchers: set[asyncio.Event] = set()
        self.is_draining = False
        self._seen: tuple[bool, bool] | None = None
        self._all_gone: asyncio.Event | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.set_endpoints(endpoints)
        if self.has_websocket:
            import jina.fronts.websocket  # noqa: F401 - now, and not while the first caller waits

    def set_endpoints(self, endpoints: Sequence[EndpointInfo]) -> None:
        """Tell other endpoints from now on; calls that are under way are not touched."""
        self.endpoints = list(endpoints)
        self.by_path = {"/" + info.path.strip("/"): info for info in endpoints}
        self.site.set_endpoints(endpoints if self.has_http else ())

    def make_protocol(self) -> asyncio.Protocol:
        """Give the protocol for a new connection."""
        if self.has_http or self.has_websocket:  # it changes to HTTP/2 where a connection begins so
            from jina.fronts.http1_connection import Http1Connection

            return Http1Connection(self)
        from jina.fronts.http2_connection import Http2Connection

        return Http2Connection(self)

    async def drain(self) -> None:
        """Say NOT_SERVING, take no new calls, return when those under way have ended and the connections are closed."""
        self.is_draining = True
        for watcher in self.watchers:
            watcher.set()
        self._all_gone = asyncio.Event()
        for connection in list(self.connections):
            connection.drain()
        self._check_gone()
        await self._all_gone.wait()

    def opened(self, connection: Connection) -> None:
        """Count a connection in; the first one starts the timer that serves them all."""
        self.connections.add(connection)
        if self._timer is None:
            self.date = formatdate(time.time(), usegmt=True).encode()
            self._starts.clear()
            self._timer = asyncio.get_running_loop().call_later(_TICK_S, self._tick)

    def start_of(self, status: int, content_type: bytes) -> bytes:
        """Give what an HTTP/1.1 response begins with, up to its request's id; made once a second."""
        start = self._starts.get((status, content_type))
        if start is None:
            line = http_replies.status_line(status)
            start = b"%bdate: %b\r\ncontent-type: %b\r\nx-request-id: " % (line, self.date, content_type)
            self._starts[status, content_type] = start
        return start

    def closed(self, connection: Connection) -> None:
        """Count a connection out."""
        self.connections.discard(connection)
        self._check_gone()

    def watch(self, changed: asyncio.Event) -> None:
        """Set this event, until it is taken out of `watchers`, after a change of state: replicas come and go, so we look now and then."""
        self.watchers.add(changed)
        self._seen = None

    def _check_gone(self) -> None:
        if not self.connections:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self._all_gone is not None:
                self._all_gone.set()

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_later(_TICK_S, self._tick)
        self.date = formatdate(time.time(), usegmt=True).encode()
        self._starts.clear()
        if self.watchers:
            seen, self._seen = self._seen, (self.is_ready(), self.is_up())
            if seen != self._seen:
                for changed in self.watchers:
                    changed.set()
        for connection in list(self.connections):
            connection.tick(loop.time())
