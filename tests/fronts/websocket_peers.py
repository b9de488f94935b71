"""Callers of a WebSocket: over a socket, and of a session that is joined to nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Close, Frame, Opcode

from jina.codec import messages
from jina.fronts.front import Front
from jina.fronts.http_calls import Note
from jina.fronts.websocket_session import Answer, WebSocketSession
from jina.limits import FrontOptions
from jina.wire.buffered import Buffered
from jina.wire.http_requests import Head
from tests.fronts.http_handler import INFOS, Handler
from tests.fronts.listening import listening

BYTES: Any = ["bytes"]


@contextlib.asynccontextmanager
async def serving(handler: Handler, *, buffered: Buffered | None = None, guard: Any = None, **options: Any) -> AsyncIterator[Front]:
    front = Front(handler, INFOS, guard=guard, options=FrontOptions(**options), buffered=buffered, protocols=["http", "websocket"])
    async with listening(front) as port:
        vars(front)["port"] = port
        yield front


def to(front: Front, path: str = "/", **options: Any) -> Any:
    return connect(f"ws://127.0.0.1:{vars(front)['port']}{path}", proxy=None, **options)


def request(request_id: str, endpoint: str = "/echo", docs: bytes | None = b"") -> bytes:
    return messages.write_request(messages.header_bytes(request_id, endpoint), docs=docs)


async def ask(socket: ClientConnection, **message: Any) -> Any:
    await socket.send(json.dumps(message))
    return json.loads(await socket.recv())


async def end_of(socket: ClientConnection) -> Close:
    """How the server closed."""
    with pytest.raises(ConnectionClosed) as caught:
        await socket.recv()
    assert caught.value.rcvd is not None
    return caught.value.rcvd


class Channel:
    """A channel in memory."""

    def __init__(self) -> None:
        self.written, self.calls = bytearray(), list[str]()
        self.full: asyncio.Future[None] | None = None

    def write(self, data: bytes) -> None:
        self.written += data

    def blocked(self) -> asyncio.Future[None] | None:
        return self.full

    def __getattr__(self, name: str) -> Any:
        return lambda: self.calls.append(name)


class Silent:
    """A speaker that answers nothing."""

    def __init__(self, session: WebSocketSession, note: Note) -> None:
        self.taken: list[bytes] = []

    def opened(self) -> Answer | None:
        return None

    def message(self, data: bytes, is_text: bool) -> Answer | None:
        self.taken.append(data)
        return None


def session_on(channel: Channel, handler: Handler) -> tuple[WebSocketSession, Silent]:
    front = Front(handler, INFOS, protocols=["websocket"])
    session = WebSocketSession(front, channel, Head(()), None)
    speaker = Silent(session, Note({}))
    session.begin(speaker)
    return session, speaker


def client_frame(opcode: Opcode, data: bytes = b"") -> bytes:
    return Frame(opcode, data).serialize(mask=True)
