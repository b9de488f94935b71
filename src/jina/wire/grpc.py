"""gRPC over HTTP/2 for both roles, sans-IO: bytes in, event tuples out; the owner moves the bytes and knows the time.

    connection = ServerConnection(unary_paths=UNARY)        # or ClientConnection()
    transport.write(connection.take_output())               # the preface and SETTINGS: at once, for both roles
    for event in connection.receive(data, now):             # on every read; never raises, whatever the peer sends
        ...                                                 # reply(), send_message(), ...
    transport.write(connection.take_output())               # once a turn: everything that was sent since, in one piece

Events are tuples whose first element is one of the constants below; the second is the stream's number (an int), where there is one.
A method called for a stream that is gone (reset, cancelled, ended) does nothing: whoever answers late need not know.
While the transport cannot write (`pause_writing`), its owner stops reading too: what we must answer (PING, SETTINGS) is then bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any, Final

from jina.wire import grpc_fields, hpack, http2
from jina.wire.grpc_fields import Metadata, ReplyHead, RequestHead, request_block, timeout_field
from jina.wire.grpc_messages import ENCODINGS, PREFIX, MessageError, MessageReader, compress
from jina.wire.http2_frames import CANCEL, INTERNAL_ERROR, REFUSED_STREAM
from jina.wire.http2_limits import Limits
from jina.wire.status import GrpcStatus, grpc_status_of_http, grpc_status_of_reset

__all__ = [
    "CALL_STARTED",
    "CANCELLED",
    "CLOSED",
    "ENDED",
    "GOAWAY",
    "HALF_CLOSED",
    "HEAD",
    "MESSAGE",
    "PING_ACK",
    "UNARY",
    "UNARY_REPLY",
    "WRITABLE",
    "ClientConnection",
    "Event",
    "GrpcStatus",
    "Limits",
    "Metadata",
    "ReplyHead",
    "RequestHead",
    "ServerConnection",
    "request_block",
    "timeout_field",
]

Event = tuple[Any, ...]

UNARY: Final = 1
"""Server: (UNARY, stream, head, data): a whole request of exactly one message; the only event of a call to one of `unary_paths`."""
CALL_STARTED: Final = 2
"""Server: (CALL_STARTED, stream, head): a call that is not complete yet, or has none or several messages."""
MESSAGE: Final = 3
"""Both: (MESSAGE, stream, data): one message, decompressed."""
HALF_CLOSED: Final = 4
"""Server: (HALF_CLOSED, stream): the caller sends no more messages."""
CANCELLED: Final = 5
"""Server: (CANCELLED, stream, code): the caller left (an HTTP/2 error code; 8 is CANCEL). Not given for calls never announced."""
WRITABLE: Final = 6
"""Both: (WRITABLE, stream): what was queued for this stream has left; given once after `is_writable` was False."""
PING_ACK: Final = 7
"""Both: (PING_ACK, data): the peer answered `ping(data)`."""
CLOSED: Final = 8
"""Both: (CLOSED, code, reason): the connection is over; write `take_output()`, then close the transport. Last event, given once."""
UNARY_REPLY: Final = 9
"""Client: (UNARY_REPLY, stream, data, trailers, head): an OK reply of exactly one message to `call()`."""
HEAD: Final = 10
"""Client: (HEAD, stream, head): the initial metadata of a call begun by `start()`."""
ENDED: Final = 11
"""Client: (ENDED, stream, status, message, trailers, is_unprocessed): the call is over; `status` is a gRPC status number (0 only
after `start()`); `is_unprocessed`: the peer says that it never began it, so that it may be sent again."""
GOAWAY: Final = 12
"""Client: (GOAWAY, code, text): no new calls on this connection; those that the peer will still answer go on, the others got ENDED.
Server: the client is about to leave; nothing to do."""


_HELD: Final = 1 << 40
_REPLY: Final = grpc_fields.reply_block()
_OK: Final = grpc_fields.trailers_block(0)


class _Call:
    """What a stream that is more than one read of a unary request needs."""

    __slots__ = ("encoding", "is_announced", "is_done", "is_ended", "is_manual", "is_unary", "messages", "n_messages", "reader")

    def __init__(self, *, is_unary: bool) -> None:
        self.is_unary = is_unary
        self.is_announced = self.is_ended = self.is_manual = self.is_done = False
        self.reader: MessageReader | None = None
        self.messages: list[bytes] = []
        self.n_messages = 0
        self.encoding = "identity"


def _n_held(call: _Call | None) -> int:
    return 0 if call is None or call.reader is None else call.reader.n_bytes


class _Side:
    """What both roles share."""

    def __init__(self, connection: http2.Connection, max_message_bytes: int | None) -> None:
        self._http2, self._streams, self._max_message_bytes = connection, connection.streams, max_message_bytes

    @property
    def is_closed(self) -> bool:
        """After CLOSED."""
        return self._http2.is_closed

    @property
    def n_streams(self) -> int:
        """Calls that have not ended."""
        return len(self._streams)

    @property
    def n_buffered_bytes(self) -> int:
        """What incomplete messages, and messages that wait for the peer's windows, hold now."""
        return sum(stream.n_queued + _n_held(stream.call) for stream in self._streams.values())

    def take_output(self) -> bytes:
        """Give what is to be written, in one piece; empty if nothing is."""
        return self._http2.take_output()

    def is_writable(self, stream: int) -> bool:
        """Whether little is queued for the stream. If False, WRITABLE comes, or the call's end. True for a stream that is gone."""
        found = self._streams.get(stream)
        return found is None or self._http2.is_writable(found)

    def hold(self, stream: int) -> None:
        """From now on the messages of this stream count against its window until `consumed`: a slow reader stops the sender."""
        found = self._streams.get(stream)
        if found is not None and found.call is not None:
            found.call.is_manual = True

    def consumed(self, stream: int, n_bytes: int) -> None:
        """Give back the window of messages of `n_bytes` together, after `hold`."""
        found = self._streams.get(stream)
        if found is not None:
            self._http2.hold(found, -n_bytes)

    def pause(self, stream: int) -> None:
        """Open the stream's window no further until `resume`. Once a call."""
        found = self._streams.get(stream)
        if found is not None and found.held < _HELD:
            self._http2.hold(found, _HELD)

    def resume(self, stream: int) -> None:
        """End `pause`."""
        found = self._streams.get(stream)
        if found is not None and found.held >= _HELD:
            self._http2.hold(found, -_HELD)

    def goaway(self) -> None:
        """Take no new calls, finish those under way; then `is_drained`. A client tells the server that it is leaving."""
        self._http2.goaway()

    def ping(self, data: bytes = b"\0" * 8) -> None:
        """Ask for PING_ACK; 8 bytes."""
        assert len(data) == 8
        self._http2.ping(data)

    def _feed(self, stream: http2.Stream, call: _Call, encoding: str, data: Any) -> list[bytes]:
        """Give the messages that are complete now; raises MessageError."""
        if call.reader is None:
            call.reader = MessageReader(encoding, self._max_message_bytes)
        messages = call.reader.feed(data)
        call.n_messages += len(messages)
        if call.is_manual:
            self._http2.hold(stream, sum(map(len, messages)))
        return messages

    def _send_message(self, stream: http2.Stream, message: bytes, encoding: str, *, is_end: bool = False) -> None:
        flag = 0
        if encoding != "identity":
            flag, message = 1, compress(message, encoding)
        self._http2.send_data(stream, (PREFIX.pack(flag, len(message)), message), is_end=is_end)


