"""What is made of frames that come, clause by clause: RFC 9113, sections 3 to 6. See docs/design/http2-clauses.md."""

from __future__ import annotations

import pytest

from jina.wire import http2_frames as frames
from jina.wire.http2_frames import (
    COMPRESSION_ERROR,
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    STREAM_CLOSED,
)
from tests.wire.clauses.peers import (
    ACK,
    BLOCK,
    END,
    END_HEADERS,
    HAS_PRIORITY,
    HELLO,
    OK,
    PADDED,
    TRAILERS,
    Outcome,
    client,
    data,
    frame,
    headers,
    outcome,
    server,
)

SETTINGS = frames.settings({})
PING = frame(frames.PING, 0, 0, b"12345678")
UNKNOWN = frame(0x20, 0xFF, 1, b"zz")
PROMISE = frame(frames.PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\2" + BLOCK)
BIG = b"x" * 5000
WHOLE = headers(flags=END_HEADERS | END)
GOODBYE = frame(frames.GOAWAY, 0, 0, bytes(8))
INTERIM = b"\x08\x03103"
PRIORITY = frame(frames.PRIORITY, 0, 1, b"\0\0\0\0\1")


def connection(code: int) -> Outcome:
    return "connection", code


def stream(code: int) -> Outcome:
    return "stream", code


# To a server that has not heard anything yet.
AT_FIRST: list[tuple[str, bytes, Outcome]] = [
    ("preface-and-settings", HELLO, None),
    ("http1", b"GET / HTTP/1.1\r\n\r\n", connection(PROTOCOL_ERROR)),
    ("preface-with-a-wrong-byte", frames.PREFACE[:10] + b"x" + frames.PREFACE[11:] + SETTINGS, connection(PROTOCOL_ERROR)),
    ("preface-with-a-wrong-byte-cut", frames.PREFACE[:10] + b"x", connection(PROTOCOL_ERROR)),
    ("preface-without-settings", frames.PREFACE + PING, connection(PROTOCOL_ERROR)),
    ("preface-without-settings-cut", frames.PREFACE + data(1, BIG)[:99], connection(PROTOCOL_ERROR)),
    ("preface-then-unknown", frames.PREFACE + UNKNOWN, connection(PROTOCOL_ERROR)),
    ("preface-then-ack", frames.PREFACE + frame(frames.SETTINGS, ACK, 0), connection(PROTOCOL_ERROR)),
]

# To a server after the greeting.
TO_SERVER: list[tuple[str, bytes, Outcome]] = [
    # 4.1
    ("unknown-type", UNKNOWN, None),
    ("unknown-type-on-an-idle-stream", frame(0x20, 0, 99, b"zz"), None),
    ("unknown-type-on-a-closed-stream", WHOLE + frames.rst_stream(1, 8) + UNKNOWN, None),
    ("unused-flags", headers(flags=END_HEADERS | 0xD2) + data(1, b"ab", 0xF6) + frame(frames.PING, 0xFE, 0, bytes(8)), None),
    (
        "reserved-bit-of-the-stream",
        frame(frames.HEADERS, END_HEADERS, 1 | 1 << 31, BLOCK) + frame(frames.DATA, 0, 1 | 1 << 31, b"ab"),
        None,
    ),
    # 4.2
    ("frame-of-16384", headers() + data(1, bytes(1 << 14)), None),
    ("unknown-frame-of-16384", frame(0x20, 0, 0, bytes(1 << 14)), None),
    ("frame-too-large", headers() + data(1, bytes((1 << 14) + 1)), connection(FRAME_SIZE_ERROR)),
    ("frame-too-large-cut", headers() + data(1, bytes((1 << 14) + 1))[:20], connection(FRAME_SIZE_ERROR)),
    ("unknown-frame-too-large", frame(0x20, 0, 0, bytes((1 << 14) + 1)), connection(FRAME_SIZE_ERROR)),
    ("frame-too-large-in-a-block", headers(flags=0) + frame(frames.CONTINUATION, 4, 1, bytes((1 << 14) + 1)), connection(FRAME_SIZE_ERROR)),
    # 4.3
    ("block-that-cannot-be-decoded", headers(1, b"\x80"), connection(COMPRESSION_ERROR)),
    (
        "block-that-cannot-be-decoded-of-a-closed-stream",
        WHOLE + frames.rst_stream(1, 8) + headers(1, b"\x80"),
        connection(COMPRESSION_ERROR),
    ),
    ("trailers-that-cannot-be-decoded", headers() + headers(1, b"\x80", END | END_HEADERS), connection(COMPRESSION_ERROR)),
    # 5.1
    ("idle-data", data(1), connection(PROTOCOL_ERROR)),
    ("idle-data-cut", data(1, BIG)[:99], connection(PROTOCOL_ERROR)),
    ("idle-rst-stream", frames.rst_stream(1, 8), connection(PROTOCOL_ERROR)),
    ("idle-window-update", frames.window_update(1, 5), connection(PROTOCOL_ERROR)),
    ("idle-continuation", frame(frames.CONTINUATION, END_HEADERS, 1, BLOCK), connection(PROTOCOL_ERROR)),
    ("idle-priority", PRIORITY, None),
    ("idle-own-data", headers() + data(2), connection(PROTOCOL_ERROR)),
    ("half-closed-data", WHOLE + data(), stream(STREAM_CLOSED)),
    ("half-closed-data-cut", WHOLE + data(1, BIG)[:99], stream(STREAM_CLOSED)),
    ("half-closed-headers", WHOLE + headers(1, TRAILERS, END | END_HEADERS), stream(STREAM_CLOSED)),
    ("half-closed-bad-headers", WHOLE + headers(1, BLOCK + b"\0\1A\1b"), stream(STREAM_CLOSED)),
    ("half-closed-window-update", WHOLE + frames.window_update(1, 5), None),
    ("half-closed-priority", WHOLE + PRIORITY, None),
    ("half-closed-rst-stream", WHOLE + frames.rst_stream(1, 8), None),
    ("reset-data", headers() + frames.rst_stream(1, 8) + data(), None),
    ("reset-headers", headers() + frames.rst_stream(1, 8) + headers(1, TRAILERS, END | END_HEADERS), None),
    ("reset-window-update", headers() + frames.rst_stream(1, 8) + frames.window_update(1, 5), None),
    ("reset-priority", headers() + frames.rst_stream(1, 8) + PRIORITY, None),
    ("reset-rst-stream", headers() + frames.rst_stream(1, 8) * 2, None),
    # 5.1.1
    ("stream-0", headers(0), connection(PROTOCOL_ERROR)),
    ("even-stream", headers(2), connection(PROTOCOL_ERROR)),
    ("lower-stream", headers(5) + headers(3), connection(PROTOCOL_ERROR)),
    ("lower-stream-at-first", headers(5) + headers(1), connection(PROTOCOL_ERROR)),
    ("skipped-streams", headers(5) + headers(11) + headers(13), None),
    ("skipped-stream-window-update", headers(5) + frames.window_update(1, 5), None),
    ("highest-stream", headers(frames.MAX_STREAM), None),
    # 5.1.2
    ("streams-as-many-as-allowed", headers(1) + headers(3) + headers(5), None),
    ("streams-one-too-many", headers(1) + headers(3) + headers(5) + headers(7), stream(REFUSED_STREAM)),
    # 5.5
    ("unknown-in-a-block", headers(flags=0) + UNKNOWN, connection(PROTOCOL_ERROR)),
    ("unknown-setting", frames.settings({0xF0F0: 5, 0: 1}), None),
    # 6.1
    ("data-stream-0", data(0), connection(PROTOCOL_ERROR)),
    ("data-padding-longer", headers() + data(1, b"\x03ab", PADDED), connection(PROTOCOL_ERROR)),
    ("data-padding-as-long-as-the-frame", headers() + data(1, b"\x01", PADDED), connection(PROTOCOL_ERROR)),
    (
        "data-padding-longer-of-a-closed-stream",
        headers() + frames.rst_stream(1, 8) + data(1, b"\x03ab", PADDED),
        connection(PROTOCOL_ERROR),
    ),
    ("data-padding-longer-beyond-the-window", headers() + data(1, b"\xff" + bytes(200), PADDED), connection(PROTOCOL_ERROR)),
    ("data-padding-to-the-end", headers() + data(1, b"\x02ab", PADDED | END), None),
    ("data-without-pad-length", headers() + data(1, b"", PADDED), connection(FRAME_SIZE_ERROR)),
    ("data-empty", headers() + data(1, b""), None),
    # 6.2
    ("headers-padding-longer", headers(1, b"\xff" + BLOCK, END_HEADERS | PADDED), connection(PROTOCOL_ERROR)),
    (
        "headers-padding-over-priority",
        headers(1, b"\x03" + bytes(5) + b"ab", END_HEADERS | PADDED | HAS_PRIORITY),
        connection(PROTOCOL_ERROR),
    ),
    ("headers-without-pad-length", headers(1, b"", END_HEADERS | PADDED), connection(FRAME_SIZE_ERROR)),
    ("headers-without-priority", headers(1, b"abcd", END_HEADERS | HAS_PRIORITY), connection(FRAME_SIZE_ERROR)),
    ("headers-padded-with-priority", headers(1, b"\x02" + bytes(5) + BLOCK + b"zz", END_HEADERS | PADDED | HAS_PRIORITY), None),
    ("headers-depends-on-itself", headers(1, b"\0\0\0\1\x10" + BLOCK, END_HEADERS | HAS_PRIORITY), None),
    # 6.3
    ("priority-stream-0", frame(frames.PRIORITY, 0, 0, bytes(5)), connection(PROTOCOL_ERROR)),
    ("priority-of-4", headers() + frame(frames.PRIORITY, 0, 1, bytes(4)), stream(FRAME_SIZE_ERROR)),
    ("priority-of-6-on-an-idle-stream", frame(frames.PRIORITY, 0, 1, bytes(6)), connection(FRAME_SIZE_ERROR)),
    ("priority-depends-on-itself", frame(frames.PRIORITY, 0, 1, b"\0\0\0\1\1"), None),
    ("priority-in-a-block", headers(flags=0) + PRIORITY, connection(PROTOCOL_ERROR)),
    # 6.4
    ("rst-stream-0", frames.rst_stream(0, 8), connection(PROTOCOL_ERROR)),
    ("rst-stream-of-3", headers() + frame(frames.RST_STREAM, 0, 1, b"abc"), connection(FRAME_SIZE_ERROR)),
    ("rst-stream-of-5", headers() + frame(frames.RST_STREAM, 0, 1, b"abcde"), connection(FRAME_SIZE_ERROR)),
    ("rst-stream-with-an-unknown-code", headers() + frames.rst_stream(1, 0xFFFFFFFF), None),
    # 6.5
    ("settings-ack-with-payload", frame(frames.SETTINGS, ACK, 0, bytes(6)), connection(FRAME_SIZE_ERROR)),
    ("settings-on-a-stream", headers() + frame(frames.SETTINGS, 0, 1), connection(PROTOCOL_ERROR)),
    ("settings-of-5", frame(frames.SETTINGS, 0, 0, bytes(5)), connection(FRAME_SIZE_ERROR)),
    ("enable-push-2", frames.settings({2: 2}), connection(PROTOCOL_ERROR)),
    ("enable-push-1", frames.settings({2: 1}), None),
    ("initial-window-largest", frames.settings({4: frames.MAX_WINDOW}), None),
    ("initial-window-too-large", frames.settings({4: 1 << 31}), connection(FLOW_CONTROL_ERROR)),
    ("max-frame-size-too-small", frames.settings({5: (1 << 14) - 1}), connection(PROTOCOL_ERROR)),
    ("max-frame-size-too-large", frames.settings({5: 1 << 24}), connection(PROTOCOL_ERROR)),
    ("max-frame-size-bounds", frames.settings({5: 1 << 14}) + frames.settings({5: (1 << 24) - 1}), None),
    ("other-settings", frames.settings({1: 1 << 31, 3: 0, 6: 0}), None),
    ("connect-protocol-2", frames.settings({8: 2}), connection(PROTOCOL_ERROR)),
    ("settings-in-a-block", headers(flags=0) + SETTINGS, connection(PROTOCOL_ERROR)),
    # 6.6
    ("push-promise", headers() + PROMISE, connection(PROTOCOL_ERROR)),
    # 6.7
    ("ping-on-a-stream", headers() + frame(frames.PING, 0, 1, bytes(8)), connection(PROTOCOL_ERROR)),
    ("ping-of-7", frame(frames.PING, 0, 0, bytes(7)), connection(FRAME_SIZE_ERROR)),
    ("ping-of-9", frame(frames.PING, ACK, 0, bytes(9)), connection(FRAME_SIZE_ERROR)),
    # 6.8
    ("goaway-on-a-stream", headers() + frame(frames.GOAWAY, 0, 1, bytes(8)), connection(PROTOCOL_ERROR)),
    ("goaway-of-7", frame(frames.GOAWAY, 0, 0, bytes(7)), connection(FRAME_SIZE_ERROR)),
    ("goaway-then-requests", GOODBYE + headers() + frame(frames.GOAWAY, 0, 0, bytes(8) + b"\xff debug"), None),
    # 6.9
    ("window-update-by-0", headers() + frames.window_update(1, 0), stream(PROTOCOL_ERROR)),
    ("window-update-by-0-with-reserved-bit", headers() + frame(frames.WINDOW_UPDATE, 0, 1, b"\x80\0\0\0"), stream(PROTOCOL_ERROR)),
    ("connection-window-update-by-0", frames.window_update(0, 0), connection(PROTOCOL_ERROR)),
    ("window-update-of-3", headers() + frame(frames.WINDOW_UPDATE, 0, 1, bytes(3)), connection(FRAME_SIZE_ERROR)),
    ("connection-window-update-of-5", frame(frames.WINDOW_UPDATE, 0, 0, bytes(5)), connection(FRAME_SIZE_ERROR)),
    ("window-largest", headers() + frames.window_update(1, frames.MAX_WINDOW - frames.DEFAULT_WINDOW), None),
    ("window-too-large", headers() + frames.window_update(1, frames.MAX_WINDOW - frames.DEFAULT_WINDOW + 1), stream(FLOW_CONTROL_ERROR)),
    ("connection-window-largest", frames.window_update(0, frames.MAX_WINDOW - frames.DEFAULT_WINDOW), None),
    (
        "connection-window-too-large",
        frames.window_update(0, frames.MAX_WINDOW - frames.DEFAULT_WINDOW) + frames.window_update(0, 1),
        connection(FLOW_CONTROL_ERROR),
    ),
    (
        "window-too-large-by-settings",
        headers() + frames.window_update(1, (1 << 31) - 70000) + frames.settings({4: 1 << 30}),
        connection(FLOW_CONTROL_ERROR),
    ),
    # 6.10
    ("continuation-alone", headers() + frame(frames.CONTINUATION, END_HEADERS, 1), connection(PROTOCOL_ERROR)),
    ("continuation-stream-0", headers(flags=0) + frame(frames.CONTINUATION, END_HEADERS, 0), connection(PROTOCOL_ERROR)),
    ("continuation-of-another-stream", headers(flags=0) + frame(frames.CONTINUATION, END_HEADERS, 3), connection(PROTOCOL_ERROR)),
    ("data-in-a-block", headers(flags=0) + data(1), connection(PROTOCOL_ERROR)),
    ("data-in-a-block-cut", headers(flags=0) + data(1, BIG)[:99], connection(PROTOCOL_ERROR)),
    ("headers-in-a-block", headers(flags=0) + headers(3), connection(PROTOCOL_ERROR)),
    ("continuations", headers(1, BLOCK[:2], 0) + frame(9, 0, 1, BLOCK[2:5]) + frame(9, 0, 1) + frame(9, END_HEADERS, 1, BLOCK[5:]), None),
    ("continuation-with-end-stream", headers(1, BLOCK[:2], END) + frame(9, END_HEADERS, 1, BLOCK[2:]) + data(), stream(STREAM_CLOSED)),
    # 10.5
    ("settings-of-65", frames.settings(dict.fromkeys(range(100, 165), 1)), connection(ENHANCE_YOUR_CALM)),
]

# To a client with one request on stream 1 whose body has not ended.
TO_CLIENT: list[tuple[str, bytes, Outcome]] = [
    ("response", headers(1, OK) + data() + headers(1, TRAILERS, END | END_HEADERS), None),
    ("idle-own-stream", headers(3, OK), connection(PROTOCOL_ERROR)),
    ("idle-even-stream", headers(2, OK), connection(PROTOCOL_ERROR)),
    ("idle-data", data(3), connection(PROTOCOL_ERROR)),
    ("idle-rst-stream", frames.rst_stream(3, 8), connection(PROTOCOL_ERROR)),
    ("half-closed-data", headers(1, OK, END | END_HEADERS) + data(), stream(STREAM_CLOSED)),
    ("half-closed-headers", headers(1, OK, END | END_HEADERS) + headers(1, TRAILERS, END | END_HEADERS), stream(STREAM_CLOSED)),
    ("data-before-headers", data(), stream(PROTOCOL_ERROR)),
    ("data-stream-0", data(0), connection(PROTOCOL_ERROR)),
    ("push-promise", PROMISE, connection(PROTOCOL_ERROR)),
    ("push-promise-stream-0", frame(frames.PUSH_PROMISE, END_HEADERS, 0, b"\0\0\0\2" + BLOCK), connection(PROTOCOL_ERROR)),
    ("push-promise-of-a-reset-stream", frames.rst_stream(1, 8) + PROMISE, connection(PROTOCOL_ERROR)),
    ("enable-push-1", frames.settings({2: 1}), connection(PROTOCOL_ERROR)),
    ("enable-push-0", frames.settings({2: 0}), None),
    ("connect-protocol-taken-back", frames.settings({8: 1}) + frames.settings({8: 0}), connection(PROTOCOL_ERROR)),
    ("undecodable", headers(1, b"\x80"), connection(COMPRESSION_ERROR)),
    ("window-update-by-0", frames.window_update(1, 0), stream(PROTOCOL_ERROR)),
    ("ping-of-7", frame(frames.PING, 0, 0, bytes(7)), connection(FRAME_SIZE_ERROR)),
    ("goaway-of-7", frame(frames.GOAWAY, 0, 0, bytes(7)), connection(FRAME_SIZE_ERROR)),
    ("informational-with-end", headers(1, INTERIM, END | END_HEADERS), stream(PROTOCOL_ERROR)),
    ("informational", headers(1, INTERIM) * 2 + headers(1, OK, END | END_HEADERS), None),
    ("data-after-informational", headers(1, INTERIM) + data(), stream(PROTOCOL_ERROR)),
    ("reset-without-error-after-response", headers(1, OK, END | END_HEADERS) + frames.rst_stream(1, 0), None),
]


@pytest.mark.parametrize(("sent", "expected"), [pytest.param(*case, id=name) for name, *case in AT_FIRST])
def test_beginning_of_a_connection(sent: bytes, expected: Outcome) -> None:
    """The preface, and SETTINGS before everything else."""
    assert outcome(server(), sent) == expected
    in_bytes = server()
    assert _outcome_in_pieces(in_bytes, sent, 1) == expected


@pytest.mark.parametrize(("sent", "expected"), [pytest.param(*case, id=name) for name, *case in TO_SERVER])
def test_frames_to_a_server(sent: bytes, expected: Outcome) -> None:
    """Each is taken, or an error of the stream or of the connection with its code, in one piece and in many."""
    limits = {"max_streams": 3, "max_frame_bytes": 1 << 14}
    assert outcome(server(**limits), HELLO + sent) == expected
    for size in (1, 7):
        assert _outcome_in_pieces(server(**limits), HELLO + sent, size) == expected


@pytest.mark.parametrize(("sent", "expected"), [pytest.param(*case, id=name) for name, *case in TO_CLIENT])
def test_frames_to_a_client(sent: bytes, expected: Outcome) -> None:
    """As for a server."""
    assert outcome(client(), sent) == expected
    assert _outcome_in_pieces(client(), sent, 3) == expected


ON_CLOSED: list[tuple[str, bytes, Outcome]] = [
    ("data", data(), connection(STREAM_CLOSED)),
    ("data-cut", data(1, BIG)[:99], connection(STREAM_CLOSED)),
    ("headers", headers(1, TRAILERS, END | END_HEADERS), connection(STREAM_CLOSED)),
    ("continued-headers", headers(1, b"", 0) + frame(frames.CONTINUATION, END_HEADERS, 1, TRAILERS), connection(STREAM_CLOSED)),
    ("window-update", frames.window_update(1, 5), None),
    ("priority", PRIORITY, None),
    ("rst-stream", frames.rst_stream(1, 8), None),
]


@pytest.mark.parametrize(("sent", "expected"), [pytest.param(*case, id=name) for name, *case in ON_CLOSED])
def test_frames_on_a_stream_that_both_ended(sent: bytes, expected: Outcome) -> None:
    """Only what may have crossed our end is taken."""
    end = server()
    (event,) = end.receive(HELLO + WHOLE)
    end.send_headers(event[1], OK, is_end=True)
    end.take_output()
    assert outcome(end, sent) == expected


@pytest.mark.parametrize("sent", [data(1), frame(frames.SETTINGS, ACK, 0), PING, UNKNOWN], ids=["data", "ack", "ping", "unknown"])
def test_client_whose_server_does_not_begin_with_settings_ends_the_connection(sent: bytes) -> None:
    """A server's preface is its SETTINGS."""
    assert outcome(client(0, False), sent) == ("connection", PROTOCOL_ERROR)


def _outcome_in_pieces(end: object, sent: bytes, size: int) -> Outcome:
    pieces = _Pieces(end, size)
    return outcome(pieces, sent)  # type: ignore[arg-type]  # stands in for the connection it cuts for


class _Pieces:
    """A connection that is fed in small reads."""

    def __init__(self, end: object, size: int) -> None:
        self._end, self._size = end, size

    def receive(self, sent: bytes) -> list[object]:
        found: list[object] = []
        for at in range(0, len(sent), self._size):
            found += self._end.receive(sent[at : at + self._size])  # type: ignore[attr-defined]
        return found

    def __getattr__(self, name: str) -> object:
        return getattr(self._end, name)
