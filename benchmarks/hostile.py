"""What nobody should send: each function is one visit of a hostile or broken caller. It expects nothing, and errors are its own affair."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import random
import socket
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

from bodies import data_request, grpc_message
from frames import DATA, END_STREAM, HEADERS, PING, PREFACE, RST_STREAM, SETTINGS, WINDOW_UPDATE, frame, literal

POST = b"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
UNARY = b"/jina.JinaSingleDataRequestRPC/process_single_data"
CONTINUATION, END_HEADERS = 9, 4
BLOCK = b"\x83\x86" + b"".join(
    literal(name, value)
    for name, value in ((b":path", UNARY), (b":authority", b"a"), (b"content-type", b"application/grpc"), (b"te", b"trailers"))
)


class Ports(NamedTuple):
    http: int
    grpc: int
    websocket: int


@contextlib.contextmanager
def opened(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
        yield connection


def drain(connection: socket.socket, limit_s: float = 1.0) -> None:
    """Read until the server is done with us, or for so long."""
    end = time.monotonic() + limit_s
    connection.settimeout(0.2)
    with contextlib.suppress(TimeoutError):
        while time.monotonic() < end and connection.recv(65536):
            pass


def visit(port: int, *parts: bytes) -> None:
    """Send, listen for a while, leave."""
    with opened(port) as connection:
        for part in parts:
            connection.sendall(part)
        drain(connection)


def noise(ports: Ports, dice: random.Random) -> None:
    visit(dice.choice(ports), dice.randbytes(dice.randrange(1, 20_000)))


def noise_in_frames(ports: Ports, dice: random.Random) -> None:
    visit(
        ports.grpc,
        PREFACE + frame(SETTINGS, 0, 0),
        *(frame(dice.randrange(11), dice.randrange(256), dice.randrange(8), dice.randbytes(dice.randrange(60))) for _ in range(40)),
    )


def half_a_request(ports: Ports, dice: random.Random) -> None:
    whole = POST + b'content-length: 30\r\n\r\n{"data":[{"text":"0123456"}]}  '
    with opened(ports.http) as connection:
        connection.sendall(whole[: dice.randrange(1, len(whole) - 1)])
        time.sleep(dice.random() * 0.3)


def half_a_call(ports: Ports, dice: random.Random) -> None:
    message = grpc_message(data_request("half"))
    whole = PREFACE + frame(SETTINGS, 0, 0) + frame(HEADERS, END_HEADERS, 1, BLOCK) + frame(DATA, 0, 1, message)
    with opened(ports.grpc) as connection:
        connection.sendall(whole[: dice.randrange(1, len(whole))])
        time.sleep(dice.random() * 0.3)


def closed_half(ports: Ports, dice: random.Random) -> None:
    with opened(ports.http) as connection:
        connection.sendall(POST + b'content-length: 30\r\n\r\n{"data":')
        connection.shutdown(socket.SHUT_WR)
        drain(connection)


def slow_reader(ports: Ports, dice: random.Random) -> None:
    body = json.dumps({"data": [{"text": "x" * 400_000}]}).encode()
    request = POST + b"content-length: %d\r\n\r\n" % len(body) + body
    with opened(ports.http) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with contextlib.suppress(TimeoutError):
            connection.settimeout(0.5)
            for _ in range(8):
                connection.sendall(request)
        for _ in range(10):
            connection.recv(1000)
            time.sleep(0.05)


def shut_window(ports: Ports, dice: random.Random) -> None:
    message = grpc_message(data_request("y" * 200_000))
    calls = b"".join(frame(HEADERS, END_HEADERS, stream, BLOCK) + b"".join(pieces(message, stream)) for stream in range(1, 9, 2))
    with opened(ports.grpc) as connection:
        connection.sendall(PREFACE + frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0)) + calls)
        time.sleep(0.5)


def pieces(message: bytes, stream: int) -> list[bytes]:
    cuts = [message[at : at + 16_000] for at in range(0, len(message), 16_000)]
    return [frame(DATA, END_STREAM if at == len(cuts) - 1 else 0, stream, cut) for at, cut in enumerate(cuts)]


def rapid_resets(ports: Ports, dice: random.Random) -> None:
    visit(
        ports.grpc,
        PREFACE + frame(SETTINGS, 0, 0),
        *(frame(HEADERS, END_HEADERS, n, BLOCK) + frame(RST_STREAM, 0, n, struct.pack(">I", 8)) for n in range(1, 6001, 2)),
    )


def flood(ports: Ports, dice: random.Random) -> None:
    kind = dice.choice(
        (
            frame(PING, 0, 0, bytes(8)),
            frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 1000)),
            frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1)),
            frame(DATA, 0, 1),
        )
    )
    visit(ports.grpc, PREFACE + frame(SETTINGS, 0, 0) + frame(HEADERS, END_HEADERS, 1, BLOCK), *[kind * 100] * 100)


def endless_headers(ports: Ports, dice: random.Random) -> None:
    if dice.random() < 0.5:
        visit(ports.http, POST, *(b"x-%d: %b\r\n" % (number, b"v" * 1000) for number in range(200)))
    else:
        more = literal(b"x", b"v" * 100) * 100
        visit(ports.grpc, PREFACE + frame(SETTINGS, 0, 0) + frame(HEADERS, 0, 1, BLOCK), *[frame(CONTINUATION, 0, 1, more)] * 50)


def header_bomb(ports: Ports, dice: random.Random) -> None:
    entry = b"\x40\x01x\x7f\x81\x1e" + b"v" * 4000  # into the dynamic table, and then named again and again
    visit(ports.grpc, PREFACE + frame(SETTINGS, 0, 0) + frame(HEADERS, END_HEADERS, 1, BLOCK + entry + b"\xbe" * 10_000))


def packed_bomb(ports: Ports, dice: random.Random) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    if dice.random() < 0.5:
        visit(ports.http, POST + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(bomb) + bomb)
    else:
        message = b"\1" + len(bomb).to_bytes(4, "big") + bomb
        head = frame(HEADERS, END_HEADERS, 1, BLOCK + literal(b"grpc-encoding", b"gzip"))
        visit(ports.grpc, PREFACE + frame(SETTINGS, 0, 0) + head + b"".join(pieces(message, 1)))


def large_promise(ports: Ports, dice: random.Random) -> None:
    promise = b"\0\x3f\xff\xff\xff" + bytes(1000)
    visit(ports.http, POST + b"content-length: 104857600\r\n\r\n" + bytes(1000))
    visit(ports.grpc, PREFACE + frame(SETTINGS, 0, 0) + frame(HEADERS, END_HEADERS, 1, BLOCK) + frame(DATA, 0, 1, promise))


def smuggling(ports: Ports, dice: random.Random) -> None:
    visit(ports.http, POST + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n")


def torn_chunks(ports: Ports, dice: random.Random) -> None:
    size = dice.choice((b"5", b"fffffffff", b"-1", b"5;x=" + b"y" * 9000))
    visit(ports.http, POST + b"transfer-encoding: chunked\r\n\r\n" + size + b"\r\nhello\r", dice.randbytes(20))


def many_and_gone(ports: Ports, dice: random.Random) -> None:
    body = b'{"data":[{"text":"gone"}]}'
    request = POST + b"content-length: %d\r\n\r\n" % len(body) + body
    with opened(ports.http) as connection:
        connection.sendall(request * 200)


def readers_that_leave(ports: Ports, dice: random.Random) -> None:
    body = b'{"text":"left"}'
    with opened(ports.http) as connection:
        connection.sendall(POST.replace(b"/echo", b"/stream") + b"content-length: %d\r\n\r\n" % len(body) + body)
        connection.recv(dice.randrange(1, 4000))


def broken_web_call(ports: Ports, dice: random.Random) -> None:
    kind = dice.choice((b"application/grpc-web", b"application/grpc-web-text"))
    body = dice.choice((grpc_message(data_request("web"))[:-3], b"\x80\0\0\0\5hello", dice.randbytes(200)))
    head = b"POST %b HTTP/1.1\r\nhost: a\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n" % (UNARY, kind, len(body))
    visit(ports.http, head + body)


def hello_of_tls(ports: Ports, dice: random.Random) -> None:
    visit(dice.choice(ports), b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + dice.randbytes(505))


def upgrade(ports: Ports, dice: random.Random, *parts: bytes, protocol: bytes = b"json", wait_s: float = 1.0) -> None:
    """Begin a WebSocket session and send these bytes, masked or not."""
    lines = b"upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-extensions: permessage-deflate\r\n"
    key = base64.b64encode(dice.randbytes(16))
    with opened(ports.websocket) as connection:
        connection.sendall(
            b"GET / HTTP/1.1\r\nhost: a\r\nsec-websocket-key: %b\r\nsec-websocket-protocol: %b\r\n%b\r\n" % (key, protocol, lines)
        )
        connection.settimeout(1)
        if b" 101 " in connection.recv(4096):
            for part in parts:
                connection.sendall(part)
            drain(connection, wait_s)


def masked(first: int, payload: bytes) -> bytes:
    """A client's frame, with a mask of zeros."""
    size = bytes((0x80 | len(payload),)) if len(payload) < 126 else b"\xff" + len(payload).to_bytes(8, "big")
    return bytes((first,)) + size + bytes(4) + payload


