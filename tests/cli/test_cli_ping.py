"""`jina ping` against servers of others: grpcio's health service, Python's HTTP server, and things that are neither."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import grpc
import pytest
import trustme
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from jina.cli import main
from jina.cli.about import PING_FLAGS


@contextmanager
def answering(*answers: bytes) -> Iterator[str]:
    """A port whose connections, one after the other, are answered with these bytes."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def answer() -> None:
            for data in answers:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(data)

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


@contextmanager
def grpc_server(status: int | None) -> Iterator[str]:
    """grpcio's server with its health service, or without (None)."""
    server = grpc.server(ThreadPoolExecutor(max_workers=2))
    if status is not None:
        servicer = health.HealthServicer()
        servicer.set("", status)
        health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


@contextmanager
def http_server(codes: list[int], body: bytes = b"{}") -> Iterator[str]:
    """Answers one code after the other, the last for ever."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(codes.pop(0) if len(codes) > 1 else codes[0])
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

        protocol_version = "HTTP/1.1"

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jina.cli.ping._PAUSE_S", 0)


def test_serving_grpc_is_ready(capsys: pytest.CaptureFixture[str]) -> None:
    """SERVING is exit code 0, with and without a scheme."""
    with grpc_server(health_pb2.HealthCheckResponse.SERVING) as host:
        assert main(["ping", "executor", host]) == 0
        assert main(["ping", "gateway", f"grpc://{host}", "--timeout 9500"]) == 0
    assert "ready in" in capsys.readouterr().out


@pytest.mark.parametrize("status", [health_pb2.HealthCheckResponse.NOT_SERVING, None])
def test_other_grpc_answers_are_not_ready(status: int | None, capsys: pytest.CaptureFixture[str]) -> None:
    """NOT_SERVING and a server without the health service are exit code 1."""
    with grpc_server(status) as host:
        assert main(["ping", "executor", host]) == 1
    assert "not ready" in capsys.readouterr().err


def test_http_200_is_ready() -> None:
    """HTTP services are asked `GET /`."""
    with http_server([200]) as host:
        assert main(["ping", "gateway", f"http://{host}"]) == 0


def test_http_503_is_not_ready(capsys: pytest.CaptureFixture[str]) -> None:
    """The status line is shown."""
    with http_server([503]) as host:
        assert main(["ping", "executor", f"http://{host}/"]) == 1
    assert "503" in capsys.readouterr().err


def test_enough_successful_attempts_count() -> None:
    """--attempts asks again; --min-successful-attempts says how many must succeed."""
    with http_server([503, 200]) as host:
        words = ["ping", "executor", f"http://{host}", "--attempts", "3", "--min-successful-attempts"]
        assert main([*words, "2"]) == 0
    with http_server([503, 200]) as host:
        words = ["ping", "executor", f"http://{host}", "--attempts", "3", "--min-successful-attempts"]
        assert main([*words, "3"]) == 1


def test_dry_run_of_a_flow_over_http() -> None:
    """The dry run tells failure in its body."""
    with http_server([200], b'{"code":0,"description":"","exception":null}') as host:
        assert main(["ping", "flow", f"http://{host}"]) == 0
    with http_server([200], b'{"code": 1, "description": "x"}') as host:
        assert main(["ping", "flow", f"http://{host}"]) == 1


@pytest.mark.parametrize(
    ("frames", "text"),
    [
        (b"\x82\x00", ""),
        (b"\x89\x02hi\x8a\x00\x82\x02\x08\x00", ""),
        (b"\x89\x02hi\x82\x02\x08\x01", "the dry run failed"),
        (b"\x88\x06\x03\xf3oops", "closed the WebSocket with code 1011"),
        (b"\x88\x00", "closed the WebSocket with code 1005"),
    ],
)
def test_dry_run_over_websocket(frames: bytes, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A message tells it, neither a ping before it nor a close in its place."""
    with answering(b"HTTP/1.1 101 x\r\n\r\n" + frames) as host:
        assert main(["ping", "flow", f"ws://{host}"]) == bool(text)
    assert text in capsys.readouterr().err


def test_shells_complete_every_flag_that_help_tells(capsys: pytest.CaptureFixture[str]) -> None:
    """The list is written out, as completing must not import what pings."""
    main(["ping", "--help"])
    told = set(re.findall(r"--[a-z-]+", capsys.readouterr().out.partition("options:")[0])) - {"--help"}

    assert told == set(PING_FLAGS)


def test_grpc_ping_of_an_http_port_says_what_to_write(capsys: pytest.CaptureFixture[str]) -> None:
    """The commonest mistake gets its own words."""
    with http_server([200]) as host:
        assert main(["ping", "executor", host]) == 1
    assert "http://" in capsys.readouterr().err


