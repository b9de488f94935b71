"""Lost connections, servers that leave, retries."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from typing import Any

import pytest

from jina.client import Client
from jina.codec import messages
from jina.docs import DocList
from jina.wire.grpc import HALF_CLOSED, MESSAGE, UNARY
from tests.client.callers import ALL, texts
from tests.client.executors import Text
from tests.client.fakes import FakeGrpc, FakeGrpcServer, echo, lose


@pytest.mark.parametrize("stream", [True, False])
def test_connection_is_kept_between_calls(stream: bool) -> None:
    """Many posts, one connection."""
    server = FakeGrpcServer(echo)
    with Client(open_connection=server.connect) as client:
        for _ in range(3):
            assert texts(client, stream=stream) == ALL

    assert server.n_connections == 1


@pytest.mark.parametrize("stream", [True, False])
def test_new_connection_after_the_old_one_is_lost(stream: bool) -> None:
    """A connection that breaks between two calls costs nothing but a new one."""
    server = FakeGrpcServer(echo)
    with Client(open_connection=server.connect) as client:
        assert texts(client, stream=stream) == ALL
        client._core()[0].run(lose(server))
        assert texts(client, stream=stream) == ALL

    assert server.n_connections == 2


@pytest.mark.parametrize("stream", [True, False])
def test_server_that_goes_away_finishes_what_it_began(stream: bool) -> None:
    """After GOAWAY its calls end in peace, and the next go elsewhere."""

    def leaving(connection: FakeGrpc, event: tuple[Any, ...]) -> None:
        if server.n_connections == 1 and event[0] in (UNARY, MESSAGE):
            connection.wire.goaway()
        echo(connection, event)

    server = FakeGrpcServer(leaving)
    with Client(open_connection=server.connect) as client:
        assert texts(client, stream=stream) == ALL
        assert texts(client, stream=stream) == ALL

    assert server.n_connections == 2


@pytest.mark.parametrize("stream", [True, False])
def test_refused_calls_are_sent_again_unasked(stream: bool) -> None:
    """REFUSED_STREAM says that the server never began: no attempt is used up."""
    refused: list[int] = []

    def refusing(connection: FakeGrpc, event: tuple[Any, ...]) -> None:
        if len(refused) < 3:
            refused.append(event[1])
            connection.wire.reset(event[1], 7)
        else:
            echo(connection, event)

    with Client(open_connection=FakeGrpcServer(refusing).connect) as client:
        assert texts(client, 1, stream=stream) == ["0"]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("status", [14, 13, 4])
def test_failed_attempts_are_made_again(stream: bool, status: int) -> None:
    """UNAVAILABLE, INTERNAL and DEADLINE_EXCEEDED, as often as was asked for."""
    n_failed = 0

    def failing(connection: FakeGrpc, event: tuple[Any, ...]) -> None:
        nonlocal n_failed
        if event[0] in (UNARY, MESSAGE) and n_failed < 2:
            n_failed += 1
            connection.wire.send_status(event[1], status, "not yet")
        elif event[0] != HALF_CLOSED or n_failed >= 2:
            echo(connection, event)

    with Client(open_connection=FakeGrpcServer(failing).connect) as client:
        assert texts(client, 1, stream=stream, max_attempts=3, initial_backoff=0.001, max_backoff=0.001) == ["0"]


def test_answered_requests_are_not_sent_again() -> None:
    """When a stream breaks in the middle, the next attempt has only what had no answer."""
    seen: list[str] = []

    def breaking(connection: FakeGrpc, event: tuple[Any, ...]) -> None:
        if event[0] == MESSAGE:
            seen.append(messages.read_request(event[2]).request_id)
            if len(seen) == 3:
                connection.wire.send_status(event[1], 14, "gone")
                return
        echo(connection, event)

    with Client(open_connection=FakeGrpcServer(breaking).connect) as client:
        assert texts(client, max_attempts=2, initial_backoff=0.001) == ALL

    assert len(set(seen)) == 4
    assert len(seen) - len(set(seen)) <= 2
    assert seen[0] not in seen[3:]


def test_stream_that_ends_early_is_an_error() -> None:
    """A server that forgets requests does not pass for a complete answer."""

    def forgetful(connection: FakeGrpc, event: tuple[Any, ...]) -> None:
        if event[0] == HALF_CLOSED:
            connection.wire.send_status(event[1], 0)

    with Client(open_connection=FakeGrpcServer(forgetful).connect) as client, pytest.raises(Exception, match="unanswered"):
        texts(client)


def test_deadline_goes_to_the_server() -> None:
    """`timeout` is the call's grpc-timeout."""
    found: list[Any] = []

    def noting(connection: FakeGrpc, event: tuple[Any, ...]) -> None:
        if event[0] == UNARY:
            found.append(event[2].timeout_s)
        echo(connection, event)

    with Client(open_connection=FakeGrpcServer(noting).connect) as client:
        texts(client, 1, stream=False, timeout=30)

    assert 25 < found[0] <= 30


