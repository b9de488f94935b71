"""An HTTP/2 connection's control frames: PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY and WINDOW_UPDATE, each with its budget."""

from __future__ import annotations

from typing import Final

from jina.wire import http2_frames as frames
from jina.wire.budget import Budget
from jina.wire.buffered import Buffered
from jina.wire.http2_frames import ConnectionError2, StreamError
from jina.wire.http2_limits import Http2Limits
from jina.wire.http2_sending import DRAIN_PING, Sending
from jina.wire.http2_stream import GOAWAY, PING_ACK, RESET

_MAX_EARNED: Final = 2000
_SETTINGS_ACK: Final = frames.frame(frames.SETTINGS, frames.ACK, 0)
_SMALL_UPDATE: Final = 256
_TOO_MANY_PINGS: Final = "too_many_pings"
"""gRPC's clients know this word, and ping half as often from then on (gRFC A8)."""
_YOUNG_S: Final = 0.25
"""A reset of a stream that was open for longer is free: it took its place among `max_streams`, as a call that is answered does."""


class Control(Sending):
    """What a connection does with control frames; see `http2.Connection`."""

    def __init__(self, *, is_client: bool, limits: Http2Limits, buffered: Buffered | None = None) -> None:
        super().__init__(is_client=is_client, limits=limits, buffered=buffered)
        self.is_ready, self.peer_takes_connect, self._now = False, False, 0.0
        self._stream_limit = max(limits.stream_window_bytes, frames.DEFAULT_WINDOW)  # until the peer has heard of a smaller window
        self._ping_budget = Budget(limits.max_pings, limits.recovery_s)
        self._settings = Budget(limits.max_settings, limits.recovery_s)
        self._empties = Budget(limits.max_empty_frames, limits.recovery_s)

    def _spend(self, budget: Budget, what: str) -> None:
        if not budget.spend(self._now):
            reason = _TOO_MANY_PINGS if budget is self._ping_budget else f"too many {what}"
            raise ConnectionError2(frames.ENHANCE_YOUR_CALM, reason)

    def _fault(self, error: StreamError) -> None:
        """Reset a stream whose peer broke a rule: this costs it what its own resets do."""
        self._spend(self._resets, "faulty streams")
        self.reset(error.stream, error.code, error.reason)

    def _spend_unless_earned(self, budget: Budget, what: str) -> None:
        """A reader of many small messages gives back their windows one by one, and measures the way with PINGs; grpcio opens them first."""
        if self._n_earned:
            self._n_earned = min(self._n_earned, _MAX_EARNED) - 1
        else:
            self._spend(budget, what)

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
        stream = self.streams.get(number)
        if number in self._forgotten:  # it crossed a reset of ours
            del self._forgotten[number]
        elif stream is None or (not self._is_client and self._now - stream.begun_at < _YOUNG_S):
            self._spend(self._resets, "resets")
        if stream is not None:
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
            self._spend(self._settings, "acknowledgements of SETTINGS")
            self._stream_limit = self._limits.stream_window_bytes
            return
        if len(payload) % 6:
            raise ConnectionError2(frames.FRAME_SIZE_ERROR, "SETTINGS of a wrong size")
        self._spend(self._settings, "SETTINGS frames")
        if len(payload) > 6 * 64:
            raise ConnectionError2(frames.ENHANCE_YOUR_CALM, "more than 64 settings in a frame")
        if not self.is_ready:
            self.is_ready, self.max_streams = True, frames.MAX_STREAM
        n_moves = 0
        for key, value in frames.read_settings(payload):
            self._set(key, value)
            n_moves += key == frames.INITIAL_WINDOW_SIZE
            if n_moves > 1:  # each looks at every stream
                self._spend(self._settings, "changes of the initial window")
                n_moves = 1
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
        elif key == frames.ENABLE_CONNECT_PROTOCOL:
            if value > 1 or value < self.peer_takes_connect:
                raise ConnectionError2(frames.PROTOCOL_ERROR, f"ENABLE_CONNECT_PROTOCOL is {value}")
            self.peer_takes_connect = bool(value)

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
            self._spend_unless_earned(self._ping_budget, "PING frames")
            self._out.append(frames.frame(frames.PING, frames.ACK, 0, payload))
            return
        if self._n_pings:
            self._n_pings -= 1
        else:
            self._spend(self._ping_budget, "answers to PING frames that were not sent")
        if payload == DRAIN_PING and self.is_going:
            self.end_drain()
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
        if by < _SMALL_UPDATE:
            self._spend_unless_earned(self._empties, "small WINDOW_UPDATE frames")

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
