"""What becomes a WebSocket, and what is refused before."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode

from jina.fronts.front import Front
from jina.runtime.guards import make_guard
from tests.fronts.http_handler import Handler, run
from tests.fronts.websocket_peers import BYTES, ask, serving, to


async def refused(front: Front, path: str = "/", **options: Any) -> Any:
    with pytest.raises(InvalidStatus) as caught:
        async with to(front, path, **options):
            pass
    return caught.value.response


def test_a_key_is_asked_for_before_the_upgrade() -> None:
    """Also on `/`, which answers a plain GET without one."""

    async def scenario(handler: Handler) -> None:
        async with serving(handler, guard=make_guard("secret")) as front:
            found = await refused(front)
            assert (found.status_code, found.headers["www-authenticate"]) == (401, "Bearer")
            async with to(front, additional_headers={"Authorization": "Bearer secret"}) as socket:
                assert (await ask(socket, data=[]))["data"] == []

    run(scenario)


def test_pages_of_another_origin_need_cors() -> None:
    """A browser lets any page open any WebSocket, and sends cookies along, so a key does not stand for it."""

    async def scenario(handler: Handler) -> None:
        page = {"Origin": "http://evil.example"}
        async with serving(handler) as front:
            assert (await refused(front, additional_headers=page)).status_code == 403
            async with to(front, additional_headers={"Origin": f"http://127.0.0.1:{vars(front)['port']}"}, subprotocols=["json"]) as socket:
                assert socket.subprotocol == "json"
        async with serving(handler, cors=True) as front, to(front, additional_headers=page):
            pass
        keyed = {**page, "Authorization": "Bearer secret"}
        async with serving(handler, guard=make_guard("secret")) as front:
            assert (await refused(front, additional_headers=keyed)).status_code == 403
            assert (await refused(front, additional_headers=page)).status_code == 401

    run(scenario)


def test_the_sub_protocol_is_not_echoed_to_programs() -> None:
    """As Jina does it."""

    async def scenario(handler: Handler) -> None:
        async with serving(handler) as front, to(front, subprotocols=BYTES) as socket:
            assert socket.subprotocol is None

    run(scenario)


def test_what_is_no_websocket_is_refused() -> None:
    """A path that is none, a header that is wrong, a service that stops."""

    async def scenario(handler: Handler) -> None:
        async with serving(handler) as front:
            assert (await refused(front, "/nowhere")).status_code == 404
            assert (await refused(front, additional_headers={"X-Request-Timeout": "soon"})).status_code == 400
            async with to(front, "/?token=1"):
                pass
            front.is_draining = True
            found = await refused(front)
            assert (found.status_code, found.headers["retry-after"]) == (503, "1")

    run(scenario)


def test_another_version_is_refused_with_426() -> None:
    """And told which one is spoken."""

    async def scenario(handler: Handler) -> None:
        async with serving(handler) as front:
            reader, writer = await asyncio.open_connection("127.0.0.1", vars(front)["port"])
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 12\r\n\r\n")
            told = await reader.read()
            assert told.startswith(b"HTTP/1.1 426 Upgrade Required\r\n")
            assert b"sec-websocket-version: 13\r\n" in told
            writer.close()

    run(scenario)


def test_what_is_sent_behind_the_request_is_read_as_messages() -> None:
    """Some clients do not wait for the answer."""

    async def scenario(handler: Handler) -> None:
        async with serving(handler) as front:
            reader, writer = await asyncio.open_connection("127.0.0.1", vars(front)["port"])
            head = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            message = Frame(Opcode.TEXT, b'{"data": []}').serialize(mask=True)
            writer.write(head + b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" + message)
            told = await reader.readuntil(b'"parameters":{}')
            assert told.startswith(b"HTTP/1.1 101 ")
            writer.close()

    run(scenario)
