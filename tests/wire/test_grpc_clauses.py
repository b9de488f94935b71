"""Clauses of gRPC's PROTOCOL-HTTP2 that no other test names; the table is docs/design/grpc-clauses.md."""

from __future__ import annotations

import pytest

from jina.errors import InvalidInputError
from jina.wire import grpc, grpc_fields, hpack
from jina.wire import http2_frames as frames
from jina.wire.grpc_messages import PREFIX, compress
from jina.wire.hpack import Field

METHOD = ((":method", "POST"), (":scheme", "http"), (":path", "/a.B/C"), (":authority", "h"))
BLOCK = grpc.request_block("/a.B/C", "h")
END, END_HEADERS = frames.END_STREAM, frames.END_HEADERS
Frame = tuple[int, int, int, bytes]


def frames_in(data: bytes) -> list[Frame]:
    """(kind, flags, stream, payload) of each frame."""
    found = []
    while data:
        size = int.from_bytes(data[:3], "big")
        found.append((data[3], data[4], int.from_bytes(data[5:9], "big"), data[9 : 9 + size]))
        data = data[9 + size :]
    return found


def fields_in(frame: Frame) -> list[Field]:
    return hpack.Decoder(4096, 1 << 16, 100).decode(frame[3])


def server(**options: int) -> grpc.ServerConnection:
    made = grpc.ServerConnection(**options)  # type: ignore[arg-type]
    made.receive(frames.PREFACE + frames.settings({}))
    made.take_output()
    return made


def client() -> grpc.ClientConnection:
    made = grpc.ClientConnection()
    made.receive(frames.settings({}))
    made.take_output()
    return made


def message(data: bytes, flag: int = 0) -> bytes:
    return PREFIX.pack(flag, len(data)) + data


def request(block: bytes, body: bytes = message(b"x")) -> bytes:
    return frames.frame(frames.HEADERS, END_HEADERS, 1, block) + frames.frame(frames.DATA, END, 1, body)


def test_request_has_the_fields_that_the_protocol_asks_for() -> None:
    """POST, scheme, path, authority, then te: trailers, the content type and what we read; a deadline where there is one."""
    fields = hpack.Decoder(4096, 1 << 16, 100).decode(grpc.request_block("/a.B/C", "h:1", [("x-a", "1")], 1.5, scheme="https"))
    assert fields == [
        (":method", "POST"),
        (":scheme", "https"),
        (":path", "/a.B/C"),
        (":authority", "h:1"),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("grpc-accept-encoding", "identity,gzip,deflate"),
        ("grpc-timeout", "1500000u"),
        ("x-a", "1"),
    ]


@pytest.mark.parametrize("kind", ["application/grpc", "application/grpc+proto", "application/grpc+json", "application/grpc;charset=utf-8"])
def test_content_types_of_grpc_are_taken(kind: str) -> None:
    """With `+` and with parameters, and without te."""
    events = server().receive(request(hpack.encode((*METHOD, ("content-type", kind)))))
    assert [event[0] for event in events] == [grpc.UNARY]


@pytest.mark.parametrize("kind", ["application/grpcx", "application/json", "text/plain", "application/grpc-web"])
def test_other_content_types_get_415(kind: str) -> None:
    """So that a client of plain HTTP does not take a gRPC failure for success."""
    made = server()
    assert made.receive(request(hpack.encode((*METHOD, ("content-type", kind))))) == []
    assert fields_in(frames_in(made.take_output())[0]) == [(":status", "415")]


def test_metadata_of_many_frames_are_one_block() -> None:
    """HEADERS and CONTINUATION."""
    block = BLOCK + hpack.encode_field("x-long", "y" * 200)
    parts = [block[:50], block[50:120], block[120:]]
    data = frames.frame(frames.HEADERS, 0, 1, parts[0]) + frames.frame(frames.CONTINUATION, 0, 1, parts[1])
    data += frames.frame(frames.CONTINUATION, END_HEADERS, 1, parts[2]) + frames.frame(frames.DATA, END, 1, message(b"x"))
    (event,) = server().receive(data)
    assert event[2].headers == {"x-long": "y" * 200}


