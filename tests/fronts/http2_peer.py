"""An HTTP/2 client made of the h2 library, over memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import h2.config
import h2.connection
import h2.events


class Client(asyncio.Protocol):
    """One connection of the h2 library, which opens its windows as data is read, or not."""

    def __init__(self, *, opens_windows: bool = True) -> None:
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        self.opens_windows = opens_windows
        self.is_dripping, self.dripped, self._rest = False, b"", b""
        self.heads: dict[int, dict[str, str]] = {}
        self.bodies: dict[int, bytes] = {}
        self.trailers: dict[int, dict[str, str]] = {}
        self.over: dict[int, int | None] = {}
        self.is_lost, self.changed = False, asyncio.Event()
        self.goaway: int | None = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.h2.initiate_connection()
        self.flush()

    def connection_lost(self, error: Exception | None) -> None:
        self.is_lost = True
        self.changed.set()

    def data_received(self, data: bytes) -> None:
        for event in self.h2.receive_data(self._without_goaway(data)):
            if isinstance(event, h2.events.ResponseReceived):
                self.heads[event.stream_id] = {str(name): str(value) for name, value in event.headers}
            elif isinstance(event, h2.events.TrailersReceived):
                self.trailers[event.stream_id] = {str(name): str(value) for name, value in event.headers}
            elif isinstance(event, h2.events.DataReceived):
                self.bodies[event.stream_id] = self.bodies.get(event.stream_id, b"") + event.data
                if self.opens_windows and event.flow_controlled_length:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                self.over.setdefault(event.stream_id, None)
            elif isinstance(event, h2.events.StreamReset):
                self.over.setdefault(event.stream_id, event.error_code)
        self.flush()
        self.changed.set()

    def _without_goaway(self, data: bytes) -> bytes:
        """Note the code of a GOAWAY; the h2 library would read nothing after it, though streams go on (RFC 9113, 6.8)."""
        kept, self._rest = b"", self._rest + data
        while len(self._rest) >= 9 and len(self._rest) >= 9 + int.from_bytes(self._rest[:3], "big"):
            size = 9 + int.from_bytes(self._rest[:3], "big")
            frame, self._rest = self._rest[:size], self._rest[size:]
            if frame[3] == 7:
                self.goaway = int.from_bytes(frame[13:17], "big")
            else:
                kept += frame
        return kept

    def flush(self) -> None:
        data = self.h2.data_to_send()
        if self.is_dripping:
            self.dripped += data
        else:
            self.transport.write(data)

    def send(self, method: str, path: str, body: bytes | None = None, *, is_end: bool = True, **fields: str) -> int:
        stream = self.h2.get_next_available_stream_id()
        pseudo = [(":method", method), (":scheme", "http"), (":authority", "x"), (":path", path)]
        extra = [(name.replace("_", "-"), value) for name, value in fields.items()]
        self.h2.send_headers(stream, pseudo + extra, end_stream=body is None and is_end)
        if body is not None:
            while len(body) > 16384:
                self.h2.send_data(stream, body[:16384])
                body = body[16384:]
            self.h2.send_data(stream, body, end_stream=is_end)
        self.flush()
        return stream

    async def until(self, condition: Callable[[], Any]) -> None:
        while not condition():
            assert not self.is_lost
            self.changed.clear()
            await self.changed.wait()

    async def ask(self, method: str, path: str, body: bytes | None = None, **fields: str) -> tuple[dict[str, str], bytes]:
        stream = self.send(method, path, body, is_end=True, **fields)
        await self.until(lambda: stream in self.over)
        return self.heads[stream], self.bodies.get(stream, b"")
