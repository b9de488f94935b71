"""What is WebSocket's own in the client: connections that are kept, what their end means, handshakes that are refused."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from jina.client import websocket_pool
from jina.client.background import Background
from jina.docs import BaseDoc, DocList
from jina.errors import BadClientInput, BadServerFlow
from jina.testing import Service, serve
from jina.transport import websocket as transport
from tests.client.executors import Sample, Text
from tests.client.websocket_fakes import Fake, FakeServer, ours, response
from tests.waiting import until


@pytest.fixture
def service() -> Any:
    with serve(Sample, protocol="websocket") as running:
        yield running


def test_a_connection_is_kept_for_the_next_post() -> None:
    """One for each that runs at a time, and one for each set of headers."""
    server = FakeServer(Fake.echo)
    with server.client() as client:
        for _ in range(3):
            client.post("/x", Text(text="a"))
        assert len(server.connections) == 1
        client.post("/x", Text(text="a"), headers={"x-a": "1"})
        assert len(server.connections) == 2
        assert server.connections[1].headers["x-a"] == "1"
        assert server.connections[0].headers["sec-websocket-protocol"] == "bytes"


def test_answers_that_wait_for_their_turn_do_not_keep_that_one_away() -> None:
    """However large they are: only answers that nobody has taken stop the reading."""
    held: list[bytes] = []

    def echo_first(fake: Fake, n_turns: int = 20) -> None:
        if n_turns:  # until the others have been read
            asyncio.get_running_loop().call_soon(echo_first, fake, n_turns - 1)
        else:
            fake.echo(held[0])
            fake.flush()

    def last_first(fake: Fake, data: bytes) -> None:
        held.append(data)
        if len(held) > 1:
            fake.echo(data)
        if len(held) == 8:
            echo_first(fake)

    with FakeServer(last_first).client() as client:
        docs = [Text(text=str(number) * 400_000) for number in range(8)]
        found = client.post("/x", docs, request_size=1, results_in_order=True, timeout=60, return_type=DocList[Text])
        assert [text[0] for text in found.text] == list("01234567")


def test_what_is_kept_is_closed_after_a_minute_without_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the next post opens another."""
    monkeypatch.setattr(websocket_pool, "_KEEP_S", 0.05)

    async def wait() -> None:
        server = FakeServer(Fake.echo)
        client = server.client(asyncio=True)
        for n in (1, 2):
            _ = [each async for each in client.post("/x", Text(text="a"))]
            await until(lambda n=n: server.closed == [1000] * n)  # type: ignore[misc]
        client.close()

    asyncio.run(wait())


