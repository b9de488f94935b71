"""gRPC on both roles at once: whatever one side sends, the other hears."""

from __future__ import annotations

import pytest

from jina.errors import InvalidInputError
from jina.wire import grpc, grpc_fields, hpack
from jina.wire import http2_frames as frames
from jina.wire.http2_limits import Http2Limits

SMALL = Http2Limits(stream_window_bytes=100, connection_window_bytes=65535, max_queued_bytes=200)


class Pair:
    """A client and a server that are joined; bytes travel in pieces of `cut`."""

    def __init__(
        self, *, cut: int = 1 << 30, server: grpc.ServerConnection | None = None, client: grpc.ClientConnection | None = None
    ) -> None:
        self.server, self.client, self.cut = server or grpc.ServerConnection(), client or grpc.ClientConnection(), cut
        self.heard: dict[str, list[grpc.Event]] = {"server": [], "client": []}
        self.run()
        self.take()

    def run(self) -> None:
        """Move bytes until both are silent."""
        while True:
            to_server, to_client = self.client.take_output(), self.server.take_output()
            if not to_server and not to_client:
                return
            for at in range(0, len(to_server), self.cut):
                self.heard["server"] += self.server.receive(to_server[at : at + self.cut])
            for at in range(0, len(to_client), self.cut):
                self.heard["client"] += self.client.receive(to_client[at : at + self.cut])

    def take(self) -> tuple[list[grpc.Event], list[grpc.Event]]:
        found = self.heard["server"], self.heard["client"]
        self.heard = {"server": [], "client": []}
        return found


BLOCK = grpc.request_block("/a.B/C", "host", [("x-a", "1"), ("x-b-bin", b"\0\1")], 2.5)


@pytest.mark.parametrize("cut", [1, 7, 1 << 30])
@pytest.mark.parametrize("size", [0, 1, 20_000, 3_000_000])
def test_unary_call_travels_however_it_is_cut(cut: int, size: int) -> None:
    """A request and its reply arrive whole, once, whatever the sizes of reads and messages."""
    if cut < 8 and size > 20_000:
        pytest.skip("slow, and the same")
    pair = Pair(cut=cut, server=grpc.ServerConnection(unary_paths=frozenset(("/a.B/C",))))
    message = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    stream = pair.client.call(BLOCK, message)
    pair.run()
    ((kind, number, head, data),) = pair.take()[0]
    assert (kind, number, head.path, data) == (grpc.UNARY, stream, "/a.B/C", message)
    assert head.metadata == (("x-a", "1"), ("x-b-bin", b"\0\1"))
    assert head.timeout_s == 2.5

    pair.server.reply(number, message, [("x-t", "v")])
    pair.run()
    ((kind, number, data, trailers, _),) = pair.take()[1]
    assert (kind, number, data, trailers.metadata) == (grpc.UNARY_REPLY, stream, message, (("x-t", "v"),))
    assert pair.server.n_streams == pair.client.n_streams == 0


@pytest.mark.parametrize("cut", [1, 1 << 30])
def test_messages_go_both_ways_in_one_call(cut: int) -> None:
    """A bidirectional call tells of its start, every message and both ends."""
    pair = Pair(cut=cut)
    stream = pair.client.start(BLOCK)
    pair.run()
    assert [event[0] for event in pair.take()[0]] == [grpc.CALL_STARTED]
    pair.server.send_headers(stream, [("x-i", "1")])
    for message in (b"a", b"", b"b" * 9000):
        pair.client.send_message(stream, message)
        pair.server.send_message(stream, message)
    pair.client.half_close(stream)
    pair.run()
    pair.server.send_status(stream, 5, "nöt\nfound 100%", [("x-t", "2")])
    pair.run()
    at_server, at_client = pair.take()
    messages = [(grpc.MESSAGE, stream, message) for message in (b"a", b"", b"b" * 9000)]
    assert at_server == [*messages, (grpc.HALF_CLOSED, stream)]
    assert at_client[0][0] == grpc.HEAD
    assert at_client[0][2].headers == {"x-i": "1"}
    assert at_client[1:4] == messages
    assert at_client[4] == (grpc.ENDED, stream, 5, "nöt\nfound 100%", (("x-t", "2"),), False)


def test_second_message_to_an_unary_method_is_refused() -> None:
    """A method that takes one message answers UNIMPLEMENTED to none and to two, and its handler hears nothing."""
    pair = Pair(server=grpc.ServerConnection(unary_paths=frozenset(("/a.B/C",))))
    for n in (0, 2):
        stream = pair.client.start(BLOCK)
        for _ in range(n):
            pair.client.send_message(stream, b"x")
        pair.client.half_close(stream)
        pair.run()
        at_server, at_client = pair.take()
        assert at_server == []
        assert at_client[-1][2] == 12


