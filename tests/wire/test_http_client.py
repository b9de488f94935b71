"""HTTP/1.1 in the client's role: what it writes, what it reads however it is cut, what it refuses."""

from __future__ import annotations

import gzip
import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina.errors import InvalidInputError
from jina.wire import http_client
from jina.wire.http import Limits, Request, ServerConnection
from jina.wire.http_client import BODY, END, HEAD, UPGRADED, BadResponseError, Event, ResponseReader, request_bytes

SIZED = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-A: 1\r\nX-A: 2\r\n\r\nabc"
CHUNKED = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 500 Oh\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
EMPTY = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"


def joined(events: list[Event]) -> list[Event]:
    """The pieces of each body as one."""
    made: list[Event] = []
    for event in events:
        if event[0] == BODY and made and made[-1][0] == BODY:
            event = (BODY, made.pop()[1] + event[1])
        made.append(event)
    return made


@given(st.sampled_from([SIZED, CHUNKED, EMPTY]), st.lists(st.integers(0, 99), max_size=5))
def test_responses_are_the_same_however_they_are_cut(sent: bytes, cuts: list[int]) -> None:
    """Head, body and end come once each; 100 Continue is passed over; another response may follow."""
    reader, events = ResponseReader(), list[Event]()
    for begin, end in pairwise([0, *sorted(min(cut, len(sent)) for cut in cuts), len(sent)]):
        events += reader.feed(sent[begin:end]) if end > begin else []
    expected: dict[bytes, list[Event]] = {
        SIZED: [(HEAD, 200, {"content-length": "3", "x-a": "1, 2"}), (BODY, b"abc"), (END, True)],
        CHUNKED: [(HEAD, 500, {"transfer-encoding": "chunked"}), (BODY, b"abc"), (END, True)],
        EMPTY: [(HEAD, 204, {"connection": "close"}), (END, False)],
    }
    assert joined(events) == expected[sent]
    if sent is not EMPTY:
        assert not reader.has_begun
        assert reader.feed(SIZED)[-1] == (END, True)


def test_body_without_a_length_ends_with_the_connection() -> None:
    """`eof` is its end; elsewhere it is a failure."""
    reader = ResponseReader()
    reader.feed(b"HTTP/1.0 200 OK\r\n\r\nabc")
    assert reader.eof() == [(END, False)]
    for part in (b"", SIZED[:-1]):
        reader = ResponseReader()
        if part:
            reader.feed(part)
        with pytest.raises(BadResponseError, match="before its answer was complete"):
            reader.eof()


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        (b"SSH-2.0-x\r\n", "not HTTP"),
        (b"\0\0\x12\4\0\0\0\0\0", "this is a gRPC port"),
        (SIZED + SIZED, "more than it was asked for"),
        (b"HTTP/1.1 200 OK\r\nX: %b\r\n\r\n" % (b"x" * http_client.MAX_HEADER_BYTES), "headers are larger"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n" + b"x" * 11, "max_message_bytes"),
    ],
)
def test_what_is_no_response_is_refused(sent: bytes, text: str) -> None:
    """Other protocols, answers to nothing, and more than the limits allow."""
    with pytest.raises(BadResponseError, match=text):
        ResponseReader(max_body_bytes=10).feed(sent)


@pytest.mark.parametrize("step", [1, 1000])
def test_a_change_of_protocol_that_was_asked_for_is_told(step: int) -> None:
    """With what follows it in the same read; a length has no meaning there."""
    head = b"HTTP/1.1 100 x\r\n\r\nHTTP/1.1 101 x\r\nUpgrade: x\r\nConnection: a, Upgrade\r\nContent-Length: 3\r\n\r\n"
    sent, reader, events = head + b"ab", ResponseReader(may_upgrade=True), list[Event]()
    for at in range(0, len(sent), step):
        events += reader.feed(sent[at : at + step])
        if events:
            break

    assert events == [(UPGRADED, {"upgrade": "x", "connection": "a, Upgrade", "content-length": "3"}, b"" if step == 1 else b"ab")]


