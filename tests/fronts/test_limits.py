"""Each limit of a port, on every protocol it holds for: what is exactly at it is served, what passes it by one is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import fields
from typing import Any

import pytest

from jina.call import Call, EndpointInfo, Payload, Reply
from jina.errors import ConfigError
from jina.fronts.front import Front
from jina.limits import FrontOptions, Limits
from jina.options import DeploymentOptions
from jina.transport.memory import MemoryTransport, join
from jina.wire import websocket
from tests.fronts.http1_peer import Http1
from tests.fronts.http2_peer import Client
from tests.waiting import loop_turns, run_bounded

INFOS = [EndpointInfo("/echo", "batch", {}, {}, "Text", "Text"), EndpointInfo("/default", "batch", {}, {}, "Text", "Text")]
CALL = "/jina.JinaSingleDataRequestRPC/process_single_data"
STREAM = "/jina.JinaRPC/Call"
GRPC = {"content_type": "application/grpc", "te": "trailers"}
TESTED: dict[str, list[str]] = {}


class Handler:
    """Echoes, when it is let."""

    def __init__(self) -> None:
        self.may_answer, self.n_begun = asyncio.Event(), 0
        self.may_answer.set()

    async def __call__(self, call: Call) -> Reply:
        self.n_begun += 1
        await self.may_answer.wait()
        return Reply(payload=Payload(b"[]" if call.wants == "json" else b"", call.wants))


class WebSocket:
    """A client's side of a WebSocket."""

    def __init__(self, peer: Http1) -> None:
        self._peer, self._core = peer, websocket.Connection(is_client=True, max_message_bytes=None)
        peer.received = b""

    def send(self, text: bytes) -> None:
        self._core.send(text, is_text=True)
        self._peer.transport.write(self._core.take_output())

    async def next(self) -> tuple[Any, ...]:
        """The next message, or how it was closed."""
        while True:
            received, self._peer.received = self._peer.received, b""
            self._core.receive(received)
            event = self._core.next_event(0.0)
            if event is not None:
                return event
            self._peer.changed.clear()
            await self._peer.changed.wait()


class Port:
    """A port that speaks everything, and its callers."""

    def __init__(self, **options: Any) -> None:
        self.handler = Handler()
        self.front = Front(self.handler, INFOS, protocols=["http", "grpc", "websocket"], options=FrontOptions(**options))

    def http1(self) -> Http1:
        peer = Http1()
        join(peer, self.front.make_protocol())
        return peer

    async def http2(self) -> Client:
        client = Client()
        join(client, self.front.make_protocol())
        await settle()
        return client

    async def websocket(self) -> WebSocket:
        peer = self.http1()
        lines = b"upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        assert await peer.ask(b"GET / HTTP/1.1\r\nhost: x\r\n%b\r\n" % lines) == 101
        return WebSocket(peer)

    def tick(self, after_s: float) -> None:
        """Let time pass for all connections."""
        for connection in list(self.front.connections):
            connection.tick(asyncio.get_running_loop().time() + after_s)


async def settle() -> None:
    await loop_turns(30)


