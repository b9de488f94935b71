"""Who gets whose documents: the shape of a flow, and how far one call has come in it.

    gateway ──► a ──► b ──► (reply)        order     a, b, c, d     each after what it needs
                 ├──► c ──► d              ends      b              what it answers is the reply
                                           floating  c, d           nobody waits for them

The reply is what the last node answers that was added and does not float, or what `ends` say, merged. What lies on no way to the reply
floats, whether it was added so or is merely needed by nobody: it gets its documents, and its answer is not waited for. Nothing here
moves documents: outcomes are whatever whoever drives a `GraphRun` takes them for.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import Any

from jina.errors import FlowTopologyError

GATEWAY = "gateway"
"""What needs call the caller: where the documents come from."""


@dataclass(frozen=True, kw_only=True)
class GraphNode:
    """A node as it was added.

    Attributes:
        name: Its own.
        needs: Whose documents it takes, `gateway` for the caller's; several are joined in this order. None: those of the node added before
            it, of those that do not float.
        is_floating: Nobody waits for it, and the next one that is added does not follow it.
        when: Which documents it takes; opaque here.
        no_reduce: The documents of several needs are not joined but given to it as they are.
    """

    name: str
    needs: str | Sequence[str] | None = None
    is_floating: bool = False
    when: Any = None
    no_reduce: bool = False


@dataclass(frozen=True, kw_only=True)
class Graph:
    """Nodes by name, each with its needs; made by `make_graph`.

    Attributes:
        needs: Whose documents each node takes, the nodes in an order in which each stands after what it needs.
        ends: Whose answers are the reply, which is merged in this order; `gateway` if it is the caller's own documents.
        when: Conditions of those nodes that have one.
        no_reduce: Nodes that take the documents of several as they are.
    """

    needs: Mapping[str, tuple[str, ...]]
    ends: tuple[str, ...]
    when: Mapping[str, Any] = field(default_factory=dict)
    no_reduce: frozenset[str] = frozenset()

    @cached_property
    def order(self) -> tuple[str, ...]:
        """All nodes, each after what it needs; otherwise as they were added."""
        return (*self.needs,)

    @cached_property
    def successors(self) -> Mapping[str, tuple[str, ...]]:
        """Who takes each node's documents, and the gateway's."""
        found: dict[str, list[str]] = {name: [] for name in (GATEWAY, *self.needs)}
        for name, needs in self.needs.items():
            for need in needs:
                found[need].append(name)
        return {name: (*after,) for name, after in found.items()}

    @cached_property
    def on_way(self) -> tuple[str, ...]:
        """The nodes without which there is no reply, in order."""
        found = set(self.ends)
        for name in reversed(self.order):
            if name in found:
                found.update(self.needs[name])
        return tuple(name for name in self.order if name in found)

    @cached_property
    def floating(self) -> tuple[str, ...]:
        """The nodes that nobody waits for, in order."""
        return tuple(name for name in self.order if name not in self.on_way)

    @cached_property
    def is_chain(self) -> bool:
        """Whether there is one node after the other, and nothing else."""
        before = (GATEWAY, *self.order)
        return self.ends == before[-1:] and all(self.needs[name] == (need,) for name, need in zip(self.order, before, strict=False))

    def without(self, skipped: Collection[str]) -> Graph:
        """Give the graph in which whoever needs a skipped node takes the documents that this one would have got.

        Where they are joined they come first: what other branches have made of the same documents goes over them.
        """
        sources: dict[str, tuple[str, ...]] = {GATEWAY: (GATEWAY,)}
        needs = {}
        for name in self.order:
            found = _merged(sources[need] for need in sorted(self.needs[name], key=lambda need: need not in skipped))
            if name in skipped:
                sources[name] = found
            else:
                sources[name], needs[name] = (name,), found
        return Graph(
            needs=needs,
            ends=_merged(sources[end] for end in sorted(self.ends, key=lambda end: end not in skipped)),
            when={name: condition for name, condition in self.when.items() if name not in skipped},
            no_reduce=self.no_reduce.difference(skipped),
        )


def _merged(groups: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return (*dict.fromkeys(name for group in groups for name in group),)


def make_graph(nodes: Iterable[GraphNode], *, ends: Sequence[str] | None = None, flow: str = "flow") -> Graph:
    """Join nodes, in the order in which they were added.

    Args:
        nodes: Each may need any other one, also one that comes later.
        ends: Whose answers are the reply; None: those of the last node that does not float.
        flow: What errors call the whole.

    Raises:
        FlowTopologyError: A name twice or reserved, a need that is no node, or a cycle; names the edge.
    """
    where = f"flow {flow!r}"
    needs: dict[str, tuple[str, ...]] = {}
    when: dict[str, Any] = {}
    no_reduce: set[str] = set()
    last = GATEWAY
    for node in nodes:
        name = node.name
        if name in needs:
            raise FlowTopologyError(f"{where}: two nodes are named {name!r}; give one of them another name")
        if name == GATEWAY or not name:
            raise FlowTopologyError(f"{where}: a node cannot be named {name!r}, which is the caller; give it another name")
        own = (node.needs,) if isinstance(node.needs, str) else node.needs
        needs[name] = _merged([own]) if own else (last,)
        if node.when is not None:
            when[name] = node.when
        if node.no_reduce:
            no_reduce.add(name)
        if not node.is_floating:
            last = name
    for name, own in needs.items():
        for need in own:
            if need == name:
                raise FlowTopologyError(f"{where}: edge {need!r} -> {name!r}: a node cannot need itself; name another one, or {GATEWAY!r}")
            if need not in needs and need != GATEWAY:
                raise FlowTopologyError(f"{where}: edge {need!r} -> {name!r}: {_unknown(need, needs)}")
    for end in ends or ():
        if end not in needs and end != GATEWAY:
            raise FlowTopologyError(f"{where}: edge {end!r} -> {GATEWAY!r}: {_unknown(end, needs)}")
    order = _sorted(needs, where)
    return Graph(
        needs={name: needs[name] for name in order},
        ends=(last,) if ends is None else _merged([ends]),
        when=when,
        no_reduce=frozenset(no_reduce),
    )


def _unknown(name: str, known: Iterable[str]) -> str:
    names = [*known, GATEWAY]
    near = difflib.get_close_matches(name, names, n=1)
    return f"there is no node {name!r}{f'; did you mean {near[0]!r}?' if near else ';'} there are {', '.join(map(repr, names))}"


def _sorted(needs: Mapping[str, tuple[str, ...]], where: str) -> list[str]:
    """Put each after what it needs; of those that could come next, the one that was added first."""
    added = {name: number for number, name in enumerate(needs)}
    sorter = TopologicalSorter({name: [need for need in own if need != GATEWAY] for name, own in needs.items()})
    try:
        sorter.prepare()
    except CycleError as error:
        cycle: list[str] = error.args[1]
        raise FlowTopologyError(
            f"{where}: edge {cycle[-2]!r} -> {cycle[-1]!r} closes a cycle: {' -> '.join(cycle)}; take one of its names out of `needs`"
        ) from None
    order: list[str] = []
    free: list[str] = []
    while sorter.is_active():
        free += sorter.get_ready()
        free.sort(key=added.__getitem__)
        order.append(free.pop(0))
        sorter.done(order[-1])
    return order


class GraphRun:
    """How far one call has come.

    Attributes:
        outcomes: What the nodes answered so far.
        failed: The first node on the way to the reply that failed, with its outcome.
        is_complete: There is a reply, or a failure; what floats may still be under way, or begin.
    """

    __slots__ = ("_graph", "_n_missing", "_n_to_come", "_ready", "failed", "is_complete", "outcomes")

    def __init__(self, graph: Graph) -> None:
        """Begin, with the caller's documents there."""
        self._graph = graph
        self._n_missing = {name: len(needs) for name, needs in graph.needs.items()}
        self._n_to_come = len(graph.on_way)
        self._ready: list[str] = []
        self.outcomes: dict[str, Any] = {}
        self.failed: tuple[str, Any] | None = None
        self.is_complete = not self._n_to_come
        self._arrived(GATEWAY)

    def ready(self) -> list[str]:
        """Give the nodes whose documents are there, each once, in order."""
        ready, self._ready = self._ready, []
        return ready

    def done(self, name: str, outcome: Any) -> None:
        """Take a node's answer."""
        self.outcomes[name] = outcome
        if name in self._graph.on_way:
            self._n_to_come -= 1
            self.is_complete |= not self._n_to_come
        self._arrived(name)

    def fail(self, name: str, outcome: Any) -> None:
        """Take a node's failure: what needs it never begins, and if the reply needs it, nothing else on the way to it does."""
        if name in self._graph.on_way and not self.is_complete:
            self.failed, self.is_complete = (name, outcome), True
            self._ready = [each for each in self._ready if each not in self._graph.on_way]

    def _arrived(self, name: str) -> None:
        missing, has_failed, on_way = self._n_missing, self.failed is not None, self._graph.on_way
        for after in self._graph.successors[name]:
            missing[after] -= 1
            if not missing[after] and not (has_failed and after in on_way):
                self._ready.append(after)