def test_one_timer_serves_all_that_is_kept_and_may_fire_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Posts leave none behind; and what is then not due yet is looked at again."""
    monkeypatch.setattr(websocket_pool, "_KEEP_S", 0.1)

    async def wait() -> None:
        loop, delays = asyncio.get_running_loop(), list[float]()
        call_later = loop.call_later

        def early(delay: float, callback: Any, *args: Any) -> asyncio.TimerHandle:
            if "WebSocketPool" in getattr(callback, "__qualname__", ""):
                delays.append(delay)
                delay = delay * 0.5 if len(delays) == 1 else delay
            return call_later(delay, callback, *args)

        monkeypatch.setattr(loop, "call_later", early)
        server = FakeServer(Fake.echo)
        client = server.client(asyncio=True)
        for _ in range(5):
            _ = [each async for each in client.post("/x", Text(text="a"))]
        assert len(delays) <= 2  # 2 if the posts took long
        await until(lambda: server.closed == [1000])
        client.close()

    asyncio.run(wait())


def test_few_connections_are_kept_however_many_headers_there_are() -> None:
    """A header that is another for each post (a trace) must not leave a connection each."""
    server = FakeServer(Fake.echo)
    with server.client() as client:
        for number in range(100):
            client.post("/x", Text(text="a"), headers={"x-trace": str(number)})
        assert len(server.connections) == 100
        assert len(server.closed) >= 100 - 32 - 1  # the server hears of the last a moment later
        client.post("/x", Text(text="a"), headers={"x-trace": "99"})
        assert len(server.connections) == 100


def test_close_ends_what_is_kept_with_1000() -> None:
    """And the next post opens another."""
    server = FakeServer(Fake.echo)
    with server.client() as client:
        client.post("/x", Text(text="a"))
        client.close()
        client.post("/x", Text(text="a"))
    assert len(server.connections) == 2
    assert server.closed[0] == 1000


def test_a_kept_connection_that_the_server_has_closed_is_replaced() -> None:
    """Whether that was heard before the post or after."""
    server = FakeServer(Fake.echo)
    with server.client() as client:
        client.post("/x", Text(text="a"))
        server.connections[0].end(1001)
        assert client.post("/x", Text(text="a"), return_type=DocList[Text]).text == ["a"]
        server.react = lambda fake, data: fake.transport.abort() if fake is server.connections[1] else fake.echo(data)
        assert client.post("/x", Text(text="b"), return_type=DocList[Text]).text == ["b"]
        assert len(server.connections) == 3


def test_a_post_that_is_left_closes_its_connection() -> None:
    """Nobody would take the answers."""
    server = FakeServer(lambda fake, data: fake.echo(data) if len(server.taken) == 1 else None)

    async def leave() -> None:
        client = server.client(asyncio=True)
        answers = client.post("/x", [Text(text="a")] * 2, request_size=1)
        await anext(answers)
        await answers.aclose()
        await until(lambda: server.closed == [1000])
        client.close()

    asyncio.run(leave())


def test_answers_that_are_not_taken_hold_the_server_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading stops; meanwhile the server, whose pings are not read, is given signs of life."""
    monkeypatch.setattr(transport, "_SIGN_S", 0.01)
    heard: list[bytes] = []

    class Hearing(Fake):
        def data_received(self, data: bytes) -> None:
            heard.append(data[:2])
            super().data_received(data)

    async def slow() -> None:
        server = FakeServer(lambda fake, data: fake.echo(data) if len(server.taken) < 4 else None)
        server.kind = Hearing
        client = server.client(asyncio=True)
        answers = client.post("/x", [Text(text="x" * (1 << 20))] * 4, request_size=1, return_type=DocList[Text])
        found = [await anext(answers)]
        await until(lambda: b"\x8a\x80" in heard)
        connection = server.connections[0]
        connection.echo(server.taken[3])
        connection.flush()
        found += [each async for each in answers]
        assert [len(each[0].text) for each in found] == [1 << 20] * 4
        client.close()

    asyncio.run(slow())


@pytest.mark.parametrize(
    ("code", "kind", "text"),
    [
        (1011, ConnectionError, "the reason"),
        (1001, ConnectionError, "the reason"),
        (1013, ConnectionError, "the reason"),
        (1009, BadServerFlow, "the reason"),
        (1007, BadServerFlow, "the reason"),
        (1000, BadServerFlow, "the reason"),
    ],
)
def test_what_a_close_with_requests_unanswered_raises(code: int, kind: type[Exception], text: str) -> None:
    """1011 is a ConnectionError with the reason, as in Jina."""
    server = FakeServer(lambda fake, data: fake.end(code, "the reason"))
    with server.client() as client, pytest.raises(kind, match=text):
        client.post("/x", Text(text="a"))


def test_a_close_without_a_reason_is_told_by_its_code() -> None:
    """And an end in peace by what it leaves open."""
    server = FakeServer(lambda fake, data: fake.end(1011))
    with server.client() as client:
        with pytest.raises(ConnectionError, match="closed the connection with code 1011"):
            client.post("/x", Text(text="a"))
        server.react = lambda fake, data: fake.end(1000)
        with pytest.raises(BadServerFlow, match=r"1 request\(s\) unanswered"):
            client.post("/x", Text(text="a"))
        server.react = lambda fake, data: fake.transport.abort()
        with pytest.raises(ConnectionError, match="the connection was lost"):
            client.post("/x", Text(text="a"))


def test_requests_without_an_answer_are_sent_again() -> None:
    """As often as was asked for, on new connections; those with an answer are not."""
    server = FakeServer(lambda fake, data: fake.echo(data) if len(server.taken) in (1, 4, 5) else fake.end(1011, "down"))
    with server.client() as client:
        docs = client.post(
            "/x", [Text(text=t) for t in "ab"], request_size=1, max_attempts=3, initial_backoff=0.01, prefetch=1, return_type=DocList[Text]
        )
        assert docs.text == ["a", "b"]
        assert (len(server.connections), len(server.taken)) == (3, 4)
        server.react = lambda fake, data: fake.end(1011, "down")
        with pytest.raises(ConnectionError, match="down"):
            client.post("/x", Text(text="a"), max_attempts=2, initial_backoff=0.01)


