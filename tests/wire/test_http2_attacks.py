"""What a hostile peer may try: the connection ends with ENHANCE_YOUR_CALM or lives within its bounds, and holds little whatever comes.

What is held is counted: all objects that a connection reaches and that are not code, `n_bytes`. A connection that has just greeted has a
few kilobytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import sys
from collections.abc import Callable, Iterator
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType

import pytest

from jina.wire import grpc, hpack, http2
from jina.wire import http2_frames as frames
from jina.wire.buffered import Buffered
from jina.wire.http2_frames import ENHANCE_YOUR_CALM
from jina.wire.http2_limits import Http2Limits
from tests.wire.clauses.peers import BLOCK, END, END_HEADERS, HELLO, OK, build, client, data, frame, headers, parsed, server
from tests.wire.echo_server import EchoProtocol

WHOLE = END | END_HEADERS
N = 20_000
MUCH = 1 << 20
"""No attack makes a connection hold more, but for what its windows and limits allow it to have under way."""


def n_bytes(*roots: object) -> int:
    """Count what these objects reach."""
    seen: set[int] = set()
    left: list[object] = list(roots)
    total = 0
    while left:
        found = left.pop()
        if id(found) in seen or isinstance(found, type | ModuleType | FunctionType | BuiltinFunctionType):
            continue
        seen.add(id(found))
        if not isinstance(found, MethodType):
            total += sys.getsizeof(found)
        left += gc.get_referents(found)
    return total


def numbers() -> Iterator[int]:
    return iter(range(1, 2 * N, 2))


def whole(number: int) -> bytes:
    return headers(number, flags=WHOLE)


FLOODS: dict[str, Callable[[], Iterator[bytes]]] = {
    "rapid reset": lambda: (headers(n) + frames.rst_stream(n, 8) for n in numbers()),
    "rapid reset of whole requests": lambda: (whole(n) + frames.rst_stream(n, 8) for n in numbers()),
    "made resets by a window update of 0": lambda: (whole(n) + frames.window_update(n, 0) for n in numbers()),
    "made resets by a window that overflows": lambda: (whole(n) + frames.window_update(n, frames.MAX_WINDOW) for n in numbers()),
    "made resets by DATA after the end": lambda: (whole(n) + data(n) for n in numbers()),
    "made resets by HEADERS after the end": lambda: (whole(n) + headers(n) for n in numbers()),
    "made resets by a PRIORITY of 4 bytes": lambda: (whole(n) + frame(frames.PRIORITY, 0, n, bytes(4)) for n in numbers()),
    "made resets by a body that is too long": lambda: (
        headers(n, BLOCK + hpack.encode_field("content-length", "1")) + data(n) for n in numbers()
    ),
    "malformed requests": lambda: (headers(n, BLOCK + b"\0\1A\1b") for n in numbers()),
    "empty HEADERS": lambda: (headers(n, b"") for n in numbers()),
    "more streams than allowed": lambda: (headers(n) for n in numbers()),
    "HEADERS on a stream that was reset": lambda: itertools.chain([headers(1) + frames.rst_stream(1, 8)], itertools.repeat(headers(1), N)),
    "empty DATA on a stream that was reset": lambda: itertools.chain(
        [headers(1) + frames.rst_stream(1, 8)], itertools.repeat(data(1, b""), N)
    ),
    "window updates on a stream that was reset": lambda: itertools.chain(
        [headers(1) + frames.rst_stream(1, 8)], itertools.repeat(frames.window_update(1, 1), N)
    ),
    "resets of a stream that was reset": lambda: itertools.chain([headers(1)], itertools.repeat(frames.rst_stream(1, 8), N)),
    "CONTINUATION": lambda: itertools.chain([headers(1, b"", 0)], itertools.repeat(frame(frames.CONTINUATION, 0, 1), N)),
    "CONTINUATION of many bytes": lambda: itertools.chain(
        [headers(1, b"", 0)], itertools.repeat(frame(frames.CONTINUATION, 0, 1, b"\x82" * 16384), N)
    ),
    "SETTINGS": lambda: itertools.repeat(frames.settings({}), N),
    "acknowledgements": lambda: itertools.repeat(frame(frames.SETTINGS, frames.ACK, 0), N),
    "windows that open and close by SETTINGS": lambda: itertools.chain(
        (whole(n) for n in range(1, 2000, 2)),
        itertools.repeat(frames.HEADER.pack(60 * 6 << 8 | frames.SETTINGS, 0, 0) + b"\0\4\0\0\0\0\0\4\0\1\0\0" * 30, N),
    ),
    "PING": lambda: itertools.repeat(frame(frames.PING, 0, 0, bytes(8)), N),
    "answers to no PING": lambda: itertools.repeat(frame(frames.PING, frames.ACK, 0, bytes(8)), N),
    "GOAWAY": lambda: itertools.repeat(frames.goaway(0, 0), N),
    "PRIORITY": lambda: (frame(frames.PRIORITY, 0, n % 200 + 1, bytes(5)) for n in range(N)),
    "unknown frames": lambda: itertools.repeat(frame(0xEE, 0, 0), N),
    "empty DATA": lambda: itertools.chain([headers(1)], itertools.repeat(data(1, b""), N)),
    "DATA of nothing but padding": lambda: itertools.chain([headers(1)], itertools.repeat(data(1, b"\x03" + bytes(3), frames.PADDED), N)),
    "small window updates": lambda: itertools.chain([whole(1)], itertools.repeat(frames.window_update(1, 1), N)),
    "small window updates of the connection": lambda: itertools.repeat(frames.window_update(0, 1), N),
    "header bomb of the static table": lambda: iter([headers(1, BLOCK + b"\x82" * 60_000)]),
    "header bomb of the dynamic table": lambda: iter(
        [headers(1, BLOCK + b"\x40\x01a\x7f\xa1\x1e" + b"x" * 4000), headers(3, BLOCK + b"\xbe" * 60_000)]
    ),
}


@pytest.mark.parametrize("name", FLOODS)
def test_flood_ends_the_connection_and_holds_little(name: str) -> None:
    """However it is cut; what we answered until then stays small too."""
    for frames_a_read in (1, 50):
        end, sent, most, n_out = server(), FLOODS[name](), 0, 0
        end.receive(HELLO)
        while not end.is_closed:
            read = b"".join(itertools.islice(sent, frames_a_read))
            assert read, f"{name} was let through"
            end.receive(read)
            n_out += len(end.take_output())
        assert n_out < 256 << 10
        most = n_bytes(end)
        assert most < MUCH, f"{most} bytes"


def test_flood_says_why() -> None:
    """The GOAWAY frame has the code ENHANCE_YOUR_CALM and a word about it."""
    end = server()
    (event,) = end.receive(HELLO + frame(frames.PING, 0, 0, bytes(8)) * 500)
    assert event[:2] == (http2.CLOSED, ENHANCE_YOUR_CALM)
    _, _, _, payload = parsed(end.take_output())[-1]
    assert frames.read_goaway(payload) == (0, ENHANCE_YOUR_CALM, "too_many_pings")


@pytest.mark.parametrize("name", ["rapid reset", "PING", "SETTINGS", "empty DATA", "PRIORITY", "small window updates"])
def test_what_comes_slowly_is_no_flood(name: str) -> None:
    """One every two seconds goes on for hours."""
    end, now = server(), 0.0
    end.receive(HELLO, now)
    for sent in itertools.islice(FLOODS[name](), 2000):
        now += 2.0
        end.receive(sent, now)
        end.take_output()
    assert not end.is_closed
    assert n_bytes(end) < MUCH


def test_interim_responses_without_end_close_the_client_s_connection() -> None:
    """A server may send some, not any number."""
    end = client()
    for _ in range(N):
        if end.is_closed:
            break
        end.receive(headers(1, b"\x08\x03103"))
    assert end.is_closed
    assert n_bytes(end) < MUCH


def test_fields_that_are_remembered_are_few_whatever_the_peer_sends() -> None:
    """Blocks of many small fields, each sent twice so that it is remembered, with HPACK's table full."""
    end, number = server(), 1
    end.receive(HELLO)
    for at in range(600):
        block = BLOCK + b"".join(b"\0\4%04d\1%d" % (n, at % 10) for n in range(90))
        for _ in range(2):
            end.receive(headers(number, block + hpack.encode_field("x", str(at)), WHOLE) + frames.rst_stream(number, 8), number)
            number += 2
    assert not end.is_closed
    assert n_bytes(end) < 2 * MUCH


