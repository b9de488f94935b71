"""Runs the load generators for some seconds against one server; each gives a rate (or seconds) and how many calls went wrong."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from bodies import TEXTS, changed, data_request, grpc_message, json_body
from frames import Generator
from server import HERE

UNARY = "/jina.JinaSingleDataRequestRPC/process_single_data"
N_CONNECTIONS = 32
N_STREAMS = 32


@dataclass
class Measured:
    value: float
    n_errors: int = 0
    notes: list[str] = field(default_factory=list)


def require_tools() -> None:
    """Stop with a word on how to get them when a load generator is missing."""
    packages = {"wrk": "wrk", "h2load": "nghttp2-client"}
    missing = {tool: package for tool, package in packages.items() if shutil.which(tool) is None}
    if missing:
        names = " and ".join(missing)
        sys.exit(f"{names} not found; on Debian and Ubuntu: apt-get install {' '.join(missing.values())}")


def run(command: list[str]) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def wrk(port: int, seconds: float) -> Measured:
    """HTTP requests a second over 32 connections; `wrk.lua` checks the answers."""
    return wrk_words(port, seconds, N_CONNECTIONS, "echo")


def server_sent_events(port: int, seconds: float, n_items: int) -> Measured:
    """Items a second of streams on four connections; `wrk.lua` checks that each stream is whole."""
    streams = wrk_words(port, seconds, 4, "stream")
    return Measured(streams.value * n_items, streams.n_errors)


def wrk_words(port: int, seconds: float, n_connections: int, what: str) -> Measured:
    command = [
        "wrk",
        "-t1",
        f"-c{n_connections}",
        f"-d{round(seconds)}s",
        "-s",
        str(HERE / "wrk.lua"),
        f"http://127.0.0.1:{port}",
        "--",
        what,
    ]
    n, microseconds, wrong, broken = map(int, re.search(r"^RESULT (.*)$", run(command), re.M)[1].split())
    return Measured(n / microseconds * 1e6, wrong + broken)


def h2load(port: int, seconds: float, path: str = UNARY, body: bytes = data_request(TEXTS[0])) -> Measured:
    """gRPC calls a second, 32 at a time on one connection. h2load sends one body and does not read gRPC's status: see `check_grpc`."""
    return h2load_words(port, path, ["-D", str(round(seconds)), "--warm-up-time", "1"], body)


def h2load_calls(port: int, n_calls: int, path: str = UNARY) -> Measured:
    return h2load_words(port, path, ["-n", str(n_calls)], data_request(TEXTS[0]))


def h2load_words(port: int, path: str, words: list[str], message: bytes) -> Measured:
    with tempfile.NamedTemporaryFile(suffix=".bin") as body:
        body.write(grpc_message(message))
        body.flush()
        headers = ["-H", "content-type: application/grpc", "-H", "te: trailers"]
        load = ["h2load", "-c1", f"-m{N_STREAMS}", "-t1", *words, *headers, "-d", body.name]
        out = run([*load, f"http://127.0.0.1:{port}{path}"])
    rate = float(re.search(r"finished in .*?, ([\d.]+) req/s", out)[1])
    failed, errored, timed_out = (int(re.search(rf"(\d+) {word}", out)[1]) for word in ("failed", "errored", "timeout"))
    return Measured(rate, failed + errored + timed_out)


def expected(is_echo_of_bytes: bool) -> list[bytes]:
    return [(text if is_echo_of_bytes else changed(text)).encode() for text in TEXTS]


def generator(port: int, *, is_varying: bool, is_echo_of_bytes: bool) -> Generator:
    messages = [grpc_message(data_request(text)) for text in TEXTS]
    return Generator(port, UNARY, messages, expected(is_echo_of_bytes), is_varying=is_varying)


def send(port: int, protocol: str, n: int) -> int:
    """Send `n` requests; gives the number of errors."""
    if protocol == "grpc":
        return h2load_calls(port, n).n_errors
    sent = wrong = 0
    while sent < n:  # wrk counts time, not requests
        measured = wrk(port, 5)
        sent, wrong = sent + int(measured.value * 5), wrong + measured.n_errors
    return wrong


def said_by(command: list[str], text: str = "") -> Measured:
    """What a client script prints."""
    done = subprocess.run(command, check=False, capture_output=True, text=True, input=text)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    said = json.loads(done.stdout.splitlines()[-1])
    return Measured(said["per_second"], said["n_errors"])


def frames(port: int, seconds: float, *, is_varying: bool, is_echo_of_bytes: bool = False) -> Measured:
    """gRPC calls a second, 32 at a time on one connection, 1,000 bodies in turn, every hundredth answer checked."""
    with_calls = generator(port, is_varying=is_varying, is_echo_of_bytes=is_echo_of_bytes)
    with_calls.run(seconds=0.5, n_streams=N_STREAMS)
    outcome = with_calls.run(seconds=seconds, n_streams=N_STREAMS)
    with_calls.close()
    return Measured(outcome.per_second, outcome.n_errors, outcome.examples)


def check_grpc(port: int, *, is_echo_of_bytes: bool = False) -> int:
    """Send each body a hundred times less often than the load does and check; gives how many answers were wrong."""
    calls = generator(port, is_varying=False, is_echo_of_bytes=is_echo_of_bytes)
    outcome = calls.run(n_calls=len(TEXTS), n_streams=8)
    calls.close()
    return outcome.n_errors


def grpc_latencies(port: int, n: int, *, is_echo_of_bytes: bool = False) -> list[float]:
    """Seconds of unary gRPC calls, one at a time on one connection."""
    calls = generator(port, is_varying=False, is_echo_of_bytes=is_echo_of_bytes)
    calls.latencies(n // 5)
    out = calls.latencies(n)
    calls.close()
    return out


def http_latencies(port: int, n: int) -> list[float]:
    """Seconds of HTTP requests, one at a time on one kept connection; each request is one write and, as a rule, each reply one read."""
    head = b"POST /echo HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    requests = [head % len(body) + body for body in map(json_body, TEXTS)]
    out = []
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number in range(n + n // 5):
            begun = time.perf_counter()
            connection.sendall(requests[number % len(requests)])
            reply = connection.recv(65536)
            while not is_whole(reply):
                reply += connection.recv(65536)
            out.append(time.perf_counter() - begun)
            if changed(TEXTS[number % len(TEXTS)]).encode() not in reply:
                raise AssertionError(f"wrong answer: {reply!r}")
    return out[n // 5 :]


def is_whole(reply: bytes) -> bool:
    head, gap, body = reply.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    return bool(gap) and (len(body) >= int(length[1]) if length else body.endswith(b"0\r\n\r\n"))


def wall_s(command: list[str]) -> float:
    """Seconds from starting a process to its end."""
    begun = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - begun


def script(name: str) -> str:
    return str(Path(HERE) / name)


N_STREAMED = 200


def read_stream(port: int) -> int:
    """Read one stream of events to its end; gives how many items came."""
    body = b'{"text":"stream"}'
    head = b"POST /stream HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(head % len(body) + body)
        reply = b"".join(iter(lambda: connection.recv(65536), b""))
    return reply.count(b"event: update\r\n") if b"event: end\r\n" in reply else 0
