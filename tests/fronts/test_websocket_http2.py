"""WebSocket over a stream of HTTP/2 (RFC 8441), with the `h2` library as the client's HTTP/2."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.settings
import pytest

from jina.fronts.front import Front
from jina.runtime.guards import make_guard
from jina.wire import websocket
from jina.wire.websocket import CLOSED, MESSAGE
from tests.fronts.http_handler import Handler, run
from tests.fronts.websocket_peers import serving
from tests.waiting import until


class Client:
    """One HTTP/2 connection; each stream that was granted is a WebSocket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.events: list[Any] = []
        self._flush()

    def _flush(self) -> None:
        self._writer.write(self.h2.data_to_send())

    async def read(self, is_done: Callable[[], bool]) -> None:
        while not is_done():
            data = await self._reader.read(65536)
            assert data, "the server closed the connection"
            for event in self.h2.receive_data(data):
                self.events.append(event)
                if isinstance(event, h2.events.DataReceived) and event.flow_controlled_length:
                    assert event.stream_id is not None
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            self._flush()

    async def ask(self, path: str = "/", *, protocol: str = "websocket", version: str = "13", **headers: str) -> tuple[int, dict[str, str]]:
        """Ask for a WebSocket; gives the stream and the fields of the response."""
        await self.read(lambda: any(isinstance(event, h2.events.RemoteSettingsChanged) for event in self.events))
        assert self.h2.remote_settings.enable_connect_protocol == 1
        stream = self.h2.get_next_available_stream_id()
        fields = [(":method", "CONNECT"), (":protocol", protocol), (":scheme", "http"), (":path", path), (":authority", "x")]
        self.h2.send_headers(stream, [*fields, ("sec-websocket-version", version), *((k.replace("_", "-"), v) for k, v in headers.items())])
        self._flush()
        await self.read(lambda: self._response(stream) is not None)
        return stream, dict(self._response(stream).headers)

    def _response(self, stream: int) -> Any:
        found = (event for event in self.events if isinstance(event, h2.events.ResponseReceived) and event.stream_id == stream)
        return next(found, None)

    def send(self, stream: int, data: bytes, *, end: bool = False) -> None:
        self.h2.send_data(stream, data, end_stream=end)
        self._flush()

    async def received_text(self, stream: int, text: bytes) -> None:
        await self.read(lambda: text in self.received(stream))

    def received(self, stream: int) -> bytes:
        return b"".join(e.data for e in self.events if isinstance(e, h2.events.DataReceived) and e.stream_id == stream and e.data)

    async def data_by_hand(self, stream: int) -> bytes:
        """The next frame's bytes if it is DATA of this stream."""
        head = await self._reader.readexactly(9)
        body = await self._reader.readexactly(int.from_bytes(head[:3], "big"))
        return body if (head[3], int.from_bytes(head[5:], "big")) == (0, stream) else b""

    def has_ended(self, stream: int) -> bool:
        return any(isinstance(event, h2.events.StreamEnded) and event.stream_id == stream for event in self.events)


@contextlib.asynccontextmanager
async def client_of(front: Front) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", vars(front)["port"])
    try:
        yield Client(reader, writer)
    finally:
        writer.close()


def messages_in(data: bytes, connection: websocket.Connection) -> list[Any]:
    connection.receive(data)
    found = []
    while (event := connection.next_event(0.0)) is not None:
        found.append(event)
    return found


def test_a_stream_becomes_a_websocket_beside_others() -> None:
    """Two on one connection, each with its own messages; a Close ends its stream alone."""

    async def scenario(handler: Handler) -> None:
        async with serving(handler) as front, client_of(front) as client:
            found = [await client.ask(), await client.ask()]
            assert [(fields[":status"], "sec-websocket-accept" in fields, "upgrade" in fields) for _, fields in found] == [
                ("200", False, False)
            ] * 2
            for n, (stream, _) in enumerate(found):
                ours = websocket.Connection(is_client=True, max_message_bytes=None)
                ours.send(json.dumps({"data": [{"text": str(n)}]}).encode(), is_text=True)
                client.send(stream, ours.take_output())
                await client.received_text(stream, b'"header"')
                (event,) = messages_in(client.received(stream), ours)
                assert (event[0], json.loads(event[1])["data"]) == (MESSAGE, [{"text": str(n)}])
            stream = found[0][0]
            ours = websocket.Connection(is_client=True, max_message_bytes=None)
            ours.close(1000)
            client.send(stream, ours.take_output())
            await client.read(lambda: client.has_ended(stream))
            assert messages_in(client.received(stream), ours)[-1][:2] == (CLOSED, 1000)
            assert not client.has_ended(found[1][0])

    run(scenario)