def test_frames_that_trickle_in_cost_their_size() -> None:
    """A header block of 200 kB in pieces of two bytes: no list of small objects."""
    end = server()
    end.receive(HELLO + headers(1, b"", 0))
    sent = frame(frames.CONTINUATION, 0, 1, bytes(200_000))
    for at in range(0, len(sent) - 2, 2):
        end.receive(sent[at : at + 2])
    assert n_bytes(end) < 300_000


def test_padded_data_is_passed_on_as_it_comes() -> None:
    """Nothing of it gathers, whatever the size of its frame."""
    end = server()
    end.receive(HELLO + headers(1))
    sent = data(1, b"\xff" + bytes(1_000_000), frames.PADDED)
    for at in range(0, len(sent) - 500, 500):
        end.receive(sent[at : at + 500])
        assert n_bytes(end) < MUCH // 4


def answered(n_streams: int, buffered: Buffered, body: bytes, opening: bytes = b"") -> http2.Connection:
    """A server that has answered requests to a peer whose windows are as `opening` leaves them."""
    end = http2.Connection(is_client=False, limits=Http2Limits(), build_head=build, build_trailers=build, buffered=buffered)
    for event in end.receive(HELLO + opening + b"".join(whole(n) for n in range(1, 2 * n_streams, 2))):
        end.exchange(event[1], OK, (body,), len(body), b"")
    end.take_output()
    return end


