"""A small, fast generator of gRPC calls: it replays prepared HTTP/2 frames over one connection and counts END_STREAM.

It does little for each reply, so that the server under test is what is measured, and it keeps `n_streams` calls in flight. Unlike
h2load it can send another body and other headers with every call. It is no client: header blocks of replies are not decoded. A reply
without DATA, or a reset, is an error (gRPC tells errors in a reply that has trailers only), and the message of every hundredth reply
is compared with what it must contain.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
LARGE_WINDOW = 1 << 30
CHECK_EVERY = 100
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, ACK, PADDED = 1, 1, 8
FRAME_HEAD = struct.Struct(">HBBBI")


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def literal(name: bytes, value: bytes) -> bytes:
    """A header field that leaves the dynamic table alone."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


def indexed_later(name: bytes, value: bytes) -> bytes:
    """A header field that goes into the dynamic table."""
    return b"\x40" + bytes([len(name)]) + name + bytes([len(value)]) + value


COMMON = [
    (b":path", None),
    (b":authority", b"127.0.0.1"),
    (b"content-type", b"application/grpc"),
    (b"te", b"trailers"),
    (b"user-agent", b"frames/1"),
]


def header_blocks(path: bytes, n: int, *, is_varying: bool) -> tuple[bytes, list[bytes]]:
    """The block of the first call, which fills the dynamic table, and `n` blocks for the later ones.

    Varying ones carry another `grpc-timeout` and `traceparent` each, as literals, which is how gRPC's C core sends them.
    """
    method_and_scheme = b"\x83\x86"
    first = method_and_scheme + b"".join(indexed_later(name, value or path) for name, value in COMMON)
    known = method_and_scheme + bytes(0x80 | 62 + index for index in reversed(range(len(COMMON))))
    if not is_varying:
        return first, [known]
    return first, [known + literal(b"grpc-timeout", b"%dm" % (10_000 + i)) + literal(b"traceparent", traceparent(i)) for i in range(n)]


def traceparent(number: int) -> bytes:
    return b"00-%032x-%016x-01" % (
        number * 0x9E3779B97F4A7C15F39CC0605CEDC835 & (1 << 128) - 1 | 1,
        number * 0x9E3779B97F4A7C15 & (1 << 64) - 1 | 1,
    )


@dataclass
class Outcome:
    n_calls: int = 0
    n_errors: int = 0
    n_checked: int = 0
    seconds: float = 0.0
    examples: list[str] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        return self.n_calls / self.seconds


