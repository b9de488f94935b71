"""Header fields of gRPC: deadlines, encodings, statuses, their messages, metadata. What grpcio makes of the odd ones, we make of them."""

from __future__ import annotations

import pytest

from jina.wire import grpc, grpc_fields, hpack
from jina.wire import http2_frames as frames
from jina.wire.http2_fields import MalformedError

BLOCK = grpc.request_block("/a.B/C", "host")


def answer(*fields: tuple[str, str], message: bytes = b"\0\0\0\0\1a") -> tuple[list[grpc.Event], list[tuple[str, str]]]:
    """What a server hears, and what it answers, when a call has these fields."""
    server = grpc.ServerConnection()
    server.receive(frames.PREFACE + frames.settings({}))
    server.take_output()
    events = server.receive(
        frames.headers(1, BLOCK + hpack.encode(fields), 0, 1 << 14) + frames.frame(frames.DATA, frames.END_STREAM, 1, message)
    )
    out, found = server.take_output(), list[tuple[str, str]]()
    decoder = hpack.Decoder(4096, 1 << 16, 100)
    while out:
        size, kind = int.from_bytes(out[:3], "big"), out[3]
        if kind == frames.HEADERS:
            found += decoder.decode(out[9 : 9 + size])
        out = out[9 + size :]
    return events, found


def status_of(fields: list[tuple[str, str]]) -> int:
    return int(dict(fields)["grpc-status"])


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *[("1H", 3600), ("2M", 120), ("3S", 3), ("4m", 0.004), ("5u", 5e-6), ("6n", 6e-9)],
        *[("99999999H", 99999999 * 3600), ("123456789S", 123456789), ("0000000000001S", 1), ("1 S", 1), (" 1S ", 1)],
    ],
)
def test_timeouts_are_read_as_grpcio_reads_them(text: str, seconds: float) -> None:
    """Every unit, and what grpcio's server lets pass beside: spaces, and a ninth digit."""
    assert grpc_fields.parse_timeout(text) == pytest.approx(seconds)


def test_timeout_of_ten_digits_is_none() -> None:
    """It is never over."""
    assert grpc_fields.parse_timeout("1" * 10 + "S") is None
    assert grpc_fields.parse_timeout("1" * 5000 + "n") is None


MALFORMED = ["", "1", "S", "-1S", "1s", "1.5S", "1x", "+1S", "0x1S", "१S".encode().decode("latin-1")]


@pytest.mark.parametrize("text", MALFORMED)
def test_timeouts_that_are_none(text: str) -> None:
    """What is not a number and a unit is refused."""
    with pytest.raises(MalformedError, match="grpc-timeout must be"):
        grpc_fields.parse_timeout(text)


@pytest.mark.parametrize("text", ["1", "1s", "-1S", "1.5S"])
def test_call_with_a_malformed_timeout_ends_with_internal(text: str) -> None:
    """As with grpcio's server; nobody hears of the call."""
    events, fields = answer(("grpc-timeout", text))
    assert events == []
    assert status_of(fields) == 13
    assert "grpc-timeout" in dict(fields)["grpc-message"]


def test_call_without_any_time_is_over_at_once() -> None:
    """A grpc-timeout of nothing has passed before a handler could begin."""
    events, fields = answer(("grpc-timeout", "0n"))
    assert events == []
    assert status_of(fields) == 4


def test_unknown_encoding_is_answered_with_those_that_are_known() -> None:
    """UNIMPLEMENTED, and grpc-accept-encoding, so that the caller can try another (gRPC's compression.md)."""
    events, fields = answer(("grpc-encoding", "br"), message=b"\1\0\0\0\1a")
    assert events == []
    assert status_of(fields) == 12
    assert ("grpc-accept-encoding", "identity,gzip,deflate") in fields


def test_compressed_flag_without_an_encoding_is_an_error() -> None:
    """A set flag is INTERNAL where grpc-encoding is missing or says identity."""
    for given in ((), (("grpc-encoding", "identity"),)):
        events, fields = answer(*given, message=b"\1\0\0\0\1a")
        assert events == []
        assert status_of(fields) == 13


@pytest.mark.parametrize("value", ["%%", "A", "AA=A", "-_8"])
def test_binary_metadata_that_is_not_base64_ends_the_call(value: str) -> None:
    """With INTERNAL, as with grpcio's server; the connection lives, and nobody hears of the call."""
    events, fields = answer(("x-bin", value))
    assert events == []
    assert status_of(fields) == 13
    assert "x-bin" in dict(fields)["grpc-message"]


def test_request_that_is_no_grpc_may_have_any_text_under_any_name() -> None:
    """`-bin` means something to gRPC only."""
    pairs = [(":method", "POST"), (":path", "/"), ("content-type", "text/plain"), ("x-bin", "%%")]
    head = grpc.RequestHead(pairs, dict(pairs))
    assert head.refusal == 415
    assert head.headers == {"x-bin": "%%"}


@pytest.mark.parametrize(
    ("value", "found"),
    [("AAE", [b"\0\1"]), ("AAE=", [b"\0\1"]), ("AAE,AAI=", [b"\0\1", b"\0\2"]), ("", [b""]), ("AAE, AAI", [b"\0\1", b"\0\2"])],
)
def test_binary_metadata_with_and_without_padding(value: str, found: list[bytes]) -> None:
    """Both are read, and values that somebody joined with commas come apart."""
    events, _ = answer(("x-bin", value))
    assert [pair for pair in events[0][2].metadata if pair[0] == "x-bin"] == [("x-bin", data) for data in found]


