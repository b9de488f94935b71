"""The hop between a front and a worker, both ends in this process, over a real Unix socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from jina import Executor, requests
from jina.call import Call, Payload
from jina.docs import BaseDoc, DocList
from jina.errors import Code, MalformedError
from jina.runtime.hop_server import HopServer
from jina.runtime.local import Local
from jina.runtime.replicas import Replicas
from jina.runtime.work import LoopOutlet
from jina.transport.hop import HopChannel, HopError, connect
from jina.transport.hop_messages import read_items, read_reply, write_call
from jina.wire.buffered import Buffered
from tests.transport.delivering import deliver_all
from tests.waiting import until

pytestmark = pytest.mark.anyio


class Word(BaseDoc):
    text: str = ""


class Says(Executor):
    @requests(on="/say")
    def say(self, docs: DocList[Word], **kwargs: Any) -> DocList[Word]:
        return docs

    @requests(on="/large")
    async def large(self, docs: DocList[Word], **kwargs: Any) -> DocList[Word]:
        await asyncio.sleep(0.05)
        return DocList[Word]([Word(text="x" * 3_000_000)])

    @requests(on="/wait")
    async def wait(self, docs: DocList[Word], **kwargs: Any) -> DocList[Word]:
        await asyncio.sleep(0.05)
        return docs

    @requests(on="/for-ever")
    async def for_ever(self, doc: Word, **kwargs: Any) -> AsyncIterator[Word]:
        while True:
            yield doc
            await asyncio.sleep(0.001)

    @requests(on="/never")
    async def never(self, doc: Word, **kwargs: Any) -> AsyncIterator[Word]:
        await asyncio.Event().wait()
        yield doc

    @requests(on="/count")
    def count(self, doc: Word, **kwargs: Any) -> Iterator[Word]:
        yield from (Word(text=str(n)) for n in range(200))


class Joined:
    """Replicas with one worker behind them, and what the connections were."""

    def __init__(self, replicas: Replicas, server: set[HopServer], channel: HopChannel) -> None:
        self.replicas, self.at_worker, self.first = replicas, server, channel


@asynccontextmanager
async def joined(tmp_path: Path, **options: Any) -> AsyncIterator[Joined]:
    loop = asyncio.get_running_loop()
    local = Local(Says(), user_loop=loop, outlet=LoopOutlet(loop, deliver_all))
    connections: set[HopServer] = set()
    server = await loop.create_unix_server(lambda: HopServer(local, connections), str(tmp_path / "s"))
    replicas = Replicas("says")
    channel = await connect("says/rep-0", str(tmp_path / "s"), str(tmp_path / "b"), on_lost=replicas.members.lost, **options)
    replicas.members.add("says/rep-0", channel)
    try:
        yield Joined(replicas, connections, channel)
    finally:
        server.close()
        for connection in list(connections):
            connection._transport.close()
        local.close()
        await asyncio.sleep(0)


def call(endpoint: str, *, is_stream: bool = False, left_s: float | None = None) -> Call:
    deadline = None if left_s is None else asyncio.get_running_loop().time() + left_s
    data = b'{"text":"a"}' if is_stream else b'[{"text":"a"}]'
    return Call(endpoint, Payload(data, "json", is_stream), is_stream=is_stream, deadline=deadline)


async def test_a_worn_connection_is_replaced_and_no_call_notices(tmp_path: Path) -> None:
    """Past the limit a fresh connection takes over; calls and streams that are under way end on the old one, which is then closed."""
    async with joined(tmp_path, renew_at=40) as pair:
        stream = await pair.replicas(call("/count", is_stream=True))
        assert stream.items is not None
        for _ in range(30):
            replies = await asyncio.gather(*(pair.replicas(call("/wait" if n % 2 else "/say")) for n in range(10)))
            assert [reply.status for reply in replies] == [None] * 10
        assert len([item async for item in stream.items]) == 200
        await until(lambda: pair.first.is_lost and len(pair.at_worker) <= 2)
        assert (await pair.replicas(call("/say"))).status is None


async def test_a_worn_connection_that_could_not_be_replaced_is_replaced_later(tmp_path: Path) -> None:
    """A front that was out of file descriptors for a moment does not run out of stream numbers for ever."""
    async with joined(tmp_path, renew_at=3) as pair:
        (tmp_path / "s").rename(tmp_path / "away")
        for _ in range(10):
            assert (await pair.replicas(call("/say"))).status is None
        assert not pair.first.is_lost
        (tmp_path / "away").rename(tmp_path / "s")
        for _ in range(1000):
            assert (await pair.replicas(call("/say"))).status is None
        await until(lambda: pair.first.is_lost)


async def test_all_connections_to_a_dead_replica_are_closed(tmp_path: Path) -> None:
    """The fresh one and the worn one that still has a stream, though the other side holds them open; the stream is told."""
    async with joined(tmp_path, renew_at=3) as pair:
        stream = await pair.replicas(call("/for-ever", is_stream=True))
        assert stream.items is not None
        assert (await pair.replicas(call("/say"))).status is None
        members = pair.replicas.members
        await until(lambda: members.current["says/rep-0"] is not pair.first)
        fresh = members.current["says/rep-0"]
        members.down("says/rep-0")
        await until(lambda: pair.first.is_lost and fresh.is_lost)
        last = [item async for item in stream.items][-1].status
        assert last is not None
        assert last.code is Code.UNAVAILABLE


async def test_calls_whose_time_is_up_while_no_replica_is_up_leave_room_for_others() -> None:
    """Only calls that still wait count."""
    replicas = Replicas("says", max_waiting=1)
    for _ in range(3):
        status = (await replicas(call("/say", left_s=0.01))).status
        assert status is not None
        assert status.code is Code.DEADLINE


async def test_an_unary_call_ends_at_its_deadline(tmp_path: Path) -> None:
    """The worker hears that nobody waits, and nothing of the call stays."""
    async with joined(tmp_path) as pair:
        status = (await pair.replicas(call("/wait", left_s=0.01))).status
        assert status is not None
        assert status.code is Code.DEADLINE
        assert (pair.first.n_in_flight, pair.first.n_bytes_in_flight) == (0, 0)
        assert (await pair.replicas(call("/say"))).status is None


async def test_a_worker_that_drains_gets_no_new_calls_and_answers_those_it_has(tmp_path: Path) -> None:
    """After its GOAWAY the replica counts as gone; the call that it holds is answered, a new one waits for the next replica."""
    async with joined(tmp_path) as pair:
        held = asyncio.ensure_future(pair.replicas(call("/wait")))
        await pair.replicas(call("/say"))
        (connection,) = pair.at_worker
        idle = asyncio.Event()
        connection.begin_drain(idle.set)
        await until(lambda: not pair.replicas.members.is_up)
        late = await pair.replicas(call("/say", left_s=0.05))
        assert late.status is not None
        assert late.status.code is Code.DEADLINE
        assert (await held).status is None
        await idle.wait()


async def test_a_stream_that_is_left_before_its_first_item_is_read_ends_at_the_worker(tmp_path: Path) -> None:
    """As when the caller goes in that very moment: nothing of the call stays."""
    async with joined(tmp_path) as pair:
        reply = await pair.replicas(call("/for-ever", is_stream=True))
        await reply.items.aclose()  # type: ignore[union-attr]
        assert pair.first.n_in_flight == 0
        (connection,) = pair.at_worker
        await until(lambda: not connection.is_busy)


@pytest.mark.parametrize("endpoint", ["/never", "/for-ever"])
async def test_a_stream_ends_at_its_deadline(tmp_path: Path, endpoint: str) -> None:
    """Whether items come or not: before the first it is a failed call, later the last item says so; the worker stops making."""
    async with joined(tmp_path) as pair:
        reply = await pair.replicas(call(endpoint, is_stream=True, left_s=0.1 if endpoint == "/never" else 1.0))
        last = reply.status if reply.items is None else [item async for item in reply.items][-1].status
        assert last is not None
        assert last.code is Code.DEADLINE
        assert (reply.items is None) == (endpoint == "/never")
        assert pair.first.n_in_flight == 0


@pytest.mark.parametrize("endpoint", ["/count", "/never"])
async def test_a_stream_whose_time_was_up_before_it_began_says_so(tmp_path: Path, endpoint: str) -> None:
    """One item with the status and then the end, so that the connection goes on."""
    async with joined(tmp_path) as pair:
        stream = pair.first.stream(write_call(call(endpoint, is_stream=True, left_s=-1)), read_items)
        item = await stream.next()
        assert item is not None
        assert item.status is not None
        assert (item.status.code, await stream.next()) == (Code.DEADLINE, None)
        assert (await pair.replicas(call("/say"))).status is None


async def test_a_message_that_cannot_be_read_fails_its_stream_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The connection, and whatever else is on it, lives on; the log tells."""
    async with joined(tmp_path) as pair:
        held = asyncio.ensure_future(pair.replicas(call("/wait")))
        stream = pair.first.stream(write_call(call("/count", is_stream=True)), lambda message: read_items(message[1:]))
        with pytest.raises(HopError, match="cannot be read"):
            await stream.next()
        assert (await held).status is None
        assert not pair.first.is_lost
    assert "cannot be read" in caplog.text


@pytest.mark.parametrize("message", [b"", b"abc", b"\x05\x00\x00\x00", b"\xff\xff\xff\xff"])
def test_what_is_no_message_of_the_hop_is_malformed(message: bytes) -> None:
    """Whatever is read of it, the failure has one class."""
    with pytest.raises(MalformedError):
        read_reply(message)
    if message:
        with pytest.raises(MalformedError):
            read_items(message)


async def test_replies_that_there_is_no_room_for_are_refused_while_they_come(tmp_path: Path) -> None:
    """Many large replies come beside each other, a frame of each in turn: what has come of them counts, and the bound holds."""
    buffered = Buffered(8 << 20)
    async with joined(tmp_path, buffered=buffered) as pair:
        replies = await asyncio.gather(*(pair.replicas(call("/large")) for _ in range(50)))
        codes = [None if reply.status is None else reply.status.code for reply in replies]
        assert set(codes) == {None, Code.OVERLOADED}
        assert buffered.n_bytes == 0
        assert (await pair.replicas(call("/large"))).status is None