class Generator:
    """One connection that keeps `n_streams` unary calls in flight for some seconds or some number of calls.

    Args:
        port: Where the server listens on 127.0.0.1.
        path: The gRPC method, e.g. `/jina.JinaSingleDataRequestRPC/process_single_data`.
        messages: Sent in turn; each with its gRPC prefix.
        expected: What the reply to the message at the same place must contain.
        is_varying: Other headers with each call.
    """

    def __init__(self, port: int, path: str, messages: Sequence[bytes], expected: Sequence[bytes], *, is_varying: bool = False) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        first, self.blocks = header_blocks(path.encode(), 9973, is_varying=is_varying)
        self.heads = [len(block).to_bytes(3, "big") + b"\1\4" for block in self.blocks]
        self.bodies = [(len(message).to_bytes(3, "big") + b"\0\1", message) for message in messages]
        self.expected = expected
        self.next_stream, self.n_sent, self.window, self.stream_window = 1, 0, 65535, 65535
        self.rest, self.has_data, self.kept = b"", set(), {}
        self.outcome = Outcome()
        settings = struct.pack(">HIHI", 4, LARGE_WINDOW, 2, 0)
        self.socket.sendall(PREFACE + frame(SETTINGS, 0, 0, settings) + frame(WINDOW_UPDATE, 0, 0, (LARGE_WINDOW).to_bytes(4, "big")))
        self.credit = LARGE_WINDOW
        self.first_block = first

    def run(self, *, seconds: float = 0.0, n_calls: int = 0, n_streams: int = 32) -> Outcome:
        """Send until the time is over or the calls are done, then wait for the replies that are under way."""
        outcome = self.outcome = Outcome()
        begun = time.perf_counter()
        end = begun + seconds if seconds else float("inf")
        limit = n_calls or 1 << 60
        free, n_done, n_begun = n_streams, 0, 0
        while True:
            n = min(free, limit - n_begun, self.window // 4096) if time.perf_counter() < end else 0
            if n > 0:
                self.send(n)
                free, n_begun = free - n, n_begun + n
            elif n_done == n_begun and (n_begun >= limit or time.perf_counter() >= end):
                break
            finished = self.receive()
            free, n_done = free + finished, n_done + finished
        outcome.n_calls, outcome.seconds = n_done, time.perf_counter() - begun
        return outcome

    def send(self, n: int) -> None:
        parts = []
        for _ in range(n):
            stream = self.next_stream.to_bytes(4, "big")
            number = self.n_sent
            if number:
                place = number % len(self.blocks)
                parts += (self.heads[place], stream, self.blocks[place])
            else:
                parts += (len(self.first_block).to_bytes(3, "big") + b"\1\4", stream, self.first_block)
            head, message = self.bodies[number % len(self.bodies)]
            parts += (head, stream, message)
            self.window -= len(message)
            if not number % CHECK_EVERY:
                self.kept[self.next_stream] = [number]
            self.next_stream += 2
            self.n_sent = number + 1
        self.socket.sendall(b"".join(parts))

    def receive(self) -> int:
        """Read once; gives how many calls ended."""
        data = self.socket.recv(1 << 18)
        if not data:
            raise ConnectionError(f"the server closed the connection after {self.n_sent} calls")
        data = self.rest + data if self.rest else data
        position, size, n_ended, unpack, has_data = 0, len(data), 0, FRAME_HEAD.unpack_from, self.has_data
        while size - position >= 9:
            high, low, kind, flags, stream = unpack(data, position)
            start, end = position + 9, position + 9 + (high << 8 | low)
            if end > size:
                break
            position = end
            if kind == DATA:
                self.credit -= end - start
                has_data.add(stream)
                if stream in self.kept:
                    self.kept[stream].append(data[start:end])
            elif kind != HEADERS:
                n_ended += self.control(kind, flags, stream, data[start:end])
                continue
            if flags & END_STREAM:
                n_ended += 1
                if stream in has_data:
                    has_data.remove(stream)
                else:
                    self.fail(f"stream {stream} ended without a message")
                if stream in self.kept:
                    self.compare(self.kept.pop(stream))
        self.rest = data[position:]
        if self.credit < LARGE_WINDOW // 2:
            self.socket.sendall(frame(WINDOW_UPDATE, 0, 0, (LARGE_WINDOW - self.credit).to_bytes(4, "big")))
            self.credit = LARGE_WINDOW
        return n_ended

    def control(self, kind: int, flags: int, stream: int, payload: bytes) -> int:
        """Answer what a peer must answer; 1 if the frame ended a call."""
        if kind == SETTINGS and not flags & ACK:
            self.socket.sendall(frame(SETTINGS, ACK, 0))
        elif kind == PING and not flags & ACK:
            self.socket.sendall(frame(PING, ACK, 0, payload))
        elif kind == WINDOW_UPDATE and stream == 0:
            self.window += int.from_bytes(payload, "big")
        elif kind == GOAWAY:
            raise ConnectionError(f"the server said GOAWAY: {payload!r}")
        elif kind == RST_STREAM:
            self.has_data.discard(stream)
            self.kept.pop(stream, None)
            self.fail(f"stream {stream} was reset: {payload!r}")
            return 1
        return 0

    def compare(self, kept: list) -> None:
        self.outcome.n_checked += 1
        wanted, got = self.expected[kept[0] % len(self.expected)], b"".join(kept[1:])
        if wanted not in got:
            self.fail(f"expected {wanted!r} in {got[:200]!r}")

    def fail(self, text: str) -> None:
        self.outcome.n_errors += 1
        if len(self.outcome.examples) < 3:
            self.outcome.examples.append(text)

    def latencies(self, n: int) -> list[float]:
        """Seconds of `n` calls made one after the other."""
        out = []
        for _ in range(n):
            begun = time.perf_counter()
            self.send(1)
            while not self.receive():
                pass
            out.append(time.perf_counter() - begun)
            if self.window < 16384:
                self.receive()
        return out

    def close(self) -> None:
        self.socket.close()
