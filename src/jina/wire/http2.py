"""An HTTP/2 connection (RFC 9113) for both roles, sans-IO: bytes in, events out, and nothing it is given makes it raise.

What the peer does wrong is a StreamError or ConnectionError2 inside, and outside a reset stream or a closed connection. Large DATA frames
are passed on as they arrive, so that nothing but the layer above holds a message. What we send goes out at once as far as the windows
allow; the rest queues with its stream, and streams take turns, a frame each, as windows open. Our own windows open by themselves as data
arrives, except for what the layer above holds (`hold`): so a slow reader stops the sender.

The layer above is `grpc.py`, which turns the events (`http2_stream`) into calls. A connection is one class in five files, each of which
needs only those before it: `http2_sending`, `http2_control`, `http2_content`, `http2_whole`, and here the cutting of bytes into frames.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from jina.wire import http2_frames as frames
from jina.wire.buffered import Buffered
from jina.wire.http2_content import Build
from jina.wire.http2_frames import ConnectionError2, StreamError
from jina.wire.http2_limits import Http2Limits
from jina.wire.http2_states import CLOSED as STREAM_IS_CLOSED
from jina.wire.http2_stream import CLOSED, DATA, GOAWAY, HEADERS, PING_ACK, RESET, TOO_LARGE, TRAILERS, WHOLE, WRITABLE, Event, Stream
from jina.wire.http2_whole import Whole

__all__ = [
    "CLOSED",
    "DATA",
    "GOAWAY",
    "HEADERS",
    "PING_ACK",
    "RESET",
    "TOO_LARGE",
    "TRAILERS",
    "WHOLE",
    "WRITABLE",
    "Connection",
    "Event",
    "Stream",
]

_STREAMED_FROM: Final = 4096


class Connection(Whole):
    """One side of a connection.

    Args:
        is_client: Our role.
        limits: What the peer may do.
        build_head, build_trailers: Make what the layer above wants of a list of fields; called once for equal blocks.
        buffered: Counts what is held.
        takes_whole: Give whole requests and replies as WHOLE where their frames come together.
        takes_connect: Server: requests with `:protocol` are allowed (RFC 8441). A CONNECT that is answered with 200 is a tunnel: after our
            end of it the peer's stays open, and whoever does not want that resets it.

    Attributes:
        streams: Those that are open in some way, by number.
        is_closed: After CLOSED.
        is_going: GOAWAY was sent or received.
        is_ready: The peer's SETTINGS came.
        max_streams: What the peer allows us to open.
        peer_takes_connect: Client: the server allows requests with `:protocol`.
    """

    def __init__(
        self,
        *,
        is_client: bool,
        limits: Http2Limits,
        build_head: Build,
        build_trailers: Build,
        buffered: Buffered | None = None,
        takes_whole: bool = False,
        takes_connect: bool = False,
    ) -> None:
        build = (build_head, build_trailers)
        super().__init__(is_client=is_client, limits=limits, build=build, buffered=buffered, takes_connect=takes_connect)
        self._takes_whole = takes_whole
        self._rest = bytearray()
        self._n_missing, self._needs_preface = 0, not is_client
        self._partial: tuple[Stream | None, int, int, bool] | None = None  # (stream, bytes left, padding, is_end) of DATA under way
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
        self._greet(takes_connect=takes_connect)

    def _greet(self, *, takes_connect: bool) -> None:
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
        elif takes_connect:
            values[frames.ENABLE_CONNECT_PROTOCOL] = 1
        self._out.append(frames.settings(values))
        if limits.connection_window_bytes > frames.DEFAULT_WINDOW:
            self._out.append(frames.window_update(0, limits.connection_window_bytes - frames.DEFAULT_WINDOW))

    @property
    def awaits_head(self) -> bool:
        """The peer owes us its preface and SETTINGS, the rest of a header block, or (with no stream open) of whatever frame it began."""
        return not self.is_ready or self._block is not None or (bool(self._rest) and not self.streams)

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
            self._rest += data
            self._n_missing -= len(data)
            if self._n_missing > 0 and not self._needs_preface:  # a preface is refused at its first wrong byte, however it is cut
                return
            data, self._rest = bytes(self._rest), bytearray()
        position, end, size = 0, len(data), 0
        if self._needs_preface:
            position = self._read_preface(data)
            if position < 0:
                return
        if self._partial is not None:
            position = self._continue_data(data, position)
        takes_whole = self._takes_whole
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
                size = 1 if start == end else size  # the first byte tells how much of a padded frame is to be passed on
                break
            if flags == frames.END_HEADERS and kind == frames.HEADERS and takes_whole and self._block is None and self.is_ready:
                behind = self._read_whole(data, number, start, position)
                if behind:
                    position = behind
                    continue
            if size > frames.MIN_MAX_FRAME or self._block is not None or not self.is_ready:
                self._check_frame(kind, size)
            handler = handlers.get(kind)
            if handler is None:
                self._spend(self._empties, "unknown frames")
                continue
            try:
                handler(flags, number & 0x7FFFFFFF, data[start:position])
            except StreamError as error:
                self._fault(error)
        if position < end:
            self._wait(data, position, 9 if position > header_end else size + 9)

    def _wait(self, data: bytes, position: int, n_needed: int) -> None:
        """Keep the beginning of a frame; it is joined once, when all of it is there."""
        self._rest += data[position:]
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

    def _check_frame(self, kind: int, size: int) -> None:
        """Refuse a frame where another kind must come, or one that is too large, as soon as its header is there."""
        if not self.is_ready and kind != frames.SETTINGS:
            raise ConnectionError2(frames.PROTOCOL_ERROR, "the first frame is not SETTINGS")
        if self._block is not None and kind != frames.CONTINUATION:
            raise ConnectionError2(frames.PROTOCOL_ERROR, "a frame between HEADERS and CONTINUATION")
        if size > self._limits.max_frame_bytes:
            raise ConnectionError2(frames.FRAME_SIZE_ERROR, f"a frame of {size} bytes")
        if kind != frames.DATA and size > max(self._max_block_bytes, frames.MIN_MAX_FRAME):
            raise ConnectionError2(frames.ENHANCE_YOUR_CALM, f"a frame of {size} bytes and type {kind}")

    def _begin_partial(self, kind: int, flags: int, number: int, size: int, data: bytes, start: int) -> bool:
        """Begin to pass on a DATA frame that is not complete; False: wait for the rest of this frame."""
        self._check_frame(kind, size)
        if kind != frames.DATA or size < _STREAMED_FROM or (flags & frames.PADDED and start == len(data)):
            return False
        padding, left = 0, size
        if flags & frames.PADDED:
            padding = data[start]
            start, left = start + 1, size - 1 - padding
        number &= 0x7FFFFFFF
        try:
            stream = self._arrive(number, size, left, flags & frames.END_STREAM)
        except StreamError as error:
            self._fault(error)
            stream = None
        self._partial = (stream, left, padding, bool(flags & frames.END_STREAM))
        self._continue_data(data, start)
        return True

    def _continue_data(self, data: bytes, start: int) -> int:
        """Pass on what is there of the DATA frame under way; give where the next frame begins."""
        assert self._partial is not None
        stream, left, padding, is_end = self._partial
        payload = memoryview(data)[start : start + left] if start or left < len(data) else data
        start += len(payload)
        left -= len(payload)
        n_padding = min(padding, len(data) - start)
        padding -= n_padding
        self._partial = (stream, left, padding, is_end) if left or padding else None
        if stream is not None and stream.state != STREAM_IS_CLOSED and payload:
            self._deliver(stream, payload, is_end and not left)
        return start + n_padding

    def eof(self) -> list[Event]:
        """The transport is gone."""
        if self.is_closed:
            return []
        self._events = []
        self._close(frames.CANCEL, "the connection was closed")
        return self._events

    def _fail(self, code: int, reason: str) -> None:
        self._out.append(frames.goaway(min(self._last_peer, self._refuse_above), code, reason))  # never higher than was said before
        self._close(code, reason)

    def _close(self, code: int, reason: str) -> None:
        self.is_closed = self.is_going = True
        for stream in self.streams.values():
            stream.state, stream.queue = STREAM_IS_CLOSED, None
            self.uncount(stream, stream.n_counted)
            self._events.append((RESET, stream, code, False, reason))
        self.streams.clear()
        self._waiting.clear()
        self._rest, self._block, self._partial = bytearray(), None, None
        self._events.append((CLOSED, code, reason))
