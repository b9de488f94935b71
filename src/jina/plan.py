"""The frozen description that Deployment and Flow build and engines place."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jina.core.graph import GATEWAY, Graph
from jina.limits import FrontOptions, Patience
from jina.options import DeploymentOptions
from jina.options.address import ABSTRACT, Elsewhere, in_url, is_network, reachable, unix_path
from jina.options.service import ServiceOptions

_MAX_THREADS = 32


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
        n_replicas: Equal copies.
        patience: How long its calls wait, and its workers are waited for.
    """

    name: str
    graph_name: str
    executor: type
    config: Mapping[str, Any]
    env: Mapping[str, Any] = field(default_factory=dict)
    n_threads: int = 1
    n_replicas: int = 1
    patience: Patience = field(default_factory=Patience)


@dataclass(frozen=True, kw_only=True)
class ExternalNode:
    """An executor in a graph that somebody else runs.

    Attributes:
        name: Its own, also in the graph.
        elsewhere: Where it is.
        patience: How long one try of a call may take.
    """

    name: str
    elsewhere: Elsewhere
    patience: Patience = field(default_factory=Patience)

    @property
    def graph_name(self) -> str:
        """What the graph calls it."""
        return self.name


def node_of(
    options: DeploymentOptions,
    executor: type,
    config: Mapping[str, Any],
    *,
    graph_name: str,
    source: str = GATEWAY,
) -> Node:
    """Make the node of a deployment.

    Args:
        options: How the Executor runs.
        executor: Its class.
        config: What `resolve_uses` found beside the class.
        graph_name: What the graph calls it.
        source: Whose documents it gets, the first of several.
    """
    return Node(
        name=options.name,
        graph_name=graph_name,
        executor=executor,
        config={**config, "runtime_args": _runtime_args(options), "source": source},
        env=env_of(options),
        n_threads=_MAX_THREADS if options.allow_concurrent else 1,
        n_replicas=options.replicas,
        patience=options.patience(),
    )


def _runtime_args(options: DeploymentOptions) -> dict[str, Any]:
    return {
        "workspace": options.workspace,
        "shard_id": 0,
        "shards": options.shards,
        "replicas": options.replicas,
        "name": f"{options.name}/rep-0",
        "provider": "NONE",
        "provider_endpoint": None,
        "allow_concurrent": options.allow_concurrent,
        "quiet_error": options.quiet_error,
        "exit_on_exceptions": list(options.exit_on_exceptions),
    }


def env_of(options: ServiceOptions) -> dict[str, Any]:
    """Give the environment variables of children that run a user's code: his own, and Jina's for how `self.logger` writes."""
    log_config = "QUIET" if options.quiet else options.log_config
    return {**({} if log_config == "default" else {"JINA_LOG_CONFIG": log_config}), **(options.env or {})}


@dataclass(frozen=True, kw_only=True)
class Listener:
    """Public addresses with the same port, and what is spoken there.

    Attributes:
        protocols: Some of `grpc`, `http` and `websocket`; several share the port.
        hosts: Names and addresses of this machine, `unix:PATH`, or `systemd`.
        port: 0 for any that is free, and where there is none.
        reuse_port: Other services may listen on the same port.
        access: Who may connect to a Unix socket: `owner`, `group` or `everyone`.
    """

    protocols: tuple[str, ...]
    hosts: tuple[str, ...]
    port: int = 0
    reuse_port: bool = False
    access: str = "owner"

    def urls(self, host: str, is_secure: bool) -> list[str]:
        """Say where each protocol is on one of the hosts, as a Client takes it."""
        schemes = [{"websocket": "ws"}.get(protocol, protocol) + "s" * is_secure for protocol in self.protocols]
        path = unix_path(host)
        if path is None:
            return [f"{scheme}://{in_url(reachable(host))}:{self.port}" for scheme in schemes]
        return [f"{scheme}+{host if path[0] == ABSTRACT else f'unix://{os.path.abspath(path)}'}" for scheme in schemes]


def listeners_of(options: ServiceOptions) -> tuple[Listener, ...]:
    """Say what a deployment listens on: its ports on every address, and all protocols on every Unix socket and every passed one."""
    protocols = options.protocol_names
    network = tuple(host for host in options.host if is_network(host))
    other = tuple(host for host in options.host if not is_network(host))
    groups: dict[Any, tuple[str, ...]] = {}
    for protocol, port in zip(protocols, options.ports, strict=False):
        key = port if port or options.shares_port else protocol  # those for whom the system chooses get one each
        groups[key] = (*groups.get(key, ()), protocol)
    found = [
        Listener(protocols=group, hosts=network, port=port if isinstance(port, int) else 0, reuse_port=options.reuse_port)
        for port, group in groups.items()
    ]
    rest = [Listener(protocols=protocols, hosts=other, access=options.unix_access)] if other else []
    return (*(found if network else ()), *rest)


@dataclass(frozen=True, kw_only=True)
class WebApp:
    """A web app of the user's, which answers HTTP in a process of its own instead of the front.

    Attributes:
        source: An ASGI app, a function that makes one (from nothing, or from the default app), or `module:name` of either; None for
            the default app.
        hook: Gets the app at last and gives the one to serve.
        uvicorn_kwargs: More options of its server.
        env: Environment variables of its process, on top of the supervisor's.
    """

    source: Any = None
    hook: Any = None
    uvicorn_kwargs: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Nodes behind one front.

    Attributes:
        kind: What errors call it: `deployment` or `flow`.
        name: For logs.
        nodes: In graph order; those of them that we run are `own_nodes`.
        graph: Who of them gets whose documents.
        listeners: What the front listens on.
        front: Of all its ports.
        guard: An API key, a callable over the headers, or None.
        timeout_ready_s: None waits for ever.
        grace_s: How long stopping waits for held calls.
    """

    kind: str
    name: str
    nodes: tuple[Node | ExternalNode, ...]
    graph: Graph
    listeners: tuple[Listener, ...]
    timeout_ready_s: float | None
    grace_s: float
    front: FrontOptions = field(default_factory=FrontOptions)
    guard: Any = field(default=None, repr=False)

    @property
    def own_nodes(self) -> tuple[Node, ...]:
        """The nodes that need workers, in graph order."""
        return tuple(node for node in self.nodes if isinstance(node, Node))

    @property
    def shown(self) -> str:
        """What errors call it: its kind and its name."""
        return f"{self.kind} {self.name!r}"


def plan_of(kind: str, options: ServiceOptions, nodes: tuple[Node | ExternalNode, ...], graph: Graph) -> Plan:
    """Make the plan of a service: nodes, behind a front as the options say."""
    return Plan(
        kind=kind,
        name=options.name,
        nodes=nodes,
        graph=graph,
        listeners=listeners_of(options),
        timeout_ready_s=options.timeout_ready_s,
        grace_s=options.timeout_ctrl,
        front=options.front_options(),
        guard=options.api_key,
    )
