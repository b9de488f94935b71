"""A Deployment put together in memory: the executor, the handlers and the fronts that real processes have, on one loop."""

from __future__ import annotations

import asyncio
from typing import Any

from jina.deployment import Deployment
from jina.executor import create_executor
from jina.fronts.grpc import GrpcFront, GrpcFrontOptions
from jina.fronts.http import HttpFront, HttpFrontOptions
from jina.runtime.describe import endpoint_infos
from jina.runtime.guards import make_guard
from jina.runtime.in_process import InProcess
from jina.runtime.node import Node
from jina.transport import memory
from jina.transport.connect import Connect


class Parts:
    """What serves one Executor.

    Attributes:
        executor: The user's object itself, for a look inside.
        protocol: The deployment's first.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        """Make the Executor, in the thread that asks for it.

        Args:
            options: Arguments of a Deployment.

        Raises:
            Exception: Whatever the Executor's `__init__` raises.
        """
        deployment = Deployment(**options)
        self._plan = deployment._plan()
        node = self._plan.nodes[0]
        self._node, self._n_threads = Node(node.graph_name, self._run, aliases=(node.name,)), node.n_threads
        assert isinstance(node.executor, type)
        self.protocol = self._plan.listeners[0].protocol
        self.executor = create_executor(node.executor, **node.config)
        self._endpoints = endpoint_infos(self.executor)
        self._handler: InProcess | None = None

    async def _run(self, call: Any) -> Any:
        assert self._handler is not None, "the service is not running"
        return await self._handler(call)

    async def start(self) -> None:
        """Begin to serve, on the running loop."""
        self._handler = InProcess(self.executor, n_threads=self._n_threads)
        self._node.set_endpoints(self._endpoints)
        guard = make_guard(self._plan.guard)
        values = self._plan.front
        known = {name: value for name, value in values.items() if name in GrpcFrontOptions.__dataclass_fields__}
        grpc = GrpcFront(self._node, self._endpoints, name=self._plan.name, guard=guard, options=GrpcFrontOptions(**known))
        known = {name: value for name, value in values.items() if name in HttpFrontOptions.__dataclass_fields__}
        http = HttpFront(self._node, self._endpoints, guard=guard, options=HttpFrontOptions(**known))
        self._fronts: tuple[Any, ...] = (grpc, http)
        self.connectors: dict[str, Connect] = {"grpc": memory.connector(grpc.make_protocol), "http": memory.connector(http.make_protocol)}

    async def stop(self) -> None:
        """Finish what is held, stop."""
        try:
            async with asyncio.timeout(self._plan.grace_s):
                await asyncio.gather(*(front.drain() for front in self._fronts))
        except TimeoutError:
            pass
        if self._handler is not None:
            self._handler.close()

    def close(self) -> None:
        """Close the executor."""
        self.executor.close()
