"""gRPC streams on which nothing moves: they end, and what they held is given back; slow ones are waited for."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from jina.call import Call, Item, Payload, Reply
from jina.codec.messages import header_bytes, write_document_request
from jina.wire import grpc
from jina.wire.grpc import ENDED, MESSAGE
from jina.wire.http2_frames import window_update
from jina.wire.http2_limits import Http2Limits
from tests.fronts.grpc_peers import Peer, Slow, connected
from tests.waiting import until

pytestmark = pytest.mark.anyio

_UNARY, _STREAM_DOC = "/jina.JinaSingleDataRequestRPC/process_single_data", "/jina.JinaSingleDocumentRequestRPC/stream_doc"
_CALL = "/jina.JinaRPC/Call"
_REQUEST = write_document_request(header_bytes("r", "/stream"), b"", document=b"")
_SHUT = Http2Limits(stream_window_bytes=100_000, connection_window_bytes=1 << 20)


class ShutPeer(Peer):
    """A client that gives no window back unless it is told to."""

    def __init__(self, limits: Http2Limits = _SHUT) -> None:
        super().__init__()
        self.wire = grpc.ClientConnection(limits=limits, max_message_bytes=None)

    def open(self, path: str, message: bytes = b"", *, is_shut: bool = True) -> int:
        stream = self.wire.start(grpc.request_block(path, "x"))
        if is_shut:
            self.wire.pause(stream)
        self.wire.send_message(stream, message)
        self.wire.half_close(stream)
        self.flush()
        return stream

    async def let_in(self, stream: int, n_bytes: int) -> None:
        """Give back that much of a stream's window, which is all used."""
        found = self.wire._http2.streams[stream]
        await until(lambda: found.unread == _SHUT.stream_window_bytes)
        found.held = found.unread - n_bytes
        self.wire._http2._credit(found)
        found.held = 1 << 40
        self.flush()

    async def let_in_for_all(self, n_bytes: int) -> None:
        """Give back that much of the connection's window, which is all used."""
        await until(lambda: self.wire._http2._unread == 100_000)
        self.wire._http2._unread -= n_bytes
        self.wire._http2._out.append(window_update(0, n_bytes))
        self.flush()


class Endless:
    """Streams items for as long as somebody reads."""

    def __init__(self) -> None:
        self.n_made, self.has_ended = 0, False

    async def __call__(self, call: Call) -> Reply:
        return Reply(items=self._items())

    async def _items(self) -> AsyncIterator[Item]:
        try:
            while True:
                self.n_made += 1
                yield Item(Payload(bytes(50_000), "strict"))
        finally:
            self.has_ended = True


async def test_a_reply_that_its_reader_does_not_let_in_is_given_up() -> None:
    """The reader hears CANCELLED after `write_timeout_s`, and nothing of the reply is held any more."""
    handler, peer = Slow(1 << 20), ShutPeer()
    handler.may_answer.set()
    _, connection = await connected(handler, peer, write_timeout_s=20.0)
    peer.open(_UNARY)
    await until(lambda: connection.wire.n_buffered_bytes > 900_000)
    now = connection.loop.time()
    connection.tick(now)
    connection.tick(now + 19)
    assert connection.wire.n_streams == 1
    connection.tick(now + 21)
    assert (connection.wire.n_streams, connection.wire.n_buffered_bytes) == (0, 0)
    await until(lambda: peer.count(ENDED) == 1)
    (ended,) = [event for event in peer.events if event[0] == ENDED]
    assert ended[2] == 1
    assert not peer.is_closed


async def test_a_stream_that_its_reader_does_not_let_in_ends_its_handler() -> None:
    """Its generator is closed, and other calls of the connection go on."""
    handler, peer = Endless(), ShutPeer()
    _, connection = await connected(handler, peer, write_timeout_s=20.0)
    peer.open(_STREAM_DOC, _REQUEST)
    await until(lambda: connection.wire.n_buffered_bytes > 250_000)
    now = connection.loop.time()
    connection.tick(now)
    connection.tick(now + 21)
    await until(lambda: handler.has_ended)
    assert not connection._tasks
    other = peer.open(_STREAM_DOC, _REQUEST, is_shut=False)
    await until(lambda: any(event[:2] == (MESSAGE, other) for event in peer.events))


