"""WebSocket's messages (RFC 6455) for both roles, sans-IO: bytes in, messages out, and nothing a peer sends makes it raise.

Frames are read, written and masked by the `websockets` package, which this module and `websocket_deflate.py` alone import. The rest is
here: messages of fragments, the closing handshake, answers to pings, and limits: bytes, fragments, control frames. The handshake, which
differs between HTTP/1.1 and HTTP/2, stands in `websocket_handshake.py`.

Messages are pulled, so whoever is busy leaves what has come as bytes:

    connection.receive(data)                                # on every read
    while (event := connection.next_event(now)) is not None:
        ...                                                 # send(), close(), ...
    transport.write(connection.take_output())
"""

from __future__ import annotations

from codecs import IncrementalDecoder, getincrementaldecoder
from collections.abc import Generator, Iterator
from typing import Any, Final

from websockets.exceptions import PayloadTooBig, ProtocolError
from websockets.frames import Close, Frame, Opcode

from jina.wire.budget import Budget
from jina.wire.buffered import FULL, SMALL, Buffered
from jina.wire.websocket_deflate import PIECE_BYTES, STEP_BYTES, Deflate, RatioError

MESSAGE: Final = 1
"""(MESSAGE, data, is_text, n_counted): whoever takes it gives `n_counted` back to `buffered`. Text is valid UTF-8."""
CLOSED: Final = 2
"""(CLOSED, code, reason): the peer closed; it has its answer. 1005 stands for no code."""
BROKEN: Final = 3
"""(BROKEN, code, reason): the peer broke a rule or a limit, and was told so. Nothing comes after it."""
MORE: Final = 4
"""(MORE,): a large message is being unfolded: ask again, in another turn."""
Event = tuple[Any, ...]

OK: Final = 1000
GOING_AWAY: Final = 1001
PROTOCOL_ERROR: Final = 1002
UNSUPPORTED: Final = 1003
NO_CODE: Final = 1005
INVALID_DATA: Final = 1007
POLICY: Final = 1008
TOO_BIG: Final = 1009
INTERNAL: Final = 1011

MAX_REASON_BYTES: Final = 123
_MAX_CONTROL_BYTES: Final = 125
_FREE_FRAGMENTS: Final = 1024
_MIN_FRAGMENT_BYTES: Final = 16
"""What fragments beyond the free ones must bring on average: their frames cost more than that."""
_MAX_CONTROLS: Final = 1000
_RECOVERY_S: Final = 10.0
COMPRESS_FROM, COMPRESS_TO = 1 << 10, 256 << 10
"""Messages of such sizes are compressed where that is agreed on: smaller ones gain nothing, larger ones would hold up all callers."""
_NO_EXTENSIONS: Final[list[Any]] = []
_NOTHING: Final[Event] = ()