def test_metadata_keep_their_order_and_what_came_twice() -> None:
    """Values of one name are given one by one, in order."""
    pairs: list[tuple[str, str | bytes]] = [("x-a", "1"), ("x-b-bin", b"\0"), ("x-a", "2"), ("x-b-bin", b"\1"), ("x-a", "1")]
    (event,) = server().receive(request(grpc.request_block("/a.B/C", "h", pairs)))
    assert event[2].metadata == tuple(pairs)


def test_metadata_under_the_protocols_own_names_are_not_the_callers() -> None:
    """`grpc-` is the protocol's; a user's field of that kind is refused, one that came is not passed on, but for details in `-bin`."""
    with pytest.raises(InvalidInputError, match="reserved"):
        grpc_fields.encode_metadata([("grpc-x", "1")])
    assert grpc_fields.encode_metadata([("grpc-status-details-bin", b"\1")])
    fields = [("grpc-x", "1"), ("grpc-status-details-bin", "AQ"), ("x", "2")]
    assert grpc_fields.read_metadata(fields) == (("grpc-status-details-bin", b"\1"), ("x", "2"))


def test_spaces_around_a_value_are_stripped() -> None:
    """HTTP/2 has no place for them."""
    assert grpc_fields.encode_metadata([("x", "  a b ")]) == hpack.encode_field("x", "a b")


@pytest.mark.parametrize("cut", [1, 3, 100])
def test_messages_and_frames_need_not_end_together(cut: int) -> None:
    """A DATA frame may have any part of any number of messages."""
    body = b"".join(message(data) for data in (b"a", b"", b"bcd" * 50))
    data = frames.frame(frames.HEADERS, END_HEADERS, 1, BLOCK)
    for at in range(0, len(body), cut):
        data += frames.frame(frames.DATA, 0, 1, body[at : at + cut])
    events = server().receive(data + frames.frame(frames.DATA, END, 1))
    assert [event[2] for event in events if event[0] == grpc.MESSAGE] == [b"a", b"", b"bcd" * 50]
    assert events[-1] == (grpc.HALF_CLOSED, 1)


def test_each_message_is_compressed_by_itself() -> None:
    """No context goes from one message to the next, and one may go without."""
    block = BLOCK + hpack.encode_field("grpc-encoding", "deflate")
    body = message(compress(b"a" * 99, "deflate"), 1) + message(b"plain") + message(compress(b"a" * 99, "deflate"), 1)
    events = server().receive(request(block, body))
    assert [event[2] for event in events if event[0] == grpc.MESSAGE] == [b"a" * 99, b"plain", b"a" * 99]


@pytest.mark.parametrize(("size", "is_taken"), [(1000, True), (1001, False)])
@pytest.mark.parametrize("encoding", ["identity", "gzip", "deflate"])
def test_limit_of_a_message_counts_what_it_unfolds_to(encoding: str, size: int, is_taken: bool) -> None:
    """The limit itself passes, a byte more is RESOURCE_EXHAUSTED, at the server as at the client."""
    data = bytes(size)
    body = message(data) if encoding == "identity" else message(compress(data, encoding), 1)
    made = server(max_message_bytes=1000)
    events = made.receive(request(BLOCK + hpack.encode_field("grpc-encoding", encoding), body))
    assert [event[0] for event in events] == ([grpc.UNARY] if is_taken else [])

    ours = grpc.ClientConnection(max_message_bytes=1000)
    ours.receive(frames.settings({}))
    ours.call(BLOCK, b"")
    reply = frames.headers(1, grpc_fields.reply_block(encoding=encoding), 0, 1 << 14) + frames.frame(frames.DATA, 0, 1, body)
    (event,) = ours.receive(reply + frames.headers(1, grpc_fields.trailers_block(0), END, 1 << 14))
    assert event[0] == (grpc.UNARY_REPLY if is_taken else grpc.ENDED)
    if not is_taken:
        assert event[2] == grpc.GrpcStatus.RESOURCE_EXHAUSTED
        made.take_output()


def test_end_of_requests_without_a_message_is_an_empty_data_frame() -> None:
    """With END_STREAM, also where no message was sent."""
    made = client()
    stream = made.start(BLOCK)
    made.half_close(stream)
    assert [each[:2] for each in frames_in(made.take_output())] == [(frames.HEADERS, END_HEADERS), (frames.DATA, END)]