async def test_a_bidirectional_stream_that_is_not_let_in_ends() -> None:
    """The same for `JinaRPC/Call`."""
    handler, peer = Slow(1 << 20), ShutPeer()
    handler.may_answer.set()
    _, connection = await connected(handler, peer, write_timeout_s=20.0)
    peer.open(_CALL)
    await until(lambda: connection.wire.n_buffered_bytes > 900_000)
    now = connection.loop.time()
    connection.tick(now)
    connection.tick(now + 21)
    assert (connection.wire.n_streams, connection._calls) == (0, {})


async def test_a_reader_that_reads_slowly_is_waited_for() -> None:
    """A little now and then is enough."""
    handler, peer = Slow(1 << 20), ShutPeer()
    handler.may_answer.set()
    _, connection = await connected(handler, peer, write_timeout_s=20.0)
    stream = peer.open(_UNARY)
    await until(lambda: connection.wire.n_buffered_bytes > 900_000)
    now = connection.loop.time()
    held = connection.wire.n_buffered_bytes
    for n in range(1, 6):
        await peer.let_in(stream, 1000)
        await until(lambda n=n: connection.wire.n_buffered_bytes == held - 1000 * n)  # type: ignore[misc]
        connection.tick(now + 15 * n)
    assert connection.wire.n_streams == 1


async def test_a_stream_that_waits_for_its_neighbour_on_a_slow_connection_is_waited_for() -> None:
    """Its own window is open: it is not its fault that its turn has not come."""
    handler, peer = Slow(1 << 20), ShutPeer(Http2Limits(stream_window_bytes=8 << 20, connection_window_bytes=100_000))
    handler.may_answer.set()
    _, connection = await connected(handler, peer, write_timeout_s=20.0)
    peer.wire._http2._credit_at = 1 << 30  # gives back no window of the connection by itself
    for _ in range(3):
        peer.open(_UNARY, is_shut=False)
    await until(lambda: connection.wire.n_buffered_bytes > 2_900_000)
    now = connection.loop.time()
    held = connection.wire.n_buffered_bytes
    for n in range(1, 6):
        await peer.let_in_for_all(1000)
        await until(lambda n=n: connection.wire.n_buffered_bytes == held - 1000 * n)  # type: ignore[misc]
        connection.tick(now + 15 * n)
    assert connection.wire.n_streams == 3
    connection.tick(now + 100)
    assert connection.wire.n_streams == 0


async def test_time_in_which_the_socket_took_nothing_is_not_the_streams_fault() -> None:
    """While we cannot write we do not read either, so the windows that came meanwhile are not known."""
    handler, peer = Slow(3 << 20), ShutPeer(Http2Limits(stream_window_bytes=2 << 20, connection_window_bytes=4 << 20))
    handler.may_answer.set()
    _, connection = await connected(handler, peer, write_timeout_s=20.0)
    peer.transport.pause_reading()
    peer.open(_UNARY)
    await until(lambda: not connection._can_write)
    now = connection.loop.time()
    for n in range(3):
        connection.tick(now + 9 * n)
    peer.transport.resume_reading()
    await until(lambda: connection._can_write)
    connection.tick(now + 21)
    assert connection.wire.n_streams == 1


async def test_a_message_that_does_not_come_to_its_end_is_given_up() -> None:
    """What has come of it is not held for ever."""
    peer = Peer()
    _, connection = await connected(Slow(), peer, write_timeout_s=20.0)
    stream = peer.wire.start(grpc.request_block(_UNARY, "x"))
    found = peer.wire._streams[stream]
    peer.wire._http2.send_data(found, (b"\x00" + (200_000).to_bytes(4, "big"), bytes(50_000)))
    peer.flush()
    await until(lambda: connection.wire.n_buffered_bytes > 50_000)
    now = connection.loop.time()
    connection.tick(now)
    connection.tick(now + 15)
    peer.wire._http2.send_data(found, (bytes(10),))
    peer.flush()
    await until(lambda: connection.wire.n_buffered_bytes > 50_010)
    connection.tick(now + 30)
    assert connection.wire.n_streams == 1
    connection.tick(now + 51)
    assert connection.wire.n_buffered_bytes == 0
    await until(lambda: peer.count(ENDED) == 1)