def test_interrupted_post_leaves_the_call() -> None:
    """An exception on the caller's side cancels what is under way, and the client goes on."""
    server = FakeGrpcServer(echo)

    def stop(response: Any) -> None:
        raise KeyboardInterrupt

    with Client(open_connection=server.connect) as client:
        with pytest.raises(KeyboardInterrupt):
            texts(client, on_done=stop)
        assert texts(client) == ALL

    assert server.n_connections == 1


def test_silent_server_is_found_out() -> None:
    """Without a sign of life within `grpc.keepalive_timeout_ms` the connection counts as lost."""

    def deaf(connection: FakeGrpc, event: tuple[Any, ...]) -> None:
        connection.transport.pause_reading()

    options = {"grpc.keepalive_time_ms": 20, "grpc.keepalive_timeout_ms": 50}
    started_s = time.monotonic()
    with (
        Client(open_connection=FakeGrpcServer(deaf).connect, grpc_channel_options=options) as client,
        pytest.raises(ConnectionError, match="connection was lost"),
    ):
        texts(client, 1)

    assert time.monotonic() - started_s < 5


def test_a_server_that_closes_every_connection_at_once_fails_the_call() -> None:
    """SETTINGS and GOAWAY, then nothing: after a few connections the call ends, and says why."""
    n_connections = 0

    def serve() -> None:
        nonlocal n_connections
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            n_connections += 1
            with connection:
                connection.recv(4096)
                connection.sendall(bytes.fromhex("000000040000000000" + "000008070000000000" + "0000000000000000"))

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, daemon=True).start()
        with pytest.raises(ConnectionError, match="closed 3 connections"):
            Client(port=server.getsockname()[1]).post("/x", Text(text="a"), return_type=DocList[Text])
    assert n_connections <= 4


@pytest.mark.parametrize("stream", [True, False])
def test_close_ends_calls_under_way_and_those_that_pause(stream: bool) -> None:
    """ConnectionError, and the reason is the close: also for a call between two attempts."""

    def failing(connection: FakeGrpc, event: tuple[Any, ...]) -> None:
        if event[0] in (UNARY, MESSAGE):
            connection.wire.send_status(event[1], 14, "not yet")
            asyncio.get_running_loop().call_later(0.01, client.close)

    with Client(open_connection=FakeGrpcServer(failing).connect) as client, pytest.raises(ConnectionError, match="client was closed"):
        texts(client, 1, stream=stream, max_attempts=2, initial_backoff=0.05)

    def closing(connection: FakeGrpc, event: tuple[Any, ...]) -> None:
        client.close()

    with Client(open_connection=FakeGrpcServer(closing).connect) as client, pytest.raises(ConnectionError, match="client was closed"):
        texts(client, 1, stream=stream)


@pytest.mark.parametrize("stream", [True, False])
def test_close_ends_also_what_a_leaving_server_has_begun(stream: bool) -> None:
    """A connection that takes no new calls is closed with the others."""

    def leaving(connection: FakeGrpc, event: tuple[Any, ...]) -> None:
        connection.wire.goaway()
        asyncio.get_running_loop().call_later(0.01, client.close)

    server = FakeGrpcServer(leaving)
    with Client(open_connection=server.connect) as client, pytest.raises(ConnectionError, match="client was closed"):
        texts(client, 1, stream=stream, timeout=5)
