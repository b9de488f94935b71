"""`max_buffered_bytes` over HTTP: what all connections hold together is bounded, and everything counted is given back."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from jina.call import Call, EndpointInfo, Item, Payload, Reply
from jina.fronts.front import Front
from jina.fronts.http1_connection import Http1Connection
from jina.limits import FrontOptions
from jina.transport.memory import join
from jina.wire.buffered import Buffered
from tests.fronts.http1_peer import Http1
from tests.waiting import loop_turns, until

pytestmark = pytest.mark.anyio

KIB = 1 << 10


class Handler:
    """Answers with `size` bytes of text, once it is let."""

    def __init__(self, size: int = 10) -> None:
        self.size, self.may_answer = size, asyncio.Event()
        self.calls: list[Call] = []

    async def __call__(self, call: Call) -> Reply:
        self.calls.append(call)
        await self.may_answer.wait()
        data = b'["%b"]' % (b"x" * self.size)
        return Reply(items=items(data)) if call.is_stream else Reply(payload=Payload(data))


async def items(data: bytes) -> Any:
    yield Item(Payload(data))
    yield Item(Payload(data))


class Service:
    def __init__(self, limit: int, size: int = 10, **options: Any) -> None:
        self.handler, self.buffered = Handler(size), Buffered(limit)
        infos = [EndpointInfo("/echo", "batch"), EndpointInfo("/tell", "stream")]
        self.front = Front(self.handler, infos, options=FrontOptions(**options), buffered=self.buffered, protocols=["http"])

    def caller(self, data: bytes) -> tuple[Http1, Http1Connection]:
        caller, connection = Http1(), Http1Connection(self.front)
        join(caller, connection)
        caller.transport.write(data)
        return caller, connection


def post(size: int, *, sent: int | None = None, path: bytes = b"/echo") -> bytes:
    body = b'{"data":["%b"]}' % (b"x" * size)
    return b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (path, len(body), body[:sent])


async def test_the_body_that_passes_the_bound_is_refused_and_the_others_go_on() -> None:
    """503 with Retry-After; those that were held are answered, and then there is room again."""
    service = Service(250 * KIB)
    first, _ = service.caller(post(100 * KIB))
    second, _ = service.caller(post(100 * KIB))
    await until(lambda: len(service.handler.calls) == 2)
    third, _ = service.caller(post(100 * KIB))
    small, _ = service.caller(post(10))
    await until(lambda: third.status == 503 and len(service.handler.calls) == 3)
    assert b"retry-after: 1\r\n" in third.received
    assert "max_buffered_bytes" in json.loads(third.received.partition(b"\r\n\r\n")[2])["detail"]
    service.handler.may_answer.set()
    await until(lambda: [each.status for each in (first, second, small)] == [200, 200, 200])
    assert service.buffered.n_bytes == 0
    fourth, _ = service.caller(post(100 * KIB))
    await until(lambda: fourth.status == 200)


async def test_a_body_that_has_not_come_whole_counts_until_its_caller_leaves() -> None:
    """What is announced does not count, what has come does."""
    service = Service(250 * KIB)
    halves = [service.caller(post(120 * KIB, sent=100 * KIB))[0] for _ in range(2)]
    await until(lambda: service.buffered.n_bytes == 200 * KIB)
    late, _ = service.caller(post(100 * KIB))
    await until(lambda: late.status == 503)
    for each in halves:
        each.transport.close()
    await until(lambda: service.buffered.n_bytes == 0)


async def test_a_caller_that_leaves_gives_back_what_its_call_held() -> None:
    """Also what waits behind it on the same connection."""
    service = Service(1000 * KIB)
    caller, _ = service.caller(post(100 * KIB) * 3)
    await until(lambda: len(service.handler.calls) == 1 and service.buffered.n_bytes > 300 * KIB)
    caller.transport.close()
    await until(lambda: service.buffered.n_bytes == 0)


async def test_a_reply_that_nobody_takes_counts_until_it_has_left() -> None:
    """Up to the bound; the reply that would pass it is a 503 instead."""
    service = Service(5000 * KIB, 2000 * KIB)
    service.handler.may_answer.set()
    slow = []
    for _ in range(3):
        caller, _ = service.caller(b"")
        caller.transport.pause_reading()
        caller.transport.write(post(10))
        slow.append(caller)
    await until(lambda: len(service.handler.calls) == 3)
    await loop_turns(20)
    assert 4000 * KIB < service.buffered.n_bytes < 5000 * KIB
    for each in slow:
        each.transport.resume_reading()
    await until(lambda: sorted(each.status for each in slow) == [200, 200, 503])
    await until(lambda: service.buffered.n_bytes == 0)


async def test_a_slow_reader_that_is_cut_off_gives_back_its_reply() -> None:
    """The write timeout ends it."""
    service = Service(5000 * KIB, 2000 * KIB, write_timeout_s=5.0)
    service.handler.may_answer.set()
    caller, connection = service.caller(b"")
    caller.transport.pause_reading()
    caller.transport.write(post(10))
    await until(lambda: service.buffered.n_bytes > 2000 * KIB)
    now = asyncio.get_running_loop().time()
    connection.tick(now + 1)
    connection.tick(now + 7)
    await until(lambda: service.buffered.n_bytes == 0 and not service.front.connections)


async def test_an_item_of_a_stream_that_passes_the_bound_ends_the_stream_with_an_error() -> None:
    """The last event says why."""
    service = Service(500 * KIB, 400 * KIB)
    service.handler.may_answer.set()
    service.buffered.take(150 * KIB)
    caller, _ = service.caller(b"POST /tell HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
    await until(lambda: caller.received.endswith(b"0\r\n\r\n"))
    assert b"event: error" in caller.received
    assert b"max_buffered_bytes" in caller.received
    assert service.buffered.n_bytes == 150 * KIB
