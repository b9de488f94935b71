"""A server of WebSockets that does what a test says, joined to a client through memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from jina import Client
from jina.transport import memory
from jina.wire import websocket, websocket_handshake
from jina.wire.websocket import CLOSED, MESSAGE

END = b"\r\n\r\n"


class Fake(asyncio.Protocol):
    """One connection of a FakeServer."""

    def __init__(self, server: FakeServer) -> None:
        self.server, self.head = server, b""
        self.wire: websocket.Connection | None = None
        self.headers: dict[str, str] = {}

    def connection_made(self, made: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", made)

    def data_received(self, data: bytes) -> None:
        if self.wire is None:
            self.head += data
            head, end, data = self.head.partition(END)
            if not end:
                return
            lines = head.decode().split("\r\n")
            self.path = lines[0].split(" ")[1]
            self.headers = dict(line.split(": ", 1) for line in lines[1:])
            self.wire = websocket.Connection(is_client=False, max_message_bytes=None)
            self.transport.write(self.server.answer(self) or b"")
        self.wire.receive(data)
        while (event := self.wire.next_event(0.0)) is not None:
            if event[0] == MESSAGE:
                self.server.taken.append(event[1])
                self.server.react(self, event[1])
            elif event[0] == CLOSED:
                self.server.closed.append(event[1])
        self.flush()

    def granted(self, lines: str = "") -> bytes:
        key = websocket_handshake.accept_key(self.headers["sec-websocket-key"])
        return f"HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {key}\r\n{lines}\r\n".encode()

    def echo(self, data: bytes) -> None:
        assert self.wire is not None
        self.wire.send(data, is_text=False)

    def end(self, code: int, reason: str = "") -> None:
        assert self.wire is not None
        self.wire.close(code, reason)
        self.flush()
        self.transport.close()

    def flush(self) -> None:
        if self.wire is not None and (out := self.wire.take_output()):
            self.transport.write(out)


class FakeServer:
    """Grants every WebSocket, and does what a test says with each message."""

    def __init__(self, react: Callable[[Fake, bytes], Any], answer: Callable[[Fake], bytes | None] = Fake.granted) -> None:
        self.react, self.answer = react, answer
        self.taken, self.closed, self.connections = list[bytes](), list[int](), list[Fake]()

    kind = Fake

    def make(self) -> Fake:
        self.connections.append(self.kind(self))
        return self.connections[-1]

    def client(self, **options: Any) -> Any:
        return Client(host="memory", protocol="websocket", open_connection=memory.connector(self.make), **options)


def ours(fake: Fake) -> bytes:
    return fake.granted("jina-dialect: 1\r\n")


def response(status: str, body: str = "", lines: str = "") -> Callable[[Fake], bytes]:
    return lambda fake: f"HTTP/1.1 {status}\r\n{lines}Content-Length: {len(body)}\r\n\r\n{body}".encode()
