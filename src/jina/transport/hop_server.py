"""The worker's end of a connection from a front: takes calls off the wire, hands them to the Executor's threads, writes outcomes."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, cast

from jina.call import Payload, Status
from jina.errors import Code, MalformedError
from jina.transport.hop import HOP_LIMITS
from jina.transport.hop_messages import CALL, STREAM, join_items, read_call, write_reply
from jina.wire.grpc import CANCELLED, CLOSED, UNARY, WRITABLE, ServerConnection

if TYPE_CHECKING:
    from jina.runtime.local import Local
    from jina.runtime.work import Outcome, Work

_INTERNAL = 13
_NO_HEADERS: dict[str, str] = {}


class HopServer(asyncio.Protocol):
    """One front's connection."""

    def __init__(self, local: Local, connections: set[HopServer], *, max_message_bytes: int | None = None) -> None:
        self._local, self._connections = local, connections
        self._connection = ServerConnection(limits=HOP_LIMITS, max_message_bytes=max_message_bytes, unary_paths=frozenset((CALL, STREAM)))
        self._works: dict[int, Work] = {}
        self._unsent: dict[int, int] = {}
        self._items: dict[int, list[bytes]] = {}
        self._can_write = True
        self._idle: asyncio.Event | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._connections.add(self)
        self.flush()

    def data_received(self, data: bytes) -> None:
        from jina.runtime.work import Work

        local, works = self._local, self._works
        for event in self._connection.receive(data, time.monotonic()):
            kind = event[0]
            if kind == UNARY:
                stream = event[1]
                try:
                    call = read_call(event[3])
                except MalformedError as error:
                    self._connection.send_status(stream, _INTERNAL, str(error))
                    continue
                work = works[stream] = Work(call, self, stream)
                local.submit(work)
            elif kind == CANCELLED:
                gone = works.pop(event[1], None)
                self._unsent.pop(event[1], None)
                if gone is not None:
                    local.cancel(gone)
            elif kind == WRITABLE:
                self._went_out(event[1])
            elif kind == CLOSED:
                self._transport.close()
        local.flush()
        self.flush()

    def connection_lost(self, error: Exception | None) -> None:
        self._connections.discard(self)
        works, self._works = self._works, {}
        for work in works.values():
            self._local.cancel(work)
        self._check_idle()

    def pause_writing(self) -> None:
        self._can_write = False

    def resume_writing(self) -> None:
        self._can_write = True
        for stream in list(self._unsent):
            self._went_out(stream)

    async def drain(self) -> None:
        """Take no new calls; return once those under way have ended."""
        self._connection.goaway()
        self.flush()
        self._idle = asyncio.Event()
        self._check_idle()
        await self._idle.wait()

    # --- what the executor's threads made ----------------------------------------------------------------------------------------------

    def reply(self, outcome: Outcome) -> None:
        """Take the whole reply of a call."""
        work, _, status, payload, results = outcome
        if self._works.pop(work.stream, None) is not None:
            self._connection.reply(work.stream, _pack(status, payload, results))
            self._check_idle()

    def item(self, outcome: Outcome) -> None:
        """Take one item of a stream; how fast these leave decides how far ahead the stream may run."""
        work, _, status, payload, _ = outcome
        stream = work.stream
        if stream in self._works:
            self._items.setdefault(stream, []).append(_pack(status, payload, None))

    def end(self, outcome: Outcome) -> None:
        """Take the end of a stream."""
        stream = outcome[0].stream
        self._send_items(stream)
        if self._works.pop(stream, None) is not None:
            self._unsent.pop(stream, None)
            self._connection.send_status(stream, 0)
            self._check_idle()

    def flush(self) -> None:
        """Write what has gathered; the items that a stream made meanwhile leave as one message."""
        for stream in list(self._items):
            self._send_items(stream)
        out = self._connection.take_output()
        if out:
            self._transport.write(out)

    def _send_items(self, stream: int) -> None:
        packed = self._items.pop(stream, None)
        work = self._works.get(stream)
        if packed is None or work is None:
            return
        self._connection.send_message(stream, join_items(packed))
        if self._can_write and self._connection.is_writable(stream):
            self._local.sent(work, len(packed))
        else:
            self._unsent[stream] = self._unsent.get(stream, 0) + len(packed)

    def _went_out(self, stream: int) -> None:
        n = self._unsent.pop(stream, 0)
        work = self._works.get(stream)
        if n and work is not None:
            self._local.sent(work, n)

    def _check_idle(self) -> None:
        if self._idle is not None and not self._works:
            self._idle.set()


def _pack(status: Status | None, payload: Payload | None, results: dict[str, Any] | None) -> bytes:
    """Pack an outcome; whatever a user's exception has in it, its caller hears of it."""
    try:
        return write_reply(status, payload, results, _NO_HEADERS)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        if status is None:
            return write_reply(Status(Code.INTERNAL, f"the reply cannot be packed: {error}"), None, None, _NO_HEADERS)
        lines = [_visible(line) for line in status.stacks]
        told = Status(status.code, _visible(status.description), _visible(status.name), stacks=lines, executor=_visible(status.executor))
        return write_reply(told, payload, None, _NO_HEADERS)


def _visible(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
