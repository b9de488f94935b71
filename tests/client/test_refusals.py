"""Calls that a server refuses unbegun wait for their turn, and say why when it never comes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from itertools import zip_longest
from typing import Any

import pytest

from jina.client import Client
from jina.transport.grpc_calls import CallEnd, UnaryCall
from jina.transport.grpc_channel import GrpcChannel
from jina.transport.grpc_connection import ChannelOptions
from jina.transport.grpc_slots import Slots
from jina.wire.grpc import CALL_STARTED, UNARY, request_block
from jina.wire.status import GrpcStatus
from tests.client.callers import ALL, texts
from tests.client.executors import Text
from tests.client.fakes import UNARY_PATH, FakeGrpc, FakeGrpcServer, React, echo

REFUSED_STREAM = 7


def settings_of_streams(n_streams: int) -> bytes:
    """A SETTINGS frame that allows so many calls at a time."""
    return bytes.fromhex("000006040000000000" + "0003") + n_streams.to_bytes(4, "big")


def refusing(connection: FakeGrpc, event: tuple[Any, ...]) -> None:
    """Take no call, ever."""
    if event[0] in (UNARY, CALL_STARTED):
        connection.wire.reset(event[1], REFUSED_STREAM)


class Narrow:
    """A server that begins `size` calls at a time and never says so."""

    def __init__(self, size: int) -> None:
        self.size, self.n_now, self.n_refused = size, 0, 0

    def __call__(self, connection: FakeGrpc, event: tuple[Any, ...]) -> None:
        if self.n_now == self.size:
            self.n_refused += 1
            connection.wire.reset(event[1], REFUSED_STREAM)
            return
        self.n_now += 1
        asyncio.get_running_loop().call_later(0.01, self.answer, connection, event)

    def answer(self, connection: FakeGrpc, event: tuple[Any, ...]) -> None:
        self.n_now -= 1
        connection.wire.reply(event[1], event[3])
        connection.flush()


def test_more_calls_than_a_server_takes_wait_for_those_under_way() -> None:
    """Two at a time, unannounced: all forty are answered, and few are sent in vain."""
    server = Narrow(2)
    with Client(open_connection=FakeGrpcServer(server).connect) as client:
        assert len(texts(client, 40, stream=False)) == 40

    assert 0 < server.n_refused < 38 + 60


@pytest.mark.parametrize("stream", [True, False])
def test_call_refused_to_its_deadline_says_what_it_waited_for(stream: bool) -> None:
    """DEADLINE_EXCEEDED, with the refusals as the reason, and not a storm of tries."""
    server = FakeGrpcServer(refusing)
    with (
        Client(open_connection=server.connect) as client,
        pytest.raises(ConnectionError, match=r"Deadline Exceeded; the server has refused the call \d+ times") as caught,
    ):
        texts(client, 1, stream=stream, timeout=0.2)

    error: Any = caught.value
    assert error.code().name == "DEADLINE_EXCEEDED"
    assert 2 <= sum(event[0] in (UNARY, CALL_STARTED) for event in server.events) <= 12


class Stating(FakeGrpcServer):
    """A server that says how many calls at a time it allows: first, and a moment later."""

    def __init__(self, react: React, *allowed: int) -> None:
        super().__init__(react)
        self.allowed = allowed

    def make(self) -> FakeGrpc:
        self.n_connections += 1
        self.connections.append(StatingConnection(self))
        return self.connections[-1]


class StatingConnection(FakeGrpc):
    """One connection of it."""

    server: Stating

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        first, *rest = map(settings_of_streams, self.server.allowed)
        self.transport.write(first)
        for settings in rest:
            asyncio.get_running_loop().call_later(0.02, self.transport.write, settings)


async def ends_of(server: FakeGrpcServer, n_calls: int = 1, *, timeouts_s: Sequence[float | None] = (), **options: Any) -> list[CallEnd]:
    """How so many calls of a channel of its own end."""
    channel = GrpcChannel(server.connect, "here", ChannelOptions(**options))
    ends: list[asyncio.Future[CallEnd]] = [asyncio.get_running_loop().create_future() for _ in range(n_calls)]
    for end, timeout_s in zip_longest(ends, timeouts_s):
        tell = partial(lambda end, message, how: end.set_result(how), end)
        channel.start(UnaryCall(request_block(UNARY_PATH, "here"), b"x", tell, timeout_s=timeout_s))
    async with asyncio.timeout(10):
        found = await asyncio.gather(*ends)
    channel.close()
    return found


def test_server_that_refuses_for_good_fails_the_calls() -> None:
    """UNAVAILABLE, with how often and how long; the pauses between the tries grow."""
    server = FakeGrpcServer(refusing)

    ends = asyncio.run(ends_of(server, 3, max_refused_s=0.1))

    assert {end.status for end in ends} == {GrpcStatus.UNAVAILABLE}
    assert all("here has refused all calls for " in end.message for end in ends)
    assert len(server.events) <= 30


def test_server_that_goes_away_for_good_fails_the_calls() -> None:
    """GOAWAY before any call is begun, on every connection: an end, and not endless connections."""

    def leaving(connection: FakeGrpc, event: tuple[Any, ...]) -> None:
        connection.transport.write(bytes.fromhex("000008070000000000" + "0000000000000000"))
        connection.transport.close()

    server = FakeGrpcServer(leaving)

    [end] = asyncio.run(ends_of(server, max_refused_s=0.1))

    assert end.status == GrpcStatus.UNAVAILABLE
    assert "refused" in end.message
    assert 2 <= server.n_connections <= 12


def test_limit_that_grows_lets_waiting_calls_go() -> None:
    """A server that allows no call yet, and then some."""
    server = Stating(echo, 0, 2)

    assert [end.status for end in asyncio.run(ends_of(server, 5))] == [0] * 5
    assert server.n_connections == 1


def test_call_that_waits_for_the_stated_limit_to_its_deadline_says_so() -> None:
    """Of two calls where one is allowed, the one that was never sent names the limit."""
    server = Stating(lambda connection, event: None, 1)

    first, second = asyncio.run(ends_of(server, 2, timeouts_s=[0.2, 0.05]))

    assert first.message == "Deadline Exceeded"
    assert second.message == "Deadline Exceeded while the call waited for one of the calls that the server allows at a time (1)"


def test_call_whose_connection_is_not_made_in_time_says_so() -> None:
    """The deadline is over before the server's first words."""

    class Mute(FakeGrpcServer):
        def make(self) -> Any:
            return asyncio.Protocol()

    [end] = asyncio.run(ends_of(Mute(echo), timeouts_s=[0.05]))

    assert end.message == "Deadline Exceeded while the call waited for a connection"