def test_what_a_service_of_ours_did_not_begin_before_it_left_is_sent_again() -> None:
    """It answers all that it begins before it closes with 1001; that costs no attempt."""
    server = FakeServer(lambda fake, data: fake.echo(data) if len(server.connections) > 1 else fake.end(1001), ours)
    with server.client() as client:
        assert client.post("/x", Text(text="a"), return_type=DocList[Text]).text == ["a"]
        assert len(server.connections) == 2


def test_an_answer_that_cannot_be_read_fails_the_post() -> None:
    """Nothing can be told from it."""
    server = FakeServer(lambda fake, data: fake.echo(b"\xff\xff"))
    with server.client() as client, pytest.raises(BadServerFlow, match="cannot be read"):
        client.post("/x", Text(text="a"))


def test_answers_under_other_ids_are_taken_in_turn() -> None:
    """From a peer that does not echo them; those that nobody asked for are passed over."""

    def twice(fake: Fake, data: bytes) -> None:
        fake.echo(b"\x0a\x00")
        fake.echo(b"\x0a\x00")

    server = FakeServer(twice)
    with server.client() as client:
        assert len(client.post("/x", [Text(text="a")] * 2, request_size=1, return_responses=True)) == 2


def test_a_service_that_does_not_answer_is_late() -> None:
    """The time is the whole post's, and the service is told of it."""
    server = FakeServer(lambda fake, data: None)
    with server.client() as client, pytest.raises(TimeoutError, match=r"no answer from memory:80 within 0\.1 s"):
        client.post("/x", Text(text="a"), timeout=0.1)
    assert server.connections[0].headers["x-request-timeout"] == "0.1"


def test_close_ends_posts_that_are_under_way() -> None:
    """With the reason."""

    async def close() -> None:
        server = FakeServer(lambda fake, data: None)
        client = server.client(asyncio=True)

        async def post() -> None:
            async for _ in client.post("/x", Text(text="a")):
                pass

        posted = asyncio.create_task(post())
        await until(lambda: len(server.taken) == 1)
        client.close()
        with pytest.raises(ConnectionError, match="the client was closed"):
            await posted

    asyncio.run(close())