def test_reader_that_never_opens_its_window_is_counted_and_found() -> None:
    """What waits for it is in the process's count, its streams have stalled after a while, and end with all they hold."""
    buffered = Buffered()
    end = answered(1000, buffered, bytes(10_000), frames.settings({4: 0}))
    assert buffered.n_bytes == 1000 * 10_000
    assert end.stalled(100.0, 60.0, is_blocked=False) == []
    assert end.stalled(159.0, 60.0, is_blocked=False) == []
    stalled = end.stalled(161.0, 60.0, is_blocked=False)
    assert len(stalled) == 1000
    for stream in stalled:
        end.reset(stream.number, frames.CANCEL)
    assert (buffered.n_bytes, len(end.streams)) == (0, 0)
    end.take_output()
    assert n_bytes(end) < MUCH


def test_reader_whose_window_opens_by_one_byte_gets_all_and_no_more_memory() -> None:
    """A frame a byte, as it asks; that is no flood, since each one moves something."""
    buffered = Buffered()
    end = answered(1, buffered, b"0123456789" * 100, frames.settings({4: 0}))
    got = b""
    for _ in range(1000):
        end.receive(frames.window_update(1, 1))
        got += b"".join(payload for kind, _, _, payload in parsed(end.take_output()) if kind == frames.DATA)
    assert got == b"0123456789" * 100
    assert (end.is_closed, buffered.n_bytes, dict(end.streams)) == (False, 0, {})


def test_small_window_updates_beside_a_reply_that_waits_are_a_flood() -> None:
    """A reply that another window keeps in does not make them free."""
    end = answered(2, Buffered(), bytes(100_000))
    for _ in range(5000):
        end.receive(frames.window_update(3, 1))
    assert end.is_closed


def test_window_that_closes_and_opens_again_loses_nothing() -> None:
    """Below zero and back, by SETTINGS and WINDOW_UPDATE: every byte once, in order, and never beyond the window."""
    buffered, body = Buffered(), bytes(range(256)) * 2000
    end = answered(1, buffered, body, frames.settings({4: 1000}))
    window, got = 1000, 1000  # what the peer has allowed on the stream, and what it got
    assert len(end.streams) == 1
    parts, base = [body[:1000]], 1000
    for n, size in enumerate(itertools.cycle((0, 5000, 100, 65535))):
        extra = 20_000 if n % 3 == 0 else 1
        end.receive(frames.settings({4: size}) + frames.window_update(0, 1 << 16) + frames.window_update(1, extra), float(n))
        window, base = window + size - base + extra, size
        sent = b"".join(payload for kind, _, _, payload in parsed(end.take_output()) if kind == frames.DATA)
        parts.append(sent)
        got += len(sent)
        assert got <= window or not sent
        if not end.streams:
            break
    assert b"".join(parts) == body
    assert buffered.n_bytes == 0


