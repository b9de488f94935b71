"""The same frames, valid or not and cut anywhere, to us and to the `h2` library, in both roles: the same events, or both object.

After each frame what both made of it is compared. Where one of them objects the other must object to the same frame with the same code; a
stream error of ours may be a connection error there, as RFC 9113, 5.4.1 allows. What h2 sees otherwise than the RFC is in `DEPARTURES`, and
in docs/design/http2-clauses.md.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings
from hypothesis import given, settings
from hypothesis import strategies as st

from jina.wire import hpack, http2
from jina.wire import http2_frames as frames
from jina.wire.http2_limits import Http2Limits
from tests.wire.clauses.peers import BLOCK, HELLO, OK, TRAILERS, build, parsed

N_EXAMPLES: Final = int(os.environ.get("OPENJINA_DIFFERENTIAL_EXAMPLES", "200"))
LIMITS: Final = Http2Limits(max_frame_bytes=1 << 14, stream_window_bytes=65535, connection_window_bytes=65535, max_streams=1000)

Made = list[tuple[Any, ...]]


@dataclass
class Frame:
    """A frame, and what it is for those who read a failure."""

    kind: int
    flags: int
    stream: int
    payload: bytes

    @property
    def sent(self) -> bytes:
        return frames.frame(self.kind, self.flags, self.stream, self.payload)


@dataclass
class Verdict:
    """What an end made of a frame.

    Attributes:
        events: In order; DATA of one stream joined.
        error: `connection` or `stream`, with the code.
    """

    events: Made = field(default_factory=list)
    error: tuple[str, int] | None = None


BLOCKS: Final = {
    "request": BLOCK,
    "request with a length": BLOCK + hpack.encode_field("content-length", "3"),
    "request added to the table": b"\x83\x86\x44\x02/a\x41\x01h\x40\x01x\x01y",
    "request of the table": b"\x83\x86\x84\xbf\xbe",
    "get": b"\x82\x86\x84\x01\x01h",
    "response": OK,
    "response with a length": OK + hpack.encode_field("content-length", "3"),
    "interim": b"\x08\x03103",
    "trailers": TRAILERS,
    "trailers added to the table": b"\x40\x01x\x01z",
    "upper case": BLOCK + b"\0\1A\1b",
    "path missing": b"\x82\x86\x01\x01h",
    "path twice": BLOCK + b"\x84",
    "after others": b"\x82\x86\x84\0\1a\1b\x01\x01h",
    "connection": BLOCK + hpack.encode_field("connection", "close"),
    "response with a connection": OK + hpack.encode_field("transfer-encoding", "chunked"),
    "te": BLOCK + hpack.encode_field("te", "gzip"),
    "unknown pseudo": b"\0\2:x\1b" + BLOCK,
    "status in a request": BLOCK + b"\x88",
    "method in a response": OK + b"\x82",
    "space around": BLOCK + b"\0\1a\2 b",
    "undecodable": b"\x80",
    "beyond the table": b"\xff\x20",
    "table size 0": b"\x20" + BLOCK,
    "table size too large": b"\x3f\xe2\x1f" + BLOCK,
    "empty": b"",
}
numbers = st.sampled_from((1, 1, 1, 3, 3, 5, 7, 2, 0))
flags = st.one_of(st.sampled_from((0, 1, 4, 5, 8, 9, 0x20, 0x24, 0x25, 0x2C, 0xFF, 0xF2)), st.integers(0, 255))
increments = st.sampled_from((0, 1, 5, 1000, frames.MAX_WINDOW - 65535, frames.MAX_WINDOW, 1 << 31, (1 << 31) + 7))
values = st.sampled_from((0, 1, 2, 100, 16383, 16384, 16385, 65535, (1 << 24) - 1, 1 << 24, (1 << 31) - 1, 1 << 31))
usual = st.sampled_from((4, 5, 4, 5, 0, 1))


def of_headers(name: str, number: int, flags: int, padding: int) -> Frame:
    payload = BLOCKS[name]
    if flags & frames.HAS_PRIORITY:
        payload = b"\0\0\0\x0b\x10" + payload
    if flags & frames.PADDED:
        payload = bytes((padding,)) + payload + bytes(padding)
    return Frame(frames.HEADERS, flags, number, payload)


small_frame = st.one_of(
    st.builds(of_headers, st.sampled_from(("request", "get", "request with a length")), st.sampled_from((1, 3, 5, 7)), usual, st.just(0)),
    st.builds(of_headers, st.sampled_from(("response", "interim", "trailers")), st.sampled_from((1, 3)), usual, st.just(0)),
    st.builds(of_headers, st.sampled_from(sorted(BLOCKS)), numbers, usual | flags, st.sampled_from((0, 1, 200))),
    st.builds(Frame, st.just(frames.CONTINUATION), usual, numbers, st.sampled_from(sorted(BLOCKS.values()))),
    st.builds(
        Frame,
        st.just(frames.DATA),
        usual | flags,
        numbers,
        st.sampled_from((b"", b"a", b"abc", b"\0abc", b"\2ab", b"\xff")) | st.just(bytes(5000)),
    ),
    st.builds(Frame, st.just(frames.RST_STREAM), flags, numbers, st.just(b"\0\0\0\x08") | st.binary(max_size=6)),
    st.builds(Frame, st.just(frames.PRIORITY), flags, numbers, st.just(b"\0\0\0\x0b\x10") | st.binary(max_size=6)),
    st.builds(
        Frame,
        st.just(frames.SETTINGS),
        usual,
        st.sampled_from((0, 0, 0, 1)),
        st.lists(st.tuples(st.integers(0, 9), values), max_size=3).map(
            lambda pairs: b"".join(k.to_bytes(2) + v.to_bytes(4) for k, v in pairs)
        )
        | st.binary(max_size=7),
    ),
    st.builds(Frame, st.just(frames.PING), usual, st.sampled_from((0, 0, 0, 1)), st.binary(min_size=8, max_size=8) | st.binary(max_size=9)),
    st.builds(
        Frame, st.just(frames.GOAWAY), flags, st.sampled_from((0, 0, 0, 1)), st.sampled_from((bytes(8), b"\0\0\0\1\0\0\0\2bye", bytes(7)))
    ),
    st.builds(Frame, st.just(frames.WINDOW_UPDATE), flags, numbers, increments.map(lambda by: by.to_bytes(4)) | st.binary(max_size=5)),
    st.builds(Frame, st.just(frames.PUSH_PROMISE), usual, numbers, st.just(b"\0\0\0\2" + BLOCK) | st.binary(max_size=5)),
    st.builds(Frame, st.integers(11, 255), flags, numbers, st.binary(max_size=20)),
)
any_frame = small_frame | st.builds(Frame, st.integers(0, 9), st.just(0), st.just(0), st.just(bytes(16385)))


class Ours:
    """Our end; it is fed in pieces of `cut` bytes."""

    def __init__(self, *, is_client: bool, cut: int, n_requests: int = 2) -> None:
        self.end = http2.Connection(is_client=is_client, limits=LIMITS, build_head=build, build_trailers=build, takes_whole=True)
        self.cut = cut
        self.feed((frames.settings({}) if is_client else HELLO) + frames.frame(frames.SETTINGS, frames.ACK, 0))
        if is_client:
            for at in range(n_requests):
                self.end.send_headers(self.end.start(), BLOCK, is_end=at > 1)
        self.end.take_output()

    def feed(self, sent: bytes) -> Verdict:
        made = Verdict()
        for at in range(0, len(sent), self.cut):
            for event in self.end.receive(sent[at : at + self.cut]):
                self.add(event, made)
        for kind, _, number, payload in parsed(self.end.take_output()):
            code = int.from_bytes(payload, "big")
            if kind == frames.RST_STREAM and made.error is None:
                made.error = "stream", code
            elif kind == frames.PING:
                made.events.append(("pinged", payload))
            elif kind == frames.SETTINGS:
                made.events.append(("settings",))
            assert number or kind != frames.RST_STREAM
        return made

    def add(self, event: http2.Event, made: Verdict) -> None:
        kind = event[0]
        if kind == http2.CLOSED:
            made.error = "connection", event[1]
        elif kind == http2.RESET and event[4] == "the peer reset the stream":
            made.events.append(("reset", event[1].number, event[2]))
        elif kind == http2.HEADERS:
            made.events.append(("headers", event[1].number, event[1].head, event[2]))
        elif kind == http2.TRAILERS:
            made.events.append(("trailers", event[1].number, event[2]))
        elif kind == http2.DATA:
            add_data(made.events, event[1].number, bytes(event[2]), event[3])
        elif kind == http2.WHOLE:
            _, stream, data, start, end, trailers = event
            made.events.append(("headers", stream.number, stream.head, False))
            add_data(made.events, stream.number, data[start:end], trailers is None)
            made.events.extend([] if trailers is None else [("trailers", stream.number, trailers)])
        elif kind == http2.PING_ACK:
            made.events.append(("answered", event[1]))
        elif kind == http2.GOAWAY:
            made.events.append(("goaway", event[1], event[2]))


def add_data(events: Made, number: int, data: bytes, is_end: bool) -> None:
    if events and events[-1][:2] == ("data", number) and not events[-1][3]:
        data = events.pop()[2] + data
    events.append(("data", number, data, is_end))


class Theirs:
    """The library's end."""

    def __init__(self, *, is_client: bool) -> None:
        self.end = h2.connection.H2Connection(h2.config.H2Configuration(client_side=is_client, header_encoding="latin-1"))
        if is_client:
            self.end.local_settings[h2.settings.SettingCodes.ENABLE_PUSH] = 0
        self.end.initiate_connection()
        self.end.receive_data((frames.settings({}) if is_client else HELLO) + frames.frame(frames.SETTINGS, frames.ACK, 0))
        if is_client:
            for number in (1, 3):
                self.end.send_headers(number, [(":method", "POST"), (":scheme", "http"), (":path", "/a"), (":authority", "h")])
        self.end.data_to_send()

    def feed(self, sent: bytes) -> Verdict:
        made = Verdict()
        try:
            for event in self.end.receive_data(sent):
                self.add(event, made)
        except h2.exceptions.ProtocolError as error:
            made.error = "connection", int(error.error_code)
        except h2.exceptions.FrameTooLargeError:
            made.error = "connection", frames.FRAME_SIZE_ERROR
        for kind, flags, _, payload in parsed(self.end.data_to_send()):
            if kind == frames.RST_STREAM and made.error is None:
                made.error = "stream", int.from_bytes(payload, "big")
            elif kind == frames.PING and flags:
                made.events.append(("pinged", payload))
            elif kind == frames.SETTINGS:
                made.events.append(("settings",))
        return made

    def add(self, event: h2.events.Event, made: Verdict) -> None:
        events = made.events
        if isinstance(event, h2.events.RequestReceived | h2.events.ResponseReceived):
            events.append(("headers", event.stream_id, tuple((n, v) for n, v in event.headers), event.stream_ended is not None))
        elif isinstance(event, h2.events.TrailersReceived):
            events.append(("trailers", event.stream_id, tuple((n, v) for n, v in event.headers)))
        elif isinstance(event, h2.events.DataReceived):
            add_data(events, event.stream_id, event.data, event.stream_ended is not None)
            if event.flow_controlled_length:
                self.end.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamReset):
            if event.remote_reset:
                events.append(("reset", event.stream_id, int(event.error_code or 0)))
        elif isinstance(event, h2.events.PingAckReceived):
            events.append(("answered", event.ping_data))
        elif isinstance(event, h2.events.ConnectionTerminated):
            events.append(("goaway", event.last_stream_id, int(event.error_code or 0)))


