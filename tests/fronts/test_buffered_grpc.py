"""`max_buffered_bytes` over gRPC: what all connections hold together is bounded, and everything counted is given back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from jina.call import Call, Item, Payload, Reply
from jina.codec.messages import header_bytes, write_document_request, write_request
from jina.fronts.front import Front
from jina.fronts.http2_connection import Http2Connection
from jina.transport.memory import join
from jina.wire import grpc
from jina.wire.buffered import Buffered
from jina.wire.grpc import ENDED, MESSAGE, UNARY_REPLY
from tests.fronts.grpc_peers import Peer, Slow
from tests.waiting import loop_turns, until

pytestmark = pytest.mark.anyio

_UNARY, _STREAM_DOC = "/jina.JinaSingleDataRequestRPC/process_single_data", "/jina.JinaSingleDocumentRequestRPC/stream_doc"
_CALL = "/jina.JinaRPC/Call"
KIB = 1 << 10


class Service:
    def __init__(self, limit: int, handler: Any) -> None:
        self.handler, self.buffered = handler, Buffered(limit)
        self.front = Front(handler, [], buffered=self.buffered, protocols=["grpc"])

    def peer(self) -> tuple[Peer, Http2Connection]:
        peer, connection = Peer(), Http2Connection(self.front)
        join(peer, connection)
        return peer, connection


def message(size: int) -> bytes:
    return write_request(header_bytes("r", "/x"), b"", docs=bytes(size))


def ended(peer: Peer, stream: int) -> tuple[Any, ...] | None:
    return next((event for event in peer.events if event[:2] == (ENDED, stream)), None)


@pytest.mark.parametrize("path", [_UNARY, _CALL])
@pytest.mark.parametrize("size", [100 * KIB, 3000 * KIB])
async def test_the_message_that_passes_the_bound_is_refused_and_the_others_go_on(path: str, size: int) -> None:
    """RESOURCE_EXHAUSTED with a hint when to retry; whether it came in one read or in pieces; then there is room again."""
    service = Service(2 * size + size // 2, Slow(10))
    peer, connection = service.peer()
    held = []
    for _ in range(2):
        stream = peer.wire.start(grpc.request_block(path, "x"))
        peer.wire.send_message(stream, message(size))
        peer.wire.half_close(stream)
        held.append(stream)
    peer.flush()
    await until(lambda: service.buffered.n_bytes > 2 * size)
    other, _ = service.peer()
    third = other.wire.start(grpc.request_block(path, "x"))
    other.wire.send_message(third, message(size))
    other.wire.half_close(third)
    small = other.wire.call(grpc.request_block(_UNARY, "x"), message(10))
    other.flush()
    await until(lambda: ended(other, third) is not None)
    _, _, status, text, metadata, _ = ended(other, third) or ()
    assert (status, "max_buffered_bytes" in text) == (8, True)
    assert dict(metadata)["retry-after"] == "1"
    service.handler.may_answer.set()
    await until(lambda: {event[1] for event in peer.events if event[0] in (UNARY_REPLY, ENDED)} >= set(held))
    await until(lambda: any(event[:2] == (UNARY_REPLY, small) for event in other.events))
    assert (service.buffered.n_bytes, connection.wire.n_streams) == (0, 0)
    again = other.wire.call(grpc.request_block(_UNARY, "x"), message(size))
    other.flush()
    await until(lambda: any(event[:2] == (UNARY_REPLY, again) for event in other.events))


@pytest.mark.parametrize("how", ["cancel", "leave", "reset by us"])
async def test_what_half_a_message_holds_goes_with_its_call(how: str) -> None:
    """However the call ends."""
    service = Service(1000 * KIB, Slow())
    peer, connection = service.peer()
    stream = peer.wire.start(grpc.request_block(_UNARY, "x"))
    peer.wire._http2.send_data(peer.wire._streams[stream], (b"\0" + (800 * KIB).to_bytes(4, "big"), bytes(500 * KIB)))
    peer.flush()
    await until(lambda: service.buffered.n_bytes == 500 * KIB + 5)
    if how == "cancel":
        peer.wire.cancel(stream)
        peer.flush()
    elif how == "leave":
        peer.transport.close()
    else:
        connection.wire.reset(stream)
    await until(lambda: service.buffered.n_bytes == 0)


async def test_a_message_and_the_reset_of_its_call_in_one_read_leave_nothing_counted() -> None:
    """The events are told after the stream is gone."""
    service = Service(1000 * KIB, Slow())
    peer, connection = service.peer()
    stream = peer.wire.start(grpc.request_block(_UNARY, "x"))
    peer.wire._http2.send_data(peer.wire._streams[stream], (b"\0" + (800 * KIB).to_bytes(4, "big"), bytes(50 * KIB)))
    peer.wire.cancel(stream)
    peer.flush()
    await until(lambda: connection.wire._http2._last_peer == stream)
    assert (service.buffered.n_bytes, connection.wire.n_streams) == (0, 0)


async def test_a_reply_that_nobody_takes_counts_and_the_one_that_passes_the_bound_is_refused() -> None:
    """Whether windows or the socket stop it."""
    service = Service(2500 * KIB, Slow(1000 * KIB))
    service.handler.may_answer.set()
    peers = [service.peer() for _ in range(3)]
    for peer, _ in peers:
        peer.flush()
        stream = peer.wire.start(grpc.request_block(_UNARY, "x"))
        peer.wire.pause(stream)
        peer.wire._http2._out.append(b"\0\0\6\4\0\0\0\0\0" + b"\0\4\0\0\0\0")  # INITIAL_WINDOW_SIZE 0
        peer.wire.send_message(stream, message(10))
        peer.wire.half_close(stream)
        peer.flush()
    await until(lambda: sum(peer.count(ENDED) for peer, _ in peers) == 1)
    assert 2000 * KIB <= service.buffered.n_bytes <= 2010 * KIB
    assert [event[2] for peer, _ in peers for event in peer.events if event[0] == ENDED] == [8]
    for peer, _ in peers:
        peer.transport.close()
    await until(lambda: service.buffered.n_bytes == 0)


async def test_what_waits_in_a_full_socket_counts() -> None:
    """It is counted while the transport cannot write, and not after."""
    service = Service(5000 * KIB, Slow(1500 * KIB))
    service.handler.may_answer.set()
    peer, connection = service.peer()
    peer.transport.pause_reading()
    streams = [peer.wire.call(grpc.request_block(_UNARY, "x"), message(10)) for _ in range(4)]
    peer.flush()
    await until(lambda: not connection._tasks and connection.wire.n_streams < 4 and not connection._can_write)
    assert 3000 * KIB < service.buffered.n_bytes <= 5000 * KIB
    peer.transport.resume_reading()
    await until(lambda: sum(event[0] in (UNARY_REPLY, ENDED) for event in peer.events) == len(streams))
    assert peer.count(ENDED) >= 1
    await until(lambda: service.buffered.n_bytes == 0)


async def test_an_item_that_passes_the_bound_ends_its_stream() -> None:
    """With RESOURCE_EXHAUSTED, after the items before it; its generator is closed."""
    has_ended = []

    async def items() -> AsyncIterator[Item]:
        try:
            yield Item(Payload(bytes(10), "strict"))
            yield Item(Payload(bytes(400 * KIB), "strict"))
            yield Item(Payload(bytes(10), "strict"))
        finally:
            has_ended.append(True)

    async def handler(call: Call) -> Reply:
        return Reply(items=items())

    service = Service(300 * KIB, handler)
    peer, _ = service.peer()
    stream = peer.wire.start(grpc.request_block(_STREAM_DOC, "x"))
    peer.wire.send_message(stream, write_document_request(header_bytes("r", "/x"), b"", document=b""))
    peer.wire.half_close(stream)
    peer.flush()
    await until(lambda: ended(peer, stream) is not None)
    assert peer.count(MESSAGE) == 1
    assert (ended(peer, stream) or ())[2] == 8
    assert (has_ended, service.buffered.n_bytes) == ([True], 0)


@pytest.mark.parametrize("path", [_UNARY, _CALL])
async def test_a_request_makes_room_for_its_reply(path: str) -> None:
    """Once it is answered it is not held any more."""
    service = Service(1000 * KIB, Slow(600 * KIB))
    service.handler.may_answer.set()
    peer, _ = service.peer()
    stream = peer.wire.start(grpc.request_block(path, "x"))
    peer.wire.send_message(stream, message(600 * KIB))
    peer.wire.half_close(stream)
    peer.flush()
    await until(lambda: ended(peer, stream) is not None or peer.count(UNARY_REPLY) == 1)
    assert peer.count(MESSAGE) + peer.count(UNARY_REPLY) == 1
    assert service.buffered.n_bytes == 0


_REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"


@pytest.mark.parametrize("path", [_CALL, _REFLECTION])
async def test_many_small_requests_of_a_reader_that_lets_nothing_in_do_not_pile_up_replies(path: str) -> None:
    """The stream's requests wait, and what waits is counted, however small each of them is."""
    service = Service(3000 * KIB, Slow(15 * KIB))
    service.handler.may_answer.set()
    peer, connection = service.peer()
    stream = peer.wire.start(grpc.request_block(path, "x", (("__prefetch__", "0"),)))
    peer.wire._http2._out.append(b"\0\0\6\4\0\0\0\0\0" + b"\0\4\0\0\0\0")  # INITIAL_WINDOW_SIZE 0
    question = message(10) if path == _CALL else b"\x22\x0cjina.JinaRPC"  # file_containing_symbol
    for _ in range(20_000):
        peer.wire.send_message(stream, question)
    peer.flush()
    await loop_turns(2000)
    assert connection.wire.n_buffered_bytes < 4000 * KIB
    assert service.buffered.n_bytes >= connection.wire.n_buffered_bytes
    peer.transport.close()
    await until(lambda: service.buffered.n_bytes == 0)


