"""The gRPC front's connections, in memory: slow readers, silent clients, time limits and leaving."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from jina.call import Call, Reply, Status
from jina.codec.messages import header_bytes, write_request
from jina.errors import Code
from jina.fronts.front import Front
from jina.limits import FrontOptions
from jina.transport.memory import join
from jina.wire import grpc
from jina.wire.grpc import ENDED, MESSAGE, UNARY_REPLY
from tests.fronts.grpc_peers import Peer, Slow, connected
from tests.waiting import loop_turns, until

pytestmark = pytest.mark.anyio

_DATA = "/jina.JinaSingleDataRequestRPC/process_single_data"


async def test_a_stream_goes_on_after_its_reader_has_paused() -> None:
    """With `__prefetch__` a full transport stops the stream, and the transport's next breath starts it again."""
    handler, peer = Slow(300_000), Peer()
    handler.may_answer.set()
    front, connection = await connected(handler, peer)
    stream = peer.wire.start(grpc.request_block("/jina.JinaRPC/Call", "x", (("__prefetch__", "4"),)))
    for _ in range(60):
        peer.wire.send_message(stream, b"")
    peer.wire.half_close(stream)
    peer.transport.pause_reading()
    peer.flush()
    await until(lambda: not connection._can_write)
    await loop_turns(200)
    peer.transport.resume_reading()
    await until(lambda: peer.count(ENDED) == 1)
    assert peer.count(MESSAGE) == 60
    peer.transport.close()
    await until(lambda: not front.connections)


@pytest.mark.parametrize("is_silent", [False, True])
async def test_draining_does_not_wait_for_idle_clients(is_silent: bool) -> None:
    """One that says nothing, not even that it has heard, costs a fraction of a second."""
    peer = Peer(is_silent=is_silent)
    front, _ = await connected(Slow(), peer)
    async with asyncio.timeout(20):
        await front.drain()
    await until(lambda: peer.is_closed)


async def test_draining_waits_for_calls_under_way_even_of_a_client_that_says_nothing_more() -> None:
    """The call is answered, then the connection is closed."""
    handler, peer = Slow(10), Peer()
    front, connection = await connected(handler, peer)
    peer.wire.call(grpc.request_block(_DATA, "x"), b"")
    peer.flush()
    await until(lambda: connection.wire.n_streams == 1)
    draining = asyncio.ensure_future(front.drain())
    connection._end_drain()
    await asyncio.sleep(0)
    assert not draining.done()
    handler.may_answer.set()
    async with asyncio.timeout(20):
        await draining
    await until(lambda: peer.count(UNARY_REPLY) == 1)


async def test_a_client_that_does_not_begin_is_cut_off() -> None:
    """`header_timeout_s` counts for the preface."""
    peer = Peer(is_silent=True)
    front, connection = await connected(Slow(), peer, header_timeout_s=5.0)
    now = connection.loop.time()
    connection.tick(now + 1)
    connection.tick(now + 4)
    assert front.connections
    connection.tick(now + 6)
    await until(lambda: not front.connections)


async def test_a_header_block_that_does_not_end_is_cut_off_though_bytes_come() -> None:
    """A client that sends a byte now and then does not hold the connection for ever."""
    peer = Peer()
    front, connection = await connected(Slow(), peer, header_timeout_s=5.0)
    now = connection.loop.time()
    peer.transport.write(b"\x00\x10\x00\x01\x04\x00\x00\x00\x01" + b"\x00")
    await until(lambda: connection.wire.awaits_head)
    connection.tick(now + 1)
    peer.transport.write(b"\x00")
    await asyncio.sleep(0)
    connection.tick(now + 7)
    await until(lambda: not front.connections)


async def test_an_idle_connection_is_told_to_go_and_one_with_a_call_is_not() -> None:
    """`idle_timeout_s` counts from the last byte that came; without it connections stay."""
    handler, peer = Slow(), Peer()
    front, connection = await connected(handler, peer, idle_timeout_s=30.0)
    later = connection.loop.time() + 31
    peer.wire.call(grpc.request_block(_DATA, "x"), b"")
    peer.flush()
    await until(lambda: connection.wire.n_streams == 1)
    connection.tick(later)
    assert not connection.wire._http2.is_going
    handler.may_answer.set()
    await until(lambda: connection.wire.n_streams == 0)
    connection.tick(later)
    await until(lambda: not front.connections and peer.is_closed)
    assert peer.count(grpc.GOAWAY) >= 1


async def test_an_idle_client_that_does_not_hear_is_not_waited_for_when_stopping() -> None:
    """An idle client has long to say that it goes; but not if the front stops meanwhile."""
    peer = Peer()
    front, connection = await connected(Slow(), peer, idle_timeout_s=30.0)
    peer.is_silent = True
    connection.tick(connection.loop.time() + 31)
    async with asyncio.timeout(20):
        await front.drain()


async def test_a_reader_that_takes_nothing_is_cut_off_and_a_slow_one_is_not() -> None:
    """`write_timeout_s` counts from the last byte that left."""
    handler, peer = Slow(3 << 20), Peer()
    handler.may_answer.set()
    front, connection = await connected(handler, peer, write_timeout_s=20.0)
    peer.wire.call(grpc.request_block(_DATA, "x"), b"")
    peer.transport.pause_reading()
    peer.flush()
    await until(lambda: not connection._can_write)
    now = connection.loop.time()
    connection.tick(now)  # the first look tells how much it is
    connection.tick(now + 19)
    assert not connection.transport.is_closing()
    connection.tick(now + 21)
    assert connection.transport.is_closing()
    peer.transport.resume_reading()
    await until(lambda: not front.connections)


