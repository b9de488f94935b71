"""Compressed messages of a server's callers, unfolded in steps between which others have their turn."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jina.wire import grpc, hpack
from jina.wire.buffered import Buffered
from jina.wire.grpc_messages import TURN_BYTES, Allowance, MessageError, MessageReader, compress, framed
from jina.wire.status import GrpcStatus
from tests.wire.test_grpc_clauses import message

UNARY, STREAM = "/a.B/One", "/a.B/Many"
MIB = 1 << 20
PART = random.Random(1).randbytes(2000) + bytes((64 << 10) - 2000)
LARGE = PART * 80
"""5 MiB that gzip makes 160 kB of."""
STORED = b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + b"\0\0\0\xff\xff" * 700_000
"""A gzip stream of 3.5 MB of which nothing ever comes."""


class Pair:
    """A server, and a client of it whose data are sent as they are."""

    def __init__(self, max_message_bytes: int | None = None, limit: int | None = None) -> None:
        self.buffered = Buffered(limit)
        self.server = grpc.ServerConnection(max_message_bytes=max_message_bytes, unary_paths=(UNARY,), buffered=self.buffered)
        self.client = grpc.ClientConnection()
        self.exchange()

    def start(self, path: str, encoding: str = "gzip", timeout_s: float | None = None) -> int:
        return self.client.start(grpc.request_block(path, "host", timeout_s=timeout_s) + hpack.encode_field("grpc-encoding", encoding))

    def send(self, stream: int, data: bytes, *, is_end: bool = False) -> list[grpc.Event]:
        """Give the events until no more can be sent."""
        self.client._http2.send_data(self.client._streams[stream], (data,), is_end=is_end)
        return self.exchange()

    def exchange(self) -> list[grpc.Event]:
        events = list[grpc.Event]()
        while out := self.client.take_output():
            events += self.server.receive(out)
            self.client.receive(self.server.take_output())
        return events

    def unfold(self, now: float = 0.0) -> list[grpc.Event]:
        """Give the events of all turns that are left."""
        events = list[grpc.Event]()
        while self.server.unfolding:
            events += self.server.unfold(now)
            assert self.buffered.limit is None or self.buffered.n_bytes <= self.buffered.limit
        return events

    def ended(self) -> tuple[int, str]:
        """Status and text that the caller was told."""
        (event,) = [event for event in self.client.receive(self.server.take_output()) if event[0] == grpc.ENDED]
        return event[2], event[3]


def read(reader: MessageReader, allowance: Allowance, data: bytes, sizes: list[int]) -> tuple[list[bytes], int]:
    """Give what comes of data that are cut so, and in how many turns."""
    found, n_turns, at = list[bytes](), 0, 0
    while at < len(data) or reader.is_unfolding:
        size = sizes.pop() if sizes else len(data)
        allowance.n_bytes = TURN_BYTES
        found += reader.feed(memoryview(data)[at : at + size])
        at, n_turns = at + size, n_turns + 1
    return found, n_turns


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@settings(deadline=None, max_examples=30)
@given(
    messages=st.lists(st.sampled_from([b"", b"a", PART, PART * 17, LARGE, random.Random(2).randbytes(300_000)]), max_size=5),
    plain=st.sets(st.integers(0, 4)),
    sizes=st.lists(st.integers(0, 200_000), max_size=12),
)
def test_messages_come_out_as_they_were_in_order_whatever_the_cuts(
    encoding: str, messages: list[bytes], plain: set[int], sizes: list[int]
) -> None:
    """Large and small, compressed and not; a turn makes no more than it may."""
    data = b"".join(b"".join(framed(each, "identity" if n in plain else encoding)) for n, each in enumerate(messages))
    allowance = Allowance()
    reader = MessageReader(encoding, None, None, allowance)
    found, n_turns = read(reader, allowance, data, sizes)
    assert found == messages
    assert all(type(each) is bytes for each in found)
    assert reader.n_bytes == 0
    folded = [each for n, each in enumerate(messages) if n not in plain]
    assert n_turns >= sum(map(len, folded)) // TURN_BYTES


def test_what_is_held_counts_the_message_as_it_came_what_was_made_of_it_and_what_waits_behind() -> None:
    """To the byte."""
    packed, allowance = compress(LARGE, "gzip"), Allowance()
    reader = MessageReader("gzip", None, None, allowance)
    assert reader.feed(message(packed, 1) + b"\0\0") == []
    assert allowance.n_bytes <= 0
    n_made = reader.n_bytes - len(packed) - 2
    assert MIB - (128 << 10) < n_made <= MIB
    assert reader.feed(b"\0\0") == []  # no allowance is left
    assert reader.n_bytes == len(packed) + n_made + 4
    allowance.n_bytes = 10 * MIB
    assert reader.feed(b"\1") == [LARGE]
    assert (reader.is_unfolding, reader.n_bytes) == (False, 5)
    assert reader.feed(b"x") == [b"x"]


def test_what_unfolds_to_nothing_takes_turns_too() -> None:
    """What is read counts as what is made."""
    allowance = Allowance()
    reader = MessageReader("gzip", None, None, allowance)
    assert reader.feed(message(STORED, 1)) == []
    for _ in range(2):
        assert reader.is_unfolding
        allowance.n_bytes = TURN_BYTES
        assert reader.feed(b"") == []
    allowance.n_bytes = TURN_BYTES
    with pytest.raises(MessageError, match="cut short"):
        reader.feed(b"")


FAULTS: list[tuple[str, bytes, int | None, int | None, GrpcStatus, str]] = [
    ("cut short", compress(LARGE, "gzip")[:-1], None, None, GrpcStatus.INTERNAL, "cut short"),
    ("a wrong sum at its end", compress(LARGE, "gzip")[:-8] + bytes(8), None, None, GrpcStatus.INTERNAL, "cannot be decompressed"),
    ("100 times its size", compress(bytes(50 * MIB), "gzip"), None, None, GrpcStatus.RESOURCE_EXHAUSTED, "ratio of 100"),
    ("the limit", compress(LARGE, "gzip"), 3 * MIB, None, GrpcStatus.RESOURCE_EXHAUSTED, f"{3 * MIB} bytes (max_message_bytes)"),
    ("a byte over the limit", compress(LARGE, "gzip"), len(LARGE) - 1, None, GrpcStatus.RESOURCE_EXHAUSTED, "max_message_bytes"),
    ("no room", compress(LARGE, "gzip"), None, 3 * MIB, GrpcStatus.RESOURCE_EXHAUSTED, "max_buffered_bytes"),
]


@pytest.mark.parametrize(("data", "limit", "room", "status", "text"), [each[1:] for each in FAULTS], ids=[each[0] for each in FAULTS])
def test_faults_that_show_late_end_the_call(data: bytes, limit: int | None, room: int | None, status: GrpcStatus, text: str) -> None:
    """As those that show at once; what was held is not counted any more."""
    pair = Pair(limit, room)
    assert pair.send(pair.start(UNARY), message(data, 1), is_end=True) == []
    assert pair.server.unfolding
    assert pair.unfold() == []
    assert (pair.server.n_streams, pair.buffered.n_bytes) == (0, 0)
    told = pair.ended()
    assert told[0] == status
    assert text in told[1]


@pytest.mark.parametrize("data", [b"abc", LARGE])
def test_what_follows_the_end_of_a_compressed_message_is_passed_over(data: bytes) -> None:
    """Whether the message is small or large."""
    pair = Pair()
    events = pair.send(pair.start(UNARY), message(compress(data, "gzip") + b"and more", 1), is_end=True) + pair.unfold()
    assert [(event[0], event[3]) for event in events] == [(grpc.UNARY, data)]


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_stream_keeps_its_order_and_ends_behind_its_last_message(encoding: str) -> None:
    """However much has come by the time the first is unfolded; the end of the stream, too."""
    pair, small = Pair(), compress(b"small", encoding)
    folded = message(compress(LARGE, encoding), 1)
    stream = pair.start(STREAM, encoding)
    events = pair.send(stream, message(b"first") + folded + message(b"plain") + message(small, 1)) + pair.send(stream, folded, is_end=True)
    assert [event[0] for event in events] == [grpc.CALL_STARTED, grpc.MESSAGE]
    events += pair.unfold()
    assert [event[2] for event in events if event[0] == grpc.MESSAGE] == [b"first", LARGE, b"plain", b"small", LARGE]
    assert events[-1] == (grpc.HALF_CLOSED, stream)
    assert (pair.buffered.n_bytes, pair.server.n_buffered_bytes) == (0, 0)


def test_the_end_of_a_request_within_a_message_behind_a_large_one_is_told() -> None:
    """After the large one is unfolded."""
    pair = Pair()
    stream = pair.start(STREAM)
    pair.send(stream, message(compress(LARGE, "gzip"), 1) + message(b"abc")[:-1], is_end=True)
    assert [event[0] for event in pair.unfold()] == [grpc.MESSAGE, grpc.CANCELLED]
    assert "ends within a message" in pair.ended()[1]


def test_calls_of_one_connection_take_turns() -> None:
    """A small one need not wait for two large ones; what all of them make in a turn is bounded."""
    pair, large = Pair(), message(compress(LARGE, "gzip"), 1)
    first, second = [pair.start(UNARY) for _ in range(2)]
    for stream in (first, second):
        pair.send(stream, large, is_end=True)
    held = pair.buffered.n_bytes
    third = pair.start(UNARY)
    (event,) = pair.send(third, message(compress(b"small", "gzip"), 1), is_end=True)
    assert event[1] == third
    done = []
    while pair.server.unfolding:
        done += [event[1] for event in pair.server.unfold()]
        assert pair.buffered.n_bytes <= held + TURN_BYTES
        held = pair.buffered.n_bytes
    assert done == [first, second]


def test_many_small_bombs_in_one_read_take_turns() -> None:
    """Each may unfold to a mebibyte."""
    pair = Pair()
    stream, bomb = pair.start(STREAM), message(compress(bytes(MIB - 1), "gzip"), 1)
    events = pair.send(stream, bomb * 20)
    assert [event[0] for event in events] == [grpc.CALL_STARTED, grpc.MESSAGE]
    n_turns = 0
    while pair.server.unfolding:
        events += pair.server.unfold()
        n_turns += 1
    assert n_turns >= 19
    assert [len(event[2]) for event in events if event[0] == grpc.MESSAGE] == [MIB - 1] * 20


@pytest.mark.parametrize("how", ["reset", "our reset", "our answer", "eof"])
@pytest.mark.parametrize("path", [UNARY, STREAM])
def test_a_call_that_ends_meanwhile_gives_everything_back(path: str, how: str) -> None:
    """At once, and nothing comes of it any more."""
    pair = Pair()
    stream = pair.start(path)
    pair.send(stream, message(compress(LARGE, "gzip"), 1))
    pair.server.unfold()
    assert pair.buffered.n_bytes > 1.5 * MIB
    if how == "reset":
        pair.client.cancel(stream)
        events = pair.exchange()
        assert [event[0] for event in events] == ([grpc.CANCELLED] if path == STREAM else [])
    elif how == "our reset":
        pair.server.reset(stream)
    elif how == "our answer":
        pair.server.send_status(stream, 8, "enough")
    else:
        pair.server.eof()
    assert pair.buffered.n_bytes == 0
    assert pair.server.unfold() == []
    assert not pair.server.unfolding


def test_a_deadline_that_passes_meanwhile_ends_the_call() -> None:
    """Of a call to a method of one message; those of streams have a timer."""
    pair = Pair()
    pair.send(pair.start(UNARY, timeout_s=2.0), message(compress(LARGE, "gzip"), 1), is_end=True)
    assert pair.server.unfold(1.9) == []
    assert pair.server.unfolding
    assert pair.unfold(2.1) == []
    assert pair.ended()[0] == GrpcStatus.DEADLINE_EXCEEDED
    assert (pair.server.n_streams, pair.buffered.n_bytes) == (0, 0)


def test_the_sender_waits_while_its_message_is_unfolded() -> None:
    """What it sends ahead is bounded by its window, which opens afterwards."""
    pair = Pair()
    stream, large = pair.start(STREAM), message(compress(LARGE, "gzip"), 1)
    pair.send(stream, large)
    size = 20 * MIB
    pair.send(stream, message(bytes(size)))
    assert 2 * MIB < pair.buffered.n_bytes < 8 * MIB
    events = pair.unfold()
    while pair.buffered.n_bytes:
        pair.client.receive(pair.server.take_output())
        events += pair.exchange()
    assert [len(event[2]) for event in events if event[0] == grpc.MESSAGE] == [len(LARGE), size]