async def test_reflection_goes_on_after_its_reader_has_paused() -> None:
    """Every question is answered, in order, once there is room."""
    service = Service(10_000 * KIB, Slow())
    peer, _ = service.peer()
    stream = peer.wire.start(grpc.request_block(_REFLECTION, "x"))
    peer.transport.pause_reading()
    for _ in range(300):
        peer.wire.send_message(stream, b"\x22\x0cjina.JinaRPC")
    peer.wire.half_close(stream)
    peer.flush()
    await loop_turns(50)
    peer.transport.resume_reading()
    await until(lambda: ended(peer, stream) is not None)
    assert ((ended(peer, stream) or ())[2], peer.count(MESSAGE), service.buffered.n_bytes) == (0, 300, 0)


@pytest.mark.parametrize("path", [_CALL, _REFLECTION])
async def test_empty_messages_that_wait_are_counted(path: str) -> None:
    """Each costs memory, though it has no bytes."""

    async def never(headers: Any) -> None:
        await asyncio.Event().wait()

    buffered = Buffered(1000 * KIB)
    front = Front(Slow(), [], guard=never, buffered=buffered, protocols=["grpc"])
    peer = Peer()
    join(peer, front.make_protocol())
    stream = peer.wire.start(grpc.request_block(path, "x"))
    for _ in range(50_000):
        peer.wire.send_message(stream, b"")
    peer.flush()
    await until(lambda: ended(peer, stream) is not None)
    assert ((ended(peer, stream) or ())[2], buffered.n_bytes) == (8, 0)


