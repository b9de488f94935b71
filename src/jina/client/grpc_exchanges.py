"""What a post is on a gRPC channel, where it is more than a call for each request: one call for all, or a stream of documents."""

from __future__ import annotations

import asyncio

from jina.client.answers import GrpcAnswer, StreamedGrpc
from jina.client.attempts import Attempts
from jina.client.exchange import ANSWER, END, FAILED, Deliver, Exchange, Outcome
from jina.client.failures import RpcError, failure_of
from jina.client.post import Post
from jina.codec.pieces import Message
from jina.transport.grpc_calls import CallEnd, StreamCall
from jina.transport.grpc_channel import GrpcChannel
from jina.wire.status import GrpcStatus


def refused_size(message: Message, channel: GrpcChannel) -> CallEnd | None:
    """Give the end of a call whose message is larger than may be sent, else None."""
    limit = channel.options.max_send_bytes
    if limit is None or len(message) <= limit:
        return None
    text = f"sent message larger than max ({len(message)} vs. {limit}); grpc.max_send_message_length moves the limit"
    return CallEnd(GrpcStatus.RESOURCE_EXHAUSTED, text)


class _Call(StreamCall):
    """The call under a CallExchange; after a failure that allows it the exchange makes another."""

    def __init__(self, exchange: CallExchange, block: bytes, timeout_s: float | None, encoding: str) -> None:
        super().__init__(block, timeout_s=timeout_s, encoding=encoding)
        self._exchange = exchange

    def on_message(self, data: bytes) -> None:
        self._exchange.answered(data)

    def on_end(self, end: CallEnd) -> None:
        self._exchange.ended(end)


class CallExchange(Exchange):
    """All requests in one `JinaRPC/Call`. What has no answer yet is kept, and sent again where the call may be made again."""

    def __init__(self, channel: GrpcChannel, block: bytes, post: Post, attempts: Attempts, deliver: Deliver) -> None:
        self._channel, self._block, self._post, self._attempts, self._deliver = channel, block, post, attempts, deliver
        self._unanswered: dict[str, Message] = {}
        self._call: _Call | None = None
        self._pause: asyncio.TimerHandle | None = None
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
        elif not self._attempts.n:
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
        self._call = call = _Call(self, self._block, self._attempts.begin(), self._post.encoding)
        for message in self._unanswered.values():
            call.send(message)
        if self._has_ended:
            call.half_close()
        self._channel.start(call)

    def answered(self, data: bytes) -> None:
        """Take a reply."""
        try:
            answer = GrpcAnswer(data)
        except RpcError as error:
            self._finish((FAILED, error))
            return
        request = self._unanswered.pop(answer.request_id, None)
        if request is None and self._unanswered:  # a peer that does not echo ids: the oldest is as good as any
            request = self._unanswered.pop(next(iter(self._unanswered)))
        self._deliver((ANSWER, len(request or b""), len(data), answer))

    def ended(self, end: CallEnd) -> None:
        """Take the end of the call, and make another where that may help."""
        self._call = None
        if not end.status:
            left = len(self._unanswered)
            if not left and self._has_ended:
                self._finish((END,))
                return
            end = CallEnd(GrpcStatus.UNKNOWN, f"the server ended the stream with {left} request(s) unanswered", end.metadata)
        pause_s = self._attempts.pause_s(end.status)
        if pause_s is None:
            self._finish((FAILED, failure_of(end, self._attempts.n, self._post)))
        else:
            self._pause = asyncio.get_running_loop().call_later(pause_s, self._open)

    def _finish(self, outcome: Outcome) -> None:
        if not self._is_over:
            self.cancel()
            self._deliver(outcome)


class _DocumentCall(StreamCall):
    """The call under a DocumentStream."""

    def __init__(self, block: bytes, post: Post, attempts: Attempts, deliver: Deliver) -> None:
        super().__init__(block, timeout_s=attempts.begin(), encoding=post.encoding)
        self._post, self._deliver = post, deliver

    def on_message(self, data: bytes) -> None:
        try:
            self._deliver((ANSWER, 0, len(data), StreamedGrpc(data)))
        except RpcError as error:
            self.cancel()
            self._deliver((FAILED, error))

    def on_end(self, end: CallEnd) -> None:
        self._deliver((FAILED, failure_of(end, post=self._post)) if end.status else (END,))


class DocumentStream(Exchange):
    """A `stream_doc` call."""

    def __init__(self, channel: GrpcChannel, block: bytes, post: Post, attempts: Attempts, deliver: Deliver) -> None:
        self._channel, self._call = channel, _DocumentCall(block, post, attempts, deliver)

    def submit(self, request_id: str, message: Message) -> None:
        self._call.send(message)
        self._call.half_close()
        self._channel.start(self._call)

    def consumed(self, n_bytes: int) -> None:
        self._call.consumed(n_bytes)

    def cancel(self) -> None:
        self._call.cancel()
