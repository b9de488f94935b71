"""What it costs to refuse: CPU of the front alone, in memory, for one request that is not served. Prints microseconds.

python benchmarks/refusals.py
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from jina.call import Call, EndpointInfo, Reply, Status
from jina.errors import Code
from jina.fronts.front import Front
from jina.fronts.http1_connection import Http1Connection
from jina.fronts.http2_connection import Http2Connection
from jina.limits import FrontOptions
from jina.wire.buffered import Buffered
from jina.wire.grpc import ClientConnection, request_block
from jina.wire.http2_limits import Http2Limits

_N, _ROUNDS = 2000, 5
_CALL = "/jina.JinaSingleDataRequestRPC/process_single_data"


class Nowhere(asyncio.Transport):
    """Takes what is written, and forgets it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    def write(self, data: Any) -> None:
        self.written = bytes(data)

    def writelines(self, pieces: Any) -> None:
        self.written = b"".join(pieces)

    def get_write_buffer_size(self) -> int:
        return 0

    def can_write_eof(self) -> bool:
        return False

    def is_closing(self) -> bool:
        return False

    def close(self) -> None: ...
    def abort(self) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


class Nothing:
    """A handler that is never reached."""

    needs_task = False

    async def __call__(self, call: Call) -> Reply:
        raise AssertionError("nothing here is served")


def front(guard: Any = None, buffered: Buffered | None = None, **options: Any) -> Front:
    return Front(
        Nothing(),
        [EndpointInfo("/echo", "batch")],
        protocols=["http", "grpc"],
        guard=guard,
        options=FrontOptions(**options),
        buffered=buffered,
    )


def http1(where: Front, data: bytes, status: bytes, *, is_last: bool = False) -> Callable[[], None]:
    """Send the same request again and again; on a new connection, where the answer ends it."""
    transport = Nowhere()
    connection = Http1Connection(where)
    connection.connection_made(transport)

    def once() -> None:
        nonlocal connection
        connection.data_received(data)
        assert transport.written[9:12] == status, transport.written
        if is_last:
            connection.connection_lost(None)
            connection = Http1Connection(where)
            connection.connection_made(transport)

    return once


def http2(where: Front, begin: Callable[[ClientConnection], Any], expected: bytes) -> Callable[[], None]:
    """Send the same call on stream after stream, on connections of 1,000 streams; the client's bytes are made beforehand."""
    client, server, transport = ClientConnection(limits=Http2Limits()), Http2Connection(where), Nowhere()
    server.connection_made(transport)
    hello = client.take_output()
    client.receive(transport.written)
    reads = [hello + client.take_output()]
    for _ in range(_N):
        begin(client)
        reads.append(client.take_output())
    position = 0

    def once() -> None:
        nonlocal position, server
        if position > _N:
            position = 0
        if position == 0:
            server = Http2Connection(where)
            server.connection_made(transport)
            server.data_received(reads[0])
        position += 1
        if position <= _N:
            server.data_received(reads[position])
            assert expected in transport.written, transport.written

    return once


def post(body: bytes, lines: bytes = b"", target: bytes = b"/echo") -> bytes:
    return b"POST %b HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n%b\r\n" % (target, len(body), lines) + body


def cost(once: Callable[[], None]) -> float:
    best = 1e9
    for _ in range(_ROUNDS):
        begun = time.process_time()
        for _ in range(_N):
            once()
        best = min(best, (time.process_time() - begun) / _N * 1e6)
    return best


def no_key(headers: Any) -> Status:
    return Status(Code.UNAUTHENTICATED, "a key is needed")


def measure() -> None:
    """Run all cases; not within a task, for bytes do not come in one either."""
    full = Buffered(1)
    call = b"\0" * 10
    cases: dict[str, Callable[[], None]] = {
        "HTTP/1.1: unknown path, 404": http1(front(), post(b"{}", target=b"/none"), b"404"),
        "HTTP/1.1: wrong method, 405": http1(front(), b"GET /echo HTTP/1.1\r\nhost: x\r\n\r\n", b"405"),
        "HTTP/1.1: no key, 401": http1(front(no_key), post(b"{}"), b"401"),
        "HTTP/1.1: body is no JSON, 422": http1(front(), post(b"{"), b"422"),
        "HTTP/1.1: body too large, 413, and a connection": http1(
            front(), post(b"")[:-2].replace(b": 0", b": 999999999999") + b"\r\n", b"413", is_last=True
        ),
        "HTTP/1.1: 101 fields, 431, and a connection": http1(front(), post(b"", b"a: b\r\n" * 101), b"431", is_last=True),
        "HTTP/1.1: no memory left, 503, and a connection": http1(front(buffered=full), post(bytes(20000)), b"503", is_last=True),
        "gRPC: unknown method": http2(front(), lambda client: client.call(request_block("/none"), call), b"12"),
        "gRPC: no key": http2(front(no_key), lambda client: client.call(request_block(_CALL), call), b"16"),
        "gRPC: message too large": http2(front(max_message_bytes=5), lambda client: client.call(request_block(_CALL), call), b"8"),
        "gRPC: bytes that are no message": http2(front(), lambda client: client.call(request_block(_CALL), b"\xff" * 10), b"13"),
    }
    for name, once in cases.items():
        once()
        print(f"{name:52} {cost(once):6.1f}", flush=True)


if __name__ == "__main__":
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.call_soon(measure)
    loop.call_soon(loop.stop)
    loop.run_forever()
