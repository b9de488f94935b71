"""A service that asks for a key, and the clients that have it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from jina import Client, Deployment
from jina.docs import DocList, TextDoc
from jina.errors import ConfigError
from tests.process import executors


@pytest.fixture(scope="module")
def guarded() -> Iterator[Deployment]:
    with Deployment(uses=executors.Echo, protocol=["http", "grpc"], api_key=["k1", "k2"], quiet=True) as deployment:
        yield deployment


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_a_client_with_the_key_is_served(guarded: Deployment, protocol: str) -> None:
    """`api_key=` of a client is sent with calls and readiness questions, over both protocols."""
    port = guarded.ports[["http", "grpc"].index(protocol)]

    with Client(port=port, protocol=protocol, api_key="k2") as client:
        assert client.is_flow_ready()
        assert client.post("/echo", TextDoc("a"), return_type=DocList[TextDoc])[0].text == "a!"
    with Client(port=port, protocol=protocol) as stranger, pytest.raises(Exception, match="asks for a key"):
        stranger.post("/echo", TextDoc("a"))


def test_an_async_client_sends_its_key(guarded: Deployment) -> None:
    """The async client does as the sync one."""

    async def call() -> bool:
        client = Client(port=guarded.ports[1], api_key="k1", asyncio=True)
        return bool(await client.is_flow_ready())

    assert asyncio.run(call())


def test_a_deployment_calls_itself_with_its_own_key(guarded: Deployment) -> None:
    """`post` and `is_ready` of a guarded deployment need nothing more."""
    assert guarded.is_ready
    assert guarded.post("/echo", TextDoc("a"), return_type=DocList[TextDoc])[0].text == "a!"


def test_keys_do_not_show_in_what_is_printed(guarded: Deployment) -> None:
    """Neither the plan nor the options nor a client tells a key."""
    secret = "very-secret"
    deployment = Deployment(uses=executors.Echo, api_key=secret)
    client = Client(api_key=secret)

    for shown in (deployment._plan(), deployment.options, deployment, client, client.args):
        assert secret not in repr(shown)


def test_a_key_may_not_be_empty() -> None:
    """An empty key is a mistake in a client, too."""
    with pytest.raises(ConfigError, match="api_key is empty"):
        Client(api_key="")
