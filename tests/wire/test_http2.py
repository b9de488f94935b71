"""HTTP/2 against the `h2` library, and against what a peer may try."""

from __future__ import annotations

from typing import Any

import h2.config
import h2.connection
import h2.events
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jina.wire import hpack, http2
from jina.wire import http2_frames as frames
from jina.wire.http2_limits import Http2Limits

REQUEST = [(":method", "POST"), (":scheme", "http"), (":path", "/a"), (":authority", "h"), ("content-type", "application/grpc")]
BLOCK = hpack.encode(REQUEST)
HELLO = frames.PREFACE + frames.settings({})


def server(**limits: int) -> http2.Connection:
    connection = http2.Connection(
        is_client=False,
        limits=Http2Limits(**limits),
        build_head=lambda fields, _: tuple(fields),
        build_trailers=lambda fields, _: tuple(fields),
    )
    connection.take_output()
    return connection


def headers(stream: int = 1, flags: int = frames.END_HEADERS, block: bytes = BLOCK) -> bytes:
    return frames.frame(frames.HEADERS, flags, stream, block)


def data(stream: int, payload: bytes, flags: int = 0) -> bytes:
    return frames.frame(frames.DATA, flags, stream, payload)


def outcome(sent: bytes, **limits: int) -> tuple[str, int] | None:
    """Say what a server makes of bytes after the greeting: the connection's error, a stream's, or nothing."""
    connection = server(**limits)
    events = connection.receive(HELLO + sent)
    for event in events:
        if event[0] == http2.CLOSED:
            return "connection", event[1]
        if event[0] == http2.RESET and event[3]:
            return "stream", event[2]
    return None


END = frames.END_STREAM
FLOODS: list[tuple[str, bytes, dict[str, int]]] = [
    ("resets", b"".join(headers(n) + frames.rst_stream(n, 8) for n in range(1, 60, 2)), {"max_resets": 20}),
    ("pings", frames.frame(frames.PING, 0, 0, b"12345678") * 21, {"max_pings": 20}),
    ("answers to pings that nobody sent", frames.frame(frames.PING, frames.ACK, 0, b"12345678") * 21, {"max_pings": 20}),
    ("acknowledgements of settings", frames.frame(frames.SETTINGS, frames.ACK, 0) * 22, {"max_settings": 20}),
    ("settings", frames.settings({}) * 21, {"max_settings": 20}),
    ("empty DATA", headers() + data(1, b"") * 21, {"max_empty_frames": 20}),
    ("small WINDOW_UPDATE", headers() + frames.window_update(1, 1) * 25, {"max_empty_frames": 20}),
    ("CONTINUATION", headers(flags=0, block=b"") + frames.frame(frames.CONTINUATION, 0, 1) * 21, {"max_continuations": 20}),
    ("header bomb", headers(block=BLOCK + b"\x82" * 500), {}),
]


@pytest.mark.parametrize(("sent", "limits"), [pytest.param(sent, limits, id=name) for name, sent, limits in FLOODS])
def test_flood_ends_the_connection(sent: bytes, limits: dict[str, int]) -> None:
    """Past its cap each flood gets ENHANCE_YOUR_CALM."""
    assert outcome(sent, **limits) == ("connection", frames.ENHANCE_YOUR_CALM)


def test_reader_of_small_messages_may_answer_each_one() -> None:
    """grpcio gives windows back message by message, and grpc-go measures each with a PING: no flood as long as we send."""
    connection = server(max_pings=20, max_empty_frames=20)
    (event,) = connection.receive(HELLO + headers())
    stream = event[1]
    connection.send_headers(stream, b"\x88")
    for _ in range(300):
        connection.send_data(stream, (b"token",))
        answer = frames.window_update(1, 5) + frames.window_update(0, 5) + frames.frame(frames.PING, 0, 0, b"12345678")
        assert connection.receive(answer) == []
    for _ in range(100):
        connection.receive(frames.window_update(0, 5) * 20)
    assert connection.is_closed