@pytest.mark.parametrize("fields", [b"", b"Upgrade: x\r\n", b"Connection: upgrade\r\n", b"Upgrade: x\r\nConnection: close\r\n"])
def test_a_change_of_protocol_without_its_fields_is_refused(fields: bytes) -> None:
    """RFC 9110, 7.8: both are sent."""
    with pytest.raises(BadResponseError, match="without the fields"):
        ResponseReader(may_upgrade=True).feed(b"HTTP/1.1 101 x\r\n" + fields + b"\r\n")


def test_a_head_that_has_no_end_is_refused() -> None:
    """The parser would keep its last field."""
    reader = ResponseReader()
    reader.feed(b"HTTP/1.1 200 x\r\na: " + bytes(http_client.MAX_HEADER_BYTES).replace(b"\0", b"x"))
    with pytest.raises(BadResponseError, match="headers are larger"):
        reader.feed(b"x" * http_client.MAX_HEADER_BYTES)


@pytest.mark.parametrize("body", [None, b"", b"abc"])
def test_requests_are_read_by_the_server(body: bytes | None) -> None:
    """What the client writes is what our server reads."""
    (request,) = ServerConnection(Limits(), {}, 0.0).receive(request_bytes("POST", "/a?b", {"host": "h", "x-a": "é"}, body), 0.0)
    assert isinstance(request, Request)
    assert (request.method, request.target, request.body) == (b"POST", b"/a?b", body or b"")
    assert request.head.headers["x-a"] == "é"


@pytest.mark.parametrize(("target", "headers"), [("a", {}), ("/a b", {}), ("/", {"a b": "x"}), ("/", {"a": "x\r\ny"}), ("/", {"a": "€"})])
def test_what_would_break_the_framing_is_refused(target: str, headers: dict[str, str]) -> None:
    """No path, name or value of a caller writes a line of its own."""
    with pytest.raises(InvalidInputError):
        request_bytes("GET", target, headers)


OK = b"HTTP/1.1 200 OK\r\n"
BODYLESS = b"Content-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        OK + b"Content-Length: 3, 3\r\n\r\nabc",
        OK + b"Content-Length: -3\r\n\r\nabc",
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: gzip\r\n\r\nabc",
        OK + b"X: a\r\n b\r\n" + BODYLESS,
        OK + b"X : a\r\n" + BODYLESS,
        OK + b"X: a\0b\r\n" + BODYLESS,
        b"HTTP/1.1 200 OK\n" + BODYLESS,
        b"HTTP/1.1 99 \r\n" + BODYLESS,
        b"HTTP/1.1 2000 \r\n" + BODYLESS,
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nabc",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\nabc",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 2000,
    ],
)
def test_responses_whose_end_could_be_doubted_are_refused(sent: bytes) -> None:
    """And changes of protocol that were not asked for, and interim responses without end."""
    with pytest.raises(BadResponseError):
        ResponseReader().feed(sent)


@pytest.mark.parametrize(
    ("sent", "body", "is_kept"),
    [
        (b"HTTP/1.1 200\r\nContent-Length: 1\r\n\r\na", b"a", True),
        (b"HTTP/1.1 200 \r\nContent-Length: 1\r\n\r\na", b"a", True),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n", b"", True),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", b"", True),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK + b"Content-Length: 1\r\n\r\na", b"a", True),
        (OK + b'Transfer-Encoding: chunked\r\n\r\n1;x="y;z"\r\na\r\n0\r\n\r\n', b"a", True),
        (OK + b"Connection: x, Close\r\nContent-Length: 1\r\n\r\na", b"a", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", b"a", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na", b"a", True),
    ],
)
def test_responses_of_every_legal_form_are_read(sent: bytes, body: bytes, is_kept: bool) -> None:
    """No reason, no body whatever the length says, interim responses, extensions of chunks, and whether the connection stays."""
    head, *rest = ResponseReader().feed(sent)
    assert head[0] == HEAD
    assert rest == ([(BODY, body)] if body else []) + [(END, is_kept)]


