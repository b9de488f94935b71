"""Deployments behind TLS, called by our client, grpcio and the standard library."""

from __future__ import annotations

import shutil
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import trustme

from jina import Client, Deployment
from jina.cli import main
from jina.errors import ConfigError
from tests.process.callers import echo, echo_by_grpcio
from tests.process.executors import Echo
from tests.process.waiting import wait_until

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
    with Deployment(uses=Echo, protocol=["http", "grpc"], quiet=True, header_timeout_s=600, **_files(roots)) as deployment:
        yield deployment


def test_the_protocols_say_that_they_are_secure(running: Deployment) -> None:
    """As in Jina, with an s."""
    assert running.protocol == ["https", "grpcs"]


@pytest.mark.parametrize("scheme", ["https", "grpcs"])
def test_our_client_calls_over_tls(running: Deployment, roots: Path, scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The root comes from the variable that grpcio reads, too."""
    monkeypatch.setenv("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", str(roots / "root.pem"))
    client = Client(host=f"{scheme}://localhost:{running.ports[['https', 'grpcs'].index(scheme)]}")
    assert echo(client) == ["a!"]


def _files(roots: Path) -> dict[str, str]:
    return {"ssl_certfile": str(roots / "cert.pem"), "ssl_keyfile": str(roots / "key.pem")}


@pytest.mark.parametrize("index", [0, 1])
def test_a_client_may_bring_its_own_roots(running: Deployment, roots: Path, index: int) -> None:
    """`ssl_ca_certs` goes before what the environment says."""
    client = Client(
        host="localhost", port=running.ports[index], protocol=["http", "grpc"][index], tls=True, ssl_ca_certs=roots / "root.pem"
    )
    assert echo(client) == ["a!"]


@pytest.mark.parametrize("scheme", ["https", "grpcs"])
def test_ssl_cert_file_is_heard(running: Deployment, roots: Path, scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenSSL's variable for the roots of the system."""
    monkeypatch.delenv("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(roots / "root.pem"))
    assert echo(Client(host=f"{scheme}://localhost:{running.ports[['https', 'grpcs'].index(scheme)]}")) == ["a!"]


def test_a_deployment_calls_itself(running: Deployment) -> None:
    """It knows its own certificate."""
    assert echo(running) == ["a!"]
    assert running.is_ready


def test_a_caller_that_does_not_know_the_root_is_not_served(running: Deployment) -> None:
    """The client refuses a certificate that it cannot verify."""
    with pytest.raises(ConnectionError):
        echo(Client(host=f"grpcs://localhost:{running.ports[1]}"))


@pytest.mark.parametrize("index", [0, 1])
def test_a_host_that_the_certificate_does_not_name_is_refused(roots: Path, index: int) -> None:
    """Whoever has a certificate of the authority must have it for this host."""
    with Deployment(uses=Echo, protocol=["http", "grpc"], host="127.0.0.2", quiet=True, **_files(roots)) as deployment:
        port, protocol = deployment.ports[index], ["http", "grpc"][index]
        client = Client(host="127.0.0.2", port=port, protocol=protocol, tls=True, ssl_ca_certs=roots / "root.pem")
        with pytest.raises(ConnectionError, match=r"IP address mismatch.*call it by a name that its certificate holds"):
            echo(client)


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_a_tls_client_of_a_plain_service_is_told(protocol: str) -> None:
    """And at once."""
    expected = r"it does not speak TLS: leave out tls=True"
    with Deployment(uses=Echo, protocol=protocol, quiet=True) as deployment, pytest.raises(ConnectionError, match=expected):
        echo(Client(port=deployment.port, protocol=protocol, tls=True))


def test_a_plain_client_of_a_tls_service_is_told(running: Deployment) -> None:
    """Over HTTP by the service itself, over gRPC by our client."""
    answer = httpx.get(f"http://127.0.0.1:{running.ports[0]}/")
    assert answer.status_code == 400
    assert answer.json() == {"detail": "this port speaks TLS; write https:// in the place of http://"}
    with pytest.raises(ValueError, match="this port speaks TLS"):
        echo(Client(port=running.ports[0], protocol="http"))
    with pytest.raises(ConnectionError, match=r"tls=True, where it speaks TLS"):
        echo(Client(port=running.ports[1]))


@pytest.fixture(scope="module")
def guarded(roots: Path) -> Iterator[Deployment]:
    files = {**_files(roots), "ssl_ca_certs": str(roots / "root.pem")}
    with Deployment(uses=Echo, protocol=["http", "grpc"], quiet=True, **files) as deployment:
        yield deployment


@pytest.mark.parametrize("index", [0, 1])
def test_callers_show_a_certificate_where_one_is_asked_for(guarded: Deployment, roots: Path, index: int) -> None:
    """Whoever has none is told what is missing."""
    where: dict[str, Any] = {"host": "localhost", "port": guarded.ports[index], "protocol": ["http", "grpc"][index], "tls": True}
    where["ssl_ca_certs"] = str(roots / "root.pem")
    assert echo(Client(**where, **_files(roots))) == ["a!"]
    with pytest.raises(ConnectionError, match=r"it asks for a client certificate: give ssl_certfile and ssl_keyfile"):
        echo(Client(**where))


def test_a_certificate_of_a_stranger_is_refused(guarded: Deployment, roots: Path, tmp_path: Path) -> None:
    """Its authority is not the one that the service trusts."""
    trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "own.pem"))
    where: dict[str, Any] = {"port": guarded.ports[1], "tls": True, "ssl_ca_certs": str(roots / "root.pem")}
    with pytest.raises(ConnectionError, match=r"it does not trust the authority of our client certificate"):
        echo(Client(host="localhost", **where, ssl_certfile=str(tmp_path / "own.pem")))


