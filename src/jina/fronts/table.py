"""Which front speaks which protocol, and what each is made from. A front's module is imported when the first of its kind is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from jina.call import EndpointInfo, Handler
from jina.runtime.guards import Guard
from jina.wire.buffered import Buffered

T = TypeVar("T")


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
        options: Plain values for all fronts; each takes those that it knows.
        buffered: Counts what all connections of all ports hold.
    """

    name: str
    handler: Handler
    endpoints: Sequence[EndpointInfo] = ()
    guard: Guard | None = None
    is_ready: Callable[[], bool] = lambda: True
    is_up: Callable[[], bool] = lambda: True
    options: Mapping[str, Any] = field(default_factory=dict)
    buffered: Buffered | None = None


def known_options(kind: type[T], values: Mapping[str, Any]) -> T:
    """Make an options class from those of the values that it has."""
    known = {each.name for each in fields(kind)}  # type: ignore[arg-type]  # T is any dataclass
    return kind(**{name: value for name, value in values.items() if name in known})


def _http(service: Service) -> Any:
    from jina.fronts.http import HttpFront, HttpFrontOptions

    return HttpFront(
        service.handler,
        service.endpoints,
        guard=service.guard,
        is_ready=service.is_ready,
        options=known_options(HttpFrontOptions, service.options),
        buffered=service.buffered,
    )


def _grpc(service: Service) -> Any:
    from jina.fronts.grpc import GrpcFront, GrpcFrontOptions

    return GrpcFront(
        service.handler,
        service.endpoints,
        name=service.name,
        guard=service.guard,
        is_ready=service.is_ready,
        is_up=service.is_up,
        options=known_options(GrpcFrontOptions, service.options),
        buffered=service.buffered,
    )


FRONTS: Mapping[str, Callable[[Service], Any]] = {"http": _http, "grpc": _grpc}
"""Makes the front of a protocol: it has `make_protocol`, `set_endpoints` and `drain`."""
