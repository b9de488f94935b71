"""gRPC's server side, sans-IO: what comes of the requests; see `grpc.py`. What is sent stands in `grpc_replies.py`."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any

from jina.wire import grpc_fields, hpack, http2
from jina.wire.buffered import FULL, SMALL, Buffered
from jina.wire.grpc_events import CALL_STARTED, CANCELLED, GOAWAY, HALF_CLOSED, HTTP_BEGUN, HTTP_DATA, MESSAGE, UNARY, Event
from jina.wire.grpc_fields import Metadata, Pairs, RequestHead, retry_metadata
from jina.wire.grpc_messages import PREFIX, TURN_BYTES, Allowance, MessageError
from jina.wire.grpc_replies import REPLY, Replies
from jina.wire.grpc_side import HELD, Call
from jina.wire.http2_frames import INTERNAL_ERROR
from jina.wire.http2_limits import Http2Limits
from jina.wire.status import GRPC_STATUS, GrpcStatus


class ServerConnection(Replies):
    """One client's connection.

    Args:
        limits: Of HTTP/2.
        max_message_bytes: A larger message (as sent, or decompressed) ends its call with RESOURCE_EXHAUSTED; None for no limit.
        unary_paths: Paths of methods that take exactly one message: their calls come as UNARY only, however they were cut, and what
            is not exactly one message is answered here.
        buffered: Counts what is held; the message that there is no room for ends its call with RESOURCE_EXHAUSTED.
        refusal_metadata: Gives what to send with a status that is given here.
        takes_http: Requests that are no gRPC come as HTTP_BEGUN and HTTP_DATA, to be answered with `send_http`; else they are refused.
        takes_connect: A CONNECT with `:protocol` is one of these (RFC 8441).

    Attributes:
        is_closed: After CLOSED.
        is_drained: `goaway()` was called, and every call that the client may still hope for has ended: close the transport.
        unfolding: Streams with compressed messages that `receive` has not unfolded to their end, by their numbers. While there
            are any, `unfold` goes on with them; it is for the owner to give others their turn meanwhile.
        n_streams: Calls that have not ended.
        n_buffered_bytes: What incomplete messages hold now.
    """

    def __init__(
        self,
        *,
        limits: Http2Limits | None = None,
        max_message_bytes: int | None = 1 << 30,
        unary_paths: Container[str] = (),
        buffered: Buffered | None = None,
        refusal_metadata: Callable[[RequestHead | None], Metadata] = lambda head: (),
        takes_http: bool = False,
        takes_connect: bool = False,
    ) -> None:
        connection = http2.Connection(
            is_client=False,
            limits=limits or Http2Limits(),
            build_head=RequestHead,
            build_trailers=lambda fields, values: None,
            takes_whole=True,
            takes_connect=takes_connect,
            buffered=buffered,
        )
        super().__init__(connection, max_message_bytes, buffered, unary_paths, refusal_metadata)
        self._takes_http = takes_http
        self._fresh: dict[int, http2.Stream] = {}
        self._allowance: Allowance = Allowance()
        self.unfolding: dict[int, http2.Stream] = {}
        self._handlers |= {
            http2.HEADERS: self._on_headers,
            http2.TRAILERS: self._on_trailers,
            http2.RESET: self._on_reset,
            http2.TOO_LARGE: self._on_too_large,
            http2.GOAWAY: lambda event: self._found.append((GOAWAY, event[2], event[3])),
        }

    @property
    def is_drained(self) -> bool:
        """`goaway()` was called, and every call that the client may still hope for has ended: close the transport."""
        return self._http2.is_drained

    @property
    def awaits_head(self) -> bool:
        """The client owes us its preface, or the rest of a header block that it has begun."""
        return self._http2.awaits_head

    def end_drain(self) -> None:
        """After `goaway()`: do not wait for the client to say that it has heard; calls that begin from now on are refused."""
        self._http2.end_drain()

    def unfold(self, now: float = 0.0) -> list[Event]:
        """Go on with `unfolding` for about 3 ms; those whose turn does not come are the first next time."""
        self._found = []
        self._allowance.n_bytes = TURN_BYTES
        for number, stream in list(self.unfolding.items()):
            del self.unfolding[number]
            if self._streams.get(number) is stream:
                timeout_s = stream.head.timeout_s if stream.call.is_unary else None  # streams have their own timer
                if timeout_s is not None and now - stream.begun_at > timeout_s:
                    self._end(stream, stream.call, GrpcStatus.DEADLINE_EXCEEDED, "the request was not unfolded before its deadline")
                else:
                    self._on_data(stream, b"", False)
            if self._allowance.n_bytes <= 0:
                break
        self._announce_fresh()
        return self._found

    def _translate(self, events: list[Event]) -> list[Event]:
        found = self._found = []
        self._allowance.n_bytes = TURN_BYTES
        fresh, limit = self._fresh, self._max_message_bytes
        for event in events:
            kind = event[0]
            if kind == http2.WHOLE:
                self._on_whole(event)
                continue
            if kind != http2.DATA:
                self._handlers[kind](event)
                continue
            _, stream, data, is_end = event
            if is_end and stream.call is None and stream.number in fresh:
                size = len(data) - 5
                if size >= 0 and PREFIX.unpack_from(data) == (0, size) and (limit is None or size <= limit):
                    del fresh[stream.number]
                    found.append((UNARY, stream.number, stream.head, bytes(data[5:])))
                    continue
            self._on_data(stream, data, is_end)
        if fresh:
            self._announce_fresh()
        return found

    def _on_whole(self, event: Event) -> None:
        _, stream, data, start, end, _ = event
        head, size, limit = stream.head, end - start - 5, self._max_message_bytes
        if head.is_plain and size >= 0 and PREFIX.unpack_from(data, start) == (0, size) and (limit is None or size <= limit):
            self._found.append((UNARY, stream.number, head, data[start + 5 : end]))
        else:
            self._on_headers((http2.HEADERS, stream, False))
            self._on_data(stream, data[start:end], True)

    def _on_headers(self, event: Event) -> None:
        _, stream, is_end = event
        head: RequestHead = stream.head
        if head.refusal and self._takes_http:
            self._found.append((HTTP_BEGUN, stream.number, head))
            if is_end:
                self._found.append((HTTP_DATA, stream.number, b"", True))
        elif head.refusal:
            self._http2.send_headers(stream, hpack.encode(((":status", str(head.refusal)),)), is_end=True)
        elif head.fault is not None:
            if head.fault[0] == GrpcStatus.UNIMPLEMENTED:
                self._http2.send_headers(stream, REPLY + hpack.encode_field("grpc-accept-encoding", grpc_fields.ACCEPTED))
            self._end(stream, self._call_of(stream), *head.fault)
        else:
            self._fresh[stream.number] = stream
            if is_end:
                self._call_of(stream).is_ended = True

    def _on_data(self, stream: http2.Stream, data: Any, is_end: bool) -> None:
        if isinstance(stream.head, Exception) or (stream.call is not None and stream.call.is_done):
            return
        if stream.head.refusal:
            if self._takes_http:
                self._found.append((HTTP_DATA, stream.number, bytes(data), is_end))
            return
        call = self._call_of(stream)
        was_unfolding = call.reader is not None and call.reader.is_unfolding
        try:
            messages = self._feed(stream, call, stream.head.encoding, data) if len(data) or was_unfolding else []
        except MessageError as error:
            self._end(stream, call, error.status, error.text, retry_metadata(error.retry_after_s))
            return
        if call.is_announced:
            self._found.extend((MESSAGE, stream.number, message) for message in messages)
        else:
            call.messages += messages
            self._fresh[stream.number] = stream
        call.has_all |= is_end
        is_unfolding = call.reader is not None and call.reader.is_unfolding
        if is_unfolding != was_unfolding:  # what comes meanwhile waits, and so does its sender
            self._http2.hold(stream, HELD if is_unfolding else -HELD)
        if is_unfolding:
            self.unfolding[stream.number] = stream
            return
        if was_unfolding:
            self.unfolding.pop(stream.number, None)
        if call.has_all:
            self._on_end(stream, call)

    def _on_trailers(self, event: Event) -> None:
        """Handle what ends a request as well: fields after the messages."""
        self._on_data(event[1], b"", True)

    def _on_end(self, stream: http2.Stream, call: Call) -> None:
        call.is_ended = True
        if call.reader is not None and call.reader.n_bytes:
            self._end(stream, call, GrpcStatus.INTERNAL, "the request ends within a message")
        elif call.is_announced:
            self._found.append((HALF_CLOSED, stream.number))

    def _end(self, stream: http2.Stream, call: Call, status: GrpcStatus, text: str, metadata: Pairs = ()) -> None:
        """End a call that the peer got wrong; its handler, if there is one, hears that nobody waits."""
        call.is_done = True
        self._fresh.pop(stream.number, None)
        self.unfolding.pop(stream.number, None)
        self.refuse(stream.number, status, text, metadata)
        if call.is_announced:
            self._found.append((CANCELLED, stream.number, INTERNAL_ERROR))

    def _announce_fresh(self) -> None:
        for number, stream in list(self._fresh.items()):
            call = self._call_of(stream)
            if call.is_ended and call.n_messages == 1:
                (message,), call.messages = call.messages, []
                if call.is_counted:
                    self._http2.uncount(stream, len(message))
                self._found.append((UNARY, number, stream.head, message))
            elif call.is_unary:
                if call.is_ended or call.n_messages > 1:
                    text = f"method {stream.head.path!r} takes exactly one message, got {call.n_messages}"
                    self._end(stream, call, GrpcStatus.UNIMPLEMENTED, text)
                elif call.messages and not call.is_counted:  # it is whole, but its caller does not say that nothing follows
                    self._count_waiting(stream, call)
                continue
            else:
                self._found.append((CALL_STARTED, number, stream.head))
                self._found.extend((MESSAGE, number, message) for message in call.messages)
                call.messages = []
                if call.is_ended:
                    self._found.append((HALF_CLOSED, number))
            call.is_announced = True
        self._fresh.clear()

    def _count_waiting(self, stream: http2.Stream, call: Call) -> None:
        call.is_counted = len(call.messages[0]) > SMALL
        if call.is_counted and not self._http2.count(stream, len(call.messages[0])):
            call.is_counted, call.messages = False, []
            self._end(stream, call, GRPC_STATUS[FULL.code], FULL.description, retry_metadata(FULL.retry_after_s))

    def _on_reset(self, event: Event) -> None:
        _, stream, code, _, _ = event
        self.unfolding.pop(stream.number, None)
        if self._fresh.pop(stream.number, None) is not None and stream.call is None:
            return
        call = stream.call
        is_unary_under_way = call is None  # it came whole in one read: UNARY was given
        is_awaited = is_unary_under_way or (call.is_announced and not call.is_done)
        if is_awaited and stream.head is not None and not isinstance(stream.head, Exception):
            self._found.append((CANCELLED, stream.number, code))

    def _on_too_large(self, event: Event) -> None:
        text = f"the request's metadata passes the limits (max_header_list_bytes, max_header_fields): {event[1].head}"
        if self._takes_http:  # whether it is gRPC stood in what was not read: both kinds of caller understand this
            status = (("grpc-status", str(int(GrpcStatus.RESOURCE_EXHAUSTED))), ("grpc-message", text))
            self.send_http(event[1].number, ((":status", "431"), ("content-type", grpc_fields.CONTENT_TYPE), *status), is_end=True)
        else:
            self.refuse(event[1].number, GrpcStatus.RESOURCE_EXHAUSTED, text)
