"""TLS between a TCP transport and a protocol: a server's side, in the place of the event loop's own.

The loops' hides from the protocol above what waits beneath it: a reader that has stalled looks like one that has taken everything, and
one that is slow looks stalled; it cuts off, half a minute after `close`, who is still reading; and it ends a refused handshake without the
alert that says why. Here all that waits is counted, and only so much is encrypted as TCP takes.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, cast

_AT_ONCE = 64 << 10
_RECORD = 16 << 10
_MAX_DELIVERED = 256 << 10
_LINGER_S = 1.0
"""How long the other side has to hang up once all has left; if we did so first, what it still sends would be answered with a reset, which
may overtake our last words."""
_DETAIL = b'{"detail":"this port speaks TLS; write https:// in the place of http://"}'
_PLAIN = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(_DETAIL)
    + _DETAIL
)


class TlsLink(asyncio.Transport, asyncio.Protocol):
    """To the loop a protocol, to the protocol above a transport."""

    def __init__(self, context: ssl.SSLContext, make_protocol: Callable[[], asyncio.BaseProtocol], handshake_s: float | None) -> None:
        """Prepare.

        Args:
            context: A server's.
            make_protocol: Gives the protocol above, once the handshake is done.
            handshake_s: How long that may take; None for ever.
        """
        super().__init__()
        self._make_protocol, self._handshake_s = make_protocol, handshake_s
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._above: asyncio.Protocol | None = None
        self._waiting: deque[memoryview] = deque()
        self._n_waiting = 0
        self._timer: asyncio.TimerHandle | None = None
        self._is_full = self._is_above_told = self._is_paused = self._is_closing = self._has_ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._tcp = cast("asyncio.Transport", transport)
        self._loop = asyncio.get_running_loop()
        if self._handshake_s is not None:
            self._timer = self._loop.call_later(self._handshake_s, self._tcp.abort)

    def data_received(self, data: bytes) -> None:
        if self._is_closing:
            return
        self._incoming.write(data)
        if self._above is not None or self._shake():
            self._read()

    def eof_received(self) -> bool:
        if self._above is None or self._has_ended:
            return False
        if not self._is_closing:
            self._end_of_input()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        self._is_closing = self._has_ended = True
        self._waiting.clear()
        self._n_waiting = 0
        if self._timer is not None:
            self._timer.cancel()
        if self._above is not None:
            self._above.connection_lost(error)

    def pause_writing(self) -> None:
        self._is_full = True
        if self._above is not None and not self._is_above_told:
            self._is_above_told = True
            self._above.pause_writing()

    def resume_writing(self) -> None:
        self._is_full = False
        self._encrypt(is_resuming=True)
        if self._above is not None and self._is_above_told and not self._is_full:
            self._is_above_told = False
            self._above.resume_writing()

    def _shake(self) -> bool:
        """Go on with the handshake; whether it is done."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._send()
            return False
        except ssl.SSLError as error:
            if error.reason == "HTTP_REQUEST":
                self._outgoing.write(_PLAIN)
            self._is_closing = True
            self._say_goodbye()
            return False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._send()
        self._above = cast("asyncio.Protocol", self._make_protocol())
        self._above.connection_made(self)
        return True

    def _read(self) -> None:
        """Give what has come to the protocol above, as long as it takes it."""
        is_more = True
        while is_more and not self._is_paused and not self._is_closing:
            data, has_ended = self._decrypt()
            if data:
                assert self._above is not None
                self._above.data_received(data)
            if has_ended and not self._is_closing:
                self._end_of_input()
            is_more = bool(data) and not has_ended and self._has_more
        self._send()

    @property
    def _has_more(self) -> bool:
        """Whether it is worth while to decrypt again: to be told that nothing is there costs an exception."""
        return self._incoming.pending > 0 or self._tls.pending() > 0

    def _decrypt(self) -> tuple[bytes, bool]:
        """Give what came, and whether no more will."""
        parts: list[bytes] = []
        n_bytes = 0
        try:
            while n_bytes < _MAX_DELIVERED:
                part = self._tls.read(_RECORD)
                if not part:
                    return b"".join(parts), True
                parts.append(part)
                n_bytes += len(part)
                if not self._has_more:
                    break
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:  # its last words, or what is no TLS: nothing can be written from now on
            self._waiting.clear()
            self._n_waiting = 0
            return b"".join(parts), True
        return parts[0] if len(parts) == 1 else b"".join(parts), False

    def _end_of_input(self) -> None:
        assert self._above is not None
        if not self._above.eof_received():
            self.close()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._is_closing or not data:
            return
        if len(data) <= _AT_ONCE and not self._n_waiting and not self._is_full:
            self._tls.write(data)
            self._send()
            return
        self._waiting.append(memoryview(data))
        self._n_waiting += len(data)
        self._encrypt()

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        pieces = list(list_of_data)
        if sum(map(len, pieces)) <= _AT_ONCE:
            self.write(b"".join(pieces))
            return
        for piece in pieces:
            self.write(piece)

    def _encrypt(self, *, is_resuming: bool = False) -> None:
        """Encrypt what waits, as far as TCP takes it."""
        while self._waiting and not self._is_full:
            piece = self._waiting[0]
            if len(piece) > _AT_ONCE:
                self._waiting[0], piece = piece[_AT_ONCE:], piece[:_AT_ONCE]
            else:
                self._waiting.popleft()
            self._n_waiting -= len(piece)
            self._tls.write(piece)
            self._send()
        if is_resuming and self._is_closing and not self._waiting:
            self._say_goodbye()

    def _send(self) -> None:
        if self._outgoing.pending:
            self._tcp.write(self._outgoing.read())

    def close(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            if not self._waiting:
                self._say_goodbye()

    def _say_goodbye(self) -> None:
        """Nothing more will be said; wait for the other side to hang up, but not long."""
        if self._has_ended:
            return
        self._has_ended = True
        with contextlib.suppress(ssl.SSLError):  # it wants the other side's goodbye, which nobody needs
            self._tls.unwrap()
        self._send()
        self._tcp.write_eof()
        self._tcp.resume_reading()
        self._linger(has_left=False)

    def _linger(self, *, has_left: bool) -> None:
        if has_left:
            self._tcp.close()
            return
        has_left = not self._tcp.get_write_buffer_size()
        self._timer = self._loop.call_later(_LINGER_S, lambda: self._linger(has_left=has_left))

    def abort(self) -> None:
        self._tcp.abort()

    def is_closing(self) -> bool:
        return self._is_closing or self._tcp.is_closing()

    def pause_reading(self) -> None:
        self._is_paused = True
        if not self._has_ended:
            self._tcp.pause_reading()

    def resume_reading(self) -> None:
        if self._is_paused:
            self._is_paused = False
            if not self._has_ended:
                self._tcp.resume_reading()
                self._loop.call_soon(self._read)

    def is_reading(self) -> bool:
        return not self._is_paused and self._tcp.is_reading()

    def get_write_buffer_size(self) -> int:
        return self._tcp.get_write_buffer_size() + self._n_waiting

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._tcp.set_write_buffer_limits(high, low)

    def can_write_eof(self) -> bool:
        return False

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._above = cast("asyncio.Protocol", protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        assert self._above is not None
        return self._above

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._tls if name == "ssl_object" else self._tcp.get_extra_info(name, default)
