"""HTTP/1.1 in the client's role: what it writes, what it reads however it is cut, what it refuses."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina.errors import InvalidInputError
from jina.wire import http_client
from jina.wire.http import Limits, Request, ServerConnection
from jina.wire.http_client import BODY, END, HEAD, BadResponseError, Event, ResponseReader, request_bytes

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
        (SIZED + SIZED, "more than it was asked for"),
        (b"HTTP/1.1 200 OK\r\nX: %b\r\n\r\n" % (b"x" * http_client.MAX_HEADER_BYTES), "headers are larger"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n" + b"x" * 11, "max_message_bytes"),
    ],
)
def test_what_is_no_response_is_refused(sent: bytes, text: str) -> None:
    """Other protocols, answers to nothing, and more than the limits allow."""
    with pytest.raises(BadResponseError, match=text):
        ResponseReader(max_body_bytes=10).feed(sent)


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
