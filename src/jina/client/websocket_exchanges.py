"""What a post is on a WebSocket: gRPC's messages, and which are answered is told by their ids.

Jina's services answer a failure that no executor is to blame for by closing with 1011 and the reason; here that is a ConnectionError.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import deque

from jina.client.answers import GrpcAnswer, StreamedGrpc
from jina.client.attempts import Attempts
from jina.client.dialect import OursOnly, foreign
from jina.client.exchange import ANSWER, END, FAILED, Deliver, Exchange, Outcome
from jina.client.failures import RpcError, ServiceError, UnreachableError, failure, late
from jina.client.post import Post
from jina.client.websocket_pool import WebSocketPool
from jina.codec.pieces import Message
from jina.transport.websocket import LOST, WebSocketConnection
from jina.wire import websocket
from jina.wire.status import GrpcStatus

_HIGH_BYTES = 1 << 20
_STALE_S = 1.0
_LEAVING_S = 20.0
"""How long a service that is going away is asked again for what it says that it never began."""
_LEAVING_PAUSE_S = 0.1
_STATUS = {
    websocket.OK: GrpcStatus.UNKNOWN,
    websocket.GOING_AWAY: GrpcStatus.UNAVAILABLE,
    websocket.TOO_BIG: GrpcStatus.RESOURCE_EXHAUSTED,
    websocket.INTERNAL: GrpcStatus.UNAVAILABLE,
    LOST: GrpcStatus.UNAVAILABLE,
}


class SocketExchange(Exchange):
    """The requests of a post. What has no answer yet is kept, and sent again where the post may be made again."""

    path = "/"

    def __init__(self, pool: WebSocketPool, post: Post, deliver: Deliver) -> None:
        self._pool, self._post, self._deliver = pool, post, deliver
        self._key = (self.path, post.metadata, post.timeout_s, post.encoding)
        self._unanswered: dict[str, Message] = {}
        self._order: deque[str] = deque()
        self._ready: dict[str, Outcome] = {}
        self._connection: WebSocketConnection | None = None
        self._opening: asyncio.Task[None] | None = None
        self._pause: asyncio.TimerHandle | None = None
        self._attempts = Attempts(post)
        self._n_held = 0
        self._has_ended = self._is_over = self._is_kept = False
        self._taken_s = 0.0
        self._leaving_since: float | None = None
        self._late: asyncio.TimerHandle | None = None
        self._has_begun = False

    # --- for whoever posts -----------------------------------------------------------------------------------------------------------

    def submit(self, request_id: str, message: Message) -> None:
        if self._is_over:
            return
        if not self._has_begun:
            self._begin()
        self._unanswered[request_id] = message
        if self._post.results_in_order:
            self._order.append(request_id)
        if self._connection is not None:
            self._send(self._connection, message)
        elif self._opening is None and self._pause is None:
            self._open()

    def end(self) -> None:
        self._has_ended = True
        self._finish_if_done()

    def consumed(self, n_bytes: int) -> None:
        self._n_held -= n_bytes
        if self._connection is not None and self._n_held < _HIGH_BYTES:
            self._connection.resume()

    def cancel(self) -> None:
        if not self._is_over:
            self._is_over = True
            self._pool.users.discard(self)
            for each in (self._pause, self._opening, self._late):
                if each is not None:
                    each.cancel()
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.resume()
                if self._unanswered or not self._may_keep():
                    connection.close()
                else:
                    self._pool.keep(self._key, connection)

    def fail(self, error: Exception) -> None:
        """End with a failure."""
        self._finish((FAILED, error))

    def _may_keep(self) -> bool:
        return True

    def _begin(self) -> None:
        """With the first request, which is the first thing that happens on the loop."""
        self._has_begun = True
        self._pool.users.add(self)
        left_s = self._attempts.left_s()
        if left_s is not None:
            self._late = asyncio.get_running_loop().call_later(left_s, self._too_late)

    # --- connections -----------------------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        self._pause = None
        kept = self._pool.kept(self._key) if self._may_keep() and not self._attempts.n else None
        self._attempts.begin()
        if kept is not None:
            self._use(kept, is_kept=True)
        else:
            self._opening = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        try:
            post = self._post  # the whole time is told, not what is left of it: the connection may be kept
            connection = await self._pool.open(self.path, post.metadata, post.timeout_s, deflate=post.encoding == "deflate")
        except Exception as error:
            self._opening = None
            self._failed(error)
            return
        self._opening = None
        self._use(connection, is_kept=False)

    def _use(self, connection: WebSocketConnection, *, is_kept: bool) -> None:
        self._connection, self._is_kept, self._taken_s = connection, is_kept, time.monotonic()
        connection.own(self)
        for message in list(self._unanswered.values()):
            self._send(connection, message)

    def _send(self, connection: WebSocketConnection, message: Message) -> None:
        if isinstance(message, OursOnly) and not connection.is_ours:
            self.fail(foreign(message.refused))
        elif not self._is_over:
            connection.send(bytes(message))

    # --- what comes ------------------------------------------------------------------------------------------------------------------

    def message(self, data: bytes, is_text: bool) -> None:
        """Take a reply."""
        self._is_kept, self._leaving_since = False, None
        try:
            answer = GrpcAnswer(data)
        except RpcError as error:
            self.fail(error)
            return
        request_id = answer.request_id
        if request_id not in self._unanswered:  # a peer that does not echo ids: the oldest is as good as any
            if not self._unanswered:
                return
            request_id = next(iter(self._unanswered))
        request = self._unanswered.pop(request_id)
        outcome = (ANSWER, len(request), len(data), answer)
        if not self._post.results_in_order:
            self._give(outcome)
        else:
            self._ready[request_id] = outcome
            while self._order and self._order[0] in self._ready:
                self._give(self._ready.pop(self._order.popleft()))
        self._finish_if_done()

    def _give(self, outcome: Outcome) -> None:
        """What waits for its turn is not held: it would keep the one away that it waits for."""
        self._hold(outcome[2])
        self._deliver(outcome)

    def closed(self, code: int, reason: str) -> None:
        """Take the end of the connection."""
        connection, self._connection = self._connection, None
        now = time.monotonic()
        if not self._unanswered and self._has_ended:
            self._finish((END,))
        elif self._is_kept and now - self._taken_s < _STALE_S:  # the server had let go of it before our requests came
            self._again(0.0)
        elif not self._unanswered:
            self._attempts.n = 0  # the next request opens another
        elif code == websocket.GOING_AWAY and connection is not None and connection.is_ours and self._is_patient(now):
            self._again(_LEAVING_PAUSE_S)
        else:
            if code == websocket.OK:
                reason = reason or f"the server ended the connection with {len(self._unanswered)} request(s) unanswered"
            self._failed(closed_failure(code, reason))

    def _is_patient(self, now: float) -> bool:
        """A service of ours begins nothing once it is going away, so what it did not answer may be sent again."""
        if self._leaving_since is None:
            self._leaving_since = now
        return now - self._leaving_since < _LEAVING_S

    def _again(self, pause_s: float) -> None:
        """Make an attempt that does not count."""
        self._attempts.n -= 1
        self._pause = asyncio.get_running_loop().call_later(pause_s, self._open)

    def _failed(self, error: Exception) -> None:
        """Try again where that may help."""
        pause_s = None
        if isinstance(error, RpcError):
            pause_s = self._attempts.pause_s(error.status, error.http_status)
        if self._attempts.is_late:  # a service that keeps the time too may be the first to say so
            self._too_late()
        elif pause_s is None:
            self.fail(error)
        else:
            self._pause = asyncio.get_running_loop().call_later(pause_s, self._open)

    def _hold(self, n_bytes: int) -> None:
        self._n_held += n_bytes
        if self._n_held > _HIGH_BYTES and self._connection is not None:
            self._connection.pause()

    def _too_late(self) -> None:
        self.fail(late(f"no answer from {self._pool.authority}", self._post))

    def _finish_if_done(self) -> None:
        if self._has_ended and not self._unanswered:
            self._finish((END,))

    def _finish(self, outcome: Outcome) -> None:
        if not self._is_over:
            self.cancel()
            self._deliver(outcome)


class DocumentStream(SocketExchange):
    """A `stream_doc` call: a connection of its own, which ends with it."""

    path = "/stream_doc"

    def _may_keep(self) -> bool:
        return False

    def message(self, data: bytes, is_text: bool) -> None:
        """Take one document."""
        try:
            answer = StreamedGrpc(data)
        except RpcError as error:
            self.fail(error)
            return
        self._attempts.n = sys.maxsize  # it is not repeated after its first document
        self._hold(len(data))
        self._deliver((ANSWER, 0, len(data), answer))

    def closed(self, code: int, reason: str) -> None:
        """Take the end of the stream."""
        self._connection = None
        if code == websocket.OK:
            self._finish((END,))
        else:
            self._failed(closed_failure(code, reason))


def closed_failure(code: int, reason: str) -> RpcError:
    """Make the error for a connection that was closed with work under way."""
    status = _STATUS.get(code, GrpcStatus.INTERNAL if code < 1012 else GrpcStatus.UNAVAILABLE)
    text = reason or f"the server closed the connection with code {code}"
    kind: type[RpcError] = UnreachableError if status == GrpcStatus.UNAVAILABLE else ServiceError
    return failure(kind, text, status=status, details=text)
