from __future__ import annotations

import gc
import tracemalloc
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina.wire.http import Limits, Refusal, Request, ServerConnection

GOOD = b"POST /a?b=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
CHUNKED = b"POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
GET = b"GET / HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nX-A: 2\r\n\r\n"


def connection(**limits: Any) -> Any:
    return ServerConnection(Limits(**limits), {}, 0.0)


def seen(events: Any) -> Any:
    return [(e.method, e.target, e.body) if isinstance(e, Request) else e.status for e in events]


def one_refusal(data: Any, **limits: Any) -> Any:
    (event,) = connection(**limits).receive(data, 0.0)
    assert isinstance(event, Refusal), seen([event])
    return event


@given(st.lists(st.integers(0, len(GOOD + CHUNKED + GET)), max_size=8))
def test_requests_are_the_same_however_their_bytes_are_cut(cuts: Any) -> None:
    data = GOOD + CHUNKED + GET
    core, events = connection(), []
    bounds = [0, *sorted(cuts), len(data)]
    for begin, end in pairwise(bounds):
        if begin != end:
            events += core.receive(data[begin:end], 0.0)
    assert seen(events) == [(b"POST", b"/a?b=1", b"abc"), (b"POST", b"/c", b"abc"), (b"GET", b"/", b"")]
    assert events[2].head.headers == {"host": "x", "x-a": "1, 2"}


def test_a_body_one_byte_over_the_limit_is_413_and_names_the_option() -> None:
    assert seen(connection(max_body_bytes=3).receive(GOOD, 0.0)) == [(b"POST", b"/a?b=1", b"abc")]
    refusal = one_refusal(GOOD, max_body_bytes=2)
    assert refusal.status == 413
    assert "max_body_bytes" in refusal.detail


def test_a_chunked_body_over_the_limit_is_413() -> None:
    assert one_refusal(CHUNKED, max_body_bytes=2).status == 413


def test_too_many_or_too_large_headers_are_431() -> None:
    many = b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"a%d: b\r\n" % i for i in range(100)) + b"\r\n"
    assert one_refusal(many).status == 431
    assert one_refusal(b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 70000 + b"\r\n\r\n").status == 431


def test_a_header_without_end_is_refused_before_it_fills_memory() -> None:
    core = connection(max_header_bytes=1000, max_target_bytes=1000)
    core.receive(b"GET / HTTP/1.1\r\nHost: x\r\nA: ", 0.0)
    events = [event for _ in range(40) for event in core.receive(b"a" * 100, 0.0)]
    assert seen(events) == [431]


