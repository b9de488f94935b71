"""Building a Flow: names, edges, what each Executor is told. Nothing runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jina import Deployment, Executor, Flow
from jina.errors import ConfigError, FlowBuildLevelError, FlowTopologyError
from jina.flow import AsyncFlow
from jina.options.address import Elsewhere
from jina.plan import ExternalNode


class Mine(Executor):
    """Something to serve."""


def edges(flow: Flow) -> dict[str, tuple[str, ...]]:
    return dict(flow._plan().graph.needs)


def test_executors_follow_each_other_and_are_numbered() -> None:
    """In the order in which they were added."""
    flow = Flow().add(uses=Mine).add(uses=Mine).add(name="last", uses=Mine)
    assert edges(flow) == {"executor0": ("gateway",), "executor1": ("executor0",), "last": ("executor1",)}
    assert [node.name for node in flow._plan().nodes] == ["executor0", "executor1", "last"]


def test_a_name_that_is_taken_gets_a_number() -> None:
    """As in Jina, and a warning says so."""
    with pytest.warns(UserWarning, match="has an executor 'a' already; this one is called 'a1'"):
        flow = Flow().add(name="a").add(name="a")
    assert edges(flow) == {"a": ("gateway",), "a1": ("a",)}


def test_add_leaves_the_flow_as_it_is() -> None:
    """Unless it is told to change it."""
    empty = Flow()
    one = empty.add(uses=Mine)
    assert (len(list(empty)), len(list(one))) == (0, 1)
    assert one.add(uses=Mine, copy_flow=False) is one
    assert len(list(one)) == 2


def test_branches_and_joins() -> None:
    """`needs` names what comes before; needs and needs_all join."""
    flow = Flow().add(name="a").add(name="b", needs="a").add(name="c", needs=["a"]).needs(["b", "c"], name="d")
    assert edges(flow) == {"a": ("gateway",), "b": ("a",), "c": ("a",), "d": ("b", "c")}
    flow = Flow().add(name="a", needs="gateway").add(name="b", needs="gateway").add(name="f", floating=True).needs_all(name="z")
    assert edges(flow)["z"] == ("a", "b")
    assert edges(Flow().add(name="a").needs_all(name="z"))["z"] == ("a",)


def test_what_floats_is_followed_by_nobody() -> None:
    """The next one takes the documents that the floating one takes."""
    flow = Flow().add(name="a").add(name="f", floating=True).add(name="b")
    assert edges(flow) == {"a": ("gateway",), "f": ("a",), "b": ("a",)}


def test_defaults_of_the_flow_are_for_each_executor() -> None:
    """What an Executor is told itself goes before them."""
    flow = Flow(env={"A": "1"}, timeout_send=500, port=0).add(name="a").add(name="b", timeout_send=700)
    first, second = flow._plan().own_nodes
    assert (first.env["A"], first.patience.timeout_send_s, second.patience.timeout_send_s) == ("1", 0.5, 0.7)


def test_the_slowest_executor_says_how_long_a_start_may_take() -> None:
    """Unless one may take for ever; what the Flow says is for those that say nothing."""
    flow = Flow(timeout_ready=1000).add(name="a")
    assert flow._plan().timeout_ready_s == 1
    assert flow.add(name="b", timeout_ready=5000).add(name="c", timeout_ready=10)._plan().timeout_ready_s == 5
    assert flow.add(name="b", timeout_ready=-1)._plan().timeout_ready_s is None


def test_an_executor_has_no_ports_of_its_own() -> None:
    """Who gives it one is told where ports belong; what would protect one is an error."""
    with pytest.warns(UserWarning, match=r"no port of its own; give port, protocol to Flow\(\.\.\.\) or config_gateway\(\.\.\.\); ignored"):
        flow = Flow().add(name="a", port=8080, protocol="http", host=None)
    assert flow["a"].options.protocol == Flow().add(name="a")["a"].options.protocol
    with pytest.raises(ConfigError, match=r"no port of its own; give api_key, host to Flow"):
        Flow().add(name="a", api_key="secret", host="0.0.0.0")


def test_what_a_deployment_says_of_its_own_ports_is_left_out(tmp_path: Path) -> None:
    """In a Flow the gateway has them; from Python, from a path and from the Flow's YAML."""
    deployment = "jtype: Deployment\nwith: {name: one, port: 8080, protocol: http, timeout_send: 5}\n"
    (tmp_path / "one.yml").write_text(deployment)
    (tmp_path / "flow.yml").write_text("jtype: Flow\nexecutors: [one.yml]\n")
    path = str(tmp_path / "one.yml")
    for flow in (Flow().add(Deployment.load_config(path)), Flow().add(path), Flow.load_config(str(tmp_path / "flow.yml"))):
        assert (flow["one"].options.port, flow["one"].options.timeout_send) == ((), 5)


