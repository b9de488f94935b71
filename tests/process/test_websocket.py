"""Deployments in real processes, called over WebSocket."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from jina import Client, Deployment
from jina.docs import DocList
from tests.process.executors import Echo, Text

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def running() -> Iterator[Deployment]:
    with Deployment(uses=Echo, protocol="websocket", quiet=True) as deployment:
        yield deployment


def socket_of(deployment: Deployment) -> ClientConnection:
    return connect(f"ws://127.0.0.1:{deployment.port}/", proxy=None)


def test_a_deployment_of_websocket_alone(running: Deployment) -> None:
    """`post`, many documents, streams, readiness; by the scheme that it names itself with."""
    assert running.protocol == "websocket"
    assert running.post("/echo", Text(text="a"), return_type=DocList[Text]).text == ["a!"]
    with Client(host=f"websocket://127.0.0.1:{running.port}") as client:
        assert client.is_flow_ready()
        docs = client.post(
            "/echo", [Text(text=str(n)) for n in range(3000)], request_size=10, results_in_order=True, return_type=DocList[Text]
        )
        assert docs.text == [f"{n}!" for n in range(3000)]


def test_jina_ping_takes_a_websocket_address(running: Deployment) -> None:
    """Which is asked over HTTP on the same port."""
    words = [sys.executable, "-m", "jina", "ping", "deployment", f"ws://127.0.0.1:{running.port}"]
    assert subprocess.run(words, check=False, capture_output=True).returncode == 0


def test_jina_ping_tells_a_port_without_websocket() -> None:
    """That the port answers over HTTP is not enough."""
    with Deployment(uses=Echo, protocol="http", port=0, quiet=True) as deployment:
        words = [sys.executable, "-m", "jina", "ping", "deployment", f"ws://127.0.0.1:{deployment.port}"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "speaks no WebSocket" in done.stderr


def test_json_from_a_foreign_client(running: Deployment) -> None:
    """As a browser would."""
    with socket_of(running) as socket:
        socket.send(json.dumps({"data": [{"text": "hi"}], "execEndpoint": "/echo"}))
        assert json.loads(socket.recv())["data"][0]["text"] == "hi!"


def test_a_call_that_kills_workers_ends_its_connection_and_no_other(running: Deployment) -> None:
    """With 1011, a ConnectionError; the next call is answered by the next worker."""
    with socket_of(running) as socket:
        with pytest.raises(ConnectionError, match="ended two workers"):
            running.post("/exit", Text())
        socket.send(json.dumps({"data": [{"text": "hi"}], "execEndpoint": "/echo"}))
        assert json.loads(socket.recv())["data"][0]["text"] == "hi!"


def test_all_protocols_share_a_port() -> None:
    """And the clients of each get the same."""
    with Deployment(uses=Echo, protocol=["http", "grpc", "websocket"], port=0, quiet=True) as deployment:
        for protocol in ("http", "grpc", "websocket"):
            with Client(host="127.0.0.1", port=deployment.port, protocol=protocol) as client:
                assert client.post("/echo", Text(text="a"), return_type=DocList[Text]).text == ["a!"]


def test_a_stopped_deployment_answers_what_it_has_begun_and_says_that_it_goes() -> None:
    """1001 on every connection."""
    deployment = Deployment(uses=Echo, protocol="websocket", quiet=True).start()
    with socket_of(deployment) as socket, socket_of(deployment) as idle:
        socket.send(json.dumps({"data": [{"text": "0.5"}], "execEndpoint": "/sleep"}))
        socket.send(json.dumps({"data": [], "execEndpoint": "/nowhere-at-all"}))
        assert "status" in json.loads(socket.recv())["header"]
        closing = threading.Thread(target=deployment.close)
        closing.start()
        assert json.loads(socket.recv())["header"]
        for each in (socket, idle):
            with pytest.raises(ConnectionClosed) as caught:
                each.recv()
            assert caught.value.rcvd is not None
            assert caught.value.rcvd.code == 1001
        closing.join()


def test_websocket_over_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`wss://`, with our client and with another."""
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    root = tmp_path / "root.pem"
    authority.cert_pem.write_to_path(str(root))
    issued.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "both.pem"))
    files = {"ssl_certfile": str(tmp_path / "both.pem"), "ssl_keyfile": str(tmp_path / "both.pem")}
    with Deployment(uses=Echo, protocol="websocket", quiet=True, **files) as deployment:
        assert deployment.post("/echo", Text(text="a"), return_type=DocList[Text]).text == ["a!"]
        with Client(host=f"wss://localhost:{deployment.port}", ssl_ca_certs=str(root)) as client:
            assert client.post("/echo", Text(text="a"), return_type=DocList[Text]).text == ["a!"]
        context = ssl.create_default_context(cafile=str(root))
        with connect(f"wss://localhost:{deployment.port}/dry_run", ssl=context, proxy=None) as socket:
            assert json.loads(socket.recv())["code"] == 0
