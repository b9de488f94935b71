"""What HTTP/1.1 asks of a server beyond reading requests: how each is answered, and what becomes of the connection."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from typing import Any
from unittest.mock import Mock

import pytest

from jina.call import Call, EndpointInfo, Item, Payload, Reply
from jina.fronts.front import Front
from jina.fronts.http1_connection import Http1Connection
from jina.fronts.http_stream import EventStream
from jina.limits import FrontOptions
from jina.runtime.guards import make_guard
from jina.transport.memory import join
from jina.wire.http_requests import Head, Request
from tests.fronts.http2_peer import Client as Http2Client
from tests.fronts.listening import listening
from tests.waiting import until

pytestmark = pytest.mark.anyio

TEXT = {"type": "object", "properties": {"text": {"type": "string"}}}
INFOS = [EndpointInfo("/echo", "batch", TEXT, TEXT, "Text", "Text"), EndpointInfo("/tell", "stream", TEXT, TEXT, "Text", "Text")]
BODY = b'{"data":[{"text":"hi"}]}'
ANSWER = b'{"data":[{"text":"hi"}],"parameters":{}}'
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


class Handler:
    """Gives documents back; waits first if it is told to."""

    def __init__(self, *, waits: bool = False) -> None:
        self.may_answer, self.started, self.cancelled = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.calls: list[Call] = []
        if not waits:
            self.may_answer.set()

    async def __call__(self, call: Call) -> Reply:
        self.calls.append(call)
        self.started.set()
        try:
            await self.may_answer.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return Reply(items=self.twice(call)) if call.is_stream else Reply(payload=call.payload)

    async def twice(self, call: Call) -> AsyncIterator[Item]:
        yield Item(Payload(b'{"text":"a"}'))
        yield Item(Payload(b'{"text":"b"}'))


class Peer:
    """A caller that sends bytes and reads bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, data: bytes) -> bytes:
        """Send, and read until the server closes."""
        self.writer.write(data)
        return await self.reader.read()

    async def head(self) -> bytes:
        return await self.reader.readuntil(b"\r\n\r\n")


@contextlib.asynccontextmanager
async def calling(handler: Handler | None = None, *, guard: Any = None, **options: Any) -> AsyncIterator[Peer]:
    front = Front(handler or Handler(), INFOS, guard=guard, options=FrontOptions(**options), protocols=["http"])
    async with listening(front) as port, asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            yield Peer(reader, writer)
        finally:
            writer.close()


def post(body: bytes = BODY, fields: bytes = b"", path: bytes = b"/echo", version: bytes = b"1.1") -> bytes:
    return b"POST %b HTTP/%b\r\nHost: x\r\n%bContent-Length: %d\r\n\r\n%b" % (path, version, fields, len(body), body)


def fields_of(head: bytes) -> dict[str, str]:
    lines = head.decode().split("\r\n\r\n")[0].split("\r\n")[1:]
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


async def test_head_is_answered_as_get_without_the_body() -> None:
    """The same fields, the length among them, and the next response follows at once (RFC 9110, 9.3.2)."""
    for path in (b"/", b"/openapi.json", b"/nothing"):
        async with calling() as peer:
            gotten = fields_of(await peer.ask(LAST.replace(b"/ HTTP", path + b" HTTP", 1)))
        async with calling() as peer:
            peer.writer.write(GET.replace(b"GET /", b"HEAD " + path, 1) + LAST)
            asked = fields_of(await peer.head())
            rest = await peer.reader.read()
        assert rest.startswith(b"HTTP/1.1 200 OK\r\n")
        assert {**asked, "date": "", "x-request-id": "", "connection": "close"} == {**gotten, "date": "", "x-request-id": ""}


