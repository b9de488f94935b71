"""Several nodes as one Handler: each call goes through a graph of them.

Most flows are chains, and a chain is a loop within the caller's `Run`. Between nodes documents travel in our own binary dialect; the node
that answers last is asked for the encoding that the caller reads. A node that is not meant (`target_executor`), or does not know the
endpoint, is taken out of the graph before the call begins, so nothing is asked of it.

Where there are branches (`branches.py`) each node has a `Run` of its own.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, NamedTuple

from msgspec.structs import replace

from jina.call import Call, EndpointInfo, Item, Payload, Reply, Route, Status
from jina.codec.join_json import join_json
from jina.codec.join_proto import join_proto
from jina.core.graph import GATEWAY, Graph
from jina.errors import Code, ConfigError, InvalidInputError
from jina.parameters import RESULTS
from jina.runtime.branches import NOTHING, OURS, Branches, Floats, Walk, blamed, with_inputs
from jina.runtime.lists import as_list, each
from jina.runtime.node import Node, unchanged
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
        if graph.when:
            raise ConfigError(f"flow {name!r}: node {next(iter(graph.when))!r} has a condition; `when` is not there yet, take it out")
        self._nodes, self._name = handlers, name
        self.needs_task = any(node.needs_task for node in handlers.values())
        self._by_endpoint: dict[str, _Shape] = {}
        self._graph, self._floats = graph, Floats()
        self._shape = functools.lru_cache(_MAX_SHAPES)(self._make_shape)

    def set_endpoints(self, name: str, endpoints: Sequence[EndpointInfo]) -> None:
        """Learn which endpoints the executor of a node has."""
        self._nodes[name].set_endpoints(endpoints)
        self._by_endpoint.clear()

    async def __call__(self, call: Call) -> Reply:
        shape = None if call.target_executor else self._by_endpoint.get(call.endpoint)
        if shape is None:
            found = self._find(call)
            if isinstance(found, Reply):
                return found
            shape = found
        if call.is_stream or not shape.chain:
            return await (self._stream if call.is_stream else self._branch)(call, shape.graph)
        given, wants, payload, last = call.parameters, call.wants, call.payload, shape.chain[-1]
        routes: list[Route] = []
        results: dict[str, Any] = {}
        for node in shape.chain:
            reply = await node(replace(call, payload=payload, wants=wants if node is last else OURS, target_executor=""))
            routes += reply.routes
            if reply.parameters and reply.parameters is not given:
                results.update(reply.parameters.get(RESULTS, ()))
            if reply.status is not None:
                if node is not shape.chain[0]:
                    reply.status = blamed(reply.status, node.name, [routes[-2].executor])
                reply.payload = call.payload if call.payload.encoding == wants else None
                break
            payload = reply.payload or NOTHING
        reply.routes, reply.parameters = routes, with_results(given, results) if results else given
        return reply

    async def drain(self) -> None:
        """Wait until the nodes have answered that nobody waits for."""
        await self._floats.drain()

    def stop(self) -> None:
        """End them: the time to finish is up."""
        self._floats.cancel()

    async def _branch(self, call: Call, graph: Graph) -> Reply:
        walk = Walk(graph, self._nodes, call, self._floats)
        reply = await walk.to_end()
        if reply is None:
            reply = self._merged(walk.inputs(graph.ends), call)
        else:
            reply.payload = call.payload if call.payload.encoding == call.wants else None
        reply.routes = walk.all_routes()
        reply.parameters = with_results(call.parameters, walk.results) if walk.results else call.parameters
        return reply

    def _merged(self, branches: Branches, call: Call) -> Reply:
        """Give the documents of the ends as one list; JSON by the schema of the first."""
        names = [name for name, _ in branches]
        if GATEWAY in names:
            echo = unchanged(call, "")
            if echo.status is not None or len(names) == 1:
                return echo
        if len(names) == 1:
            return Reply(payload=branches[0][1])
        lists = [bytes(payload.data) for _, payload in branches]
        if call.wants != "json":
            return Reply(payload=Payload(join_proto(lists), call.wants))
        info = next(self._nodes[name] for name in names if name != GATEWAY).find(call.endpoint)
        return Reply(payload=Payload(join_json(lists, info.output if info is not None else {}), "json"))

    async def _stream(self, call: Call, graph: Graph) -> Reply:
        if not graph.on_way:
            return await self._branch(call, graph)
        path = self._path_of_items(call.endpoint, graph)
        if isinstance(path, Status):
            return Reply(path)
        before = graph.without(path)
        asked = replace(call, payload=as_list(call.payload), wants=OURS, is_stream=False)
        walk = Walk(before, self._nodes, asked, self._floats)
        failed = await walk.to_end()
        first, *rest = (self._nodes[name] for name in path)
        if failed is None:
            inputs = walk.inputs(before.ends) if before.order else ((GATEWAY, call.payload),)
            reply = await first(with_inputs(replace(call, wants=OURS if rest else call.wants), inputs, path[0] in graph.no_reduce))
            if reply.status is not None and before.order:
                reply.status = blamed(reply.status, path[0], before.ends)
        else:
            reply = failed
        reply.routes = [*walk.all_routes(), *reply.routes] if failed is None else walk.all_routes()
        reply.parameters = with_results(call.parameters, walk.results) if walk.results else call.parameters
        if reply.items is not None:
            for node in rest:
                reply.items = _through(node, reply.items, replace(call, wants=call.wants if node is rest[-1] else OURS))
        return reply

    def _path_of_items(self, endpoint: str, graph: Graph) -> Sequence[str] | Status:
        """Give the nodes from the first that streams to the end; or why items cannot follow one path from there on."""
        first = next((name for name in graph.on_way if _streams(self._nodes[name], endpoint)), graph.on_way[0])
        path = [first]
        while after := graph.successors[path[-1]]:
            if len(after) > 1 or len(graph.needs[after[0]]) > 1:
                break
            path += after
        if graph.ends == (path[-1],):
            return path
        around = ", ".join(map(repr, after or graph.ends))
        return Status(
            Code.INVALID_INPUT,
            f"endpoint {endpoint!r} streams from node {first!r} on, and the documents of {path[-1]!r} are not the only ones that "
            f"{around} take: items can only go one way to the end",
        )

    def _find(self, call: Call) -> _Shape | Reply:
        """Give the shape for a call, or its reply where no node has anything to do with it."""
        nodes, endpoint = self._nodes, call.endpoint
        unknown = {name for name, node in nodes.items() if node.endpoints and node.find(endpoint) is None}
        not_meant = set()
        if call.target_executor:
            try:
                not_meant = {name for name, node in nodes.items() if not node.is_meant(call.target_executor)}
            except InvalidInputError as error:
                return Reply(Status(Code.INVALID_INPUT, str(error)))
        shape = self._shape(frozenset(unknown | not_meant))
        if shape.graph.order:
            if not call.target_executor and any(endpoint in node.endpoints for node in nodes.values()):
                self._by_endpoint[endpoint] = shape
            return shape
        if not unknown - not_meant:
            return unchanged(call, "")
        known = dict.fromkeys(path for name, node in nodes.items() if name not in not_meant for path in node.endpoints)
        return unchanged(call, no_endpoint(f"flow {self._name!r} has", endpoint, known))

    def _make_shape(self, skipped: frozenset[str]) -> _Shape:
        graph = self._graph.without(skipped)
        return _Shape(graph, (*(self._nodes[name] for name in graph.order),) if graph.is_chain else ())


def with_results(given: dict[str, Any], results: dict[str, Any]) -> dict[str, Any]:
    """Give the parameters of a reply: the request's own, and what methods returned as dicts."""
    before = given.get(RESULTS)
    return {**given, RESULTS: {**before, **results} if isinstance(before, dict) else results}


def _streams(node: Node, endpoint: str) -> bool:
    info = node.find(endpoint)
    return info is not None and info.kind == "stream"


async def _through(node: Node, items: AsyncIterator[Item], call: Call) -> AsyncIterator[Item]:
    """Send each item through one more node; an item that fails there is one, and the stream goes on."""
    is_stream = _streams(node, call.endpoint)
    async with aclosing(items):  # type: ignore[type-var]
        async for item in items:
            if item.payload is None:
                yield item
                continue
            payload = item.payload if is_stream else as_list(item.payload)
            reply = await node(replace(call, payload=payload, target_executor="", is_stream=is_stream))
            if reply.items is not None:
                async with aclosing(reply.items):  # type: ignore[type-var]
                    async for made in reply.items:
                        yield made
            elif reply.status is not None:
                yield Item(status=reply.status)
            else:
                for document in each(reply.payload or NOTHING):
                    yield Item(document)
