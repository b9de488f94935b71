"""An HTTP/2 connection's DATA and header blocks: the peer's windows, the order of blocks and bodies, lengths that must agree.

Our windows open by themselves as data arrive, except for what the layer above holds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from jina.wire import http2_fields as rules
from jina.wire import http2_frames as frames
from jina.wire.buffered import Buffered
from jina.wire.hpack import Decoder, Field, HeaderBombError, HeaderListTooLargeError, HpackError
from jina.wire.http2_control import Control
from jina.wire.http2_frames import ConnectionError2, StreamError
from jina.wire.http2_limits import Limits
from jina.wire.http2_sending import EARNS
from jina.wire.http2_states import NEXT, RECEIVE_END
from jina.wire.http2_stream import DATA, HEADERS, TOO_LARGE, TRAILERS, Bytes, Stream

_HEARD_OUT: Final = 4
"""A header block of up to so many times the limit is read, and only its call refused; a longer one ends the connection."""

Build = Callable[[list[Field], dict[str, str]], Any]


class Content(Control):
    """What a connection does with DATA, HEADERS and CONTINUATION; see `http2.Connection`."""

    def __init__(
        self, *, is_client: bool, limits: Limits, build_head: Build, build_trailers: Build, buffered: Buffered | None = None
    ) -> None:
        super().__init__(is_client=is_client, limits=limits, buffered=buffered)
        decoder = Decoder(4096, limits.max_header_list_bytes, limits.max_header_fields)
        check = rules.check_response if is_client else rules.check_request
        self._heads = rules.HeadReader(decoder, check, build_head, limits.max_blocks)
        self._trailers = rules.HeadReader(decoder, rules.check_trailers, build_trailers, limits.max_blocks)
        self._unread, self._credit_at, self._stream_credit_at = 0, limits.connection_window_bytes // 2, limits.stream_window_bytes // 2
        self._max_block_bytes = _HEARD_OUT * limits.max_header_list_bytes + 256
        self._block: tuple[int, int, list[bytes]] | None = None  # (stream, flags, parts) of a header block under way

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
        if len(payload) > self._max_block_bytes:
            raise ConnectionError2(frames.ENHANCE_YOUR_CALM, f"a frame of {len(payload)} bytes and type {frames.HEADERS}")
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
        if len(parts) > self._limits.max_continuations + 1 or sum(map(len, parts)) > self._max_block_bytes:
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
        stream.begun_at = self._now
        self._n_earned += EARNS
        return stream

    def _on_head(self, stream: Stream, head: Any, expected: int | None, is_end: int) -> None:
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

    # streams

    def _on_closed(self, number: int, what: str) -> None:
        """Judge a frame for a stream that is not open: forgiven only where we, or the peer, reset it or we refused it."""
        if self._is_idle(number):
            raise ConnectionError2(frames.PROTOCOL_ERROR, f"{what} on stream {number}, which is idle")
        if number not in self._forgotten and number <= self._refuse_above:
            raise ConnectionError2(frames.STREAM_CLOSED, f"{what} on stream {number}, which is closed")

    def _peer_ended(self, stream: Stream) -> None:
        self._move(stream, RECEIVE_END)


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
