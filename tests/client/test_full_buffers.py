"""Both sides have more to send than fits between them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from jina.client import Client
from jina.docs import DocList
from jina.transport import memory
from jina.wire.grpc import HALF_CLOSED, MESSAGE, ServerConnection
from jina.wire.http2_limits import Http2Limits
from tests.client.executors import Text

MANY = 1 << 26


class Stubborn(asyncio.Protocol):
    """A server that reads nothing while its client does not read, as ours does, and first lets the client's side fill up.

    It answers the first request when the client has been told that it cannot write, and reads on when that answer was taken.
    """

    def __init__(self) -> None:
        self.wire = ServerConnection(limits=Http2Limits(stream_window_bytes=MANY, connection_window_bytes=MANY))
        self.is_client_full = False
        self.held: list[Any] | None = None  # what came with the first request and after it, while that waits for the client to be full
        self.is_past_first = False

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.flush()

    def data_received(self, data: bytes) -> None:
        events = self.wire.receive(data, 0.0)
        if not self.is_past_first and any(event[0] == MESSAGE for event in events):
            self.is_past_first, self.held = True, []
            self.transport.pause_reading()
            asyncio.get_running_loop().call_soon(self.wait_until_full)
        if self.held is None:
            self.answer(events)
        else:
            self.held += events
            self.flush()

    def answer(self, events: list[Any]) -> None:
        for event in events:
            if event[0] == MESSAGE:
                self.wire.consumed(event[1], len(event[2]))
                self.wire.send_message(event[1], event[2])
            elif event[0] == HALF_CLOSED:
                self.wire.send_status(event[1], 0)
        self.flush()

    def wait_until_full(self) -> None:
        if not self.is_client_full:
            asyncio.get_running_loop().call_soon(self.wait_until_full)
            return
        assert self.held is not None
        held, self.held = self.held, None
        self.answer(held)

    def resume_writing(self) -> None:
        self.transport.resume_reading()

    def flush(self) -> None:
        self.transport.write(self.wire.take_output())


def test_a_client_that_cannot_write_reads_on() -> None:
    """A server that does not read before its answer is read gets rid of that answer: neither waits for the other."""
    server = Stubborn()
    server_connects = memory.connector(lambda: server)

    async def connect(make_protocol: Callable[[], Any]) -> tuple[Any, Any]:
        def make() -> Any:
            client = make_protocol()
            pause = client.pause_writing

            def pause_writing() -> None:
                server.is_client_full = True
                pause()

            client.pause_writing = pause_writing
            return client

        return await server_connects(make)

    inputs = [Text(text=str(number) + "x" * 2_000_000) for number in range(8)]
    with Client(open_connection=connect) as client:
        docs = client.post("/x", inputs, request_size=1, return_type=DocList[Text], timeout=20)

    assert sorted(text[0] for text in docs.text) == list("01234567")
