"""Keep-alive connections to one HTTP/1.1 service, and requests over them. Everything here belongs to one loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from typing import NamedTuple, cast

from jina.errors import TransportError
from jina.transport.connect import Connect, opening
from jina.transport.tls import explain
from jina.wire import http_client as wire
from jina.wire.http_client import BadResponseError, ResponseReader, request_bytes

_MAX_CONNECTIONS = 100
_HIGH_BYTES = 1 << 20
_CLOSED = "the client was closed"
_STALE_S = 1.0


class HttpResponse(NamedTuple):
    """A whole response."""

    status: int
    headers: dict[str, str]
    body: bytes


class StaleConnectionError(TransportError):
    """A connection was closed right after the request, before any of the response came: the server had let go of it unread.

    Later than that (`_STALE_S`) the server may have begun the call, and another request would run it twice.
    """


class HttpConnection(asyncio.Protocol):
    """One connection; carries one request at a time.

    Attributes:
        is_open: It can carry a request.
    """

    def __init__(self) -> None:
        self._reader = ResponseReader()
        self._events: deque[wire.Event] = deque()
        self._n_held = 0
        self._wake: asyncio.Future[None] | None = None
        self._error: Exception | None = None
        self._is_asked = self._is_paused = self.is_open = False

    def send(self, request: bytes, max_body_bytes: int | None) -> None:
        """Send a request; `receive` gives what is answered, and fails if its body is larger."""
        self._is_asked = True
        self._reader.max_body_bytes = max_body_bytes
        self._asked_s = asyncio.get_running_loop().time()
        self._transport.write(request)

    async def receive(self) -> wire.Event:
        """Give the next event of the response; the last is END.

        Raises:
            TransportError: The connection broke, or what came is no response.
        """
        while not self._events:
            if self._error is not None:
                raise self._error
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake
        event = self._events.popleft()
        if event[0] == wire.BODY:
            self._n_held -= len(event[1])
            self._resume()
        elif event[0] == wire.END:
            self._is_asked = False
            if not event[1]:
                self.close()
        return event

    def close(self, reason: str = "") -> None:
        """End the connection; a request under way fails for this reason."""
        self.is_open = False
        self._transport.close()
        if reason:
            self._break(TransportError(reason))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        if not self._is_asked:
            self.close()  # nobody asked for it: what follows cannot be told apart from an answer
            return
        try:
            self._take(self._reader.feed(data))
        except BadResponseError as error:
            self._break(TransportError(str(error)))
            self.close()

    def connection_lost(self, error: Exception | None) -> None:
        self.is_open = False
        if not self._is_asked or self._error is not None:
            return
        if not self._reader.has_begun:
            is_stale = asyncio.get_running_loop().time() - self._asked_s < _STALE_S
            kind = StaleConnectionError if is_stale else TransportError
            reason = "does it speak HTTP? (protocol='grpc' for a gRPC port; https, where it speaks TLS)"
            self._break(kind(explain(error) or f"the server closed the connection without an answer; {reason}"))
            return
        try:
            self._take(self._reader.eof())
        except BadResponseError as problem:
            self._break(TransportError(str(problem)))

    def _take(self, events: list[wire.Event]) -> None:
        self._events.extend(events)
        self._n_held += sum(len(event[1]) for event in events if event[0] == wire.BODY)
        if self._n_held > _HIGH_BYTES and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()
        self._rouse()

    def _resume(self) -> None:
        if self._is_paused and self._n_held <= _HIGH_BYTES // 4:
            self._is_paused = False
            self._transport.resume_reading()

    def _break(self, error: Exception) -> None:
        self._error = error
        self._rouse()

    def _rouse(self) -> None:
        wake, self._wake = self._wake, None
        if wake is not None and not wake.done():
            wake.set_result(None)


class HttpPool:
    """Requests to one service over connections that are kept open between them."""

    def __init__(
        self, connect: Connect, target: str, *, max_connections: int = _MAX_CONNECTIONS, max_body_bytes: int | None = None
    ) -> None:
        """Prepare; nothing is opened before the first request.

        Args:
            connect: Opens a connection.
            target: What errors call the service.
            max_connections: Requests at once; further ones wait.
            max_body_bytes: Larger responses fail; those of `stream` may have any size.
        """
        self._connect, self._target, self.max_body_bytes = connect, target, max_body_bytes
        self._idle: deque[HttpConnection] = deque()
        self._all: set[HttpConnection] = set()
        self._free = asyncio.Semaphore(max_connections)
        self._is_closed = False

    async def request(self, method: str, target: str, headers: Mapping[str, str], body: bytes | None = None) -> HttpResponse:
        """Send a request and wait for the whole response.

        Raises:
            TransportError: No connection, or it broke.
            InvalidInputError: The request cannot be written.
        """
        data = request_bytes(method, target, headers, body)
        status, found, parts = 0, dict[str, str](), list[bytes]()
        async with self._free:
            connection, event = await self._begin(data, self.max_body_bytes)
            try:
                while event[0] != wire.END:
                    if event[0] == wire.HEAD:
                        status, found = event[1], event[2]
                    else:
                        parts.append(event[1])
                    event = await connection.receive()
            except BaseException:
                self._drop(connection)
                raise
            self._give_back(connection)
        return HttpResponse(status, found, b"".join(parts))

    async def stream(self, method: str, target: str, headers: Mapping[str, str], body: bytes | None = None) -> AsyncIterator[wire.Event]:
        """Send a request and give the events of the response as they come; closing the iterator leaves the request.

        Raises:
            TransportError: No connection, or it broke.
            InvalidInputError: The request cannot be written.
        """
        data = request_bytes(method, target, headers, body)
        async with self._free:
            connection, event = await self._begin(data, None)
            is_whole = False
            try:
                while not is_whole:
                    yield event
                    event = await connection.receive()
                    is_whole = event[0] == wire.END
            finally:
                if is_whole:
                    self._give_back(connection)
                else:
                    self._drop(connection)
        yield event

    async def _begin(self, data: bytes, max_body_bytes: int | None) -> tuple[HttpConnection, wire.Event]:
        """Send a request; gives its connection and the first event of the response."""
        while True:
            connection, is_kept = await self._take()
            connection.send(data, max_body_bytes)
            try:
                return connection, await connection.receive()
            except StaleConnectionError:
                self._all.discard(connection)
                if not is_kept:
                    raise
            except BaseException:
                self._drop(connection)
                raise

    def close(self) -> None:
        """Close all connections; requests under way and later ones fail."""
        self._is_closed = True
        for connection in self._all:
            connection.close(_CLOSED)
        self._all.clear()
        self._idle.clear()

    async def _take(self) -> tuple[HttpConnection, bool]:
        if self._is_closed:
            raise TransportError(_CLOSED)
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection, True
            self._all.discard(connection)
        async with opening(self._target):
            _, made = await self._connect(HttpConnection)
        if self._is_closed:
            made.close()
            raise TransportError(_CLOSED)
        self._all.add(made)
        return made, False

    def _give_back(self, connection: HttpConnection) -> None:
        if connection.is_open:
            self._idle.append(connection)
        else:
            self._all.discard(connection)

    def _drop(self, connection: HttpConnection) -> None:
        self._all.discard(connection)
        connection.close()
