"""What a front is made from. Its module is imported when the first one is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jina.call import EndpointInfo, Handler
from jina.limits import FrontOptions
from jina.runtime.guards import Guard
from jina.wire.buffered import Buffered

if TYPE_CHECKING:
    from jina.fronts.front import Front


@dataclass(frozen=True, kw_only=True)
class Service:
    """What a front serves.

    Attributes:
        name: The deployment's.
        handler: Takes every call.
        endpoints: What it has, as far as is known.
        guard: Decides who may call.
        is_ready: The front's own state.
        is_up: The replicas' state.
        options: Of all ports.
        buffered: Counts what all connections of all ports hold.
    """

    name: str
    handler: Handler
    endpoints: Sequence[EndpointInfo] = ()
    guard: Guard | None = None
    is_ready: Callable[[], bool] = lambda: True
    is_up: Callable[[], bool] = lambda: True
    options: FrontOptions = field(default_factory=FrontOptions)
    buffered: Buffered | None = None


def make_front(service: Service, protocols: Sequence[str]) -> Front:
    """Make the front of a port that speaks these protocols: some of `http`, `grpc`, `websocket`."""
    from jina.fronts.front import Front

    return Front(
        service.handler,
        service.endpoints,
        protocols=protocols,
        name=service.name,
        guard=service.guard,
        is_ready=service.is_ready,
        is_up=service.is_up,
        options=service.options,
        buffered=service.buffered,
    )
