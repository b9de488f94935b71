"""Servers that do what a test says, joined to a client through memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, cast

from jina.transport import memory
from jina.transport.connect import Connect
from jina.wire.grpc import CALL_STARTED, HALF_CLOSED, MESSAGE, UNARY, ServerConnection
from tests.waiting import loop_turns

UNARY_PATH = "/jina.JinaSingleDataRequestRPC/process_single_data"


class FakeGrpc(asyncio.Protocol):
    """One connection of a FakeGrpcServer."""

    def __init__(self, server: FakeGrpcServer) -> None:
        self.server = server
        self.wire = ServerConnection(unary_paths=(UNARY_PATH,))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.flush()

    def data_received(self, data: bytes) -> None:
        for event in self.wire.receive(data, 0.0):
            if event[0] in (UNARY, CALL_STARTED, MESSAGE, HALF_CLOSED):
                self.server.events.append(event)
                self.server.react(self, event)
        self.flush()

    def connection_lost(self, error: Exception | None) -> None:
        self.server.connections.remove(self)

    def flush(self) -> None:
        out = self.wire.take_output()
        if out:
            self.transport.write(out)


class FakeGrpcServer:
    """Calls `react(connection, event)` for what clients send."""

    def __init__(self, react: Callable[[FakeGrpc, tuple[Any, ...]], None]) -> None:
        self.react, self.events = react, list[tuple[Any, ...]]()
        self.connections: list[FakeGrpc] = []
        self.n_connections = 0

    def make(self) -> FakeGrpc:
        self.n_connections += 1
        self.connections.append(FakeGrpc(self))
        return self.connections[-1]

    @property
    def connect(self) -> Connect:
        return memory.connector(self.make)


Respond = Callable[[str, str, Any], tuple[int, Any]]


class FakeHttp(asyncio.Protocol):
    """One connection that answers JSON requests; `respond(method, path, body)` gives status and body."""

    def __init__(self, server: FakeHttpServer) -> None:
        self.server, self.data = server, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.data += data
        head, separator, body = self.data.partition(b"\r\n\r\n")
        if not separator:
            return
        lines = head.decode().split("\r\n")
        size = next((int(line[15:]) for line in lines if line.lower().startswith("content-length:")), 0)
        if len(body) < size:
            return
        self.data = b""
        method, path, _ = lines[0].split(" ")
        self.server.requests.append((method, path))
        self.server.headers.append(dict(line.lower().split(": ", 1) for line in lines[1:]))
        answer = self.server.respond(method, path, json.loads(body) if body else None)
        if isinstance(answer, bytes):
            self.transport.write(answer)
            return
        status, reply = answer
        raw = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
        self.transport.write(b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n" % (status, len(raw)) + raw)


class FakeHttpServer:
    """Answers with what `respond` gives: status and JSON value, or the raw bytes of a response."""

    def __init__(self, respond: Callable[[str, str, Any], Any]) -> None:
        self.respond, self.requests = respond, list[tuple[str, str]]()
        self.headers: list[dict[str, str]] = []
        self.connections: list[FakeHttp] = []

    def make(self) -> FakeHttp:
        self.connections.append(FakeHttp(self))
        return self.connections[-1]

    @property
    def connect(self) -> Connect:
        return memory.connector(self.make)


async def lose(server: FakeGrpcServer | FakeHttpServer) -> None:
    """Break the first connection, and let the client hear of it."""
    server.connections[0].transport.abort()
    await loop_turns(10)


React = Callable[[FakeGrpc, tuple[Any, ...]], None]


def echo(connection: FakeGrpc, event: tuple[Any, ...]) -> None:
    """Give every request back as its own reply."""
    if event[0] == UNARY:
        connection.wire.reply(event[1], event[3])
    elif event[0] == MESSAGE:
        connection.wire.send_message(event[1], event[2])
    elif event[0] == HALF_CLOSED:
        connection.wire.send_status(event[1], 0)
