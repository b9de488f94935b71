"""One call on its way through a graph with branches, and the nodes that go on when it is over.

Each node that is asked has a `Run`, so that none needs a task for it. The first failure on the way to the reply ends all others on it;
so does the caller who leaves. A node that floats has got its documents for good: it goes on whatever becomes of the call, until it has
answered or the service stops, its failure is logged, and the caller's deadline is not its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable, Mapping
from contextlib import aclosing
from typing import Any

from msgspec.structs import replace

from jina.call import Call, Payload, Reply, Route, Status
from jina.core.graph import GATEWAY, Graph, GraphRun
from jina.errors import Code, ConfigError
from jina.parameters import RESULTS
from jina.runtime.lists import as_list, each
from jina.runtime.node import Node
from jina.transport.run import Run, Waiter

OURS = "ours"
NOTHING = Payload(b"", OURS)
_log = logging.getLogger("jina.flow")

Branches = tuple[tuple[str, Payload], ...]
"""Documents by who gave them."""


class Floats:
    """The floating nodes of a flow that are under way."""

    def __init__(self) -> None:
        self._runs: dict[object, Run] = {}
        self._gone = asyncio.Event()

    def begin(self, visit: Coroutine[Any, Any, None], *, needs_task: bool) -> None:
        """Run something that nobody waits for."""
        key = object()
        run = self._runs[key] = Run(self._until_done(visit, key), asyncio.get_running_loop())
        run.start(needs_task=needs_task)

    async def drain(self) -> None:
        """Wait until none is under way."""
        while self._runs:
            self._gone.clear()
            await self._gone.wait()

    def cancel(self) -> None:
        """End those that are under way."""
        for run in [*self._runs.values()]:
            run.cancel()

    async def _until_done(self, visit: Coroutine[Any, Any, None], key: object) -> None:
        try:
            await visit
        finally:
            del self._runs[key]
            self._gone.set()


class Walk:
    """One call on its way."""

    def __init__(self, graph: Graph, nodes: Mapping[str, Node], call: Call, floats: Floats) -> None:
        """Take a call whose documents are a list; the nodes at the end are asked for what it wants."""
        self._graph, self._nodes, self._call, self._floats = graph, nodes, call, floats
        self._loop = asyncio.get_running_loop()
        self._run = GraphRun(graph)
        self._over: Waiter[None] = Waiter()
        self._under_way: dict[str, Run] = {}
        self._has_ended = False
        self._routes: dict[str, list[Route]] = {}
        self._results: dict[str, Any] = {}

    async def to_end(self) -> Reply | None:
        """Go as far as the reply needs it; gives the failure, if there is one."""
        self._begin_ready()
        try:
            if not self._run.is_complete:
                await self._over
        finally:
            self._has_ended = True
            for run in [*self._under_way.values()]:
                run.cancel()
        return None if self._run.failed is None else self._run.failed[1]

    def inputs(self, needs: Iterable[str]) -> Branches:
        """Give what these nodes answered."""
        return tuple((need, self._call.payload if need == GATEWAY else self._run.outcomes[need]) for need in needs)

    def finish(self, reply: Reply) -> Reply:
        """Give the call's reply the stops before it, in graph order, and what the nodes there returned as dicts."""
        given = self._call.parameters
        reply.routes = [*(route for name in self._graph.on_way for route in self._routes.get(name, ())), *reply.routes]
        reply.parameters = with_results(given, self._results) if self._results else given
        return reply

    def _begin_ready(self) -> None:
        for name in self._run.ready():
            needs_task = self._nodes[name].needs_task
            if name not in self._graph.on_way:
                self._floats.begin(self._float(name), needs_task=needs_task)
            elif not self._has_ended and self._run.failed is None:
                run = self._under_way[name] = Run(self._visit(name), self._loop)
                run.start(needs_task=needs_task)

    async def _visit(self, name: str) -> None:
        try:
            reply = await self._ask(name, self._call.wants if name in self._graph.ends else OURS, self._call.deadline)
        except Exception as error:  # a bug, and whoever called us is the one to say so
            self._over.set_exception(error)
            return
        except asyncio.CancelledError:
            if not self._has_ended:
                self._over.cancel()
            raise
        finally:
            del self._under_way[name]
        self._routes[name], reply.routes = reply.routes, []
        self._results.update(reply.parameters.get(RESULTS, ()) if reply.parameters is not self._call.parameters else ())
        if reply.status is None:
            self._run.done(name, reply.payload or NOTHING)
            self._begin_ready()
        else:
            needs = self._graph.needs[name]
            self._run.fail(name, Reply(reply.status if needs == (GATEWAY,) else blamed(reply.status, name, needs)))
        if self._run.is_complete:
            self._over.set_result(None)

    async def _float(self, name: str) -> None:
        try:
            reply = await (self._ask_stream(name) if self._nodes[name].streams(self._call.endpoint) else self._ask(name, OURS, None))
        except Exception:
            _log.exception("floating node %r raised instead of answering", name)
            return
        if reply.status is not None:
            _log.warning("floating node %r failed in call %s to %r: %s", name, *self._words(), reply.status.description)
            return
        self._run.done(name, reply.payload or NOTHING)
        self._begin_ready()

    def _words(self) -> tuple[str, str]:
        return self._call.request_id, self._call.endpoint[:256]

    async def _ask_stream(self, name: str) -> Reply:
        """Ask a node that streams, for one document after the other; gives all that it made as a list."""
        made: list[bytes] = []
        for document in each(self._joined(name)):
            asked = replace(self._call, payload=document, wants=OURS, deadline=None, is_stream=True, target_executor="")
            reply = await self._nodes[name](asked)
            if reply.items is None:
                return reply
            async with aclosing(reply.items):  # type: ignore[type-var]
                async for item in reply.items:
                    if item.status is not None:
                        return Reply(item.status)
                    made.append(b"" if item.payload is None else bytes(item.payload.data))
        return Reply(payload=Payload(b"".join(as_list(Payload(data, OURS, True)).data for data in made), OURS))

    def _joined(self, name: str) -> Payload:
        inputs = self.inputs(self._graph.needs[name])
        if len(inputs) == 1:
            return inputs[0][1]
        raise ConfigError(f"floating node {name!r} streams, so it takes the documents of one node, not of {len(inputs)}")

    async def _ask(self, name: str, wants: str, deadline: float | None) -> Reply:
        asked = replace(self._call, wants=wants, deadline=deadline)
        return await self._nodes[name](with_inputs(asked, self.inputs(self._graph.needs[name]), name in self._graph.no_reduce))


