"""Large compressed gRPC messages are unfolded in steps: other callers have their turn meanwhile. Over HTTP/2, and in gRPC-Web."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from jina.call import Call, EndpointInfo, Reply
from jina.codec.messages import header_bytes, write_request
from jina.fronts import turns
from jina.fronts.front import Front
from jina.limits import FrontOptions
from jina.transport.memory import join
from jina.wire import grpc, hpack
from jina.wire.buffered import Buffered
from jina.wire.grpc import ENDED, MESSAGE, UNARY_REPLY
from jina.wire.grpc_messages import compress, framed
from tests.fronts.grpc_peers import Peer
from tests.fronts.listening import listening
from tests.waiting import loop_turns, until

pytestmark = pytest.mark.anyio

DATA, CALL, CHECK = "/jina.JinaSingleDataRequestRPC/process_single_data", "/jina.JinaRPC/Call", "/grpc.health.v1.Health/Check"
MIB = 1 << 20
DOCS = (random.Random(1).randbytes(2000) + bytes((64 << 10) - 2000)) * 320
"""20 MiB that gzip makes 640 kB of."""
REQUEST = write_request(header_bytes("r", "/x"), b"", docs=DOCS)


@pytest.fixture(autouse=True)
def _one_step_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "TURN_S", -1.0)


class Service:
    """Keeps what is called."""

    def __init__(self, limit: int | None = None, **options: Any) -> None:
        self.calls: list[Call] = []
        self.buffered = Buffered(limit)
        given = FrontOptions(**options)
        self.front = Front(
            self, [EndpointInfo("/x", "batch", {}, {}, "A", "A")], options=given, buffered=self.buffered, protocols=["http", "grpc"]
        )

    async def __call__(self, call: Call) -> Reply:
        self.calls.append(call)
        return Reply()

    def peer(self) -> Peer:
        peer = Peer()
        join(peer, self.front.make_protocol())
        return peer

    @contextlib.asynccontextmanager
    async def web(self) -> AsyncIterator[httpx.AsyncClient]:
        async with (
            listening(self.front) as port,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client,
        ):
            yield client


class Growth:
    """How much is held more from one turn of the loop to the next."""

    def __init__(self, buffered: Buffered) -> None:
        self.n_turns = self.most = 0
        self._buffered, self._before, self._is_over = buffered, 0, False
        self._look()

    def _look(self) -> None:
        now = self._buffered.n_bytes
        self.most = max(self.most, now - self._before)
        self.n_turns += now > self._before
        self._before = now
        if not self._is_over:
            asyncio.get_running_loop().call_soon(self._look)

    def stop(self) -> None:
        self._is_over = True


def begin(peer: Peer, path: str, encoding: str, *messages: bytes, is_end: bool = True) -> int:
    stream = peer.wire.start(grpc.request_block(path, "x") + hpack.encode_field("grpc-encoding", encoding), encoding)
    for message in messages:
        peer.wire.send_message(stream, message)
    if is_end:
        peer.wire.half_close(stream)
    peer.flush()
    return stream


def has_ended(peer: Peer, stream: int) -> Callable[[], bool]:
    return lambda: any(event[0] in (UNARY_REPLY, ENDED) and event[1] == stream for event in peer.events)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize("path", [DATA, CALL])
async def test_others_are_answered_while_a_message_is_unfolded(path: str, encoding: str) -> None:
    """Many times; in no turn of the loop more is made than a few mebibytes. The handler gets what was folded."""
    service = Service()
    busy, other = service.peer(), service.peer()
    growth = Growth(service.buffered)
    stream = begin(busy, path, encoding, REQUEST)
    n_answered = 0
    while not service.calls:
        asked = other.wire.call(grpc.request_block(CHECK, "x"), b"")
        other.flush()
        await until(has_ended(other, asked))
        n_answered += 1
    await until(has_ended(busy, stream))
    growth.stop()
    assert bytes(service.calls[0].payload.data) == DOCS
    assert n_answered >= 4
    assert growth.n_turns >= 18
    assert growth.most <= 3 * MIB
    assert service.buffered.n_bytes == 0


async def test_requests_of_a_stream_are_taken_in_their_order() -> None:
    """Small ones wait for the large one that came before them."""
    service = Service()
    peer = service.peer()
    ids = ["a", "large", "b", "c"]
    messages = [write_request(header_bytes(each, "/x"), b"", docs=DOCS if each == "large" else b"") for each in ids]
    stream = begin(peer, CALL, "gzip", *messages)
    await until(has_ended(peer, stream))
    assert [call.request_id for call in service.calls] == ids
    assert peer.count(MESSAGE) == 4
    assert peer.events[-1][2] == 0


@pytest.mark.parametrize("how", ["cancel", "leave", "reset by us", "drain"])
@pytest.mark.parametrize("path", [DATA, CALL])
async def test_a_caller_that_leaves_meanwhile_leaves_nothing_behind(path: str, how: str) -> None:
    """Unfolding ends, nothing is counted any more, no handler is called. A drain waits."""
    service = Service()
    peer = service.peer()
    stream = begin(peer, path, "gzip", REQUEST)
    await until(lambda: service.buffered.n_bytes > 5 * MIB)
    connection = next(iter(service.front.connections))
    if how == "cancel":
        peer.wire.cancel(stream)
        peer.flush()
    elif how == "leave":
        peer.transport.close()
    elif how == "reset by us":
        connection.wire.reset(stream)  # type: ignore[attr-defined]
    else:
        await service.front.drain()
    await until(lambda: service.buffered.n_bytes == 0)
    await loop_turns(50)
    assert len(service.calls) == (how == "drain")
    assert not connection.wire.unfolding  # type: ignore[attr-defined]


async def test_a_deadline_of_a_stream_ends_it_while_a_message_is_unfolded() -> None:
    """Its timer goes off meanwhile."""
    service = Service()
    peer = service.peer()
    stream = begin(peer, CALL, "gzip", REQUEST)
    await until(lambda: service.buffered.n_bytes > 5 * MIB)
    connection = next(iter(service.front.connections))
    connection._calls[stream]._too_late()  # type: ignore[attr-defined]
    await until(has_ended(peer, stream))
    assert (peer.events[-1][2], service.buffered.n_bytes, service.calls) == (4, 0, [])


@pytest.mark.parametrize("path", [DATA, CALL])
async def test_what_passes_the_room_is_refused_on_the_way(path: str) -> None:
    """With a hint when to try again; no more is held than may be."""
    service = Service(8 * MIB)
    peer = service.peer()
    stream = begin(peer, path, "gzip", REQUEST)
    most = 0
    while not has_ended(peer, stream)():
        await asyncio.sleep(0)
        most = max(most, service.buffered.n_bytes)
    _, _, status, text, metadata, _ = peer.events[-1]
    assert (status, "max_buffered_bytes" in text, dict(metadata)["retry-after"]) == (8, True, "1")
    assert 5 * MIB < most <= 8 * MIB
    assert service.buffered.n_bytes == 0


def body(*messages: bytes, encoding: str = "gzip") -> bytes:
    return b"".join(bytes(part) for message in messages for part in framed(message, encoding))


async def post(client: httpx.AsyncClient, path: str, content: bytes, **headers: str) -> httpx.Response:
    return await client.post(path, content=content, headers={"content-type": "application/grpc-web", "grpc-encoding": "gzip"} | headers)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize("path", [DATA, CALL])
async def test_others_are_answered_while_a_message_of_grpc_web_is_unfolded(path: str, encoding: str) -> None:
    """As over HTTP/2."""
    service = Service()
    other = service.peer()
    async with service.web() as client:
        growth = Growth(service.buffered)
        asking = asyncio.ensure_future(post(client, path, body(REQUEST, encoding=encoding), **{"grpc-encoding": encoding}))
        await until(lambda: growth.n_turns > 3)
        asked = other.wire.call(grpc.request_block(CHECK, "x"), b"")
        other.flush()
        await until(has_ended(other, asked))
        assert not service.calls
        response = await asking
        growth.stop()
    assert b"grpc-status: 0" in response.content
    assert bytes(service.calls[0].payload.data) == DOCS
    assert growth.n_turns >= 18
    assert growth.most <= 3 * MIB
    assert service.buffered.n_bytes == 0


async def test_requests_of_a_stream_in_grpc_web_are_taken_in_their_order() -> None:
    """Whichever is large."""
    service = Service()
    ids = ["a", "large", "b"]
    messages = [write_request(header_bytes(each, "/x"), b"", docs=DOCS if each == "large" else b"") for each in ids]
    async with service.web() as client:
        response = await post(client, CALL, body(*messages))
    assert b"grpc-status: 0" in response.content
    assert [call.request_id for call in service.calls] == ids
    assert service.buffered.n_bytes == 0


FAULTS: list[tuple[bytes, dict[str, str], dict[str, int], int]] = [
    (body(REQUEST), {}, {"max_message_bytes": 15 * MIB}, 8),
    (body(REQUEST), {}, {"limit": 8 * MIB}, 8),
    (body(REQUEST), {"grpc-timeout": "1n"}, {}, 4),
    (body(REQUEST) + b"\0\0", {}, {}, 13),
    (b"\1\0\0\x27\x10" + compress(REQUEST, "gzip")[:10_000], {}, {}, 13),
]


@pytest.mark.parametrize(("content", "headers", "options", "status"), FAULTS, ids=["limit", "room", "deadline", "cut message", "cut gzip"])
async def test_faults_of_grpc_web_that_show_late(content: bytes, headers: dict[str, str], options: dict[str, int], status: int) -> None:
    """As over HTTP/2; nothing is left counted."""
    service = Service(**options)
    async with service.web() as client:
        response = await post(client, DATA, content, **headers)
    assert b"grpc-status: %d" % status in response.content
    assert (service.calls, service.buffered.n_bytes) == ([], 0)


async def test_a_caller_of_grpc_web_that_leaves_meanwhile_leaves_nothing_behind() -> None:
    """What was unfolded is not counted any more."""
    service = Service()
    async with service.web() as client:
        asking = asyncio.ensure_future(post(client, DATA, body(REQUEST)))
        await until(lambda: service.buffered.n_bytes > 5 * MIB)
        asking.cancel()
        await until(lambda: service.buffered.n_bytes == 0)
    assert not service.calls