def test_message_over_the_limit_names_the_option() -> None:
    """One byte too many ends the call with RESOURCE_EXHAUSTED; the limit itself passes."""
    pair = Pair(server=grpc.ServerConnection(max_message_bytes=10))
    pair.client.call(BLOCK, b"x" * 10)
    stream = pair.client.call(BLOCK, b"x" * 11)
    pair.run()
    at_server, at_client = pair.take()
    assert len(at_server) == 1
    assert at_client[0][:3] == (grpc.ENDED, stream, 8)
    assert "max_message_bytes" in at_client[0][3]


def test_small_windows_only_slow_down() -> None:
    """With windows of 100 bytes all arrives, queued data is seen by is_writable, and WRITABLE comes."""
    pair = Pair(server=grpc.ServerConnection(limits=SMALL), client=grpc.ClientConnection(limits=SMALL))
    streams = [pair.client.start(BLOCK) for _ in range(3)]
    for stream in streams:
        pair.client.send_message(stream, b"m" * 1000)
        assert not pair.client.is_writable(stream)
        pair.client.half_close(stream)
    pair.run()
    at_server, at_client = pair.take()
    assert sorted(event[1] for event in at_client if event[0] == grpc.WRITABLE) == streams
    assert sorted(event[1] for event in at_server if event[0] == grpc.MESSAGE and event[2] == b"m" * 1000) == streams
    for stream in streams:
        pair.server.reply(stream, b"r" * 1000)
    pair.run()
    assert [event[0] for event in pair.take()[1]].count(grpc.ENDED) == 3


def test_held_stream_stops_its_sender_and_no_other() -> None:
    """What a slow reader has not consumed keeps its stream's window shut; another stream goes on."""
    pair = Pair(server=grpc.ServerConnection(limits=SMALL), client=grpc.ClientConnection(limits=SMALL))
    slow, fast = pair.client.start(BLOCK), pair.client.start(BLOCK)
    pair.run()
    pair.server.hold(slow)
    for stream in (slow, fast):
        for _ in range(20):
            pair.client.send_message(stream, b"m" * 40)
    pair.run()
    messages = [event[1] for event in pair.take()[0] if event[0] == grpc.MESSAGE]
    assert messages.count(fast) == 20
    assert 2 <= messages.count(slow) <= 4
    n_consumed = n_seen = messages.count(slow)
    while n_seen < 20:
        pair.server.consumed(slow, 40 * n_consumed)
        pair.run()
        n_consumed = len([event for event in pair.take()[0] if event[0] == grpc.MESSAGE])
        assert n_consumed
        n_seen += n_consumed
    pair.server.pause(fast)
    pair.server.resume(fast)


def test_cancel_reaches_the_server_and_late_replies_do_nothing() -> None:
    """A cancelled call tells the server once; what it still sends goes nowhere."""
    pair = Pair()
    stream = pair.client.call(BLOCK, b"x")
    pair.run()
    pair.client.cancel(stream)
    pair.server.send_message(stream, b"on its way")
    pair.run()
    pair.server.reply(stream, b"late")
    pair.run()
    at_server, at_client = pair.take()
    assert at_server[1:] == [(grpc.CANCELLED, stream, 8)]
    assert at_client == []


def test_draining_finishes_what_has_begun() -> None:
    """After goaway calls under way are answered, then the connection is drained, and the client begins no more."""
    pair = Pair()
    stream = pair.client.call(BLOCK, b"x")
    pair.run()
    pair.server.goaway()
    pair.run()
    assert not pair.server.is_drained
    assert not pair.client.can_start
    pair.server.reply(stream, b"y")
    pair.run()
    assert pair.take()[1][-1][:3] == (grpc.UNARY_REPLY, stream, b"y")
    assert pair.server.is_drained


def test_lost_connection_ends_every_call() -> None:
    """After eof each side hears of every call, then CLOSED, once."""
    pair = Pair()
    stream = pair.client.call(BLOCK, b"x")
    pair.run()
    assert [event[0] for event in pair.server.eof()] == [grpc.CANCELLED, grpc.CLOSED]
    events = pair.client.eof()
    assert events[0][:3] == (grpc.ENDED, stream, 14)
    assert events[1][0] == grpc.CLOSED
    assert pair.client.eof() == []


def test_ping_is_answered() -> None:
    """A PING of ours comes back with its data."""
    pair = Pair()
    pair.client.ping(b"12345678")
    pair.run()
    assert pair.take()[1] == [(grpc.PING_ACK, b"12345678")]


