"""Where requests go over HTTP, and what is made of odd responses."""

from __future__ import annotations

import gzip
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina.client import Client
from jina.client.sse import EventReader
from jina.docs import DocList
from jina.errors import BadClient, InvalidInputError
from jina.wire.content_coding import ACCEPTED
from jina.wire.http_client import BODY, END, HEAD, BadResponseError, ResponseReader, request_bytes
from tests.client.executors import Text
from tests.client.fakes import FakeHttpServer, lose

REPLY = b'{"data":[{"text":"b"}]}'


def service(*paths: str) -> FakeHttpServer:
    """A service with these POST paths, and an openapi.json that says so."""

    def respond(method: str, path: str, body: Any) -> tuple[int, Any]:
        if path == "/openapi.json":
            return 200, {"paths": {name: {"post": {}} for name in paths}}
        return (200, {"data": body["data"]}) if method == "POST" and path in paths else (404, {"detail": "Not Found"})

    return FakeHttpServer(respond)


@pytest.mark.parametrize(
    ("paths", "on", "asked"),
    [
        (("/x", "/default"), "/x", ["/x"]),
        (("/default", "/post"), "/x", ["/x", "/openapi.json", "/default"]),
        (("/post",), "/x", ["/x", "/openapi.json", "/post"]),
        (("/default",), "/", ["/openapi.json", "/default"]),
        (("/a/b",), "a/b/", ["/a/b"]),
    ],
)
def test_jinas_rule_decides_where_the_endpoint_does_not_exist(paths: tuple[str, ...], on: str, asked: list[str]) -> None:
    """Its own path, else /default, else /post; the second call goes straight there."""
    server = service(*paths)
    with Client(protocol="http", open_connection=server.connect) as client:
        assert client.post(on, Text(text="a"), return_type=Text).text == "a"
        assert [path for _, path in server.requests] == asked
        client.post(on, Text())
        assert [path for _, path in server.requests] == [*asked, asked[-1]]


def test_nothing_fits() -> None:
    """Jina's words."""
    with Client(protocol="http", open_connection=service("/y").connect) as client, pytest.raises(BadClient, match="no such endpoint /x"):
        client.post("/x", Text())


def test_connections_are_kept_and_replaced() -> None:
    """One connection for one call after the other; one that the server closed is replaced without an error."""
    server = service("/x")
    with Client(protocol="http", open_connection=server.connect) as client:
        client.post("/x", Text())
        client.post("/x", Text())
        assert len(server.connections) == 1
        client._core()[0].run(lose(server))
        client.post("/x", Text())
        assert len(server.connections) == 2


def test_failed_requests_are_sent_again() -> None:
    """503 is tried again, as often as was asked for."""
    answers = [(503, {"detail": "soon"}), (503, {"detail": "soon"}), (200, {"data": [{"text": "b"}]})]
    server = FakeHttpServer(lambda *_: answers.pop(0))
    with Client(protocol="http", open_connection=server.connect) as client:
        assert client.post("/x", Text(), max_attempts=3, initial_backoff=0.001, max_backoff=0.001, return_type=Text).text == "b"


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + REPLY,
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n17\r\n" + REPLY + b"\r\n0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 23\r\n\r\n" + REPLY,
    ],
    ids=["until close", "chunked", "after 100"],
)
def test_bodies_of_every_framing_are_read(raw: bytes) -> None:
    """With a length, in chunks, or to the end of the connection."""
    server = FakeHttpServer(lambda *_: raw)
    make = server.make

    def closing() -> Any:
        connection = make()
        write = connection.data_received

        def received(data: bytes) -> None:
            write(data)
            if b"close" in raw:
                connection.transport.close()

        connection.data_received = received  # type: ignore[method-assign]
        return connection

    server.make = closing  # type: ignore[method-assign]
    with Client(protocol="http", open_connection=server.connect) as client:
        assert client.post("/x", Text(), return_type=DocList[Text]).text == ["b"]