async def test_a_whole_message_whose_call_does_not_end_counts_and_is_given_up() -> None:
    """A method of one message waits for the end of the request: what it holds meanwhile is held, and not for ever."""
    size = 100 * KIB
    service = Service(3 * size, Slow(10))
    peer, connection = service.peer()
    streams = [peer.wire.start(grpc.request_block(_UNARY, "x")) for _ in range(3)]
    for stream in streams:
        peer.wire.send_message(stream, message(size))
    peer.flush()
    await until(lambda: ended(peer, streams[2]) is not None)
    refused = ended(peer, streams[2])
    assert refused is not None
    assert refused[2] == 8
    assert 2 * size <= service.buffered.n_bytes <= 3 * size
    peer.wire.half_close(streams[0])
    peer.flush()
    await until(lambda: connection._tasks != {})
    now = asyncio.get_running_loop().time()
    connection.tick(now)
    connection.tick(now + 61)
    await until(lambda: ended(peer, streams[1]) is not None)
    service.handler.may_answer.set()
    await until(lambda: ended(peer, streams[0]) is not None)
    answered = ended(peer, streams[0])
    assert answered is not None
    assert answered[2] == 0
    await until(lambda: not service.buffered.n_bytes)
    peer.transport.close()
    await until(lambda: not service.front.connections)