def test_a_misspelt_edge_is_told() -> None:
    """It is no option, but its name is one that `add` knows."""
    with pytest.warns(UserWarning, match=r"ignored unknown argument: 'nedds' \(did you mean 'needs'\?\)"):
        Flow().add(name="a", nedds="gateway")


def test_a_deployment_or_its_file_can_be_added(tmp_path: Path) -> None:
    """With what it was told; its name, unless it has none of its own."""
    file = tmp_path / "one.yml"
    file.write_text("jtype: Deployment\nwith: {name: from_file, timeout_send: 5}\n")
    flow = Flow().add(Deployment(uses=Mine, timeout_send=3)).add(str(file)).add(Mine, name="by_class")
    assert [(node.name, node.patience.timeout_send_s) for node in flow._plan().nodes] == [
        ("executor0", 0.003),
        ("from_file", 0.005),
        ("by_class", None),
    ]
    assert flow["executor0"].options.uses is Mine
    assert flow[2].options.uses is Mine


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: Flow().add(name="my-name"), "must be a Python identifier"),
        (lambda: Flow().add(name="gateway"), "must be a Python identifier other than 'gateway'"),
        (lambda: Flow().add(3), "add takes a Deployment, a path or a class, got 3"),
        (lambda: Flow().add(name="a", needs="b").build(), r"edge 'b' -> 'a': there is no node 'b'"),
        (lambda: Flow().add(name="a", needs="a").build(), "a node cannot need itself"),
        (lambda: Flow().add(name="a", needs="b").add(name="b", needs="a").build(), "closes a cycle: "),
        (lambda: Flow()._plan(), "has no executor; add one"),
        (lambda: Flow(Mine), r"arguments are given by name; add an Executor with \.add\(uses="),
        (lambda: Flow().needs(["a"]), "a join needs two executors or more"),
        (lambda: Flow().add(name="a", when={"x": {"$gtt": 1}}).build(), r"did you mean '\$gt'"),
        (lambda: Flow().add(name="x", external=True), "external executor 'x' has no address; give host and port"),
        (lambda: Flow().add(name="x", external=True, port=1, protocol="http"), "'x' is called over gRPC, but protocol is http"),
        (lambda: Flow().add(name="x", external=True, port=1, when={"n": {"$gt": 1}}), "'x' cannot have `when`: its worker"),
        (lambda: Flow().add(name="x", external=True, host=["a", "b"], port=[1, 2, 3]), "'x': 2 hosts and 3 ports make no addresses"),
        (lambda: Flow().add(name="x", external=True, host="a:1", port=2), "'x': every host has a port already"),
        (lambda: Flow().add(name="x", external=True, host="http://a:1"), "'x' is called over gRPC; 'http://a:1' names another protocol"),
        (lambda: Flow().add(name="x", external=True, port=1, grpc_metadata={"a b": "c"}), "grpc_metadata of executor 'x' cannot be sent"),
        (
            lambda: Flow().add(name="a").add(name="b").add(name="x", external=True, port=1, needs=["a", "b"], no_reduce=True),
            "'x' gets the documents of several only joined; take out no_reduce",
        ),
    ],
)
def test_what_cannot_be_built_says_why(build: object, text: str) -> None:
    """Names the executor or the edge, and what to do."""
    with pytest.raises((ConfigError, FlowTopologyError), match=text):
        build()  # type: ignore[operator]


