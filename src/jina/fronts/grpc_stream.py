"""`JinaRPC/Call`: requests stream in, replies stream out."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from jina.call import Status
from jina.codec.messages import read_request
from jina.codec.pieces import Message
from jina.errors import Code
from jina.fronts.grpc_requests import deadline_of, ends_with_status, is_refused, read_call, reply_message, send_refusal
from jina.wire.buffered import FULL, SMALL
from jina.wire.grpc import RequestHead

if TYPE_CHECKING:
    from jina.fronts.grpc_carrier import Carrier

_log = logging.getLogger("jina.grpc")


class DataStream:
    """`JinaRPC/Call`: requests stream in, replies stream out as they are done, or in order if the caller asks for that."""

    def __init__(self, connection: Carrier, stream: int, head: RequestHead) -> None:
        self._connection, self._stream, self._head = connection, stream, head
        limit = _prefetch(head, connection.front.options.prefetch)
        self._limit = limit
        self._in_order = head.headers.get("__results_in_order__", "").lower() == "true"
        self._waiting: deque[bytes] = deque()
        self._running: dict[asyncio.Task[None], None] = {}
        self._order: deque[list[Message | None]] = deque()
        self._unsent = 0
        self._is_half_closed = self._has_ended = False
        self._is_checked = connection.front.guard is None
        self._deadline = deadline_of(head)
        self._timer = None if head.timeout_s is None else connection.loop.call_later(head.timeout_s, self._too_late)
        connection.wire.hold(stream)
        if not self._is_checked:
            self._own(self._check())

    def message(self, data: bytes) -> None:
        self._waiting.append(data)
        self._advance()

    def half_close(self) -> None:
        self._is_half_closed = True
        self._advance()

    def writable(self) -> None:
        self._unsent = 0
        self._advance()

    def cancelled(self) -> None:
        self._stop()
        for task in list(self._running):
            task.cancel()

    def _stop(self) -> None:
        self._has_ended = True
        while self._waiting:
            self._connection.release(self._stream, self._waiting.popleft())
        if self._timer is not None:
            self._timer.cancel()

    def _too_late(self) -> None:
        self._fail(Status(Code.DEADLINE, "the stream did not end before its deadline"))

    def _own(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = self._connection.start_task(coroutine)
        self._running[task] = None
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.error("a part of a gRPC stream raised", exc_info=error)
            self._fail(Status(Code.INTERNAL, "internal error; the server's log has its traceback"))
        self._advance()

    async def _check(self) -> None:
        if await is_refused(self._connection, self._stream, self._head):
            self._has_failed()
        self._is_checked = True

    def _advance(self) -> None:
        """Begin what may begin, and end the call when all is answered."""
        while self._waiting and self._is_checked and not self._has_ended and len(self._running) + self._unsent < self._limit:
            data = self._waiting.popleft()
            self._connection.wire.consumed(self._stream, len(data))
            slot: list[Message | None] = [None]
            if self._in_order:
                self._order.append(slot)
            self._own(self._answer(data, slot))
            self._connection.flush_soon()
        if self._is_half_closed and not self._waiting and not self._running and not self._has_ended:
            self._stop()
            self._connection.end(self._stream)

    async def _answer(self, data: bytes, slot: list[Message | None]) -> None:
        connection, started_s = self._connection, time.time()
        try:
            found = read_call(connection, self._stream, self._head, self._deadline, data, read_request, is_stream=False)
            if found is None:
                self._has_failed()
                return
            call, envelope = found
            reply = await connection.front.handler(call)
        finally:
            connection.release(self._stream, data)
        if reply.status is not None and ends_with_status(reply.status):
            self._fail(reply.status, call.request_id)
            return
        message = reply_message(call, envelope, reply, started_s)
        if (len(message) <= SMALL and not self._unsent) or connection.admits(len(message)):
            self._send(message, slot)
        else:
            self._fail(FULL, call.request_id)

    def _send(self, message: Message, slot: list[Message | None]) -> None:
        if self._has_ended:
            return
        if not self._in_order:
            self._write(message)
        elif self._connection.wire.count(self._stream, len(message)):
            slot[0] = message
            while self._order and self._order[0][0] is not None:
                ready = self._order.popleft()[0]
                assert ready is not None
                self._connection.wire.uncount(self._stream, len(ready))
                self._write(ready)
        else:
            self._fail(FULL)

    def _write(self, message: Message) -> None:
        self._connection.wire.send_message(self._stream, message)
        if not self._connection.can_write(self._stream):
            self._unsent += 1
        self._connection.flush_soon()

    def _fail(self, status: Status, request_id: str = "") -> None:
        if not self._has_ended:
            send_refusal(self._connection, self._stream, status, request_id)
            self._has_failed()

    def _has_failed(self) -> None:
        """The caller was told why: nothing more is done for it."""
        self._connection.gone(self._stream)
        self.cancelled()


def _prefetch(head: RequestHead, default: int) -> int:
    try:
        limit = int(head.headers.get("__prefetch__", default))
    except ValueError:
        limit = default
    return limit if limit > 0 else 1 << 30
