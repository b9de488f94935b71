"""The plan that a Deployment makes of its options; nothing is started."""

from __future__ import annotations

import argparse
import warnings
from typing import Any

import pytest

from jina import Deployment, Executor
from jina.errors import ConfigError


class _Nothing(Executor):
    pass


def test_the_plan_takes_its_values_from_the_options() -> None:
    """Ports, limits and times stand in the plan as the options give them."""
    deployment = Deployment(uses=_Nothing, protocol=["http", "grpc"], port=[8123, 0], title="t", timeout_ready=-1, quiet_error=True)
    plan = deployment._plan()

    assert [listener.port for listener in plan.listeners] == [8123, 0]
    assert plan.front.title == "t"
    assert plan.front == deployment.options.front_options()
    assert plan.timeout_ready_s is None
    assert plan.own_nodes[0].config["runtime_args"]["quiet_error"] is True


def test_uvicorn_options_without_an_app_are_told() -> None:
    """Only a web app's server takes them."""
    with pytest.warns(UserWarning, match="uvicorn_kwargs is without effect"):
        Deployment(uses=_Nothing, protocol="http", uvicorn_kwargs={"workers": 1})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Deployment(uses=_Nothing, protocol="http", uvicorn_kwargs={"h11_max_incomplete_event_size": 1}, app="module:app")


@pytest.mark.parametrize("given", [_Nothing, _Nothing(), "executor.yml", {"uses": _Nothing}])
def test_what_to_serve_is_given_by_name(given: Any) -> None:
    """Jina's first positional argument is a namespace: a class there would be read as one, and nothing be served."""
    with pytest.raises(ConfigError, match=r"write uses="):
        Deployment(given, port=0)
    assert Deployment(argparse.Namespace(uses=_Nothing, port=[0])).options.uses is _Nothing


def test_an_argument_that_resembles_uses_is_refused_where_that_is_missing() -> None:
    """The service would answer every call with what it was sent."""
    with pytest.raises(ConfigError, match="unknown argument 'use': did you mean 'uses'"):
        Deployment(use=_Nothing)
    with pytest.warns(UserWarning, match=r"'use' \(did you mean 'uses'\?\)"):
        Deployment(uses=_Nothing, use=_Nothing)
    assert Deployment().options.uses == "BaseExecutor"
