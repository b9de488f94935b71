"""A gRPC channel's signs of life, and calls that wait until the service is there; hours pass in milliseconds."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, cast

import pytest

from jina.client.channel_options import read_channel_options
from jina.errors import ConfigError
from jina.options import ClientOptions
from jina.transport import memory
from jina.transport.grpc_calls import CallEnd, UnaryCall
from jina.transport.grpc_channel import GrpcChannel
from jina.transport.grpc_connection import ChannelOptions
from jina.wire import grpc
from jina.wire import http2_frames as frames
from tests.transport.skipping_loop import run_skipping

BLOCK = grpc.request_block("/a.B/C")
Ended = asyncio.Future[tuple[bytes | None, CallEnd]]


class Strict(asyncio.Protocol):
    """A server that keeps grpcio's rule: a third PING within five minutes of the one before it, and nothing sent between, is one too many.

    Calls are answered when somebody says so.
    """

    def __init__(self, max_strikes: int = 2) -> None:
        self.wire, self.max_strikes = grpc.ServerConnection(unary_paths=("/a.B/C",)), max_strikes
        self.pings: list[float] = []
        self.n_strikes = 0
        self.calls: list[int] = []
        self.is_lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.loop = asyncio.get_running_loop()
        self.flush()

    def flush(self) -> None:
        self.transport.write(self.wire.take_output())

    def data_received(self, data: bytes) -> None:
        self.calls += [event[1] for event in self.wire.receive(data) if event[0] == grpc.UNARY]
        if data[3:4] == bytes([frames.PING]):
            now = self.loop.time()
            self.n_strikes += bool(self.pings) and now - self.pings[-1] < 300
            self.pings.append(now)
            if self.n_strikes > self.max_strikes:
                self.transport.write(frames.goaway(self.calls[-1], frames.ENHANCE_YOUR_CALM, "too_many_pings"))
                self.transport.close()
        self.flush()

    def connection_lost(self, error: Exception | None) -> None:
        self.is_lost = True

    def answer(self) -> None:
        self.n_strikes = 0
        self.wire.reply(self.calls.pop(0), b"done")
        self.flush()


class Servers:
    """Those that a channel has connected to; `n_absent` attempts before the first fail."""

    def __init__(self, make: Callable[[], Strict] = Strict, n_absent: int = 0) -> None:
        self.make, self.n_absent = make, n_absent
        self.attempts: list[float] = []
        self.all: list[Strict] = []

    async def connect(self, make_protocol: Callable[[], asyncio.Protocol]) -> tuple[Any, Any]:
        self.attempts.append(asyncio.get_running_loop().time())
        if len(self.attempts) <= self.n_absent:
            raise ConnectionRefusedError("nobody listens")
        self.all.append(self.make())
        return await memory.connector(lambda: self.all[-1])(make_protocol)


def begin(channel: GrpcChannel, timeout_s: float | None = None) -> Ended:
    ended: Ended = asyncio.get_running_loop().create_future()
    channel.start(UnaryCall(BLOCK, b"x", lambda data, end: ended.set_result((data, end)), timeout_s=timeout_s))
    return ended


def test_silent_call_outlives_a_server_with_grpcios_rule() -> None:
    """A call that takes two hours is asked after twice, then every five minutes, and is answered."""

    async def main() -> None:
        servers = Servers()
        channel = GrpcChannel(servers.connect, "x")
        ended = begin(channel)
        await asyncio.sleep(7200)
        server = servers.all[0]
        assert server.n_strikes <= 1
        assert 20 < len(server.pings) < 30
        server.answer()
        assert (await ended)[0] == b"done"
        channel.close()

    run_skipping(main())


def test_server_that_has_said_something_is_asked_as_soon_as_at_first() -> None:
    """After any sign of life but an answer the next silence is noticed within keepalive_time_s."""

    async def main() -> None:
        servers = Servers()
        channel = GrpcChannel(servers.connect, "x")
        first, second = begin(channel), begin(channel)
        await asyncio.sleep(100)
        (server,) = servers.all
        n_before, answered_s = len(server.pings), server.loop.time()
        assert n_before == 2
        server.answer()
        await first
        await asyncio.sleep(11)
        assert len(server.pings) == n_before + 1
        assert server.pings[-1] - answered_s <= 10.1
        server.answer()
        await second
        channel.close()

    run_skipping(main())


def test_server_known_to_be_patient_is_asked_all_the_time() -> None:
    """With max_pings_without_data of None."""

    async def main() -> None:
        servers = Servers(lambda: Strict(max_strikes=1000))
        channel = GrpcChannel(servers.connect, "x", ChannelOptions(max_pings_without_data=None, keepalive_timeout_s=5.0))
        ended = begin(channel)
        await asyncio.sleep(1500)
        assert len(servers.all[0].pings) == 100
        servers.all[0].answer()
        await ended
        channel.close()

    run_skipping(main())


def test_client_told_that_it_asks_too_often_asks_half_as_often() -> None:
    """After GOAWAY with too_many_pings the next connection is kept alive with twice the pause."""

    async def main() -> None:
        servers = Servers(lambda: Strict(max_strikes=0))
        channel = GrpcChannel(servers.connect, "x", ChannelOptions(keepalive_time_s=200.0))
        data, end = await begin(channel)
        assert (data, end.status) == (None, grpc.GrpcStatus.UNAVAILABLE)
        ended = begin(channel)
        await asyncio.sleep(3000)
        second = servers.all[1]
        assert [round(now - second.pings[0]) for now in second.pings[1:3]] == [420, 840]
        second.answer()
        assert (await ended)[0] == b"done"
        channel.close()

    run_skipping(main())


def test_calls_that_wait_for_readiness_are_made_when_the_service_comes() -> None:
    """The attempts that fail cost them nothing; the pauses between grow as gRPC's do, and no attempt is made twice."""

    async def main() -> None:
        servers = Servers(n_absent=6)
        channel = GrpcChannel(servers.connect, "x", ChannelOptions(waits_for_ready=True))
        calls = [begin(channel, timeout_s=3600) for _ in range(3)]
        await asyncio.sleep(60)
        pauses = [after - before for before, after in zip(servers.attempts, servers.attempts[1:], strict=False)]
        assert len(pauses) == 6
        for n, pause in enumerate(pauses):
            assert 0.8 * 1.6**n <= pause + 0.01
            assert pause - 0.01 <= 1.2 * 1.6**n
        for ended in calls:
            servers.all[0].answer()
            assert (await ended)[0] == b"done"
        channel.close()

    run_skipping(main())