@pytest.mark.parametrize("check", [Flow.build, Flow._plan])
def test_what_nobody_needs_brings_a_warning(check: Callable[[Flow], object]) -> None:
    """Nobody waits for it. It is told when the Flow is built, and when it starts, which few build before."""
    flow = Flow().add(name="a").add(name="b", needs="gateway")
    with pytest.warns(UserWarning, match="nobody needs the documents of 'a', so nobody waits"):
        check(flow)
    assert check(Flow().add(name="a").add(name="b", needs="gateway", floating=True))


def test_the_gateway_is_configured_apart() -> None:
    """In a copy; what is not said stays."""
    flow = Flow(cors=True, port=0).add(name="a")
    changed = flow.config_gateway(protocol="http", title="T")
    assert (changed.protocol, changed.options.title, changed.options.cors) == ("http", "T", True)
    assert (flow.protocol, edges(changed)) == ("grpc", {"a": ("gateway",)})


def test_what_the_gateway_is_told_later_fits_what_it_was_told_before() -> None:
    """Two ports for the two protocols that are there; checked together, as if all had been said at once."""
    flow = Flow(protocol=["http", "grpc"], port=[8080, 8081])
    assert flow.config_gateway(port=[0, 0]).options.ports == (0, 0)
    with pytest.raises(ConfigError, match=r"2 ports were given for 1 protocol\(s\)"):
        flow.config_gateway(protocol="http")
    with pytest.warns(UserWarning, match="without effect in this release: monitoring"):
        flow = flow.config_gateway(monitoring=True)
    assert flow.config_gateway(cors=True).options.cors


def test_a_flow_counts_and_gives_its_executors() -> None:
    """By name, by place, in turn."""
    flow = Flow().add(name="a").add(name="b")
    assert (flow.num_deployments, flow.num_pods, [name for name, _ in flow]) == (3, 3, ["a", "b"])
    assert flow == Flow().add(name="a").add(name="b")
    assert flow != Flow().add(name="a")
    with pytest.raises(KeyError):
        flow["c"]
    with pytest.raises(TypeError, match=r"by its name or its place, got 1\.5"):
        flow[1.5]  # type: ignore[index]


def test_a_flow_that_changes_lets_go_of_its_ports() -> None:
    """They were bound when somebody asked for them, for what it was then."""
    flow = Flow(protocol=["http", "grpc"], port=[0, 0]).add(name="a")
    ports = flow.port
    assert isinstance(ports, list)
    flow.add(name="b", copy_flow=False)
    again = Flow(port=ports[0]).add(name="c")
    assert again.port == ports[0]
    again.close()


def test_who_waits_for_a_flow_that_does_not_run_is_told() -> None:
    """As by Jina's."""
    with pytest.raises(FlowBuildLevelError, match="flow 'flow' does not run"):
        Flow().add(name="a").block()


@pytest.mark.parametrize(
    ("given", "addresses"),
    [
        ({"port": 1}, ("127.0.0.1:1",)),
        ({"host": "0.0.0.0", "port": "1,2"}, ("127.0.0.1:1", "127.0.0.1:2")),
        ({"host": ["a", "b"], "port": 1}, ("a:1", "b:1")),
        ({"host": "a,b", "port": [1, 2]}, ("a:1", "b:2")),
        ({"host": ["grpcs://a:1", "b"], "port": 2}, ("grpcs://a:1", "b:2")),
        ({"host": ["grpcs://a", "::1"], "port": [1, 2]}, ("grpcs://a:1", "[::1]:2")),
        ({"host": ["[::1]:1", "unix:/run/s"]}, ("[::1]:1", "unix:/run/s")),
        ({"host": "a"}, ("a",)),
    ],
)
def test_an_external_executor_has_addresses(given: dict[str, Any], addresses: tuple[str, ...]) -> None:
    """Hosts and ports by pairs; one of either is that of all, and a host may bring its own."""
    (node,) = Flow().add(name="x", external=True, **given)._plan().nodes
    assert isinstance(node, ExternalNode)
    assert node.elsewhere.addresses == addresses


