"""Faulty peers of both roles: random sequences of frames beside the `h2` library, and faults that it does not know."""

from __future__ import annotations

import h2.config
import h2.connection
import h2.exceptions
from hypothesis import given, settings
from hypothesis import strategies as st

from jina.wire import hpack, http2
from jina.wire import http2_frames as frames
from jina.wire.http2_limits import Limits

REQUEST = ((":method", "POST"), (":scheme", "http"), (":path", "/a"), (":authority", "h"))
BLOCK = hpack.encode(REQUEST)
TRAILERS = hpack.encode((("x-t", "1"),))
HELLO = frames.PREFACE + frames.settings({})
END, END_HEADERS, PADDED, HAS_PRIORITY = frames.END_STREAM, frames.END_HEADERS, frames.PADDED, frames.HAS_PRIORITY
frame = frames.frame
Outcome = tuple[str, tuple[int, ...]]
"""`connection` and the error's code, or `streams` and the numbers of those that were reset."""


def per_stream(n: int) -> dict[str, bytes]:
    return {
        f"HEADERS {n}": frame(frames.HEADERS, END_HEADERS, n, BLOCK),
        f"HEADERS END {n}": frame(frames.HEADERS, END_HEADERS | END, n, BLOCK),
        f"HEADERS begun {n}": frame(frames.HEADERS, END, n, BLOCK[:3]),
        f"CONTINUATION {n}": frame(frames.CONTINUATION, END_HEADERS, n, BLOCK[3:]),
        f"trailers {n}": frame(frames.HEADERS, END_HEADERS | END, n, TRAILERS),
        f"trailers without END {n}": frame(frames.HEADERS, END_HEADERS, n, TRAILERS),
        f"DATA {n}": frame(frames.DATA, 0, n, b"ab"),
        f"DATA END {n}": frame(frames.DATA, END, n),
        f"DATA of padding {n}": frame(frames.DATA, PADDED, n, b"\x05ab"),
        f"RST_STREAM {n}": frames.rst_stream(n, frames.CANCEL),
        f"WINDOW_UPDATE {n}": frames.window_update(n, 5),
        f"WINDOW_UPDATE by 0 {n}": frames.window_update(n, 0),
        f"WINDOW_UPDATE too far {n}": frames.window_update(n, frames.MAX_WINDOW),
        f"PRIORITY {n}": frame(frames.PRIORITY, 0, n, b"\0\0\0\0\1"),
        f"PRIORITY short {n}": frame(frames.PRIORITY, 0, n, b"\0\0\0\0"),
    }


FRAMES = {
    **per_stream(1),
    **per_stream(3),
    "HEADERS 0": frame(frames.HEADERS, END_HEADERS, 0, BLOCK),
    "HEADERS 2": frame(frames.HEADERS, END_HEADERS, 2, BLOCK),
    "HEADERS undecodable": frame(frames.HEADERS, END_HEADERS, 5, b"\x80"),
    "HEADERS upper-case 5": frame(frames.HEADERS, END_HEADERS, 5, BLOCK + b"\0\1A\1b"),
    "HEADERS incomplete 5": frame(frames.HEADERS, END_HEADERS, 5, BLOCK[1:]),
    "CONTINUATION 9": frame(frames.CONTINUATION, END_HEADERS, 9),
    "DATA 0": frame(frames.DATA, 0, 0, b"x"),
    "RST_STREAM 0": frames.rst_stream(0, frames.CANCEL),
    "SETTINGS": frames.settings({4: 70000}),
    "SETTINGS ack": frame(frames.SETTINGS, frames.ACK, 0),
    "SETTINGS of a window too large": frames.settings({4: 1 << 31}),
    "SETTINGS 1": frame(frames.SETTINGS, 0, 1),
    "SETTINGS short": frame(frames.SETTINGS, 0, 0, b"12345"),
    "PING": frame(frames.PING, 0, 0, b"12345678"),
    "PING short": frame(frames.PING, 0, 0, b"1234567"),
    "PING 1": frame(frames.PING, 0, 1, b"12345678"),
    "WINDOW_UPDATE": frames.window_update(0, 5),
    "WINDOW_UPDATE by 0": frames.window_update(0, 0),
    "WINDOW_UPDATE too far": frames.window_update(0, frames.MAX_WINDOW),
    "WINDOW_UPDATE short": frame(frames.WINDOW_UPDATE, 0, 0, b"abc"),
    "PUSH_PROMISE": frame(frames.PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\2" + BLOCK),
    "unknown": frame(0x20, 0xFF, 1, b"zz"),
}

# Where we differ from h2, by the first frame after which we do.
STREAM_ERRORS = ("trailers", "HEADERS", "WINDOW_UPDATE by 0", "PRIORITY short")
"""RFC 9113 (8.1.1, 6.9, 6.3) calls these errors of the stream; h2 ends the connection."""
CONNECTION_ERRORS = ("trailers", "HEADERS", "DATA")
"""Frames after END_STREAM: 5.4.1 allows to end the connection for them, as we do; h2 resets the stream."""
SILENT = ("trailers", "HEADERS", "DATA")
"""What still comes for a stream that the peer reset: h2 resets it again, we ignore it."""


def reset_streams(output: bytes) -> tuple[int, ...]:
    found, at = set(), 0
    while at < len(output):
        size, _, number = frames.HEADER.unpack_from(output, at)
        if size & 0xFF == frames.RST_STREAM:
            found.add(number)
        at += 9 + (size >> 8)
    return tuple(sorted(found))


def connection(*, is_client: bool = False, **limits: int) -> http2.Connection:
    def build(pairs: list[hpack.Field], values: dict[str, str]) -> object:
        return None if values.get(":status") == "103" else tuple(pairs)

    made = http2.Connection(is_client=is_client, limits=Limits(**limits), build_head=build, build_trailers=build)
    made.take_output()
    return made


def ours(sent: bytes) -> Outcome:
    server = connection()
    events = server.receive(HELLO + sent)
    if server.is_closed:
        return "connection", (events[-1][1],)
    return "streams", reset_streams(server.take_output())


def of_h2(names: list[str]) -> Outcome:
    server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    server.initiate_connection()
    server.receive_data(HELLO)
    try:
        for name in names:
            server.receive_data(FRAMES[name])
    except h2.exceptions.ProtocolError as error:
        return "connection", (int(error.error_code),)
    return "streams", reset_streams(server.data_to_send())


def is_known(name: str, own: Outcome, other: Outcome) -> bool:
    """Whether a difference is one of those above."""
    if own[0] == "streams" and other[0] == "connection":
        return name.startswith(STREAM_ERRORS)
    if own == ("connection", (frames.STREAM_CLOSED,)):
        return name.startswith(CONNECTION_ERRORS)
    if own == ("connection", (frames.PROTOCOL_ERROR,)):
        return name.startswith("RST_STREAM")  # of an idle stream (6.4); h2 takes it for a closed one
    return own[0] == other[0] == "streams" and name.startswith(SILENT) and set(own[1]) <= set(other[1])


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(sorted(FRAMES)), min_size=1, max_size=6))
def test_faulty_sequences_end_as_with_h2(names: list[str]) -> None:
    """Both ignore, reset the same streams, or end the connection, at the same frame; where not, it is a difference that we mean."""
    for n in range(1, len(names) + 1):
        own, other = ours(b"".join(FRAMES[name] for name in names[:n])), of_h2(names[:n])
        if own[0] != other[0] or (own[0] == "streams" and own != other):
            assert is_known(names[n - 1], own, other), (names[:n], own, other)
            return