@pytest.mark.parametrize(
    ("answer", "kind", "text"),
    [
        (response("401 Unauthorized", '{"detail":"no key"}'), ValueError, "HTTP status 401: no key"),
        (response("503 Busy", '{"detail":"stopping"}'), ConnectionError, "stopping"),
        (response("404 Not Found", '{"detail":"Not Found"}'), ValueError, "this port speaks HTTP and no WebSocket"),
        (lambda fake: b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", ConnectionError, "does not answer our key"),
        (lambda fake: b"HTTP/1.1 101 x\r\nnonsense\r\n\r\n", ConnectionError, "is not HTTP"),
        (lambda fake: b"HTTP/1.1 101 x\r\na: " + b"x" * 140_000, ConnectionError, "headers are larger"),
        (lambda fake: b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\n\r\n", ConnectionError, "without the fields 'upgrade'"),
        (lambda fake: b"nonsense", ConnectionError, "is not HTTP"),
        (lambda fake: fake.granted("Sec-WebSocket-Extensions: x-other\r\n"), ConnectionError, "not offered"),
        (lambda fake: fake.transport.abort(), ConnectionError, "without an answer; does it speak WebSocket"),
    ],
)
def test_a_handshake_that_fails_says_why(answer: Any, kind: type[Exception], text: str) -> None:
    """The service's own words, where it has some."""
    server = FakeServer(Fake.echo, answer)
    with server.client() as client, pytest.raises(kind, match=text):
        client.post("/x", Text(text="a"))


@pytest.mark.parametrize(("sent", "text"), [(b"\r\nno key", "^no key$"), (b"", "before its answer was complete")])
def test_a_refusal_without_a_length_ends_with_the_connection(sent: bytes, text: str) -> None:
    """As any response of HTTP/1.1 may; what breaks off in its head is none."""

    def refuse(fake: Fake) -> None:
        fake.transport.write(b"HTTP/1.1 401 Unauthorized\r\n" + sent)
        fake.transport.close()

    with FakeServer(Fake.echo, refuse).client() as client, pytest.raises(Exception, match=text):
        client.post("/x", Text(text="a"))


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_handshake_that_is_refused_for_now_is_asked_for_again(status: int) -> None:
    """The statuses after which a request over HTTP is sent again."""

    def refuse_first(fake: Fake) -> bytes:
        return response(f"{status} x")(fake) if len(server.connections) == 1 else fake.granted()

    server = FakeServer(Fake.echo, refuse_first)
    with server.client() as client:
        client.post("/x", Text(text="a"), max_attempts=2, initial_backoff=0)

    assert len(server.connections) == 2


def test_a_handshake_may_come_in_pieces_and_with_the_first_message_behind_it() -> None:
    """What is read with the head belongs to who asked; interim responses may come before it."""

    def in_pieces(fake: Fake) -> None:
        data = fake.granted() + b"\x82\x00"
        for at in range(0, len(data), 7):
            fake.transport.write(data[at : at + 7])

    server = FakeServer(lambda fake, data: None, in_pieces)
    with server.client() as client:
        assert client.is_flow_ready()
        assert server.connections[0].path == "/dry_run"
        server.answer = lambda fake: b"HTTP/1.1 103 x\r\nlink: </x>\r\n\r\n" + fake.granted() + b"\x82\x00"
        assert client.is_flow_ready()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Fake.granted, b"\x08\x01\x12\x04down"),
        (Fake.granted, b"\x08\x01"),
        (Fake.granted, b"\x12\x04"),
        (response("503 x", "{}"), b""),
        (ours, None),
    ],
)
def test_a_service_that_is_not_ready(answer: Any, message: bytes | None) -> None:
    """By its status, by one that cannot be read, by its refusal, by a close, by its silence."""
    server = FakeServer(
        lambda fake, data: None, lambda fake: answer(fake) + (b"" if not message else bytes((0x82, len(message))) + message)
    )
    with server.client() as client:
        assert not client.is_flow_ready(timeout=0.1)


def test_metadata_cannot_break_the_handshake() -> None:
    """Names of the protocol are refused, and what is no header field."""
    server = FakeServer(Fake.echo)
    with server.client() as client:
        for headers in ({"upgrade": "h2c"}, {"Sec-WebSocket-Key": "x"}, {"a b": "c"}):
            with pytest.raises(BadClientInput):
                client.post("/x", Text(text="a"), headers=headers)


class Whole(BaseDoc):
    """A document that docarray's bytes cannot carry."""

    n: int


def test_our_dialect_goes_to_our_services_alone(service: Service) -> None:
    """The handshake tells; nobody need be asked."""
    doc = Whole(n=1 << 40)
    with pytest.warns(UserWarning, match="has no endpoint '/echo'"):
        assert service.post("/echo", doc, return_type=DocList[Whole]).n == [1 << 40]
    server = FakeServer(Fake.echo)
    with server.client() as client, pytest.raises(BadClientInput, match="the service does not say that it reads more"):
        client.post("/echo", doc)


def test_messages_are_compressed_where_that_is_asked_for(service: Service) -> None:
    """As `compression` does it over gRPC."""
    found = service.post("/up", Text(text="x" * 5000), compression="Deflate", return_type=DocList[Text])
    assert found.text == ["X" * 5000]


def test_large_messages_pass(service: Service) -> None:
    """In one message each way."""
    assert len(service.post("/up", Text(text="x" * (5 << 20)), return_type=Text).text) == 5 << 20


def test_an_answer_beyond_the_limit_fails(service: Service) -> None:
    """`max_message_bytes` is the client's own."""
    client = service.make_client("websocket", max_message_bytes=1000)
    with pytest.raises(BadServerFlow, match="exceeds max_message_bytes=1000"):
        client.post("/up", Text(text="x" * 2000))
    client.close()


def test_a_client_that_is_forgotten_closes_its_connections() -> None:
    """Without `close`."""
    server, loop = FakeServer(Fake.echo), Background("test")
    client = server.client(loop=loop)
    client.post("/x", Text(text="a"))
    del client
    gc.collect()
    loop.run(until(lambda: server.closed == [1000]))
    loop.stop()
