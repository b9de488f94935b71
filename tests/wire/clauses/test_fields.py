"""Which fields are a request, a response or trailers: RFC 9113, section 8, and RFC 8441. See docs/design/http2-clauses.md."""

from __future__ import annotations

import pytest

from jina.wire import hpack, http2
from jina.wire import http2_frames as frames
from jina.wire.http2_frames import PROTOCOL_ERROR
from tests.wire.clauses.peers import (
    CONNECT,
    END,
    END_HEADERS,
    GET,
    HELLO,
    OK,
    OPEN,
    REQUEST,
    TRAILERS,
    WEBSOCKET,
    Fields,
    build,
    client,
    data,
    headers,
    kinds,
    outcome,
    parsed,
    server,
)

WHOLE = END | END_HEADERS


def without(name: str) -> Fields:
    return tuple(field for field in REQUEST if field[0] != name)


def having(name: str, value: str) -> Fields:
    return tuple((name, value) if field[0] == name else field for field in REQUEST)


MALFORMED: list[tuple[str, Fields]] = [
    # 8.2.1
    ("upper-case-name", (*REQUEST, ("A", "b"))),
    ("upper-case-in-the-middle", (*REQUEST, ("aBc", "b"))),
    ("name-with-a-space", (*REQUEST, ("a b", "b"))),
    ("name-with-a-colon", (*REQUEST, ("a:b", "b"))),
    ("name-with-nul", (*REQUEST, ("a\0", "b"))),
    ("name-with-del", (*REQUEST, ("a\x7f", "b"))),
    ("name-beyond-ascii", (*REQUEST, ("\xe9", "b"))),
    ("name-empty", (*REQUEST, ("", "b"))),
    ("value-with-nul", (*REQUEST, ("a", "b\0c"))),
    ("value-with-lf", (*REQUEST, ("a", "b\nc"))),
    ("value-with-cr", (*REQUEST, ("a", "b\rc"))),
    ("value-with-a-leading-space", (*REQUEST, ("a", " b"))),
    ("value-with-a-trailing-space", (*REQUEST, ("a", "b "))),
    ("value-with-a-leading-tab", (*REQUEST, ("a", "\tb"))),
    ("value-with-a-trailing-tab", (*REQUEST, ("a", "b\t"))),
    # 8.2.2
    ("connection", (*REQUEST, ("connection", "close"))),
    ("proxy-connection", (*REQUEST, ("proxy-connection", "close"))),
    ("keep-alive", (*REQUEST, ("keep-alive", "timeout=5"))),
    ("transfer-encoding", (*REQUEST, ("transfer-encoding", "chunked"))),
    ("upgrade", (*REQUEST, ("upgrade", "h2c"))),
    ("te-gzip", (*REQUEST, ("te", "gzip"))),
    ("te-trailers-and-gzip", (*REQUEST, ("te", "trailers, gzip"))),
    ("transfer-encoding-empty", (*REQUEST, ("transfer-encoding", ""))),
    # 8.3
    ("unknown-pseudo-field", ((":x", "1"), *REQUEST)),
    ("pseudo-field-without-a-name", ((":", "1"), *REQUEST)),
    ("status-in-a-request", (*REQUEST, (":status", "200"))),
    ("pseudo-field-after-others", (*REQUEST[:3], ("a", "b"), REQUEST[3])),
    ("path-after-others", (*without(":path"), ("a", "b"), (":path", "/a"))),
    ("method-twice", (*REQUEST, (":method", "POST"))),
    ("path-twice", (*REQUEST, (":path", "/b"))),
    ("authority-twice", (*REQUEST, (":authority", "h"))),
    # 8.3.1
    ("no-method", without(":method")),
    ("no-scheme", without(":scheme")),
    ("no-path", without(":path")),
    ("nothing", ()),
    ("empty-path", having(":path", "")),
    ("empty-method", having(":method", "")),
    ("empty-scheme", having(":scheme", "")),
    ("path-without-a-slash", having(":path", "a")),
    ("asterisk-of-post", having(":path", "*")),
    ("path-with-a-space", having(":path", "/a HTTP/1.1")),
    ("path-with-a-control-character", having(":path", "/a\x01")),
    ("method-that-is-no-token", having(":method", "PO ST")),
    ("scheme-that-is-none", having(":scheme", "ht/tp")),
    ("authority-with-userinfo", having(":authority", "user@h")),
    ("authority-with-a-space", having(":authority", "h x")),
    ("host-that-differs", (*REQUEST, ("host", "other"))),
    ("host-twice", (*REQUEST, ("host", "h"), ("host", "h"))),
    # 8.5
    ("connect-with-path", (*CONNECT, (":path", "/"))),
    ("connect-with-scheme", (*CONNECT, (":scheme", "http"))),
    ("connect-without-authority", ((":method", "CONNECT"),)),
    ("connect-with-empty-authority", ((":method", "CONNECT"), (":authority", ""))),
    # 8.1.1, RFC 9110 8.6
    ("content-length-of-words", (*REQUEST, ("content-length", "x"))),
    ("content-length-with-a-sign", (*REQUEST, ("content-length", "+2"))),
    ("content-length-list", (*REQUEST, ("content-length", "2, 2"))),
    ("content-length-twice", (*REQUEST, ("content-length", "2"), ("content-length", "2"))),
    ("content-length-differing", (*REQUEST, ("content-length", "2"), ("content-length", "3"))),
    # RFC 8441 3
    ("protocol-that-was-not-offered", WEBSOCKET),
]