class _BrokenError(Exception):
    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class Connection:
    """One side of a connection whose handshake is done.

    Attributes:
        is_open: We may send: neither side has closed.
        is_over: Nothing comes any more: the peer has closed, or broke a rule.
        n_messages: Have come whole.
    """

    def __init__(
        self, *, is_client: bool, max_message_bytes: int | None, deflate: Deflate | None = None, buffered: Buffered | None = None
    ) -> None:
        """Begin.

        Args:
            is_client: Our role.
            max_message_bytes: Of one message, unfolded; None for no limit.
            deflate: What the handshake agreed on.
            buffered: Counts what has come of a message, and messages.
        """
        self._is_client, self._max_bytes, self._buffered = is_client, max_message_bytes, buffered or Buffered()
        self._deflate, self._extensions = deflate, _NO_EXTENSIONS if deflate is None else [deflate]
        self._unfolding: tuple[Iterator[bytes], bool] | None = None
        self._unread = bytearray()
        self._parser: Generator[None, None, Frame] | None = None
        self._message: bytearray | None = None
        self._is_text, self._is_control, self._n_fragments = False, False, 0
        self._decoder: IncrementalDecoder | None = None
        self._n_counted = 0
        self._controls = Budget(_MAX_CONTROLS, _RECOVERY_S)
        self._out: list[bytes] = []
        self._refused: _BrokenError | None = None
        self.is_open, self.is_over, self.n_messages = True, False, 0

    @property
    def n_partial(self) -> int:
        """Bytes that are held of what has not come whole."""
        return len(self._unread) + len(self._message or b"")

    def receive(self, data: bytes) -> None:
        """Take bytes in; they are read by `next_event`."""
        if not self.is_over:
            self._unread += data
            if not self._count():
                self._refused = _BrokenError(INTERNAL, FULL.description)

    def next_event(self, now: float) -> Event | None:
        """Give the next thing that has come whole; `now` is monotonic seconds."""
        if self.is_over:
            return None
        try:
            if self._refused is not None:
                raise self._refused
            event: Event | None = _NOTHING
            while event is _NOTHING:
                event = self._unfold(*self._unfolding) if self._unfolding is not None else self._read(now)
            return event
        except ProtocolError as error:
            return self._break(PROTOCOL_ERROR, str(error))
        except PayloadTooBig:
            return self._break(TOO_BIG, f"the message exceeds max_message_bytes={self._max_bytes}")
        except RatioError as error:
            return self._break(TOO_BIG, str(error))
        except UnicodeDecodeError:
            return self._break(INVALID_DATA, "text must be UTF-8")
        except _BrokenError as error:
            return self._break(error.code, error.reason)

    def drop(self) -> None:
        """Forget what has not come whole: nothing comes any more."""
        self.is_open, self.is_over = False, True
        self._unread, self._message, self._parser, self._unfolding = bytearray(), None, None, None
        self._count()

    def send(self, data: bytes, *, is_text: bool) -> None:
        """Send a message; nothing happens once it is closed."""
        if self.is_open:
            extensions = self._extensions if COMPRESS_FROM <= len(data) <= COMPRESS_TO else _NO_EXTENSIONS
            self._write(Opcode.TEXT if is_text else Opcode.BINARY, data, extensions)

    def ping(self) -> None:
        """Ask for a sign of life."""
        if self.is_open:
            self._write(Opcode.PING, b"")

    def pong(self) -> None:
        """Give a sign of life that nobody asked for."""
        if self.is_open:
            self._write(Opcode.PONG, b"")

    def close(self, code: int, reason: str = "") -> None:
        """Send no more; what the peer still sends can be read until it has answered. The reason is cut to what fits."""
        if self.is_open:
            self.is_open = False
            text = reason.encode("utf-8", "replace")[:MAX_REASON_BYTES].decode("utf-8", "ignore")
            self._write(Opcode.CLOSE, b"" if code == NO_CODE else Close(code, text).serialize())

    def take_output(self) -> bytes:
        """Give what must be written."""
        out, self._out = self._out, []
        return out[0] if len(out) == 1 else b"".join(out)

    def _write(self, opcode: Opcode, data: bytes, extensions: list[Any] = _NO_EXTENSIONS) -> None:
        self._out.append(Frame(opcode, data).serialize(mask=self._is_client, extensions=extensions))

    def _read(self, now: float) -> Event | None:
        """Take the next frame; None if it has not come whole."""
        frame = self._next_frame()
        return None if frame is None else self._take(frame, now)

    def _next_frame(self) -> Frame | None:
        if self._parser is None:
            if not self._unread:
                return None
            self._is_control = self._unread[0] & 0x08 != 0
            most = _MAX_CONTROL_BYTES if self._is_control else self._room()
            self._parser = Frame.parse(self._read_exact, mask=not self._is_client, max_size=most, extensions=self._extensions)
        try:
            next(self._parser)
        except StopIteration as stop:
            self._parser = None
            frame: Frame = stop.value
            return frame
        except PayloadTooBig:
            if self._is_control:
                raise ProtocolError("control frame too long") from None
            raise
        return None

    def _room(self) -> int | None:
        return None if self._max_bytes is None else self._max_bytes - len(self._message or b"")

    def _read_exact(self, n_bytes: int) -> Generator[None, None, bytearray]:
        unread = self._unread
        while len(unread) < n_bytes:
            yield
        data = unread[:n_bytes]
        del unread[:n_bytes]
        return data

    def _take(self, frame: Frame, now: float) -> Event:
        opcode = frame.opcode
        if opcode < Opcode.CLOSE:
            return self._take_data(frame)
        if opcode == Opcode.CLOSE:
            return self._take_close(bytes(frame.data))
        if not self._controls.spend(now):
            raise _BrokenError(POLICY, f"more than {_MAX_CONTROLS} control frames in {_RECOVERY_S:g} s")
        if opcode == Opcode.PING and self.is_open:
            self._write(Opcode.PONG, bytes(frame.data))
        return _NOTHING

    def _take_data(self, frame: Frame) -> Event:
        if (frame.opcode == Opcode.CONT) != (self._message is not None):
            raise ProtocolError("unexpected continuation frame" if self._message is None else "expected a continuation frame")
        is_folded = self._deflate is not None and self._deflate.is_folded
        if self._message is None:
            self._is_text, self._n_fragments = frame.opcode == Opcode.TEXT, 0
            if frame.fin and not is_folded:
                return self._whole(bytes(frame.data), is_checked=False)
            self._message, self._decoder = bytearray(), getincrementaldecoder("utf-8")() if self._is_text else None
        self._n_fragments += 1
        if self._deflate is not None and is_folded:
            self._unfolding = (self._deflate.unfold(frame, self._room()), frame.fin)
            return _NOTHING
        self._append(bytes(frame.data))
        return self._end_fragment(is_last=frame.fin)

    def _unfold(self, pieces: Iterator[bytes], is_last: bool) -> Event:
        n_done = 0
        for piece in pieces:
            self._append(piece)
            n_done += max(len(piece), PIECE_BYTES)
            if n_done >= STEP_BYTES:
                return (MORE,)
        self._unfolding = None
        return self._end_fragment(is_last=is_last)

    def _append(self, data: bytes) -> None:
        assert self._message is not None
        self._message += data
        if self._decoder is not None:
            self._decoder.decode(data)
        if not self._count():
            raise _BrokenError(INTERNAL, FULL.description)

    def _end_fragment(self, *, is_last: bool) -> Event:
        assert self._message is not None
        if self._n_fragments > _FREE_FRAGMENTS and len(self._message) < _MIN_FRAGMENT_BYTES * self._n_fragments:
            raise _BrokenError(POLICY, "the message's fragments are mostly framing")
        if not is_last:
            return _NOTHING
        if self._decoder is not None:
            self._decoder.decode(b"", True)
        data, self._message, self._decoder = bytes(self._message), None, None
        return self._whole(data, is_checked=True)

    def _whole(self, data: bytes, *, is_checked: bool) -> Event:
        if self._is_text and not is_checked and not data.isascii():
            data.decode()
        self._count()
        self.n_messages += 1
        n_counted = len(data) if len(data) > SMALL else 0
        if not self.is_open:
            return _NOTHING
        self._buffered.give_back(-n_counted)  # it was counted as part of what had not come whole
        return (MESSAGE, data, self._is_text, n_counted)

    def _take_close(self, data: bytes) -> Event:
        close = Close.parse(data)
        if self.is_open:
            self.is_open = False
            self._write(Opcode.CLOSE, data)
        self.drop()
        return (CLOSED, int(close.code), close.reason)

    def _break(self, code: int, reason: str) -> Event:
        self.close(code, reason)
        self.drop()
        return (BROKEN, code, reason)

    def _count(self) -> bool:
        """Count what is held of messages that have not come whole; False if it is more than may be."""
        n_held = self.n_partial
        n_more = (n_held if n_held > SMALL else 0) - self._n_counted
        if n_more <= 0:
            self._buffered.give_back(-n_more)
        elif not self._buffered.take(n_more):
            return False
        self._n_counted += n_more
        return True
