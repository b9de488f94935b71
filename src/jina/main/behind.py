"""What is behind a front: the nodes with their replicas, and one Handler over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from jina.call import EndpointInfo, Handler
from jina.core.graph import Graph
from jina.errors import ConfigError
from jina.process.messages import NodeSpec
from jina.runtime.flow_endpoints import flow_endpoints, misfits
from jina.runtime.members import Members
from jina.runtime.node import Node
from jina.runtime.replicas import Replicas
from jina.runtime.silence import Watch
from jina.runtime.writes import Writes
from jina.transport.hop import HopChannel

if TYPE_CHECKING:
    from jina.runtime.flow import FlowHandler
    from jina.runtime.remote import Remote


class Behind:
    """The nodes of a front.

    Attributes:
        handler: Takes every call: the node where there is one, which spends no call on a graph, else a flow.
        remotes: Those nodes that somebody else runs; the front asks them for their endpoints.
    """

    def __init__(self, service: str, specs: Sequence[NodeSpec], graph: Graph, *, max_message_bytes: int | None = 1 << 30) -> None:
        """Begin without any replica.

        Args:
            service: What callers are told that the whole is called.
            specs: The nodes.
            graph: Who of them gets whose documents.
            max_message_bytes: The largest reply of an executor that somebody else runs.

        Raises:
            ConfigError: Calls cannot go through such a graph.
        """
        own = [spec for spec in specs if spec.elsewhere is None]
        self._graph, self._patience = graph, {spec.name: spec.patience for spec in specs}
        self._replicas = {spec.name: Replicas(spec.deployment, max_wait_s=spec.patience.max_wait_for_replica_s) for spec in own}
        self.remotes = {spec.name: _remote(spec, max_message_bytes) for spec in specs if spec.elsewhere is not None}
        self._nodes = {spec.name: self._node(spec) for spec in specs}
        self._known: dict[str, Sequence[EndpointInfo]] = {}
        only, *others = self._nodes.values()
        self._flow = _flow(graph, self._nodes, service) if others or graph.floating else None
        self.handler: Handler = self._flow or only

    def _node(self, spec: NodeSpec) -> Node:
        aliases = (spec.deployment,)
        if spec.name in self.remotes:  # whose limit is for each try
            return Node(spec.name, self.remotes[spec.name], aliases=aliases)
        return Node(spec.name, self._replicas[spec.name], aliases=aliases, timeout_s=spec.patience.timeout_send_s)

    def watch(self, on_hung: Callable[[HopChannel], None]) -> None:
        """Begin to look after signs of life, in the running loop; `on_hung` hears of each replica that shows none for too long."""
        for name, replicas in self._replicas.items():
            Watch(replicas.members, hang_timeout_s=self._patience[name].hang_timeout_s, on_hung=on_hung)

    def members(self, node: str) -> Members:
        """The replicas of a node that are up."""
        return self._replicas[node].members

    @property
    def is_up(self) -> bool:
        """Each node has a replica that takes calls, or an address that has not just failed."""
        return all(replicas.members.is_up for replicas in self._replicas.values()) and all(remote.is_up for remote in self.remotes.values())

    def set_endpoints(self, node: str, endpoints: Sequence[EndpointInfo]) -> None:
        """Learn what a node has."""
        self._known[node] = endpoints
        (self.remotes.get(node) or self._replicas[node]).writes = Writes(endpoints)
        if self._flow is None:
            self._nodes[node].set_endpoints(endpoints)
        else:
            self._flow.set_endpoints(node, endpoints)

    @property
    def endpoints(self) -> list[EndpointInfo] | None:
        """What is offered; None as long as a node is not known."""
        return None if len(self._known) < len(self._nodes) else flow_endpoints(self._graph, self._known)

    def check_edges(self) -> None:
        """Once all nodes are known: refuse a flow in which documents cannot pass from one to the next.

        Raises:
            ConfigError: Names the edge, the endpoint and the field.
        """
        found = misfits(self._graph, self._known)
        if found:
            raise ConfigError(f"documents do not fit along {'; '.join(found)}")

    def expect_no_more(self, reason: str) -> None:
        """Nobody starts a replica again: calls that need one which is gone fail."""
        for replicas in self._replicas.values():
            replicas.members.expect_no_more(reason)

    async def drain(self) -> None:
        """Wait until that has ended which no caller waits for."""
        if self._flow is not None:
            await self._flow.drain()

    def stop(self) -> None:
        """Fail what has not ended, and all that comes: the time to finish it is up."""
        for replicas in self._replicas.values():
            replicas.stop()
        for remote in self.remotes.values():
            remote.close()
        if self._flow is not None:
            self._flow.stop()


def _remote(spec: NodeSpec, max_message_bytes: int | None) -> Remote:
    from jina.runtime.remote import remote_of

    assert spec.elsewhere is not None
    return remote_of(spec.name, spec.elsewhere, timeout_s=spec.patience.timeout_send_s, max_message_bytes=max_message_bytes)


def _flow(graph: Graph, nodes: Mapping[str, Node], name: str) -> FlowHandler:
    from jina.runtime.flow import FlowHandler

    return FlowHandler(graph, nodes, name=name)