TAKEN: list[tuple[str, Fields]] = [
    ("post", REQUEST),
    ("get", GET),
    ("head", ((":method", "HEAD"), *REQUEST[1:])),
    ("method-of-its-own", ((":method", "PURGE"), *REQUEST[1:])),
    ("no-authority", REQUEST[:3]),
    ("host-in-place-of-authority", (*REQUEST[:3], ("host", "h"))),
    ("host-that-agrees", (*REQUEST, ("host", "h"))),
    ("host-that-agrees-normalized", (*REQUEST, ("host", "H:80"))),
    ("asterisk-of-options", ((":method", "OPTIONS"), (":scheme", "http"), (":path", "*"))),
    ("path-with-query", having(":path", "/a?b=%20&c=*")),
    ("path-beyond-ascii", having(":path", "/\xc3\xa0")),
    ("scheme-of-its-own", having(":scheme", "coap+tcp")),
    ("te-trailers", (*REQUEST, ("te", "trailers"))),
    ("empty-value", (*REQUEST, ("a", ""))),
    ("value-with-a-tab-within", (*REQUEST, ("a", "b\tc"))),
    ("value-beyond-ascii", (*REQUEST, ("a", "\xe9\xff"))),
    ("field-that-comes-twice", (*REQUEST, ("a", "1"), ("a", "2"))),
    ("connect", CONNECT),
]


@pytest.mark.parametrize("fields", [pytest.param(fields, id=name) for name, fields in MALFORMED])
def test_malformed_request_is_a_stream_error(fields: Fields) -> None:
    """The stream is reset with PROTOCOL_ERROR, nobody above hears of it, and the connection lives."""
    for block in (hpack.encode(fields), b"".join(b"\x40" + literal(name) + literal(value) for name, value in fields)):
        end = server()
        assert end.receive(HELLO) == []
        assert outcome(end, headers(1, block)) == ("stream", PROTOCOL_ERROR)
        assert [event[0] for event in end.receive(headers(3))] == [http2.HEADERS]


def literal(text: str) -> bytes:
    return bytes((len(text),)) + text.encode("latin-1")