def with_inputs(call: Call, inputs: Branches, keeps_branches: bool) -> Call:
    """Give the call for a node that takes these documents."""
    if len(inputs) == 1:
        return replace(call, payload=inputs[0][1], target_executor="")
    return replace(call, payload=NOTHING, branches=inputs, keeps_branches=keeps_branches, target_executor="")


def with_results(given: dict[str, Any], results: dict[str, Any]) -> dict[str, Any]:
    """Give the parameters of a reply: the request's own, and what methods returned as dicts."""
    before = given.get(RESULTS)
    return {**given, RESULTS: {**before, **results} if isinstance(before, dict) else results}


def given_back(call: Call) -> Payload | None:
    """After a failure the caller gets its own documents, if they are in the encoding that it reads."""
    return call.payload if call.payload.encoding == call.wants else None


def blamed(status: Status, name: str, needs: Iterable[str]) -> Status:
    """Say of a failure whose findings are about documents that the caller has never seen whose they are."""
    if status.code is not Code.INVALID_INPUT or not status.details or [*status.details[0]["loc"]][:1] == ["parameters"]:
        return status
    given = " and ".join(map(repr, needs))
    text = f"node {name!r}, on what {given} gave: {status.description}"
    return replace(status, description=text, args=[text] if status.args else [], details=[])
