"""grpcio as the other side: its client against our ServerConnection, our ClientConnection against its server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent import futures

import grpc as grpcio
import pytest

from jina.transport import connect
from jina.transport.grpc_calls import CallEnd, UnaryCall
from jina.transport.grpc_channel import GrpcChannel
from jina.transport.grpc_connection import ChannelOptions, GrpcConnection
from jina.wire import grpc
from tests.interop.in_thread import InThread
from tests.wire.echo_server import EchoProtocol

BIG = bytes(range(256)) * 40_000
OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


Served = InThread[EchoProtocol]


@pytest.fixture
def served() -> Iterator[Served]:
    server = InThread(lambda log: EchoProtocol(log, 20 << 20))
    yield server
    server.close()


@pytest.fixture
def channel(served: Served) -> Iterator[grpcio.Channel]:
    with grpcio.insecure_channel(f"127.0.0.1:{served.port}", options=OPTIONS) as channel:
        yield channel


@pytest.mark.parametrize("message", [b"", b"hello", BIG])
def test_unary_call_with_metadata(channel: grpcio.Channel, message: bytes) -> None:
    """grpcio gets its message back, and its metadata as trailers, text and binary."""
    metadata = (("x-a", "1"), ("x-a", "2"), ("x-b-bin", b"\0\xff"))
    reply, call = channel.unary_unary("/test.Echo/Unary").with_call(message, metadata=metadata, timeout=20)
    assert reply == message
    assert tuple(call.trailing_metadata()) == metadata
    assert call.code() == grpcio.StatusCode.OK


def test_many_calls_with_varying_headers(channel: grpcio.Channel) -> None:
    """Calls whose every header block differs are all answered, each with its own metadata."""
    method = channel.unary_unary("/test.Echo/Unary")
    for n in range(200):
        metadata = (("x-trace", f"{n:032x}"), (f"x-{n % 7}", "v" * (n % 50)))
        _, call = method.with_call(b"x", metadata=metadata, timeout=20 + n / 7)
        assert tuple(call.trailing_metadata()) == metadata


def test_server_stream(channel: grpcio.Channel) -> None:
    """Five messages for one, in order, of 1 MB each."""
    assert list(channel.unary_stream("/test.Echo/Stream")(b"m" * 1_000_000, timeout=20)) == [b"m" * 1_000_000] * 5


def test_bidirectional_stream(channel: grpcio.Channel) -> None:
    """Every message comes back, and initial metadata came first."""
    call = channel.stream_stream("/test.Echo/Bidi")((b"%d" % n for n in range(300)), timeout=20)
    assert list(call) == [b"%d" % n for n in range(300)]


def test_status_with_message_and_binary_trailers(channel: grpcio.Channel) -> None:
    """A failure's text arrives with every character, its trailers as bytes."""
    with pytest.raises(grpcio.RpcError) as caught:
        channel.unary_unary("/test.Echo/Fail")(b"", timeout=20)
    assert caught.value.code() == grpcio.StatusCode.FAILED_PRECONDITION
    assert caught.value.details() == "not möglich: 100 %\n"
    assert tuple(caught.value.trailing_metadata()) == (("x-reason-bin", b"\0\xff"),)


def test_unknown_method(channel: grpcio.Channel) -> None:
    """A path that nobody serves is UNIMPLEMENTED."""
    with pytest.raises(grpcio.RpcError) as caught:
        channel.unary_unary("/no.Such/Method")(b"", timeout=20)
    assert caught.value.code() == grpcio.StatusCode.UNIMPLEMENTED


def test_deadline_reaches_the_server_and_passes(channel: grpcio.Channel, served: Served) -> None:
    """The server reads the deadline; the client ends the call when it passes, and the server hears."""
    assert channel.unary_unary("/test.Echo/Unary")(b"x", timeout=20) == b"x"  # so that there is a connection
    with pytest.raises(grpcio.RpcError) as caught:
        channel.unary_unary("/test.Echo/Wait")(b"x", timeout=1.0)
    assert caught.value.code() == grpcio.StatusCode.DEADLINE_EXCEEDED
    assert channel.unary_unary("/test.Echo/Unary")(b"x", timeout=20) == b"x"
    assert isinstance(served.log[0], float)
    assert 0 < served.log[0] <= 1.05  # grpcio rounds up
    assert served.log[1:] == [("cancelled", 8)]


