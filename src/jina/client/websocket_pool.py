"""The WebSocket connections of a client to one service: opened for a post, kept for the next with the same headers. Of one loop."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

from jina.call import DIALECT
from jina.client.answers import http_failure
from jina.client.failures import no_websocket, unreachable
from jina.client.fields import request_fields
from jina.errors import BadClientInput, InvalidInputError, TransportError
from jina.transport.connect import Connect
from jina.transport.websocket import RefusedHandshakeError, WebSocketConnection, open_websocket

Key = tuple[object, ...]
_KEEP_S = 60.0
_MAX_IDLE = 32
"""Connections that are left open between posts: each is for one set of headers, which may be others every time."""
_NO_WEBSOCKET = frozenset((200, 404, 405, 501))
_CLOSED = "the client was closed"


class User(Protocol):
    """Who uses connections, and must hear when there are no more."""

    def fail(self, error: Exception) -> None:
        """End with a failure."""


class WebSocketPool:
    """Opens connections, and has those that nobody uses.

    Attributes:
        authority: What requests call the service.
        users: Whose work is under way.
    """

    def __init__(self, way: Connect, target: str, authority: str, *, max_message_bytes: int | None) -> None:
        """Prepare; nothing is opened.

        Args:
            way: Opens a connection.
            target: What errors call the service.
            authority: What requests call it.
            max_message_bytes: Larger answers fail.
        """
        self._way, self._target, self.authority, self._max_message_bytes = way, target, authority, max_message_bytes
        self._idle: list[tuple[float, Key, WebSocketConnection]] = []  # the one that was left open longest first
        self._timer: asyncio.TimerHandle | None = None  # for that one, or one that is gone
        self.users: set[User] = set()

    async def open(
        self, path: str, metadata: tuple[tuple[str, str | bytes], ...], timeout_s: float | None = None, *, deflate: bool = False
    ) -> WebSocketConnection:
        """Open a connection.

        Args:
            path: Of the request.
            metadata: Header fields.
            timeout_s: What the service is told that each request on it may take.
            deflate: Offer to compress messages.

        Raises:
            RpcError: The service refuses it, or cannot be reached.
            BadClientInput: A field cannot be written.
        """
        headers = request_fields({"host": self.authority, DIALECT[0]: DIALECT[1]}, metadata, timeout_s)
        try:
            return await open_websocket(self._way, self._target, path, headers, max_message_bytes=self._max_message_bytes, deflate=deflate)
        except RefusedHandshakeError as refused:
            if refused.status in _NO_WEBSOCKET:
                raise no_websocket(refused.status) from None
            raise http_failure(refused.status, refused.body or str(refused).encode(), path) from None
        except InvalidInputError as error:
            raise BadClientInput(str(error)) from None
        except TransportError as error:
            raise unreachable(str(error)) from None

    def kept(self, key: Key) -> WebSocketConnection | None:
        """Give a connection that was kept under this key."""
        for at in range(len(self._idle) - 1, -1, -1):
            _, its_key, connection = self._idle[at]
            if its_key == key:
                del self._idle[at]
                if connection.is_open:
                    return connection
        return None

    def keep(self, key: Key, connection: WebSocketConnection) -> None:
        """Take a connection on which nothing is under way; where there are many, the one that was left open longest goes."""
        connection.own(None)
        if connection.is_open:
            self._idle.append((time.monotonic(), key, connection))
            if len(self._idle) > _MAX_IDLE:
                self._idle.pop(0)[2].close()
            self._watch()

    def close(self) -> None:
        """Close the connections; who uses one fails."""
        if self._timer is not None:
            self._timer.cancel()
        self._let_go(0.0)
        for user in list(self.users):
            user.fail(unreachable(_CLOSED))

    def _watch(self) -> None:
        if self._idle and self._timer is None:
            left_s = self._idle[0][0] + _KEEP_S - time.monotonic()
            self._timer = asyncio.get_running_loop().call_later(max(left_s, 0.001), self._let_go, _KEEP_S)

    def _let_go(self, idle_s: float) -> None:
        """Close what has not been used for so long, and see to the rest later: a loop may call a little early."""
        self._timer = None
        until = time.monotonic() - idle_s
        while self._idle and self._idle[0][0] <= until:
            self._idle.pop(0)[2].close()
        self._watch()