@pytest.mark.parametrize("raw", [b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n12", b""])
def test_broken_answer_is_a_connection_error(raw: bytes) -> None:
    """Not HTTP, cut short, or nothing at all."""
    server = FakeHttpServer(lambda *_: raw)
    make = server.make

    def closing() -> Any:
        connection = make()
        received = connection.data_received

        def then_close(data: bytes) -> None:
            received(data)
            connection.transport.close()

        connection.data_received = then_close  # type: ignore[method-assign]
        return connection

    server.make = closing  # type: ignore[method-assign]
    with Client(protocol="http", open_connection=server.connect) as client, pytest.raises(ConnectionError):
        client.post("/x", Text())


def test_body_past_the_limit_is_refused() -> None:
    """`max_message_bytes` bounds what is read."""
    server = FakeHttpServer(lambda *_: (200, b"x" * 2000))
    with (
        Client(protocol="http", open_connection=server.connect, max_message_bytes=1000) as client,
        pytest.raises(ConnectionError, match="max_message_bytes"),
    ):
        client.post("/x", Text())


@given(st.lists(st.integers(1, 60), max_size=20))
def test_response_may_be_cut_anywhere(sizes: list[int]) -> None:
    """The events are the same however the bytes arrive."""
    raw = b"HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 2\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    reader, events = ResponseReader(), []
    for size in (*sizes, len(raw)):
        part, raw = raw[:size], raw[size:]
        if part:
            events += reader.feed(part)

    assert events[0][:2] == (HEAD, 200)
    assert events[0][2]["x-a"] == "1, 2"
    assert b"".join(event[1] for event in events if event[0] == BODY) == b"hello"
    assert events[-1] == (END, True)


def test_request_that_would_break_the_framing_is_refused() -> None:
    """Line ends in names, values and paths."""
    for target, headers in (("/a b", {}), ("/a\r\nx: y", {}), ("/", {"a": "b\r\nc: d"}), ("/", {"a b": "c"}), ("/", {"a": "\u20ac"})):
        with pytest.raises(InvalidInputError):
            request_bytes("GET", target, headers)


def test_response_cut_short_is_no_response() -> None:
    """The end of the connection in the middle of a body that has a length."""
    reader = ResponseReader()
    reader.feed(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe")
    with pytest.raises(BadResponseError, match="before its answer was complete"):
        reader.eof()


@given(st.lists(st.integers(1, 30), max_size=20), st.sampled_from([b"\r\n", b"\n", b"\r"]))
def test_events_may_be_cut_anywhere(sizes: list[int], line_end: bytes) -> None:
    """Comments are passed over, lines of data are joined, any line end will do."""
    lines = [b": ping", b"", b"event: update", b'data: {"a":', b"data: 1}", b"", b"event: end", b"", b""]
    raw = line_end.join(lines)
    reader, found = EventReader(), []
    for size in (*sizes, len(raw)):
        part, raw = raw[:size], raw[size:]
        found += reader.feed(part)

    assert found == [("update", b'{"a":\n1}'), ("end", b"")]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"\xef\xbb\xbfdata: a\n\n", [("message", b"a")]),
        (b"data: a\r\rdata: b\r\r", [("message", b"a"), ("message", b"b")]),
        (b"data\n\ndata\ndata\n\n", [("message", b""), ("message", b"\n")]),
        (b"data:a\ndata:  b\n\n", [("message", b"a\n b")]),
        (b": comment\nid: 1\nretry: 10\nother: x\ndata: a\n\n", [("message", b"a")]),
        (b"event: x\nevent: y\ndata: a\n\n", [("y", b"a")]),
        (b"Data: a\n data: b\n\n", []),
        (b"data: a\xe2\x80\xa8b\x0bc\n\n", [("message", b"a\xe2\x80\xa8b\x0bc")]),
        (b"data: a\n", []),
        (b"event: \xff\ndata: a\n\n", [("\ufffd", b"a")]),
        (b"\n\n\n", []),
    ],
)
@pytest.mark.parametrize("step", [1, 2, 100])
def test_every_legal_form_of_an_event_is_read(raw: bytes, expected: list[tuple[str, bytes]], step: int) -> None:
    """A byte order mark, any line end, fields without a colon or a space; nothing waits for a byte that need not come."""
    reader = EventReader()
    assert [event for at in range(0, len(raw), step) for event in reader.feed(raw[at : at + step])] == expected


def test_event_may_be_as_large_as_the_limit_and_no_larger() -> None:
    """One line or many, and however it is cut; comments do not count, and each event begins anew."""
    for _ in range(3):
        reader = EventReader(max_event_bytes=100)
        for _ in range(5):
            assert reader.feed(b": a comment of some length" + b"\n" + b"data: " + b"x" * 94 + b"\n\n") == [("message", b"x" * 94)]
    for raw in (b"data: " + b"x" * 95, b"data: x\n" * 15, b": " + b"x" * 99):
        with pytest.raises(BadResponseError, match="exceeds max_message_bytes=100"):
            EventReader(max_event_bytes=100).feed(raw)


def test_events_of_many_mebibytes_take_time_that_grows_with_their_bytes() -> None:
    """A line is not looked through again with every piece that comes of it."""
    reader, begun = EventReader(), time.process_time()
    assert reader.feed(b"data: ") == []
    for _ in range(2000):
        assert reader.feed(b"x" * 16_000) == []
    assert time.process_time() - begun < 2.0
    assert len(reader.feed(b"\n\n")[0][1]) == 32_000_000