def test_silence_ends_with_the_timeout(capsys: pytest.CaptureFixture[str]) -> None:
    """A port that takes the connection and says nothing is not ready."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host = f"127.0.0.1:{listener.getsockname()[1]}"
        assert main(["ping", "executor", host, "--timeout", "50"]) == 1
        assert main(["ping", "executor", f"http://{host}", "--timeout", "50"]) == 1
    assert capsys.readouterr().err.count("not ready") == 2


def test_nobody_listens(capsys: pytest.CaptureFixture[str]) -> None:
    """A refused connection is exit code 1 with its reason."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert main(["ping", "executor", f"127.0.0.1:{port}"]) == 1
    assert "refused" in capsys.readouterr().err


def test_roots_for_a_service_without_tls_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Rather than ignored: who gives them wants the service checked."""
    assert main(["ping", "executor", "127.0.0.1:1", "--ssl-ca-certs", "root.pem"]) == 1
    assert "--ssl-ca-certs was given for a service without TLS" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["executor", "ftp://h"], ["executor", "h:port"]])
def test_wrong_addresses(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """They say what is wrong."""
    assert main(["ping", *words]) == 1
    assert "address" in capsys.readouterr().err


def test_wrong_words() -> None:
    """A missing host and an unknown target are exit code 2."""
    assert main(["ping", "executor"]) == 2
    assert main(["ping", "castle", "h:1"]) == 2


def test_a_grpc_port_is_recognised_behind_http(capsys: pytest.CaptureFixture[str]) -> None:
    """The wrong scheme is named, not the bytes that came."""
    with answering(b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x03\xe8") as host:
        assert main(["ping", "executor", f"http://{host}"]) == 1

    assert "this is a gRPC port" in capsys.readouterr().err


SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
TRAILERS = b"\x00\x00\x01\x01\x05\x00\x00\x00\x01\x88"


@pytest.mark.parametrize(
    ("scheme", "answers", "text"),
    [
        ("", [SETTINGS + TRAILERS, b"HTTP/1.1 200 OK\r\n\r\n"], "and speaks HTTP; write http:// in front of the address"),
        ("", [SETTINGS + TRAILERS, SETTINGS], "the service refused the health check"),
        ("", [SETTINGS + TRAILERS, b""], "the service refused the health check"),
        ("ws://", [SETTINGS], "this is a gRPC port; leave out the ws:// in front of the address"),
        ("ws://", [b"HTTP/1.1 404 Not Found\r\n\r\n", b""], "speaks no WebSocket.*for an HTTP port write http://"),
    ],
)
def test_a_port_of_another_protocol_is_told_with_what_to_write(
    scheme: str, answers: list[bytes], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Over HTTP/2 an HTTP service refuses the health check, as a gRPC service without one does: whether it speaks HTTP is then asked."""
    with answering(*answers) as host:
        assert main(["ping", "executor", f"{scheme}{host}"]) == 1
    assert re.search(text, capsys.readouterr().err)


@contextmanager
def tls_server(folder: Path) -> Iterator[str]:
    """Takes TLS and ends the connections of whoever does not speak it, as most servers do."""
    issued = trustme.CA().issue_cert("localhost")
    issued.private_key_and_cert_chain_pem.write_to_path(str(folder / "cert.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem")
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                context.wrap_socket(connection, server_side=True).close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


@pytest.mark.parametrize(("scheme", "secure"), [("", "grpcs"), ("grpc://", "grpcs"), ("http://", "https"), ("ws://", "wss")])
def test_a_tls_port_that_is_asked_without_tls_is_named(
    scheme: str, secure: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The likeliest cause stands there, with the place that was asked and what to write."""
    with tls_server(tmp_path) as host:
        assert main(["ping", "executor", f"{scheme}{host}"]) == 1
    assert f"{host} is not ready: this port speaks TLS; write {secure}:// in front of the address" in capsys.readouterr().err


@pytest.mark.parametrize("scheme", ["grpcs", "https", "wss"])
def test_a_port_without_tls_that_is_asked_with_it_is_named(scheme: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The other way round: OpenSSL's words alone tell a user nothing."""
    with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as host:
        assert main(["ping", "executor", f"{scheme}://{host}"]) == 1
    found = capsys.readouterr().err
    assert f"{host} is not ready: it does not speak TLS" in found
    assert f"{scheme}://" in found


def test_a_port_that_closes_when_it_hears_tls_is_asked_about(capsys: pytest.CaptureFixture[str]) -> None:
    """A server that knows no TLS often just closes."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def close() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)

        thread = threading.Thread(target=close)
        thread.start()
        assert main(["ping", "executor", f"grpcs://127.0.0.1:{listener.getsockname()[1]}"]) == 1
        thread.join()
    assert "leave out the s of the scheme" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["127.0.0.1"], ["http://127.0.0.1"], ["https://[::1]"]])
def test_the_port_that_was_tried_is_shown_also_where_none_was_written(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A missing port is the commonest cause of a refused connection."""

    def refuse(address: tuple[str, int], timeout: float) -> socket.socket:
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr("socket.create_connection", refuse)
    assert main(["ping", "executor", *words]) == 1
    host = words[0].rpartition("/")[2]
    assert f"{host}:{443 if words[0].startswith('https') else 80} is not ready: " in capsys.readouterr().err
