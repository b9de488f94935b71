"""Deployments behind TLS, called by our client, grpcio and the standard library."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
import trustme

from jina import Client, Deployment
from jina.docs import DocList
from jina.errors import ConfigError
from tests.process.callers import request
from tests.process.executors import Echo, Text

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the test authority's root, and a certificate of localhost with its key."""
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "root.pem"))
    issued = authority.issue_cert("localhost", "127.0.0.1")
    issued.private_key_pem.write_to_path(str(folder / "key.pem"))
    for index, blob in enumerate(issued.cert_chain_pems):
        blob.write_to_path(str(folder / "cert.pem"), append=index > 0)
    return folder


@pytest.fixture(scope="module")
def running(roots: Path) -> Iterator[Deployment]:
    files = {"ssl_certfile": str(roots / "cert.pem"), "ssl_keyfile": str(roots / "key.pem")}
    with Deployment(uses=Echo, protocol=["http", "grpc"], port=[0, 0], quiet=True, **files) as deployment:
        yield deployment


def test_the_protocols_say_that_they_are_secure(running: Deployment) -> None:
    """As in Jina, with an s."""
    assert running.protocol == ["https", "grpcs"]


@pytest.mark.parametrize("scheme", ["https", "grpcs"])
def test_our_client_calls_over_tls(running: Deployment, roots: Path, scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The root comes from the variable that grpcio reads, too."""
    monkeypatch.setenv("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", str(roots / "root.pem"))
    client = Client(host=f"{scheme}://localhost:{running.ports[['https', 'grpcs'].index(scheme)]}")
    assert client.post("/echo", Text(text="safe"), return_type=DocList[Text]).text == ["safe!"]


def test_a_caller_that_does_not_know_the_root_is_not_served(running: Deployment) -> None:
    """The client refuses a certificate that it cannot verify."""
    with pytest.raises(ConnectionError):
        Client(host=f"grpcs://localhost:{running.ports[1]}").post("/echo", Text(text="x"), return_type=DocList[Text])


def test_grpcio_calls_over_tls(running: Deployment, roots: Path) -> None:
    """ALPN agrees on h2, without which grpcio hangs up."""
    credentials = grpc.ssl_channel_credentials((roots / "root.pem").read_bytes())
    with grpc.secure_channel(f"localhost:{running.ports[1]}", credentials) as channel:
        call = channel.unary_unary("/jina.JinaSingleDataRequestRPC/process_single_data")
        assert b"safe!" in call(request("/echo", [Text(text="safe")]), timeout=20)


def test_old_tls_versions_are_refused(running: Deployment, roots: Path) -> None:
    """TLS 1.2 or newer."""
    context = ssl.create_default_context(cafile=str(roots / "root.pem"))
    connection = http.client.HTTPSConnection("localhost", running.ports[0], context=context)
    connection.request("GET", "/")
    assert connection.getresponse().status == 200
    assert connection.sock.version() in ("TLSv1.2", "TLSv1.3")
    connection.close()


def test_a_caller_that_never_says_hello_is_let_go(roots: Path) -> None:
    """The handshake is bounded as the headers are."""
    files = {"ssl_certfile": str(roots / "cert.pem"), "ssl_keyfile": str(roots / "key.pem")}
    with Deployment(uses=Echo, protocol=["http", "grpc"], port=[0, 0], quiet=True, header_timeout_s=0.2, **files) as deployment:
        for port in deployment.ports:
            with socket.create_connection(("127.0.0.1", port), timeout=20) as silent:
                assert silent.recv(1) == b""


def test_a_certificate_that_cannot_be_read_is_found_before_anything_starts(tmp_path: Path) -> None:
    """The error names the files."""
    (tmp_path / "cert.pem").write_text("nonsense")
    with pytest.raises(ConfigError, match=r"cert\.pem"):
        Deployment(uses=Echo, port=0, ssl_certfile=str(tmp_path / "cert.pem"), ssl_keyfile=str(tmp_path / "cert.pem")).start()