Known = Callable[[Frame, Verdict, Verdict, "Past"], bool]


@dataclass
class Past:
    """What was sent before."""

    is_client: bool
    sent: list[Frame] = field(default_factory=list)
    faulty: list[Frame] = field(default_factory=list)

    def had(self, kind: int) -> bool:
        return any(frame.kind == kind for frame in self.sent)

    def is_over(self, number: int) -> bool:
        """Whether a stream was reset, by the peer or for a fault."""
        return any(frame.stream == number and (frame.kind == frames.RST_STREAM or frame in self.faulty) for frame in self.sent)

    def block(self, last: Frame) -> bytes:
        """Give what stands in the header block that a frame ends, and maybe before."""
        return b"".join(frame.payload for frame in [*self.sent, last])

    def keys(self, frame: Frame) -> list[bytes]:
        return [frame.payload[at : at + 2] for at in range(0, len(frame.payload), 6)]


HEADS: Final = (frames.HEADERS, frames.CONTINUATION)
DEPARTURES: Final[dict[str, Known]] = {
    "6.4: RST_STREAM on an idle stream is taken": lambda frame, ours, theirs, past: (
        frame.kind == frames.RST_STREAM and ours.error == ("connection", frames.PROTOCOL_ERROR) and theirs.error is None
    ),
    "8.1.1: a body that content-length announces need not come": lambda frame, ours, theirs, past: (
        frame.kind in HEADS
        and ours.error == ("stream", frames.PROTOCOL_ERROR)
        and theirs.error is None
        and b"\x0f\r\x013" in past.block(frame)
    ),
    "5.1: what comes for a stream that was reset is reset again; RFC 9113 lets it be ignored": lambda frame, ours, theirs, past: (
        ours == Verdict() and theirs.error is not None and past.is_over(frame.stream)
    ),
    "5.1: a frame for a closed stream is an error of the stream; a connection error is allowed": lambda frame, ours, theirs, past: (
        ours.error == ("connection", frames.STREAM_CLOSED) and theirs.error == ("stream", frames.STREAM_CLOSED)
    ),
    "5.1: a client takes HEADERS for a stream of the server's": lambda frame, ours, theirs, past: (
        past.is_client and frame.kind in HEADS and not frame.stream & 1 and ours.error == ("connection", frames.PROTOCOL_ERROR)
    ),
    "6.9: the reserved bit of WINDOW_UPDATE is not ignored": lambda frame, ours, theirs, past: (
        frame.kind == frames.WINDOW_UPDATE and frame.payload[:1] >= b"\x80" and theirs.error == ("connection", frames.PROTOCOL_ERROR)
    ),
    "6.2: padding that leaves nothing of HEADERS is refused, though shorter than the frame": lambda frame, ours, theirs, past: (
        frame.kind == frames.HEADERS
        and bool(frame.flags & frames.PADDED)
        and theirs.error == ("connection", frames.PROTOCOL_ERROR)
        and frame.payload[0] == len(frame.payload) - 1 - 5 * bool(frame.flags & frames.HAS_PRIORITY)
    ),
    "6.9: WINDOW_UPDATE by 0 ends the connection, for a closed stream too": lambda frame, ours, theirs, past: (
        frame.kind == frames.WINDOW_UPDATE and frame.payload == bytes(4) and theirs.error == ("connection", frames.PROTOCOL_ERROR)
    ),
    "6.8: after GOAWAY nothing more is taken, streams that it lets live included": lambda frame, ours, theirs, past: (
        past.had(frames.GOAWAY) and theirs.error == ("connection", frames.PROTOCOL_ERROR)
    ),
    "6.5.3: of a setting that comes twice in a frame only the last value is looked at": lambda frame, ours, theirs, past: (
        frame.kind == frames.SETTINGS
        and ours.error is not None
        and theirs.error is None
        and len(set(past.keys(frame))) < len(past.keys(frame))
    ),
    "6.6: PUSH_PROMISE is looked at where its block ends": lambda frame, ours, theirs, past: (
        frame.kind == frames.PUSH_PROMISE and not frame.flags & frames.END_HEADERS and theirs == Verdict()
    ),
}