def _whole_message(data: Any) -> bytes | None:
    """Give the message if the data are exactly one that is not compressed."""
    if len(data) >= 5:
        flag, size = PREFIX.unpack_from(data)
        if not flag and size == len(data) - 5:
            return bytes(data[5:])
    return None


class ServerConnection(_Side):
    """One client's connection.

    Args:
        limits: An `http2_limits.Limits`.
        max_message_bytes: A larger message (as sent, or decompressed) ends its call with RESOURCE_EXHAUSTED; None for no limit.
        unary_paths: Paths of methods that take exactly one message: their calls come as UNARY only, however they were cut, and what
            is not exactly one message is answered here.

    Attributes:
        is_closed: After CLOSED.
        is_drained: `goaway()` was called, and every call that the client may still hope for has ended: close the transport.
        n_streams: Calls that have not ended.
        n_buffered_bytes: What incomplete messages hold now.
    """

    def __init__(self, *, limits: Limits | None = None, max_message_bytes: int | None = 1 << 30, unary_paths: Container[str] = ()) -> None:
        connection = http2.Connection(
            is_client=False, limits=limits or Limits(), build_head=RequestHead, build_trailers=lambda fields, values: None
        )
        super().__init__(connection, max_message_bytes)
        self._unary_paths = unary_paths
        self._fresh: dict[int, http2.Stream] = {}
        self._found: list[Event] = []
        self._handlers: dict[int, Callable[[Event], None]] = {
            http2.HEADERS: self._on_headers,
            http2.TRAILERS: self._on_trailers,
            http2.RESET: self._on_reset,
            http2.TOO_LARGE: self._on_too_large,
            http2.WRITABLE: self._on_writable,
            http2.PING_ACK: lambda event: self._found.append((PING_ACK, event[1])),
            http2.GOAWAY: lambda event: self._found.append((GOAWAY, event[2], event[3])),
            http2.CLOSED: lambda event: self._found.append((CLOSED, event[1], event[2])),
        }

    @property
    def is_drained(self) -> bool:
        """`goaway()` was called, and every call that the client may still hope for has ended: close the transport."""
        return self._http2.is_drained

    def receive(self, data: bytes, now: float = 0.0) -> list[Event]:
        """Take what was read. `now` (monotonic seconds) lets the caps on floods recover; without it they count over the whole life."""
        return self._translate(self._http2.receive(data, now))

    def eof(self) -> list[Event]:
        """The transport is gone: CANCELLED for every call under way, then CLOSED."""
        return self._translate(self._http2.eof())

    def _translate(self, events: list[Event]) -> list[Event]:
        found = self._found = []
        fresh, limit = self._fresh, self._max_message_bytes
        for event in events:
            kind = event[0]
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

    def _on_headers(self, event: Event) -> None:
        _, stream, is_end = event
        head: RequestHead = stream.head
        if head.refusal:
            self._http2.send_headers(stream, hpack.encode(((":status", str(head.refusal)),)), is_end=True)
        elif head.encoding not in ENCODINGS:
            text = f"grpc-encoding {head.encoding[:40]!r} is not known here; use one of {', '.join(ENCODINGS)}"
            self._refuse(stream, GrpcStatus.UNIMPLEMENTED, text)
        else:
            self._fresh[stream.number] = stream
            if is_end:
                self._call_of(stream).is_ended = True

    def _call_of(self, stream: http2.Stream) -> _Call:
        call: _Call | None = stream.call
        if call is None:
            call = stream.call = _Call(is_unary=stream.head.path in self._unary_paths)
        return call

    def _on_data(self, stream: http2.Stream, data: Any, is_end: bool) -> None:
        if isinstance(stream.head, Exception) or stream.head.refusal or (stream.call is not None and stream.call.is_done):
            return
        call = self._call_of(stream)
        try:
            messages = self._feed(stream, call, stream.head.encoding, data) if len(data) else []
        except MessageError as error:
            self._end(stream, call, error.status, error.text)
            return
        if call.is_announced:
            self._found.extend((MESSAGE, stream.number, message) for message in messages)
        else:
            call.messages += messages
            self._fresh[stream.number] = stream
        if is_end:
            self._on_end(stream, call)

    def _on_trailers(self, event: Event) -> None:
        """Handle what ends a request as well: fields after the messages."""
        self._on_data(event[1], b"", True)

    def _on_end(self, stream: http2.Stream, call: _Call) -> None:
        call.is_ended = True
        if call.reader is not None and call.reader.n_bytes:
            self._end(stream, call, GrpcStatus.INTERNAL, "the request ends within a message")
        elif call.is_announced:
            self._found.append((HALF_CLOSED, stream.number))

    def _end(self, stream: http2.Stream, call: _Call, status: GrpcStatus, text: str) -> None:
        """End a call that the peer got wrong; its handler, if there is one, hears that nobody waits."""
        call.is_done = True
        self._refuse(stream, status, text)
        if call.is_announced:
            self._found.append((CANCELLED, stream.number, INTERNAL_ERROR))

    def _refuse(self, stream: http2.Stream, status: GrpcStatus, text: str) -> None:
        self._fresh.pop(stream.number, None)
        self.send_status(stream.number, status, text)

    def _announce_fresh(self) -> None:
        for number, stream in list(self._fresh.items()):
            call = self._call_of(stream)
            if call.is_ended and call.n_messages == 1:
                self._found.append((UNARY, number, stream.head, call.messages[0]))
                call.messages = []
            elif call.is_unary:
                if call.is_ended or call.n_messages > 1:
                    text = f"method {stream.head.path!r} takes exactly one message, got {call.n_messages}"
                    self._end(stream, call, GrpcStatus.UNIMPLEMENTED, text)
                continue
            else:
                self._found.append((CALL_STARTED, number, stream.head))
                self._found.extend((MESSAGE, number, message) for message in call.messages)
                call.messages = []
                if call.is_ended:
                    self._found.append((HALF_CLOSED, number))
            call.is_announced = True
        self._fresh.clear()

    def _on_reset(self, event: Event) -> None:
        _, stream, code, _, _ = event
        if self._fresh.pop(stream.number, None) is not None and stream.call is None:
            return
        call = stream.call
        is_unary_under_way = call is None  # it came whole in one read: UNARY was given
        if stream.head is not None and not isinstance(stream.head, Exception) and (is_unary_under_way or call.is_announced):
            self._found.append((CANCELLED, stream.number, code))

    def _on_too_large(self, event: Event) -> None:
        text = f"the request's metadata passes the limits (max_header_list_bytes, max_header_fields): {event[1].head}"
        self._refuse(event[1], GrpcStatus.RESOURCE_EXHAUSTED, text)

    def _on_writable(self, event: Event) -> None:
        self._found.append((WRITABLE, event[1].number))

    def reply(self, stream: int, message: bytes, metadata: Metadata = ()) -> None:
        """Answer an unary call: headers, the message, status OK with trailing `metadata`."""
        found = self._streams.get(stream)
        if found is None:
            return
        trailers = grpc_fields.trailers_block(0, "", metadata) if metadata else _OK
        if found.is_begun:
            self.send_message(stream, message)
            self._http2.send_headers(found, trailers, is_end=True)
        else:
            size = len(message)
            self._http2.exchange(found, _REPLY, (PREFIX.pack(0, size), message), size + 5, trailers)

    def send_headers(self, stream: int, metadata: Metadata = (), *, encoding: str = "identity") -> None:
        """Send initial metadata now (else the first message or the status does); later messages are compressed with `encoding`."""
        found = self._streams.get(stream)
        if found is not None and not found.is_begun:
            self._http2.send_headers(found, grpc_fields.reply_block(metadata, encoding) if metadata or encoding != "identity" else _REPLY)
            if encoding != "identity":
                self._call_of(found).encoding = encoding

    def send_message(self, stream: int, message: bytes) -> None:
        """Send one message; it queues here as far as the peer's windows are shut (see `is_writable`)."""
        found = self._streams.get(stream)
        if found is not None:
            if not found.is_begun:
                self._http2.send_headers(found, _REPLY)
            self._send_message(found, message, "identity" if found.call is None else found.call.encoding)

    def send_status(self, stream: int, status: int, message: str = "", metadata: Metadata = ()) -> None:
        """End a call. Where nothing was sent yet, this is a reply of trailers only."""
        found = self._streams.get(stream)
        if found is not None:
            trailers = grpc_fields.trailers_block(status, message, metadata) if status or message or metadata else _OK
            self._http2.send_headers(found, trailers if found.is_begun else _REPLY + trailers, is_end=True)

    def reset(self, stream: int, code: int = CANCEL) -> None:
        """End a call at once, without a status."""
        if stream in self._streams:
            self._http2.reset(stream, code)


