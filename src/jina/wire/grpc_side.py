"""What the two roles of a gRPC connection share: streams by their numbers, windows, messages in both directions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from jina.codec.pieces import Bytes, Message
from jina.wire import http2
from jina.wire.buffered import FULL, SMALL, Buffered
from jina.wire.grpc_events import CLOSED, PING_ACK, WRITABLE, Event
from jina.wire.grpc_messages import Allowance, MessageError, MessageReader, framed
from jina.wire.status import GRPC_STATUS

HELD: Final = 1 << 40


class Call:
    """What a stream that is more than one read of a unary request needs.

    Attributes:
        has_all: The peer has sent its last byte.
        is_ended: And all of its messages are read.
        is_counted: The message that waits for its call's end is counted as held.
    """

    __slots__ = (
        *("encoding", "has_all", "is_announced", "is_counted", "is_done", "is_ended", "is_manual", "is_unary"),
        *("messages", "n_messages", "n_seen", "reader", "seen_at"),
    )

    def __init__(self, *, is_unary: bool) -> None:
        self.is_unary = is_unary
        self.has_all = self.is_announced = self.is_counted = self.is_ended = self.is_manual = self.is_done = False
        self.reader: MessageReader | None = None
        self.messages: list[bytes] = []
        self.n_messages, self.n_seen, self.seen_at = 0, 0, 0.0
        self.encoding = "identity"


def _n_held(call: Call | None) -> int:
    if call is None:
        return 0
    return (0 if call.reader is None else call.reader.n_bytes) + sum(map(len, call.messages))


class Side:
    """What both roles share."""

    def __init__(self, connection: http2.Connection, max_message_bytes: int | None, buffered: Buffered | None = None) -> None:
        self._buffered = buffered
        self._allowance: Allowance | None = None  # a client waits for its replies: they are unfolded at once
        self._http2, self._streams, self._max_message_bytes = connection, connection.streams, max_message_bytes
        self._found: list[Event] = []
        self._handlers: dict[int, Callable[[Event], None]] = {
            http2.WRITABLE: lambda event: self._found.append((WRITABLE, event[1].number)),
            http2.PING_ACK: lambda event: self._found.append((PING_ACK, event[1])),
            http2.CLOSED: lambda event: self._found.append((CLOSED, event[1], event[2])),
        }

    def receive(self, data: bytes, now: float = 0.0) -> list[Event]:
        """Take what was read. `now` (monotonic seconds) lets the caps on floods recover; without it they count over the whole life."""
        return self._translate(self._http2.receive(data, now))

    def eof(self) -> list[Event]:
        """The transport is gone: CANCELLED (server) or ENDED with UNAVAILABLE (client) for every call under way, then CLOSED."""
        return self._translate(self._http2.eof())

    def _translate(self, events: list[Event]) -> list[Event]:
        found = self._found = []
        for event in events:
            self._handlers[event[0]](event)
        return found

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

    def take_pieces(self) -> list[Bytes]:
        """Give the same in pieces, for `writelines`: large ones are not copied."""
        return self._http2.take_pieces()

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
        if found is not None and found.held < HELD:
            self._http2.hold(found, HELD)

    def resume(self, stream: int) -> None:
        """End `pause`."""
        found = self._streams.get(stream)
        if found is not None and found.held >= HELD:
            self._http2.hold(found, -HELD)

    def count(self, stream: int, n_bytes: int) -> bool:
        """Count a message that is held for a call, until `uncount` or the call's end; False if that is too much."""
        found = self._streams.get(stream)
        return found is None or self._http2.count(found, n_bytes)

    def uncount(self, stream: int, n_bytes: int) -> None:
        """The message is held no more."""
        found = self._streams.get(stream)
        if found is not None:
            self._http2.uncount(found, n_bytes)

    def stalled(self, now: float, limit_s: float, *, is_blocked: bool) -> list[int]:
        """Give the streams that hold bytes, queued or of half a message, of which for so long none has moved. See `http2`'s."""
        found = {stream.number for stream in self._http2.stalled(now, limit_s, is_blocked=is_blocked)}
        for stream in self._streams.values():
            call = stream.call
            n_held = _n_held(call)
            if not n_held:
                continue
            if n_held != call.n_seen or is_blocked or stream.held:
                call.n_seen, call.seen_at = n_held, now
            elif now - call.seen_at > limit_s:
                found.add(stream.number)
        return sorted(found)

    def goaway(self) -> None:
        """Take no new calls, finish those under way; then `is_drained`. A client tells the server that it is leaving."""
        self._http2.goaway()

    def ping(self, data: bytes = b"\0" * 8) -> None:
        """Ask for PING_ACK; 8 bytes."""
        assert len(data) == 8
        self._http2.ping(data)

    def _feed(self, stream: http2.Stream, call: Call, encoding: str, data: Any) -> list[bytes]:
        """Give the messages that are complete now; raises MessageError."""
        if call.reader is None:
            call.reader = MessageReader(encoding, self._max_message_bytes, self._buffered, self._allowance)
        before = call.reader.n_bytes
        messages = call.reader.feed(data)
        call.n_messages += len(messages)
        self._count_partial(stream, before, call.reader.n_bytes)
        if call.is_manual:
            self._http2.hold(stream, sum(map(len, messages)))
        return messages

    def _count_partial(self, stream: http2.Stream, before: int, after: int) -> None:
        n_more = (after if after > SMALL else 0) - (before if before > SMALL else 0)
        if n_more <= 0:
            self._http2.uncount(stream, -n_more)
        elif not self._http2.count(stream, n_more):
            raise MessageError(GRPC_STATUS[FULL.code], FULL.description, FULL.retry_after_s)

    def _send_message(self, stream: http2.Stream, message: Message, encoding: str, *, is_end: bool = False) -> None:
        self._http2.send_data(stream, framed(message, encoding), is_end=is_end)
