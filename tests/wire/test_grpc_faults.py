"""gRPC calls that go wrong: what each side makes of what the other should not have sent."""

from __future__ import annotations

import gzip

import pytest

from jina.errors import InvalidInputError
from jina.wire import grpc, grpc_fields, hpack
from jina.wire import http2_frames as frames
from jina.wire.grpc_messages import PREFIX, compress
from jina.wire.http2_limits import Http2Limits

BLOCK = grpc.request_block("/a.B/C", "host")
REPLY = grpc_fields.reply_block()
END = frames.END_STREAM
Outcome = tuple[int, bool]


def head(block: bytes, flags: int = 0) -> bytes:
    return frames.frame(frames.HEADERS, flags | frames.END_HEADERS, 1, block)


def data(payload: bytes, flags: int = 0) -> bytes:
    return frames.frame(frames.DATA, flags, 1, payload)


def message(payload: bytes, flag: int = 0) -> bytes:
    return PREFIX.pack(flag, len(payload)) + payload


def fields(*pairs: tuple[str, str]) -> bytes:
    return hpack.encode(((":status", "200"), *pairs))


def started(**options: int | None) -> grpc.ClientConnection:
    client = grpc.ClientConnection(**options)  # type: ignore[arg-type]
    client.receive(frames.settings({}))
    return client


OK = head(grpc_fields.trailers_block(0), END)
GZIP = grpc_fields.reply_block(encoding="gzip")
BOMB = compress(bytes(8 << 20), "gzip")
CLIENT_FAULTS: list[tuple[str, bytes, int, str]] = [
    ("a status and no message", head(REPLY + grpc_fields.trailers_block(5, "näh: 1 %"), END), 5, "näh: 1 %"),
    ("HTTP 503", head(hpack.encode(((":status", "503"),)), END), 14, "HTTP status 503"),
    ("HTTP 404 with a page", head(hpack.encode(((":status", "404"),))) + data(b"<html>", END), 12, "HTTP status 404"),
    ("a page", head(fields(("content-type", "text/html"))), 2, "content type 'text/html'"),
    ("an encoding that was not offered", head(grpc_fields.reply_block(encoding="br")), 13, "'br'"),
    ("headers that end the call", head(REPLY, END), 2, "without a status"),
    ("a message that ends the call", head(REPLY) + data(message(b"x"), END), 2, "without a status"),
    ("trailers without a status", head(REPLY) + head(hpack.encode((("a", "b"),)), END), 2, "without a status"),
    ("trailers within a message", head(REPLY) + data(message(b"xyz")[:-1]) + OK, 13, "within a message"),
    ("no message", head(REPLY) + OK, 12, "0 messages"),
    ("two messages", head(REPLY) + data(message(b"x") * 2) + OK, 12, "2 messages"),
    ("a message that calls itself compressed", head(REPLY) + data(message(b"x", 1)), 13, "names no compression"),
    ("a message with odd flags", head(REPLY) + data(message(b"x", 7)), 13, "flags 7"),
    ("a message that does not decompress", head(GZIP) + data(message(b"not gzip at all", 1)), 13, "cannot be decompressed"),
    ("a compressed message cut short", head(GZIP) + data(message(gzip.compress(b"x" * 99)[:-5], 1)), 13, "cut short"),
    ("a bomb", head(GZIP) + data(message(BOMB, 1)), 8, "compression ratio"),
    ("DATA before HEADERS", data(b"x"), 13, "broke the protocol"),
    ("an informational reply that ends", head(hpack.encode(((":status", "103"),)), END), 13, "broke the protocol"),
    ("metadata that are not base64", head(fields(("x-bin", "%%"))), 13, "broke the protocol"),
    ("a list of fields over the limits", head(REPLY + hpack.encode([("a", "b")] * 200)), 13, "broke the protocol"),
    ("a reset", frames.rst_stream(1, frames.INTERNAL_ERROR), 13, "HTTP/2 error 2"),
]


@pytest.mark.parametrize(("sent", "status", "text"), [pytest.param(*case, id=name) for name, *case in CLIENT_FAULTS])
def test_fault_of_the_server_ends_the_call_with_a_status(sent: bytes, status: int, text: str) -> None:
    """Whatever the reply, the caller hears one ENDED with a gRPC status and a text that says why, and the connection lives."""
    client = started()
    assert client.is_ready
    assert client.max_streams > 100
    stream = client.call(BLOCK, b"x")
    (event,) = client.receive(sent)
    assert event[:3] == (grpc.ENDED, stream, status)
    assert text in event[3]
    assert not event[5]
    assert client.n_streams == 0
    assert not client.is_closed