def test_gzip_both_ways(channel: grpcio.Channel) -> None:
    """Compressed requests and replies are read by either side."""
    reply = channel.unary_unary("/test.Echo/Gzip")(b"z" * 5000, compression=grpcio.Compression.Gzip, timeout=20)
    assert reply == b"z" * 5000
    assert channel.unary_unary("/test.Echo/Unary")(b"z" * 5000, compression=grpcio.Compression.Deflate, timeout=20) == b"z" * 5000


def test_message_over_the_limit(channel: grpcio.Channel) -> None:
    """Past the limit the call fails with RESOURCE_EXHAUSTED, and the connection goes on."""
    with pytest.raises(grpcio.RpcError) as caught:
        channel.unary_unary("/test.Echo/Unary")(b"x" * ((20 << 20) + 1), timeout=20)
    assert caught.value.code() == grpcio.StatusCode.RESOURCE_EXHAUSTED
    assert channel.unary_unary("/test.Echo/Unary")(b"x", timeout=20) == b"x"


def test_draining_loses_no_call(channel: grpcio.Channel, served: Served) -> None:
    """While the server drains again and again, grpcio opens new connections and no call fails."""
    method = channel.unary_unary("/test.Echo/Unary")
    for n in range(50):
        if n % 10 == 5:
            served.loop.call_soon_threadsafe(served.drain)
        assert method(b"%d" % n, timeout=20, wait_for_ready=True) == b"%d" % n


def test_pings_at_jinas_rate_and_faster_are_answered(served: Served) -> None:
    """A grpcio channel that is kept alive far more often than Jina's stays on its connection, with a call under way and without."""
    options = [("grpc.keepalive_time_ms", 100), ("grpc.keepalive_permit_without_calls", 1), ("grpc.http2.max_pings_without_data", 0)]
    with grpcio.insecure_channel(f"127.0.0.1:{served.port}", options=options) as channel:
        with pytest.raises(grpcio.RpcError) as caught:
            channel.unary_unary("/test.Echo/Wait")(b"x", timeout=1.5)
        assert caught.value.code() == grpcio.StatusCode.DEADLINE_EXCEEDED
        assert channel.unary_unary("/test.Echo/Unary")(b"x", timeout=20) == b"x"
    assert len(served.connections) == 1


class Handlers(grpcio.GenericRpcHandler):  # type: ignore[misc]  # grpcio has no types
    """grpcio's server: what our client talks to. `entered` and `leave` are of its slow method, which takes `slow_s` at most."""

    def __init__(self, slow_s: float = 1.5) -> None:
        self.slow_s, self.entered, self.leave = slow_s, threading.Event(), threading.Event()

    def service(self, details: grpcio.HandlerCallDetails) -> grpcio.RpcMethodHandler | None:
        if details.method == "/t/Unary":
            return grpcio.unary_unary_rpc_method_handler(self.unary)
        if details.method == "/t/Slow":
            return grpcio.unary_unary_rpc_method_handler(self.slow)
        if details.method == "/t/Bidi":
            return grpcio.stream_stream_rpc_method_handler(lambda messages, context: messages)
        return None

    def slow(self, message: bytes, context: grpcio.ServicerContext) -> bytes:
        self.entered.set()
        self.leave.wait(self.slow_s)
        return message

    def unary(self, message: bytes, context: grpcio.ServicerContext) -> bytes:
        context.send_initial_metadata((("x-i", "1"),))
        context.set_trailing_metadata(tuple(pair for pair in context.invocation_metadata() if pair[0].startswith("x-")))
        if message == b"fail":
            context.abort(grpcio.StatusCode.NOT_FOUND, "nö 100%")
        return message


class ClientProtocol(asyncio.Protocol):
    """Our client's connection; `ended` gets the last event of each call."""

    def __init__(self) -> None:
        self.wire, self.events = grpc.ClientConnection(), asyncio.Queue[grpc.Event]()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.flush()

    def flush(self) -> None:
        out = self.wire.take_output()
        if out:
            self.transport.write(out)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        for event in self.wire.receive(data):
            self.events.put_nowait(event)
        self.flush()

    async def until_end(self) -> list[grpc.Event]:
        self.flush()
        found: list[grpc.Event] = []
        while not found or found[-1][0] not in (grpc.ENDED, grpc.UNARY_REPLY, grpc.CLOSED):
            found.append(await asyncio.wait_for(self.events.get(), 20))
        return found


