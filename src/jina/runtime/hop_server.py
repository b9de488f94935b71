"""The worker's end of a connection from a front: takes calls off the wire, hands them to the Executor's threads, writes outcomes.

Moved by one thread at a time: that of a loop, or any that holds the lock of `sockets.py`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, cast

from jina.call import Payload, Status
from jina.codec.pieces import Message
from jina.errors import Code, MalformedError
from jina.runtime.local import Local
from jina.runtime.work import ITEM, PAUSED, REPLY, Outcome, Work
from jina.transport.begun import BegunNotes
from jina.transport.hop import HOP_LIMITS
from jina.transport.hop_messages import CALL, STREAM, read_call, write_items, write_reply
from jina.transport.writing import write_pieces
from jina.wire.grpc import CANCELLED, CLOSED, UNARY, WRITABLE, ServerConnection

_INTERNAL = 13
_NO_HEADERS: dict[str, str] = {}


class HopServer(asyncio.Protocol):
    """One front's connection."""

    def __init__(
        self, local: Local, connections: set[HopServer], notes: BegunNotes | None = None, *, max_message_bytes: int | None = None
    ) -> None:
        """Join `connections` while it is open, and take back the `notes` on its calls when it is lost: nobody will ask for them."""
        self._local, self._connections, self._notes = local, connections, notes
        self._connection = ServerConnection(limits=HOP_LIMITS, max_message_bytes=max_message_bytes, unary_paths=frozenset((CALL, STREAM)))
        self._works: dict[int, Work] = {}
        self._unsent: dict[int, tuple[int, int]] = {}
        self._ready: dict[int, Work] = {}
        self._can_write = True
        self._on_idle: Callable[[], None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._connections.add(self)
        self.flush()

    def data_received(self, data: bytes) -> None:
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
        if self._notes is not None:
            self._notes.forget(works)
        for work in works.values():
            self._local.cancel(work)
        self._check_idle()

    def pause_writing(self) -> None:
        self._can_write = False

    def resume_writing(self) -> None:
        self._can_write = True
        for stream in list(self._unsent):
            self._went_out(stream)

    @property
    def is_busy(self) -> bool:
        """It holds calls."""
        return bool(self._works)

    def begin_drain(self, on_idle: Callable[[], None]) -> None:
        """Take no new calls; tell whenever none is left."""
        self._connection.goaway()
        self.flush()
        self._on_idle = on_idle
        self._check_idle()

    def take(self, outcome: Outcome) -> None:
        """Take what came of a call, or of a piece of it; it leaves with the next `flush`."""
        work, kind, status, payload, results = outcome
        stream = work.stream
        if kind == PAUSED:
            self._local.paused(work)
        elif stream not in self._works:
            return
        elif kind == REPLY:
            del self._works[stream]
            self._connection.reply(stream, _pack(status, payload, results))
            self._check_idle()
        elif kind == ITEM:  # how fast these leave decides how far ahead the stream may run
            self._ready[stream] = work
        else:
            self._end(work)

    def _end(self, work: Work) -> None:
        stream = work.stream
        self._send_items(work)
        del self._works[stream]
        self._unsent.pop(stream, None)
        self._connection.send_status(stream, 0)
        self._check_idle()

    def flush(self) -> None:
        """Write what has gathered; the items that a stream made meanwhile leave as one message."""
        if self._ready:
            for work in list(self._ready.values()):
                self._send_items(work)
        write_pieces(self._transport, self._connection.take_pieces())

    def _send_items(self, work: Work) -> None:
        stream = work.stream
        self._ready.pop(stream, None)
        items = work.take_items()
        if not items or stream not in self._works:
            return
        n_bytes = sum(len(item.payload.data) for item in items if item.payload is not None)
        self._connection.send_message(stream, write_items(items, _pack))
        if self._can_write and self._connection.is_writable(stream):
            self._local.sent(work, len(items), n_bytes)
        else:
            n_before, n_bytes_before = self._unsent.get(stream, (0, 0))
            self._unsent[stream] = n_before + len(items), n_bytes_before + n_bytes

    def _went_out(self, stream: int) -> None:
        n, n_bytes = self._unsent.pop(stream, (0, 0))
        work = self._works.get(stream)
        if n and work is not None:
            self._local.sent(work, n, n_bytes)

    def _check_idle(self) -> None:
        if self._on_idle is not None and not self._works:
            self._on_idle()


def _pack(status: Status | None, payload: Payload | None, results: dict[str, Any] | None = None) -> Message:
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