def test_clients_ask_for_folded_replies_but_not_for_folded_streams() -> None:
    """Behind a proxy that compresses, replies are smaller; a stream's events would wait in its buffer."""
    seen: list[bytes] = []

    class Noting(FakeHttpServer):
        def make(self) -> Any:
            connection = super().make()
            take = connection.data_received

            def received(data: bytes) -> None:
                seen.append(data)
                take(data)

            connection.data_received = received  # type: ignore[method-assign]
            return connection

    folded = gzip.compress(REPLY)
    whole = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n%b" % (len(folded), folded)
    events = b'event: update\r\ndata: {"text":"c"}\r\n\r\nevent: end\r\n\r\n'
    stream = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n%b" % (len(events), events)
    server = Noting(lambda method, *_: whole if method == "POST" else stream)
    with Client(protocol="http", open_connection=server.connect) as client:
        assert client.post("/x", Text(), return_type=Text).text == "b"
        assert [doc.text for doc in client.stream_doc("/x", inputs=Text(), return_type=Text)] == ["c"]
    assert b"accept-encoding: %b\r\n" % ACCEPTED.encode() in seen[0]
    assert b"accept-encoding: identity\r\n" in seen[1]


def test_event_over_the_limit_fails_the_stream_while_a_long_stream_of_small_ones_does_not() -> None:
    """`max_message_bytes` is a message's limit, not a stream's."""
    events = b'event: update\r\ndata: {"text":"c"}\r\n\r\n' * 100

    def stream(last: bytes) -> Any:
        raw = events + last + b"event: end\r\n\r\n"
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n" % len(raw)
        return FakeHttpServer(lambda *_: head + raw)

    with Client(protocol="http", open_connection=stream(b"").connect, max_message_bytes=1000) as client:
        assert len(list(client.stream_doc("/x", inputs=Text(), return_type=Text))) == 100
    large = b'event: update\r\ndata: {"text":"%b"}\r\n\r\n' % (b"d" * 1000)
    client = Client(protocol="http", open_connection=stream(large).connect, max_message_bytes=1000)
    with client, pytest.raises(ConnectionError, match="exceeds max_message_bytes=1000"):
        list(client.stream_doc("/x", inputs=Text(), return_type=Text))


def test_request_whose_kept_connection_breaks_late_is_not_run_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that has had the request for a while may have begun it: the loss is told, and nothing is sent again."""
    monkeypatch.setattr("jina.transport.http_client._STALE_S", 0.0)
    breaks = False

    def respond(*_: Any) -> Any:
        if breaks:
            server.connections[0].transport.close()
            return b""
        return 200, {"data": []}

    server = FakeHttpServer(respond)
    with Client(protocol="http", open_connection=server.connect) as client:
        client.post("/x", Text())
        breaks = True
        with pytest.raises(ConnectionError, match="without an answer"):
            client.post("/x", Text())

    assert len(server.requests) == 2


def test_close_ends_a_request_under_way_and_the_next_is_a_new_start() -> None:
    """ConnectionError, and the reason is the close; nothing is sent again."""
    closes = True

    def respond(*_: Any) -> Any:
        if closes:
            client.close()
            return b""
        return 200, {"data": []}

    server = FakeHttpServer(respond)
    with Client(protocol="http", open_connection=server.connect) as client:
        with pytest.raises(ConnectionError, match="client was closed"):
            client.post("/x", Text(), max_attempts=2, initial_backoff=0.001)
        assert len(server.requests) == 1
        closes = False
        assert client.post("/x", Text(), return_type=DocList[Text]) == []


@pytest.mark.parametrize("status", [502, 401, 429])
def test_a_service_that_cannot_say_its_paths_now_is_asked_again(status: int) -> None:
    """A proxy's 502, or a refusal, says nothing about the paths behind it."""
    answers: list[Any] = [(status, {}), (200, {"paths": {"/default": {"post": {}}}})]

    def respond(method: str, path: str, body: Any) -> Any:
        if path == "/openapi.json":
            return answers.pop(0)
        return (200, {"data": []}) if path == "/default" else (404, {"detail": "Not Found"})

    server = FakeHttpServer(respond)
    with Client(protocol="http", open_connection=server.connect) as client:
        with pytest.raises(BadClient, match="no such endpoint /x"):
            client.post("/x", Text())
        assert len(client.post("/x", Text())) == 0
    assert answers == []


def test_an_endpoint_keeps_its_name_in_errors_when_another_answers_for_it() -> None:
    """Also when the path was learnt by a call before."""
    n_calls = 0

    def respond(method: str, path: str, body: Any) -> Any:
        nonlocal n_calls
        if path == "/openapi.json":
            return 200, {"paths": {"/default": {"post": {}}}}
        n_calls += path == "/default"
        return (200, {"data": []}) if path == "/default" and n_calls == 1 else (404, {"detail": "Not Found"})

    with Client(protocol="http", open_connection=FakeHttpServer(respond).connect) as client:
        client.post("/x", Text())
        with pytest.raises(BadClient, match="no such endpoint /x"):
            client.post("/x", Text())