@pytest.mark.parametrize("fields", [pytest.param(fields, id=name) for name, fields in TAKEN])
def test_request_that_is_allowed_is_taken(fields: Fields) -> None:
    """All its fields come out, in order."""
    end = server()
    (event,) = end.receive(HELLO + headers(1, hpack.encode(fields), WHOLE))
    assert event[0] == http2.HEADERS
    assert event[1].head == fields


def test_cookies_are_joined() -> None:
    """Several cookie fields are one for whoever reads them; other fields keep their places."""
    end = server()
    (event,) = end.receive(HELLO + headers(1, hpack.encode((*REQUEST, ("cookie", "a=b"), ("x", "1"), ("cookie", "c=d"), ("cookie", "e")))))
    assert event[1].head == (*REQUEST, ("cookie", "a=b; c=d; e"), ("x", "1"))


def with_length(n_bytes: int, flags: int = END_HEADERS) -> bytes:
    return headers(1, hpack.encode((*REQUEST, ("content-length", str(n_bytes)))), flags)


LENGTHS: list[tuple[str, bytes, bool]] = [
    ("met", with_length(2) + data(1, b"ab", END), True),
    ("met-in-parts", with_length(2) + data(1, b"a") + data(1, b"b") + data(1, b"", END), True),
    ("met-with-padding", with_length(2) + data(1, b"\x03ab\0\0\0", END | frames.PADDED), True),
    ("met-before-trailers", with_length(2) + data(1, b"ab") + headers(1, TRAILERS, WHOLE), True),
    ("zero", with_length(0, WHOLE), True),
    ("not-said", headers() + data(1, b"ab", END), True),
    ("too-short", with_length(3) + data(1, b"ab", END), False),
    ("too-short-and-trailers", with_length(3) + data(1, b"ab") + headers(1, TRAILERS, WHOLE), False),
    ("too-long", with_length(1) + data(1, b"ab"), False),
    ("too-long-cut", with_length(1) + data(1, bytes(5000))[:99], False),
    ("none-at-all", with_length(3, WHOLE), False),
]


@pytest.mark.parametrize(("sent", "is_right"), [pytest.param(*case, id=name) for name, *case in LENGTHS])
def test_content_length_is_the_length_of_the_body(sent: bytes, is_right: bool) -> None:
    """Where it is not, the request is malformed."""
    assert outcome(server(), HELLO + sent) == (None if is_right else ("stream", PROTOCOL_ERROR))


def test_body_that_is_too_long_is_known_from_its_frame() -> None:
    """Before any of it is passed on, however the frame is cut."""
    end = server()
    end.receive(HELLO + with_length(100))
    events = [event for piece in (data(1, bytes(5000))[:60], bytes(4949)) for event in end.receive(piece)]
    assert [event[0] for event in events] == [http2.RESET]


def test_request_without_the_body_it_announces_is_never_announced() -> None:
    """A request that ends with its head, and said that it would have a body, is not passed on at all."""
    events = server().receive(HELLO + with_length(3, WHOLE))
    assert [event[0] for event in events] == [http2.RESET]


def response(status: str, *fields: hpack.Field) -> bytes:
    return hpack.encode(((":status", status), *fields))


LENGTH = ("content-length", "5")
RESPONSES: list[tuple[str, bytes, bool]] = [
    ("204-with-a-length", headers(1, response("204", LENGTH), WHOLE), True),
    ("304-with-a-length", headers(1, response("304", LENGTH), WHOLE), True),
    ("304-with-a-body", headers(1, response("304", LENGTH)) + data(1, b"12345", END), False),
    ("200-with-a-length-and-no-body", headers(1, response("200", LENGTH), WHOLE), False),
    ("200-with-its-body", headers(1, response("200", LENGTH)) + data(1, b"12345", END), True),
    ("no-status", headers(1, hpack.encode((("a", "b"),))), False),
    ("status-after-others", headers(1, hpack.encode((("a", "b"), (":status", "200")))), False),
    ("status-twice", headers(1, b"\x88\x88"), False),
    ("status-of-two-digits", headers(1, response("20")), False),
    ("status-of-words", headers(1, response("2x0")), False),
    ("status-101", headers(1, response("101")), False),
    ("method-in-a-response", headers(1, hpack.encode(((":status", "200"), (":method", "GET")))), False),
    ("path-alone", headers(1, b"\x84"), False),
    ("upper-case-name", headers(1, OK + b"\0\1A\1b"), False),
    ("connection", headers(1, response("200", ("connection", "close"))), False),
    ("trailers-with-a-pseudo-field", headers(1, OK) + headers(1, OK, WHOLE), False),
    ("trailers-without-end", headers(1, OK) + headers(1, TRAILERS), False),
]


