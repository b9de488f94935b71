"""What hostile and careless callers do to a port, one function each; each ends by itself or is cut off."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import random
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\0\0\0\4\0\0\0\0\0"
GET_HEAD = b"\x82\x84\x86\x41\x01x"  # GET / over http, :authority x
_UPGRADE = (
    b"GET / HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
_BOMB = gzip.compress(bytes(20 << 20))


@dataclass(frozen=True)
class Target:
    """Whom to attack."""

    port: int

    @contextlib.asynccontextmanager
    async def connect(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """Connect, and be gone at the end."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()


Attack = Callable[[Target, random.Random], Awaitable[None]]
ATTACKS: list[Attack] = []


def attack(function: Attack) -> Attack:
    """Add to what is picked from."""
    ATTACKS.append(function)
    return function


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One HTTP/2 frame."""
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


async def send_and_listen(target: Target, data: bytes, seconds: float = 0.5) -> bytes:
    """Send, and read until the server closes or the time is over."""
    async with target.connect() as (reader, writer):
        writer.write(data)
        got = b""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while piece := await reader.read(1 << 16):
                    got += piece
        return got


@attack
async def random_bytes(target: Target, chance: random.Random) -> None:
    await send_and_listen(target, chance.randbytes(chance.randrange(1, 5000)))


@attack
async def half_a_request(target: Target, chance: random.Random) -> None:
    whole = b'POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 22\r\n\r\n{"data":[{"text":"a"}]}'
    await send_and_listen(target, whole[: chance.randrange(1, len(whole))], chance.random() * 2)


@attack
async def drips(target: Target, chance: random.Random) -> None:
    async with target.connect() as (_, writer):
        for byte in b"GET / HTTP/1.1\r\nhost: x\r\nx-long: aaaaaaaaaaaa":
            writer.write(bytes((byte,)))
            await asyncio.sleep(0.05)


@attack
async def reads_nothing(target: Target, chance: random.Random) -> None:
    async with target.connect() as (_, writer):
        writer.transport.pause_reading()
        for _ in range(200):
            writer.write(b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n")
        await asyncio.sleep(chance.random() * 3)


@attack
async def many_fields(target: Target, chance: random.Random) -> None:
    await send_and_listen(target, b"GET / HTTP/1.1\r\n" + b"".join(b"x-%d: y\r\n" % number for number in range(500)) + b"\r\n")


@attack
async def long_target(target: Target, chance: random.Random) -> None:
    await send_and_listen(target, b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n")


@attack
async def huge_length(target: Target, chance: random.Random) -> None:
    await send_and_listen(target, b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999999999\r\n\r\n")


@attack
async def large_body_then_gone(target: Target, chance: random.Random) -> None:
    async with target.connect() as (_, writer):
        writer.write(b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 50000000\r\n\r\n" + bytes(chance.randrange(1 << 20)))
        await asyncio.sleep(0.1)


@attack
async def tiny_chunks(target: Target, chance: random.Random) -> None:
    await send_and_listen(target, b"POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n" + b"1\r\n \r\n" * 20_000)


@attack
async def smuggled(target: Target, chance: random.Random) -> None:
    lines = b"content-length: 5\r\ntransfer-encoding: chunked\r\n"
    await send_and_listen(target, b"POST /echo HTTP/1.1\r\nhost: x\r\n" + lines + b"\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n")


@attack
async def folded_bomb(target: Target, chance: random.Random) -> None:
    head = b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(_BOMB)
    await send_and_listen(target, head + _BOMB)


@attack
async def deep_json(target: Target, chance: random.Random) -> None:
    body = b'{"data":' + b"[" * 50_000
    await send_and_listen(target, b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))


@attack
async def half_closed(target: Target, chance: random.Random) -> None:
    async with target.connect() as (reader, writer):
        writer.write(b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n")
        writer.write_eof()
        await reader.read()


@attack
async def reset_at_once(target: Target, chance: random.Random) -> None:
    async with target.connect() as (_, writer):
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.write(b'POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 22\r\n\r\n{"data":[{"text":"a"}]}')
        await asyncio.sleep(chance.random() * 0.01)


@attack
async def pipelines(target: Target, chance: random.Random) -> None:
    await send_and_listen(target, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n" * 500)


@attack
async def stream_then_gone(target: Target, chance: random.Random) -> None:
    async with target.connect() as (reader, writer):
        writer.write(b"GET /count?text=x HTTP/1.1\r\nhost: x\r\n\r\n")
        await reader.read(chance.randrange(1, 1000))


@attack
async def tls_to_plain(target: Target, chance: random.Random) -> None:
    await send_and_listen(target, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + chance.randbytes(500))


@attack
async def h2_random_frames(target: Target, chance: random.Random) -> None:
    frames = b"".join(
        frame(chance.randrange(12), chance.randrange(256), chance.randrange(20), chance.randbytes(chance.randrange(60))) for _ in range(50)
    )
    await send_and_listen(target, PREFACE + SETTINGS + frames)


@attack
async def h2_half_preface(target: Target, chance: random.Random) -> None:
    await send_and_listen(target, PREFACE[: chance.randrange(1, 24)], chance.random())


@attack
async def h2_rapid_reset(target: Target, chance: random.Random) -> None:
    begun = b"".join(frame(1, 5, 2 * number + 1, GET_HEAD) + frame(3, 0, 2 * number + 1, b"\0\0\0\x08") for number in range(3000))
    await send_and_listen(target, PREFACE + SETTINGS + begun)


@attack
async def h2_ping_flood(target: Target, chance: random.Random) -> None:
    await send_and_listen(target, PREFACE + SETTINGS + frame(6, 0, 0, bytes(8)) * 3000)


@attack
async def h2_settings_flood(target: Target, chance: random.Random) -> None:
    await send_and_listen(target, PREFACE + SETTINGS * 2000)


@attack
async def h2_continuation_flood(target: Target, chance: random.Random) -> None:
    await send_and_listen(target, PREFACE + SETTINGS + frame(1, 0, 1, GET_HEAD) + frame(9, 0, 1, b"\x00\x01a\x01b") * 3000)


@attack
async def h2_hpack_bomb(target: Target, chance: random.Random) -> None:
    block = GET_HEAD + b"\x40\x01a\x7f\xa1\x1e" + b"b" * 4000 + b"\xbe" * 12_000
    await send_and_listen(target, PREFACE + SETTINGS + frame(1, 5, 1, block))


@attack
async def h2_empty_data(target: Target, chance: random.Random) -> None:
    post = b"\x83\x84\x86\x41\x01x"
    await send_and_listen(target, PREFACE + SETTINGS + frame(1, 4, 1, post) + frame(0, 0, 1) * 3000)


@attack
async def h2_shut_window(target: Target, chance: random.Random) -> None:
    shut = frame(4, 0, 0, b"\0\4\0\0\0\0")
    asked = b"".join(frame(1, 5, 2 * number + 1, b"\x82\x04\x0d/openapi.json\x86\x41\x01x") for number in range(100))
    await send_and_listen(target, PREFACE + shut + asked, chance.random() * 3)


@attack
async def grpc_broken_messages(target: Target, chance: random.Random) -> None:
    path = b"/jina.JinaSingleDataRequestRPC/process_single_data"
    block = b"\x83\x86\x04" + bytes((len(path),)) + path + b"\x41\x01x\x5f\x10application/grpc\x40\x02te\x08trailers"
    calls = b"".join(
        frame(1, 4, 2 * number + 1, block) + frame(0, chance.randrange(2), 2 * number + 1, chance.randbytes(chance.randrange(40)))
        for number in range(50)
    )
    await send_and_listen(target, PREFACE + SETTINGS + calls)


@attack
async def websocket_garbage(target: Target, chance: random.Random) -> None:
    await send_and_listen(target, _UPGRADE + chance.randbytes(chance.randrange(1, 500)))


@attack
async def websocket_never_ends(target: Target, chance: random.Random) -> None:
    async with target.connect() as (reader, writer):
        writer.write(_UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        for _ in range(50):
            writer.write(b"\x02\x81\0\0\0\0x" if chance.random() < 0.1 else b"\x00\x81\0\0\0\0x")
            await asyncio.sleep(0.01)


@attack
async def websocket_bad_documents(target: Target, chance: random.Random) -> None:
    async with target.connect() as (reader, writer):
        writer.write(_UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        text = b'{"data": [{"text": 1}], "execEndpoint": "/echo"}'
        for _ in range(20):
            writer.write(b"\x81" + bytes((0x80 | len(text),)) + bytes(4) + text)
        await asyncio.sleep(0.2)
