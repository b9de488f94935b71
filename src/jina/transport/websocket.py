"""A client's WebSocket connections to one service: the handshake over HTTP/1.1, then messages. Everything here belongs to one loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol, cast

from jina.call import DIALECT
from jina.errors import TransportError
from jina.transport.connect import Connect, opening
from jina.wire import websocket, websocket_deflate, websocket_handshake
from jina.wire.http_client import BODY, END, HEAD, UPGRADED, BadResponseError, Event, ResponseReader, request_bytes

LOST = 1006
"""The code of a connection that ended without one (RFC 6455, 7.1.5)."""
_LOST_TEXT = "the connection was lost"
_CLOSE_TIMEOUT_S = 2.0
_MAX_REFUSAL_BYTES = 1 << 20
_SIGN_S = 10.0


class RefusedHandshakeError(TransportError):
    """The service answered with another status than 101."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"the service refused the WebSocket with HTTP status {status}")
        self.status, self.body = status, body


class Owner(Protocol):
    """Who uses a connection."""

    def message(self, data: bytes, is_text: bool) -> None:
        """Take one message of the server's."""

    def closed(self, code: int, reason: str) -> None:
        """The connection has ended; LOST stands for an end without a code."""


class WebSocketConnection(asyncio.Protocol):
    """One connection; what the server says waits until it has its first owner.

    Attributes:
        is_open: Messages may be sent.
        is_ours: The service says that it reads our dialect.
    """

    def __init__(self, request: bytes, key: str, max_message_bytes: int | None) -> None:
        self._request, self._key, self._max_message_bytes = request, key, max_message_bytes
        self._response = ResponseReader(_MAX_REFUSAL_BYTES, may_upgrade=True)
        self._status, self._body = 0, b""
        self._wire: websocket.Connection | None = None
        self._owner: Owner | None = None
        self._is_owned = False
        self._is_flush_due = self._is_paused = False
        self._timer: asyncio.TimerHandle | None = None
        self.is_open = self.is_ours = False

    def own(self, owner: Owner | None) -> None:
        """Let this one hear what comes; None while nobody asks for anything."""
        self._owner, self._is_owned = owner, True
        self._read()
        if not self.is_open:
            self._end(LOST, _LOST_TEXT)

    def send(self, data: bytes, *, is_text: bool = False) -> None:
        """Send a message; those of one turn of the loop leave together."""
        if self._wire is not None:
            self._wire.send(data, is_text=is_text)
            if not self._is_flush_due:
                self._is_flush_due = True
                self._loop.call_soon(self._flush)

    def pause(self) -> None:
        """Read no further until `resume`; meanwhile the server, whose pings are not read, is given signs of life."""
        if not self._is_paused and self.is_open:
            self._is_paused = True
            self._transport.pause_reading()
            self._timer = self._loop.call_later(_SIGN_S, self._give_sign)

    def resume(self) -> None:
        """Read on."""
        if self._is_paused:
            self._is_paused = False
            self._stop_timer()
            self._transport.resume_reading()

    def close(self, code: int = websocket.OK) -> None:
        """Close, without hearing of the end; work that is under way for us is given up."""
        self._owner, self._is_owned = None, True
        if self._wire is not None and self.is_open:
            self.resume()
            self._wire.close(code)
            self._flush()
            self._wait_for_end()
        else:
            self._transport.abort()
        self.is_open = False

    def _give_sign(self) -> None:
        if self._wire is not None:
            self._wire.pong()
            self._flush()
        self._timer = self._loop.call_later(_SIGN_S, self._give_sign)

    def _wait_for_end(self) -> None:
        """The server ends the connection (RFC 6455, 7.1.1), but not for ever."""
        self._stop_timer()
        self._timer = self._loop.call_later(_CLOSE_TIMEOUT_S, self._transport.abort)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _flush(self) -> None:
        self._is_flush_due = False
        out = b"" if self._wire is None else self._wire.take_output()
        if out and not self._transport.is_closing():
            self._transport.write(out)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[None] = self._loop.create_future()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if self._wire is None:
            data = self._read_response(self._response.feed, data)
        if self._wire is not None and data:
            self._wire.receive(data)
            self._read()

    def _read(self) -> None:
        wire = self._wire
        if wire is None or not self._is_owned:
            return
        while (event := wire.next_event(self._loop.time())) is not None:
            if event[0] in (websocket.CLOSED, websocket.BROKEN):
                self._end(event[1], event[2])
            elif event[0] == websocket.MESSAGE and self._owner is not None:
                self._owner.message(event[1], event[2])
        self._flush()

    def connection_lost(self, error: Exception | None) -> None:
        self._stop_timer()
        if self._wire is None and self._response.has_begun:
            self._read_response(self._response.eof)
        reason = "does it speak WebSocket? (protocol='grpc' or 'http' for a port of these; wss, where it speaks TLS)"
        self._fail(TransportError(f"the server closed the connection without an answer; {reason}"))
        self._end(LOST, _LOST_TEXT)

    def _end(self, code: int, reason: str) -> None:
        was_open, self.is_open = self.is_open, False
        owner, self._owner = self._owner, None
        if was_open and not self._transport.is_closing():
            self._wait_for_end()
        if owner is not None:
            owner.closed(code, reason)

    def _read_response(self, read: Callable[..., list[Event]], *data: bytes) -> bytes:
        """Take what comes of the response; gives what follows a 101."""
        try:
            return self._take_response(read(*data))
        except (BadResponseError, ValueError) as error:
            self._fail(TransportError(str(error)))
            return b""

    def _take_response(self, events: list[Event]) -> bytes:
        for event in events:
            if event[0] == UPGRADED:
                self._begin(event[1])
                rest: bytes = event[2]
                return rest
            if event[0] == HEAD:
                self._status = event[1]
            elif event[0] == BODY:
                self._body += event[1]
            elif event[0] == END:
                self._fail(RefusedHandshakeError(self._status, self._body))
        return b""

    def _begin(self, headers: Mapping[str, str]) -> None:
        fault = websocket_handshake.fault_of(self._key, headers)
        if fault:
            raise BadResponseError(fault)
        chosen = headers.get("sec-websocket-extensions", "")
        deflate = websocket_deflate.read_answer(chosen) if chosen else None
        self._wire = websocket.Connection(is_client=True, max_message_bytes=self._max_message_bytes, deflate=deflate)
        self.is_ours = headers.get(DIALECT[0]) == DIALECT[1]
        self.is_open = True
        if not self.opened.done():
            self.opened.set_result(None)

    def _fail(self, error: Exception) -> None:
        if not self.opened.done():
            self.opened.set_exception(error)
            self.opened.exception()
            self._transport.abort()


async def open_websocket(
    connect: Connect, target: str, path: str, headers: Mapping[str, str], *, max_message_bytes: int | None, deflate: bool = False
) -> WebSocketConnection:
    """Open a connection; gives it once the handshake is done.

    Args:
        connect: Opens the connection below.
        target: What errors call the service.
        path: Of the request.
        headers: Its fields, `host` among them.
        max_message_bytes: Larger messages close the connection.
        deflate: Offer to compress messages.

    Raises:
        RefusedHandshakeError: The service answered with another status.
        TransportError: It cannot be reached, or does not speak WebSocket.
        InvalidInputError: A field cannot be written.
    """
    key = websocket_handshake.new_key()
    fields = websocket_handshake.ask(key, headers, offer=websocket_deflate.make_offer() if deflate else "")
    request = request_bytes("GET", path, fields)
    connection: WebSocketConnection
    async with opening(target):
        _, connection = await connect(lambda: WebSocketConnection(request, key, max_message_bytes))
        try:
            await connection.opened
        except BaseException:
            connection.close()
            raise
    return connection