@pytest.mark.parametrize(("sent", "is_right"), [pytest.param(*case, id=name) for name, *case in RESPONSES])
def test_response_is_taken_or_malformed(sent: bytes, is_right: bool) -> None:
    """A malformed response is a stream error, and never reaches whoever asked."""
    assert outcome(client(), sent) == (None if is_right else ("stream", PROTOCOL_ERROR))


def test_answer_to_head_has_no_body_whatever_its_length() -> None:
    """Its content-length is that of the answer to GET; bytes of a body are a fault."""
    for sent, expected in ((headers(1, response("200", LENGTH), WHOLE), None), (headers(1, OK) + data(), ("stream", PROTOCOL_ERROR))):
        end = client(0)
        end.send_headers(end.start(is_head=True), hpack.encode(GET), is_end=True)
        end.take_output()
        assert outcome(end, sent) == expected


TRAILING: list[tuple[str, bytes, bool]] = [
    ("trailers", headers(1, TRAILERS, WHOLE), True),
    ("without-end", headers(1, TRAILERS), False),
    ("with-a-pseudo-field", headers(1, hpack.encode(((":path", "/"),)), WHOLE), False),
    ("with-an-unknown-pseudo-field", headers(1, hpack.encode(((":x", "/"),)), WHOLE), False),
    ("with-an-upper-case-name", headers(1, b"\0\1A\1b", WHOLE), False),
    ("with-a-connection-field", headers(1, hpack.encode((("connection", "x"),)), WHOLE), False),
]


@pytest.mark.parametrize(("sent", "is_right"), [pytest.param(*case, id=name) for name, *case in TRAILING])
def test_trailers_end_the_request_and_have_no_pseudo_fields(sent: bytes, is_right: bool) -> None:
    """Else the request is malformed."""
    assert outcome(server(), HELLO + headers() + data() + sent) == (None if is_right else ("stream", PROTOCOL_ERROR))


def test_server_that_takes_connect_says_so_and_no_other_does() -> None:
    """SETTINGS_ENABLE_CONNECT_PROTOCOL is 1, or not there."""
    for takes_connect in (True, False):
        end = http2.Connection(
            is_client=False, limits=server()._limits, build_head=build, build_trailers=build, takes_connect=takes_connect
        )
        _, _, _, payload = parsed(end.take_output())[0]
        assert dict(frames.read_settings(payload)).get(frames.ENABLE_CONNECT_PROTOCOL) == (1 if takes_connect else None)


def test_client_learns_that_connect_is_taken() -> None:
    """From the server's SETTINGS."""
    end = client(0)
    assert not end.peer_takes_connect
    end.receive(frames.settings({frames.ENABLE_CONNECT_PROTOCOL: 1}))
    assert end.peer_takes_connect


PROTOCOLS: list[tuple[str, Fields, bool]] = [
    ("websocket", WEBSOCKET, True),
    ("connect", CONNECT, True),
    ("without-scheme", tuple(field for field in WEBSOCKET if field[0] != ":scheme"), False),
    ("without-path", tuple(field for field in WEBSOCKET if field[0] != ":path"), False),
    ("of-get", ((":method", "GET"), *WEBSOCKET[1:]), False),
    ("after-others", (*CONNECT, ("a", "b"), (":protocol", "websocket")), False),
    ("twice", (*WEBSOCKET, (":protocol", "websocket")), False),
    ("with-upgrade", (*WEBSOCKET, ("upgrade", "websocket")), False),
    ("with-connection", (*WEBSOCKET, ("connection", "upgrade")), False),
]


