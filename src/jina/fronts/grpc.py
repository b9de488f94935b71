"""The gRPC front: what can be set, and what all connections of one port share.

Bytes are moved by `grpc_connection.py`; which method means what stands in `grpc_methods.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from jina.call import EndpointInfo, Handler
from jina.fronts.grpc_connection import GrpcConnection
from jina.runtime.guards import Guard
from jina.wire.buffered import Buffered
from jina.wire.http2_limits import Limits

_TICK_S = 1.0


@dataclass(frozen=True, kw_only=True)
class GrpcFrontOptions:
    """What can be set of a gRPC front.

    Attributes:
        max_message_bytes: Larger messages end their call with RESOURCE_EXHAUSTED; None for no limit.
        max_streams: Calls at once on one connection.
        prefetch: Requests of one bidirectional stream that are worked on at once; 0 for no limit.
        max_header_bytes: The largest metadata of one call.
        max_header_fields: The most fields in it.
        header_timeout_s: What a client may take for its preface, or for one block of metadata; None for no limit.
        idle_timeout_s: A connection without calls on which nothing comes (a ping is something) for so long is told to go away, and
            closed; None for no limit, as grpcio has it.
        write_timeout_s: A client that takes nothing for so long is cut off, a call whose reply it does not let in, or whose request
            message does not come to its end, is reset; None for no limit.
    """

    max_message_bytes: int | None = 1 << 30
    max_streams: int = 1000
    prefetch: int = 1000
    max_header_bytes: int = 64 << 10
    max_header_fields: int = 100
    header_timeout_s: float | None = 10.0
    idle_timeout_s: float | None = None
    write_timeout_s: float | None = 60.0


class GrpcFront:
    """What all connections of one gRPC port share."""

    def __init__(
        self,
        handler: Handler,
        endpoints: Sequence[EndpointInfo],
        *,
        name: str = "executor",
        guard: Guard | None = None,
        is_ready: Callable[[], bool] = lambda: True,
        is_up: Callable[[], bool] = lambda: True,
        options: GrpcFrontOptions | None = None,
        buffered: Buffered | None = None,
    ) -> None:
        """Answer calls with `handler`.

        Args:
            handler: Takes every call with documents.
            endpoints: What discovery tells; may be replaced with `set_endpoints`.
            name: The deployment's, which the health service knows beside its own services.
            guard: Decides who may call; health is exempt.
            is_ready: The front's own state, for Health('').
            is_up: The replicas' state, for Health('<name>').
            options: Limits and forms.
            buffered: Counts what all connections of all ports hold.
        """
        self.handler, self.guard, self.name = handler, guard, name
        self.needs_task = getattr(handler, "needs_task", True)
        self.is_ready, self.is_up = is_ready, is_up
        self.options = options or GrpcFrontOptions()
        self.buffered = buffered or Buffered()
        self.endpoints = list(endpoints)
        self.connections: set[GrpcConnection] = set()
        self.watchers: set[asyncio.Event] = set()
        self.is_draining = False
        self._seen: tuple[bool, bool] | None = None
        options = self.options
        self.limits = Limits(
            max_streams=options.max_streams, max_header_list_bytes=options.max_header_bytes, max_header_fields=options.max_header_fields
        )
        self._all_gone: asyncio.Event | None = None
        self._timer: asyncio.TimerHandle | None = None

    def set_endpoints(self, endpoints: Sequence[EndpointInfo]) -> None:
        """Tell other endpoints from now on."""
        self.endpoints = list(endpoints)

    def make_protocol(self) -> GrpcConnection:
        """For `create_server`."""
        return GrpcConnection(self)

    async def drain(self) -> None:
        """Say NOT_SERVING, take no new calls, return when those under way have ended and the connections are closed."""
        self.is_draining = True
        for watcher in self.watchers:
            watcher.set()
        self._all_gone = asyncio.Event()
        for connection in list(self.connections):
            connection.drain()
        self.check_gone()
        await self._all_gone.wait()

    def check_gone(self) -> None:
        """Called when a connection is gone."""
        if not self.connections:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self._all_gone is not None:
                self._all_gone.set()

    def opened(self, connection: GrpcConnection) -> None:
        """Count a connection in; the first one starts the timer that serves them all."""
        self.connections.add(connection)
        if self._timer is None:
            self._timer = connection.loop.call_later(_TICK_S, self._tick)

    def watch(self, changed: asyncio.Event) -> None:
        """Set this event, until it is taken out of `watchers`, after a change of state: replicas come and go, so we look now and then."""
        self.watchers.add(changed)
        self._seen = None

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_later(_TICK_S, self._tick)
        if self.watchers:
            seen, self._seen = self._seen, (self.is_ready(), self.is_up())
            if seen != self._seen:
                for changed in self.watchers:
                    changed.set()
        for connection in list(self.connections):
            connection.tick(loop.time())
