"""A service put together in memory: executors, handlers and the fronts that real processes have, on one loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from jina.core.graph import GraphNode, make_graph
from jina.deployment import Deployment
from jina.executor import BaseExecutor, create_executor
from jina.fronts.table import Service, make_front
from jina.runtime.describe import endpoint_infos
from jina.runtime.flow import FlowHandler
from jina.runtime.flow_endpoints import flow_endpoints
from jina.runtime.guards import make_guard
from jina.runtime.in_process import InProcess
from jina.runtime.node import Node
from jina.transport import memory
from jina.transport.connect import Connect
from jina.wire.buffered import Buffered

_Added = tuple[str, Any] | tuple[str, Any, str | Sequence[str]]
"""A node of a flow: its name, its Executor, and what it needs."""


class Parts:
    """What serves one Executor, or a flow of them.

    Attributes:
        executors: The users' objects themselves, by the names of their nodes, for a look inside.
        protocol: The service's first.
    """

    def __init__(self, uses: Any, options: dict[str, Any]) -> None:
        """Make the Executors, in the thread that asks for it.

        Args:
            uses: What a Deployment takes, or the nodes of a flow.
            options: Arguments of a Deployment.

        Raises:
            ConfigError: The nodes make no graph.
            Exception: Whatever an Executor's `__init__` raises.
        """
        added: list[_Added] = uses if isinstance(uses, list) else []
        plans = [Deployment(**{**options, "uses": node[1], "name": node[0]})._plan() for node in added]
        self._plan, *_ = plans or [Deployment(**{**options, "uses": uses})._plan()]
        self.protocol: str = self._plan.listeners[0].protocols[0]
        self._graph = make_graph(GraphNode(name=node[0], needs=node[2] if len(node) > 2 else None) for node in added) if plans else None
        self._nodes = {node.name if added else node.graph_name: node for plan in plans or [self._plan] for node in plan.nodes}
        self.executors: dict[str, BaseExecutor] = {}
        for name, node in self._nodes.items():
            self.executors[name] = create_executor(node.executor, **node.config)
        self._handlers: dict[str, InProcess] = {}
        self._flow: FlowHandler | None = None

    async def start(self) -> None:
        """Begin to serve, on the running loop."""
        infos = {name: endpoint_infos(executor) for name, executor in self.executors.items()}
        handlers = {}
        for name, node in self._nodes.items():
            inner = self._handlers[name] = InProcess(self.executors[name], pod=f"{name}/rep-0", n_threads=node.n_threads)
            handlers[name] = Node(name, inner, aliases=(node.name,), timeout_s=node.patience.timeout_send_s)
            handlers[name].set_endpoints(infos[name])
        if self._graph is not None:
            self._flow = FlowHandler(self._graph, handlers)
        service = Service(
            name=self._plan.name,
            handler=self._flow or handlers.popitem()[1],
            endpoints=infos.popitem()[1] if self._graph is None else flow_endpoints(self._graph, infos),
            guard=make_guard(self._plan.guard),
            options=self._plan.front if self._graph is None else replace(self._plan.front, is_flow=True),
            buffered=Buffered(self._plan.front.max_buffered_bytes),
        )
        self._fronts = {protocol: make_front(service, [protocol]) for protocol in ("grpc", "http", "websocket")}
        self.connectors: dict[str, Connect] = {name: memory.connector(front.make_protocol) for name, front in self._fronts.items()}

    async def stop(self) -> None:
        """Finish what is held, stop."""
        try:
            async with asyncio.timeout(self._plan.grace_s):
                await asyncio.gather(*(front.drain() for front in self._fronts.values()))
                if self._flow is not None:
                    await self._flow.drain()
        except TimeoutError:
            if self._flow is not None:
                self._flow.stop()
        for handler in self._handlers.values():
            handler.close()

    def close(self) -> None:
        """Close the executors."""
        for executor in self.executors.values():
            executor.close()