def noise_after_upgrade(ports: Ports, dice: random.Random) -> None:
    upgrade(ports, dice, dice.randbytes(dice.randrange(1, 5000)), protocol=dice.choice((b"json", b"bytes", b"other")))


def flood_of_pings(ports: Ports, dice: random.Random) -> None:
    upgrade(ports, dice, *[masked(0x89, b"ping") * 100] * 20)


def fragments_without_end(ports: Ports, dice: random.Random) -> None:
    upgrade(ports, dice, masked(0x01, b"{"), *[masked(0x00, b" ") * 100] * 20)


def large_frame_promised(ports: Ports, dice: random.Random) -> None:
    upgrade(ports, dice, b"\x82\xff" + (1 << dice.choice((26, 40, 62))).to_bytes(8, "big") + bytes(4 + 1000))


def bomb_in_a_frame(ports: Ports, dice: random.Random) -> None:
    packer = zlib.compressobj(wbits=-15)
    upgrade(ports, dice, masked(0xC1, packer.compress(bytes(50_000_000)) + packer.flush(zlib.Z_SYNC_FLUSH)[:-4]))


def answers_never_read(ports: Ports, dice: random.Random) -> None:
    request = json.dumps({"header": {"execEndpoint": "/echo"}, "data": [{"text": "z" * 100_000}]}).encode()
    with contextlib.suppress(TimeoutError):
        upgrade(ports, dice, *[masked(0x81, request)] * 20, wait_s=0.0)


Visit = Callable[[Ports, random.Random], None]
VISITS: list[Visit] = [
    noise,
    noise_in_frames,
    half_a_request,
    half_a_call,
    closed_half,
    slow_reader,
    shut_window,
    rapid_resets,
    flood,
    endless_headers,
    header_bomb,
    packed_bomb,
    large_promise,
    smuggling,
    torn_chunks,
    many_and_gone,
    readers_that_leave,
    broken_web_call,
    hello_of_tls,
    noise_after_upgrade,
    flood_of_pings,
    fragments_without_end,
    large_frame_promised,
    bomb_in_a_frame,
    answers_never_read,
]
