"""The short way for most of what comes over a gRPC connection: all frames of a small request, or reply, lie together in one read.

Nothing happens here that taking the frames one by one would not bring about; whatever is out of the ordinary is left to that.
"""

from __future__ import annotations

from jina.wire import http2_frames as frames
from jina.wire.http2_content import Content
from jina.wire.http2_sending import EARNS
from jina.wire.http2_states import HALF_CLOSED_LOCAL, NEXT, OPEN, RECEIVE_END
from jina.wire.http2_stream import WHOLE, Stream

_AFTER_REQUEST = NEXT[OPEN][RECEIVE_END]
_LAST_HEADERS = frames.END_STREAM | frames.END_HEADERS
_UPDATE = 4 << 8 | frames.WINDOW_UPDATE
_UPDATE_BYTES = 4 + frames.HEADER_BYTES


class Whole(Content):
    """A connection's whole requests and replies; see `http2.Connection`."""

    def _read_whole(self, data: bytes, number: int, start: int, stop: int) -> int:
        """Take what begins with a header block known from before, `data[start:stop]`, and ends within `data`.

        A server takes HEADERS, maybe WINDOW_UPDATE, and one DATA frame that ends the stream, a client HEADERS, one DATA frame and trailers.

        Returns:
            Where the next frame begins; 0 if the frames must be taken one by one.
        """
        body, end = stop + frames.HEADER_BYTES, len(data)
        if body > end:
            return 0
        length, flags, number_of_data = frames.HEADER.unpack_from(data, stop)
        opened_by = 0
        if length == _UPDATE and number_of_data == number and body + _UPDATE_BYTES <= end and not self._is_client:
            opened_by = frames.WORD.unpack_from(data, body)[0]  # grpcio opens each stream's window before it sends
            if not opened_by or opened_by + self._peer_window > frames.MAX_WINDOW:
                return 0
            body += _UPDATE_BYTES
            length, flags, number_of_data = frames.HEADER.unpack_from(data, body - frames.HEADER_BYTES)
        kind = length & 0xFF
        size: int = length >> 8
        body_end = body + size
        if kind != frames.DATA or number_of_data != number or not size or body_end > end:
            return 0
        unread, limits = self._unread + size, self._limits
        if unread >= self._credit_at or size > self._stream_limit or size > limits.max_frame_bytes:
            return 0
        head, expected = self._heads.known(data[start:stop])
        if head is None or expected is not None:
            return 0
        if self._is_client:
            return 0 if flags else self._whole_reply(data, number, head, body, body_end)
        if flags != frames.END_STREAM or number != self._last_peer + 2 or number > self._refuse_above:
            return 0
        if len(self.streams) >= limits.max_streams:
            return 0
        self._last_peer, self._unread = number, unread
        stream = self.streams[number] = Stream(number, self._peer_window + opened_by)
        stream.head, stream.unread, stream.begun_at = head, size, self._now
        stream.state = _AFTER_REQUEST
        self._n_earned += EARNS - 1 if opened_by else EARNS
        self._events.append((WHOLE, stream, data, body, body_end, None))
        return body_end

    def _whole_reply(self, data: bytes, number: int, head: object, body: int, body_end: int) -> int:
        stream, block = self.streams.get(number), body_end + frames.HEADER_BYTES
        if stream is None or stream.head is not None or stream.state != HALF_CLOSED_LOCAL or block > len(data):
            return 0
        length, flags, number_of_trailers = frames.HEADER.unpack_from(data, body_end)
        end: int = block + (length >> 8)
        if length & 0xFF != frames.HEADERS or flags != _LAST_HEADERS or number_of_trailers != number or end > len(data):
            return 0
        trailers, _ = self._trailers.known(data[block:end])
        if trailers is None:
            return 0
        self._unread += body_end - body
        stream.head = head
        self._move(stream, RECEIVE_END)
        self._events.append((WHOLE, stream, data, body, body_end, trailers))
        return end
