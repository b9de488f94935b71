"""Many connections that do nothing: each makes one call, is answered, and then stays open."""

from __future__ import annotations

import resource
import socket
import struct
from collections.abc import Callable, Mapping

from frames import ACK, DATA, END_STREAM, FRAME_HEAD, HEADERS, PREFACE, SETTINGS, frame, header_blocks

GET = b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"
HEALTH = b"/grpc.health.v1.Health/Check"


class Connections:
    """`n` connections, shared among ports, that stay open while a `with` lasts.

    Args:
        exchanges: Makes the one call of a connection, by port; False if it is not answered well.
        n: How many.

    Attributes:
        n_failed: Those whose call was not answered.
    """

    def __init__(self, exchanges: Mapping[int, Callable[[socket.socket], bool]], n: int) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, n + 1000)), hard))
        self.n_failed = 0
        self._sockets: list[socket.socket] = []
        ports = list(exchanges)
        for number in range(n):
            port = ports[number % len(ports)]
            connection = socket.create_connection(("127.0.0.1", port), timeout=20)
            self._sockets.append(connection)
            self.n_failed += not exchanges[port](connection)

    def __enter__(self) -> Connections:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._sockets:
            connection.close()


def http_exchange(connection: socket.socket) -> bool:
    """One GET over HTTP/1.1."""
    connection.sendall(GET)
    return connection.recv(65536).startswith(b"HTTP/1.1 200 ")


def grpc_exchange(connection: socket.socket) -> bool:
    """One unary call over HTTP/2."""
    block, _ = header_blocks(HEALTH, 1, is_varying=False)
    settings = frame(SETTINGS, 0, 0, struct.pack(">HI", 2, 0))
    connection.sendall(PREFACE + settings + frame(SETTINGS, ACK, 0) + frame(HEADERS, 4, 1, block) + frame(DATA, END_STREAM, 1, bytes(5)))
    data = b""
    while True:
        data += connection.recv(65536)
        position, has_message = 0, False
        while len(data) - position >= 9:
            high, low, kind, flags, _ = FRAME_HEAD.unpack_from(data, position)
            has_message = has_message or kind == DATA
            if kind in (DATA, HEADERS) and flags & END_STREAM:
                return has_message
            position += 9 + (high << 8 | low)
