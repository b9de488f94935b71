"""What we send, and when: RFC 9113, sections 3 to 8. See docs/design/http2-clauses.md."""

from __future__ import annotations

import pytest

from jina.wire import hpack, http2
from jina.wire import http2_frames as frames
from tests.wire.clauses.peers import (
    ACK,
    BLOCK,
    END,
    END_HEADERS,
    HELLO,
    OK,
    REQUEST,
    TRAILERS,
    build,
    client,
    data,
    frame,
    headers,
    kinds,
    outcome,
    parsed,
    server,
)

WHOLE = END | END_HEADERS


def opened(end: http2.Connection, n: int = 1) -> list[http2.Stream]:
    """Give a server n whole requests."""
    events = end.receive(b"".join(headers(2 * at + 1, flags=WHOLE) for at in range(n)))
    end.take_output()
    return [event[1] for event in events]


def ready(**limits: int) -> http2.Connection:
    end = server(**limits)
    end.receive(HELLO)
    end.take_output()
    return end


def test_client_begins_with_the_preface_and_settings_that_forbid_push() -> None:
    """In one piece, before anything came."""
    end = http2.Connection(is_client=True, limits=server()._limits, build_head=build, build_trailers=build)
    sent = end.take_output()
    assert sent.startswith(frames.PREFACE)
    kind, flags, number, payload = parsed(sent)[0]
    assert (kind, flags, number) == (frames.SETTINGS, 0, 0)
    assert dict(frames.read_settings(payload))[frames.ENABLE_PUSH] == 0


def test_server_begins_with_settings_without_push() -> None:
    """Its first frame, and ENABLE_PUSH is not there."""
    end = http2.Connection(is_client=False, limits=server()._limits, build_head=build, build_trailers=build)
    (kind, flags, number, payload), *others = parsed(end.take_output())
    assert (kind, flags, number) == (frames.SETTINGS, 0, 0)
    assert frames.ENABLE_PUSH not in dict(frames.read_settings(payload))
    assert [other[0] for other in others] == [frames.WINDOW_UPDATE]


def test_settings_are_acknowledged_one_by_one_and_acknowledgements_are_not() -> None:
    """Each SETTINGS frame gets one empty ACK."""
    end = server()
    end.receive(frames.PREFACE + frames.settings({3: 5}) + frames.settings({}) + frame(frames.SETTINGS, ACK, 0))
    assert parsed(end.take_output()) == [(frames.SETTINGS, ACK, 0, b"")] * 2


def test_ping_is_answered_with_its_payload_and_an_answer_is_not() -> None:
    """ACK, the same eight bytes."""
    end = ready()
    end.receive(frame(frames.PING, 0, 0, b"12345678") + frame(frames.PING, ACK, 0, b"12345678"))
    assert parsed(end.take_output()) == [(frames.PING, ACK, 0, b"12345678")]


def test_settings_are_applied_in_their_order() -> None:
    """The last value of a setting counts."""
    end = client(0)
    end.receive(frames.HEADER.pack(12 << 8 | 4, 0, 0) + b"\0\3\0\0\0\5" + b"\0\3\0\0\0\1")
    assert end.max_streams == 1


def test_frames_are_no_larger_than_the_peer_takes() -> None:
    """DATA in pieces, header blocks with CONTINUATION right behind them, at 16,384 bytes until the peer allows more."""
    for size, sent in ((1 << 14, b""), (20_000, frames.settings({frames.MAX_FRAME_SIZE: 20_000}))):
        end = ready()
        end.receive(sent + frames.window_update(0, 1 << 20) + frames.settings({4: 1 << 20}))
        (stream,) = opened(end)
        end.send_headers(stream, OK + hpack.encode_field("x", "y" * 50_000))
        end.send_data(stream, (b"z" * 50_000,))
        end.send_headers(stream, TRAILERS + hpack.encode_field("x", "y" * 50_000), is_end=True)
        out = parsed(end.take_output())
        assert max(len(payload) for _, _, _, payload in out) == size
        n = 50_000 // size
        one = [frames.HEADERS] + [frames.CONTINUATION] * n
        assert [kind for kind, _, _, _ in out] == [*one, *[frames.DATA] * (n + 1), *one]
        flags = [flags for _, flags, _, _ in out]
        assert flags == [0, *[0] * (n - 1), END_HEADERS, *[0] * (n + 1), END, *[0] * (n - 1), END_HEADERS]


