"""An HTTP/2 connection's sending half: streams begin and end, and what we send leaves as far as the peer's windows allow.

What does not fit queues with its stream, and streams take turns, a frame each, as windows open.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from jina.codec.pieces import Bytes, gathered
from jina.wire import http2_frames as frames
from jina.wire.budget import Budget
from jina.wire.buffered import Buffered
from jina.wire.hpack import TABLE_SIZE_ZERO
from jina.wire.http2_limits import Http2Limits
from jina.wire.http2_states import CLOSED as STREAM_IS_CLOSED
from jina.wire.http2_states import HALF_CLOSED_LOCAL, MAY_SEND, NEXT, SEND_END
from jina.wire.http2_stream import RESET, TUNNEL, WRITABLE, Event, Stream

DRAIN_PING: Final = b"draining"
_MAX_SENT_FRAME: Final = 1 << 20
_STATUS_200: Final = b"\x88"
_N_CANCELLED: Final = 1 << 16
"""A client that cancels all its calls may have many thousands."""
EARNS: Final = 4
"""How many PING and small WINDOW_UPDATE frames a frame of DATA from us, or a stream that the peer opens, lets the peer send."""


class Sending:
    """What a connection sends, and its streams; see `http2.Connection`."""

    def __init__(self, *, is_client: bool, limits: Http2Limits, buffered: Buffered | None = None) -> None:
        self.streams: dict[int, Stream] = {}
        self.is_closed, self.is_going = False, False
        self.max_streams = 100 if is_client else 0  # 100 until the peer's SETTINGS come (RFC 9113, 6.5.2)
        self._is_client, self._limits, self._buffered = is_client, limits, buffered or Buffered()
        self._last_peer, self._last_own = 0, -1 if is_client else 0
        self._refuse_above = frames.MAX_STREAM
        self._forgotten: dict[int, bool] = {}  # streams that were reset: what still comes for them is no fault; True: HEADERS did
        # A peer that has not heard of our resets yet has no more streams than it may open, and those that we refused.
        self._max_forgotten = _N_CANCELLED if is_client else limits.max_streams + max(1000, limits.max_resets)
        self._window, self._peer_window, self._peer_frame = frames.DEFAULT_WINDOW, frames.DEFAULT_WINDOW, 1 << 14
        self._waiting: dict[int, Stream] = {}
        self._out: list[Bytes] = []
        self._events: list[Event] = []
        self._must_shrink = self._has_moved = False
        self._n_pings = 0  # sent and not answered
        self._n_earned = 0  # see EARNS
        self._resets = Budget(limits.max_resets, limits.recovery_s)

    def take_output(self) -> bytes:
        """Give what is to be written."""
        out = self._out
        if not out:
            return b""
        self._out = []
        return b"".join(out)

    def take_pieces(self) -> list[Bytes]:
        """Give the same in pieces, for `writelines`: large ones are not copied."""
        out, self._out = self._out, []
        return gathered(out) if out else out

    @property
    def can_start(self) -> bool:
        """Whether a client may open a stream now."""
        return not self.is_going and len(self.streams) < self.max_streams and self._last_own < frames.MAX_STREAM - 1

    def start(self, *, is_head: bool = False) -> Stream:
        """Open a stream (client); `is_head`: for a HEAD request, whose answer has no body whatever its length is said to be."""
        self._last_own = number = self._last_own + 2
        stream = self.streams[number] = Stream(number, self._peer_window)
        if is_head:
            stream.expected = 0
        return stream

    def send_headers(self, stream: Stream, block: bytes, *, is_end: bool = False) -> None:
        """Send a header block; trailers wait behind queued data."""
        if stream.state not in MAY_SEND:
            return
        if stream.queue:
            stream.finish = block
            return
        if stream.expected == TUNNEL and block[:1] != _STATUS_200:
            stream.expected = None  # CONNECT is refused
        if self._must_shrink:
            self._must_shrink, block = False, TABLE_SIZE_ZERO + block
        stream.is_begun = True
        self._out.append(frames.headers(stream.number, block, frames.END_STREAM if is_end else 0, self._peer_frame))
        if is_end:
            self._we_ended(stream)

    def send_data(self, stream: Stream, parts: tuple[Bytes, ...], *, is_end: bool = False) -> None:
        """Send a body's next bytes."""
        if stream.state not in MAY_SEND:
            return
        size = sum(map(len, parts))
        if not size and not is_end:
            return  # an empty frame may only end a stream where its window is negative
        if not stream.queue and (not size or (size <= stream.window and size <= self._window and size <= self._peer_frame)):
            stream.window -= size
            self._window -= size
            self._n_earned += EARNS
            self._out.append(frames.HEADER.pack(size << 8, 1 if is_end else 0, stream.number))
            self._out.extend(parts)
            if is_end:
                self._we_ended(stream)
            return
        if stream.finish is not None:
            return
        if stream.queue is None:
            stream.queue, stream.has_moved = deque(), True
        stream.queue.extend(memoryview(part) for part in parts if part)
        stream.n_queued += size
        stream.n_counted += size
        self._buffered.give_back(-size)
        if is_end:
            stream.finish = b""
        if stream.window > 0:
            self._waiting[stream.number] = stream
            self._pump()

    def exchange(self, stream: Stream, block: bytes, body: tuple[Bytes, ...], size: int, trailers: bytes) -> None:
        """Answer with a header block, a body of `size` bytes and trailers, at once where the windows allow: the hot path."""
        if (
            stream.queue is None
            and size <= stream.window
            and size <= self._window
            and size <= self._peer_frame
            and not self._must_shrink
            and len(block) <= frames.MIN_MAX_FRAME
            and len(trailers) <= frames.MIN_MAX_FRAME
            and stream.state in MAY_SEND
        ):
            self._window -= size
            self._n_earned += EARNS
            pack, number = frames.HEADER.pack, stream.number
            head, tail = pack(len(block) << 8 | 1, 4, number), pack(len(trailers) << 8 | 1, 5, number)
            self._out += (head, block, pack(size << 8, 0, number), *body, tail, trailers)
            self._we_ended(stream)
            return
        self.send_headers(stream, block)
        self.send_data(stream, body)
        self.send_headers(stream, trailers, is_end=True)

    def begin(self, block: bytes, body: tuple[Bytes, ...], size: int) -> Stream:
        """Open a stream with a whole request: the client's hot path."""
        stream = self.start()
        if 0 < size <= min(stream.window, self._window, self._peer_frame) and not self._must_shrink and len(block) <= frames.MIN_MAX_FRAME:
            self._window -= size
            self._n_earned += EARNS
            stream.is_begun, stream.state = True, HALF_CLOSED_LOCAL
            pack, number = frames.HEADER.pack, stream.number
            self._out += (pack(len(block) << 8 | frames.HEADERS, frames.END_HEADERS, number), block)
            self._out += (pack(size << 8 | frames.DATA, frames.END_STREAM, number), *body)
        else:
            self.send_headers(stream, block)
            self.send_data(stream, body, is_end=True)
        return stream

    def _pump(self) -> None:
        """Send what the windows allow, a frame a stream in turn."""
        waiting = self._waiting
        while waiting and self._window > 0:
            number = next(iter(waiting))
            stream = waiting.pop(number)
            if stream.window > 0:  # SETTINGS may have shut it meanwhile
                self._send_frame(stream)
            if stream.queue and stream.window > 0:
                waiting[number] = stream

    def _send_frame(self, stream: Stream) -> None:
        assert stream.queue is not None
        room = min(self._window, stream.window, self._peer_frame, _MAX_SENT_FRAME)
        parts, size = _take(stream.queue, room)
        stream.window -= size
        self._window -= size
        self._n_earned += EARNS
        stream.n_queued -= size
        stream.has_moved = self._has_moved = True
        self.uncount(stream, size)
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

    def count(self, stream: Stream, n_bytes: int) -> bool:
        """Count bytes that are held for a stream, until `uncount` or the stream's end; False, and they are not, if that is too much."""
        if stream.state == STREAM_IS_CLOSED:
            return True  # what is left of it goes with the events under way
        if not self._buffered.take(n_bytes):
            return False
        stream.n_counted += n_bytes
        return True

    def uncount(self, stream: Stream, n_bytes: int) -> None:
        """These bytes are held no more."""
        n_bytes = min(n_bytes, stream.n_counted)
        stream.n_counted -= n_bytes
        self._buffered.give_back(n_bytes)

    def stalled(self, now: float, limit_s: float, *, is_blocked: bool) -> list[Stream]:
        """Give the streams that the peer has not let send for so long; to be asked about once a second.

        A stream whose own window is open waits for the connection's, and with the other streams there: it stalls only if they all do.
        While `is_blocked` (the transport takes nothing, so the peer's windows are not read) no time passes.
        """
        found = []
        has_moved, self._has_moved = self._has_moved or is_blocked, False
        for stream in self.streams.values():
            if not stream.queue:
                continue
            if stream.has_moved or is_blocked or (has_moved and stream.window > 0):
                stream.has_moved, stream.stalled_since = False, now
            elif now - stream.stalled_since > limit_s:
                found.append(stream)
        return found

    def ping(self, data: bytes) -> None:
        """Send PING."""
        self._n_pings += 1
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
            self.ping(DRAIN_PING)

    def end_drain(self) -> None:
        """Name the last stream that is taken: the peer has heard of the drain, or had time to."""
        if self.is_going and not self.is_closed and self._refuse_above == frames.MAX_STREAM:
            self._refuse_above = self._last_peer
            self._out.append(frames.goaway(self._last_peer, frames.NO_ERROR))

    @property
    def is_drained(self) -> bool:
        """Whether draining is over: the last stream is told, and all have ended."""
        return self.is_closed or (self._refuse_above != frames.MAX_STREAM and not self.streams)

    # streams that end

    def _is_idle(self, number: int) -> bool:
        if not number:
            return True
        is_own = bool(number & 1) == self._is_client
        return number > (self._last_own if is_own else self._last_peer)

    def _move(self, stream: Stream, what: str) -> None:
        stream.state = state = NEXT[stream.state][what]
        if state == STREAM_IS_CLOSED:
            self.streams.pop(stream.number, None)
            self._resets.give_back()
            if stream.n_counted:
                self.uncount(stream, stream.n_counted)

    def _we_ended(self, stream: Stream) -> None:
        """A server that has answered does not want the rest of the request; a tunnel has two ends."""
        self._move(stream, SEND_END)
        if not self._is_client and stream.state != STREAM_IS_CLOSED and stream.expected != TUNNEL:
            self._out.append(frames.rst_stream(stream.number, frames.NO_ERROR))
            self.drop(stream)

    def drop(self, stream: Stream) -> None:
        """End a stream without a word; what still comes for it is no fault."""
        self._forget(stream.number)
        stream.state, stream.queue = STREAM_IS_CLOSED, None
        self._waiting.pop(stream.number, None)
        self.streams.pop(stream.number, None)
        self.uncount(stream, stream.n_counted)

    def _forget(self, number: int) -> None:
        if len(self._forgotten) >= self._max_forgotten:
            del self._forgotten[next(iter(self._forgotten))]
        self._forgotten[number] = False

    def reset(self, number: int, code: int, reason: str = "") -> None:
        """End a stream at once; with a `reason` (the peer's fault) the layer above hears of it."""
        if self.is_closed:
            return
        self._out.append(frames.rst_stream(number, code))
        stream = self.streams.get(number)
        if stream is None:
            self._forget(number)
        else:
            self.drop(stream)
            if reason:
                self._events.append((RESET, stream, code, True, reason))


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
