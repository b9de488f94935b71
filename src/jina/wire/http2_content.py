"""An HTTP/2 connection's DATA and header blocks: the peer's windows, the order of blocks and bodies, lengths that must agree.

Our windows open by themselves as data arrive, except for what the layer above holds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from jina.codec.pieces import Bytes
from jina.wire import http2_fields as rules
from jina.wire import http2_frames as frames
from jina.wire.buffered import Buffered
from jina.wire.hpack import Decoder, Field, HeaderBombError, HeaderListTooLargeError, HpackError
from jina.wire.http2_control import Control
from jina.wire.http2_frames import ConnectionError2, StreamError
from jina.wire.http2_limits import Http2Limits
from jina.wire.http2_sending import EARNS
from jina.wire.http2_states import MAY_RECEIVE, RECEIVE_END
from jina.wire.http2_stream import DATA, HEADERS, TOO_LARGE, TRAILERS, TUNNEL, Stream

_WRONG_LENGTH: Final = "content-length is not the length of the body"
_MAX_SKIPS: Final = 32
_HEARD_OUT: Final = 4
"""A header block of up to so many times the limit is read, and only its call refused; a longer one ends the connection."""

Build = Callable[[list[Field], dict[str, str]], Any]


class Content(Control):
    """What a connection does with DATA, HEADERS and CONTINUATION; see `http2.Connection`."""

    def __init__(
        self, *, is_client: bool, limits: Http2Limits, build: tuple[Build, Build], takes_connect: bool, buffered: Buffered | None = None
    ) -> None:
        super().__init__(is_client=is_client, limits=limits, buffered=buffered)
        decoder = Decoder(4096, limits.max_header_list_bytes, limits.max_header_fields)
        check = rules.check_response if is_client else partial(rules.check_request, takes_connect=takes_connect)
        self._heads = rules.HeadReader(decoder, check, build[0], limits.max_blocks)
        self._trailers = rules.HeadReader(decoder, rules.check_trailers, build[1], limits.max_blocks)
        self._skipped: deque[tuple[int, int]] = deque(maxlen=_MAX_SKIPS)  # between these two no stream was ever opened
        self._unread, self._credit_at, self._stream_credit_at = 0, limits.connection_window_bytes // 2, limits.stream_window_bytes // 2
        self._max_block_bytes = _HEARD_OUT * limits.max_header_list_bytes + 256
        self._block: tuple[int, int, list[bytes]] | None = None  # (stream, flags, parts) of a header block under way

    def _on_data(self, flags: int, number: int, payload: bytes) -> None:
        size = len(payload)
        if flags & frames.PADDED:
            payload = _strip(frames.PADDED, payload)
        stream = self._arrive(number, size, len(payload), flags & frames.END_STREAM)
        if stream is not None:
            self._deliver(stream, payload, flags & frames.END_STREAM)

    def _arrive(self, number: int, size: int, n_bytes: int, is_end: int) -> Stream | None:
        """Count a DATA frame, of `n_bytes` without its padding, against both windows and the body's length; give its stream.

        None: it is to be ignored.
        """
        unread = self._unread = self._unread + size
        if unread >= self._credit_at:
            if unread > self._limits.connection_window_bytes:
                raise ConnectionError2(frames.FLOW_CONTROL_ERROR, "more DATA than the connection's window")
            self._out.append(frames.window_update(0, unread))
            self._unread = 0
        stream = self.streams.get(number)
        if stream is None:
            self._on_closed(number, "DATA", is_costly=not size)
            return None
        stream.unread += size
        if stream.state not in MAY_RECEIVE:
            raise StreamError(number, frames.STREAM_CLOSED, "DATA after the end of the stream")
        if stream.unread > self._stream_limit and size:
            raise StreamError(number, frames.FLOW_CONTROL_ERROR, "more DATA than the stream's window")
        if stream.head is None:
            raise StreamError(number, frames.PROTOCOL_ERROR, "DATA before HEADERS")
        expected = stream.expected
        if expected is not None and expected >= 0:
            stream.expected = expected = expected - n_bytes
            if expected < 0 or (is_end and expected):
                raise StreamError(number, frames.PROTOCOL_ERROR, _WRONG_LENGTH)
        return stream

    def _deliver(self, stream: Stream, payload: Bytes, is_end: int) -> None:
        if not payload and not is_end:
            self._spend(self._empties, "empty DATA frames")
        self._events.append((DATA, stream, payload, bool(is_end)))
        if is_end:
            self._peer_ended(stream)
        elif stream.unread >= self._stream_credit_at:
            self._credit(stream)

    def _credit(self, stream: Stream) -> None:
        """Open the stream's window again by what is neither unread nor held."""
        n_bytes = stream.unread - stream.held
        if n_bytes > 0 and stream.state in MAY_RECEIVE:
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
        elif stream.state not in MAY_RECEIVE:
            raise StreamError(number, frames.STREAM_CLOSED, "HEADERS after the end of the stream")
        if reader is self._heads:
            self._on_head(stream, head, expected, flags & frames.END_STREAM)
        else:
            self._on_trailers(stream, head, flags & frames.END_STREAM)

    def _on_bad_block(self, flags: int, number: int, stream: Stream | None, error: ValueError) -> None:
        if stream is None:
            stream = self._open(number)
            if stream is None:
                return
        elif stream.state not in MAY_RECEIVE:
            raise StreamError(number, frames.STREAM_CLOSED, "HEADERS after the end of the stream")
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
            if any(low < number < high for low, high in self._skipped):
                raise ConnectionError2(frames.PROTOCOL_ERROR, f"HEADERS on stream {number}, which was passed over")
            self._on_closed(number, "HEADERS", is_costly=True)
            return None
        if number > self._last_peer + 2:
            self._skipped.append((self._last_peer, number))
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
            self._spend_unless_earned(self._empties, "informational responses")
            return
        if stream.expected is None:  # else it answers HEAD
            stream.expected = expected
        stream.head = head
        if is_end and stream.expected and stream.expected > 0:
            raise StreamError(stream.number, frames.PROTOCOL_ERROR, _WRONG_LENGTH)
        self._events.append((HEADERS, stream, bool(is_end)))
        if is_end:
            self._peer_ended(stream)

    def _on_trailers(self, stream: Stream, trailers: Any, is_end: int) -> None:
        if not is_end:
            raise StreamError(stream.number, frames.PROTOCOL_ERROR, "a second block of HEADERS does not end the stream")
        if stream.expected:
            what = "HEADERS in a tunnel" if stream.expected == TUNNEL else _WRONG_LENGTH
            raise StreamError(stream.number, frames.PROTOCOL_ERROR, what)
        self._events.append((TRAILERS, stream, trailers))
        self._peer_ended(stream)

    # streams

    def _on_closed(self, number: int, what: str, *, is_costly: bool) -> None:
        """Judge a frame for a stream that is not open: forgiven only where we, or the peer, reset it or we refused it."""
        if self._is_idle(number):
            raise ConnectionError2(frames.PROTOCOL_ERROR, f"{what} on stream {number}, which is idle")
        if number > self._refuse_above:
            return
        if number not in self._forgotten:
            raise ConnectionError2(frames.STREAM_CLOSED, f"{what} on stream {number}, which is closed")
        if is_costly:
            if self._forgotten[number]:
                self._spend(self._empties, f"{what} frames on closed streams")
            self._forgotten[number] = True

    def _peer_ended(self, stream: Stream) -> None:
        self._move(stream, RECEIVE_END)


def _strip(flags: int, payload: bytes) -> bytes:
    """Take padding, and the priority of HEADERS, off a frame."""
    start, end = (1 if flags & frames.PADDED else 0) + (5 if flags & frames.HAS_PRIORITY else 0), len(payload)
    if start > end:
        raise ConnectionError2(frames.FRAME_SIZE_ERROR, "a frame that is too short for its padding or priority")
    if flags & frames.PADDED:
        end -= payload[0]
    if start > end:
        raise ConnectionError2(frames.PROTOCOL_ERROR, "padding is longer than its frame")
    return payload[start:end]
