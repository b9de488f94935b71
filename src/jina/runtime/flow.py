"""Several nodes as one Handler: each call goes through a graph of them.

Most flows are chains, and a chain is a loop within the caller's `Run`. Between nodes documents travel in our own binary dialect; the node
that answers last is asked for the encoding that the caller reads. A node that is not meant (`target_executor`), or does not know the
endpoint, is taken out of the graph before the call begins, so nothing is asked of it.

Where there are branches (`branches.py`) each node has a `Run` of its own; streams have rules of their own (`flow_streams.py`).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from jina.call import Call, EndpointInfo, Payload, Reply, Route, Status
from jina.codec.join_json import join_json, with_ids
from jina.codec.join_proto import join_proto
from jina.codec.order import in_order
from jina.core.graph import GATEWAY, Graph
from jina.errors import Code, InvalidInputError, MalformedError
from jina.parameters import RESULTS
from jina.runtime.aside import aside
from jina.runtime.branches import NOTHING, OURS, Branches, Floats, Walk, blamed, given_back, with_results
from jina.runtime.flow_streams import stream
from jina.runtime.lists import as_list
from jina.runtime.node import DEFAULT_ENDPOINT, Node, unchanged
from jina.runtime.targets import no_endpoint

_MAX_SHAPES = 256


class _Shape(NamedTuple):
    """The graph without the nodes that a call skips; `chain` is empty if it is none."""

    graph: Graph
    chain: tuple[Node, ...]


class FlowHandler:
    """Handler over the nodes of a graph.

    Attributes:
        needs_task: Whether calling it needs a current task (see `transport/run.py`).
    """

    def __init__(self, graph: Graph, handlers: Mapping[str, Node], *, name: str = "flow") -> None:
        """Join nodes.

        Args:
            graph: Who gets whose documents.
            handlers: The node of each name in the graph.
            name: What callers are told that the whole is called.
        """
        assert handlers.keys() == graph.needs.keys(), "a node for each name"
        self._nodes, self._name = handlers, name
        self.needs_task = any(node.needs_task for node in handlers.values())
        self._graph, self._floats = graph, Floats()
        self._shape = functools.lru_cache(_MAX_SHAPES)(self._make_shape)
        self._note_endpoints()

    def set_endpoints(self, name: str, endpoints: Sequence[EndpointInfo]) -> None:
        """Learn which endpoints the executor of a node has."""
        self._nodes[name].set_endpoints(endpoints)
        self._note_endpoints()

    async def __call__(self, call: Call) -> Reply:
        shape = None if call.target_executor else self._by_endpoint.get(call.endpoint, self._by_default)
        if shape is None:
            found = self._find(call)
            if isinstance(found, Reply):
                return found
            shape = found
        if call.is_stream and shape.graph.on_way:
            return await stream(call, shape.graph, self._nodes, self._floats)
        if not shape.chain:
            return await self._branch(call, shape.graph)
        given, wants, payload, last = call.parameters, call.wants, call.payload, shape.chain[-1]
        routes: list[Route] = []
        results: dict[str, Any] = {}
        before = GATEWAY
        for node in shape.chain:
            reply = await node(replace(call, payload=payload, wants=wants if node is last else OURS, target_executor=""))
            routes += reply.routes
            if reply.parameters and reply.parameters is not given:
                results.update(reply.parameters.get(RESULTS, ()))
            if reply.status is not None:
                if node is not shape.chain[0]:
                    reply.status = blamed(reply.status, node.name, [before])
                reply.payload = given_back(call)
                break
            payload, before = reply.payload or NOTHING, node.name
        reply.routes, reply.parameters = routes, with_results(given, results) if results else given
        return await _in_order(reply, call) if shape.graph.when else reply

    async def drain(self) -> None:
        """Wait until the nodes have answered that nobody waits for."""
        await self._floats.drain()

    def stop(self) -> None:
        """End them: the time to finish is up."""
        self._floats.cancel()

    async def _branch(self, call: Call, graph: Graph) -> Reply:
        asked = replace(call, payload=as_list(call.payload), is_stream=False) if call.is_stream else call
        walk = Walk(graph, self._nodes, asked, self._floats)
        reply = await walk.to_end()
        if reply is None:
            reply = await self._merged(walk.inputs(graph.ends), call)
        else:
            reply.payload = given_back(call)
        reply = walk.finish(reply)
        return await _in_order(reply, call) if graph.when else reply

    async def _merged(self, branches: Branches, call: Call) -> Reply:
        """Give the documents of the ends as one list; JSON by the schema of the first."""
        names = [name for name, _ in branches]
        if GATEWAY in names:
            echo = unchanged(call, "")
            if echo.status is not None or len(names) == 1:
                return echo
        if len(names) == 1:
            return Reply(payload=branches[0][1])
        lists = [
            with_ids(bytes(payload.data), call.call_id) if name == GATEWAY and payload.encoding == "json" else bytes(payload.data)
            for name, payload in branches
        ]
        info = next(self._nodes[name] for name in names if name != GATEWAY).find(call.endpoint)
        n_bytes = sum(map(len, lists))
        try:
            if call.wants == "json":
                joined = await aside(n_bytes, join_json, lists, info.output if info is not None else {})
            else:
                joined = await aside(n_bytes, join_proto, lists)
        except MalformedError as error:
            return Reply(Status(Code.INTERNAL, f"the documents of {' and '.join(map(repr, names))} cannot be joined: {error}"))
        return Reply(payload=Payload(joined, call.wants))

    # --- which nodes are asked -------------------------------------------------------------------------------------------------------

    def _note_endpoints(self) -> None:
        """Find the shape of the graph for each endpoint that a node has, and for all others; None where no node takes part."""
        paths = {path for node in self._nodes.values() for path in node.endpoints}
        self._by_endpoint = {path: self._shape(self._strangers(path)) for path in paths}
        shape = self._shape(self._strangers(DEFAULT_ENDPOINT))
        self._by_default = shape if shape.graph.order else None

    def _strangers(self, endpoint: str) -> frozenset[str]:
        """The nodes that do not know an endpoint, or would do nothing; one that is not up yet may know it."""
        return frozenset(name for name, node in self._nodes.items() if node.endpoints and not self._takes(name, node.find(endpoint)))

    def _takes(self, name: str, info: EndpointInfo | None) -> bool:
        return info is not None and (not info.is_idle or name in self._graph.when)

    def _find(self, call: Call) -> _Shape | Reply:
        """Give the shape for a call that names its targets, or the reply to one with which no node has anything to do."""
        nodes, endpoint, not_meant = self._nodes, call.endpoint, set()
        if call.target_executor:
            try:
                not_meant = {name for name, node in nodes.items() if not node.is_meant(call.target_executor)}
            except InvalidInputError as error:
                return Reply(Status(Code.INVALID_INPUT, str(error)))
        strangers = self._strangers(endpoint)
        shape = self._shape(strangers | not_meant)
        if shape.graph.order:
            return shape
        if strangers <= not_meant or any(nodes[name].find(endpoint) for name in strangers - not_meant):
            return unchanged(call, "")
        known = dict.fromkeys(path for name, node in nodes.items() if name not in not_meant for path in node.endpoints)
        return unchanged(call, no_endpoint(f"flow {self._name!r} has", endpoint, known))

    def _make_shape(self, skipped: frozenset[str]) -> _Shape:
        graph = self._graph.without(skipped)
        return _Shape(graph, (*(self._nodes[name] for name in graph.order),) if graph.is_chain else ())


async def _in_order(reply: Reply, call: Call) -> Reply:
    """Put documents that conditions have parted into the order in which the caller sent them, as Jina does."""
    made, asked = reply.payload, call.payload
    if reply.status is None and made is not None and made.encoding == asked.encoding:
        try:
            given = bytes(made.data), bytes(asked.data), made.encoding, call.call_id
            reply.payload = Payload(await aside(len(given[0]) + len(given[1]), in_order, *given), made.encoding)
        except (MalformedError, msgspec.MsgspecError) as error:
            return Reply(Status(Code.INVALID_INPUT, f"the documents cannot be read: {error}"), routes=reply.routes)
    return reply
