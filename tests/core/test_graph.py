"""The shape of a flow, and one call's way through it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina.core.graph import GATEWAY, Graph, GraphNode, GraphRun, make_graph
from jina.errors import ConfigError


def node(name: str, *needs: str, **rest: Any) -> GraphNode:
    return GraphNode(name=name, needs=needs, **rest)


def test_each_node_follows_the_one_added_before() -> None:
    """Without `needs` it is a chain, from the gateway on, and the last one's answer is the reply."""
    graph = make_graph([node("a"), node("b"), node("c")])

    assert graph.needs == {"a": ("gateway",), "b": ("a",), "c": ("b",)}
    assert (graph.order, graph.ends, graph.on_way, graph.floating) == (("a", "b", "c"), ("c",), ("a", "b", "c"), ())
    assert graph.is_chain


def test_a_node_that_floats_is_followed_by_nobody_who_does_not_say_so() -> None:
    """The next one takes the documents of the last that does not float."""
    graph = make_graph([node("a"), node("log", is_floating=True), node("b"), node("audit", "log", is_floating=True)])

    assert graph.needs == {"a": ("gateway",), "log": ("a",), "b": ("a",), "audit": ("log",)}
    assert (graph.ends, graph.on_way, graph.floating) == (("b",), ("a", "b"), ("log", "audit"))
    assert not graph.is_chain


def test_a_node_that_nobody_needs_floats() -> None:
    """As in Jina the reply is the last node's alone; all that it does not need is not waited for."""
    graph = make_graph([node("a", "gateway"), node("b", "gateway")])

    assert (graph.on_way, graph.floating) == (("b",), ("a",))


def test_a_floating_node_that_the_reply_needs_is_waited_for() -> None:
    """What it was added as says only who follows by itself."""
    graph = make_graph([node("a", is_floating=True), node("b", "a")])

    assert (graph.on_way, graph.floating, graph.is_chain) == (("a", "b"), (), True)


def test_several_needs_are_joined_in_their_order() -> None:
    """A name given twice counts once; a single name need not be a list."""
    graph = make_graph([node("a", "gateway"), node("b", "gateway"), node("c", "b", "a", "b"), GraphNode(name="d", needs="c")])

    assert graph.needs["c"] == ("b", "a")
    assert graph.successors == {"gateway": ("a", "b"), "a": ("c",), "b": ("c",), "c": ("d",), "d": ()}


def test_needs_may_come_later() -> None:
    """The order is one in which each node stands after what it needs, and otherwise as they were added."""
    graph = make_graph([node("c", "a"), node("a", "gateway"), node("b", "gateway"), node("d", "c", "b")])

    assert graph.order == ("a", "c", "b", "d")


def test_the_reply_may_be_that_of_several() -> None:
    """`ends` name them; of a flow whose nodes all float, and of none, it is the caller's documents."""
    nodes = [node("a", "gateway"), node("b", "gateway")]

    assert make_graph(nodes, ends=["b", "a"]).on_way == ("a", "b")
    assert make_graph([node("a", is_floating=True)]).ends == (GATEWAY,)
    assert make_graph([]).ends == (GATEWAY,)


@pytest.mark.parametrize(
    ("nodes", "told"),
    [
        ([node("a"), node("a")], "two nodes are named 'a'; give one of them another name"),
        ([node("gateway")], "a node cannot be named 'gateway', which is the caller; give it another name"),
        ([node("")], "a node cannot be named '', which is the caller; give it another name"),
        ([node("a"), node("b", "b")], "edge 'b' -> 'b': a node cannot need itself; name another one, or 'gateway'"),
        (
            [node("rank"), node("b", "rnak")],
            "edge 'rnak' -> 'b': there is no node 'rnak'; did you mean 'rank'? there are 'rank', 'b', 'gateway'",
        ),
        ([node("a"), node("b", "zzz")], "edge 'zzz' -> 'b': there is no node 'zzz'; there are 'a', 'b', 'gateway'"),
        (
            [node("a", "c"), node("b", "a"), node("c", "b")],
            "edge 'c' -> 'a' closes a cycle: a -> b -> c -> a; take one of its names out of `needs`",
        ),
    ],
)
def test_a_wrong_graph_is_told_with_the_edge_and_what_to_do(nodes: list[GraphNode], told: str) -> None:
    """Whoever wrote it finds the line."""
    with pytest.raises(ConfigError) as caught:
        make_graph(nodes, flow="search")

    assert str(caught.value) == f"flow 'search': {told}"