def test_message_over_the_limit_ends_the_call() -> None:
    """A reply of more than max_message_bytes is RESOURCE_EXHAUSTED, compressed or not."""
    for sent in (head(REPLY) + data(message(b"x" * 11)), head(GZIP) + data(message(compress(b"x" * 11, "gzip"), 1))):
        client = started(max_message_bytes=10)
        client.call(BLOCK, b"")
        assert [event[2] for event in client.receive(sent)] == [8]


def test_informational_reply_comes_before_the_real_one() -> None:
    """103 is passed over."""
    client = started()
    stream = client.call(BLOCK, b"")
    events = client.receive(head(hpack.encode(((":status", "103"),))) + head(REPLY) + data(message(b"y")) + OK)
    assert [event[:3] for event in events] == [(grpc.UNARY_REPLY, stream, b"y")]


@pytest.mark.parametrize("sent", [frames.goaway(0, frames.NO_ERROR, "bye"), frames.rst_stream(1, frames.REFUSED_STREAM)])
def test_call_that_was_never_begun_says_so(sent: bytes) -> None:
    """After GOAWAY or REFUSED_STREAM the caller knows that it may send the call again."""
    client = started()
    client.call(BLOCK, b"x")
    event = client.receive(sent)[0]
    assert (event[0], event[2], event[5]) == (grpc.ENDED, 14, True)


def test_goaway_lets_older_calls_finish_and_begins_no_new_ones() -> None:
    """Calls up to the last stream that the server names are answered."""
    client = started()
    first, second = client.call(BLOCK, b""), client.call(BLOCK, b"")
    events = client.receive(frames.goaway(first, frames.NO_ERROR, "bye"))
    assert [event[:2] for event in events] == [(grpc.ENDED, second), (grpc.GOAWAY, frames.NO_ERROR)]
    assert not client.can_start
    assert client.receive(head(REPLY) + data(message(b"y")) + OK)[0][:3] == (grpc.UNARY_REPLY, first, b"y")


def test_server_that_answers_a_call_that_it_disowned_harms_no_other() -> None:
    """What was under way when it left is passed over."""
    client = started()
    first, second = client.call(BLOCK, b""), client.call(BLOCK, b"")
    client.receive(frames.goaway(first, frames.NO_ERROR))
    late = frames.frame(frames.HEADERS, frames.END_HEADERS, second, REPLY) + frames.frame(frames.DATA, 0, second, message(b"z"))
    assert client.receive(late) == []
    assert client.receive(head(REPLY) + data(message(b"y")) + OK)[0][:3] == (grpc.UNARY_REPLY, first, b"y")


def test_streaming_call_ends_at_its_first_fault() -> None:
    """Messages that came before it are given; what comes after it is ignored."""
    client = started()
    stream = client.start(BLOCK)
    events = client.receive(head(REPLY) + data(message(b"a") + message(b"b", 9)) + data(message(b"c"), END))
    assert [event[0] for event in events] == [grpc.HEAD, grpc.ENDED]
    client.send_message(stream, b"late")
    client.half_close(stream)
    client.cancel(stream)
    client.pause(stream)
    client.resume(stream)
    client.hold(stream)
    client.consumed(stream, 5)
    assert client.is_writable(stream)


def test_empty_frames_carry_no_message() -> None:
    """An empty DATA frame between messages is passed over, and a call that was left hears nothing of the connection's end."""
    client = started()
    stream = client.start(BLOCK)
    events = client.receive(head(REPLY) + data(b"") + data(message(b"a")) + data(b"") + OK)
    assert [event[:3] for event in events[1:]] == [(grpc.MESSAGE, stream, b"a"), (grpc.ENDED, stream, 0)]


def test_cancelled_call_is_silent() -> None:
    """After `cancel` nothing of the stream comes, not even what was under way."""
    client = started()
    stream = client.start(BLOCK)
    client.receive(head(REPLY))
    client.cancel(stream)
    assert client.receive(data(message(b"a")) + OK) == []


