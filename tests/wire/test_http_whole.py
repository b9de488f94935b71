"""Requests whose opening was read before: taken the short way, they are the same."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from jina.limits import Limits
from jina.wire.http import Refusal, Request, ServerConnection
from jina.wire.http_whole import Openings

REQUESTS = [
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
    b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n\r\n\r\n",
    b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
    b"GET http://b/y HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
]
LAST = [
    b"",
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
    b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\nabc",
    b"nonsense\r\n\r\n",
]


class Forgetful(Openings):
    """Learns nothing, so that the parser reads everything."""

    def learn(self, data: bytes, request: Request) -> None:
        """Forget it."""


def told(events: list[Request | Refusal]) -> list[Any]:
    """What events say."""
    return [
        (event.status, event.detail)
        if isinstance(event, Refusal)
        else (event.method, event.target, event.head.headers, event.body, event.keep_alive, event.is_http_10, event.is_upgrade)
        for event in events
    ]


def learnt() -> Openings:
    """Openings that have seen every request often enough."""
    openings, heads = Openings(), dict[Any, Any]()
    for request in REQUESTS * 3:
        ServerConnection(Limits(), heads, 0.0, openings=openings).receive(request, 0.0)
    return openings


@settings(max_examples=300)
@given(st.lists(st.sampled_from(REQUESTS), max_size=6), st.sampled_from(LAST), st.lists(st.integers(0, 500), max_size=6))
def test_the_short_way_gives_what_the_parser_gives(requests: list[bytes], last: bytes, cuts: list[int]) -> None:
    """Pipelined, cut anywhere, followed by whatever: the events and the states are the same."""
    data = b"".join(requests) + last
    short = ServerConnection(Limits(), {}, 0.0, openings=learnt())
    long = ServerConnection(Limits(), {}, 0.0, openings=Forgetful())
    start = 0
    for cut in (*sorted(min(cut, len(data)) for cut in cuts), len(data)):
        if start < cut:
            assert told(short.receive(data[start:cut], 1.0)) == told(long.receive(data[start:cut], 1.0))
            assert (short.is_closed, short.is_idle, short.wants_continue) == (long.is_closed, long.is_idle, long.wants_continue)
        start = cut


def test_an_opening_is_known_from_its_third_time_on() -> None:
    """Then no parser is made for a new connection that sends it."""
    openings, heads = Openings(), dict[Any, Any]()
    for _ in range(2):
        ServerConnection(Limits(), heads, 0.0, openings=openings).receive(REQUESTS[1], 0.0)
    core = ServerConnection(Limits(), heads, 0.0, openings=openings)

    assert [event.body for event in core.receive(REQUESTS[1] * 2, 0.0) if isinstance(event, Request)] == [b"abc", b"abc"]
    assert core._parser is None


def test_openings_that_all_differ_are_not_kept() -> None:
    """A caller whose every request has another header fills no memory."""
    openings = Openings()
    core = ServerConnection(Limits(), {}, 0.0, openings=openings)
    for number in range(5000):
        assert len(core.receive(b"GET / HTTP/1.1\r\nHost: a\r\nTrace: %d\r\n\r\n" % number, 0.0)) == 1

    assert not openings._known
    assert len(openings._seen) <= 1024


def test_more_openings_than_are_kept_begin_anew() -> None:
    """The memory is bounded, and what is forgotten is read by the parser again."""
    openings = Openings()
    core = ServerConnection(Limits(), {}, 0.0, openings=openings)
    for number in range(300):
        for _ in range(2):
            assert len(core.receive(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number, 0.0)) == 1

    assert 0 < len(openings._known) <= 256
    assert len(core.receive(b"GET /0 HTTP/1.1\r\nHost: a\r\n\r\n", 0.0)) == 1
