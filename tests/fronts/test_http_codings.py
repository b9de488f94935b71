"""Requests whose bodies are folded (`Content-Encoding`), through the front over HTTP/1.1 and HTTP/2, and through a web app's routes."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import random
import zlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from jina.call import Call, EndpointInfo, Reply
from jina.fronts.asgi import DefaultRoutes
from jina.fronts.front import Front
from jina.limits import FrontOptions
from jina.runtime.guards import make_guard
from jina.transport.memory import join
from jina.wire.buffered import Buffered
from jina.wire.content_coding import ACCEPTED
from tests.fronts.http2_peer import Client as Http2Client
from tests.fronts.listening import listening
from tests.waiting import until

pytestmark = pytest.mark.anyio

TEXT = {"type": "object", "properties": {"text": {"type": "string"}}}
INFOS = [EndpointInfo("/echo", "batch", TEXT, TEXT, "Text", "Text")]
BODY = b'{"data":[{"text":"hi"}]}'
ANSWER = b'{"data":[{"text":"hi"}],"parameters":{}}'
MIB = 1 << 20


class Echo:
    """Gives the documents back, or waits."""

    def __init__(self) -> None:
        self.n_calls, self.n_buffered = 0, 0
        self.buffered = Buffered()

    async def __call__(self, call: Call) -> Reply:
        self.n_calls += 1
        self.n_buffered = self.buffered.n_bytes
        return Reply(payload=call.payload)


@contextlib.asynccontextmanager
async def serving(handler: Echo, *, guard: Any = None, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
    front = Front(handler, INFOS, guard=guard, options=FrontOptions(**options), protocols=["http"], buffered=handler.buffered)
    async with listening(front) as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        yield client


async def send(client: httpx.AsyncClient, body: bytes, coding: str, **headers: str) -> httpx.Response:
    return await client.post("/echo", content=body, headers={"content-encoding": coding, **headers})


async def test_folded_bodies_are_read() -> None:
    """gzip, deflate in both forms, one over the other, and none."""
    handler = Echo()
    async with serving(handler) as client:
        for body, coding in (
            (gzip.compress(BODY, mtime=0), "gzip"),
            (zlib.compress(BODY), "deflate"),
            (zlib.compress(BODY)[2:-4], "deflate"),
            (gzip.compress(zlib.compress(BODY), mtime=0), "deflate, x-gzip"),
            (BODY, "identity"),
        ):
            answer = await send(client, body, coding)
            assert (answer.status_code, answer.content) == (200, ANSWER), coding
            assert "content-encoding" not in answer.headers


async def test_folded_bodies_are_read_over_http2() -> None:
    """The same code undoes them."""
    front = Front(Echo(), INFOS, protocols=["http"])
    client = Http2Client()
    join(client, front.make_protocol())
    streams = [
        client.send("POST", "/echo", gzip.compress(BODY, mtime=0), content_encoding="gzip"),
        client.send("POST", "/echo", b"x", content_encoding="br"),
    ]
    await client.until(lambda: all(stream in client.over for stream in streams))
    assert (client.heads[streams[0]][":status"], client.bodies[streams[0]]) == ("200", ANSWER)
    assert (client.heads[streams[1]][":status"], client.heads[streams[1]]["accept-encoding"]) == ("415", ACCEPTED)
    client.transport.abort()


async def test_folded_bodies_are_read_in_a_web_app() -> None:
    """Endpoints that stand among the routes of a user's app."""
    app = DefaultRoutes(Echo(), INFOS, options=FrontOptions(max_body_bytes=1000)).make_app()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        assert (await send(client, gzip.compress(BODY, mtime=0), "gzip")).content == ANSWER
        assert (await send(client, gzip.compress(bytes(1001), mtime=0), "gzip")).status_code == 413
        refused = await send(client, BODY, "br")
    assert (refused.status_code, refused.headers["accept-encoding"]) == (415, ACCEPTED)


@pytest.mark.parametrize(
    ("body", "coding", "status"),
    [
        (BODY, "br", 415),
        (BODY, "gzip", 400),
        (gzip.compress(BODY, mtime=0)[:-3], "gzip", 400),
        (gzip.compress(b" " * 1001, mtime=0), "gzip", 413),
        (gzip.compress(b"{", mtime=0), "gzip", 422),
    ],
)
async def test_what_cannot_be_unfolded_is_answered_and_the_connection_goes_on(body: bytes, coding: str, status: int) -> None:
    """415 says what may be sent instead (RFC 9110, 15.5.16); nothing stays counted."""
    handler = Echo()
    async with serving(handler, max_body_bytes=1000) as client:
        answer = await send(client, body, coding)
        assert answer.status_code == status
        assert answer.headers.get("accept-encoding") == (ACCEPTED if status == 415 else None)
        assert "connection" not in answer.headers
        assert (await send(client, gzip.compress(BODY, mtime=0), "gzip")).content == ANSWER
    assert handler.buffered.n_bytes == 0


async def test_what_comes_of_a_body_is_counted_while_it_is_held() -> None:
    """And refused with 503 where there is no room."""
    handler = Echo()
    text = random.Random(1).randbytes(50_000).hex().encode()
    body = gzip.compress(b'{"data":[{"text":"%b"}]}' % text, mtime=0)
    async with serving(handler) as client:
        assert (await send(client, body, "gzip")).status_code == 200
        assert handler.n_buffered > 100_000
        assert handler.buffered.n_bytes == 0
        handler.buffered.limit = 100_000
        refused = await send(client, body, "gzip")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert handler.buffered.n_bytes == 0


async def test_nothing_is_unfolded_for_who_may_not_call() -> None:
    """The guard is asked first."""
    handler = Echo()
    async with serving(handler, guard=make_guard("secret")) as client:
        assert (await send(client, b"no gzip", "gzip")).status_code == 401
        assert (await send(client, gzip.compress(BODY, mtime=0), "gzip", authorization="Bearer secret")).content == ANSWER


async def test_a_bomb_does_not_hold_the_other_callers() -> None:
    """100 MiB in 102 kB: refused, and meanwhile no other call waits for more than a step."""
    handler = Echo()
    async with serving(handler) as client:
        bomb = asyncio.create_task(send(client, gzip.compress(bytes(100 * MIB), mtime=0), "gzip"))
        n_answered = 0
        while not bomb.done():
            assert (await client.post("/echo", content=BODY)).content == ANSWER
            n_answered += 1
        answer = await bomb
    assert (answer.status_code, handler.n_calls) == (413, n_answered)
    assert "100 times" in answer.text
    assert handler.buffered.n_bytes == 0


async def test_a_caller_that_leaves_stops_the_unfolding_of_its_body() -> None:
    """What was counted is given back at once."""
    handler = Echo()
    front = Front(handler, INFOS, protocols=["http"], buffered=handler.buffered)
    near, _ = join(asyncio.Protocol(), front.make_protocol())
    body = gzip.compress(random.Random(1).randbytes(4 * MIB), 1)
    near.write(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    await until(lambda: handler.buffered.n_bytes > len(body))
    near.abort()
    await until(lambda: handler.buffered.n_bytes == 0)
    assert handler.n_calls == 0
