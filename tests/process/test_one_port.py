"""One port for all protocols, given from Python, YAML and the command line."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import grpc
import httpx
import pytest
import trustme

from jina import Client, Deployment
from jina.cli import main
from jina.docs import DocList
from jina.errors import ConfigError
from tests.process.callers import echo, echo_by_grpcio
from tests.process.executors import Echo, Text

pytestmark = pytest.mark.process


_ALL = ["http", "grpc", "websocket"]


def _call_all(port: int) -> None:
    """Call over all that a port of `http` and `grpc` speaks."""
    assert echo(Client(port=port, protocol="http")) == echo(Client(port=port, protocol="grpc")) == ["a!"]
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        assert echo_by_grpcio(channel) == ["a!"]
    for is_http2 in (False, True):
        with httpx.Client(http1=not is_http2, http2=is_http2) as client:
            answer = client.post(f"http://127.0.0.1:{port}/echo", json={"data": [{"text": "a"}]}, timeout=20)
            assert answer.json()["data"][0]["text"] == "a!"
            assert answer.http_version == ("HTTP/2" if is_http2 else "HTTP/1.1")


@pytest.mark.parametrize("port", [0, [0]])
def test_one_port_speaks_all_protocols(port: object, capfd: pytest.CaptureFixture[str]) -> None:
    """What the deployment says of itself fits."""
    with Deployment(uses=Echo, protocol=["http", "grpc"], port=port) as deployment:
        assert deployment.ports == [deployment.port] * 2
        assert deployment.protocol == ["http", "grpc"]
        address = f"127.0.0.1:{deployment.port}"
        assert f"ready and listening on http://{address} and grpc://{address}\n" in capfd.readouterr().out
        _call_all(deployment.port)
        assert deployment.post("/echo", Text(text="a"), return_type=DocList[Text]).text == ["a!"]
        for scheme in ("http", "grpc"):
            assert main(["ping", "executor", f"{scheme}://{address}"]) == 0


def test_without_a_port_each_protocol_has_its_own() -> None:
    """As in Jina."""
    with Deployment(uses=Echo, protocol=["http", "grpc"], quiet=True) as deployment:
        http_port, grpc_port = deployment.ports
        assert http_port != grpc_port
        assert echo(Client(port=http_port, protocol="http")) == echo(Client(port=grpc_port, protocol="grpc")) == ["a!"]


def test_a_deployments_yaml_may_give_one_port(tmp_path: Path) -> None:
    """And it is written so, too."""
    path = tmp_path / "deployment.yml"
    path.write_text("jtype: Deployment\nwith:\n  uses: tests.process.executors.Echo\n  protocol: [http, grpc]\n  port: 0\n  quiet: true\n")
    deployment = Deployment.load_config(str(path))
    deployment.save_config(str(path))
    with Deployment.load_config(str(path)) as again:
        _call_all(again.port)


def test_the_command_line_may_give_one_port() -> None:
    """`--port` with one number."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(("127.0.0.1", 0))  # chosen, and never listened on: the service shares it
        port = sock.getsockname()[1]
        words = ["--uses", "tests.process.executors.Echo", "--protocol", "http", "grpc", "--port", str(port), "--reuse-port"]
        argv = [sys.executable, "-m", "jina", "deployment", *words]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as service:
            try:
                assert service.stdout is not None
                assert f"http://127.0.0.1:{port} and grpc://127.0.0.1:{port}" in next(
                    line for line in service.stdout if "listening" in line
                )
                _call_all(port)
            finally:
                service.terminate()


@pytest.mark.parametrize("first", _ALL)
def test_a_port_speaks_all_protocols_over_tls(tmp_path: Path, first: str) -> None:
    """And the deployment calls itself over the first of them."""
    files = _certificate(tmp_path)
    with Deployment(uses=Echo, protocol=sorted(_ALL, key=lambda each: each != first), port=0, quiet=True, **files) as deployment:
        for scheme in ("https", "grpcs", "wss"):
            client = Client(host=f"{scheme}://localhost:{deployment.port}", ssl_ca_certs=tmp_path / "root.pem")
            assert client.post("/echo", Text(text="a"), return_type=DocList[Text]).text == ["a!"]
        assert deployment.post("/echo", Text(text="a"), return_type=DocList[Text]).text == ["a!"]


@pytest.mark.parametrize("is_secure", [False, True])
def test_a_unix_socket_speaks_all_protocols(own_folder: Path, is_secure: bool) -> None:
    """It is one door, so it needs no port."""
    path, files = own_folder / "a.sock", _certificate(own_folder) if is_secure else {}
    with Deployment(uses=Echo, protocol=_ALL, host=f"unix:{path}", quiet=True, **files) as deployment:
        assert deployment.ports == [0, 0, 0]
        for scheme in ("https", "grpcs", "wss") if is_secure else ("http", "grpc", "ws"):
            client = Client(host=f"{scheme}+unix://{path}", ssl_ca_certs=own_folder / "root.pem" if is_secure else None)
            assert client.post("/echo", Text(text="a"), return_type=DocList[Text]).text == ["a!"]
        assert deployment.post("/echo", Text(text="a"), return_type=DocList[Text]).text == ["a!"]


def _certificate(folder: Path) -> dict[str, str]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "root.pem"))
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(folder / "own.pem"))
    return {"ssl_certfile": str(folder / "own.pem"), "ssl_keyfile": str(folder / "own.pem")}


def test_a_web_app_shares_no_port_with_others() -> None:
    """It answers in a process of its own."""
    with pytest.raises(ConfigError, match="app= answers HTTP in a process of its own, so it shares no port"):
        Deployment(uses=Echo, protocol=["http", "grpc"], port=0, app="tests.process.web_apps:own", quiet=True).start()
