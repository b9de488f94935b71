"""HTTP over HTTP/2: the same answers as over HTTP/1.1, to a client made of the h2 library."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from jina.call import Call, EndpointInfo, Item, Reply
from jina.fronts.front import Front
from jina.limits import FrontOptions
from jina.transport.memory import join
from tests.fronts.http2_peer import Client
from tests.waiting import loop_turns, run_bounded

TEXT = {"type": "object", "properties": {"text": {"type": "string"}}}
INFOS = [EndpointInfo("/echo", "batch", TEXT, TEXT, "Text", "Text"), EndpointInfo("/tell", "stream", TEXT, TEXT, "Text", "Text")]


class Handler:
    def __init__(self) -> None:
        self.n_made, self.n_items = 0, 3
        self.begun, self.left, self.waits = asyncio.Event(), asyncio.Event(), False

    async def __call__(self, call: Call) -> Reply:
        if self.waits:
            self.begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                self.left.set()
        return Reply(items=self.items(call)) if call.is_stream else Reply(payload=call.payload, parameters=call.parameters)

    async def items(self, call: Call) -> Any:
        try:
            for _ in range(self.n_items):
                self.n_made += 1
                yield Item(call.payload)
        finally:
            self.left.set()


def run(scenario: Callable[[Front, Client, Handler], Coroutine[Any, Any, None]], *, client: Any = None, **options: Any) -> None:
    async def joined() -> None:
        handler = Handler()
        peer = Client(**(client or {}))
        front = Front(handler, INFOS, protocols=["http"], guard=options.pop("guard", None), options=FrontOptions(**options))
        join(peer, front.make_protocol())
        await scenario(front, peer, handler)
        peer.transport.close()
        await front.drain()

    run_bounded(joined())


def test_documents_come_back_in_jinas_shape() -> None:
    """A POST is answered as over HTTP/1.1, without the fields that HTTP/2 forbids."""

    async def scenario(front: Front, client: Client, handler: Handler) -> None:
        head, body = await client.ask("POST", "/echo", b'{"data": {"text":"hi"}, "parameters": {"a": 1}}', x_request_id="r")
        assert body == b'{"data":[{"text":"hi"}],"parameters":{"a":1.0}}'
        assert (head[":status"], head["content-type"], head["x-request-id"], head["content-length"]) == (
            "200",
            "application/json",
            "r",
            str(len(body)),
        )
        assert "connection" not in head

    run(scenario)


def test_pages_health_and_refusals() -> None:
    """What needs no endpoint is answered on streams too."""

    async def scenario(front: Front, client: Client, handler: Handler) -> None:
        assert (await client.ask("GET", "/"))[1] == b"{}"
        head, body = await client.ask("HEAD", "/openapi.json")
        assert (head[":status"], body) == ("200", b"")
        assert int(head["content-length"]) == len(front.site.openapi())
        assert (await client.ask("GET", "/echo"))[0][":status"] == "405"
        assert (await client.ask("POST", "/ecko", b"{}"))[0][":status"] == "404"
        assert (await client.ask("POST", "/echo", b"{"))[0][":status"] == "422"
        assert (await client.ask("POST", "/echo", b"{}", content_encoding="x-odd"))[0][":status"] in ("400", "415")

    run(scenario)


def test_many_at_once_on_one_connection() -> None:
    """Streams are answered beside each other, each with its own reply."""

    async def scenario(front: Front, client: Client, handler: Handler) -> None:
        streams = [client.send("POST", "/echo", json.dumps({"data": [{"text": str(n)}]}).encode()) for n in range(50)]
        await client.until(lambda: all(stream in client.over for stream in streams))
        assert [json.loads(client.bodies[stream])["data"][0]["text"] for stream in streams] == [str(n) for n in range(50)]

    run(scenario)


def test_events_stream() -> None:
    """Server-sent events come in DATA frames, unchunked, and end the stream."""

    async def scenario(front: Front, client: Client, handler: Handler) -> None:
        head, body = await client.ask("GET", "/tell?text=a")
        assert head["content-type"].startswith("text/event-stream")
        assert body == b'event: update\r\ndata: {"text":"a"}\r\n\r\n' * 3 + b"event: end\r\n\r\n"

    run(scenario)


def test_reader_that_stalls_stops_the_producer() -> None:
    """With its window shut, the generator waits; with it open again, it goes on to the end."""

    async def scenario(front: Front, client: Client, handler: Handler) -> None:
        handler.n_items = 2000
        stream = client.send("GET", "/tell?text=" + "x" * 2000)
        await client.until(lambda: len(client.bodies.get(stream, b"")) >= 65535)
        await loop_turns(200)
        assert handler.n_made < 500
        client.opens_windows = True
        client.h2.increment_flow_control_window(1 << 24)
        client.h2.increment_flow_control_window(1 << 24, stream)
        client.flush()
        await client.until(lambda: stream in client.over)
        assert client.bodies[stream].count(b"event: update") == 2000

    run(scenario, client={"opens_windows": False})


@pytest.mark.parametrize("length", ["100", None])
def test_body_over_the_limit_is_refused_before_it_is_held(length: str | None) -> None:
    """413, whether content-length says so or the bytes do; the connection serves on."""

    async def scenario(front: Front, client: Client, handler: Handler) -> None:
        fields = {} if length is None else {"content_length": length}
        stream = client.send("POST", "/echo", b"x" * 80, is_end=False, **fields)
        await client.until(lambda: stream in client.over)
        assert client.heads[stream][":status"] == "413"
        assert b"max_body_bytes" in client.bodies[stream]
        assert front.buffered.n_bytes == 0
        assert (await client.ask("GET", "/"))[0][":status"] == "200"

    run(scenario, max_body_bytes=64)


def test_caller_that_resets_its_stream_cancels_the_call() -> None:
    """A stream that its caller resets ends what works for it."""

    async def scenario(front: Front, client: Client, handler: Handler) -> None:
        handler.waits = True
        stream = client.send("POST", "/echo", b'{"data": []}')
        await handler.begun.wait()
        client.h2.reset_stream(stream)
        client.flush()
        await handler.left.wait()

    run(scenario)


def test_grpc_on_a_port_without_it_is_told() -> None:
    """A gRPC client of a port that speaks only HTTP hears UNIMPLEMENTED and why."""

    async def scenario(front: Front, client: Client, handler: Handler) -> None:
        stream = client.send("POST", "/jina.JinaRPC/Call", b"\0\0\0\0\0", content_type="application/grpc", te="trailers")
        await client.until(lambda: stream in client.over)
        assert client.heads[stream]["grpc-status"] == "12"
        assert "protocol" in client.heads[stream]["grpc-message"]

    run(scenario)


def test_preface_may_come_byte_by_byte() -> None:
    """What begins like HTTP/2 is waited for; what only begins like it is HTTP/1.1."""

    async def scenario(front: Front, client: Client, handler: Handler) -> None:
        peer = Client()
        peer.is_dripping = True
        join(peer, front.make_protocol())
        for byte in peer.dripped:
            peer.transport.write(bytes([byte]))
            await loop_turns(3)
        peer.is_dripping = False
        assert (await peer.ask("GET", "/"))[0][":status"] == "200"
        peer.transport.close()

    run(scenario)


def test_drain_tells_the_client_and_finishes_what_is_held() -> None:
    """GOAWAY is sent, the stream under way is answered, the connection closes."""

    async def scenario(front: Front, client: Client, handler: Handler) -> None:
        stream = client.send("GET", "/tell?text=a")
        await front.drain()
        assert client.bodies[stream].endswith(b"event: end\r\n\r\n")
        assert (client.over[stream], client.goaway) == (None, 0)

    run(scenario)