def test_a_long_target_is_414() -> None:
    assert one_refusal(b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\nHost: x\r\n\r\n").status == 414


def test_trailers_count_as_header_fields() -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    assert one_refusal(head + b"".join(b"a: b\r\n" for _ in range(100)) + b"\r\n").status == 431


def test_good_requests_before_a_bad_one_still_come_out() -> None:
    assert seen(connection().receive(GOOD + b"junk\r\n\r\n", 0.0)) == [(b"POST", b"/a?b=1", b"abc"), 400]


def test_a_client_that_waits_for_continue_is_told_so_only_if_a_body_follows() -> None:
    core = connection()
    core.receive(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n", 0.0)
    assert core.wants_continue
    assert seen(core.receive(b"abc", 0.0)) == [(b"POST", b"/", b"abc")]
    assert not core.wants_continue
    assert one_refusal(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: wonders\r\nContent-Length: 3\r\n\r\n").status == 417


def test_nothing_is_read_after_connection_close() -> None:
    core = connection()
    events = core.receive(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" + GET, 0.0)
    assert seen(events) == [(b"GET", b"/", b"")]
    assert core.is_closed
    assert core.receive(GET, 0.0) == []


def test_an_upgrade_that_we_do_not_offer_is_an_ordinary_request() -> None:
    events = connection().receive(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n" + GET, 0.0)
    assert seen(events) == [(b"GET", b"/", b"")] * 2


@pytest.mark.parametrize("cut", [1, 7, 1 << 20])
@pytest.mark.parametrize(
    ("framing", "body"),
    [(b"Content-Length: %d" % len(GET), GET), (b"Transfer-Encoding: chunked", b"%x\r\n%b\r\n0\r\n\r\n" % (len(GET), GET))],
)
def test_a_body_that_comes_with_an_upgrade_is_no_request(cut: int, framing: bytes, body: bytes) -> None:
    """Java's client, and curl with --http2, ask for one with every first request; what is in the body must not be taken for another."""
    core = connection()
    sent = b"POST /a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n%b\r\nX-A: 1\r\n\r\n" % framing
    sent += body + GET
    events = [event for at in range(0, len(sent), cut) for event in core.receive(sent[at : at + cut], 0.0)]
    assert seen(events) == [(b"POST", b"/a", GET), (b"GET", b"/", b"")]
    assert events[0].head.headers["x-a"] == "1"


@pytest.mark.parametrize("body", [b"", b"abc"])
def test_a_bad_request_behind_one_that_asks_for_an_upgrade_is_refused(body: bytes) -> None:
    """Whether the parser finds the fault or we do."""
    first = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    for bad in (b"junk\r\n\r\n", b"GET http://h/ HTTP/1.1\r\n\r\n"):
        assert seen(connection().receive(first + bad, 0.0)) == [(b"POST", b"/", body), 400]
        assert seen(connection().receive(first + first + bad, 0.0)) == [(b"POST", b"/", body)] * 2 + [400]


@pytest.mark.parametrize("close", [b"close, Upgrade", b"Upgrade\r\nConnection: close"])
def test_nothing_is_read_behind_a_last_request_that_asks_for_an_upgrade(close: bytes) -> None:
    """Not even in the same read."""
    core = connection()
    events = core.receive(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: %b\r\nUpgrade: h2c\r\n\r\n" % close + GET, 0.0)
    assert (seen(events), core.is_closed) == ([(b"GET", b"/", b"")], True)


def test_what_stands_behind_a_request_for_websocket_is_kept_as_it_is() -> None:
    """Whoever grants it reads on there; where nobody may grant it, it is the next request."""
    asks = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n"
    core = ServerConnection(Limits(), {}, 0.0, takes_websocket=True)
    (request,) = core.receive(asks + GET, 0.0)
    core.receive(b"more", 0.0)
    assert isinstance(request, Request)
    assert (request.is_upgrade, core.is_upgraded, core.is_closed, core.rest) == (True, True, True, GET + b"more")
    assert seen(connection().receive(asks + GET, 0.0)) == [(b"GET", b"/", b"")] * 2


def test_connect_has_no_body() -> None:
    """What follows it would be a tunnel's."""
    core = connection()
    (refusal,) = core.receive(b"CONNECT /a HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(GET) + GET, 0.0)
    assert isinstance(refusal, Refusal)


def test_absolute_form_targets_lose_scheme_and_host() -> None:
    assert seen(connection().receive(b"GET http://h:1/a?b HTTP/1.1\r\nHost: h:1\r\n\r\n", 0.0)) == [(b"GET", b"/a?b", b"")]
    assert seen(connection().receive(b"GET http://h?b HTTP/1.1\r\nHost: h\r\n\r\n", 0.0)) == [(b"GET", b"/?b", b"")]


def test_targets_of_proxies_may_lack_a_path() -> None:
    """`http://host` means `/`, `http://host?q` means `/?q`."""
    for target, expected in ((b"http://h", b"/"), (b"http://h?q", b"/?q"), (b"http://h/a", b"/a")):
        (event,) = connection().receive(b"GET %b HTTP/1.1\r\nHost: h\r\n\r\n" % target, 0.0)
        assert event.target == expected


def test_heads_that_always_differ_are_read() -> None:
    """The memory of heads is emptied when it is full."""
    core = connection()
    for n in range(300):
        (event,) = core.receive(b"GET / HTTP/1.1\r\nHost: h\r\nX-N: %d\r\n\r\n" % n, 0.0)
        assert event.head.headers["x-n"] == str(n)
    (event,) = core.receive(b"GET / HTTP/1.1\r\nHost: h\r\nX-N: %b\r\n\r\n" % (b"n" * 5000), 0.0)
    assert len(event.head.headers["x-n"]) == 5000


def test_headers_that_take_too_long_are_408() -> None:
    """The clock runs from the first byte, whatever comes meanwhile."""
    core = connection()
    core.receive(b"GET / HT", 0.0)
    core.receive(b"TP/1.1\r\n", 9.0)
    assert core.check(10.0) is None
    assert core.check(10.1).status == 408


def test_a_body_below_the_rate_is_408_after_five_seconds_of_grace() -> None:
    """What has come buys time."""
    core = connection()
    core.receive(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + b"a" * 2048, 0.0)
    assert core.check(7.0) is None
    assert core.check(7.1).status == 408


def test_a_body_that_came_fast_and_then_stands_still_is_408_too() -> None:
    """Megabytes at once do not buy hours."""
    core = connection()
    core.receive(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n" + b"a" * 9_000_000, 0.0)
    refusals = [core.check(float(second)) for second in range(1, 40)]
    assert [second for second, refusal in enumerate(refusals, 1) if refusal is not None][:1] == [31]


def test_a_slow_body_above_the_rate_is_read() -> None:
    """An hour, if need be."""
    core = connection()
    core.receive(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3686400\r\n\r\n", 0.0)
    for second in range(1, 3600):
        assert core.receive(b"a" * 1024, float(second)) == []
        assert core.check(second + 0.5) is None
    assert len(core.receive(b"a" * 1024, 3600.0)) == 1


def test_time_in_which_a_reply_was_made_does_not_count_against_the_next_body() -> None:
    """While a request is answered the connection may not be read at all."""
    core = connection()
    core.receive(GET + b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n", 0.0)
    core.replied(100.0)
    assert core.check(104.0) is None
    core.replied(200.0)
    assert core.check(200.9) is None
    assert core.check(201.1).status == 408


def test_a_connection_without_a_request_idles_out_even_if_empty_lines_come() -> None:
    """Empty lines before a request are passed over; they do not keep a connection."""
    core = connection()
    assert not core.is_idle_too_long(60.0)
    assert core.receive(b"\r\n", 60.0) == []
    assert core.is_idle_too_long(60.1)


def test_a_connection_that_has_idled_for_a_while_costs_less_than_a_kibibyte() -> None:
    """Its parser goes after five seconds, and the next request brings another."""
    heads: Any = {}
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        cores = [ServerConnection(Limits(), heads, 0.0) for _ in range(200)]
        for core in cores:
            core.receive(GET, 0.0)
            assert not core.is_idle_too_long(6.0)
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (held - before) / len(cores) < 1024
    assert seen(cores[0].receive(GET, 7.0)) == [(b"GET", b"/", b"")]


def test_the_host_of_an_absolute_target_stands_above_the_field() -> None:
    """RFC 9112, 3.2.2: what `Host` says is ignored."""
    (request,) = connection().receive(b"GET http://b:1/x HTTP/1.1\r\nHost: a\r\nX-A: 1\r\n\r\n", 0.0)
    assert request.head.headers == {"host": "b:1", "x-a": "1"}


def test_the_hundredth_field_is_taken_and_one_more_is_not() -> None:
    """`Content-Length` and trailers are fields like others."""
    start = b"POST / HTTP/1.1\r\nHost: x\r\n"
    for last, rest in ((b"Content-Length: 1\r\n", b"a"), (b"Transfer-Encoding: chunked\r\n", b"0\r\nt: v\r\n\r\n")):
        n_other = 98 if rest == b"a" else 97
        assert len(seen(connection().receive(start + b"a: b\r\n" * n_other + last + b"\r\n" + rest, 0.0))[0]) == 3
        assert one_refusal(start + b"a: b\r\n" * (n_other + 1) + last + b"\r\n" + rest).status == 431


def test_requests_with_equal_headers_share_one_head() -> None:
    first, second = connection().receive(GOOD + GOOD.replace(b"3\r\n\r\nabc", b"2\r\n\r\nab"), 0.0)
    assert first.head is second.head


@pytest.mark.parametrize("version", [b"0.9", b"2.0"])
def test_another_version_of_http_is_505(version: bytes) -> None:
    """A reply in HTTP/1.1 would be no answer."""
    refusal = one_refusal(b"GET / HTTP/%b\r\nHost: x\r\n\r\n" % version)
    assert (refusal.status, version.decode() in refusal.detail) == (505, True)


def test_a_chunked_body_that_is_mostly_framing_is_refused() -> None:
    """Extensions of chunks are read and thrown away, but not without end."""
    core = connection()
    assert core.receive(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;x=", 0.0) == []
    events: list[Any] = []
    n_sent = 0
    while not events and n_sent < 10 << 20:
        events = core.receive(b"y" * 10_000, 0.0)
        n_sent += 10_000
    assert seen(events) == [400]
    assert n_sent < 2 << 20


def test_a_body_in_chunks_of_a_byte_is_read() -> None:
    """Six bytes for one are a bad bargain, not an attack."""
    core = connection()
    core.receive(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 0.0)
    for _ in range(500):
        assert core.receive(b"1\r\na\r\n" * 1000, 0.0) == []
    assert seen(core.receive(b"0\r\n\r\n", 0.0)) == [(b"POST", b"/", b"a" * 500_000)]