async def test_metadata_past_the_options_is_refused() -> None:
    """`max_header_fields` and `max_header_bytes` reach the wire."""
    peer = Peer()
    front, _ = await connected(Slow(), peer, max_header_fields=8)
    peer.wire.start(grpc.request_block(_DATA, "x", tuple((f"a{n}", "b") for n in range(9))))
    peer.flush()
    await until(lambda: peer.count(ENDED) == 1)
    (ended,) = [event for event in peer.events if event[0] == ENDED]
    assert ended[2] == 8
    peer.transport.close()
    await until(lambda: not front.connections)


async def test_what_a_handler_raises_in_a_stream_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The caller hears of an internal error, the log has the traceback."""

    async def broken(call: Call) -> Reply:
        raise ZeroDivisionError("the bug")

    peer = Peer()
    front, _ = await connected(broken, peer)
    stream = peer.wire.start(grpc.request_block("/jina.JinaRPC/Call", "x"))
    peer.wire.send_message(stream, b"")
    peer.flush()
    await until(lambda: peer.count(ENDED) == 1)
    assert "ZeroDivisionError: the bug" in caplog.text
    peer.transport.close()
    await until(lambda: not front.connections)


async def refused(call: Call) -> Reply:
    return Reply(Status(Code.UNAVAILABLE, "no worker is up"))


def no_one(headers: Mapping[str, str]) -> Status:
    return Status(Code.UNAUTHENTICATED, "no key")


_REQUEST = write_request(header_bytes("mine", "/x"), b"")


@pytest.mark.parametrize(
    ("path", "data", "metadata", "options", "expected"),
    [
        (_DATA, _REQUEST, (("x-request-id", "other"),), {}, "mine"),
        ("/jina.JinaRPC/Call", _REQUEST, (), {}, "mine"),
        ("/jina.JinaSingleDocumentRequestRPC/stream_doc", _REQUEST, (), {}, "mine"),
        (_DATA, b"", (("x-request-id", "given"),), {}, "given"),
        (_DATA, b"\xff\xff", (("x-request-id", "given"),), {}, "given"),
        (_DATA, b"\xff\xff", (), {}, None),
        (_DATA, b"\xff\xff", (("x-request-id", "not valid"),), {}, None),
        ("/jina.JinaRPC/Call", b"\xff\xff", (("x-request-id", "given"),), {}, "given"),
        ("/no.Such/Method", b"", (("x-request-id", "given"),), {}, "given"),
        (_DATA, bytes(100), (("x-request-id", "given"),), {"max_message_bytes": 50}, "given"),
        (_DATA, b"", (("x-request-id", "given"),), {"guard": no_one}, "given"),
        ("/jina.JinaRPC/Call", b"", (("x-request-id", "given"),), {"guard": no_one}, "given"),
        ("/jina.JinaInfoRPC/_status", b"", (), {"guard": no_one}, None),
        ("/grpc.health.v1.Health/Check", b"\x0a\x01x", (("x-request-id", "given"),), {}, "given"),
    ],
)
async def test_every_status_says_which_request_it_is_about(
    path: str, data: bytes, metadata: Any, options: dict[str, Any], expected: str | None
) -> None:
    """`x-request-id` among the trailers, as on every HTTP reply; who gave none, or none that is valid, gets one."""
    guard = options.pop("guard", None)
    front = Front(refused, [], guard=guard, options=FrontOptions(**options), protocols=["grpc"])
    peer = Peer()
    join(peer, front.make_protocol())
    stream = peer.wire.start(grpc.request_block(path, "x", metadata))
    peer.wire.send_message(stream, data)
    peer.wire.half_close(stream)
    peer.flush()
    await until(lambda: peer.count(ENDED) == 1)
    (ended,) = [event for event in peer.events if event[0] == ENDED]
    assert ended[2] != 0
    told = [value for name, value in ended[4] if name == "x-request-id"]
    assert len(told) == 1
    assert told == [expected] if expected else len(told[0]) == 32
    peer.transport.close()
    await until(lambda: not front.connections)


async def test_many_health_watchers_cost_no_more_than_one() -> None:
    """The state is looked at once for all of them, and each hears of a change."""
    n_looks, is_up = 0, True

    def look() -> bool:
        nonlocal n_looks
        n_looks += 1
        return is_up

    front = Front(Slow(), [], name="x", is_up=look, protocols=["grpc"])
    peer = Peer()
    join(peer, front.make_protocol())
    for _ in range(100):
        stream = peer.wire.start(grpc.request_block("/grpc.health.v1.Health/Watch", "x"))
        peer.wire.send_message(stream, b"\x0a\x01x")
        peer.wire.half_close(stream)
    peer.flush()
    await until(lambda: peer.count(MESSAGE) == 100)

    async def look_again() -> None:
        front._tick()
        await loop_turns(20)

    await look_again()  # the first time each of them looks
    n_before = n_looks
    for _ in range(3):
        await look_again()
    assert n_looks - n_before < 100
    is_up = False
    front._tick()
    await until(lambda: peer.count(MESSAGE) == 200)
    peer.transport.close()
    await until(lambda: not front.connections and not front.watchers)