@pytest.mark.parametrize("name", ["Upper", "a b", "", "grpc-x", "te", ":path", "ü", "proxy-connection"])
def test_metadata_names_are_checked(name: str) -> None:
    """A name that gRPC does not allow, or keeps for itself, is the caller's error."""
    with pytest.raises(InvalidInputError, match="metadata name"):
        grpc.request_block("/a", metadata=[(name, "v")])


def test_metadata_value_with_a_newline_is_refused() -> None:
    """No value can smuggle another line."""
    with pytest.raises(InvalidInputError, match="printable ASCII"):
        grpc.request_block("/a", metadata=[("x", "a\nb")])


@pytest.mark.parametrize("seconds", [0, 1e-9, 0.5, 1, 99.9, 1e4, 1e7, 1e9])
def test_timeouts_are_written_so_that_they_come_back(seconds: float) -> None:
    """A deadline survives the wire to one part in a million, and never shrinks."""
    found = grpc_fields.parse_timeout(grpc_fields.format_timeout(seconds))
    assert found is not None
    assert seconds - 1e-12 <= found <= seconds * 1.0001 + 1e-9


def test_sixty_four_header_blocks_that_all_differ_keep_their_own_values() -> None:
    """Each call has its own deadline and trace, also where equal blocks come between and twice."""
    pair = Pair()
    blocks = [grpc.request_block("/a.B/C", "h", [("traceparent", f"00-{n:032x}-01")], n + 1.0) for n in range(64)]
    for block in blocks * 3:
        pair.client.call(block, b"x")
    pair.run()
    heads = [event[2] for event in pair.take()[0]]
    assert [(head.timeout_s, head.headers["traceparent"]) for head in heads] == [(n + 1.0, f"00-{n:032x}-01") for n in range(64)] * 3
    assert heads[64] is heads[128]


def test_what_is_not_grpc_gets_an_http_status() -> None:
    """Another content type is 415, and no call."""
    server = grpc.ServerConnection()
    server.take_output()
    fields = ((":method", "POST"), (":scheme", "http"), (":path", "/"), ("content-type", "text/plain"))
    sent = frames.PREFACE + frames.settings({}) + frames.frame(frames.HEADERS, 5, 1, hpack.encode(fields))
    assert server.receive(sent) == []
    assert hpack.encode(((":status", "415"),)) in server.take_output()


def test_incomplete_messages_are_counted() -> None:
    """What a half-sent message holds shows in n_buffered_bytes, and goes with its call."""
    pair = Pair()
    stream = pair.client.start(BLOCK)
    pair.client.send_message(stream, b"x" * 100_000)
    pair.server.receive(pair.client.take_output()[:-50_000])
    assert 40_000 < pair.server.n_buffered_bytes < 60_000
    pair.server.reset(stream)
    assert pair.server.n_buffered_bytes == 0


def in_pieces(side: grpc.ServerConnection | grpc.ClientConnection, data: bytes, cut: int) -> list[grpc.Event]:
    return [event for at in range(0, len(data), cut) for event in side.receive(data[at : at + cut])]


def plain(events: list[grpc.Event]) -> list[tuple[object, ...]]:
    """Events with what they hold, in place of objects that only equal themselves."""

    def shown(part: object) -> object:
        return (part.metadata, part.values) if isinstance(part, (grpc_fields.RequestHead, grpc_fields.ReplyHead)) else part

    return [tuple(map(shown, event)) for event in events]


POST = ((":method", "POST"), (":scheme", "http"), (":path", "/a.B/C"), ("content-type", "application/grpc"), ("te", "trailers"))
ODD_BLOCKS = [
    hpack.encode(((":method", "GET"), (":scheme", "http"), (":path", "/a.B/C"), (":authority", "host"))),
    hpack.encode(((":method", "POST"), (":scheme", "http"), (":path", "/a.B/C"), ("content-type", "text/plain"))),
    hpack.encode((*POST, ("content-length", "9"))),
    hpack.encode((*POST, ("grpc-encoding", "gzip"))),
    hpack.encode((*POST, ("grpc-encoding", "unknown"))),
    BLOCK,
]


WINDOW_LEFT = frames.MAX_WINDOW - frames.DEFAULT_WINDOW


