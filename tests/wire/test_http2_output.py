"""Whatever is asked of a connection, in any order and at any time: the `h2` library, which checks states, windows and sizes, takes all
that it sends, in both roles, and nothing that was to be sent is lost."""

from __future__ import annotations

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings
from hypothesis import given, settings
from hypothesis import strategies as st

from jina.wire import hpack, http2
from jina.wire.buffered import Buffered
from jina.wire.http2_limits import Http2Limits
from tests.wire.clauses.peers import BLOCK, OK, REQUEST, TRAILERS, build

Step = tuple[str, int, int]
"""What is done, with which stream (of those that there are), and a size."""

SIZES = st.sampled_from((0, 1, 100, 16_384, 16_385, 40_000, 70_000))
OURS = ("headers", "data", "end", "trailers", "interim", "reset", "exchange", "hold", "give back", "ping")
PEERS = ("open", "more", "finish", "window", "connection window", "initial window", "frame size", "table size", "abandon")
USUAL = ("data", "data", "exchange", "open", "window", "connection window", "initial window")
STEPS = st.lists(st.tuples(st.sampled_from(OURS + PEERS + USUAL * 3), st.integers(0, 2), SIZES), min_size=8, max_size=40)


class Pair:
    """Our end and h2's, with what each has sent on each stream."""

    def __init__(self, *, is_client: bool) -> None:
        self.buffered = Buffered()
        self.ours = http2.Connection(
            is_client=is_client, limits=Http2Limits(), build_head=build, build_trailers=build, buffered=self.buffered
        )
        self.other = h2.connection.H2Connection(h2.config.H2Configuration(client_side=not is_client, header_encoding="latin-1"))
        self.other.initiate_connection()
        self.is_client = is_client
        self.streams: list[http2.Stream] = []
        self.sent: dict[int, int] = {}
        self.got: dict[int, int] = {}
        self.begun: set[int] = set()
        self.over: set[int] = set()
        self.finished: set[int] = set()  # what the peer has ended: the library forgets a stream on which it is told to go on
        self.exchange()

    def exchange(self) -> None:
        """Give each end what the other has to say, until both are silent."""
        for _ in range(100):
            out, back = self.ours.take_output(), self.other.data_to_send()
            if not out and not back:
                return
            for event in self.other.receive_data(out) if out else []:
                if isinstance(event, h2.events.DataReceived):
                    self.got[event.stream_id] = self.got.get(event.stream_id, 0) + len(event.data)
                    if event.flow_controlled_length:
                        self.other.acknowledge_received_data(0, event.stream_id)
                elif isinstance(event, h2.events.StreamEnded | h2.events.StreamReset):
                    self.over.add(event.stream_id)
            for found in self.ours.receive(back) if back else []:
                if found[0] == http2.HEADERS and not self.is_client:
                    self.streams.append(found[1])
                assert found[0] != http2.CLOSED, found
        raise AssertionError("they never come to an end")

    def open(self) -> None:
        if not self.is_client:
            number = self.other.get_next_available_stream_id()
            self.other.send_headers(number, list(REQUEST))
        elif self.ours.can_start:
            stream = self.ours.start()
            self.ours.send_headers(stream, BLOCK)
            self.begun.add(stream.number)
            self.streams.append(stream)

    def answers(self, stream: http2.Stream) -> None:
        """Send a server's head if it has not gone out, as the layers above do."""
        if stream.number not in self.begun:
            self.begun.add(stream.number)
            self.ours.send_headers(stream, OK)

    def do(self, what: str, stream: http2.Stream, size: int) -> None:
        ours, number = self.ours, stream.number
        if what == "reset":
            ours.reset(number, 8)
        elif what == "headers":
            self.answers(stream)
        elif what == "hold":
            ours.hold(stream, size)
        elif what == "give back":
            ours.hold(stream, -size)
        elif what == "interim" and not self.is_client and number not in self.begun:
            ours.send_headers(stream, hpack.encode(((":status", "103"),)))
        elif what == "exchange" and not self.is_client and number not in self.begun:
            self.begun.add(number)
            self.note(stream, size)
            ours.exchange(stream, OK, (bytes(size),), size, TRAILERS)
        elif what in ("data", "end"):
            self.answers(stream)
            size = size or int(stream.window < 0)  # the library refuses an empty end there, which RFC 9113, 6.9.1 allows
            self.note(stream, size)
            ours.send_data(stream, (bytes(size),), is_end=what == "end")
        elif what == "trailers":
            self.answers(stream)
            ours.send_headers(stream, TRAILERS, is_end=True)

    def note(self, stream: http2.Stream, size: int) -> None:
        if stream.state in ("OPEN", "HALF_CLOSED_REMOTE") and stream.finish is None:
            self.sent[stream.number] = self.sent.get(stream.number, 0) + size

    def peer(self, what: str, number: int | None, size: int) -> None:
        other = self.other
        try:
            if what == "connection window" and size:
                other.increment_flow_control_window(size)
            elif what == "initial window":
                other.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: size})
            elif what == "frame size":
                other.update_settings({h2.settings.SettingCodes.MAX_FRAME_SIZE: max(size, 16_384)})
            elif what == "table size":
                other.update_settings({h2.settings.SettingCodes.HEADER_TABLE_SIZE: size})
            elif number is None or number in self.over or (what in ("more", "finish") and number in self.finished):
                return
            elif what == "window" and size:
                other.increment_flow_control_window(size, number)
            elif what == "more":
                other.send_data(number, bytes(min(size, 1000, other.local_flow_control_window(number))))
            elif what == "finish":
                other.end_stream(number)
                self.finished.add(number)
            elif what == "abandon":
                other.reset_stream(number)
                self.over.add(number)
        except (h2.exceptions.ProtocolError, KeyError, ValueError):  # the library will not do it now, e.g. on a stream that has ended
            pass


@settings(max_examples=150, deadline=None)
@given(st.booleans(), STEPS)
def test_h2_takes_whatever_we_send(is_client: bool, steps: list[Step]) -> None:
    """And gets every byte, once the windows are open."""
    pair = Pair(is_client=is_client)
    pair.open()
    pair.exchange()
    for what, index, size in steps:
        stream = pair.streams[index] if index < len(pair.streams) else None
        if what == "open":
            pair.open()
        elif what in PEERS:
            pair.peer(what, None if stream is None else stream.number, size)
        elif what == "ping":
            pair.ours.ping(bytes(8))
        elif stream is not None:
            pair.do(what, stream, size)
        pair.exchange()
    pair.peer("initial window", None, 70_000)
    pair.exchange()
    for _ in range(60):
        for stream in pair.streams:
            pair.peer("window", stream.number, 70_000)
        pair.peer("connection window", None, 70_000)
        pair.exchange()
    assert not pair.ours.is_closed
    for stream in pair.streams:
        if stream.number not in pair.over or stream.number in pair.ours.streams:
            assert pair.got.get(stream.number, 0) == pair.sent.get(stream.number, 0)
            assert not stream.n_queued
    assert pair.buffered.n_bytes == 0