def test_short_way_of_an_answer_cuts_a_long_head_as_well() -> None:
    """A head beyond 16,384 bytes needs CONTINUATION there too."""
    end = ready()
    (stream,) = opened(end)
    end.exchange(stream, OK + hpack.encode_field("x", "y" * 20_000), (b"body",), 4, TRAILERS)
    assert kinds(end.take_output()) == [frames.HEADERS, frames.CONTINUATION, frames.DATA, frames.HEADERS]


def test_client_s_streams_are_odd_and_rise() -> None:
    """1, 3, 5, ..., whichever way they begin."""
    end = client(0)
    numbers = [end.start().number, end.begin(BLOCK, (b"x",), 1).number, end.start().number]
    assert numbers == [1, 3, 5]


def test_client_opens_no_more_streams_than_it_may() -> None:
    """The server's limit counts streams that are open or half-closed."""
    end = client(0)
    end.receive(frames.settings({frames.MAX_CONCURRENT_STREAMS: 2}))
    end.send_headers(end.start(), BLOCK, is_end=True)
    assert end.can_start
    end.send_headers(end.start(), BLOCK)
    assert not end.can_start
    end.receive(headers(1, OK, WHOLE))
    assert end.can_start
    end.receive(frames.settings({frames.MAX_CONCURRENT_STREAMS: 0}))
    assert not end.can_start


def test_client_that_has_used_up_its_numbers_opens_none() -> None:
    """The last stream is 2^31 - 1; then it takes a new connection."""
    end = client(0)
    end._last_own = frames.MAX_STREAM - 4
    assert end.start().number == frames.MAX_STREAM - 2
    assert end.can_start
    assert end.start().number == frames.MAX_STREAM
    assert not end.can_start


def test_no_frame_follows_the_end_of_our_side() -> None:
    """Neither headers nor data, from either role."""
    end = client(0)
    stream = end.begin(BLOCK, (b"x",), 1)
    end.take_output()
    end.send_headers(stream, TRAILERS, is_end=True)
    end.send_data(stream, (b"more",), is_end=True)
    assert end.take_output() == b""
    answering = ready()
    (asked,) = opened(answering)
    answering.send_headers(asked, OK, is_end=True)
    answering.take_output()
    answering.send_headers(asked, OK)
    answering.send_data(asked, (b"more",))
    answering.exchange(asked, OK, (b"x",), 1, TRAILERS)
    assert answering.take_output() == b""


def test_no_data_follows_an_end_that_waits_for_its_window() -> None:
    """What is sent after the last byte was handed over goes nowhere."""
    end = ready()
    (stream,) = opened(end)
    end.receive(frames.settings({4: 3}))
    end.send_headers(stream, OK)
    end.send_data(stream, (b"abcdef",), is_end=True)
    end.send_data(stream, (b"ghi",))
    end.receive(frames.window_update(1, 100))
    assert [payload for kind, _, _, payload in parsed(end.take_output()) if kind == frames.DATA] == [b"abc", b"def"]
    assert not end.streams


def test_no_frame_follows_a_reset() -> None:
    """Ours or the peer's: a stream that was reset is silent, and a reset is not answered with one."""
    for is_ours in (True, False):
        end = ready()
        (stream,) = opened(end)
        if is_ours:
            end.reset(1, frames.CANCEL)
            assert kinds(end.take_output()) == [frames.RST_STREAM]
        else:
            end.receive(frames.rst_stream(1, 8))
        end.exchange(stream, OK, (b"x",), 1, TRAILERS)
        end.receive(data() + headers(1, TRAILERS, WHOLE) + frames.rst_stream(1, 8) if is_ours else frames.rst_stream(1, 8))
        assert end.take_output() == b""


