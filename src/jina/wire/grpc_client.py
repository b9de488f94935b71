"""gRPC's client side, sans-IO; see `grpc.py`."""

from __future__ import annotations

from typing import Any

from jina.codec.pieces import Message
from jina.wire import grpc_fields, http2
from jina.wire.buffered import Buffered
from jina.wire.grpc_events import ENDED, GOAWAY, HEAD, MESSAGE, UNARY_REPLY, Event
from jina.wire.grpc_fields import ReplyHead
from jina.wire.grpc_messages import ENCODINGS, PREFIX, MessageError, framed
from jina.wire.grpc_side import Call, Side
from jina.wire.http2_frames import CANCEL, REFUSED_STREAM
from jina.wire.http2_limits import Http2Limits
from jina.wire.status import GrpcStatus, grpc_status_of_http, grpc_status_of_reset


class ClientConnection(Side):
    """One connection to a server.

    Attributes:
        is_closed, n_streams, n_buffered_bytes: As in ServerConnection.
        can_start: A call may be begun now: not going away, stream numbers left, and fewer open than the peer allows.
        max_streams: How many calls at a time the peer allows.
        is_ready: The peer's SETTINGS came.
    """

    def __init__(
        self, *, limits: Http2Limits | None = None, max_message_bytes: int | None = 1 << 30, buffered: Buffered | None = None
    ) -> None:
        build = grpc_fields.build_reply_head
        connection = http2.Connection(
            is_client=True, limits=limits or Http2Limits(), build_head=build, build_trailers=ReplyHead, takes_whole=True, buffered=buffered
        )
        super().__init__(connection, max_message_bytes, buffered)
        self._handlers |= {
            http2.WHOLE: self._on_whole,
            http2.HEADERS: self._on_headers,
            http2.DATA: self._on_data,
            http2.TRAILERS: self._on_trailers,
            http2.RESET: self._on_reset,
            http2.GOAWAY: self._on_goaway,
        }

    @property
    def is_ready(self) -> bool:
        """The peer's SETTINGS came."""
        return self._http2.is_ready

    @property
    def can_start(self) -> bool:
        """A call may be begun now: not going away, stream numbers left, and fewer open than the peer allows."""
        return self._http2.can_start

    @property
    def max_streams(self) -> int:
        """How many calls at a time the peer allows; 100 until it says."""
        return self._http2.max_streams

    def _on_whole(self, event: Event) -> None:
        _, stream, data, start, end, trailers = event
        call: Call = stream.call
        size, limit, head = end - start - 5, self._max_message_bytes, stream.head
        is_plain = call.is_unary and head.is_plain and not trailers.status and size >= 0 and PREFIX.unpack_from(data, start) == (0, size)
        if is_plain and (limit is None or size <= limit):
            stream.call = None
            self._found.append((UNARY_REPLY, stream.number, data[start + 5 : end], trailers, head))
        else:
            self._on_headers((http2.HEADERS, stream, False))
            self._on_data((http2.DATA, stream, data[start:end], False))
            self._on_trailers((http2.TRAILERS, stream, trailers))

    def _on_headers(self, event: Event) -> None:
        _, stream, is_end = event
        head: ReplyHead = stream.head
        status = head.values[":status"]
        if is_end and head.status >= 0:
            self._finish(stream, head.status, head.message, head)
        elif status != "200":
            self._finish(stream, grpc_status_of_http(int(status)), f"the server answered with HTTP status {status}", head)
        elif not grpc_fields.is_grpc(head.values.get("content-type", "")):
            text = f"the server answered with content type {head.values.get('content-type', '')!r}, not gRPC"
            self._finish(stream, GrpcStatus.UNKNOWN, text, head)
        elif head.encoding not in ENCODINGS:
            self._finish(stream, GrpcStatus.INTERNAL, f"the server compressed with {head.encoding!r}, which was not offered", head)
        elif is_end:
            self._finish(stream, GrpcStatus.UNKNOWN, "the server ended the call without a status", head)
        elif stream.call is not None and not stream.call.is_unary:
            self._found.append((HEAD, stream.number, head))

    def _on_data(self, event: Event) -> None:
        _, stream, data, is_end = event
        call: Call | None = stream.call
        if call is None:
            return
        message = _whole_message(data) if call.reader is None and not call.is_manual and self._is_small(data) else None
        if message is not None:
            call.n_messages += 1
            self._pass_on(stream, call, (message,))
        elif len(data):
            try:
                self._pass_on(stream, call, tuple(self._feed(stream, call, stream.head.encoding, data)))
            except MessageError as error:
                self._finish(stream, error.status, error.text, stream.head)
                return
        if is_end:
            self._finish(stream, GrpcStatus.UNKNOWN, "the server ended the call without a status", stream.head)

    def _is_small(self, data: Any) -> bool:
        return self._max_message_bytes is None or len(data) <= self._max_message_bytes

    def _pass_on(self, stream: http2.Stream, call: Call, messages: tuple[bytes, ...]) -> None:
        if call.is_unary:
            call.messages += messages[: 1 - len(call.messages)]
        else:
            self._found.extend((MESSAGE, stream.number, message) for message in messages)

    def _on_trailers(self, event: Event) -> None:
        _, stream, trailers = event
        if trailers.status < 0:
            self._finish(stream, GrpcStatus.UNKNOWN, "the server ended the call without a status", trailers)
        elif not trailers.status and stream.call is not None and stream.call.reader is not None and stream.call.reader.n_bytes:
            self._finish(stream, GrpcStatus.INTERNAL, "the reply ends within a message", trailers)
        else:
            self._finish(stream, trailers.status, trailers.message, trailers)

    def _finish(self, stream: http2.Stream, status: int, text: str, trailers: ReplyHead | None, *, is_unprocessed: bool = False) -> None:
        call: Call | None = stream.call
        if call is None:
            return
        stream.call = None
        if stream.number in self._streams:  # one side has not ended: the request is not complete, or the reply is at fault
            self._http2.reset(stream.number, CANCEL)
        metadata = () if trailers is None else trailers.metadata
        if call.is_unary and not status:
            if call.n_messages == 1:
                self._found.append((UNARY_REPLY, stream.number, call.messages[0], trailers, stream.head))
                return
            status, text = GrpcStatus.UNIMPLEMENTED, f"the server answered with {call.n_messages} messages instead of one"
        self._found.append((ENDED, stream.number, int(status), text, metadata, is_unprocessed))

    def _on_reset(self, event: Event) -> None:
        _, stream, code, is_ours, reason = event
        if self.is_closed:
            self._finish(stream, GrpcStatus.UNAVAILABLE, f"the connection was lost: {reason}", None)
        elif is_ours:
            self._finish(stream, GrpcStatus.INTERNAL, f"the server broke the protocol: {reason}", None)
        else:
            text = f"the server reset the call with HTTP/2 error {code}"
            self._finish(stream, grpc_status_of_reset(code), text, None, is_unprocessed=code == REFUSED_STREAM)

    def _on_goaway(self, event: Event) -> None:
        _, last, code, text = event
        for number in [number for number in self._streams if number > last]:
            stream = self._streams[number]
            self._http2.drop(stream)
            self._finish(stream, GrpcStatus.UNAVAILABLE, "the server is going away and did not begin the call", None, is_unprocessed=True)
        self._found.append((GOAWAY, code, text))

    def call(self, head_block: bytes, message: Message, encoding: str = "identity") -> int:
        """Begin an unary call and send its message; UNARY_REPLY or ENDED comes. `can_start` must be True.

        With an `encoding` the message is compressed; the block must name the same in `grpc-encoding`.
        """
        parts = framed(message, encoding)
        stream = self._http2.begin(head_block, parts, sum(map(len, parts)))
        stream.call = Call(is_unary=True)
        return stream.number

    def start(self, head_block: bytes, encoding: str = "identity") -> int:
        """Begin a call of any kind: HEAD, MESSAGE... and ENDED come. `can_start` must be True.

        With an `encoding` its messages are compressed; the block must name the same in `grpc-encoding`.
        """
        stream = self._http2.start()
        self._http2.send_headers(stream, head_block)
        stream.call = Call(is_unary=False)
        stream.call.encoding = encoding
        return stream.number

    def send_message(self, stream: int, message: Message, *, is_compressed: bool = True) -> None:
        """Send one message; it queues here as far as the peer's windows are shut (see `is_writable`).

        Where the call has an encoding, a message may go without it.
        """
        found = self._streams.get(stream)
        if found is not None:
            self._send_message(found, message, found.call.encoding if is_compressed and found.call is not None else "identity")

    def half_close(self, stream: int) -> None:
        """Say that no more messages come."""
        found = self._streams.get(stream)
        if found is not None:
            self._http2.send_data(found, (), is_end=True)

    def has_head(self, stream: int) -> bool:
        """Whether the head of a reply has come to a call that is under way."""
        found = self._streams.get(stream)
        return found is not None and found.head is not None

    def cancel(self, stream: int) -> None:
        """Leave a call: the server hears of it, and no event of this stream comes any more."""
        found = self._streams.get(stream)
        if found is not None:
            found.call = None
            self._http2.reset(stream, CANCEL)


def _whole_message(data: Any) -> bytes | None:
    """Give the message if the data are exactly one that is not compressed."""
    if len(data) >= 5:
        flag, size = PREFIX.unpack_from(data)
        if not flag and size == len(data) - 5:
            return bytes(data[5:])
    return None