@pytest.mark.parametrize("stream", [True, False])
def test_many_refusals_are_borne(stream: bool) -> None:
    """Seven in a row, then the server takes calls: nobody hears of it."""
    n_refused = 0

    def reluctant(connection: FakeGrpc, event: tuple[Any, ...]) -> None:
        nonlocal n_refused
        if event[0] in (UNARY, CALL_STARTED) and n_refused < 7:
            n_refused += 1
            connection.wire.reset(event[1], REFUSED_STREAM)
        else:
            echo(connection, event)

    with Client(open_connection=FakeGrpcServer(reluctant).connect) as client:
        assert texts(client, stream=stream) == ALL
    assert n_refused == 7


def test_refused_stream_of_documents_is_begun_again() -> None:
    """`stream_doc` waits like other calls, as nothing of it was begun."""
    n_refused = 0

    def reluctant(connection: FakeGrpc, event: tuple[Any, ...]) -> None:
        nonlocal n_refused
        if event[0] in (UNARY, CALL_STARTED) and n_refused < 3:
            n_refused += 1
            connection.wire.reset(event[1], REFUSED_STREAM)
        else:
            echo(connection, event)

    with Client(open_connection=FakeGrpcServer(reluctant).connect) as client:
        assert [doc.text for doc in client.stream_doc("/x", Text(text="a"), return_type=Text)] == ["a"]
    assert n_refused == 3


def test_limit_is_what_was_kept_and_grows_by_one_a_round() -> None:
    """Of ten calls four were kept: four slots, and five after four answers."""
    slots = Slots()
    slots.refused(4, now_s=1.0)

    assert not slots.has_room(4, now_s=1.0)
    assert not slots.has_room(3, now_s=1.0)
    slots.answered(4)
    assert slots.has_room(4, now_s=1.0)
    assert not slots.has_room(5, now_s=1.0)


def test_pause_after_refusals_grows_to_two_seconds() -> None:
    """Each round waits up to twice as long as the one before, never less than half of that."""
    slots, now_s, pauses = Slots(), 0.0, []
    for _ in range(12):
        slots.refused(0, now_s)
        slots.refused(0, now_s)
        pauses.append(slots.opens_s - now_s)
        assert not slots.has_room(0, now_s)
        now_s = slots.opens_s
        assert slots.has_room(0, now_s)

    assert all(0.005 * 2**n <= pause <= 0.01 * 2**n for n, pause in enumerate(pauses[:8]))
    assert all(1.0 <= pause <= 2.0 for pause in pauses[8:])