def test_last_stream_number_leaves_nothing_behind() -> None:
    """A client that jumps to 2^31 - 1 has no more streams; what it tries then ends the connection."""
    end = server()
    events = end.receive(HELLO + headers(frames.MAX_STREAM, flags=WHOLE))
    end.exchange(events[0][1], OK, (b"x",), 1, b"")
    assert not end.streams
    end.receive(headers(1))
    assert end.is_closed
    assert n_bytes(end) < MUCH


def test_requests_of_which_each_skips_a_number_are_remembered_in_a_few_bytes() -> None:
    """Gaps between stream numbers gather no memory."""
    end = server()
    end.receive(HELLO)
    for number in range(1, 40_000, 4):
        (event,) = end.receive(whole(number))
        end.send_headers(event[1], OK, is_end=True)
        end.take_output()
    assert not end.is_closed
    assert n_bytes(end) < MUCH


ATTACKS = (
    "rapid reset",
    "made resets by a window update of 0",
    "CONTINUATION of many bytes",
    "PING",
    "windows that open and close by SETTINGS",
)


class Echo(EchoProtocol):
    """A server's connection that says when it is over."""

    def __init__(self, serving: set[Echo], gone: asyncio.Event) -> None:
        super().__init__([])
        self.serving, self.gone = serving, gone
        serving.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self.serving.discard(self)
        if not self.serving:
            self.gone.set()


async def closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


@pytest.mark.anyio
async def test_other_connections_do_not_notice() -> None:
    """While attackers come back again and again, every call of a friendly client is answered soon."""
    loop, serving, gone = asyncio.get_running_loop(), set[Echo](), asyncio.Event()
    listening = await loop.create_server(lambda: Echo(serving, gone), "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    attackers = [asyncio.create_task(attack(port, name)) for name in ATTACKS]
    try:
        slowest = await asyncio.wait_for(friend(port, 30), 60)
    finally:
        for attacker in attackers:
            attacker.cancel()
        n_ended = [await attacker for attacker in attackers]
        listening.close()
        await asyncio.sleep(0)  # who was just let in is told of its connection
        gone.clear()
        for echo in list(serving):
            echo.transport.abort()
        if serving:
            await gone.wait()
    assert slowest < 20.0  # a few milliseconds, on a machine that has nothing else to do
    assert all(n_ended), n_ended


async def attack(port: int, name: str) -> int:
    """Flood until the server ends the connection, and again; give how often it did."""
    n_ended = 0
    try:
        while True:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(HELLO)
                sent = FLOODS[name]()
                while read := b"".join(itertools.islice(sent, 100)):
                    writer.write(read)
                    await writer.drain()
                    await asyncio.sleep(0)
                await reader.read()
            except ConnectionError:
                n_ended += 1
            finally:
                await closed(writer)
    except asyncio.CancelledError:
        return n_ended


async def friend(port: int, n_calls: int) -> float:
    """Make calls, one after another; give how long the slowest took."""
    wire, reply = grpc.ClientConnection(), asyncio.Event()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    block, slowest, loop = grpc.request_block("/test.Echo/Unary"), 0.0, asyncio.get_running_loop()

    async def read() -> None:
        while received := await reader.read(1 << 16):
            if any(event[0] == grpc.UNARY_REPLY for event in wire.receive(received)):
                reply.set()

    reading = asyncio.create_task(read())
    for n in range(n_calls):
        begun = loop.time()
        wire.call(block, b"%d" % n)
        writer.write(wire.take_output())
        await reply.wait()
        reply.clear()
        slowest = max(slowest, loop.time() - begun)
    reading.cancel()
    await closed(writer)
    return slowest
