"""Jina 3's own client over WebSocket against us, and our client against Jina 3's Flow."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from jina import Client, DocList
from jina.docs import BaseDoc
from jina.errors import BadServer
from tests.interop.conftest import Service, run_peer, serve_with

pytestmark = [pytest.mark.process, pytest.mark.docarray]


class Inner(BaseDoc):
    text: str = ""
    n: int = 0


class Rich(BaseDoc):
    text: str = "none"
    count: int = 1


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Our Deployment, with WebSocket and gRPC on one port."""
    pytest.importorskip("docarray")
    yield from serve_with(sys.executable, tmp_path_factory.mktemp("ours") / "log", script="serve_websocket.py")


@pytest.fixture(scope="module")
def flow(peer_python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A Flow of Jina 3."""
    yield from serve_with(peer_python, tmp_path_factory.mktemp("flow") / "log", script="serve_websocket.py", grace_s=0.1)


@pytest.fixture(scope="module")
def outcomes(peer_python: str, here: Service) -> dict[str, Any]:
    """What Jina's client gets of us."""
    found: dict[str, Any] = run_peer(peer_python, "websocket_cases.py", str(here.websocket), str(here.grpc), timeout_s=120)
    return found


def test_jinas_client_gets_the_same_over_websocket_and_grpc(outcomes: dict[str, Any]) -> None:
    """Documents, parameters, results, routes, states and executors' errors.

    Jina's client forgets an executor's error where the server has closed by the time it looks (it does so with its own Flow, too): the
    post then gives no documents.
    """
    names = [name.removeprefix("websocket: ") for name in outcomes if name.startswith("websocket: ")]
    assert len(names) > 30
    for name in names:
        over_websocket, over_grpc = outcomes[f"websocket: {name}"], outcomes[f"grpc: {name}"]
        is_forgotten = over_grpc.get("raised") == "BadServer" and over_websocket.get("docs") == [] if isinstance(over_grpc, dict) else False
        assert is_forgotten or over_websocket == over_grpc, name


def test_our_client_calls_a_flow_of_jina(flow: Service) -> None:
    """In order, as they come, with responses, with an executor's error, again on the same connection."""
    with Client(host=f"ws://127.0.0.1:{flow.websocket}") as client:
        assert client.is_flow_ready()
        docs = DocList[Rich]([Rich(text=str(n)) for n in range(50)])
        for _ in range(2):
            found = client.post("/echo", docs, request_size=7, results_in_order=True, return_type=DocList[Rich])
            assert [doc.text for doc in found] == [f"{n}!" for n in range(50)]
        responses = client.post("/echo", docs, request_size=25, return_responses=True)
        assert [[route.executor for route in response.routes] for response in responses] == [["gateway", "served"]] * 2
        with pytest.raises(BadServer) as caught:
            client.post("/raise", Rich())
        assert "no such word" in str(caught.value)


def test_our_stream_doc_says_that_a_flow_of_jina_has_none(flow: Service) -> None:
    """Jina streams nothing over WebSocket."""
    with Client(host=f"ws://127.0.0.1:{flow.websocket}") as client, pytest.raises(Exception, match="status 403"):
        list(client.stream_doc("/stream", Inner(text="a"), return_type=Inner))
