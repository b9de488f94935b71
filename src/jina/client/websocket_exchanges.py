"""What a post is on a WebSocket: gRPC's messages, and which are answered is told by their ids.

Where a post is with its connection is one of the states below, and the table has the ways between them; whether more requests come is the
caller's side of it, and apart from that. Only in KEPT and OPEN there is a connection; OPENING and PAUSED wait for something.

Jina's services answer a failure that no executor is to blame for by closing with 1011 and the reason; here that is a ConnectionError.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import deque
from enum import Enum
from typing import Final

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


class State(Enum):
    """Where a post is with its connection."""

    NEW = "nothing was asked"
    OPENING = "a connection is being opened"
    KEPT = "it has a connection of an earlier post, which has brought nothing yet: the server may have let go of it"
    OPEN = "it has a connection"
    PAUSED = "before another attempt"
    IDLE = "its connection has ended with nothing unanswered: the next request opens another"
    OVER = "its end was told, or it was left"


NEXT: Final[dict[State, frozenset[State]]] = {
    State.NEW: frozenset((State.OPENING, State.KEPT, State.OVER)),
    State.OPENING: frozenset((State.OPEN, State.PAUSED, State.OVER)),
    State.KEPT: frozenset((State.OPEN, State.PAUSED, State.OVER)),
    State.OPEN: frozenset((State.PAUSED, State.IDLE, State.OVER)),
    State.PAUSED: frozenset((State.OPENING, State.KEPT, State.OVER)),
    State.IDLE: frozenset((State.OPENING, State.KEPT, State.OVER)),
    State.OVER: frozenset(),
}


class SocketExchange(Exchange):
    """The requests of a post. What has no answer yet is kept, and sent again where the post may be made again."""

    path = "/"
    may_keep = True

    def __init__(self, pool: WebSocketPool, post: Post, deliver: Deliver) -> None:
        self._pool, self._post, self._deliver = pool, post, deliver
        self._key = (self.path, post.metadata, post.timeout_s, post.encoding)
        self._attempts = Attempts(post)
        self._unanswered: dict[str, Message] = {}
        self._order: deque[str] = deque()
        self._ready: dict[str, Outcome] = {}
        self._has_ended = False
        self._state = State.NEW
        self._connection: WebSocketConnection | None = None
        self._wait: asyncio.Task[None] | asyncio.TimerHandle | None = None
        self._late: asyncio.TimerHandle | None = None
        self._taken_s = 0.0
        self._leaving_since: float | None = None
        self._n_held = 0

    def _enter(self, state: State) -> None:
        assert state in NEXT[self._state], f"no way from {self._state} to {state}"
        self._state = state

    def submit(self, request_id: str, message: Message) -> None:
        if self._state is State.OVER:
            return
        self._unanswered[request_id] = message
        if self._post.results_in_order:
            self._order.append(request_id)
        if self._connection is not None:
            self._send(self._connection, message)
        elif self._state is State.NEW:
            self._begin()
        elif self._state is State.IDLE:
            self._open()

    def end(self) -> None:
        self._has_ended = True
        self._finish_if_done()

    def consumed(self, n_bytes: int) -> None:
        self._n_held -= n_bytes
        if self._connection is not None and self._n_held < _HIGH_BYTES:
            self._connection.resume()

    def cancel(self) -> None:
        if self._state is State.OVER:
            return
        self._enter(State.OVER)
        self._pool.users.discard(self)
        for each in (self._wait, self._late):
            if each is not None:
                each.cancel()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.resume()
            if self._unanswered or not self.may_keep:
                connection.close()
            else:
                self._pool.keep(self._key, connection)

    def fail(self, error: Exception) -> None:
        """End with a failure."""
        self._finish((FAILED, error))

    def _begin(self) -> None:
        """With the first request, which is the first thing that happens on the loop."""
        self._pool.users.add(self)
        left_s = self._attempts.left_s()
        if left_s is not None:
            self._late = asyncio.get_running_loop().call_later(left_s, self._too_late)
        self._open()

    def _open(self) -> None:
        kept = self._pool.kept(self._key) if self.may_keep and not self._attempts.n else None
        self._attempts.begin()
        if kept is not None:
            self._enter(State.KEPT)
            self._use(kept)
        else:
            self._enter(State.OPENING)
            self._wait = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        try:
            post = self._post  # the whole time is told, not what is left of it: the connection may be kept
            connection = await self._pool.open(self.path, post.metadata, post.timeout_s, deflate=post.encoding == "deflate")
        except Exception as error:
            self._wait = None
            self._failed(error)
        else:
            self._wait = None
            self._enter(State.OPEN)
            self._use(connection)

    def _use(self, connection: WebSocketConnection) -> None:
        self._connection, self._taken_s = connection, time.monotonic()
        connection.own(self)
        for message in list(self._unanswered.values()):
            self._send(connection, message)

    def _send(self, connection: WebSocketConnection, message: Message) -> None:
        if isinstance(message, OursOnly) and not connection.is_ours:
            self.fail(foreign(message.refused))
        elif self._state is not State.OVER:
            connection.send(bytes(message))

    def message(self, data: bytes, is_text: bool) -> None:
        """Take a reply."""
        self._heard()
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

    def _heard(self) -> None:
        """The server lives."""
        self._leaving_since = None
        if self._state is State.KEPT:
            self._enter(State.OPEN)

    def _give(self, outcome: Outcome) -> None:
        """What waits for its turn is not held: it would keep the one away that it waits for."""
        self._n_held += outcome[2]
        if self._n_held > _HIGH_BYTES and self._connection is not None:
            self._connection.pause()
        self._deliver(outcome)

    def closed(self, code: int, reason: str) -> None:
        """Take the end of the connection."""
        connection, self._connection = self._connection, None
        now = time.monotonic()
        if not self._unanswered:
            self._attempts.n = 0
            self._enter(State.IDLE)
        elif self._state is State.KEPT and now - self._taken_s < _STALE_S:  # the server had let go of it before our requests came
            self._again(0.0)
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
        self._pause(pause_s)

    def _failed(self, error: Exception) -> None:
        """Try again where that may help."""
        pause_s = self._attempts.pause_s(error.status, error.http_status) if isinstance(error, RpcError) else None
        if self._attempts.is_late:  # a service that keeps the time too may be the first to say so
            self._too_late()
        elif pause_s is None:
            self.fail(error)
        else:
            self._pause(pause_s)

    def _pause(self, pause_s: float) -> None:
        self._enter(State.PAUSED)
        self._wait = asyncio.get_running_loop().call_later(pause_s, self._open)

    def _too_late(self) -> None:
        self.fail(late(f"no answer from {self._pool.authority}", self._post))

    def _finish_if_done(self) -> None:
        if self._has_ended and not self._unanswered:
            self._finish((END,))

    def _finish(self, outcome: Outcome) -> None:
        if self._state is not State.OVER:
            self.cancel()
            self._deliver(outcome)


class DocumentStream(SocketExchange):
    """A `stream_doc` call: a connection of its own, which ends with it."""

    path = "/stream_doc"
    may_keep = False

    def message(self, data: bytes, is_text: bool) -> None:
        """Take one document."""
        try:
            answer = StreamedGrpc(data)
        except RpcError as error:
            self.fail(error)
            return
        self._attempts.n = sys.maxsize  # it is not repeated after its first document
        self._give((ANSWER, 0, len(data), answer))

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