def test_blocks_longer_than_a_frame_are_sent_and_read_in_parts() -> None:
    """CONTINUATION frames go out where a block is larger than the peer's frames, and are joined again."""
    client, server = connection(is_client=True), connection()
    long = (*REQUEST, *((f"x-{n}", "v" * 2000) for n in range(25)))
    client.send_headers(client.start(), hpack.encode(long))
    (event,) = server.receive(HELLO + client.take_output())
    assert event[1].head == long


def test_varying_blocks_are_read_whatever_the_memory() -> None:
    """Callers whose blocks vary are read right, whether old blocks are forgotten or none is remembered."""
    for max_blocks in (0, 2):
        server = connection(max_blocks=max_blocks)
        server.receive(HELLO)
        for n in range(20):
            block = BLOCK + hpack.encode_field("x-n", str(n % 10 // 2 if n < 10 else n))
            (event,) = server.receive(frame(frames.HEADERS, END_HEADERS, 2 * n + 1, block))
            assert hpack.encode(event[1].head) == block


def test_calls_begun_after_the_end_of_draining_are_ignored() -> None:
    """The client has been told the last stream; what it began later it will send elsewhere."""
    server = connection()
    server.receive(HELLO + FRAMES["HEADERS 1"])
    server.goaway()
    server.goaway()
    ping = server.take_output()[-17:]
    assert server.receive(ping[:4] + b"\1" + ping[5:]) == []
    assert server.receive(FRAMES["HEADERS 3"] + FRAMES["DATA END 3"]) == []
    assert not server.is_drained
    server.reset(1, frames.CANCEL)
    assert server.is_drained


def test_streams_that_were_reset_are_remembered_up_to_a_number() -> None:
    """What comes late for as many as the peer can have under way is ignored; for older ones it is a fault."""
    server = connection()
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
    server = connection()
    (event,) = server.receive(HELLO + FRAMES["HEADERS 1"])
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
    server = connection(max_resets=10)
    server.receive(HELLO)
    for number in range(1, 101, 2):
        (event,) = server.receive(frame(frames.HEADERS, END_HEADERS, number, BLOCK))
        server.send_headers(event[1], b"\x88", is_end=True)
        assert server.receive(frames.rst_stream(number, frames.CANCEL)) == []
    assert not server.is_closed


def test_client_whose_calls_all_break_off_keeps_its_connection() -> None:
    """However many there are: thousands that it cancels while their answers are under way, and thousands that the server resets."""
    client = connection(is_client=True, max_resets=10)
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
    server = connection()
    (event,) = server.receive(HELLO + FRAMES["HEADERS 1"])
    server.reset(1, frames.CANCEL)
    server.take_output()
    server.send_headers(event[1], b"\x88")
    server.send_data(event[1], (b"x",))
    assert server.take_output() == b""
    assert server.is_writable(event[1])


def test_second_reset_of_a_stream_is_no_fault() -> None:
    """Nor is a body that comes in parts and is as long as content-length says, nor an answer to the drain that comes twice."""
    server = connection()
    block = BLOCK + hpack.encode_field("content-length", "4")
    sent = frame(frames.HEADERS, END_HEADERS, 1, block) + FRAMES["DATA 1"] * 2 + FRAMES["DATA END 1"]
    events = server.receive(HELLO + sent + FRAMES["RST_STREAM 1"] * 2)
    assert [event[0] for event in events] == [http2.HEADERS, http2.DATA, http2.DATA, http2.DATA, http2.RESET]
    server.take_output()
    server.goaway()
    ping = server.take_output()[-17:]
    assert server.receive((ping[:4] + b"\1" + ping[5:]) * 2) == []
    assert server.take_output() == frames.goaway(1, frames.NO_ERROR)