def agrees(own: Verdict, other: Verdict) -> bool:
    """Whether both saw the same."""
    if own.error is None or other.error is None:
        return own == other
    if own.error[0] == "connection" and other.error[0] == "stream":
        return False
    return own.error[1] == other.error[1] or frames.PROTOCOL_ERROR in (own.error[1], other.error[1])


@settings(max_examples=N_EXAMPLES, deadline=None)
@given(st.booleans(), st.lists(any_frame, min_size=1, max_size=10), st.sampled_from((1, 3, 10, 100, 1 << 20)))
def test_frames_are_taken_as_by_h2(is_client: bool, sent: list[Frame], cut: int) -> None:
    """Event by event until one of them ends the connection, or h2 departs from the RFC."""
    own, other, past = Ours(is_client=is_client, cut=cut), Theirs(is_client=is_client), Past(is_client)
    for frame in sent:
        ours, theirs = own.feed(frame.sent), other.feed(frame.sent)
        if not agrees(ours, theirs):
            known = [name for name, is_known in DEPARTURES.items() if is_known(frame, ours, theirs, past)]
            assert known, f"{'client' if is_client else 'server'} after {past.sent}\n{frame}\nours {ours}\nh2 {theirs}"
            return
        errors = [verdict.error for verdict in (ours, theirs) if verdict.error is not None]
        if any(kind == "connection" for kind, _ in errors):
            return
        past.faulty.extend([frame] if errors else [])
        past.sent.append(frame)