def test_an_end_that_is_no_node_is_told() -> None:
    """As an edge to the gateway."""
    with pytest.raises(ConfigError, match="edge 'x' -> 'gateway': there is no node 'x'"):
        make_graph([node("a")], ends=["x"])


def test_whoever_needs_a_skipped_node_takes_what_that_would_have_got() -> None:
    """Documents pass it unchanged; what comes to a node on two ways counts once, and conditions go with their nodes."""
    diamond = make_graph([node("a"), node("b", "a", when={"x": 1}), node("c", "a", when={"y": 1}), node("d", "b", "c")])

    assert diamond.without({"b"}).needs == {"a": ("gateway",), "c": ("a",), "d": ("a", "c")}
    assert diamond.without({"b"}).when == {"c": {"y": 1}}
    assert diamond.without({"b", "c"}).is_chain
    assert diamond.without({"d"}).ends == ("b", "c")
    assert diamond.without({"a", "b", "c", "d"}).ends == (GATEWAY,)


def test_a_join_begins_with_its_last_input() -> None:
    """The reply is there when the node that it is taken from has answered."""
    run = GraphRun(make_graph([node("a"), node("b", "gateway"), node("c", "a", "b")]))

    assert (run.ready(), run.ready()) == (["a", "b"], [])
    run.done("b", 2)
    assert run.ready() == []
    run.done("a", 1)
    assert (run.ready(), run.is_complete) == (["c"], False)
    run.done("c", 3)
    assert (run.is_complete, run.failed, run.outcomes) == (True, None, {"b": 2, "a": 1, "c": 3})


def test_nothing_on_the_way_begins_after_a_failure() -> None:
    """What floats does: it has its documents."""
    run = GraphRun(make_graph([node("a", "gateway"), node("f", "a", is_floating=True), node("b", "gateway"), node("c", "a", "b")]))
    run.ready()
    run.fail("b", "broken")
    run.fail("a", "broken too")

    assert (run.is_complete, run.failed, run.ready()) == (True, ("b", "broken"), [])


def test_a_floating_failure_is_nobodys() -> None:
    """The reply comes all the same."""
    run = GraphRun(make_graph([node("a", is_floating=True), node("b", "gateway")]))
    run.ready()
    run.fail("a", "broken")
    assert not run.is_complete

    run.done("b", 1)
    assert (run.is_complete, run.failed) == (True, None)


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    names = [f"n{number}" for number in range(draw(st.integers(0, 7)))]
    nodes = []
    for number, name in enumerate(names):
        needs = draw(st.lists(st.sampled_from([GATEWAY, *names[:number]]), max_size=3))
        nodes.append(node(name, *needs, is_floating=draw(st.booleans())))
    ends = draw(st.none() | st.lists(st.sampled_from([GATEWAY, *names]), min_size=1, max_size=3))
    graph = make_graph(draw(st.permutations(nodes)) if ends and all(each.needs for each in nodes) else nodes, ends=ends)
    return graph.without(draw(st.sets(st.sampled_from(names)))) if names else graph


@given(graphs(), st.data())
def test_every_call_has_one_reply_whatever_answers_when(graph: Graph, data: st.DataObject) -> None:
    """Any graph, any order of answers and failures: nothing begins before its inputs or twice, and when all is quiet the reply is there."""
    run = GraphRun(graph)
    under_way: set[str] = set()
    begun: set[str] = set()
    while True:
        for name in run.ready():
            assert name not in begun
            assert all(need == GATEWAY or need in run.outcomes for need in graph.needs[name])
            assert run.failed is None or name in graph.floating
            begun.add(name)
            under_way.add(name)
        if not under_way:
            break
        name = data.draw(st.sampled_from(sorted(under_way)))
        under_way.remove(name)
        was_complete, before = run.is_complete, run.failed
        if data.draw(st.integers(0, 4)):
            run.done(name, name)
        else:
            run.fail(name, name)
        assert run.is_complete >= was_complete
        assert not was_complete or run.failed == before

    assert run.is_complete
    if run.failed is None:
        assert all(end == GATEWAY or end in run.outcomes for end in graph.ends)
        assert begun >= set(graph.on_way)