def test_compressed_calls_are_read() -> None:
    """A client may compress what it sends, whole calls and streams, as its block says."""
    block = BLOCK + hpack.encode_field("grpc-encoding", "gzip")
    client, server = started(), grpc.ServerConnection()
    client.call(block, b"x" * 999, "gzip")
    stream = client.start(block, "gzip")
    client.send_message(stream, b"y" * 999)
    events = server.receive(client.take_output())
    assert [event[-1] for event in events if event[0] in (grpc.UNARY, grpc.MESSAGE)] == [b"x" * 999, b"y" * 999]


def serving(**options: object) -> grpc.ServerConnection:
    server = grpc.ServerConnection(**options)  # type: ignore[arg-type]
    server.receive(frames.PREFACE + frames.settings({}))
    server.take_output()
    return server


def status_in(output: bytes) -> int:
    """The grpc-status of the only reply in the output."""
    return next(n for n in range(17) if hpack.encode_field("grpc-status", str(n)) in output)


SERVER_FAULTS: list[tuple[str, bytes, int, str | None]] = [
    ("an unknown compression", head(BLOCK + hpack.encode_field("grpc-encoding", "br")) + data(message(b"x"), END), 12, None),
    ("a request that ends within a message", head(BLOCK) + data(message(b"xyz")[:-1], END), 13, None),
    ("a broken message", head(BLOCK) + data(message(b"x", 9)) + data(message(b"y"), END), 13, None),
    ("too many fields", head(BLOCK + hpack.encode([("a", "b")] * 200)) + data(message(b"x"), END), 8, None),
    ("too many fields and nothing else", head(BLOCK + hpack.encode([("a", "b")] * 200), END), 8, None),
]


@pytest.mark.parametrize(("sent", "status"), [pytest.param(sent, status, id=name) for name, sent, status, _ in SERVER_FAULTS])
def test_fault_of_the_client_is_answered_and_no_handler_hears_of_it(sent: bytes, status: int) -> None:
    """The call gets a status, there is no event, and the connection lives."""
    server = serving()
    assert server.receive(sent) == []
    assert status_in(server.take_output()) == status
    assert server.n_streams == 0
    assert not server.is_closed


@pytest.mark.parametrize("cut", [1000, 1 << 20])
@pytest.mark.parametrize(("size", "is_closed"), [(100_000, False), (200_000, False), (300_000, True)])
def test_metadata_beyond_the_limit_end_their_call_however_they_are_cut(size: int, is_closed: bool, cut: int) -> None:
    """And those far beyond it the connection."""
    server = serving()
    sent = head(BLOCK + hpack.encode_field("x", "y" * size)) + data(message(b"x"), END)
    for at in range(0, len(sent), cut):
        server.receive(sent[at : at + cut])
    assert server.is_closed is is_closed
    if not is_closed:
        assert status_in(server.take_output()) == 8


def test_fault_within_an_announced_call_cancels_its_handler() -> None:
    """The caller hears what was wrong, the handler that nobody waits."""
    for bad in (data(message(b"y", 9)), data(message(b"xyz")[:-1], END)):
        server = serving()
        server.receive(head(BLOCK) + data(message(b"x")))
        assert server.receive(bad) == [(grpc.CANCELLED, 1, frames.INTERNAL_ERROR)]
        assert status_in(server.take_output()) == 13


def test_fields_after_the_messages_end_a_request() -> None:
    """Trailers of a request are the end of it, whether or not its call was announced."""
    server = serving()
    (event,) = server.receive(head(BLOCK) + data(message(b"x")) + head(hpack.encode((("a", "b"),)), END))
    assert (event[0], event[3]) == (grpc.UNARY, b"x")
    server = serving()
    server.receive(head(BLOCK))
    server.receive(data(message(b"x")))
    assert server.receive(head(hpack.encode((("a", "b"),)), END)) == [(grpc.HALF_CLOSED, 1)]


def test_call_that_is_reset_in_the_read_that_began_it_is_never_announced() -> None:
    """No handler starts for a caller that has left already."""
    assert serving().receive(head(BLOCK) + frames.rst_stream(1, frames.CANCEL)) == []
    server = serving(unary_paths=("/a.B/C",))
    assert server.receive(head(BLOCK) + data(message(b"xyz")[:-1])) == []
    assert server.receive(frames.rst_stream(1, frames.CANCEL)) == []