@pytest.mark.parametrize(("age_s", "is_closed"), [(0.1, True), (0.5, False)])
def test_calls_whose_deadlines_pass_are_no_flood_of_resets(age_s: float, is_closed: bool) -> None:
    """All that a client has may break off together, again and again, unless it opens streams only to reset them."""
    core, now = server(max_resets=100), 100.0
    core.receive(HELLO, now)
    for first in range(1, 1000, 200):
        numbers = range(first, first + 100, 2)
        core.receive(b"".join(headers(number) + data(number, b"x", frames.END_STREAM) for number in numbers), now)
        now += age_s
        core.receive(b"".join(frames.rst_stream(number, frames.CANCEL) for number in numbers), now)
    assert core.is_closed is is_closed


def test_each_call_of_a_thousand_at_once_may_open_its_window_a_little() -> None:
    """As grpcio does, before it has heard anything."""
    core = server(max_empty_frames=10)
    core.receive(HELLO)
    for number in range(1, 2001, 2):
        core.receive(headers(number) + data(number, b"x", frames.END_STREAM) + frames.window_update(number, 5))
    assert not core.is_closed
    for _ in range(2100):
        core.receive(frames.window_update(1, 5))
    assert core.is_closed


def test_small_messages_may_be_returned_one_by_one() -> None:
    """A client that gives back each small reply at once, to its stream and to the connection, is no flood, however fast it asks."""
    connection = server(max_empty_frames=20)
    connection.receive(HELLO)
    for number in range(1, 2000, 2):
        events = connection.receive(headers(number, flags=5))
        assert [event[0] for event in events] == [http2.HEADERS]
        stream = events[0][1]
        connection.send_headers(stream, b"\x88")
        connection.send_data(stream, (b"1234567",))
        assert connection.receive(frames.window_update(number, 7) + frames.window_update(0, 7)) == []
        connection.send_headers(stream, b"\x88", is_end=True)
    assert not connection.is_closed


def test_stream_over_the_limit_is_refused_and_the_others_live() -> None:
    """One stream too many is REFUSED_STREAM; those before are untouched."""
    connection = server(max_streams=2)
    events = connection.receive(HELLO + headers(1) + headers(3) + headers(5) + data(5, b"ignored") + data(1, b"x", END))
    assert [event[0] for event in events] == [http2.HEADERS, http2.HEADERS, http2.DATA]
    assert frames.rst_stream(5, frames.REFUSED_STREAM) in connection.take_output()


@given(st.binary(max_size=400), st.integers(1, 50))
@settings(deadline=None, max_examples=300)
def test_random_bytes_never_raise(noise: bytes, cut: int) -> None:
    """Whatever comes, receive gives events; a closed connection says so once."""
    connection, closed = server(), 0
    sent = HELLO + headers(1) + noise
    for at in range(0, len(sent), cut):
        closed += sum(event[0] == http2.CLOSED for event in connection.receive(sent[at : at + cut]))
    assert closed == connection.is_closed


def bodies(events: list[http2.Event], into: dict[int, tuple[Any, bytes, bool]]) -> None:
    """Join events to {stream: (head, body, is it complete)}."""
    for event in events:
        if event[0] == http2.HEADERS:
            into[event[1].number] = (event[1].head, b"", event[2])
        elif event[0] == http2.DATA:
            head, body, _ = into[event[1].number]
            into[event[1].number] = (head, body + bytes(event[2]), event[3])
        elif event[0] == http2.TRAILERS:
            into[event[1].number] = (*into[event[1].number][:2], True)


@given(
    st.lists(st.tuples(st.lists(st.binary(max_size=3000), max_size=4), st.booleans(), st.integers(0, 50)), min_size=1, max_size=6),
    st.integers(1, 5000),
)
@settings(deadline=None, max_examples=60)
def test_requests_of_h2_arrive_however_they_are_cut(requests: list[tuple[list[bytes], bool, int]], cut: int) -> None:
    """h2's requests, padded or not, with trailers or not, come out the same; what we answer h2 takes."""
    client = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
    client.initiate_connection()
    connection, found = server(), dict[int, tuple[Any, bytes, bool]]()
    for parts, has_trailers, padding in requests:
        stream = client.get_next_available_stream_id()
        client.send_headers(stream, [*REQUEST, ("x-n", str(stream))])
        for part in parts:
            client.send_data(stream, part, pad_length=padding or None)
        if has_trailers:
            client.send_headers(stream, [("x-t", "1")], end_stream=True)
        else:
            client.end_stream(stream)
    sent = client.data_to_send()
    for at in range(0, len(sent), cut):
        bodies(connection.receive(sent[at : at + cut]), found)
    expected = {2 * n + 1: ((*REQUEST, ("x-n", str(2 * n + 1))), b"".join(parts), True) for n, (parts, _, _) in enumerate(requests)}
    assert found == expected
    client.receive_data(frames.settings({}))
    for number, (_, body, _) in found.items():
        connection.exchange(connection.streams[number], b"\x88", (body,), len(body), hpack.encode_field("x-s", "0"))
    got: dict[int, bytes] = {}
    for event in client.receive_data(connection.take_output()):
        if isinstance(event, h2.events.DataReceived):
            got[event.stream_id] = got.get(event.stream_id, b"") + event.data
    assert {number: body for number, (_, body, _) in found.items() if body} == {number: body for number, body in got.items() if body}
    assert not connection.streams


