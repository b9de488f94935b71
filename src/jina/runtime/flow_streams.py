"""Streams through a flow: the nodes before the first one that streams run first, those behind it once for each item.

So the part from there on must be a chain; an item that fails in it is a failed item, and the stream goes on, unless the items after it
would fare no better (the node is gone, the time is up). The routes of the reply say at each item how far it came.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing

from msgspec.structs import replace

from jina.call import Call, Item, Reply, Route, Status
from jina.core.graph import GATEWAY, Graph
from jina.errors import Code
from jina.runtime.branches import NOTHING, OURS, Floats, Walk, blamed, with_inputs
from jina.runtime.lists import as_list, each
from jina.runtime.node import Node

_ENDS = frozenset((Code.UNAVAILABLE, Code.OVERLOADED, Code.DEADLINE, Code.CANCELLED, Code.INTERNAL))
"""Failures that are not the item's own: its stream ends with them."""


async def stream(call: Call, graph: Graph, nodes: Mapping[str, Node], floats: Floats) -> Reply:
    """Answer a call for a stream, in a graph whose nodes all take part in it."""
    first = next((name for name in graph.on_way if _streams(nodes[name], call.endpoint)), None)
    if first is None:  # any will say so
        return await nodes[graph.on_way[0]](replace(call, target_executor=""))
    path = _path(first, call.endpoint, graph)
    if isinstance(path, Status):
        return Reply(path)
    before = graph.without(path)
    walk = Walk(before, nodes, replace(call, payload=as_list(call.payload), wants=OURS, is_stream=False), floats)
    reply = await walk.to_end()
    if reply is not None:
        return walk.finish(reply)
    inputs = walk.inputs(before.ends) if before.order else ((GATEWAY, call.payload),)
    asked = with_inputs(replace(call, wants=OURS if path[1:] else call.wants), inputs, first in graph.no_reduce)
    reply = await nodes[first](asked)
    if reply.status is not None and before.order:
        reply.status = blamed(reply.status, first, before.ends)
    reply = walk.finish(reply)
    if reply.items is not None:
        now, source = time.time(), len(reply.routes) - 1
        reply.routes += (Route(name, now, now) for name in path[1:])
        for place, name in enumerate(path[1:], source + 1):
            asked = replace(call, wants=call.wants if name == path[-1] else OURS, target_executor="")
            reply.items = _through(nodes[name], reply.items, asked, reply.routes, place, is_first=place == source + 1)
            await anext(reply.items)
    return reply


def _streams(node: Node, endpoint: str) -> bool:
    info = node.find(endpoint)
    return info is not None and info.kind == "stream"


def _path(first: str, endpoint: str, graph: Graph) -> Sequence[str] | Status:
    """Give the nodes that items go through, from the one that makes them to the end; or why they cannot."""
    path = [first]
    while after := graph.successors[path[-1]]:
        if len(after) > 1 or len(graph.needs[after[0]]) > 1:
            break
        path += after
    if graph.ends == (path[-1],):
        return path
    takers = ", ".join(map(repr, after or graph.ends))
    return Status(
        Code.INVALID_INPUT,
        f"endpoint {endpoint!r} streams from node {first!r} on, and the documents of {path[-1]!r} are not the only ones that "
        f"{takers} take: items can only go one way to the end",
    )


async def _through(
    node: Node, items: AsyncIterator[Item], call: Call, routes: list[Route], place: int, *, is_first: bool
) -> AsyncIterator[Item]:
    """Send each item through one more node. The first one is for who calls this: only a generator that has begun closes what it reads.

    `place` is that of the node in `routes`; the first such node also notes there what failed in the one that makes the items.
    """
    is_stream = _streams(node, call.endpoint)
    async with aclosing(items):  # type: ignore[type-var]
        yield Item()
        async for item in items:
            if item.payload is None:
                if is_first:
                    _note_failure(routes, place - 1)
                yield item
                continue
            payload = item.payload if is_stream else as_list(item.payload)
            reply = await node(replace(call, payload=payload, is_stream=is_stream))
            routes[place : place + len(reply.routes)] = reply.routes
            if reply.items is not None:
                async with aclosing(reply.items):  # type: ignore[type-var]
                    async for made in reply.items:
                        if made.status is not None:
                            _note_failure(routes, place)
                        yield made
                        if made.status is not None and made.status.code in _ENDS:
                            return
            elif reply.status is not None:
                _note_failure(routes, place)
                yield Item(status=blamed(reply.status, node.name, [routes[place - 1].executor]))
                if reply.status.code in _ENDS:
                    return
            else:
                for document in each(reply.payload or NOTHING):
                    yield Item(document)


def _note_failure(routes: list[Route], place: int) -> None:
    for at, route in enumerate(routes):
        route.is_failed = at == place