def test_data_of_a_reset_stream_counts_for_the_connection() -> None:
    """Its bytes come back with the connection's window, so that both sides go on agreeing about it."""
    end = ready(connection_window_bytes=65535)
    opening = headers(1)
    end.receive(opening)
    end.reset(1, frames.CANCEL)
    end.take_output()
    end.receive(data(1, bytes(16000)) * 3)
    assert parsed(end.take_output()) == [(frames.WINDOW_UPDATE, 0, 0, (48000).to_bytes(4, "big"))]


def test_padding_counts_for_both_windows() -> None:
    """Its length byte too."""
    end = ready(connection_window_bytes=65535, stream_window_bytes=65535)
    end.receive(headers(1) + data(1, b"\xff" + bytes(16383), frames.PADDED) * 3)
    assert [int.from_bytes(payload, "big") for kind, _, _, payload in parsed(end.take_output()) if kind == frames.WINDOW_UPDATE] == [
        2 * 16384,
        2 * 16384,
    ]


@pytest.mark.parametrize("size", [1, 7, 4000, 5001, 100_000])
def test_padding_is_never_part_of_the_body(size: int) -> None:
    """However the frames are cut, and whether they are passed on as they come or whole."""
    end, sent, found = ready(), bytearray(headers(1)), bytearray()
    for n_bytes, padding in ((0, 0), (10, 255), (5000, 0), (5000, 255), (4096 - 256, 255), (20_000, 7)):
        sent += data(1, bytes((padding,)) + b"x" * n_bytes + bytes(padding), frames.PADDED)
    sent += data(1, b"\x05y" + bytes(5), frames.PADDED | END)
    ends = []
    for at in range(0, len(sent), size):
        for event in end.receive(bytes(sent[at : at + size])):
            if event[0] == http2.DATA:
                found += event[2]
                ends.append(event[3])
    assert found == b"x" * (10 + 5000 * 2 + 4096 - 256 + 20_000) + b"y"
    assert (ends[-1], any(ends[:-1])) == (True, False)


def sent_bytes(end: http2.Connection, number: int | None = None) -> int:
    return sum(len(payload) for kind, _, of, payload in parsed(end.take_output()) if kind == frames.DATA and number in (None, of))


def test_no_more_is_sent_than_the_windows_hold() -> None:
    """65,535 bytes at first, for all streams together."""
    end = ready()
    streams = opened(end, 2)
    for stream in streams:
        end.send_headers(stream, OK)
        end.send_data(stream, (bytes(60_000),))
    assert sent_bytes(end) == 65535
    end.receive(frames.window_update(1, 100_000) + frames.window_update(3, 100_000))
    assert sent_bytes(end) == 0
    end.receive(frames.window_update(0, 1000))
    assert sent_bytes(end) == 1000
    end.receive(frames.window_update(0, 1 << 20))
    assert sent_bytes(end) == 120_000 - 66_535


def test_shrunk_window_is_negative_until_it_has_grown_again() -> None:
    """SETTINGS_INITIAL_WINDOW_SIZE moves the windows of all streams, and not the connection's."""
    end = ready()
    first, second = opened(end, 2)
    end.receive(frames.window_update(0, 1 << 20))
    end.send_headers(first, OK)
    end.send_data(first, (bytes(60_000),))
    assert sent_bytes(end) == 60_000
    end.receive(frames.settings({4: 16_384}))
    assert (first.window, second.window) == (16_384 - 60_000, 16_384)
    end.send_data(first, (bytes(10),))
    end.receive(frames.window_update(1, 60_000 - 16_384))
    assert sent_bytes(end) == 0
    end.receive(frames.window_update(1, 7))
    assert sent_bytes(end) == 7
    end.receive(frames.settings({4: 16_390}))
    assert sent_bytes(end) == 3
    end.send_data(second, (bytes(20_000),))
    assert sent_bytes(end) == 16_390