@pytest.mark.parametrize(("fields", "is_right"), [pytest.param(*case, id=name) for name, *case in PROTOCOLS])
def test_extended_connect(fields: Fields, is_right: bool) -> None:
    """Where the server takes it, `:protocol` stands in CONNECT requests with a scheme and a path."""
    assert outcome(server(True), HELLO + headers(1, hpack.encode(fields))) == (None if is_right else ("stream", PROTOCOL_ERROR))


def tunnel() -> tuple[http2.Connection, http2.Stream]:
    end = server(True)
    (event,) = end.receive(HELLO + headers(1, hpack.encode((*WEBSOCKET, ("content-length", "1")))))
    end.send_headers(event[1], OK)
    end.take_output()
    return end, event[1]


def test_tunnel_carries_data_both_ways_until_each_side_ends() -> None:
    """A length says nothing there; our end of it leaves the peer's open, as TCP's does."""
    end, stream = tunnel()
    assert [event[2] for event in end.receive(data(1, b"hello"))] == [b"hello"]
    end.send_data(stream, (b"bye",), is_end=True)
    assert kinds(end.take_output()) == [frames.DATA]
    assert [event[2:] for event in end.receive(data(1, b"more") + data(1, b"", END))] == [(b"more", False), (b"", True)]
    assert not end.streams


def test_what_is_no_data_in_a_tunnel_is_a_stream_error() -> None:
    """Trailers, that is; windows, priorities and resets go on."""
    end, _ = tunnel()
    assert outcome(end, frames.window_update(1, 5) + frames.frame(frames.PRIORITY, 0, 1, bytes(5))) is None
    assert outcome(end, headers(1, TRAILERS, WHOLE)) == ("stream", PROTOCOL_ERROR)


def test_connect_that_is_refused_is_a_request_like_others() -> None:
    """Answered to its end with anything but 200, its stream is over for both."""
    end = server(True)
    (event,) = end.receive(HELLO + headers(1, hpack.encode(WEBSOCKET)))
    end.take_output()
    end.send_headers(event[1], hpack.encode(((":status", "404"),)))
    end.send_data(event[1], (b"no",), is_end=True)
    assert kinds(end.take_output()) == [frames.HEADERS, frames.DATA, frames.RST_STREAM]
    assert not end.streams


@pytest.mark.parametrize("status", ["200", "204", "304"])
def test_head_with_a_length_and_no_body_may_be_sent(status: str) -> None:
    """As answers to HEAD, and as 204 and 304."""
    end = server()
    (event,) = end.receive(HELLO + headers(1, hpack.encode(GET), WHOLE))
    end.take_output()
    end.send_headers(event[1], response(status, LENGTH), is_end=True)
    assert [frame[:3] for frame in parsed(end.take_output())] == [(frames.HEADERS, WHOLE, 1)]
    assert not end.streams


def test_interim_responses_come_before_the_final_one() -> None:
    """100 and 103 leave the stream open for the answer, with its body and trailers."""
    end = server()
    (event,) = end.receive(HELLO + headers(1, hpack.encode(OPEN)))
    end.take_output()
    for status in ("100", "103"):
        end.send_headers(event[1], response(status))
    end.send_headers(event[1], OK)
    end.send_data(event[1], (b"body",))
    end.send_headers(event[1], TRAILERS, is_end=True)
    peer = client(0)
    peer.send_headers(peer.start(), hpack.encode(OPEN))
    found = [event[0] for event in peer.receive(end.take_output())]
    assert found == [http2.HEADERS, http2.DATA, http2.TRAILERS, http2.RESET]  # without error: the rest of the request is not wanted
