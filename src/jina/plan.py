"""The frozen description that Deployment and Flow build and engines place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Node:
    """A deployment in a graph: an Executor and how it should run.

    Attributes:
        name: The deployment's own name; pods are `<name>/rep-<i>`.
        graph_name: What the graph calls it: routes, parameter prefixes, `target_executor`.
        executor: The Executor class.
        config: Keyword arguments of `create_executor` beside the class (JSON values).
        env: Environment variables of its workers, on top of the supervisor's.
        n_threads: Threads for `def` methods; 1 means one call at a time.
        needs: Names of the nodes whose documents it takes; `gateway` is the caller.
        n_replicas: Equal copies.
    """

    name: str
    graph_name: str
    executor: type
    config: Mapping[str, Any]
    env: Mapping[str, str] = field(default_factory=dict)
    n_threads: int = 1
    needs: tuple[str, ...] = ("gateway",)
    n_replicas: int = 1


@dataclass(frozen=True, kw_only=True)
class Listener:
    """A public address and the protocol spoken on it: `grpc`, `http` or `websocket`."""

    protocol: str
    host: str
    port: int


@dataclass(frozen=True, kw_only=True)
class WebApp:
    """A web app of the user's, which answers HTTP in a process of its own instead of the front.

    Attributes:
        source: An ASGI app, a function that makes one (from nothing, or from the default app), or `module:name` of either; None for
            the default app.
        hook: Gets the app at last and gives the one to serve.
        options: Plain values beside those of the front: TLS files, `uvicorn_kwargs`.
    """

    source: Any = None
    hook: Any = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Nodes behind one front.

    Attributes:
        name: For logs.
        nodes: In graph order.
        listeners: What the front listens on.
        front: Plain values for the fronts: title, description, cors, limits.
        guard: An API key, a callable over the headers, or None.
        timeout_ready_s: None waits for ever.
        grace_s: How long stopping waits for held calls.
        max_message_bytes: None for no limit.
    """

    name: str
    nodes: tuple[Node, ...]
    listeners: tuple[Listener, ...]
    front: Mapping[str, Any] = field(default_factory=dict)
    guard: Any = field(default=None, repr=False)
    timeout_ready_s: float | None = 600.0
    grace_s: float = 60.0
    max_message_bytes: int | None = 1 << 30