def test_end_of_a_stream_needs_no_window() -> None:
    """An empty DATA frame with END_STREAM goes out though the window is negative."""
    end = ready()
    (stream,) = opened(end)
    end.send_headers(stream, OK)
    end.send_data(stream, (b"x" * 1000,))
    end.receive(frames.settings({frames.INITIAL_WINDOW_SIZE: 10}))
    end.take_output()
    end.send_data(stream, (), is_end=True)
    assert parsed(end.take_output()) == [(frames.DATA, END, 1, b"")]
    assert not end.streams


def test_nothing_is_said_where_there_is_nothing_to_say() -> None:
    """No empty DATA frame that does not end its stream: a negative window would forbid it."""
    end = ready()
    (stream,) = opened(end)
    end.send_headers(stream, OK)
    end.send_data(stream, (b"x",))
    end.receive(frames.settings({frames.INITIAL_WINDOW_SIZE: 0}))
    end.take_output()
    end.send_data(stream, (b"",))
    assert end.take_output() == b""


def test_smaller_window_counts_only_once_the_peer_has_heard_of_it() -> None:
    """Until it acknowledges our SETTINGS a peer may send 65,535 bytes on a stream; then no more than we said."""
    early = server(stream_window_bytes=4200)
    assert outcome(early, HELLO + headers() + data(1, bytes(5000)) + data(1, b"", END)) is None
    late = server(stream_window_bytes=4200)
    assert outcome(late, HELLO + frame(frames.SETTINGS, ACK, 0) + headers() + data(1, bytes(5000))) == ("stream", frames.FLOW_CONTROL_ERROR)
    cut = server(stream_window_bytes=4200)
    assert outcome(cut, HELLO + frame(frames.SETTINGS, ACK, 0) + headers() + data(1, bytes(5000))[:99]) == ("stream", 3)


def test_stream_that_has_more_than_a_shrunk_window_may_end() -> None:
    """An empty frame is never beyond a window."""
    end = server(stream_window_bytes=4200)
    events = end.receive(HELLO + headers())
    end.hold(events[0][1], 1 << 20)
    assert outcome(end, data(1, bytes(5000)) + frame(frames.SETTINGS, ACK, 0) + data(1, b"", END)) is None


def test_data_beyond_the_window_of_the_connection_end_it() -> None:
    """Streams whose windows are open may together not send more than the connection's."""
    end = server(connection_window_bytes=65535, stream_window_bytes=65535)
    end.receive(HELLO + headers(1) + headers(3))
    assert outcome(end, data(1, bytes(32000)) + data(3, bytes(65535))[:65009]) == ("connection", frames.FLOW_CONTROL_ERROR)


def test_held_bytes_keep_the_window_shut() -> None:
    """A slow reader stops the sender; what it takes opens the window again."""
    end = ready(stream_window_bytes=100_000)
    (event,) = end.receive(headers())
    end.hold(event[1], 60_000)
    end.receive(data(1, bytes(16000)) * 4)
    assert [of for kind, _, of, _ in parsed(end.take_output()) if kind == frames.WINDOW_UPDATE] == [1]
    assert event[1].unread == 60_000
    end.hold(event[1], -60_000)
    assert parsed(end.take_output()) == [(frames.WINDOW_UPDATE, 0, 1, (60_000).to_bytes(4, "big"))]


def last_streams(output: bytes) -> list[int]:
    return [frames.read_goaway(payload)[0] for kind, _, _, payload in parsed(output) if kind == frames.GOAWAY]


def test_goaway_begins_high_and_never_rises() -> None:
    """First 2^31 - 1, then the last stream that is taken; an error after that names no later one."""
    end = ready()
    opened(end)
    end.goaway()
    assert last_streams(end.take_output()) == [frames.MAX_STREAM]
    end.end_drain()
    assert last_streams(end.take_output()) == [1]
    assert end.receive(headers(3) + headers(5)) == []
    assert outcome(end, data(0)) == ("connection", frames.PROTOCOL_ERROR)
    fresh = ready()
    opened(fresh)
    fresh.goaway()
    fresh.end_drain()
    fresh.take_output()
    fresh.receive(headers(3) + data(0))
    assert last_streams(fresh.take_output()) == [1]