def test_reply_is_headers_messages_and_trailers() -> None:
    """Status 200 and the content type, then DATA, then the status, which ends the stream; a status of OK is sent too."""
    made = server()
    made.receive(request(BLOCK))
    made.reply(1, b"y", [("x-t", "1")])
    head, data, trailers = frames_in(made.take_output())
    assert (head[0], fields_in(head)) == (frames.HEADERS, [(":status", "200"), ("content-type", "application/grpc")])
    assert (data[0], data[1], data[3]) == (frames.DATA, 0, message(b"y"))
    assert (trailers[0], trailers[1]) == (frames.HEADERS, END | END_HEADERS)
    assert fields_in(trailers) == [("grpc-status", "0"), ("x-t", "1")]


def test_failure_without_a_message_is_trailers_only() -> None:
    """One block with status 200, the content type, and the status of the call."""
    made = server()
    made.receive(request(BLOCK))
    made.send_status(1, 5, "no")
    (only,) = frames_in(made.take_output())
    assert only[:2] == (frames.HEADERS, END | END_HEADERS)
    assert fields_in(only) == [(":status", "200"), ("content-type", "application/grpc"), ("grpc-status", "5"), ("grpc-message", "no")]


def test_reply_before_the_end_of_the_request_ends_both() -> None:
    """A client that still sends hears NO_ERROR after the status, and what it sent meanwhile is no fault."""
    made = server()
    made.receive(frames.frame(frames.HEADERS, END_HEADERS, 1, BLOCK))
    made.send_status(1, 5, "no")
    assert frames_in(made.take_output())[-1] == (frames.RST_STREAM, 0, 1, frames.WORD.pack(frames.NO_ERROR))
    assert made.receive(frames.frame(frames.DATA, END, 1, message(b"late"))) == []
    assert not made.is_closed


def test_drain_says_goaway_twice() -> None:
    """First for the highest stream there can be, with a PING; when that is answered, for the last that was taken (RFC 9113, 6.8)."""
    made = server()
    made.receive(frames.frame(frames.HEADERS, END_HEADERS, 1, BLOCK))
    made.goaway()
    first, ping = frames_in(made.take_output())
    assert (first[0], frames.read_goaway(first[3])[:2]) == (frames.GOAWAY, (frames.MAX_STREAM, frames.NO_ERROR))
    made.receive(frames.frame(frames.HEADERS, END_HEADERS, 3, BLOCK))  # was under way
    made.receive(frames.frame(frames.PING, frames.ACK, 0, ping[3]))
    (second,) = frames_in(made.take_output())
    assert (second[0], frames.read_goaway(second[3])[:2]) == (frames.GOAWAY, (3, frames.NO_ERROR))
    made.receive(frames.frame(frames.HEADERS, END_HEADERS, 5, BLOCK))
    assert made.n_streams == 2
    for stream in (1, 3):
        made.send_status(stream, 0)
    assert made.is_drained


@pytest.mark.parametrize(
    ("code", "status"),
    [
        *[(frames.NO_ERROR, 13), (frames.PROTOCOL_ERROR, 13), (frames.INTERNAL_ERROR, 13), (frames.FLOW_CONTROL_ERROR, 13)],
        *[(frames.SETTINGS_TIMEOUT, 13), (frames.FRAME_SIZE_ERROR, 13), (frames.REFUSED_STREAM, 14), (frames.CANCEL, 1)],
        *[(frames.COMPRESSION_ERROR, 13), (frames.CONNECT_ERROR, 13), (frames.ENHANCE_YOUR_CALM, 8), (frames.INADEQUATE_SECURITY, 7)],
    ],
)
def test_reset_by_the_server_is_a_status(code: int, status: int) -> None:
    """The protocol's table; only REFUSED_STREAM promises that the call was never begun."""
    made = client()
    stream = made.call(BLOCK, b"x")
    (event,) = made.receive(frames.rst_stream(stream, code))
    assert (event[0], event[2], event[5]) == (grpc.ENDED, status, code == frames.REFUSED_STREAM)
