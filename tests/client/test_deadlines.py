"""`timeout`: one time for all attempts, and one class of error on every protocol."""

from __future__ import annotations

import asyncio
import pickle
import time
from typing import Any

import grpc as grpcio
import pytest

from jina.call import DIALECT
from jina.client import Client
from jina.client.failures import LateError
from jina.testing import serve
from jina.wire.grpc import CALL_STARTED, UNARY
from tests.client.executors import Sample, Text
from tests.client.fakes import FakeGrpc, FakeGrpcServer, FakeHttpServer
from tests.client.test_dialect import Event
from tests.client.websocket_fakes import Fake, FakeServer

AGAIN: dict[str, Any] = {"max_attempts": 2, "initial_backoff": 0.2}
CALLS = [("grpc", True), ("grpc", False), ("http", True), ("websocket", True)]


def check_late(error: Any) -> None:
    """Old handlers of either class take it, those of grpcio's too, and it crosses process borders."""
    assert isinstance(error, LateError)
    assert isinstance(error, ConnectionError)
    assert isinstance(error, TimeoutError)
    assert isinstance(error, grpcio.RpcError)
    assert error.code() is grpcio.StatusCode.DEADLINE_EXCEEDED
    assert isinstance(pickle.loads(pickle.dumps(error)), LateError)


def mute_grpc(connection: FakeGrpc, event: tuple[Any, ...]) -> None:
    """Answers nothing."""


@pytest.mark.parametrize(("protocol", "stream"), CALLS)
def test_a_late_post_is_one_class_on_every_protocol(protocol: str, stream: bool) -> None:
    """Jina's users catch ConnectionError over gRPC and TimeoutError over HTTP: it is both, and says where and what."""
    with serve(Sample, protocol=protocol) as service, pytest.raises(LateError, match=r"/never|deadline") as caught:
        service.post("/never", Text(), timeout=0.05, stream=stream)

    check_late(caught.value)


@pytest.mark.anyio
@pytest.mark.parametrize(("protocol", "stream"), CALLS)
async def test_a_late_post_of_a_coroutine_is_the_same(protocol: str, stream: bool) -> None:
    """The async clients raise what the others raise."""
    async with serve(Sample, protocol=protocol) as service:
        with pytest.raises(LateError, match=r"/never|deadline") as caught:
            async for _ in service.post("/never", Text(), timeout=0.05, stream=stream):
                pass

    check_late(caught.value)


@pytest.mark.parametrize("protocol", ["grpc", "http", "websocket"])
def test_a_late_stream_is_the_same(protocol: str) -> None:
    """What came in time was given."""
    found = []
    with serve(Sample, protocol=protocol) as service, pytest.raises(LateError) as caught:  # noqa: PT012 - what came before it counts too
        for doc in service.stream_doc("/endless", Text(), return_type=Text, timeout=0.3):
            found.append(doc.text)

    assert found == ["first"]
    check_late(caught.value)


@pytest.mark.anyio
@pytest.mark.parametrize("protocol", ["grpc", "http", "websocket"])
async def test_a_late_stream_of_a_coroutine_is_the_same(protocol: str) -> None:
    """The async clients raise what the others raise."""
    found = []
    async with serve(Sample, protocol=protocol) as service:
        with pytest.raises(LateError) as caught:  # noqa: PT012 - what came before it counts too
            async for doc in service.stream_doc("/endless", Text(), return_type=Text, timeout=0.3):
                found.append(doc.text)

    assert found == ["first"]
    check_late(caught.value)


@pytest.mark.parametrize("status", [4, 14])
@pytest.mark.parametrize("stream", [True, False])
def test_later_attempts_over_grpc_have_the_time_that_is_left(status: int, stream: bool) -> None:
    """Each tells the server less, whatever the one before it failed of."""
    told: list[float] = []

    def failing(connection: FakeGrpc, event: tuple[Any, ...]) -> None:
        if event[0] in (UNARY, CALL_STARTED):
            told.append(event[2].timeout_s)
            connection.wire.send_status(event[1], status, "not now")

    with Client(open_connection=FakeGrpcServer(failing).connect) as client, pytest.raises(ConnectionError, match="not now"):
        client.post("/x", Text(), stream=stream, timeout=30, **AGAIN)

    assert told[0] - told[-1] >= 0.2 - 0.01