def test_frames_of_streams_after_goaway_are_processed_as_far_as_the_connection_needs() -> None:
    """Their blocks move the table, their DATA the connection's window; else they are ignored."""
    end = ready(connection_window_bytes=65535)
    (stream,) = opened(end)
    end.goaway()
    end.end_drain()
    end.take_output()
    assert end.receive(headers(3, BLOCK + b"\x40\x01a\x01b") + data(3, bytes(16000)) * 3 + headers(3, TRAILERS, WHOLE)) == []
    assert parsed(end.take_output()) == [(frames.WINDOW_UPDATE, 0, 0, (48000).to_bytes(4, "big"))]
    assert end._heads.read(b"\x82\x86\x84\xbe")[0][-1] == ("a", "b")
    end.send_headers(stream, OK, is_end=True)
    assert end.is_drained


def test_client_opens_no_stream_after_goaway() -> None:
    """The peer's, or its own, which it says once it leaves."""
    end = client(0)
    end.receive(frames.goaway(0, 0))
    assert not end.can_start
    end.goaway()
    assert last_streams(end.take_output()) == [0]
    leaving = client(0)
    leaving.goaway()
    assert not leaving.can_start


def test_goaway_tells_the_layer_above_which_requests_may_be_sent_again() -> None:
    """The last stream, the code and the text, whatever stands in it."""
    end = client(2)
    (event,) = end.receive(frame(frames.GOAWAY, 0, 0, b"\x80\0\0\1" + b"\xff\xff\xff\xff" + b"bye\xff"))
    assert event == (http2.GOAWAY, 1, 0xFFFFFFFF, "bye\ufffd")
    assert [e[0] for e in end.receive(headers(1, OK, WHOLE))] == [http2.HEADERS]


def test_refused_stream_was_never_passed_on() -> None:
    """REFUSED_STREAM tells that nothing was done; no event speaks of the stream."""
    end = server(max_streams=1)
    events = end.receive(HELLO + headers(1) + headers(3) + data(3, b"", END))
    assert [event[1].number for event in events] == [1]
    assert (frames.RST_STREAM, 0, 3, (7).to_bytes(4, "big")) in parsed(end.take_output())


def test_early_answer_asks_the_client_to_stop_without_error() -> None:
    """A complete response before the request's end is followed by RST_STREAM with NO_ERROR, and the client keeps the response."""
    end, asking = ready(), client(0)
    stream = asking.start()
    asking.send_headers(stream, BLOCK)
    asking.take_output()
    (event,) = end.receive(headers(1))
    end.exchange(event[1], OK, (b"no",), 2, TRAILERS)
    sent = end.take_output()
    assert kinds(sent) == [frames.HEADERS, frames.DATA, frames.HEADERS, frames.RST_STREAM]
    assert parsed(sent)[-1][3] == bytes(4)
    assert [e[0] for e in asking.receive(sent)] == [http2.HEADERS, http2.DATA, http2.TRAILERS, http2.RESET]
    assert outcome(end, data(1, b"late") + headers(1, TRAILERS, WHOLE) + frames.window_update(1, 5)) is None


def test_error_is_reported_once() -> None:
    """One RST_STREAM for a stream, however many faults follow on it; after GOAWAY nothing is read or sent."""
    end = ready()
    end.receive(headers(1, hpack.encode((*REQUEST, ("content-length", "1")))))
    end.take_output()
    end.receive(data(1) + data(1) + frames.window_update(1, 0) + headers(1, OK))
    assert kinds(end.take_output()) == [frames.RST_STREAM]
    end.receive(data(0) + data(0))
    assert kinds(end.take_output()) == [frames.GOAWAY]
    end.receive(frames.settings({}))
    end.reset(1, frames.CANCEL)
    assert end.take_output() == b""


def test_transport_that_is_gone_ends_all_streams() -> None:
    """They cannot be tried again without more knowledge: whoever waits hears of a reset, then of the end, once."""
    end = ready()
    opened(end, 2)
    assert [event[0] for event in end.eof()] == [http2.RESET, http2.RESET, http2.CLOSED]
    assert end.eof() == []