def test_what_is_refused_over_http1_is_refused_here() -> None:
    """Another protocol, another version, a path that is none, no key."""

    async def scenario(handler: Handler) -> None:
        async with serving(handler) as front, client_of(front) as client:
            for asked, status in (({"version": "8"}, "426"), ({"path": "/nowhere"}, "404"), ({"origin": "http://evil.example"}, "403")):
                assert (await client.ask(**asked))[1][":status"] == status
            assert (await client.ask(protocol="connect-udp"))[1][":status"] not in ("200", "101")
        async with serving(handler, guard=make_guard("secret")) as front, client_of(front) as client:
            assert (await client.ask())[1][":status"] == "401"
            assert (await client.ask(authorization="Bearer secret"))[1][":status"] == "200"

    run(scenario)


@pytest.mark.parametrize("is_reset", [False, True])
def test_a_caller_that_ends_its_stream_cancels_its_calls(is_reset: bool) -> None:
    """With END_STREAM or with RST_STREAM; the connection goes on."""

    async def scenario(handler: Handler) -> None:
        handler.waits_for = asyncio.get_running_loop().create_future()
        async with serving(handler) as front, client_of(front) as client:
            stream, _ = await client.ask()
            ours = websocket.Connection(is_client=True, max_message_bytes=None)
            ours.send(b'{"data": []}', is_text=True)
            client.send(stream, ours.take_output())
            await handler.started.wait()
            if is_reset:
                client.h2.reset_stream(stream)
                client._flush()
            else:
                client.send(stream, b"", end=True)
            await handler.cancelled.wait()
            assert (await client.ask())[1][":status"] == "200"
            if not is_reset:
                await client.read(lambda: client.has_ended(stream))

    run(scenario)


def test_a_reader_that_keeps_its_window_shut_stops_who_makes_items() -> None:
    """Nothing gathers; when it opens the window the rest comes."""

    async def scenario(handler: Handler) -> None:
        n_made = 0

        async def items(call: Any) -> AsyncIterator[Any]:
            nonlocal n_made
            for _ in range(200):
                n_made += 1
                yield type("I", (), {"status": None, "payload": type("P", (), {"data": b'"%b"' % (b"x" * 10_000)})})

        handler.items = items  # type: ignore[method-assign]
        async with serving(handler) as front, client_of(front) as client:
            stream, _ = await client.ask()
            ours = websocket.Connection(is_client=True, max_message_bytes=None)
            ours.send(b'{"data": {"text": "a"}, "execEndpoint": "/tell"}', is_text=True)
            client.send(stream, ours.take_output())
            await until(lambda: n_made > 6)
            seen = -1
            while seen != n_made:
                seen = n_made
                await asyncio.sleep(0.05)
            assert n_made < 60
            await client.received_text(stream, b'"event":"end"')
            assert n_made == 200

    run(scenario)


def test_one_that_idles_is_asked_for_signs_of_life_and_stays() -> None:
    """No limit of requests that are under way holds for it."""

    async def scenario(handler: Handler) -> None:
        async with serving(handler) as front, client_of(front) as client:
            stream, _ = await client.ask()
            (connection,) = front.connections
            now = asyncio.get_running_loop().time()
            for n in range(1, 5):
                connection.tick(now + 100)
                await client.received_text(stream, b"\x89\x00\x8a\x00" * (n - 1) + b"\x89\x00")
                ours = websocket.Connection(is_client=True, max_message_bytes=None)
                ours.pong()
                ours.ping()
                client.send(stream, ours.take_output())
                await client.received_text(stream, b"\x89\x00\x8a\x00" * n)  # so our sign of life is there
            assert not client.has_ended(stream)

    run(scenario)


def test_draining_closes_with_1001() -> None:
    """After GOAWAY, which `h2` takes for the connection's end: the frames behind it are read by hand."""

    async def scenario(handler: Handler) -> None:
        async with serving(handler) as front, client_of(front) as client:
            stream, _ = await client.ask()
            drained = asyncio.create_task(front.drain())
            ours = websocket.Connection(is_client=True, max_message_bytes=None)
            told = b""
            while not told:
                told = await client.data_by_hand(stream)
            assert messages_in(told, ours)[-1][:2] == (CLOSED, 1001)
            client.send(stream, ours.take_output())
            await drained

    run(scenario)
