"""What Deployment and Flow have in common; nothing is started."""

from __future__ import annotations

from typing import ClassVar

import pytest

from jina import Executor
from jina.core.graph import GraphNode, make_graph
from jina.errors import ConfigError, StartError
from jina.options import DeploymentOptions
from jina.orchestrator import Orchestrator
from jina.plan import Plan, node_of, plan_of


class _First(Executor):
    pass


class _Second(Executor):
    pass


class _Chain(Orchestrator):
    """Stands for a Flow."""

    KIND: ClassVar[str] = "flow"

    def _plan(self) -> Plan:
        first = node_of(DeploymentOptions(name="first", allow_concurrent=True), _First, {}, graph_name="first")
        second = node_of(DeploymentOptions(name="second", env={"A": "1"}), _Second, {}, graph_name="second")
        graph = make_graph([GraphNode(name="first"), GraphNode(name="second")])
        return plan_of(self.KIND, self.options, (first, second), graph)


def test_errors_call_a_service_what_it_is() -> None:
    """A Flow that is not running is no deployment."""
    chain = _Chain(DeploymentOptions(name="search"))

    with pytest.raises(StartError, match=r"flow 'search' is not running; call it within 'with flow:', or after start\(\)"):
        chain.post("/")
    assert chain._plan().shown == "flow 'search'"


def test_each_node_has_its_own_options_and_the_front_those_of_the_service() -> None:
    """What is said of one node is not true of the other."""
    plan = _Chain(DeploymentOptions(name="search", title="Search", timeout_ctrl=5, quiet=True))._plan()
    first, second = plan.own_nodes

    assert (plan.front.title, plan.grace_s) == ("Search", 5)
    assert (first.n_threads > 1, second.n_threads) == (True, 1)
    assert (dict(first.env), dict(second.env)) == ({}, {"A": "1"})
    assert second.config["runtime_args"]["name"] == "second/rep-0"


def test_a_web_app_needs_http() -> None:
    """Nobody could call it otherwise, whatever kind of service it belongs to."""
    with pytest.raises(ConfigError, match="app= answers HTTP requests, but protocol is 'grpc'"):
        _Chain(DeploymentOptions(), app="module:app")
