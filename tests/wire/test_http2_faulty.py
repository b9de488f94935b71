"""Faulty peers of both roles: what lies between frames, and what happens over many of them."""

from __future__ import annotations

from jina.wire import hpack, http2
from jina.wire import http2_frames as frames
from tests.wire.clauses import peers
from tests.wire.clauses.peers import BLOCK, END, END_HEADERS, HELLO, REQUEST, data, frame, headers


def test_blocks_longer_than_a_frame_are_sent_and_read_in_parts() -> None:
    """CONTINUATION frames go out where a block is larger than the peer's frames, and are joined again."""
    client, server = peers.client(0), peers.server()
    long = (*REQUEST, *((f"x-{n}", "v" * 2000) for n in range(25)))
    client.send_headers(client.start(), hpack.encode(long))
    (event,) = server.receive(HELLO + client.take_output())
    assert event[1].head == long


def test_varying_blocks_are_read_whatever_the_memory() -> None:
    """Callers whose blocks vary are read right, whether old blocks are forgotten or none is remembered."""
    for max_blocks in (0, 2):
        server = peers.server(max_blocks=max_blocks)
        server.receive(HELLO)
        for n in range(20):
            block = BLOCK + hpack.encode_field("x-n", str(n % 10 // 2 if n < 10 else n))
            (event,) = server.receive(frame(frames.HEADERS, END_HEADERS, 2 * n + 1, block))
            assert hpack.encode(event[1].head) == block


def test_calls_begun_after_the_end_of_draining_are_ignored() -> None:
    """The client has been told the last stream; what it began later it will send elsewhere."""
    server = peers.server()
    server.receive(HELLO + headers(1))
    server.goaway()
    server.goaway()
    ping = server.take_output()[-17:]
    assert server.receive(ping[:4] + b"\1" + ping[5:]) == []
    assert server.receive(headers(3) + data(3, b"", END)) == []
    assert not server.is_drained
    server.reset(1, frames.CANCEL)
    assert server.is_drained


def test_streams_that_were_reset_are_remembered_up_to_a_number() -> None:
    """What comes late for as many as the peer can have under way is ignored; for older ones it is a fault."""
    server = peers.server()
    server.receive(HELLO)
    for number in range(1, 4105, 2):
        server.receive(frame(frames.HEADERS, END_HEADERS, number, BLOCK), number)
        server.receive(frames.rst_stream(number, frames.CANCEL), number + 1)
    assert server.receive(frame(frames.DATA, 0, 4001, b"x")) == []
    assert not server.is_closed
    server.receive(frame(frames.DATA, 0, 1, b"x"))
    assert server.is_closed


def test_window_that_settings_have_shut_lets_no_frame_out() -> None:
    """Not an empty one either, once the connection's window opens."""
    server = peers.server()
    (event,) = server.receive(HELLO + headers(1))
    server.send_data(event[1], (bytes(frames.DEFAULT_WINDOW),))
    server.receive(frames.window_update(1, 100))
    server.send_data(event[1], (b"more",))
    server.receive(frames.settings({frames.INITIAL_WINDOW_SIZE: 0}))
    server.take_output()
    server.receive(frames.window_update(0, 1000))
    assert server.take_output() == b""
    server.receive(frames.window_update(1, frames.DEFAULT_WINDOW))
    assert server.take_output()[9:] == b"more"


def test_resets_that_cross_are_no_flood() -> None:
    """A server that answers before the request has come to its end says so with a reset, and hears one for it."""
    server = peers.server(max_resets=10)
    server.receive(HELLO)
    for number in range(1, 101, 2):
        (event,) = server.receive(frame(frames.HEADERS, END_HEADERS, number, BLOCK))
        server.send_headers(event[1], b"\x88", is_end=True)
        assert server.receive(frames.rst_stream(number, frames.CANCEL)) == []
    assert not server.is_closed


def test_client_whose_calls_all_break_off_keeps_its_connection() -> None:
    """However many there are: thousands that it cancels while their answers are under way, and thousands that the server resets."""
    client = peers.client(0, max_resets=10)
    client.receive(frames.settings({frames.MAX_CONCURRENT_STREAMS: 1 << 20}))
    numbers = [client.begin(BLOCK, (b"x",), 1).number for _ in range(5000)]
    for number in numbers:
        client.reset(number, frames.CANCEL)
    for number in numbers:
        client.receive(frame(frames.HEADERS, END_HEADERS, number, b"\x88") + frames.rst_stream(number, frames.NO_ERROR))
    for number in [client.begin(BLOCK, (b"x",), 1).number for _ in range(5000)]:
        client.receive(frames.rst_stream(number, frames.REFUSED_STREAM))
    assert not client.is_closed
    assert not client.streams


def test_what_is_sent_on_a_closed_stream_goes_nowhere() -> None:
    """Headers and data for a stream that was reset are dropped."""
    server = peers.server()
    (event,) = server.receive(HELLO + headers(1))
    server.reset(1, frames.CANCEL)
    server.take_output()
    server.send_headers(event[1], b"\x88")
    server.send_data(event[1], (b"x",))
    assert server.take_output() == b""
    assert server.is_writable(event[1])


def test_second_reset_of_a_stream_is_no_fault() -> None:
    """Nor is a body that comes in parts and is as long as content-length says, nor an answer to the drain that comes twice."""
    server = peers.server()
    block = BLOCK + hpack.encode_field("content-length", "4")
    sent = frame(frames.HEADERS, END_HEADERS, 1, block) + data(1) * 2 + data(1, b"", END)
    events = server.receive(HELLO + sent + frames.rst_stream(1, frames.CANCEL) * 2)
    assert [event[0] for event in events] == [http2.HEADERS, http2.DATA, http2.DATA, http2.DATA, http2.RESET]
    server.take_output()
    server.goaway()
    ping = server.take_output()[-17:]
    assert server.receive((ping[:4] + b"\1" + ping[5:]) * 2) == []
    assert server.take_output() == frames.goaway(1, frames.NO_ERROR)
