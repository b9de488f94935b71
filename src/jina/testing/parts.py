"""A service put together in memory: executors, handlers and the fronts that real processes have, on one loop."""

from __future__ import annotations

import asyncio
from typing import Any

from jina.deployment import Deployment
from jina.errors import ConfigError
from jina.executor import BaseExecutor, create_executor
from jina.flow import Flow
from jina.fronts.table import Service, make_front
from jina.orchestrator import Orchestrator
from jina.plan import ExternalNode
from jina.runtime.describe import endpoint_infos
from jina.runtime.flow import FlowHandler
from jina.runtime.flow_endpoints import flow_endpoints, misfits
from jina.runtime.guards import make_guard
from jina.runtime.in_process import InProcess
from jina.runtime.node import Node
from jina.transport import memory
from jina.transport.connect import Connect
from jina.wire.buffered import Buffered


class Parts:
    """What serves one Executor, or a flow of them.

    Attributes:
        executors: The users' objects themselves, by the names of their nodes, for a look inside.
        protocol: The service's first.
    """

    def __init__(self, uses: Any, options: dict[str, Any]) -> None:
        """Make the Executors, in the thread that asks for it.

        Args:
            uses: A Flow, its nodes as a list, or what a Deployment takes.
            options: Arguments of a Deployment, or of the Flow whose nodes are given.

        Raises:
            ConfigError: The nodes make no graph, or one of them runs elsewhere.
            Exception: Whatever an Executor's `__init__` raises.
        """
        self._plan = _service(uses, options)._plan()
        self.protocol: str = self._plan.listeners[0].protocols[0]
        elsewhere = [node.name for node in self._plan.nodes if isinstance(node, ExternalNode)]
        if elsewhere:
            raise ConfigError(
                f"executors elsewhere ({', '.join(map(repr, elsewhere))}) cannot be served in memory; put their class in their place"
            )
        self._nodes = {node.graph_name: node for node in self._plan.own_nodes}
        self.executors: dict[str, BaseExecutor] = {}
        for name, node in self._nodes.items():
            self.executors[name] = create_executor(node.executor, **node.config)
        self._handlers: dict[str, InProcess] = {}
        self._flow: FlowHandler | None = None

    async def start(self) -> None:
        """Begin to serve, on the running loop."""
        graph = self._plan.graph
        infos = {name: endpoint_infos(executor) for name, executor in self.executors.items()}
        unfit = misfits(graph, infos)
        if unfit:
            raise ConfigError(f"documents do not fit along {'; '.join(unfit)}")
        handlers = {}
        for name, node in self._nodes.items():
            inner = InProcess(self.executors[name], pod=f"{name}/rep-0", n_threads=node.n_threads, when=graph.when.get(name))
            self._handlers[name] = inner
            handlers[name] = Node(name, inner, aliases=(node.name,), timeout_s=node.patience.timeout_send_s)
            handlers[name].set_endpoints(infos[name])
        only, *others = handlers.values()
        if others or graph.floating:
            self._flow = FlowHandler(graph, handlers, name=self._plan.name)
        service = Service(
            name=self._plan.name,
            handler=self._flow or only,
            endpoints=flow_endpoints(graph, infos),
            guard=make_guard(self._plan.guard),
            options=self._plan.front,
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


def _service(uses: Any, options: dict[str, Any]) -> Orchestrator:
    if isinstance(uses, Orchestrator):
        if options:
            raise ConfigError(f"options are given to the {uses.KIND} itself, got {', '.join(options)}")
        return uses
    if not isinstance(uses, list):
        return Deployment(**{**options, "uses": uses})
    flow = Flow(**options)
    for name, executor, *needs in uses:
        flow.add(name=name, uses=executor, needs=needs[0] if needs else None, copy_flow=False)
    return flow
