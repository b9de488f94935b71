"""A Deployment put together in memory: the executor, the handlers and the fronts that real processes have, on one loop."""

from __future__ import annotations

import asyncio
from typing import Any

from jina.deployment import Deployment
from jina.executor import BaseExecutor, create_executor
from jina.fronts.table import Service, make_front
from jina.runtime.describe import endpoint_infos
from jina.runtime.guards import make_guard
from jina.runtime.in_process import InProcess
from jina.runtime.node import Node
from jina.transport import memory
from jina.transport.connect import Connect
from jina.wire.buffered import Buffered


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
        self._node = Node(node.graph_name, self._run, aliases=(node.name,), timeout_s=node.patience.timeout_send_s)
        self._n_threads = node.n_threads
        assert isinstance(node.executor, type)
        self.protocol: str = self._plan.listeners[0].protocols[0]
        self.executor: BaseExecutor = create_executor(node.executor, **node.config)
        self._endpoints = endpoint_infos(self.executor)
        self._handler: InProcess | None = None

    async def _run(self, call: Any) -> Any:
        assert self._handler is not None, "the service is not running"
        return await self._handler(call)

    async def start(self) -> None:
        """Begin to serve, on the running loop."""
        self._handler = InProcess(self.executor, n_threads=self._n_threads)
        self._node.set_endpoints(self._endpoints)
        service = Service(
            name=self._plan.name,
            handler=self._node,
            endpoints=self._endpoints,
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
        except TimeoutError:
            pass
        if self._handler is not None:
            self._handler.close()

    def close(self) -> None:
        """Close the executor."""
        self.executor.close()
