"""Requests out, answers back: what a `post` does on the loop that owns the connections.

An exchange hears of nothing but bytes. `submit`, `end`, `consumed` and `cancel` are called on its loop; what becomes of the requests is
told through `deliver`, in tuples that begin with one of the constants below, and may be handed to another thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from jina.client.answers import Answer, GrpcAnswer
from jina.client.failures import failure_of, unreadable
from jina.client.post import Post
from jina.codec.messages import read_request
from jina.codec.pieces import Message
from jina.errors import MalformedError
from jina.transport.grpc_calls import CallEnd, StreamCall
from jina.transport.grpc_channel import GrpcChannel
from jina.wire.status import GrpcStatus

ANSWER: Final = 1
"""(ANSWER, n_request_bytes, n_answer_bytes, answer)."""
FAILED: Final = 2
"""(FAILED, exception): the last one."""
END: Final = 3
"""(END,): everything is answered; the last one."""

Outcome = tuple[Any, ...]
Deliver = Callable[[Outcome], object]


class Exchange:
    """The requests of one `post` and their answers."""

    def submit(self, request_id: str, message: Message) -> None:
        """Send a request."""
        raise NotImplementedError

    def end(self) -> None:
        """Say that no more requests come: END follows the last answer."""
        raise NotImplementedError

    def submit_last(self, request_id: str, message: Message) -> None:
        """Send a request, and say that no more come."""
        self.submit(request_id, message)
        self.end()

    def consumed(self, n_bytes: int) -> None:
        """Answers of this many bytes were taken."""

    def cancel(self) -> None:
        """Leave: nothing is delivered any more. Harmless after the end."""
        raise NotImplementedError


class SeparateExchange(Exchange):
    """Each request is a call of its own."""

    def __init__(self, answer: Callable[[str, Message], Awaitable[tuple[int, Answer]]], deliver: Deliver, *, in_order: bool) -> None:
        """Start.

        Args:
            answer: Sends one request (id, message); gives the size of the answer and the answer.
            deliver: Hears of what happens.
            in_order: Give the answers in the order of the requests.
        """
        self._answer, self._deliver, self._in_order = answer, deliver, in_order
        self._tasks: set[asyncio.Task[None]] = set()
        self._held: dict[int, Outcome] = {}
        self._n_submitted = self._n_delivered = 0
        self._has_ended = self._is_over = False

    def submit(self, request_id: str, message: Message) -> None:
        if self._is_over:
            return
        task = asyncio.get_running_loop().create_task(self._run(self._n_submitted, request_id, message))
        self._n_submitted += 1
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def end(self) -> None:
        self._has_ended = True
        self._finish()

    def cancel(self) -> None:
        self._is_over = True
        for task in list(self._tasks):
            task.cancel()

    async def _run(self, number: int, request_id: str, message: Message) -> None:
        outcome: Outcome
        try:
            size, answer = await self._answer(request_id, message)
            outcome = (ANSWER, len(message), size, answer)
        except Exception as error:
            outcome = (FAILED, error)
        if self._in_order:
            self._held[number] = outcome
            while not self._is_over and (ready := self._held.pop(self._n_delivered, None)) is not None:
                self._tell(ready)
        elif not self._is_over:
            self._tell(outcome)
        self._finish()

    def _tell(self, outcome: Outcome) -> None:
        self._n_delivered += 1
        self._deliver(outcome)
        if outcome[0] == FAILED:
            self.cancel()

    def _finish(self) -> None:
        if self._has_ended and not self._is_over and self._n_delivered == self._n_submitted:
            self._is_over = True
            self._deliver((END,))


def refused_size(message: Message, channel: GrpcChannel) -> CallEnd | None:
    """Give the end of a call whose message is larger than may be sent, else None."""
    limit = channel.options.max_send_bytes
    if limit is None or len(message) <= limit:
        return None
    text = f"sent message larger than max ({len(message)} vs. {limit}); grpc.max_send_message_length moves the limit"
    return CallEnd(GrpcStatus.RESOURCE_EXHAUSTED, text)


class _Call(StreamCall):
    """The call under a StreamExchange; after a failure that allows it the exchange makes another."""

    def __init__(self, exchange: StreamExchange, block: bytes, post: Post) -> None:
        super().__init__(block, timeout_s=post.timeout_s, encoding=post.encoding)
        self._exchange = exchange

    def on_message(self, data: bytes) -> None:
        self._exchange.answered(data)

    def on_end(self, end: CallEnd) -> None:
        self._exchange.ended(end)


class StreamExchange(Exchange):
    """All requests in one `JinaRPC/Call`. What has no answer yet is kept, and sent again where the call may be made again."""

    def __init__(self, channel: GrpcChannel, block: bytes, post: Post, deliver: Deliver) -> None:
        self._channel, self._block, self._post, self._deliver = channel, block, post, deliver
        self._unanswered: dict[str, Message] = {}
        self._call: _Call | None = None
        self._pause: asyncio.TimerHandle | None = None
        self._n_attempts = 0
        self._has_ended = self._is_over = False

    def submit(self, request_id: str, message: Message) -> None:
        if self._is_over:
            return
        if (end := refused_size(message, self._channel)) is not None:
            self._finish((FAILED, failure_of(end)))
            return
        self._unanswered[request_id] = message
        if self._call is not None:
            self._call.send(message)
        elif self._pause is None:
            self._open()

    def end(self) -> None:
        self._has_ended = True
        if self._call is not None:
            self._call.half_close()
        elif not self._n_attempts:
            self._finish((END,))

    def consumed(self, n_bytes: int) -> None:
        if self._call is not None:
            self._call.consumed(n_bytes)

    def cancel(self) -> None:
        self._is_over = True
        if self._pause is not None:
            self._pause.cancel()
        if self._call is not None:
            self._call.cancel()

    def _open(self) -> None:
        self._pause = None
        self._n_attempts += 1
        self._call = call = _Call(self, self._block, self._post)
        for message in self._unanswered.values():
            call.send(message)
        if self._has_ended:
            call.half_close()
        self._channel.start(call)

    def answered(self, data: bytes) -> None:
        """Take a reply."""
        try:
            envelope = read_request(data)
        except MalformedError as error:
            self._finish((FAILED, unreadable(error)))
            return
        request = self._unanswered.pop(envelope.request_id, None)
        if request is None and self._unanswered:  # a peer that does not echo ids: the oldest is as good as any
            request = self._unanswered.pop(next(iter(self._unanswered)))
        self._deliver((ANSWER, len(request or b""), len(data), GrpcAnswer(data, envelope)))

    def ended(self, end: CallEnd) -> None:
        """Take the end of the call, and make another where that may help."""
        self._call = None
        if not end.status:
            left = len(self._unanswered)
            if not left and self._has_ended:
                self._finish((END,))
                return
            end = CallEnd(GrpcStatus.UNKNOWN, f"the server ended the stream with {left} request(s) unanswered", end.metadata)
        pause_s = self._post.retries.pause_s(self._n_attempts, end.status)
        if pause_s is None:
            self._finish((FAILED, failure_of(end, self._n_attempts)))
        else:
            self._pause = asyncio.get_running_loop().call_later(pause_s, self._open)

    def _finish(self, outcome: Outcome) -> None:
        if not self._is_over:
            self.cancel()
            self._deliver(outcome)
