"""The requests of `tests/wire/http_table.py`, given to uvicorn (over httptools, and over h11) and to aiohttp's server too.

What they make of them is the same as what our core does, but for the differences that `docs/design/http1-peers.md` lists with reasons.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from jina.wire.http import Limits, Refusal, ServerConnection
from tests.interop import testing_asgi
from tests.wire.http_table import CASES

PAGE = Path(__file__).parents[2] / "docs/design/http1-peers.md"
LAST = b"GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
_AT_ONCE = 16
_PATIENCE_S = 1.0

Seen = list[str]


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer with what was understood of a request."""
    if scope["type"] != "http":
        return
    body, has_more = b"", True
    while has_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body, has_more = body + message.get("body", b""), message.get("more_body", False)
    query = scope["query_string"].decode()
    line = f"{scope['method']} {scope['path']}{'?' + query if query else ''} ".encode() + body
    fields = [(b"content-length", b"0"), (b"x-seen", line[:100].hex().encode())]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": b""})


async def answer(request: web.BaseRequest) -> web.Response:
    """The same for aiohttp."""
    line = f"{request.method} {request.rel_url} ".encode() + await request.read()
    return web.Response(headers={"x-seen": line[:100].hex()})


def goes_on(data: bytes) -> bool:
    """Whether another request may follow; where we refuse, others may not."""
    core = ServerConnection(Limits(), {}, 0.0)
    events = core.receive(data, 0.0)
    return not core.is_closed or isinstance(events[-1], Refusal)


async def ask(port: int, data: bytes) -> Seen:
    """Send a case, and one more request that ends the connection unless the case does; give what was answered to the case."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    got = b""
    try:
        async with asyncio.timeout(_PATIENCE_S):
            writer.write(data + LAST if goes_on(data) else data)
            while piece := await reader.read(65536):
                got += piece
    except (TimeoutError, ConnectionError):
        pass
    finally:
        writer.close()
    return seen(got)


def seen(got: bytes) -> Seen:
    """The requests that were taken, and at most one refusal; a connection that ends or stands still without an answer is one too."""
    found = [
        "refused" if status >= b"400" else bytes.fromhex(told[0].decode()).decode("utf-8", "replace")
        for status, fields in re.findall(rb"HTTP/1\.[01] ([2-5]\d\d)[^\r]*\r\n(.*?)\r\n\r\n", got, re.DOTALL)
        for told in [re.findall(rb"(?i)^x-seen: (\w*)", fields, re.MULTILINE) or [b""]]
    ]
    return found[:-1] if found[-1:] == ["GET /last "] else found or ["refused"]


def ours(name: str) -> Seen:
    """What the core makes of it, in the same words."""
    return [str(part)[:100] if isinstance(part, str) else "refused" for part in CASES[name][1]]


async def ask_all(port: int) -> dict[str, Seen]:
    free = asyncio.Semaphore(_AT_ONCE)

    async def one(name: str) -> tuple[str, Seen]:
        async with free:
            return name, await ask(port, CASES[name][0])

    return dict(await asyncio.gather(*(one(name) for name in CASES)))


async def with_uvicorn(http: str) -> dict[str, Seen]:
    async with testing_asgi.serving(app, http) as port:
        return await ask_all(port)


async def with_aiohttp() -> dict[str, Seen]:
    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        return await ask_all(runner.addresses[0][1])
    finally:
        await runner.cleanup()


PEERS: dict[str, Callable[[], Coroutine[Any, Any, dict[str, Seen]]]] = {
    "uvicorn, httptools": lambda: with_uvicorn("httptools"),
    "uvicorn, h11": lambda: with_uvicorn("h11"),
    "aiohttp": with_aiohttp,
}


def listed(peer: str) -> set[str]:
    """The cases of the page's table of differences that name this peer."""
    rows = re.findall(r"^\| (`.+?) \| (?:taken|refused) \| (.+?) \| .+ \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    found = {case for cases, peers in rows if peer in peers.split("; ") for case in re.findall("`(.+?)`", cases)}
    assert found <= set(CASES), found - set(CASES)
    return found


@pytest.mark.parametrize("peer", PEERS)
def test_other_servers_take_and_refuse_the_same_but_for_what_is_listed(peer: str) -> None:
    """A difference that is not on the page fails, and so does one on the page that is gone."""
    found = asyncio.run(PEERS[peer]())
    different = {name for name in CASES if found[name] != ours(name)}
    assert different == listed(peer), {name: (ours(name), found[name]) for name in different ^ listed(peer)}
