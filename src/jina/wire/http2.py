"""An HTTP/2 connection (RFC 9113) for both roles, sans-IO: bytes in, events out, and nothing it is given makes it raise.

What the peer does wrong is a StreamError or ConnectionError2 inside, and outside a reset stream or a closed connection. Large DATA frames
are passed on as they arrive, so that nothing but the layer above holds a message. What we send goes out at once as far as the windows
allow; the rest queues with its stream, and streams take turns, a frame each, as windows open. Our own windows open by themselves as data
arrives, except for what the layer above holds (`hold`): so a slow reader stops the sender.

Events (first element a constant below, second the Stream): the layer above is `grpc.py`, which turns them into calls.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from jina.wire import http2_fields as rules
from jina.wire import http2_frames as frames
from jina.wire.hpack import TABLE_SIZE_ZERO, Decoder, Field, HeaderBombError, HeaderListTooLargeError, HpackError
from jina.wire.http2_frames import ConnectionError2, StreamError
from jina.wire.http2_limits import Budget, Limits
from jina.wire.http2_states import CLOSED as STREAM_IS_CLOSED
from jina.wire.http2_states import NEXT, OPEN, RECEIVE_END, SEND_END

Event = tuple[Any, ...]
Build = Callable[[list[Field], dict[str, str]], Any]
Bytes = bytes | memoryview

HEADERS: Final = 101
"""(HEADERS, stream, is_end): `stream.head` is what `build_head` made."""
DATA: Final = 102
"""(DATA, stream, data, is_end): some bytes of the body, maybe none."""
TRAILERS: Final = 103
"""(TRAILERS, stream, what `build_trailers` made): the end of the body."""
RESET: Final = 104
"""(RESET, stream, code, is_ours, reason): the stream ended early, by the peer or by a fault of its that we found."""
TOO_LARGE: Final = 105
"""(TOO_LARGE, stream): the list of fields passes the limits; the stream waits for an answer (server)."""
WRITABLE: Final = 106
"""(WRITABLE, stream): what was queued has left; after `is_writable` was False."""
PING_ACK: Final = 107
"""(PING_ACK, data)."""
GOAWAY: Final = 108
"""(GOAWAY, last_stream, code, text)."""
CLOSED: Final = 109
"""(CLOSED, code, reason): the last event."""

_DRAIN_PING: Final = b"draining"
_STREAMED_FROM: Final = 4096
_MAX_SENT_FRAME: Final = 1 << 20
_N_REMEMBERED: Final = 2000


class Stream:
    """One stream that is not idle and not closed.

    Attributes:
        number: As on the wire.
        head: What `build_head` made of the peer's first block; None before it came.
        call: Of the layer above.
        is_begun: We sent our header block.
        held: Bytes of the peer's window that the layer above holds back.
        n_queued: Bytes that wait for the peer's windows.
    """

    __slots__ = (
        "call",
        "expected",
        "finish",
        "head",
        "held",
        "is_begun",
        "is_full",
        "n_queued",
        "number",
        "queue",
        "state",
        "unread",
        "window",
    )

    def __init__(self, number: int, window: int) -> None:
        self.number, self.state, self.window = number, OPEN, window
        self.unread, self.held, self.n_queued = 0, 0, 0
        self.head: Any = None
        self.call: Any = None
        self.expected: int | None = None
        self.queue: deque[Bytes] | None = None
        self.finish: bytes | None = None
        self.is_begun, self.is_full = False, False


class Connection:
    """One side of a connection.

    Args:
        is_client: Our role.
        limits: What the peer may do.
        build_head, build_trailers: Make what the layer above wants of a list of fields; called once for equal blocks.

    Attributes:
        streams: Those that are open in some way, by number.
        is_closed: After CLOSED.
        is_going: GOAWAY was sent or received.
        is_ready: The peer's SETTINGS came.
        max_streams: What the peer allows us to open.
    """

    def __init__(self, *, is_client: bool, limits: Limits, build_head: Build, build_trailers: Build) -> None:
        self.streams: dict[int, Stream] = {}
        self.is_closed, self.is_going, self.is_ready = False, False, False
        self.max_streams = 100 if is_client else 0  # 100 until the peer's SETTINGS come (RFC 9113, 6.5.2)
        self._is_client, self._limits = is_client, limits
        decoder = Decoder(4096, limits.max_header_list_bytes, limits.max_header_fields)
        check = rules.check_response if is_client else rules.check_request
        self._heads = rules.HeadReader(decoder, check, build_head, limits.max_blocks)
        self._trailers = rules.HeadReader(decoder, rules.check_trailers, build_trailers, limits.max_blocks)
        self._last_peer, self._last_own = 0, -1 if is_client else 0
        self._refuse_above = frames.MAX_STREAM
        self._forgotten: dict[int, None] = {}  # streams that were reset: what still comes for them is no fault
        self._window, self._peer_window, self._peer_frame = frames.DEFAULT_WINDOW, frames.DEFAULT_WINDOW, 1 << 14
        self._unread, self._credit_at, self._stream_credit_at = 0, limits.connection_window_bytes // 2, limits.stream_window_bytes // 2
        self._waiting: dict[int, Stream] = {}
        self._out: list[Bytes] = []
        self._events: list[Event] = []
        self._rest: list[bytes] = []
        self._n_missing, self._needs_preface, self._now = 0, not is_client, 0.0
        self._block: tuple[int, int, list[bytes]] | None = None  # (stream, flags, parts) of a header block under way
        self._partial: tuple[Stream | None, int, bool] | None = None  # (stream, bytes left, is_end) of a DATA frame under way
        self._must_shrink = False
        self._resets = Budget(limits.max_resets, limits.recovery_s)
        self._pings = Budget(limits.max_pings, limits.recovery_s)
        self._settings = Budget(limits.max_settings, limits.recovery_s)
        self._empties = Budget(limits.max_empty_frames, limits.recovery_s)
        self._handlers: dict[int, Callable[[int, int, bytes], None]] = {
            frames.DATA: self._on_data,
            frames.HEADERS: self._on_headers,
            frames.PRIORITY: self._on_priority,
            frames.RST_STREAM: self._on_reset,
            frames.SETTINGS: self._on_settings,
            frames.PUSH_PROMISE: self._on_push_promise,
            frames.PING: self._on_ping,
            frames.GOAWAY: self._on_goaway,
            frames.WINDOW_UPDATE: self._on_window_update,
            frames.CONTINUATION: self._on_continuation,
        }
        self._greet()

    def _greet(self) -> None:
        limits = self._limits
        values = {
            frames.MAX_CONCURRENT_STREAMS: limits.max_streams,
            frames.INITIAL_WINDOW_SIZE: limits.stream_window_bytes,
            frames.MAX_FRAME_SIZE: limits.max_frame_bytes,
            frames.MAX_HEADER_LIST_SIZE: limits.max_header_list_bytes,
        }
        if self._is_client:
            values = {frames.ENABLE_PUSH: 0, **values}
            del values[frames.MAX_CONCURRENT_STREAMS]
            self._out.append(frames.PREFACE)
        self._out.append(frames.settings(values))
        if limits.connection_window_bytes > frames.DEFAULT_WINDOW:
            self._out.append(frames.window_update(0, limits.connection_window_bytes - frames.DEFAULT_WINDOW))

    # --- receiving --------------------------------------------------------------------------------------------------------------

    def receive(self, data: bytes, now: float = 0.0) -> list[Event]:
        """Take bytes, give events; `now` in monotonic seconds."""
        if self.is_closed:
            return []
        self._now = now
        events = self._events = []
        try:
            self._read(data)
        except ConnectionError2 as error:
            self._fail(error.code, error.reason)
        return events

    def _read(self, data: bytes) -> None:
        if self._rest:
            self._rest.append(data)
            self._n_missing -= len(data)
            if self._n_missing > 0:
                return
            data = b"".join(self._rest)
            self._rest = []
        position, end, size = 0, len(data), 0
        if self._needs_preface:
            position = self._read_preface(data)
            if position < 0:
                return
        if self._partial is not None:
            position = self._continue_data(data, position)
        unpack, handlers, header_end = frames.HEADER.unpack_from, self._handlers, end - frames.HEADER_BYTES
        while position <= header_end:
            size, flags, number = unpack(data, position)
            kind = size & 0xFF
            size >>= 8
            start = position + 9
            position = start + size
            if position > end:
                is_begun = self._begin_partial(kind, flags, number, size, data, start)
                position = end if is_begun else start - 9
                break
            handler = handlers.get(kind)
            if handler is None:
                self._on_unknown(size)
                continue
            if self._block is not None and kind != frames.CONTINUATION:
                raise ConnectionError2(frames.PROTOCOL_ERROR, "a frame between HEADERS and CONTINUATION")
            if not self.is_ready and kind != frames.SETTINGS:
                raise ConnectionError2(frames.PROTOCOL_ERROR, "the first frame is not SETTINGS")
            if size > self._limits.max_frame_bytes:
                raise ConnectionError2(frames.FRAME_SIZE_ERROR, f"a frame of {size} bytes")
            try:
                handler(flags, number & 0x7FFFFFFF, data[start:position])
            except StreamError as error:
                self._spend(self._resets, "faulty streams")
                self.reset(error.stream, error.code, error.reason)
        if position < end:
            self._wait(data, position, 9 if position > header_end else size + 9)

    def _wait(self, data: bytes, position: int, n_needed: int) -> None:
        """Keep the beginning of a frame; it is joined once, when all of it is there."""
        self._rest = [data[position:]]
        self._n_missing = n_needed - (len(data) - position)

    def _read_preface(self, data: bytes) -> int:
        """Give where the frames begin, or -1 while the preface is not complete."""
        if not data.startswith(frames.PREFACE):
            if frames.PREFACE.startswith(data):
                self._wait(data, 0, len(frames.PREFACE))
                return -1
            raise ConnectionError2(frames.PROTOCOL_ERROR, "not HTTP/2: the connection preface is missing")
        self._needs_preface = False
        return len(frames.PREFACE)

    def _on_unknown(self, size: int) -> None:
        if self._block is not None or not self.is_ready:
            raise ConnectionError2(frames.PROTOCOL_ERROR, "an unknown frame where SETTINGS or CONTINUATION must come")
        if size > self._limits.max_frame_bytes:
            raise ConnectionError2(frames.FRAME_SIZE_ERROR, f"a frame of {size} bytes")
        self._spend(self._empties, "unknown frames")

    def _spend(self, budget: Budget, what: str) -> None:
        if not budget.spend(self._now):
            raise ConnectionError2(frames.ENHANCE_YOUR_CALM, f"too many {what}")

    # DATA

    def _on_data(self, flags: int, number: int, payload: Bytes) -> None:
        size = len(payload)
        stream = self._arrive(number, size, flags & frames.END_STREAM)
        if flags & frames.PADDED:
            if not size or payload[0] >= size:
                raise ConnectionError2(frames.PROTOCOL_ERROR, "padding is as long as its DATA frame")
            payload = payload[1 : size - payload[0]]
        if stream is not None:
            self._deliver(stream, payload, flags & frames.END_STREAM)

    def _arrive(self, number: int, size: int, is_end: int) -> Stream | None:
        """Count a DATA frame against both windows; give its stream, None if it is to be ignored."""
        unread = self._unread = self._unread + size
        if unread >= self._credit_at:
            if unread > self._limits.connection_window_bytes:
                raise ConnectionError2(frames.FLOW_CONTROL_ERROR, "more DATA than the connection's window")
            self._out.append(frames.window_update(0, unread))
            self._unread = 0
        stream = self.streams.get(number)
        if stream is None:
            self._on_closed(number, "DATA")
            return None
        if is_end:
            stream.unread += size
        elif not size:
            self._spend(self._empties, "empty DATA frames")
        else:
            stream.unread += size
        if stream.unread > self._limits.stream_window_bytes:
            raise StreamError(number, frames.FLOW_CONTROL_ERROR, "more DATA than the stream's window")
        if stream.head is None:
            raise StreamError(number, frames.PROTOCOL_ERROR, "DATA before HEADERS")
        if RECEIVE_END not in NEXT[stream.state]:
            raise ConnectionError2(frames.STREAM_CLOSED, f"DATA after the end of stream {number}")
        return stream

    def _deliver(self, stream: Stream, payload: Bytes, is_end: int) -> None:
        if stream.expected is not None:
            stream.expected -= len(payload)
            if stream.expected < 0 or (is_end and stream.expected):
                raise StreamError(stream.number, frames.PROTOCOL_ERROR, "content-length is not the length of the body")
        self._events.append((DATA, stream, payload, bool(is_end)))
        if is_end:
            self._peer_ended(stream)
        elif stream.unread >= self._stream_credit_at:
            self._credit(stream)

    def _begin_partial(self, kind: int, flags: int, number: int, size: int, data: bytes, start: int) -> bool:
        """Begin to pass on a DATA frame that is not complete; False: wait for the rest of this frame."""
        if not self.is_ready and kind != frames.SETTINGS:
            raise ConnectionError2(frames.PROTOCOL_ERROR, "the first frame is not SETTINGS")
        if size > self._limits.max_frame_bytes:
            raise ConnectionError2(frames.FRAME_SIZE_ERROR, f"a frame of {size} bytes")
        if kind != frames.DATA and size > self._limits.max_header_list_bytes + 256:
            raise ConnectionError2(frames.ENHANCE_YOUR_CALM, f"a frame of {size} bytes and type {kind}")
        if kind != frames.DATA or size < _STREAMED_FROM or flags & frames.PADDED or self._block is not None:
            return False
        number &= 0x7FFFFFFF
        try:
            stream = self._arrive(number, size, flags & frames.END_STREAM)
        except StreamError as error:
            self._spend(self._resets, "faulty streams")
            self.reset(number, error.code, error.reason)
            stream = None
        self._partial = (stream, size, bool(flags & frames.END_STREAM))
        self._continue_data(data, start)
        return True

    def _continue_data(self, data: bytes, start: int) -> int:
        """Pass on what is there of the DATA frame under way; give where the next frame begins."""
        assert self._partial is not None
        stream, left, is_end = self._partial
        payload = memoryview(data)[start : start + left] if start or left < len(data) else data
        left -= len(payload)
        self._partial = (stream, left, is_end) if left else None
        if stream is not None and stream.state != STREAM_IS_CLOSED and payload:
            try:
                self._deliver(stream, payload, is_end and not left)
            except StreamError as error:
                self._spend(self._resets, "faulty streams")
                self.reset(error.stream, error.code, error.reason)
        return start + len(payload)

    def _credit(self, stream: Stream) -> None:
        """Open the stream's window again by what is neither unread nor held."""
        n_bytes = stream.unread - stream.held
        if n_bytes > 0 and RECEIVE_END in NEXT[stream.state]:
            stream.unread -= n_bytes
            self._out.append(frames.window_update(stream.number, n_bytes))

    def hold(self, stream: Stream, n_bytes: int) -> None:
        """Keep the window of `n_bytes` that arrived shut; negative to give them back."""
        stream.held = held = max(0, stream.held + n_bytes)
        if n_bytes < 0 and stream.unread - held >= min(self._stream_credit_at, 1 << 16):
            self._credit(stream)

    # HEADERS and CONTINUATION

    def _on_headers(self, flags: int, number: int, payload: bytes) -> None:
        if not number:
            raise ConnectionError2(frames.PROTOCOL_ERROR, "HEADERS on stream 0")
        if flags & (frames.PADDED | frames.HAS_PRIORITY):
            payload = _strip(flags, payload)
        if flags & frames.END_HEADERS:
            self._on_block(flags, number, payload)
        else:
            self._block = (number, flags, [payload])

    def _on_continuation(self, flags: int, number: int, payload: bytes) -> None:
        if self._block is None or self._block[0] != number:
            raise ConnectionError2(frames.PROTOCOL_ERROR, "CONTINUATION without its HEADERS")
        _, first_flags, parts = self._block
        parts.append(payload)
        if len(parts) > self._limits.max_continuations + 1 or sum(map(len, parts)) > self._limits.max_header_list_bytes:
            raise ConnectionError2(frames.ENHANCE_YOUR_CALM, "a header block of too many CONTINUATION frames")
        if flags & frames.END_HEADERS:
            self._block = None
            self._on_block(first_flags, number, b"".join(parts))

    def _on_block(self, flags: int, number: int, block: bytes) -> None:
        stream = self.streams.get(number)
        reader = self._heads if stream is None or stream.head is None else self._trailers
        try:
            head, expected = reader.read(block)
        except HpackError as error:
            raise ConnectionError2(frames.COMPRESSION_ERROR, str(error)) from error
        except HeaderBombError as error:
            raise ConnectionError2(frames.ENHANCE_YOUR_CALM, str(error)) from error
        except (HeaderListTooLargeError, rules.MalformedError) as error:
            self._on_bad_block(flags, number, stream, error)
            return
        if stream is None:
            stream = self._open(number)
            if stream is None:
                return
        if reader is self._heads:
            self._on_head(stream, head, expected, flags & frames.END_STREAM)
        else:
            self._on_trailers(stream, head, flags & frames.END_STREAM)

    def _on_bad_block(self, flags: int, number: int, stream: Stream | None, error: ValueError) -> None:
        if stream is None:
            stream = self._open(number)
            if stream is None:
                return
        if self._is_client or stream.head is not None or isinstance(error, rules.MalformedError):
            code = frames.PROTOCOL_ERROR if isinstance(error, rules.MalformedError) else frames.ENHANCE_YOUR_CALM
            raise StreamError(number, code, str(error))
        stream.head = error
        self._events.append((TOO_LARGE, stream))
        if flags & frames.END_STREAM:
            self._peer_ended(stream)

    def _open(self, number: int) -> Stream | None:
        """Open a stream that the peer begins; None: it is to be ignored."""
        if number <= self._last_peer or self._is_client or not number & 1:
            self._on_closed(number, "HEADERS")
            return None
        self._last_peer = number
        if number > self._refuse_above:
            return None
        if len(self.streams) >= self._limits.max_streams:
            self._forget(number)
            raise StreamError(number, frames.REFUSED_STREAM, f"more than {self._limits.max_streams} streams")
        stream = self.streams[number] = Stream(number, self._peer_window)
        return stream

    def _on_head(self, stream: Stream, head: Any, expected: int | None, is_end: int) -> None:
        if RECEIVE_END not in NEXT[stream.state]:
            raise ConnectionError2(frames.STREAM_CLOSED, f"HEADERS after the end of stream {stream.number}")
        if self._is_client and head is None:  # an informational response (1xx)
            if is_end:
                raise StreamError(stream.number, frames.PROTOCOL_ERROR, "an informational response ends the stream")
            return
        stream.head, stream.expected = head, expected
        self._events.append((HEADERS, stream, bool(is_end)))
        if is_end:
            if expected and not self._is_client:
                raise StreamError(stream.number, frames.PROTOCOL_ERROR, "content-length is not the length of the body")
            self._peer_ended(stream)

    def _on_trailers(self, stream: Stream, trailers: Any, is_end: int) -> None:
        if RECEIVE_END not in NEXT[stream.state]:
            raise ConnectionError2(frames.STREAM_CLOSED, f"HEADERS after the end of stream {stream.number}")
        if not is_end:
            raise StreamError(stream.number, frames.PROTOCOL_ERROR, "a second block of HEADERS does not end the stream")
        if stream.expected:
            raise StreamError(stream.number, frames.PROTOCOL_ERROR, "content-length is not the length of the body")
        self._events.append((TRAILERS, stream, trailers))
        self._peer_ended(stream)

    # the other frames

    def _on_priority(self, flags: int, number: int, payload: bytes) -> None:
        if not number:
            raise ConnectionError2(frames.PROTOCOL_ERROR, "PRIORITY on stream 0")
        if len(payload) != 5:
            if number not in self.streams:  # RST_STREAM must not be sent for an idle stream
                raise ConnectionError2(frames.FRAME_SIZE_ERROR, "PRIORITY of a wrong size")
            raise StreamError(number, frames.FRAME_SIZE_ERROR, "PRIORITY of a wrong size")
        self._spend(self._empties, "PRIORITY frames")

    def _on_reset(self, flags: int, number: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise ConnectionError2(frames.FRAME_SIZE_ERROR, "RST_STREAM of a wrong size")
        if self._is_idle(number):
            raise ConnectionError2(frames.PROTOCOL_ERROR, "RST_STREAM on an idle stream")
        self._spend(self._resets, "resets")
        stream = self.streams.get(number)
        if stream is not None:
            self._forget(number)
            self.drop(stream)
            self._events.append((RESET, stream, frames.WORD.unpack(payload)[0], False, "the peer reset the stream"))

    def _on_settings(self, flags: int, number: int, payload: bytes) -> None:
        if number:
            raise ConnectionError2(frames.PROTOCOL_ERROR, "SETTINGS on a stream")
        if flags & frames.ACK:
            if payload:
                raise ConnectionError2(frames.FRAME_SIZE_ERROR, "an acknowledgement of SETTINGS is not empty")
            if not self.is_ready:
                raise ConnectionError2(frames.PROTOCOL_ERROR, "the first frame acknowledges SETTINGS")
            return
        if len(payload) % 6:
            raise ConnectionError2(frames.FRAME_SIZE_ERROR, "SETTINGS of a wrong size")
        self._spend(self._settings, "SETTINGS frames")
        if len(payload) > 6 * 64:
            raise ConnectionError2(frames.ENHANCE_YOUR_CALM, "more than 64 settings in a frame")
        if not self.is_ready:
            self.is_ready, self.max_streams = True, frames.MAX_STREAM
        for key, value in frames.read_settings(payload):
            self._set(key, value)
        self._out.append(_SETTINGS_ACK)
        self._pump()

    def _set(self, key: int, value: int) -> None:
        if key == frames.INITIAL_WINDOW_SIZE:
            if value > frames.MAX_WINDOW:
                raise ConnectionError2(frames.FLOW_CONTROL_ERROR, f"an initial window of {value}")
            self._move_windows(value - self._peer_window)
            self._peer_window = value
        elif key == frames.MAX_FRAME_SIZE:
            if not 1 << 14 <= value < 1 << 24:
                raise ConnectionError2(frames.PROTOCOL_ERROR, f"a maximum frame size of {value}")
            self._peer_frame = value
        elif key == frames.HEADER_TABLE_SIZE:
            self._must_shrink = self._must_shrink or value < 4096
        elif key == frames.ENABLE_PUSH:
            if value > (0 if self._is_client else 1):
                raise ConnectionError2(frames.PROTOCOL_ERROR, f"ENABLE_PUSH is {value}")
        elif key == frames.MAX_CONCURRENT_STREAMS:
            self.max_streams = value

    def _move_windows(self, by: int) -> None:
        for stream in self.streams.values():
            stream.window += by
            if stream.window > frames.MAX_WINDOW:
                raise ConnectionError2(frames.FLOW_CONTROL_ERROR, "an initial window that makes a stream's too large")
            if stream.queue and stream.window > 0:
                self._waiting[stream.number] = stream

    def _on_push_promise(self, flags: int, number: int, payload: bytes) -> None:
        raise ConnectionError2(frames.PROTOCOL_ERROR, "PUSH_PROMISE, which nobody may send here")

    def _on_ping(self, flags: int, number: int, payload: bytes) -> None:
        if number:
            raise ConnectionError2(frames.PROTOCOL_ERROR, "PING on a stream")
        if len(payload) != 8:
            raise ConnectionError2(frames.FRAME_SIZE_ERROR, "PING of a wrong size")
        if not flags & frames.ACK:
            self._spend(self._pings, "PING frames")
            self._out.append(frames.frame(frames.PING, frames.ACK, 0, payload))
        elif payload == _DRAIN_PING and self.is_going:
            self._end_drain()
        else:
            self._events.append((PING_ACK, payload))

    def _on_goaway(self, flags: int, number: int, payload: bytes) -> None:
        if number:
            raise ConnectionError2(frames.PROTOCOL_ERROR, "GOAWAY on a stream")
        if len(payload) < 8:
            raise ConnectionError2(frames.FRAME_SIZE_ERROR, "GOAWAY of a wrong size")
        self._spend(self._settings, "GOAWAY frames")
        self.is_going = self.is_going or self._is_client
        self._events.append((GOAWAY, *frames.read_goaway(payload)))

    def _on_window_update(self, flags: int, number: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise ConnectionError2(frames.FRAME_SIZE_ERROR, "WINDOW_UPDATE of a wrong size")
        by = frames.WORD.unpack(payload)[0] & 0x7FFFFFFF
        if not number:
            self._window += by
            if not by or self._window > frames.MAX_WINDOW:
                raise ConnectionError2(frames.FLOW_CONTROL_ERROR if by else frames.PROTOCOL_ERROR, f"WINDOW_UPDATE by {by}")
        else:
            self._open_window(number, by)
        if self._waiting:
            self._pump()
        elif by < 256:
            self._spend(self._empties, "small WINDOW_UPDATE frames")

    def _open_window(self, number: int, by: int) -> None:
        stream = self.streams.get(number)
        if stream is None:
            if self._is_idle(number):
                raise ConnectionError2(frames.PROTOCOL_ERROR, "WINDOW_UPDATE on an idle stream")
            return
        stream.window += by
        if not by or stream.window > frames.MAX_WINDOW:
            raise StreamError(number, frames.FLOW_CONTROL_ERROR if by else frames.PROTOCOL_ERROR, f"WINDOW_UPDATE by {by}")
        if stream.queue and stream.window > 0:
            self._waiting[number] = stream

    # --- streams that end ---------------------------------------------------------------------------------------------------------

    def _is_idle(self, number: int) -> bool:
        if not number:
            return True
        is_own = bool(number & 1) == self._is_client
        return number > (self._last_own if is_own else self._last_peer)

    def _on_closed(self, number: int, what: str) -> None:
        """Judge a frame for a stream that is not open: forgiven only where we, or the peer, reset it or we refused it."""
        if self._is_idle(number):
            raise ConnectionError2(frames.PROTOCOL_ERROR, f"{what} on stream {number}, which is idle")
        if number not in self._forgotten and number <= self._refuse_above:
            raise ConnectionError2(frames.STREAM_CLOSED, f"{what} on stream {number}, which is closed")

    def _peer_ended(self, stream: Stream) -> None:
        self._move(stream, RECEIVE_END)

    def _move(self, stream: Stream, what: str) -> None:
        stream.state = state = NEXT[stream.state][what]
        if state == STREAM_IS_CLOSED:
            self.streams.pop(stream.number, None)
            self._resets.give_back()

    def _we_ended(self, stream: Stream) -> None:
        """A server that has answered does not want the rest of the request."""
        self._move(stream, SEND_END)
        if not self._is_client and stream.state != STREAM_IS_CLOSED:
            self._out.append(frames.rst_stream(stream.number, frames.NO_ERROR))
            self._forget(stream.number)
            self.drop(stream)

    def drop(self, stream: Stream) -> None:
        """Forget a stream without a word."""
        stream.state, stream.queue = STREAM_IS_CLOSED, None
        self._waiting.pop(stream.number, None)
        self.streams.pop(stream.number, None)

    def _forget(self, number: int) -> None:
        if len(self._forgotten) >= _N_REMEMBERED:
            del self._forgotten[next(iter(self._forgotten))]
        self._forgotten[number] = None

    def reset(self, number: int, code: int, reason: str = "") -> None:
        """End a stream at once; with a `reason` (the peer's fault) the layer above hears of it."""
        self._out.append(frames.rst_stream(number, code))
        self._forget(number)
        stream = self.streams.get(number)
        if stream is not None:
            self.drop(stream)
            if reason:
                self._events.append((RESET, stream, code, True, reason))

    def _fail(self, code: int, reason: str) -> None:
        self._out.append(frames.goaway(self._last_peer, code, reason))
        self._close(code, reason)

    def _close(self, code: int, reason: str) -> None:
        self.is_closed = self.is_going = True
        for stream in self.streams.values():
            stream.state, stream.queue = STREAM_IS_CLOSED, None
            self._events.append((RESET, stream, code, False, reason))
        self.streams.clear()
        self._waiting.clear()
        self._rest, self._block, self._partial = [], None, None
        self._events.append((CLOSED, code, reason))

    def eof(self) -> list[Event]:
        """The transport is gone."""
        if self.is_closed:
            return []
        self._events = []
        self._close(frames.CANCEL, "the connection was closed")
        return self._events

    # --- sending ------------------------------------------------------------------------------------------------------------------

    def take_output(self) -> bytes:
        """Give what is to be written."""
        out = self._out
        if not out:
            return b""
        self._out = []
        return b"".join(out)

    @property
    def can_start(self) -> bool:
        """Whether a client may open a stream now."""
        return not self.is_going and len(self.streams) < self.max_streams and self._last_own < frames.MAX_STREAM - 1

    def start(self) -> Stream:
        """Open a stream (client)."""
        self._last_own = number = self._last_own + 2
        stream = self.streams[number] = Stream(number, self._peer_window)
        return stream

    def send_headers(self, stream: Stream, block: bytes, *, is_end: bool = False) -> None:
        """Send a header block; trailers wait behind queued data."""
        if stream.state == STREAM_IS_CLOSED:
            return
        if stream.queue:
            stream.finish = block
            return
        if self._must_shrink:
            self._must_shrink, block = False, TABLE_SIZE_ZERO + block
        stream.is_begun = True
        self._out.append(frames.headers(stream.number, block, frames.END_STREAM if is_end else 0, self._peer_frame))
        if is_end:
            self._we_ended(stream)

    def send_data(self, stream: Stream, parts: tuple[bytes, ...], *, is_end: bool = False) -> None:
        """Send a body's next bytes."""
        if stream.state == STREAM_IS_CLOSED:
            return
        size = sum(map(len, parts))
        if not stream.queue and (not size or (size <= stream.window and size <= self._window and size <= self._peer_frame)):
            stream.window -= size
            self._window -= size
            self._out.append(frames.HEADER.pack(size << 8, 1 if is_end else 0, stream.number))
            self._out.extend(parts)
            if is_end:
                self._we_ended(stream)
            return
        if stream.queue is None:
            stream.queue = deque()
        stream.queue.extend(memoryview(part) for part in parts if part)
        stream.n_queued += size
        if is_end:
            stream.finish = b""
        if stream.window > 0:
            self._waiting[stream.number] = stream
            self._pump()

    def exchange(self, stream: Stream, block: bytes, body: tuple[bytes, ...], size: int, trailers: bytes) -> None:
        """Answer with a header block, a body of `size` bytes and trailers, at once where the windows allow: the hot path."""
        if (
            stream.queue is None
            and size <= stream.window
            and size <= self._window
            and size <= self._peer_frame
            and not self._must_shrink
            and len(trailers) <= 16384
        ):
            self._window -= size
            pack, number = frames.HEADER.pack, stream.number
            self._out += (pack(len(block) << 8 | 1, 4, number), block, pack(size << 8, 0, number), *body)
            self._out += (pack(len(trailers) << 8 | 1, 5, number), trailers)
            self._we_ended(stream)
            return
        self.send_headers(stream, block)
        self.send_data(stream, body)
        self.send_headers(stream, trailers, is_end=True)

    def begin(self, block: bytes, body: tuple[bytes, ...], size: int) -> Stream:
        """Open a stream with a whole request: the client's hot path."""
        stream = self.start()
        self.send_headers(stream, block)
        self.send_data(stream, body, is_end=True)
        return stream

    def _pump(self) -> None:
        """Send what the windows allow, a frame a stream in turn."""
        waiting = self._waiting
        while waiting and self._window > 0:
            number = next(iter(waiting))
            stream = waiting.pop(number)
            self._send_frame(stream)
            if stream.queue and stream.window > 0:
                waiting[number] = stream

    def _send_frame(self, stream: Stream) -> None:
        assert stream.queue is not None
        room = min(self._window, stream.window, self._peer_frame, _MAX_SENT_FRAME)
        parts, size = _take(stream.queue, room)
        stream.window -= size
        self._window -= size
        stream.n_queued -= size
        is_end = stream.finish == b"" and not stream.queue
        self._out.append(frames.HEADER.pack(size << 8, 1 if is_end else 0, stream.number))
        self._out.extend(parts)
        if stream.is_full and stream.n_queued <= self._limits.max_queued_bytes // 2:
            stream.is_full = False
            self._events.append((WRITABLE, stream))
        if not stream.queue and stream.finish is not None:
            if is_end:
                self._we_ended(stream)
            else:
                self.send_headers(stream, stream.finish, is_end=True)

    def is_writable(self, stream: Stream) -> bool:
        """Whether little is queued; if not, WRITABLE will come."""
        if stream.n_queued <= self._limits.max_queued_bytes:
            return True
        stream.is_full = True
        return False

    def ping(self, data: bytes) -> None:
        """Send PING."""
        self._out.append(frames.frame(frames.PING, 0, 0, data))

    def goaway(self) -> None:
        """Begin to drain: a server first warns, and refuses only what begins after the peer must have heard (RFC 9113, 6.8)."""
        if self.is_going and (not self._is_client or self.is_closed):
            return
        self.is_going = True
        if self._is_client:
            self._out.append(frames.goaway(0, frames.NO_ERROR))
        else:
            self._out.append(frames.goaway(frames.MAX_STREAM, frames.NO_ERROR))
            self.ping(_DRAIN_PING)

    def _end_drain(self) -> None:
        if self._refuse_above == frames.MAX_STREAM:
            self._refuse_above = self._last_peer
            self._out.append(frames.goaway(self._last_peer, frames.NO_ERROR))

    @property
    def is_drained(self) -> bool:
        """Whether draining is over: the last stream is told, and all have ended."""
        return self.is_closed or (self._refuse_above != frames.MAX_STREAM and not self.streams)


_SETTINGS_ACK: Final = frames.frame(frames.SETTINGS, frames.ACK, 0)


def _strip(flags: int, payload: bytes) -> bytes:
    """Take padding and priority off a HEADERS frame."""
    start, end = 0, len(payload)
    if flags & frames.PADDED:
        start, end = 1, end - (payload[0] if payload else 0)
    if flags & frames.HAS_PRIORITY:
        start += 5
    if start > end:
        raise ConnectionError2(frames.PROTOCOL_ERROR, "padding or priority is longer than its HEADERS frame")
    return payload[start:end]


def _take(queue: deque[Bytes], room: int) -> tuple[list[Bytes], int]:
    """Take up to `room` bytes off the queue."""
    parts, size = [], 0
    while queue and size < room:
        part = queue.popleft()
        if size + len(part) > room:
            queue.appendleft(part[room - size :])
            part = part[: room - size]
        parts.append(part)
        size += len(part)
    return parts, size