@pytest.fixture
def grpcio_port() -> Iterator[int]:
    server = grpcio.server(futures.ThreadPoolExecutor(4), handlers=(Handlers(),), options=OPTIONS)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port
    server.stop(None).wait(10)


async def _talk(port: int) -> None:
    loop = asyncio.get_running_loop()
    transport, ours = await loop.create_connection(ClientProtocol, "127.0.0.1", port)
    block = grpc.request_block("/t/Unary", "host", [("x-a", "1"), ("x-b-bin", b"\0")], 20.0)
    for message in (b"", b"hi", BIG):
        ours.wire.call(block, message)
        (reply,) = await ours.until_end()
        assert reply[0] == grpc.UNARY_REPLY
        assert reply[2] == message
        assert reply[3].metadata == (("x-a", "1"), ("x-b-bin", b"\0"))
        assert reply[4].headers == {"x-i": "1"}
    ours.wire.call(block, b"fail")
    assert (await ours.until_end())[-1][2:4] == (5, "nö 100%")
    ours.wire.call(grpc.request_block("/t/None"), b"")
    assert (await ours.until_end())[-1][2] == 12
    stream = ours.wire.start(grpc.request_block("/t/Bidi"))
    for n in range(100):
        ours.wire.send_message(stream, b"%d" % n)
    ours.wire.half_close(stream)
    events = await ours.until_end()
    assert [event[2] for event in events if event[0] == grpc.MESSAGE] == [b"%d" % n for n in range(100)]
    assert events[-1][2] == 0
    assert ours.wire.n_streams == 0
    transport.close()
    await asyncio.sleep(0)


def test_our_client_against_grpcios_server(grpcio_port: int) -> None:
    """Unary (empty, small, 10 MB), failing, unknown and bidirectional calls on one connection."""
    asyncio.run(_talk(grpcio_port))


def test_our_channel_does_not_ask_grpcios_server_too_often(grpcio_port: int) -> None:
    """Its rule is two early PINGs: a silent call that takes many times as long as we would wait between two of ours is answered."""

    async def main() -> None:
        options = ChannelOptions(keepalive_time_s=0.05, keepalive_timeout_s=0.05)
        channel = GrpcChannel(connect.service("127.0.0.1", grpcio_port), "grpcio", options)
        ended: asyncio.Future[tuple[bytes | None, CallEnd]] = asyncio.get_running_loop().create_future()
        channel.start(UnaryCall(grpc.request_block("/t/Slow"), b"x", lambda data, end: ended.set_result((data, end)), timeout_s=20))
        assert await ended == (b"x", CallEnd(0))
        channel.close()

    asyncio.run(main())


def test_our_channel_lets_a_grpcio_server_that_stops_finish_its_call() -> None:
    """After GOAWAY the call under way is answered, and the next one goes to whoever listens then."""
    handlers, has_left = Handlers(slow_s=20), asyncio.Event()

    class Channel(GrpcChannel):
        def left(self, connection: GrpcConnection) -> None:
            super().left(connection)
            has_left.set()

    async def main() -> None:
        server = grpcio.server(futures.ThreadPoolExecutor(4), handlers=(handlers,))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        channel = Channel(connect.service("127.0.0.1", port), "grpcio", ChannelOptions(waits_for_ready=True, first_backoff_s=0.1))

        def begin(path: str) -> asyncio.Future[tuple[bytes | None, CallEnd]]:
            ended: asyncio.Future[tuple[bytes | None, CallEnd]] = asyncio.get_running_loop().create_future()
            block = grpc.request_block(path)
            channel.start(UnaryCall(block, b"x", lambda data, end: ended.set_result((data, end)), timeout_s=20))
            return ended

        assert (await begin("/t/Unary"))[0] == b"x"
        slow = begin("/t/Slow")
        assert await asyncio.to_thread(handlers.entered.wait, 20)
        stopped = server.stop(20)
        await has_left.wait()  # a call that crosses its GOAWAY may be refused
        late = begin("/t/Unary")
        handlers.leave.set()
        assert await slow == (b"x", CallEnd(0))
        await asyncio.to_thread(stopped.wait, 10)
        again = grpcio.server(futures.ThreadPoolExecutor(4), handlers=(Handlers(),))
        again.add_insecure_port(f"127.0.0.1:{port}")
        again.start()
        assert await late == (b"x", CallEnd(0))
        channel.close()
        await asyncio.to_thread(again.stop(None).wait, 10)

    asyncio.run(main())