def test_grpcio_shows_its_certificate(guarded: Deployment, roots: Path) -> None:
    """As to any server that asks for one."""
    parts = [(roots / name).read_bytes() for name in ("root.pem", "key.pem", "cert.pem")]
    with grpc.secure_channel(f"localhost:{guarded.ports[1]}", grpc.ssl_channel_credentials(*parts)) as channel:
        assert echo_by_grpcio(channel) == ["a!"]


@pytest.mark.parametrize(("index", "scheme"), [(0, "https"), (1, "grpcs")])
def test_a_probe_shows_its_certificate(guarded: Deployment, roots: Path, index: int, scheme: str) -> None:
    """`jina ping` with the files; without them the service is not ready for it."""
    words = ["ping", "executor", f"{scheme}://localhost:{guarded.ports[index]}"]
    assert main([*words, "--ssl-certfile", str(roots / "cert.pem"), "--ssl-keyfile", str(roots / "key.pem")]) == 0
    assert main(words) == 1


@pytest.mark.parametrize(("index", "scheme"), [(0, "https"), (1, "grpcs")])
def test_a_probe_checks_the_certificate_by_the_roots_that_it_is_given(
    running: Deployment, roots: Path, tmp_path: Path, index: int, scheme: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without `--ssl-ca-certs` it takes any, as it asks an address that a certificate seldom names."""
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    words = ["ping", "executor", f"{scheme}://localhost:{running.ports[index]}"]
    assert main(words) == 0
    assert main([*words, "--ssl-ca-certs", str(roots / "root.pem")]) == 0
    assert main([*words, "--ssl-ca-certs", str(tmp_path / "other.pem")]) == 1
    assert "CERTIFICATE_VERIFY_FAILED" in capsys.readouterr().err
    assert main([*words, "--ssl-ca-certs", str(tmp_path / "none.pem")]) == 1
    assert "cannot be read" in capsys.readouterr().err


def test_a_guarded_deployment_calls_itself(guarded: Deployment) -> None:
    """With its own certificate, which its authority has signed."""
    assert echo(guarded) == ["a!"]


def _connect(roots: Path, port: int, alpn: list[str]) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=str(roots / "root.pem"))
    if alpn:
        context.set_alpn_protocols(alpn)
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=20), server_hostname="localhost")


@pytest.mark.parametrize(
    ("index", "asked", "agreed"),
    [
        (0, ["h2", "http/1.1"], "h2"),
        (0, ["http/1.1"], "http/1.1"),
        (0, [], None),
        (1, ["h2"], "h2"),
        (1, ["http/1.1", "h2"], "h2"),
        (1, [], None),
    ],
)
def test_the_port_offers_what_it_speaks(running: Deployment, roots: Path, index: int, asked: list[str], agreed: str | None) -> None:
    """HTTP ports both versions, gRPC ports HTTP/2; a caller without ALPN is served all the same."""
    with _connect(roots, running.ports[index], asked) as sock:
        assert sock.selected_alpn_protocol() == agreed
        is_http2 = index == 1 or agreed == "h2"
        sock.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0" if is_http2 else b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert sock.recv(9)[3 if is_http2 else 0 :][:1] == (b"\x04" if is_http2 else b"H")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_is_resumed(running: Deployment, roots: Path, version: ssl.TLSVersion) -> None:
    """With the ticket of an earlier connection."""
    context = ssl.create_default_context(cafile=str(roots / "root.pem"))
    context.minimum_version = context.maximum_version = version
    session: ssl.SSLSession | None = None
    for is_reused in (False, True):
        plain = socket.create_connection(("127.0.0.1", running.ports[0]), timeout=20)
        with context.wrap_socket(plain, server_hostname="localhost", session=session) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert sock.recv(12) == b"HTTP/1.1 200"
            assert sock.session_reused is is_reused
            session = sock.session


@pytest.mark.parametrize("is_http2", [False, True])
def test_httpx_calls_over_tls(running: Deployment, roots: Path, is_http2: bool) -> None:
    """It takes HTTP/2 where it may."""
    context = ssl.create_default_context(cafile=str(roots / "root.pem"))
    with httpx.Client(verify=context, http2=is_http2) as client:
        answer = client.get(f"https://localhost:{running.ports[0]}/", timeout=20)
        assert (answer.status_code, answer.http_version) == (200, "HTTP/2" if is_http2 else "HTTP/1.1")


def test_grpcio_calls_over_tls(running: Deployment, roots: Path) -> None:
    """ALPN agrees on h2, without which grpcio hangs up."""
    credentials = grpc.ssl_channel_credentials((roots / "root.pem").read_bytes())
    with grpc.secure_channel(f"localhost:{running.ports[1]}", credentials) as channel:
        assert echo_by_grpcio(channel) == ["a!"]


def test_old_tls_versions_are_refused(running: Deployment) -> None:
    """TLS 1.2 or newer, also for a caller that would take anything."""
    for index in (0, 1):
        context = ssl._create_unverified_context()
        context.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="TLSv1"):
            context.minimum_version = ssl.TLSVersion.TLSv1
        with pytest.warns(DeprecationWarning, match="TLSv1"):
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        with (
            socket.create_connection(("127.0.0.1", running.ports[index]), timeout=20) as plain,
            pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION"),
        ):
            context.wrap_socket(plain)


def test_slow_handshakes_hold_nobody_else(running: Deployment, roots: Path) -> None:
    """A hundred callers that begin TLS and do not go on for the ten minutes that they may, and one that calls."""
    with ExitStack() as stack:
        for _ in range(50):
            for port in running.ports:
                sock = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))
                sock.sendall(b"\x16\x03\x01\x02\x00\x01")
        for index, protocol in enumerate(("http", "grpc")):
            client = Client(host="localhost", port=running.ports[index], protocol=protocol, tls=True, ssl_ca_certs=roots / "root.pem")
            assert echo(client, timeout=60) == ["a!"]


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


def _renew(folder: Path, authority: trustme.CA) -> None:
    """Put a new certificate and key in the place of the old, as `mv` does."""
    issued = authority.issue_cert("localhost", "127.0.0.1")
    issued.private_key_pem.write_to_path(str(folder / "new.key"))
    issued.cert_chain_pems[0].write_to_path(str(folder / "new.cert"))
    (folder / "new.key").replace(folder / "key.pem")
    (folder / "new.cert").replace(folder / "cert.pem")


def _serial(roots: Path, port: int) -> str:
    with _connect(roots, port, []) as sock:
        found = sock.getpeercert()
        assert found is not None
        return str(found["serialNumber"])


def _wait_for_another(roots: Path, port: int, serial: str) -> None:
    wait_until(lambda: _serial(roots, port) != serial)


@pytest.mark.parametrize("app", [None, "tests.process.web_apps:own"])
def test_a_renewed_certificate_needs_no_restart(tmp_path: Path, app: str | None) -> None:
    """New connections get it, also from a web app's process; those that were open go on."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "root.pem"))
    _renew(tmp_path, authority)
    with Deployment(uses=Echo, protocol="http", quiet=True, app=app, **_files(tmp_path)) as deployment:
        port, before = deployment.port, _serial(tmp_path, deployment.port)
        with _connect(tmp_path, port, ["http/1.1"]) as kept:
            _renew(tmp_path, authority)
            _wait_for_another(tmp_path, port, before)
            kept.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert kept.recv(8) == b"HTTP/1.1"
        if app is None:
            assert echo(deployment) == ["a!"]


def test_a_broken_pair_is_not_used_and_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The old certificate serves on; the log says why, and then that the mended one is used."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "root.pem"))
    _renew(tmp_path, authority)
    with Deployment(uses=Echo, quiet=True, **_files(tmp_path)) as deployment:
        port, before = deployment.port, _serial(tmp_path, deployment.port)
        shutil.copy(tmp_path / "key.pem", tmp_path / "cert.pem")
        told: list[str] = []

        def is_told() -> bool:
            assert _serial(tmp_path, port) == before
            told.append(capfd.readouterr().err)
            return "the changed TLS files are not used" in "".join(told)

        wait_until(is_told)
        assert "cert.pem" in "".join(told)
        _renew(tmp_path, authority)
        _wait_for_another(tmp_path, port, before)
