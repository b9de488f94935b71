"""What a client says when no connection comes about, whoever is at fault."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest
import trustme

from jina.client import Client
from jina.client.background import Background
from tests.client.executors import Text

PROTOCOLS = pytest.mark.parametrize("protocol", ["grpc", "http"])
ROOTS = "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"


@pytest.fixture
def listener() -> Iterator[int]:
    """The port of something that speaks neither TLS nor anything that we know."""

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.recv(4096)
                connection.sendall(b"220 hello\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.fixture
def stranger() -> Iterator[int]:
    """The port of a TLS server whose authority nobody knows."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)

    async def serve(started: Future[int], over: asyncio.Event) -> None:
        server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0, ssl=context)
        started.set_result(int(server.sockets[0].getsockname()[1]))
        await over.wait()
        server.close()

    background, started, over = Background("stranger"), Future[int](), asyncio.Event()
    background.loop.set_exception_handler(lambda *_: None)
    background.call(lambda: background.loop.create_task(serve(started, over)))
    yield started.result(10)
    background.call(over.set)
    background.stop()


@PROTOCOLS
@pytest.mark.parametrize("host", ["a" * 70 + ".x", "a..b"])
def test_host_that_is_no_name_is_a_connection_error(protocol: str, host: str) -> None:
    """At once, and it names the host."""
    with Client(host=host, port=1, protocol=protocol) as client, pytest.raises(ConnectionError, match=f"{host}.*is no host name"):
        client.post("/x", Text(), timeout=5)


@PROTOCOLS
def test_failure_of_any_kind_to_connect_ends_the_calls(protocol: str) -> None:
    """Also one that nobody thought of: no call waits for ever."""

    async def connect(make_protocol: Callable[[], asyncio.Protocol]) -> tuple[Any, Any]:
        raise RuntimeError("odd")

    with Client(protocol=protocol, open_connection=connect) as client, pytest.raises(Exception, match="odd"):
        client.post("/x", Text(), timeout=5)


@PROTOCOLS
def test_port_without_tls_is_named_to_a_tls_client(protocol: str, listener: int) -> None:
    """What the TLS library calls a wrong version number."""
    with (
        Client(port=listener, protocol=protocol, tls=True) as client,
        pytest.raises(ConnectionError, match="it does not speak TLS"),
    ):
        client.post("/x", Text(), timeout=5)


@PROTOCOLS
def test_roots_that_cannot_be_read_are_named(protocol: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file, and the variable that names it."""
    monkeypatch.setenv(ROOTS, "missing.pem")
    with (
        Client(port=1, protocol=protocol, tls=True) as client,
        pytest.raises(ConnectionError, match=f"'missing.pem'.*{ROOTS}"),
    ):
        client.post("/x", Text(), timeout=5)


@PROTOCOLS
def test_server_with_an_unknown_authority_says_how_to_trust_it(protocol: str, stranger: int) -> None:
    """The variable that names further roots."""
    with (
        Client(port=stranger, protocol=protocol, tls=True) as client,
        pytest.raises(ConnectionError, match=f"certificate verify failed.*{ROOTS}"),
    ):
        client.post("/x", Text(), timeout=5)
