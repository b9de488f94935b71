"""What a Flow is told."""

from __future__ import annotations

import pytest

from jina.enums import ProtocolType
from jina.errors import ConfigError, NotSupportedError
from jina.options import DeploymentOptions, FlowOptions
from jina.options.flow import split


def test_a_flow_takes_the_arguments_of_every_service() -> None:
    """By the same names, with the same meaning."""
    options = FlowOptions.from_kwargs(port=[1, 2], protocol=["grpc", "http"], cors=True, timeout_ready=1000, name="f")
    assert (options.ports, options.protocol, options.cors) == ((1, 2), (ProtocolType.GRPC, ProtocolType.HTTP), True)
    assert (options.timeout_ready_s, options.name) == (1.0, "f")
    assert options.front_options().cors


def test_what_only_executors_know_is_for_each_of_them() -> None:
    """What both know is for both; where to listen and what to serve is never handed on."""
    given = {
        "port": 1,
        "protocol": "http",
        "name": "f",
        "uses_metas": {"a": 1},
        "env": {"A": "1"},
        "workspace": "w",
        "cors": True,
        "polling": "ALL",
    }
    own, nodes = split(given)
    assert own == {"port": 1, "protocol": "http", "name": "f", "env": {"A": "1"}, "workspace": "w", "cors": True}
    assert nodes == {"uses_metas": {"a": 1}, "env": {"A": "1"}, "workspace": "w", "polling": "ALL"}
    assert DeploymentOptions.from_kwargs(**{**nodes, "polling": "ANY"}).workspace == "w"


def test_what_nobody_knows_brings_a_warning_with_the_nearest_name() -> None:
    """Of all who could have known it."""
    with pytest.warns(UserWarning, match=r"ignored unknown argument: 'protocoll' \(did you mean 'protocol'\?\)"):
        FlowOptions.from_kwargs(protocoll="http")


def test_a_misspelt_protection_is_refused() -> None:
    """As of a Deployment."""
    with pytest.raises(ConfigError, match="did you mean 'api_key'"):
        FlowOptions.from_kwargs(apikey="x")


def test_a_gateway_of_ones_own_is_refused_with_a_reason() -> None:
    """It comes later."""
    with pytest.raises(NotSupportedError, match="a gateway of your own, which a later release brings"):
        FlowOptions.from_kwargs(uses="MyGateway")


@pytest.mark.parametrize("name", ["host", "asyncio", "grpc_channel_options"])
def test_arguments_of_a_client_are_taken_without_a_word(name: str) -> None:
    """A Flow of Jina's takes them."""
    FlowOptions.from_kwargs(**{name: {"host": "127.0.0.1", "asyncio": True, "grpc_channel_options": None}[name]})
