"""The plan that a Deployment makes of its options; nothing is started."""

from __future__ import annotations

import warnings

import pytest

from jina import Deployment, Executor


class _Nothing(Executor):
    pass


def test_the_plan_takes_its_values_from_the_options() -> None:
    """Ports, limits and times stand in the plan as the options give them."""
    deployment = Deployment(uses=_Nothing, protocol=["http", "grpc"], port=[8123, 0], title="t", timeout_ready=-1, quiet_error=True)
    plan = deployment._plan()

    assert [listener.port for listener in plan.listeners] == [8123, 0]
    assert plan.front["title"] == "t"
    assert plan.front == deployment.options.front_values()
    assert plan.timeout_ready_s is None
    assert plan.nodes[0].config["runtime_args"]["quiet_error"] is True


def test_uvicorn_options_without_an_app_are_told() -> None:
    """Only a web app's server takes them."""
    with pytest.warns(UserWarning, match="uvicorn_kwargs is without effect"):
        Deployment(uses=_Nothing, protocol="http", uvicorn_kwargs={"workers": 1})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Deployment(uses=_Nothing, protocol="http", uvicorn_kwargs={"h11_max_incomplete_event_size": 1}, app="module:app")