def test_equal_blocks_share_one_head_and_a_changed_table_forgets() -> None:
    """A block seen before gives the same object; after a change of the dynamic table an indexed block means what it now says."""
    connection = server()
    found: dict[int, tuple[Any, bytes, bool]] = {}
    bodies(connection.receive(HELLO + headers(1) + headers(3) + headers(5)), found)
    assert found[3][0] is found[5][0] or found[1][0] == found[3][0]
    indexed = BLOCK + b"\xbe"
    for n, letter in enumerate((b"a", b"b")):
        first = 7 + 6 * n
        bodies(
            connection.receive(
                b"".join(
                    [
                        headers(first, block=BLOCK + b"\x40\1x\1" + letter),
                        headers(first + 2, block=indexed),
                        headers(first + 4, block=indexed),
                    ]
                )
            ),
            found,
        )
        assert found[first + 2][0][-1] == found[first + 4][0][-1] == ("x", letter.decode())


def test_large_frame_in_single_bytes_costs_no_more_than_its_bytes() -> None:
    """A padded frame of 30 kB, and a header block, that trickle in are passed on, or joined once: not looked at anew at every byte."""
    connection = server()
    payload = b"\x03" + b"x" * 30_000 + b"\0" * 3
    sent, events = (
        headers(1, block=BLOCK + hpack.encode_field("x", "y" * 10_000)) + data(1, payload, END | frames.PADDED),
        list[http2.Event](),
    )
    connection.receive(HELLO)
    for at in range(len(sent)):
        events += connection.receive(sent[at : at + 1])
    assert events[0][0] == http2.HEADERS
    assert b"".join(event[2] for event in events[1:]) == b"x" * 30_000


def test_requests_that_come_whole_keep_to_the_same_rules() -> None:
    """Windows are given back, one stream too many is refused, skipped numbers and the end of a drain are seen: as frame by frame."""
    limits = Http2Limits(max_streams=3, connection_window_bytes=65535)
    connection = http2.Connection(
        is_client=False, limits=limits, build_head=lambda fields, _: tuple(fields), build_trailers=lambda fields, _: None, takes_whole=True
    )
    connection.receive(HELLO)
    connection.take_output()
    answered, n_whole = 0, 0
    for number in (1, 3, 5, 7, 11, 13):
        (*_, event) = connection.receive(headers(number) + data(number, bytes(8000), END))
        n_whole += event[0] == http2.WHOLE
        assert event[1].head == tuple(REQUEST)
        connection.exchange(event[1], b"\x88", (b"x",), 1, b"")
        answered += 1
        sent = connection.take_output()
        assert (frames.window_update(0, 40_000) in sent) is (number == 11)
    assert (answered, n_whole) == (6, 3)  # the first two, and where the window is given back or a number skipped, are read frame by frame
    for number in (15, 17, 19, 21):
        connection.receive(headers(number) + data(number, b"x", END))
    assert sorted(connection.streams) == [15, 17, 19]
    assert connection.take_output() == frames.rst_stream(21, frames.REFUSED_STREAM)
    connection.reset(15, frames.CANCEL)
    connection.goaway()
    connection.end_drain()
    assert connection.receive(headers(23) + data(23, b"x", END)) == []


def test_header_block_of_one_large_frame_is_no_better_than_one_in_parts() -> None:
    """Beyond four times the limit it ends the connection before it is decoded."""
    assert outcome(headers(block=bytes(700)), max_header_list_bytes=100) == ("connection", frames.ENHANCE_YOUR_CALM)