def test_trailers_are_not_taken_for_headers() -> None:
    """RFC 9110, 6.5.1: what comes behind the body must not change what stood before it."""
    head, *_ = ResponseReader().feed(OK + b"X: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: b\r\nY: c\r\n\r\n")
    assert head[2] == {"x": "a", "transfer-encoding": "chunked"}
    with pytest.raises(BadResponseError, match="headers are larger"):
        ResponseReader().feed(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: " + b"b" * 70_000 + b"\r\n\r\n")


@pytest.mark.parametrize("start", [b"HTTP/1.1 200 ", OK + b"X: ", OK + b"Transfer-Encoding: chunked\r\n\r\n1;x=", OK + b"X"])
def test_a_head_or_a_chunk_without_an_end_is_refused(start: bytes) -> None:
    """A reason, a field, its name, or an extension that never ends."""
    reader = ResponseReader()
    reader.feed(start)

    def feed_megabytes(n: int) -> None:
        for _ in range(n * 100):
            reader.feed(b"x" * 10_000)

    with pytest.raises(BadResponseError):
        feed_megabytes(2)


def test_small_chunks_that_come_together_are_one_event() -> None:
    """An object for each byte would cost a hundred times what is held."""
    events = ResponseReader().feed(OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 1000)
    assert events[1:] == [(BODY, b"a" * 1000)]


@given(st.sampled_from(["gzip", "deflate", "deflate, gzip"]), st.booleans(), st.lists(st.integers(0, 300), max_size=5))
def test_folded_responses_are_unfolded_however_they_are_cut(coding: str, is_chunked: bool, cuts: list[int]) -> None:
    """Proxies fold what our server sends as it is."""
    body = b'{"data":[]}' * 20
    folded = {"gzip": gzip.compress(body), "deflate": zlib.compress(body), "deflate, gzip": gzip.compress(zlib.compress(body))}[coding]
    framing, content = (
        (b"Transfer-Encoding: chunked", b"%x\r\n%b\r\n0\r\n\r\n" % (len(folded), folded)) if is_chunked else (b"X: y", folded)
    )
    sent = OK + b"Content-Encoding: %b\r\n%b\r\n\r\n%b" % (coding.encode(), framing, content)
    reader, events = ResponseReader(), list[Event]()
    for begin, end in pairwise([0, *sorted(min(cut, len(sent)) for cut in cuts), len(sent)]):
        events += reader.feed(sent[begin:end]) if end > begin else []
    events += [] if is_chunked else reader.eof()
    assert joined(events)[1:] == [(BODY, body), (END, is_chunked)]


@pytest.mark.parametrize(
    ("folded", "coding", "text"),
    [
        (b"abc", b"gzip", "not gzip"),
        (gzip.compress(b"abc")[:-1], b"gzip", "ends before"),
        (b"abc", b"br", "not asked for"),
        (gzip.compress(bytes(1001)), b"gzip", "unfolds to more than max_message_bytes=1000"),
    ],
    ids=["no gzip", "half", "unknown", "too large"],
)
def test_folded_responses_that_cannot_be_unfolded_are_refused(folded: bytes, coding: bytes, text: str) -> None:
    """The limit is on what comes of them."""
    sent = OK + b"Content-Encoding: %b\r\nContent-Length: %d\r\n\r\n%b" % (coding, len(folded), folded)
    with pytest.raises(BadResponseError, match=text):
        ResponseReader(max_body_bytes=1000).feed(sent)
    if b"gzip" in coding:
        reader = ResponseReader(max_body_bytes=1000)
        with pytest.raises(BadResponseError, match=text):
            (reader.feed(OK + b"Content-Encoding: gzip\r\n\r\n" + folded), reader.eof())


def test_a_folded_response_of_zeros_is_read_whatever_its_ratio() -> None:
    """A tensor of zeros behind a proxy that compresses is no attack; 64 MiB are free."""
    folded = gzip.compress(bytes(8 << 20))
    events = ResponseReader().feed(OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(folded), folded))
    assert len(joined(events)[1][1]) == 8 << 20