def exchanged(number: int, *, is_client: bool) -> list[Frame]:
    """A whole small message, such as we read in one piece."""
    if not is_client:
        return [of_headers("request", number, 4, 0), Frame(frames.DATA, 1, number, b"abc")]
    return [of_headers("response", number, 4, 0), Frame(frames.DATA, 0, number, b"abc"), of_headers("trailers", number, 5, 0)]


@settings(max_examples=N_EXAMPLES, deadline=None)
@given(
    st.booleans(),
    st.lists(st.integers(0, 7).map(lambda n: 2 * n + 1) | small_frame, min_size=1, max_size=12),
    st.lists(st.integers(1, 300), min_size=1, max_size=8),
)
def test_cuts_change_nothing(is_client: bool, plan: list[int | Frame], cuts: list[int]) -> None:
    """In one read, where small messages are taken whole, and in reads of any size: the same events, errors and frames back."""
    sent = b"".join(frame.sent for part in plan for frame in (exchanged(part, is_client=is_client) if isinstance(part, int) else [part]))
    found = []
    for sizes in ([1 << 20], cuts, [7]):
        end, made, output, at, n = Ours(is_client=is_client, cut=1 << 20, n_requests=8), Verdict(), b"", 0, 0
        while at < len(sent):
            size = sizes[n % len(sizes)]
            for event in end.end.receive(sent[at : at + size]):
                end.add(event, made)
            output += end.end.take_output()
            at, n = at + size, n + 1
        found.append((made, [frame for frame in parsed(output) if frame[0] != frames.WINDOW_UPDATE]))
    assert found[0] == found[1] == found[2]