def test_pause_between_attempts_has_a_limit() -> None:
    """max_backoff_s, give or take a fifth."""

    async def main() -> None:
        servers = Servers(n_absent=1000)
        channel = GrpcChannel(servers.connect, "x", ChannelOptions(waits_for_ready=True, max_backoff_s=10.0))
        ended = begin(channel, timeout_s=1000)
        await asyncio.sleep(900)
        pauses = [after - before for before, after in zip(servers.attempts[20:], servers.attempts[21:], strict=False)]
        assert all(8 <= round(pause, 3) <= 12 for pause in pauses)
        _, end = await ended
        assert end.status == grpc.GrpcStatus.DEADLINE_EXCEEDED
        assert end.message == "Deadline Exceeded while the call waited for a connection: failed to connect to x: nobody listens"
        channel.close()

    run_skipping(main())


def test_calls_that_do_not_wait_fail_with_the_first_attempt_and_the_next_tries_again() -> None:
    """UNAVAILABLE at once, and no pause before the attempt of a later call."""

    async def main() -> None:
        servers = Servers(n_absent=1)
        channel = GrpcChannel(servers.connect, "x")
        _, end = await begin(channel)
        assert (end.status, end.message) == (grpc.GrpcStatus.UNAVAILABLE, "failed to connect to x: nobody listens")
        ended = begin(channel)
        await asyncio.sleep(0.01)
        servers.all[0].answer()
        assert (await ended)[0] == b"done"
        channel.close()

    run_skipping(main())


def test_close_ends_calls_that_wait_for_readiness() -> None:
    """Also in the pause between two attempts."""

    async def main() -> None:
        servers = Servers(n_absent=1000)
        channel = GrpcChannel(servers.connect, "x", ChannelOptions(waits_for_ready=True))
        ended = begin(channel)
        await asyncio.sleep(5)
        channel.close()
        _, end = await ended
        assert (end.status, end.message) == (grpc.GrpcStatus.UNAVAILABLE, "the client was closed")
        n_attempts = len(servers.attempts)
        await asyncio.sleep(1000)
        assert len(servers.attempts) == n_attempts

    run_skipping(main())


def test_kernel_watches_a_tcp_connection_too() -> None:
    """The socket asks by itself; such questions the server's gRPC does not see."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Strict(), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        opened: asyncio.Future[asyncio.Transport] = loop.create_future()

        async def connect(make_protocol: Callable[[], asyncio.Protocol]) -> tuple[Any, Any]:
            transport, protocol = await loop.create_connection(make_protocol, "127.0.0.1", port)
            opened.set_result(transport)
            return transport, protocol

        channel = GrpcChannel(connect, "x")
        ended = begin(channel)
        ours = (await opened).get_extra_info("socket")
        assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        if hasattr(socket, "TCP_KEEPIDLE"):
            assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 10
        channel.close()
        await ended
        server.close()
        await server.wait_closed()

    asyncio.run(main())


def test_grpcios_options_for_signs_of_life_and_reconnection_have_their_meaning() -> None:
    """Their numbers are milliseconds; 0 pings without data means no limit."""
    service = '{"methodConfig": [{"name": [{}], "waitForReady": true}]}'
    given = {
        "grpc.http2.max_pings_without_data": 0,
        "grpc.initial_reconnect_backoff_ms": 500,
        "grpc.max_reconnect_backoff_ms": 3000,
        "grpc.service_config": service,
    }
    options, _ = read_channel_options(ClientOptions(grpc_channel_options=given))
    assert (options.max_pings_without_data, options.first_backoff_s, options.max_backoff_s) == (None, 0.5, 3.0)
    assert options.waits_for_ready
    assert not read_channel_options(ClientOptions(grpc_channel_options={"grpc.service_config": "{}"}))[0].waits_for_ready


@pytest.mark.parametrize("value", ["{", "[]", '{"methodConfig": [1]}', 5])
def test_service_config_that_is_none_is_refused(value: object) -> None:
    """With what it must be."""
    with pytest.raises(ConfigError, match=r"grpc\.service_config must be a JSON object"):
        read_channel_options(ClientOptions(grpc_channel_options={"grpc.service_config": value}))