def test_binary_metadata_is_sent_without_padding() -> None:
    """As the protocol prefers."""
    assert grpc_fields.encode_metadata([("x-bin", b"\0")]) == hpack.encode_field("x-bin", "AA")


def reply_head(*pairs: tuple[str, str]) -> grpc.ReplyHead:
    return grpc.ReplyHead(list(pairs), dict(pairs))


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("plain", "plain"),
        ("a%20b%25", "a b%"),
        ("%E2%98%BA %F0%9F%98%88", "☺ 😈"),
        ("☺".encode().decode("latin-1"), "☺"),
        ("100%", "100%"),
        ("%zz%4", "%zz%4"),
        ("%ff", "\ufffd"),
        ("\xff", "\ufffd"),
    ],
)
def test_status_messages_are_read_as_far_as_they_can_be(sent: str, read: str) -> None:
    """No message is thrown away for a fault in its encoding."""
    assert reply_head(("grpc-status", "5"), ("grpc-message", sent)).message == read


@pytest.mark.parametrize("text", ["\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n", "100 %", "", "a" * 5000, "\x7f\0"])
def test_status_messages_travel_whole(text: str) -> None:
    """Whatever the text; on the wire it is visible ASCII and spaces."""
    fields = hpack.Decoder(4096, 1 << 20, 100).decode(grpc_fields.trailers_block(5, text))
    assert all(" " <= letter <= "~" for _, value in fields for letter in value)
    assert reply_head(*fields).message == text


def test_lone_surrogate_in_a_status_message_becomes_a_question_mark() -> None:
    """A text that UTF-8 has no bytes for is sent as far as it goes."""
    fields = hpack.Decoder(4096, 1 << 16, 100).decode(grpc_fields.trailers_block(5, "a\ud800b"))
    assert reply_head(*fields).message == "a?b"


def test_status_that_has_no_meaning_is_unknown() -> None:
    """Its number and text are told."""
    head = reply_head(("grpc-status", "77"), ("grpc-message", "odd"))
    assert head.status == 2
    assert head.message == "the server ended the call with status 77, which has no meaning: odd"
    assert reply_head(("grpc-status", "2"), ("grpc-message", "odd")).message == "odd"
    assert reply_head(("grpc-status", "x")).status == reply_head(("grpc-status", "9" * 5000)).status == reply_head().status == -1


def joined() -> tuple[grpc.ClientConnection, grpc.ServerConnection]:
    client, server = grpc.ClientConnection(), grpc.ServerConnection()
    exchange(client, server)
    return client, server


def exchange(client: grpc.ClientConnection, server: grpc.ServerConnection) -> tuple[list[grpc.Event], list[grpc.Event]]:
    to_server, to_client = list[grpc.Event](), list[grpc.Event]()
    for _ in range(3):
        to_server += server.receive(client.take_output())
        to_client += client.receive(server.take_output())
    return to_server, to_client


def flags_in(data: bytes) -> list[int]:
    """The compressed flags of the messages that are sent, each in a DATA frame of its own."""
    found = []
    while data:
        size, kind = int.from_bytes(data[:3], "big"), data[3]
        if kind == frames.DATA and size:
            found.append(data[9])
        data = data[9 + size :]
    return found


def test_messages_of_a_compressed_call_may_go_as_they_are() -> None:
    """Each message says for itself whether it is compressed, in both directions."""
    client, server = joined()
    stream = client.start(BLOCK + hpack.encode_field("grpc-encoding", "gzip"), "gzip")
    client.send_message(stream, b"x" * 99)
    client.send_message(stream, b"x" * 99, is_compressed=False)
    sent = client.take_output()
    assert flags_in(sent) == [1, 0]
    assert [event[2] for event in server.receive(sent) if event[0] == grpc.MESSAGE] == [b"x" * 99] * 2

    server.send_headers(stream, encoding="gzip")
    server.send_message(stream, b"y" * 99, is_compressed=False)
    server.send_message(stream, b"y" * 99)
    sent = server.take_output()
    assert flags_in(sent) == [0, 1]
    assert [event[2] for event in client.receive(sent) if event[0] == grpc.MESSAGE] == [b"y" * 99] * 2


def test_reply_is_compressed_only_for_callers_that_can_read_it() -> None:
    """An encoding that the caller does not accept is left out."""
    client, server = joined()
    own = ((":method", "POST"), (":scheme", "http"), (":path", "/a.B/C"), ("te", "trailers"), ("content-type", "application/grpc"))
    stream = client.call(hpack.encode(own), b"x")
    exchange(client, server)
    server.send_headers(stream, [("x", "y")], encoding="gzip")
    server.reply(stream, b"z" * 99)
    sent = server.take_output()
    assert flags_in(sent) == [0]
    ((kind, _, data, _, head),) = client.receive(sent)
    assert (kind, data, head.encoding, head.headers) == (grpc.UNARY_REPLY, b"z" * 99, "identity", {"x": "y"})