class ClientConnection(_Side):
    """One connection to a server.

    Attributes:
        is_closed, n_streams, n_buffered_bytes: As in ServerConnection.
        can_start: A call may be begun now: not going away, stream numbers left, and fewer open than the peer allows.
        max_streams: How many calls at a time the peer allows.
        is_ready: The peer's SETTINGS came.
    """

    def __init__(self, *, limits: Limits | None = None, max_message_bytes: int | None = 1 << 30) -> None:
        build = grpc_fields.build_reply_head
        connection = http2.Connection(is_client=True, limits=limits or Limits(), build_head=build, build_trailers=ReplyHead)
        super().__init__(connection, max_message_bytes)
        self._found: list[Event] = []
        self._handlers: dict[int, Callable[[Event], None]] = {
            http2.HEADERS: self._on_headers,
            http2.DATA: self._on_data,
            http2.TRAILERS: self._on_trailers,
            http2.RESET: self._on_reset,
            http2.WRITABLE: self._on_writable,
            http2.PING_ACK: lambda event: self._found.append((PING_ACK, event[1])),
            http2.GOAWAY: self._on_goaway,
            http2.CLOSED: lambda event: self._found.append((CLOSED, event[1], event[2])),
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

    def receive(self, data: bytes, now: float = 0.0) -> list[Event]:
        """Take what was read; see ServerConnection."""
        return self._translate(self._http2.receive(data, now))

    def eof(self) -> list[Event]:
        """The transport is gone: ENDED with UNAVAILABLE for every call under way, then CLOSED."""
        return self._translate(self._http2.eof())

    def _translate(self, events: list[Event]) -> list[Event]:
        found = self._found = []
        for event in events:
            self._handlers[event[0]](event)
        return found

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
        call: _Call | None = stream.call
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

    def _pass_on(self, stream: http2.Stream, call: _Call, messages: tuple[bytes, ...]) -> None:
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
        call: _Call | None = stream.call
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

    def _on_writable(self, event: Event) -> None:
        self._found.append((WRITABLE, event[1].number))

    def _on_goaway(self, event: Event) -> None:
        _, last, code, text = event
        for number in [number for number in self._streams if number > last]:
            stream = self._streams[number]
            self._http2.drop(stream)
            self._finish(stream, GrpcStatus.UNAVAILABLE, "the server is going away and did not begin the call", None, is_unprocessed=True)
        self._found.append((GOAWAY, code, text))

    def call(self, head_block: bytes, message: bytes, encoding: str = "identity") -> int:
        """Begin an unary call and send its message; UNARY_REPLY or ENDED comes. `can_start` must be True.

        With an `encoding` the message is compressed; the block must name the same in `grpc-encoding`.
        """
        flag = 0
        if encoding != "identity":
            flag, message = 1, compress(message, encoding)
        size = len(message)
        stream = self._http2.begin(head_block, (PREFIX.pack(flag, size), message), size + 5)
        stream.call = _Call(is_unary=True)
        return stream.number

    def start(self, head_block: bytes, encoding: str = "identity") -> int:
        """Begin a call of any kind: HEAD, MESSAGE... and ENDED come. `can_start` must be True.

        With an `encoding` its messages are compressed; the block must name the same in `grpc-encoding`.
        """
        stream = self._http2.start()
        self._http2.send_headers(stream, head_block)
        stream.call = _Call(is_unary=False)
        stream.call.encoding = encoding
        return stream.number

    def send_message(self, stream: int, message: bytes) -> None:
        """Send one message; it queues here as far as the peer's windows are shut (see `is_writable`)."""
        found = self._streams.get(stream)
        if found is not None:
            self._send_message(found, message, "identity" if found.call is None else found.call.encoding)

    def half_close(self, stream: int) -> None:
        """Say that no more messages come."""
        found = self._streams.get(stream)
        if found is not None:
            self._http2.send_data(found, (), is_end=True)

    def cancel(self, stream: int) -> None:
        """Leave a call: the server hears of it, and no event of this stream comes any more."""
        found = self._streams.get(stream)
        if found is not None:
            found.call = None
            self._http2.reset(stream, CANCEL)