@pytest.mark.parametrize("cut", [1, 9, 50])
@pytest.mark.parametrize("by", [5, 0, 1000, WINDOW_LEFT, WINDOW_LEFT + 1, 1 << 31, (1 << 31) + 5])
@pytest.mark.parametrize("flags", [0, frames.END_STREAM])
def test_window_that_is_opened_before_a_request_counts_the_same_however_it_is_cut(cut: int, by: int, flags: int) -> None:
    """As grpcio sends it: HEADERS, WINDOW_UPDATE, DATA, and another WINDOW_UPDATE."""

    def session(cut: int) -> tuple[list[tuple[object, ...]], bytes, int]:
        server = grpc.ServerConnection(unary_paths=frozenset(("/a.B/C",)))
        client = grpc.ClientConnection(limits=Http2Limits(stream_window_bytes=frames.DEFAULT_WINDOW))
        server.receive(client.take_output())
        server.take_output()
        heard = []
        for number in (1, 3, 5, 7):
            update = frames.frame(frames.WINDOW_UPDATE, flags, number, by.to_bytes(4))
            asked = frames.frame(frames.DATA, frames.END_STREAM, number, b"\0\0\0\0\4abcd") + frames.window_update(0, 200)
            heard += in_pieces(server, frames.headers(number, BLOCK, 0, 16384) + update + asked, cut)
            server.reply(number, bytes(70_000))
        return plain(heard), server.take_output(), server.n_streams

    events, sent, n_left = session(1 << 30)
    assert (events, sent, n_left) == session(cut)
    assert [event[0] for event in events] == [grpc.UNARY] * 4 * (0 < by & 0x7FFFFFFF <= WINDOW_LEFT)


@pytest.mark.parametrize("cut", [1, 9, 50])
@pytest.mark.parametrize("block", ODD_BLOCKS, ids=["get", "text", "length", "gzip", "unknown coding", "plain"])
@pytest.mark.parametrize("body", [b"\0\0\0\0\4abcd", b"\0\0\0\0\3abcd", b"\0\0\0\0\5abcd", b"\1\0\0\0\4abcd", b"\0\0\0", b""])
def test_requests_say_the_same_whether_their_frames_come_together_or_not(cut: int, block: bytes, body: bytes) -> None:
    """The short way for requests that lie whole in one read hears and keeps what the long one does."""

    def session(cut: int) -> tuple[list[tuple[object, ...]], int]:
        server = grpc.ServerConnection(unary_paths=frozenset(("/a.B/C",)), max_message_bytes=100)
        client = grpc.ClientConnection()
        server.receive(client.take_output())
        server.take_output()
        numbers = (1, 3, 7, 9, 11)
        requests = [frames.headers(n, block, 0, 16384) + frames.frame(frames.DATA, frames.END_STREAM, n, body) for n in numbers]
        heard = []
        for request in (requests[0], b"".join(requests[1:3]), b"".join(requests[3:])):
            heard += in_pieces(server, request, cut)
            for event in heard:
                if event[0] == grpc.UNARY:
                    server.reply(event[1], b"fine")
        return plain(heard), server.n_streams

    assert session(cut) == session(1 << 30)


OK = grpc_fields.trailers_block(0)


@pytest.mark.parametrize("cut", [1, 9, 50])
@pytest.mark.parametrize(
    ("head", "body", "trailers"),
    [
        (grpc_fields.reply_block(), b"\0\0\0\0\4abcd", OK),
        (grpc_fields.reply_block([("a", "b")]), b"\0\0\0\0\4abcd", grpc_fields.trailers_block(0, "", [("c", "d")])),
        (grpc_fields.reply_block(), b"\0\0\0\0\4abcd", grpc_fields.trailers_block(5, "no")),
        (grpc_fields.reply_block(), b"\0\0\0\0\3abcd", OK),
        (grpc_fields.reply_block(), b"\0\0\0\0\1a\0\0\0\0\1b", OK),
        (grpc_fields.reply_block(), b"\1\0\0\0\4abcd", OK),
        (hpack.encode(((":status", "404"),)), b"\0\0\0\0\4abcd", OK),
        (hpack.encode(((":status", "200"), ("content-type", "text/html"))), b"\0\0\0\0\4abcd", OK),
        (hpack.encode(((":status", "100"),)), b"\0\0\0\0\4abcd", OK),
        (grpc_fields.reply_block(), b"\0\0\0\0\4abcd", hpack.encode((("x", "y"),))),
    ],
)
def test_replies_say_the_same_whether_their_frames_come_together_or_not(cut: int, head: bytes, body: bytes, trailers: bytes) -> None:
    """So do replies, to calls that go on and to one that was cancelled."""

    def session(cut: int) -> tuple[list[tuple[object, ...]], int]:
        client = grpc.ClientConnection()
        client.receive(grpc.ServerConnection().take_output())
        numbers = [client.call(BLOCK, b"hello") for _ in range(4)]
        client.cancel(numbers[2])
        client.take_output()
        heard = []
        for number in numbers:
            reply = frames.headers(number, head, 0, 16384) + frames.frame(frames.DATA, 0, number, body)
            heard += in_pieces(client, reply + frames.headers(number, trailers, frames.END_STREAM, 16384), cut)
        return plain(heard), client.n_streams

    assert session(cut) == session(1 << 30)
