"""Connections that are closed while a little is still unsent: a peer that never takes it does not keep them for ever."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from jina.call import Call, EndpointInfo, Reply
from jina.fronts.front import Front
from jina.limits import FrontOptions

pytestmark = pytest.mark.anyio


class Stuck(asyncio.Transport):
    """Takes what is written, too little for `pause_writing`, and sends none of it."""

    def __init__(self) -> None:
        super().__init__()
        self.n_bytes = 0
        self.has_closed = self.is_aborted = False

    def write(self, data: Any) -> None:
        self.n_bytes += len(data)

    def get_write_buffer_size(self) -> int:
        return self.n_bytes

    def is_closing(self) -> bool:
        return self.has_closed

    def can_write_eof(self) -> bool:
        return False

    def close(self) -> None:
        self.has_closed = True

    def abort(self) -> None:
        self.is_aborted = True


async def handler(call: Call) -> Reply:
    return Reply(payload=call.payload)


def check(connection: Any, transport: Stuck) -> None:
    """It is waited for while something leaves, then given up."""
    assert transport.has_closed
    now = asyncio.get_running_loop().time()
    transport.n_bytes -= 1
    connection.tick(now + 19)
    connection.tick(now + 38)
    assert not transport.is_aborted
    connection.tick(now + 40)
    assert transport.is_aborted


@pytest.mark.parametrize("line", [b"Connection: close\r\n", b"Content-Length: x\r\n"])
async def test_over_http(line: bytes) -> None:
    """After a last reply, and after a refusal."""
    front = Front(handler, [EndpointInfo("/echo", "batch")], options=FrontOptions(write_timeout_s=20.0), protocols=["http"])
    connection, transport = front.make_protocol(), Stuck()
    connection.connection_made(transport)
    connection.data_received(b"GET / HTTP/1.1\r\nHost: x\r\n" + line + b"\r\n")
    check(connection, transport)
    connection.connection_lost(None)


async def test_over_grpc() -> None:
    """After a fault of the client's."""
    front = Front(handler, [], options=FrontOptions(write_timeout_s=20.0), protocols=["grpc"])
    connection, transport = front.make_protocol(), Stuck()
    connection.connection_made(transport)
    connection.data_received(b"not HTTP/2 at all, that is")
    check(connection, transport)
    connection.connection_lost(None)