async def test_options_says_what_a_path_takes() -> None:
    """And `*` what the server takes (RFC 9110, 9.3.7)."""
    for target, allowed in ((b"*", "GET, HEAD, OPTIONS, POST"), (b"/echo", "POST, OPTIONS"), (b"/tell", "GET, POST, OPTIONS")):
        async with calling() as peer:
            head = await peer.ask(b"OPTIONS %b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % target)
        assert (head[:12], fields_of(head)["allow"], fields_of(head)["content-length"]) == (b"HTTP/1.1 200", allowed, "0")


@pytest.mark.parametrize("method", [b"TRACE", b"PUT", b"PROPFIND"])
async def test_other_methods_are_405_with_what_is_allowed(method: bytes) -> None:
    """TRACE would give a page's script the fields that it must not see."""
    async with calling() as peer:
        got = await peer.ask(b"%b /echo HTTP/1.1\r\nHost: x\r\nX-Secret: s\r\nConnection: close\r\n\r\n" % method)
    assert got.startswith(b"HTTP/1.1 405 ")
    assert fields_of(got)["allow"] == "POST"
    assert b"s\r\n" not in got.partition(b"\r\n\r\n")[2]


async def test_connect_is_501_and_the_connection_ends() -> None:
    """What would follow is a tunnel's."""
    async with calling() as peer:
        got = await peer.ask(b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n" + GET)
    assert got.startswith(b"HTTP/1.1 501 ")
    assert fields_of(got)["connection"] == "close"
    assert got.count(b"HTTP/1.1") == 1


async def test_ranges_are_not_offered() -> None:
    """The field is passed over, and the whole comes (RFC 9110, 14.2)."""
    async with calling() as peer:
        got = await peer.ask(LAST.replace(b"/ HTTP", b"/docs HTTP").replace(b"Host", b"Range: bytes=0-1\r\nHost"))
    assert got.startswith(b"HTTP/1.1 200 OK\r\n")
    assert int(fields_of(got)["content-length"]) == len(got.partition(b"\r\n\r\n")[2]) > 100
    assert "content-range" not in fields_of(got)


async def test_every_response_has_a_date_and_tells_the_type_of_its_body() -> None:
    """RFC 9110, 6.6.1 and 8.3; refusals too."""
    for request in (LAST, post(fields=b"Connection: close\r\n"), b"junk\r\n\r\n", post(b"{", b"Connection: close\r\n")):
        async with calling() as peer:
            fields = fields_of(await peer.ask(request))
        assert fields["date"].endswith(" GMT")
        assert fields["content-type"] == "application/json"


async def test_a_connection_that_ends_says_so() -> None:
    """With the last response, whoever wanted the end (RFC 9112, 9.6)."""
    for request in (LAST, GET.replace(b"1.1", b"1.0"), b"junk\r\n\r\n", GET.replace(b"Host: x", b"Host: a b")):
        async with calling() as peer:
            got = await peer.ask(request + GET)
        assert (fields_of(got)["connection"], len(re.findall(rb"HTTP/1.1 \d", got))) == ("close", 1)


async def test_a_caller_of_http_1_0_may_keep_its_connection() -> None:
    """If it asks to; the response says that it does."""
    request = GET.replace(b"1.1", b"1.0").replace(b"Host", b"Connection: keep-alive\r\nHost")
    async with calling() as peer:
        peer.writer.write(request)
        assert fields_of(await peer.head())["connection"] == "keep-alive"
        assert (await peer.reader.readexactly(2)) == b"{}"
        assert (await peer.ask(LAST)).startswith(b"HTTP/1.1 200")


async def test_a_stream_for_http_1_0_ends_with_the_connection() -> None:
    """No chunks, which it could not read."""
    async with calling() as peer:
        got = await peer.ask(post(path=b"/tell", version=b"1.0", body=b"{}", fields=b"Connection: keep-alive\r\n"))
    assert fields_of(got)["connection"] == "close"
    assert "transfer-encoding" not in fields_of(got)
    assert got.partition(b"\r\n\r\n")[2].endswith(b'data: {"text":"b"}\r\n\r\nevent: end\r\n\r\n')


async def test_a_stream_is_chunked_and_the_connection_goes_on() -> None:
    """`Last-Event-ID` of a reader that comes again is passed over: a stream begins anew."""
    async with calling() as peer:
        got = await peer.ask(post(path=b"/tell", body=b"{}", fields=b"Last-Event-ID: 7\r\n") + LAST)
    head, _, rest = got.partition(b"\r\n\r\n")
    fields = fields_of(head)
    assert fields["content-type"] == "text/event-stream; charset=utf-8"
    assert (fields["cache-control"], fields["x-accel-buffering"], fields["transfer-encoding"]) == ("no-cache", "no", "chunked")
    stream, _, after = rest.partition(b"0\r\n\r\n")
    assert stream.count(b"event: update") == 2
    assert b"event: end\r\n\r\n" in stream
    assert after.startswith(b"HTTP/1.1 200 OK")


async def test_trailers_of_a_request_change_nothing() -> None:
    """They are read and dropped (RFC 9110, 6.5.1)."""
    chunks = b"%x\r\n%b\r\n0\r\nX-Request-ID: other\r\nHost: y\r\n\r\n" % (len(BODY), BODY)
    async with calling() as peer:
        got = await peer.ask(b"POST /echo HTTP/1.1\r\nHost: x\r\nX-Request-ID: mine\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + LAST)
    assert fields_of(got)["x-request-id"] == "mine"
    assert ANSWER in got


async def test_who_expects_to_be_told_hears_100_once_and_in_its_turn() -> None:
    """Not while an earlier request is being answered (RFC 9112, 9.3.2), and not when its body has begun to come."""
    handler = Handler(waits=True)
    waiting = b"POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(BODY)
    async with calling(handler) as peer:
        peer.writer.write(post() + waiting)
        await handler.started.wait()
        handler.may_answer.set()
        assert (await peer.head()).startswith(b"HTTP/1.1 200")
        await peer.reader.readexactly(len(ANSWER))
        assert await peer.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
        got = await peer.ask(BODY)
    assert got.startswith(b"HTTP/1.1 200")
    async with calling() as peer:
        assert b"100 Continue" not in await peer.ask(waiting + BODY)


async def test_who_expects_to_be_told_is_refused_before_its_body() -> None:
    """By what its headers say: the length, the coding of the framing, another expectation. HTTP/1.0 expects nothing."""
    for fields, status in (
        (b"Expect: 100-continue\r\nContent-Length: 1001\r\n", b"413"),
        (b"Expect: 100-continue\r\nTransfer-Encoding: gzip, chunked\r\n", b"501"),
        (b"Expect: wonders\r\nContent-Length: 9\r\n", b"417"),
    ):
        async with calling(max_body_bytes=1000) as peer:
            got = await peer.ask(b"POST /echo HTTP/1.1\r\nHost: x\r\n%b\r\n" % fields)
        assert got.startswith(b"HTTP/1.1 " + status)
        assert fields_of(got)["connection"] == "close"
    async with calling() as peer:
        got = await peer.ask(post(version=b"1.0", fields=b"Expect: 100-continue\r\n"))
    assert got.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("target", "fields", "status"),
    [
        (b"/echo", b"", b"401"),
        (b"/ecko", b"X-API-Key: secret\r\n", b"404"),
        (b"/openapi.json", b"X-API-Key: secret\r\n", b"405"),
        (b"/echo", b"X-API-Key: secret\r\nContent-Encoding: br\r\n", b"415"),
        (b"/echo", b"X-API-Key: secret\r\nX-Request-Priority: 12\r\n", b"400"),
        (b"/echo", b"X-API-Key: secret\r\n", b"100"),
        (b"/tell", b"X-API-Key: secret\r\n", b"100"),
    ],
)
async def test_a_body_that_cannot_matter_is_not_asked_for(target: bytes, fields: bytes, status: bytes) -> None:
    """No key, no such path, another method: who waits for a word before a large body hears the last one."""
    request = b"POST %b HTTP/1.1\r\nHost: x\r\n%bExpect: 100-continue\r\nContent-Length: 100000000\r\n\r\n" % (target, fields)
    async with calling(guard=make_guard("secret")) as peer:
        peer.writer.write(request)
        assert (await peer.head()).startswith(b"HTTP/1.1 " + status)


async def test_a_guard_that_takes_its_time_is_asked_when_the_body_has_come() -> None:
    """A user's callable runs elsewhere; the body is asked for meanwhile."""
    async with calling(guard=make_guard(lambda headers: False)) as peer:
        peer.writer.write(post(fields=b"Expect: 100-continue\r\nConnection: close\r\n").partition(BODY)[0])
        assert (await peer.head()).startswith(b"HTTP/1.1 100")
        assert (await peer.ask(BODY)).startswith(b"HTTP/1.1 401")


async def test_a_body_that_cannot_matter_is_not_asked_for_over_http2() -> None:
    """The same on a stream."""
    front = Front(Handler(), INFOS, guard=make_guard("secret"), protocols=["http"])
    client = Http2Client()
    join(client, front.make_protocol())
    stream = client.send("POST", "/echo", is_end=False, expect="100-continue", content_length="1000")
    await client.until(lambda: stream in client.over)
    assert client.heads[stream][":status"] == "401"
    client.transport.abort()


async def test_what_can_be_answered_at_once_is_answered_to_who_has_closed_its_sending_side() -> None:
    """The request was whole, and its answer is written before the end is seen."""
    async with calling() as peer:
        peer.writer.write(GET + GET)
        peer.writer.write_eof()
        assert (await peer.reader.read()).count(b"HTTP/1.1 200 OK") == 2


async def test_a_call_of_who_closes_its_sending_side_is_cancelled() -> None:
    """Most who do so have left, and nothing tells the others from them until something is written; uvicorn and aiohttp do the same."""
    handler = Handler(waits=True)
    async with calling(handler) as peer:
        peer.writer.write(post())
        await handler.started.wait()
        peer.writer.write_eof()
        await handler.cancelled.wait()
        assert await peer.reader.read() == b""


async def test_half_a_request_of_who_closes_its_sending_side_is_dropped() -> None:
    """It will not become whole (RFC 9112, 8); no answer, since nobody waits for one."""
    for part in (b"GE", GET[:-2], post()[:-1]):
        async with calling() as peer:
            peer.writer.write(part)
            peer.writer.write_eof()
            assert await peer.reader.read() == b""


class Clock:
    """A loop as far as an EventStream asks for one."""

    def __init__(self) -> None:
        self.now, self.soon = 100.0, list[Any]()

    def time(self) -> float:
        return self.now

    def call_soon(self, callback: Any, *args: Any) -> None:
        self.soon.append(lambda: callback(*args))

    def turn(self) -> None:
        soon, self.soon = self.soon, []
        for callback in soon:
            callback()


class Written:
    """An HttpExchange as far as an EventStream asks for one."""

    is_gone = False

    def __init__(self) -> None:
        self.data = b""

    def begin(self, status: int, lines: bytes) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data

    def blocked(self) -> None:
        return None


async def test_a_quiet_stream_tells_every_15_seconds_that_it_is_alive() -> None:
    """A comment, counted from what was written last."""
    clock, written = Clock(), Written()
    stream = EventStream(written, clock, lambda n_bytes: True)  # type: ignore[arg-type]
    stream.begin(b"")
    pings = []
    for _ in range(50):
        clock.now += 1.0
        stream.ping_if_quiet(clock.now)
        clock.turn()
        if written.data:
            pings.append(clock.now - 100.0)
            assert written.data.startswith(b": ping - ")
            assert written.data.endswith(b"\r\n\r\n")
            written.data = b""
    assert pings == [15.0, 30.0, 45.0]


@pytest.mark.parametrize("fields", [b"", b"Expect: 100-continue\r\n", b"Transfer-Encoding: chunked\r\n"])
async def test_a_page_of_another_origin_hears_why_its_body_is_refused(fields: bytes) -> None:
    """Without the CORS fields a browser would tell it of a network error."""
    body = b"100\r\n" + bytes(256) + b"\r\n0\r\n\r\n" if b"chunked" in fields else bytes(256)
    request = post(body, b"Origin: https://page\r\n" + fields)
    if b"chunked" in fields:
        request = request.replace(b"Content-Length: %d\r\n" % len(body), b"")
    async with calling(cors=True, max_body_bytes=100) as peer:
        answer = await peer.ask(request)
    assert answer.startswith(b"HTTP/1.1 413")
    assert fields_of(answer)["access-control-allow-origin"] == "https://page"


async def test_a_target_with_a_fragment_is_400_on_both_versions() -> None:
    """No target has one (RFC 9112, 3.2)."""
    async with calling() as peer:
        assert (await peer.ask(b"GET /#x HTTP/1.1\r\nHost: x\r\n\r\n")).startswith(b"HTTP/1.1 400")
    client = Http2Client()
    join(client, Front(Handler(), INFOS, protocols=["http"]).make_protocol())
    assert (await client.ask("GET", "/#x"))[0][":status"] == "400"


async def test_what_fails_within_its_answer_writes_no_second_one() -> None:
    """Whatever made the answer: once its head has left, the connection ends instead."""
    front = Front(Handler(), INFOS, protocols=["http"])
    connection = Http1Connection(front)
    transport = Mock(spec=asyncio.Transport)
    transport.get_extra_info.return_value = None
    connection.connection_made(transport)
    exchange = connection._exchange
    head = Head(((b"host", b"x"),))

    async def broken() -> None:
        exchange.begin(200, b"content-type: text/plain\r\n")
        raise ZeroDivisionError("a bug")

    exchange.request = Request(b"GET", b"/", head, True, False)
    exchange.start(broken)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    written = b"".join(call.args[0] for call in transport.write.call_args_list)
    assert written.count(b"HTTP/1.1 ") == 1
    transport.abort.assert_called_once()
    connection.connection_lost(None)


async def test_a_drain_does_not_wait_for_connections_that_are_made_meanwhile_and_say_nothing() -> None:
    """With TLS a handshake may end so late."""
    front = Front(Handler(), INFOS, protocols=["http"])
    front.is_draining = True
    join(Mock(spec=asyncio.Protocol), front.make_protocol())
    assert front.connections
    await until(lambda: not front.connections)


async def test_a_connection_that_becomes_http2_while_a_drain_begins_finishes_its_calls() -> None:
    """What would close it, had it stayed fresh, does not."""
    handler, client = Handler(waits=True), Http2Client()
    front = Front(handler, INFOS, protocols=["http"])
    connection = Http1Connection(front)
    join(client, connection)
    async with asyncio.timeout(20):
        draining = asyncio.ensure_future(front.drain())
        stream = client.send("POST", "/echo", BODY)
        await handler.started.wait()
        connection._opened_at -= 60.0
        connection.drain()  # as the timer of a fresh connection does
        handler.may_answer.set()
        await draining
    assert client.bodies[stream] == ANSWER
