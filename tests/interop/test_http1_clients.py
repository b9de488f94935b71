"""Other clients on our server, and our client on other servers, over HTTP/1.1."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import http.client
import json
import shutil
import zlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import httpx
import pytest
from aiohttp import web

from jina.call import Call, EndpointInfo, Item, Payload, Reply
from jina.client.sse import EventReader
from jina.fronts.front import Front
from jina.limits import FrontOptions
from jina.transport import connect
from jina.transport.http_client import HttpPool
from jina.wire import http_client as wire
from jina.wire.content_coding import ACCEPTED
from tests.fronts.listening import listening
from tests.interop import testing_asgi

pytestmark = pytest.mark.anyio

TEXT = {"type": "object", "properties": {"text": {"type": "string"}}}
INFOS = [EndpointInfo("/echo", "batch", TEXT, TEXT, "Text", "Text"), EndpointInfo("/tell", "stream", TEXT, TEXT, "Text", "Text")]
BODY = b'{"data":[{"text":"%b"}]}' % (b"hi " * 1000)
ANSWER = BODY[:-1] + b',"parameters":{}}'
ODD = {"text": "event: update\u2028\u0085a\nb"}


async def echo(call: Call) -> Reply:
    return Reply(items=three()) if call.is_stream else Reply(payload=call.payload)


async def three() -> AsyncIterator[Item]:
    for _ in range(3):
        yield Item(Payload(json.dumps(ODD, ensure_ascii=False).encode()))


@contextlib.asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[int]:
    front = Front(echo, INFOS, options=FrontOptions(**options), protocols=["http"])
    async with listening(front) as port:
        yield port


async def test_httpx() -> None:
    """With a length, in chunks, folded, and one connection for all."""

    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(BODY), 1000):
            yield BODY[at : at + 1000]

    async with serving() as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        assert (await client.post("/echo", content=BODY)).content == ANSWER
        assert (await client.post("/echo", content=chunks())).content == ANSWER
        assert (await client.post("/echo", content=gzip.compress(BODY), headers={"content-encoding": "gzip"})).content == ANSWER
        assert (await client.head("/openapi.json")).headers["content-length"] != "0"
        assert (await client.options("/echo")).headers["allow"] == "POST, OPTIONS"


async def test_aiohttp() -> None:
    """What Jina's client is made of: folded in chunks, waiting for 100, and a stream read in whatever pieces come."""
    async with serving() as port, aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        for options in ({}, {"compress": "gzip"}, {"compress": "deflate"}, {"expect100": True}, {"chunked": True}):
            async with session.post("/echo", data=BODY, **options) as response:
                assert await response.read() == ANSWER, options
        async with session.get("/tell", json={}) as response:
            reader = EventReader()
            events = [event async for chunk in response.content.iter_any() for event in reader.feed(chunk)]
        assert [(name, json.loads(data)) for name, data in events[:-1]] == [("update", ODD)] * 3
        async with session.get("/tell", json={}) as response:  # cut as Jina's client cuts
            text = b"".join([chunk async for chunk in response.content.iter_any()])
        assert [json.loads(part[14:]) for part in text.split(b"event: ")[1:] if part.startswith(b"update")] == [ODD] * 3


async def test_the_standard_library() -> None:
    """A connection that stays, and a body without a length."""

    def ask(port: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        for body, fields in (
            (BODY, {}),
            (iter([BODY]), {"Transfer-Encoding": "chunked"}),
            (zlib.compress(BODY), {"Content-Encoding": "deflate"}),
        ):
            connection.request("POST", "/echo", body, fields, encode_chunked=not isinstance(body, bytes))
            assert connection.getresponse().read() == ANSWER
        connection.close()

    async with serving() as port:
        await asyncio.to_thread(ask, port)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize(
    ("arguments", "body", "expected"),
    [
        (["--data-binary", "@-"], BODY, ANSWER),
        (["--data-binary", "@-", "-H", "Expect: 100-continue"], BODY, ANSWER),
        (["--data-binary", "@-", "--http1.0"], BODY, ANSWER),
        (["--data-binary", "@-", "-H", "Transfer-Encoding: chunked"], BODY, ANSWER),
        (["--data-binary", "@-", "-H", "Content-Encoding: gzip"], gzip.compress(BODY), ANSWER),
        (["--data-binary", "@-", "--compressed"], BODY, ANSWER),
        (["--data-binary", "@-", "--http2"], BODY, ANSWER),
        (["-X", "OPTIONS", "--request-target", "*", "-w", "%{http_code}"], b"", b"200"),
        (["-X", "TRACE", "-o", "/dev/null", "-w", "%{http_code}"], b"", b"405"),
    ],
    ids=["plain", "expect", "1.0", "chunked", "gzip", "compressed", "http2", "options", "trace"],
)
async def test_curl(arguments: list[str], body: bytes, expected: bytes) -> None:
    """In every way that it frames a body, with and without an upgrade to HTTP/2 that it asks for."""
    async with serving() as port:
        command = ("curl", "-sS", "--max-time", "10", "--noproxy", "*", *arguments, f"http://127.0.0.1:{port}/echo")
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe)
        out, err = await process.communicate(body)
    assert (out, err) == (expected, b"")


async def read_all(port: int, path: str) -> tuple[int, bytes, bytes]:
    """What our client makes of a response, whole and as it comes."""
    pool = HttpPool(connect.service("127.0.0.1", port), "it")
    headers = {"host": "a", "accept-encoding": ACCEPTED}
    try:
        whole = await pool.request("POST", path, headers, BODY)
        pieces = [event[1] async for event in pool.stream("POST", path, headers, BODY) if event[0] == wire.BODY]
        again = await pool.request("POST", path, headers, BODY)
    finally:
        pool.close()
    assert again.body == whole.body
    return whole.status, whole.body, b"".join(pieces)


@pytest.mark.parametrize("form", ["sized", "chunked", "gzip", "deflate", "chunked-gzip", "close"])
async def test_our_client_reads_what_aiohttp_serves(form: str) -> None:
    """With a length, in chunks, folded, to the end of the connection; the connection goes on where it may."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        if form in ("sized", "gzip", "deflate"):
            response = web.Response(body=body)
            if form in ("gzip", "deflate"):
                response.enable_compression(web.ContentCoding(form))
            return response
        stream = web.StreamResponse()
        if form == "chunked-gzip":
            stream.enable_compression(web.ContentCoding.gzip)
        if form == "close":
            stream.force_close()
        await stream.prepare(request)
        for at in range(0, len(body), 700):
            await stream.write(body[at : at + 700])
        await stream.write_eof()
        return stream

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        assert await read_all(runner.addresses[0][1], "/x") == (200, BODY, BODY)
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("implementation", ["httptools", "h11"])
async def test_our_client_reads_what_uvicorn_serves(implementation: Any) -> None:
    """An app that writes in pieces, with neither a length nor an end but its own."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body, has_more = b"", True
        while has_more:
            message = await receive()
            body, has_more = body + message.get("body", b""), message.get("more_body", False)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-a", b"b")]})
        for at in range(0, len(body), 700):
            await send({"type": "http.response.body", "body": body[at : at + 700], "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async with testing_asgi.serving(app, implementation) as port:
        assert await read_all(port, "/x") == (200, BODY, BODY)
