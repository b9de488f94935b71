"""The front's end of the hop from an app process: takes calls off a Unix socket and answers with a Handler.

The other end is `front_channel.py`. Nobody else can reach the socket: it lies in a folder of the supervisor's, with mode 0600.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from typing import cast

from jina.call import Handler, Reply
from jina.errors import MalformedError
from jina.transport.handler_messages import read_call, write_item, write_reply
from jina.transport.hop import HOP_LIMITS
from jina.transport.hop_messages import CALL, STREAM
from jina.transport.writing import Gatherer, write_pieces
from jina.wire.grpc import CANCELLED, CLOSED, UNARY, WRITABLE, ServerConnection

_INTERNAL = 13
_log = logging.getLogger("jina.hop")


class HopHandlerServer:
    """Serves one Handler to app processes.

    Attributes:
        connections: Those that are open.
    """

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.connections: set[HopHandler] = set()
        self._gone = asyncio.Event()

    async def listen(self, path: str) -> asyncio.Server:
        """Listen on a Unix socket that only this user can open."""
        server = await asyncio.get_running_loop().create_unix_server(lambda: HopHandler(self), path)
        os.chmod(path, 0o600)
        return server

    async def drain(self) -> None:
        """Wait until all app processes have left: each does once it has answered its own callers."""
        while self.connections:
            self._gone.clear()
            await self._gone.wait()

    def left(self, connection: HopHandler) -> None:
        """Count a connection out."""
        self.connections.discard(connection)
        self._gone.set()


class HopHandler(Gatherer, asyncio.Protocol):
    """The connection of one app process. Each of its calls has a task, which is cancelled when the caller leaves."""

    def __init__(self, server: HopHandlerServer) -> None:
        self._server = server
        self._connection = ServerConnection(limits=HOP_LIMITS, max_message_bytes=None, unary_paths=frozenset((CALL, STREAM)))
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._blocked: dict[int, asyncio.Future[None]] = {}
        self._can_write = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.loop = asyncio.get_running_loop()
        self._server.connections.add(self)
        self.flush()

    def data_received(self, data: bytes) -> None:
        for event in self._connection.receive(data, time.monotonic()):
            kind = event[0]
            if kind == UNARY:
                self._begin(event[1], event[2].path == STREAM, event[3])
            elif kind == CANCELLED:
                task = self._tasks.get(event[1])
                if task is not None:
                    task.cancel()
            elif kind == WRITABLE:
                self._rouse(event[1])
            elif kind == CLOSED:
                self._transport.close()
        self.flush()

    def connection_lost(self, error: Exception | None) -> None:
        for task in self._tasks.values():
            task.cancel()
        self._server.left(self)

    def pause_writing(self) -> None:
        self._can_write = False

    def resume_writing(self) -> None:
        self._can_write = True
        for stream in list(self._blocked):
            self._rouse(stream)

    def abort(self) -> None:
        """End the connection at once."""
        self._transport.abort()

    def _begin(self, stream: int, is_stream: bool, message: bytes) -> None:
        task = self.loop.create_task(self._answer(stream, is_stream, message))
        self._tasks[stream] = task
        task.add_done_callback(lambda _: self._tasks.pop(stream, None))

    async def _answer(self, stream: int, is_stream: bool, message: bytes) -> None:
        try:
            reply = await self._server.handler(read_call(message))
            if is_stream:
                await self._send_stream(stream, reply)
            else:
                assert reply.items is None, "a streamed reply to a call that did not ask for one"
                self._connection.reply(stream, write_reply(reply))
        except MalformedError as error:
            self._connection.send_status(stream, _INTERNAL, str(error))
        except Exception:
            _log.exception("a handler raised instead of answering")
            self._connection.send_status(stream, _INTERNAL, "a handler raised instead of answering")
        self.flush_soon()

    async def _send_stream(self, stream: int, reply: Reply) -> None:
        self._connection.send_message(stream, write_reply(reply))
        self.flush_soon()
        items = reply.items
        if items is not None:
            try:
                async for item in items:
                    self._connection.send_message(stream, write_item(item))
                    self.flush_soon()
                    await self._sent(stream)
            finally:
                close = getattr(items, "aclose", None)
                if close is not None:
                    await close()
        self._connection.send_status(stream, 0)

    async def _sent(self, stream: int) -> None:
        """Wait while the other side has not taken what was sent: a slow reader stops the stream, not this process's memory."""
        while not (self._can_write and self._connection.is_writable(stream)):
            self._blocked[stream] = self.loop.create_future()
            try:
                await self._blocked[stream]
            finally:
                self._blocked.pop(stream, None)

    def _rouse(self, stream: int) -> None:
        blocked = self._blocked.get(stream)
        if blocked is not None and not blocked.done():
            blocked.set_result(None)

    def flush(self) -> None:
        self._is_flush_due = False
        write_pieces(self._transport, self._connection.take_pieces())