def test_an_external_executor_needs_no_class_and_no_process(tmp_path: Path) -> None:
    """What of it is written can be read; the picture shows where it is; the Flow's `retries` are its own."""
    flow = Flow(retries=2).add(name="a", uses=Mine)
    flow = flow.add(name="x", external=True, host="h", port=[1, 2], tls=True, grpc_metadata={"k": "v"}, uses="nothing.of.the.kind")
    plan = flow._plan()
    assert ([node.name for node in plan.nodes], [node.name for node in plan.own_nodes], flow.num_pods) == (["a", "x"], ["a"], 2)
    assert plan.nodes[1] == ExternalNode(name="x", elsewhere=Elsewhere(addresses=("h:1", "h:2"), tls=True, metadata={"k": "v"}, retries=2))
    flow.save_config(str(tmp_path / "flow.yml"))
    assert Flow.load_config(str(tmp_path / "flow.yml"))._plan().nodes[1] == plan.nodes[1]
    flow.plot(str(tmp_path / "f.mmd"))
    assert '[["x<br/>h:1, h:2"]]' in (tmp_path / "f.mmd").read_text()


def test_arguments_of_an_external_executor_are_in_vain_elsewhere() -> None:
    """A warning says so."""
    with pytest.warns(UserWarning, match="without effect in this release: grpc_metadata"):
        Flow().add(name="a", grpc_metadata={"k": "v"})


def test_asyncio_makes_it_an_async_flow() -> None:
    """Also of what is made from it."""
    assert isinstance(Flow(asyncio=True).add(name="a"), AsyncFlow)
    assert not isinstance(Flow(), AsyncFlow)


def test_a_plot_is_text_or_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Mermaid, or SVG by the file's name."""
    flow = Flow().add(name="a", uses=Mine).add(name="b")
    flow.plot()
    assert 'n1["a<br/>Mine"]' in capsys.readouterr().out
    flow.plot(str(tmp_path / "f.svg")).plot(str(tmp_path / "f.mmd"), vertical_layout=True)
    assert (tmp_path / "f.svg").read_text().startswith("<svg ")
    assert (tmp_path / "f.mmd").read_text().startswith("flowchart TB")
    flow.plot(str(tmp_path / "f.md"))
    assert (tmp_path / "f.md").read_text().startswith("```mermaid\nflowchart LR")
    with pytest.raises(ConfigError, match=r"plot draws SVG or writes Mermaid text, got '.*f\.png'; end its name in \.svg or \.mmd"):
        flow.plot(str(tmp_path / "f.png"))


def test_a_deployment_that_is_guarded_is_not_added_unguarded() -> None:
    """Its port is none of the Flow's; its key would be lost."""
    assert Flow().add(Deployment(uses=Mine, port=0, protocol="http"))[0].name == "executor0"
    with pytest.raises(ConfigError, match=r"give api_key to Flow\(...\)"):
        Flow().add(Deployment(uses=Mine, api_key="secret"))


def test_a_port_that_was_told_stays_when_an_executor_is_added() -> None:
    """The old Flow lets it go."""
    flow = Flow().add(uses=Mine)
    port = flow.port
    more = flow.add(uses=Mine)
    try:
        assert more.port == port
    finally:
        more.close()


def test_what_concerns_executors_is_not_taken_by_the_gateway_in_silence() -> None:
    """A warning says where it belongs."""
    with pytest.warns(UserWarning, match=r"timeout_send, workspace concern executors; ignored by config_gateway"):
        Flow().config_gateway(timeout_send=5, workspace="w", quiet=True)


def test_an_executor_without_a_name_can_be_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever it will be called."""
    Flow().add(uses="").plot()
    assert "executor0" in capsys.readouterr().out
