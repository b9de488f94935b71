"""A client over WebSocket: the connections to one service, and who has them. One core belongs to one loop.

A post has a connection to itself, which is kept for the next with the same headers.
"""

from __future__ import annotations

import asyncio
import time

from jina.call import DIALECT
from jina.client.answers import http_failure
from jina.client.exchange import Deliver, Exchange
from jina.client.failures import RpcError, no_websocket, unreachable
from jina.client.fields import request_fields
from jina.client.ids import SharedIds
from jina.client.post import Post
from jina.client.proto_requests import RequestWriter
from jina.client.websocket_exchanges import DocumentStream, SocketExchange, closed_failure
from jina.codec.messages import read_status
from jina.errors import BadClientInput, InvalidInputError, MalformedError, TransportError
from jina.transport.connect import Connect
from jina.transport.websocket import RefusedHandshakeError, WebSocketConnection, open_websocket
from jina.wire.grpc import Metadata

_DRY_RUN = "/dry_run"
_KEEP_S = 60.0
_MAX_IDLE = 32
"""Connections that are left open between posts: each is for one set of headers, which may be others every time."""
_NO_WEBSOCKET = frozenset((200, 404, 405, 501))
_CLOSED = "the client was closed"


class WebSocketCore:
    """What a client does over the connections to one service."""

    def __init__(self, way: Connect, target: str, authority: str, *, max_message_bytes: int | None) -> None:
        """Prepare; nothing is opened before the first post.

        Args:
            way: Opens a connection.
            target: What errors call the service.
            authority: What requests call it.
            max_message_bytes: Larger answers fail.
        """
        self._way, self._target, self.authority, self._max_message_bytes = way, target, authority, max_message_bytes
        self._ids = SharedIds()
        self._idle: list[tuple[float, tuple[object, ...], WebSocketConnection]] = []  # the one that was left open longest first
        self._exchanges: set[SocketExchange] = set()

    def writer(self, post: Post) -> RequestWriter:
        """Give what writes the requests of a post; in any thread."""
        return RequestWriter(post, self._ids.request_id)

    def exchange(self, post: Post, deliver: Deliver) -> Exchange:
        """Begin a post."""
        return SocketExchange(self, post, deliver)

    def stream_doc(self, post: Post, deliver: Deliver) -> Exchange:
        """Begin a call of a streaming endpoint: `submit` it, once."""
        return DocumentStream(self, post, deliver)

    async def dry_run(self, timeout_s: float | None, metadata: Metadata) -> str:
        """Ask whether the service would take calls; gives the reason why not, else an empty string."""
        told = _Told()
        try:
            async with asyncio.timeout(timeout_s):
                connection = await self.open(_DRY_RUN, self.headers(tuple(metadata)))
                connection.own(told)
                try:
                    data = await told.first
                finally:
                    connection.close()
        except (RpcError, TransportError, MalformedError) as error:
            return str(error)
        except TimeoutError:
            return "no answer in time"
        status = read_status(data)
        return status.description or "the dry run failed" if status.is_error else ""

    def close(self) -> None:
        """Close the connections; on the core's loop."""
        self._let_go(0.0)
        for exchange in list(self._exchanges):
            exchange.fail(unreachable(_CLOSED))

    # --- for exchanges ---------------------------------------------------------------------------------------------------------------

    def begun(self, exchange: SocketExchange) -> None:
        """Remember an exchange until it is over."""
        self._exchanges.add(exchange)

    def over(self, exchange: SocketExchange) -> None:
        """Forget an exchange."""
        self._exchanges.discard(exchange)

    def headers(self, metadata: tuple[tuple[str, str | bytes], ...], timeout_s: float | None = None) -> dict[str, str]:
        """Give the header fields of a request."""
        return request_fields({"host": self.authority, DIALECT[0]: DIALECT[1]}, metadata, timeout_s)

    def kept(self, key: tuple[object, ...]) -> WebSocketConnection | None:
        """Give a connection that another post with the same headers has left open."""
        for at in range(len(self._idle) - 1, -1, -1):
            _, its_key, connection = self._idle[at]
            if its_key == key:
                del self._idle[at]
                if connection.is_open:
                    return connection
        return None

    def keep(self, key: tuple[object, ...], connection: WebSocketConnection) -> None:
        """Take a connection on which nothing is under way; where there are many, the one that was left open longest goes."""
        connection.own(None)
        if connection.is_open:
            self._idle.append((time.monotonic(), key, connection))
            asyncio.get_running_loop().call_later(_KEEP_S, self._let_go, _KEEP_S)
            if len(self._idle) > _MAX_IDLE:
                self._idle.pop(0)[2].close()

    def _let_go(self, idle_s: float) -> None:
        """Close what has not been used for so long."""
        until = time.monotonic() - idle_s
        while self._idle and self._idle[0][0] <= until:
            self._idle.pop(0)[2].close()

    async def open(self, path: str, headers: dict[str, str], *, deflate: bool = False) -> WebSocketConnection:
        """Open a connection.

        Raises:
            RpcError: The service refuses it, or cannot be reached.
        """
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


class _Told:
    """Waits for the first message."""

    def __init__(self) -> None:
        self.first: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def message(self, data: bytes, is_text: bool) -> None:
        if not self.first.done():
            self.first.set_result(data)

    def closed(self, code: int, reason: str) -> None:
        if not self.first.done():
            self.first.set_exception(closed_failure(code, reason))