def limit(*names: str, on: str) -> Callable[[Any], Any]:
    """Run the test on a loop, and note what it tests."""
    for name in names:
        TESTED.setdefault(name, []).append(on)

    def wrap(scenario: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
        def test() -> None:
            run_bounded(scenario())

        test.__doc__ = scenario.__doc__
        return test

    return wrap


def post(body: bytes, lines: bytes = b"", target: bytes = b"/echo") -> bytes:
    return b"POST %b HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n%b\r\n" % (target, len(body), lines) + body


def documents(n_bytes: int) -> bytes:
    """A request's body of exactly so many bytes."""
    return b'{"data": []}'.ljust(n_bytes)


def message(n_bytes: int) -> bytes:
    """A gRPC message of exactly so many bytes: an unknown field fills it."""
    data = b"\x7a" + bytes([n_bytes - 2]) + bytes(n_bytes - 2)
    assert n_bytes < 130
    return b"\0" + len(data).to_bytes(4, "big") + data


async def call_status(client: Client, path: str, body: bytes, **more: str) -> str:
    stream = client.send("POST", path, body, is_end=True, **GRPC, **more)
    await client.until(lambda: stream in client.over)
    return (client.trailers.get(stream) or client.heads[stream])["grpc-status"]


@limit("max_body_bytes", on="http/1.1")
async def test_body_http1() -> None:
    """413 for one byte more, told from its length or counted chunk by chunk."""
    port = Port(max_body_bytes=100)
    assert await port.http1().ask(post(documents(100))) == 200
    peer = port.http1()
    assert await peer.ask(post(documents(101))) == 413
    assert b"the body exceeds max_body_bytes=100" in peer.received
    chunked = b"POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    assert await port.http1().ask(chunked + b"64\r\n%b\r\n0\r\n\r\n" % documents(100)) == 200
    assert await port.http1().ask(chunked + b"64\r\n%b\r\n1\r\n \r\n0\r\n\r\n" % documents(100)) == 413


@limit("max_body_bytes", on="http/2")
async def test_body_http2() -> None:
    """The same on a stream; the connection serves on."""
    client = await Port(max_body_bytes=100).http2()
    assert (await client.ask("POST", "/echo", documents(100)))[0][":status"] == "200"
    for more in ({}, {"content_length": "101"}):
        head, text = await client.ask("POST", "/echo", documents(101), **more)
        assert head[":status"] == "413"
        assert b"the body exceeds max_body_bytes=100" in text
    assert (await client.ask("GET", "/"))[0][":status"] == "200"


@limit("max_message_bytes", on="grpc")
async def test_message_grpc() -> None:
    """RESOURCE_EXHAUSTED for one byte more."""
    client = await Port(max_message_bytes=100).http2()
    assert await call_status(client, CALL, message(100)) == "0"
    assert await call_status(client, CALL, message(101)) == "8"
    assert await call_status(client, STREAM, message(100)) == "0"
    assert await call_status(client, STREAM, message(101)) == "8"


@limit("max_message_bytes", on="grpc-web")
async def test_message_grpc_web() -> None:
    """RESOURCE_EXHAUSTED for one byte more, among the body's trailers."""
    peer = Port(max_message_bytes=100).http1()
    for n_bytes, status in ((100, b"grpc-status: 0"), (101, b"grpc-status: 8")):
        body = message(n_bytes)
        assert await peer.ask(post(body, b"content-type: application/grpc-web\r\n", CALL.encode())) == 200
        await settle()
        assert status in peer.received


@limit("max_message_bytes", on="websocket")
async def test_message_websocket() -> None:
    """1009 for one byte more."""
    socket = await Port(max_message_bytes=100).websocket()
    socket.send(documents(100))
    assert (await socket.next())[0] == websocket.MESSAGE
    socket.send(documents(101))
    assert (await socket.next())[:3] == (websocket.CLOSED, 1009, "the message exceeds max_message_bytes=100")


@limit("max_header_fields", on="http/1.1")
async def test_fields_http1() -> None:
    """431 for one field more."""
    port = Port(max_header_fields=10)
    assert await port.http1().ask(post(documents(20), b"".join(b"x-%d: 1\r\n" % n for n in range(8)))) == 200
    assert await port.http1().ask(post(documents(20), b"".join(b"x-%d: 1\r\n" % n for n in range(9)))) == 431


@limit("max_header_fields", on="http/2")
async def test_fields_http2() -> None:
    """431 for one field more, the pseudo-fields counted with them."""
    client = await Port(max_header_fields=10).http2()
    assert (await client.ask("GET", "/", None, **{f"x_{n}": "1" for n in range(6)}))[0][":status"] == "200"
    assert (await client.ask("GET", "/", None, **{f"x_{n}": "1" for n in range(7)}))[0][":status"] == "431"


@limit("max_header_fields", on="grpc")
async def test_fields_grpc() -> None:
    """RESOURCE_EXHAUSTED for one field more."""
    client = await Port(max_header_fields=10).http2()
    assert await call_status(client, CALL, message(10), **{f"x_{n}": "1" for n in range(4)}) == "0"
    assert await call_status(client, CALL, message(10), **{f"x_{n}": "1" for n in range(5)}) == "8"


@limit("max_header_bytes", on="http/1.1")
async def test_header_bytes_http1() -> None:
    """431 for one byte more."""
    port, fixed = Port(max_header_bytes=500), sum(32 + n for n in (len("hostx"), len("content-length1"), len("big")))
    assert await port.http1().ask(post(b"{", b"big: %b\r\n" % (b"x" * (500 - fixed)))) == 422
    assert await port.http1().ask(post(b"{", b"big: %b\r\n" % (b"x" * (501 - fixed)))) == 431


def _big(*, size: int, path: str) -> str:
    """A field's value that makes the list of a GET exactly `size` bytes by RFC 9113's count."""
    pairs = {":method": "GET", ":scheme": "http", ":authority": "x", ":path": path, "big": ""}
    return "x" * (size - sum(len(name) + len(value) + 32 for name, value in pairs.items()))


@limit("max_header_bytes", on="http/2")
async def test_header_bytes_http2() -> None:
    """431 for one byte more, by RFC 9113's count: 32 bytes a field on top."""
    client = await Port(max_header_bytes=500).http2()
    assert (await client.ask("GET", "/", None, big=_big(size=500, path="/")))[0][":status"] == "200"
    assert (await client.ask("GET", "/", None, big=_big(size=501, path="/")))[0][":status"] == "431"


@limit("max_header_bytes", on="grpc")
async def test_header_bytes_grpc() -> None:
    """RESOURCE_EXHAUSTED."""
    client = await Port(max_header_bytes=600).http2()
    assert await call_status(client, CALL, message(10), big="x") == "0"
    assert await call_status(client, CALL, message(10), big="x" * 600) == "8"


@limit("max_target_bytes", on="http/1.1")
async def test_target_http1() -> None:
    """414 for one byte more."""
    port = Port(max_target_bytes=50)
    assert await port.http1().ask(b"GET /?%b HTTP/1.1\r\nhost: x\r\n\r\n" % (b"a" * 48)) == 200
    assert await port.http1().ask(b"GET /?%b HTTP/1.1\r\nhost: x\r\n\r\n" % (b"a" * 49)) == 414


@limit("max_target_bytes", on="http/2")
async def test_target_http2() -> None:
    """The same on a stream."""
    client = await Port(max_target_bytes=50).http2()
    assert (await client.ask("GET", "/?" + "a" * 48))[0][":status"] == "200"
    assert (await client.ask("GET", "/?" + "a" * 49))[0][":status"] == "414"


@limit("max_streams", on="http/2")
async def test_streams() -> None:
    """One stream more is refused as not begun, whatever is on it; the others are answered."""
    port = Port(max_streams=3)
    client = await port.http2()
    client.h2.remote_settings.update({3: 100})
    client.h2.remote_settings.acknowledge()  # a client that does not heed what it was told
    port.handler.may_answer.clear()
    streams = [client.send("POST", "/echo", b'{"data": []}') for _ in range(2)]
    streams.append(client.send("POST", CALL, message(10), is_end=True, **GRPC))
    await settle()
    assert port.handler.n_begun == 3
    extra = client.send("POST", "/echo", b'{"data": []}')
    await client.until(lambda: extra in client.over)
    assert client.over[extra] == 7
    port.handler.may_answer.set()
    await client.until(lambda: all(stream in client.over for stream in streams))


@limit("max_pipelined", on="http/1.1")
async def test_pipelined() -> None:
    """Reading stops when so many requests wait behind the one that is answered, and all are answered in the end."""
    port = Port(max_pipelined=3)
    port.handler.may_answer.clear()
    peer = port.http1()
    for n in range(10):
        peer.transport.write(post(b'{"data": []}', b"x-request-id: r%d\r\n" % n))
        await settle()
    (connection,) = port.front.connections
    transport: MemoryTransport = connection._transport  # type: ignore[attr-defined]
    assert not transport.is_reading()
    assert len(connection._queue) == 3  # type: ignore[attr-defined]
    port.handler.may_answer.set()
    while peer.received.count(b"HTTP/1.1 200") < 10:
        peer.changed.clear()
        await peer.changed.wait()
    assert [line for line in peer.received.split(b"\r\n") if line.startswith(b"x-request-id")] == [
        b"x-request-id: r%d" % n for n in range(10)
    ]


@limit("prefetch", on="grpc")
async def test_prefetch() -> None:
    """So many requests of one stream are worked on at once, and no more."""
    port = Port(prefetch=3)
    port.handler.may_answer.clear()
    client = await port.http2()
    stream = client.send("POST", STREAM, message(10) * 5, is_end=True, **GRPC)
    await settle()
    assert port.handler.n_begun == 3
    port.handler.may_answer.set()
    await client.until(lambda: stream in client.over)
    assert port.handler.n_begun == 5


@limit("prefetch", on="websocket")
async def test_prefetch_websocket() -> None:
    """The same of messages."""
    port = Port(prefetch=3)
    port.handler.may_answer.clear()
    socket = await port.websocket()
    for _ in range(5):
        socket.send(documents(50))
    await settle()
    assert port.handler.n_begun == 3
    port.handler.may_answer.set()
    for _ in range(5):
        assert (await socket.next())[0] == websocket.MESSAGE


@limit("header_timeout_s", on="http/1.1")
async def test_header_timeout_http1() -> None:
    """408 a moment after the limit, nothing a moment before it."""
    port = Port(header_timeout_s=10.0)
    peer = port.http1()
    peer.transport.write(b"GET / HT")
    await settle()
    port.tick(9.9)
    await settle()
    assert not peer.received
    port.tick(10.1)
    await settle()
    assert peer.received[9:12] == b"408"


@limit("header_timeout_s", on="http/2")
async def test_header_timeout_http2() -> None:
    """A preface, or a header block, that does not come to its end closes the connection."""
    port = Port(header_timeout_s=10.0)
    half, blocked = port.http1(), port.http1()
    half.transport.write(b"PRI * HTTP")
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
    blocked.transport.write(preface + b"\0\0\1\1\0\0\0\0\1\x82")  # HEADERS without END_HEADERS
    await settle()
    port.tick(9.9)
    await settle()
    assert not half.is_lost
    assert not blocked.is_lost
    port.tick(10.1)
    port.tick(20.3)  # of a block the time counts from the look at the clock that found it
    await settle()
    assert half.is_lost
    assert blocked.is_lost


@limit("idle_timeout_s", on="http/1.1")
async def test_idle_http1() -> None:
    """A connection on which nothing comes is closed, also after a reply."""
    port = Port(idle_timeout_s=60.0)
    fresh, used = port.http1(), port.http1()
    assert await used.ask(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n") == 200
    port.tick(59.9)
    await settle()
    assert not fresh.is_lost
    assert not used.is_lost
    port.tick(60.1)
    await settle()
    assert fresh.is_lost
    assert used.is_lost


@limit("idle_timeout_s", on="http/2")
async def test_idle_http2() -> None:
    """GOAWAY, unless a stream is open."""
    port = Port(idle_timeout_s=60.0)
    idle, busy = await port.http2(), await port.http2()
    port.handler.may_answer.clear()
    busy.send("POST", "/echo", b'{"data": []}')
    await settle()
    port.tick(59.9)
    await settle()
    assert idle.goaway is None
    port.tick(60.5)
    await settle()
    assert idle.goaway == 0
    assert busy.goaway is None


@limit("min_body_bytes_per_s", on="http/1.1")
async def test_slow_body_http1() -> None:
    """408 for a body slower than the rate, after its first 5 s."""
    port = Port(min_body_bytes_per_s=10)
    peer = port.http1()
    peer.transport.write(post(documents(500))[:-450])  # 50 of 500 bytes: enough for 5 + 5 s
    await settle()
    port.tick(9.9)
    await settle()
    assert not peer.received
    port.tick(10.2)
    await settle()
    assert peer.received[9:12] == b"408"
    assert b"the body came slower than min_body_bytes_per_s=10" in peer.received


@limit("min_body_bytes_per_s", on="http/2")
async def test_slow_body_http2() -> None:
    """The same on a stream."""
    port = Port(min_body_bytes_per_s=10)
    client = await port.http2()
    stream = client.send("POST", "/echo", documents(50), is_end=False)
    await settle()
    port.tick(9.9)
    await settle()
    assert stream not in client.over
    port.tick(10.2)
    await client.until(lambda: stream in client.over)
    assert client.heads[stream][":status"] == "408"
    assert b"the body came slower than min_body_bytes_per_s=10" in client.bodies[stream]


@limit("write_timeout_s", on="http/1.1")
async def test_slow_reader_http1() -> None:
    """A caller that takes nothing of its reply is cut off."""
    port = Port(write_timeout_s=60.0)
    peer = port.http1()
    peer.transport.set_write_buffer_limits(high=0)
    (connection,) = port.front.connections
    connection._transport.set_write_buffer_limits(high=10)  # type: ignore[attr-defined]
    peer.transport.pause_reading()
    peer.transport.write(b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n")
    await settle()
    port.tick(59.9)
    await settle()
    assert port.front.connections
    port.tick(60.2)
    await settle()
    assert not port.front.connections


@limit("write_timeout_s", on="http/2")
async def test_slow_reader_http2() -> None:
    """A stream whose reader keeps its window shut is reset; the connection serves on."""
    port = Port(write_timeout_s=60.0, idle_timeout_s=None)
    client = await port.http2()
    client.h2.update_settings({4: 10})
    client.flush()
    await settle()
    client.opens_windows = False
    stream = client.send("GET", "/openapi.json")
    await settle()
    assert stream not in client.over
    port.tick(0.0)  # from here on its queue is watched
    port.tick(59.9)
    await settle()
    assert stream not in client.over
    port.tick(60.2)
    await client.until(lambda: stream in client.over)
    assert client.over[stream] is not None


def test_every_limit_is_tested_wherever_it_holds() -> None:
    """No field of `Limits` is without a test; most hold for both versions of HTTP, which carry all the rest."""
    elsewhere = {
        "max_streams": {"http/2"},
        "max_pipelined": {"http/1.1"},
        "prefetch": {"grpc", "websocket"},
        "max_message_bytes": {"grpc", "grpc-web", "websocket"},
    }
    assert {each.name for each in fields(Limits)} == set(TESTED)
    for name, protocols in TESTED.items():
        assert elsewhere.get(name, {"http/1.1", "http/2"}) <= set(protocols), name


@pytest.mark.parametrize("value", [0, -1])
@pytest.mark.parametrize("name", [each.name for each in fields(Limits) if each.name != "prefetch"])
def test_limits_that_make_no_sense_are_refused(name: str, value: int) -> None:
    """A limit that is not above zero is an error that names it, and None where that is no limit; of the Deployment too."""
    kinds: tuple[Callable[..., Any], ...] = (Limits, FrontOptions, DeploymentOptions)
    for make in kinds:
        with pytest.raises(ConfigError, match=name):
            make(**{name: value})