def test_request_without_messages_is_announced_and_ends() -> None:
    """HEADERS with END_STREAM begin a call of no messages."""
    server = serving()
    events = server.receive(head(BLOCK, END))
    assert [event[0] for event in events] == [grpc.CALL_STARTED, grpc.HALF_CLOSED]


def test_get_is_405_and_its_body_is_ignored() -> None:
    """What is not gRPC gets an HTTP status; what comes on its stream is no fault."""
    server = serving()
    block = hpack.encode(((":method", "GET"), (":scheme", "http"), (":path", "/")))
    assert server.receive(head(block) + data(b"x", END)) == []
    assert hpack.encode(((":status", "405"),)) in server.take_output()
    assert not server.is_closed


def test_client_that_leaves_is_announced() -> None:
    """GOAWAY of a client is an event, and no call ends."""
    server = serving()
    server.receive(head(BLOCK, END))
    assert server.receive(frames.goaway(0, frames.NO_ERROR, "done")) == [(grpc.GOAWAY, frames.NO_ERROR, "done")]
    assert server.n_streams == 1


def test_answers_to_calls_that_are_gone_do_nothing() -> None:
    """Whoever answers late need not know."""
    server = serving()
    server.reply(1, b"x")
    server.send_headers(1)
    server.send_message(1, b"x")
    server.send_status(1, 0)
    server.refuse(1, 5, "x")
    server.send_http(1, (), b"x", is_end=True)
    server.reset(1)
    assert server.take_output() == b""


def test_server_may_end_a_call_without_a_status() -> None:
    """`reset` sends RST_STREAM."""
    server = serving()
    server.receive(head(BLOCK, END))
    server.reset(1)
    assert server.take_output() == frames.rst_stream(1, frames.CANCEL)


def test_reply_of_headers_already_sent_goes_on_from_them() -> None:
    """A reply to a call whose metadata went ahead brings the message and the status only; metadata go once."""
    server, client = serving(), started()
    stream = client.call(BLOCK, b"x")
    server.receive(head(BLOCK) + data(message(b"x"), END))
    server.send_headers(stream, [("x-a", "1")])
    server.send_headers(stream, [("x-a", "2")])
    server.reply(stream, b"y", [("x-b", "3")])
    client.take_output()
    (event,) = client.receive(server.take_output())
    assert event[:3] == (grpc.UNARY_REPLY, stream, b"y")
    assert event[3].metadata == (("x-b", "3"),)
    assert event[4].metadata == (("x-a", "1"),)


def test_request_head_reads_what_the_caller_said() -> None:
    """Authority, accepted encodings, plain headers, metadata and deadline."""
    pairs = [("a", "1"), ("a", "2"), ("b-bin", "AAE"), ("host", "h"), ("grpc-accept-encoding", "identity, gzip"), ("grpc-timeout", "1H")]
    request = grpc.RequestHead([*pairs], {":method": "POST", ":path": "/x", "content-type": "application/grpc", **dict(pairs)})
    assert request.authority == "h"
    assert request.accepted == ("identity", "gzip")
    assert request.headers == {"a": "2"}
    assert request.metadata[2] == ("b-bin", b"\0\1")
    assert request.timeout_s == 3600


@pytest.mark.parametrize(("seconds", "text"), [(1e9, "1e9"), (4e11, "long"), (9e14, "for ever")])
def test_long_deadlines_fit_the_field(seconds: float, text: str) -> None:
    """Minutes and hours are used where eight digits of seconds are too few, and the longest is cut."""
    read = grpc_fields.parse_timeout(grpc_fields.format_timeout(seconds))
    assert read is not None
    assert seconds <= read < seconds * 1.001 or read == 99_999_999 * 3600, text


def test_metadata_of_bytes_is_text_unless_its_name_says_binary() -> None:
    """Bytes go as they are under a name in `-bin`, and must be printable ASCII under another."""
    assert grpc_fields.encode_metadata([("a", b"x"), ("b-bin", "y")])
    with pytest.raises(InvalidInputError, match="printable ASCII"):
        grpc_fields.encode_metadata([("a", b"\xff")])


def test_limits_must_make_sense() -> None:
    """Values that HTTP/2 has no place for are refused when the limits are made."""
    for bad in ({"max_streams": -1}, {"max_frame_bytes": 100}, {"connection_window_bytes": 100}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            Http2Limits(**bad)
