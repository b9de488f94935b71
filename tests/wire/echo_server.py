"""A tiny asyncio server on ServerConnection: what the tests of the wire talk to.

Paths: `/test.Echo/Unary` gives the message back (with the request's metadata as trailing metadata), `/Stream` gives it five times,
`/Bidi` gives back each message as it comes, `/Fail` ends with a status, `/Wait` never answers, `/Gzip` answers compressed.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import cast

from jina.wire import grpc

UNARY_PATHS = frozenset(("/test.Echo/Unary", "/test.Echo/Fail", "/test.Echo/Gzip", "/test.Echo/Wait"))


class GrpcProtocol(asyncio.Protocol):
    """One connection of a server: its bytes go to the wire code, what comes of them to `on_event`."""

    transport: asyncio.Transport

    def __init__(self, wire: grpc.ServerConnection, log: list[object]) -> None:
        self.wire, self.log = wire, log
        self.heads: dict[int, grpc.RequestHead] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.flush()

    def flush(self) -> None:
        out = self.wire.take_output()
        if out:
            self.transport.write(out)

    def data_received(self, data: bytes) -> None:
        for event in self.wire.receive(data, time.monotonic()):
            self.on_event(event)
        self.flush()
        if self.wire.is_closed or self.wire.is_drained:
            self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self.wire.eof()

    def on_event(self, event: grpc.Event) -> None:
        raise NotImplementedError


class EchoProtocol(GrpcProtocol):
    """One connection."""

    def __init__(self, log: list[object], max_message_bytes: int | None = 1 << 30) -> None:
        super().__init__(grpc.ServerConnection(unary_paths=UNARY_PATHS, max_message_bytes=max_message_bytes), log)

    def answer(self, stream: int, head: grpc.RequestHead, data: bytes) -> None:
        if head.path.endswith("/Unary"):
            self.wire.reply(stream, data, [pair for pair in head.metadata if pair[0].startswith("x-")])
        elif head.path.endswith("/Stream"):
            self.heads[stream] = head
            self.on_event((grpc.MESSAGE, stream, data))
            self.on_event((grpc.HALF_CLOSED, stream))
        elif head.path.endswith("/Bidi"):
            self.wire.send_message(stream, data)
            self.wire.send_status(stream, 0)
        elif head.path.endswith("/Fail"):
            self.wire.send_status(stream, 9, "not möglich: 100 %\n", [("x-reason-bin", b"\0\xff")])
        elif head.path.endswith("/Gzip"):
            self.wire.send_headers(stream, [("x-initial", "1")], encoding="gzip")
            self.wire.reply(stream, data)
        elif head.path.endswith("/Wait"):
            self.log.append(head.timeout_s)
        else:
            self.wire.send_status(stream, 12, f"no method {head.path}")

    def on_event(self, event: grpc.Event) -> None:
        kind, stream = event[0], event[1]
        if kind == grpc.UNARY:
            self.answer(*event[1:])
        elif kind == grpc.CALL_STARTED:
            self.heads[stream] = event[2]
            self.wire.send_headers(stream, [("x-initial", "1")])
        elif kind == grpc.MESSAGE:
            for _ in range(5 if self.heads[stream].path.endswith("/Stream") else 1):
                self.wire.send_message(stream, event[2])
        elif kind == grpc.HALF_CLOSED:
            self.wire.send_status(stream, 0)
        elif kind == grpc.CANCELLED:
            self.log.append(("cancelled", event[2]))


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(lambda: EchoProtocol([]), "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
