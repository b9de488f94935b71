"""What a client asks that is no post: whether a service is ready, and where the time of a call goes."""

from __future__ import annotations

import re
from typing import Any

import pytest

from jina import Executor, requests
from jina.client import Client
from jina.client.profile import profile_of, table
from jina.codec.messages import status_bytes
from jina.docs import BaseDoc, DocList
from jina.proto import jina_pb2
from jina.testing import serve
from jina.transport import memory
from jina.transport.connect import Connect
from jina.wire.grpc import CALL_STARTED, UNARY
from tests.client.fakes import FakeGrpc, FakeGrpcServer, FakeHttpServer
from tests.client.websocket_fakes import Fake, FakeServer

PROTOCOLS = ["grpc", "http", "websocket"]


class First(Executor):
    @requests
    def first(self, docs: DocList[BaseDoc], **kwargs: Any) -> None:
        """Give them back."""


class Second(First):
    pass


FLOW: list[Any] = [("one", First), ("two", Second)]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("uses", [First, FLOW])
def test_a_service_that_takes_calls_is_ready(uses: Any, protocol: str) -> None:
    """An executor, and a flow of several."""
    with serve(uses, protocol=protocol) as service:
        assert service.client.is_flow_ready(timeout=10) is True
        assert service.client.dry_run() is True


@pytest.mark.anyio
@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_coroutine_asks_whether_a_service_is_ready(protocol: str) -> None:
    """As the others."""
    async with serve(FLOW, protocol=protocol) as service:
        assert await service.client.is_flow_ready(timeout=10) is True
        assert await service.client.dry_run() is True


def grpc(status: bytes | None) -> Connect:
    """One that answers a dry run so, or not at all."""

    def react(connection: FakeGrpc, event: tuple[Any, ...]) -> None:
        if status is not None and event[0] in (UNARY, CALL_STARTED):
            connection.wire.send_message(event[1], status)
            connection.wire.send_status(event[1], 0)

    return FakeGrpcServer(react).connect


def http(answer: Any) -> Connect:
    return FakeHttpServer(lambda *_: answer).connect


def websocket(status: bytes | None) -> Connect:
    def answer(fake: Fake) -> bytes:
        return fake.granted() + (b"" if status is None else bytes((0x82, len(status))) + status)

    return memory.connector(FakeServer(lambda fake, data: None, answer).make)


DOWN = status_bytes(True, "'two' is down")


@pytest.mark.parametrize(
    ("protocol", "connect", "reason"),
    [
        ("grpc", grpc(DOWN), "'two' is down"),
        ("grpc", grpc(None), "DEADLINE_EXCEEDED"),
        ("http", http((200, {"code": 1, "description": "'two' is down", "exception": None})), "'two' is down"),
        ("http", http((200, {"code": 1})), "the dry run failed"),
        ("http", http((503, {"detail": "stopping"})), "HTTP status 503"),
        ("http", http(b""), "no answer in time"),
        ("websocket", websocket(DOWN), "'two' is down"),
        ("websocket", websocket(None), "no answer in time"),
    ],
)
def test_a_service_that_takes_none_is_not_ready_and_the_log_says_why(
    protocol: str, connect: Any, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """By what it says of itself, or its silence."""
    with Client(protocol=protocol, open_connection=connect) as client:
        assert client.is_flow_ready(timeout=0.2) is False

    assert reason in re.sub(r"\s+", " ", "".join(capsys.readouterr()))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_service_that_is_not_there_is_not_ready(protocol: str) -> None:
    """Nothing is raised: that is an answer too."""
    with Client(protocol=protocol, port=1) as client:
        assert client.is_flow_ready() is False


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_profile_tells_the_time_of_each_executor(protocol: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In a dict, and as a table; over HTTP services tell no times, so that only the way there and back is left."""
    with serve(FLOW, protocol=protocol) as service:
        found = service.client.profiling()
        shown = capsys.readouterr().out
        assert service.client.profiling(show_table=False).keys() == found.keys()
    assert capsys.readouterr().out == ""

    assert list(found)[:4] == ["Roundtrip", "Client-server network", "Server", "Gateway-executors network"]
    assert list(found)[4:] == ([] if protocol == "http" else ["one", "two"])
    assert [line.split("  ")[0] for line in map(str.strip, shown.splitlines())] == list(found)
    assert found["Roundtrip"] == pytest.approx(found["Client-server network"] + found["Server"])


@pytest.mark.anyio
@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_coroutine_gets_the_same_profile(protocol: str) -> None:
    """As the others."""
    async with serve(FLOW, protocol=protocol) as service:
        found = await service.client.profiling(show_table=False)

    assert list(found)[4:] == ([] if protocol == "http" else ["one", "two"])
    assert found["Roundtrip"] > 0


class Replied:
    """A response of a gateway that took 20 ms, and of its executors, which began 5 ms later."""

    def __init__(self, **executors_ms: int) -> None:
        spans = [("gateway", 0, 20), *((name, 5, 5 + ms) for name, ms in executors_ms.items())]
        self.routes = [jina_pb2.RouteProto(executor=name) for name, _, _ in spans]
        for route, (_, start, end) in zip(self.routes, spans, strict=True):
            route.start_time.FromMilliseconds(start)
            route.end_time.FromMilliseconds(end)


def test_a_profile_is_a_tree_of_times() -> None:
    """The parts of the server are parts of its time."""
    profile = profile_of(Replied(one=10, two=4), 0.025)

    assert table(profile).splitlines() == [
        "Roundtrip                         25.00 ms  100%",
        "  Client-server network            5.00 ms   20%",
        "  Server                          20.00 ms   80%",
        "    Gateway-executors network      6.00 ms   30%",
        "    one                           10.00 ms   50%",
        "    two                            4.00 ms   20%",
    ]


def test_executors_that_run_side_by_side_leave_no_time_below_zero() -> None:
    """Together they may take longer than the server did."""
    assert profile_of(Replied(one=15, two=15), 0.025)["Gateway-executors network"] == 0