def test_later_attempts_over_http_have_the_time_that_is_left() -> None:
    """The server is told in `X-Request-Timeout`."""
    server = FakeHttpServer(lambda *_: (503, {}))
    with Client(protocol="http", open_connection=server.connect) as client, pytest.raises(ConnectionError):
        client.post("/x", Text(), timeout=30, **AGAIN)

    told = [float(headers["x-request-timeout"]) for headers in server.headers]
    assert told[0] - told[-1] >= 0.2 - 0.01


@pytest.mark.parametrize("stream", [True, False])
def test_a_call_that_was_late_over_grpc_is_not_made_again(stream: bool) -> None:
    """There is no time left for another attempt."""
    server = FakeGrpcServer(mute_grpc)
    with Client(open_connection=server.connect) as client, pytest.raises(LateError, match=r"'/x', timeout 0\.05 s"):
        client.post("/x", Text(), stream=stream, timeout=0.05, max_attempts=5, initial_backoff=0)

    assert sum(event[0] in (UNARY, CALL_STARTED) for event in server.events) == 1


@pytest.mark.parametrize("protocol", ["grpc", "http", "websocket"])
def test_a_pause_that_outlasts_the_time_is_not_made(protocol: str) -> None:
    """What went wrong is said at once, and says more than that the time was up."""

    def refused(make: Any) -> Any:
        raise ConnectionRefusedError("Connection refused")

    with Client(protocol=protocol, open_connection=refused) as client, pytest.raises(ConnectionError, match="refused") as caught:
        client.post("/x", Text(), timeout=5, max_attempts=3, initial_backoff=30)

    assert not isinstance(caught.value, LateError)


@pytest.mark.parametrize("stream", [True, False])
def test_asking_for_the_dialect_is_within_the_time(stream: bool) -> None:
    """What was spent on it is missing from the call's own."""
    told: list[float] = []

    def slow(connection: FakeGrpc, event: tuple[Any, ...]) -> None:
        if event[0] not in (UNARY, CALL_STARTED):
            return
        told.append(event[2].timeout_s)
        if event[2].path == "/jina.JinaInfoRPC/_status":
            asyncio.get_running_loop().call_later(0.2, agree, connection, event[1])

    def agree(connection: FakeGrpc, stream: int) -> None:
        connection.wire.send_status(stream, 12, "none here", (DIALECT,))
        connection.flush()

    with Client(open_connection=FakeGrpcServer(slow).connect) as client, pytest.raises(LateError):
        client.post("/x", Event(), stream=stream, timeout=0.5)

    assert told[0] - told[1] >= 0.2 - 0.01


@pytest.mark.parametrize(("body", "is_value_error"), [({"header": {"status": {"description": "late"}}}, False), ({"detail": "late"}, True)])
def test_a_service_that_says_that_it_was_late_is_believed(body: Any, is_value_error: bool) -> None:
    """HTTP 504; where the body is not Jina's it is a ValueError too, as from Jina's client."""
    server = FakeHttpServer(lambda *_: (504, body))
    with Client(protocol="http", open_connection=server.connect) as client, pytest.raises(LateError, match="late") as caught:
        client.post("/x", Text())

    check_late(caught.value)
    assert isinstance(caught.value, ValueError) is is_value_error


def test_a_websocket_that_is_closed_when_the_time_is_up_was_late() -> None:
    """A service that is as quick as the client to say so does not change the class."""

    def end_late(fake: Fake, data: bytes) -> None:
        time.sleep(0.1)
        fake.end(1011, "too late")

    server = FakeServer(end_late)
    with server.client() as client, pytest.raises(LateError) as caught:
        client.post("/x", Text(), timeout=0.05)

    check_late(caught.value)
