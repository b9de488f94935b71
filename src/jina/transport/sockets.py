"""Listening and connected sockets that any thread may serve, one thread at a time, without an event loop.

An event loop belongs to one thread; these belong to whichever thread has time. `lock` guards everything that the protocols on top hold:
`handle` takes it, and so must every thread that calls a protocol or its `Link`.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Any, Protocol

from jina.codec.pieces import Bytes

_log = logging.getLogger("jina.hop")
_READ_BYTES = 256 << 10
_HIGH_WATER, _LOW_WATER = 64 << 10, 16 << 10
_MAX_PIECES = 64
_BACKLOG = 128
_REST_S = 0.1
_HAS_LEFT = (errno.ECONNABORTED, errno.EPROTO)
_NO_DESCRIPTOR = (errno.EMFILE, errno.ENFILE)
_NO_MEMORY = (errno.ENOBUFS, errno.ENOMEM)

Events = list[tuple[selectors.SelectorKey, int]]


class LinkProtocol(Protocol):
    """What speaks over a link: the part of `asyncio.Protocol` that it needs."""

    def connection_made(self, transport: Any) -> None:
        """The link is open."""

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""

    def connection_lost(self, error: Exception | None) -> None:
        """The link is closed, once."""

    def pause_writing(self) -> None:
        """Much is waiting to leave."""

    def resume_writing(self) -> None:
        """What was waiting has left."""


class Sockets:
    """A Unix socket that listens, and the connections that came over it.

    Attributes:
        lock: See the module's docstring.
        stuck: The links whose other end has not taken all that was written.
    """

    def __init__(
        self, path: str, make_protocol: Callable[[], LinkProtocol], *, on_open: Callable[[int], None], on_close: Callable[[int], None]
    ) -> None:
        """Listen.

        Args:
            path: Where.
            make_protocol: Gives the protocol of a new connection.
            on_open: Told of each descriptor that is ours from now on.
            on_close: Told of each that no longer is.

        Raises:
            OSError: The path cannot be bound.
        """
        self.lock = threading.RLock()
        self.stuck: set[Link] = set()
        self._make_protocol, self._on_open, self._on_close = make_protocol, on_open, on_close
        self._selector = selectors.DefaultSelector()
        self._buffer = memoryview(bytearray(_READ_BYTES))
        self._wake_out, self._wake_in = socket.socketpair()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)  # of one that died
        self._listener.bind(path)
        self._listener.listen(_BACKLOG)
        for sock, serve in ((self._listener, self._accept), (self._wake_out, self._woken)):
            sock.setblocking(False)
            self._selector.register(sock, selectors.EVENT_READ, serve)
        self._wake_in.setblocking(False)
        for fd in (self._listener.fileno(), self._wake_out.fileno(), self._wake_in.fileno()):
            on_open(fd)
        on_open(self.fileno())
        self._spare = _spare()
        self._is_resting = self._is_told = False

    def fileno(self) -> int:
        """A descriptor that is readable while something is to be done."""
        return self._selector.fileno()

    def wait(self, limit_s: float | None = None) -> Events:
        """Wait until something is to be done for `handle`; what two threads are told, one of them does."""
        return self._selector.select(limit_s)

    def handle(self, events: Events) -> None:
        """Do it: read, write, accept."""
        with self.lock:
            for key, mask in events:
                key.data(mask)

    def wake(self) -> None:
        """End the `wait` that another thread is in; from any thread."""
        with contextlib.suppress(BlockingIOError):  # full: it wakes up as it is
            self._wake_in.send(b"\0")

    def stop_listening(self) -> None:
        """Take no new connections."""
        with self.lock:
            if self._listener.fileno() >= 0:
                if not self._is_resting:
                    self._selector.unregister(self._listener)
                self._is_resting = False
                self._on_close(self._listener.fileno())
                self._listener.close()

    def close(self) -> None:
        """Close what is left, links excepted; where nobody waits any more."""
        self.stop_listening()
        for each in (self._wake_in, self._wake_out, self._selector):
            each.close()
        if self._spare is not None:
            os.close(self._spare)

    def _woken(self, mask: int) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wake_out.recv(4096)

    def _accept(self, mask: int) -> None:
        try:
            sock, _ = self._listener.accept()
        except BlockingIOError:  # it has left already
            return
        except OSError as error:
            self._let_nobody_in(error)
            return
        self._is_told = False
        sock.setblocking(False)
        self._on_open(sock.fileno())
        Link(sock, self._make_protocol(), self._selector, self._buffer, self.stuck, self._on_close)

    def _let_nobody_in(self, error: OSError) -> None:
        """Go on with the next if only this one is lost; what may last is looked at again a little later."""
        if error.errno in _HAS_LEFT or (error.errno in _NO_DESCRIPTOR and self._turn_away()):
            return
        if error.errno not in _NO_DESCRIPTOR + _NO_MEMORY and not self._is_told:
            self._is_told = True
            _log.warning("nobody is let in: %s", error)
        self._rest()

    def _turn_away(self) -> bool:
        """Close a descriptor that was kept for this, so that who knocks hears of it and may come again; tell whether one is kept anew."""
        if self._spare is not None:
            os.close(self._spare)
            with contextlib.suppress(OSError):  # another thread may take it first
                self._listener.accept()[0].close()
            self._spare = _spare()
        return self._spare is not None

    def _rest(self) -> None:
        """Look away for a moment from who knocks: nobody can be let in or turned away, and the knocking would go on at every look."""
        self._selector.unregister(self._listener)
        self._is_resting = True
        timer = threading.Timer(_REST_S, self._end_rest)
        timer.daemon = True
        timer.start()

    def _end_rest(self) -> None:
        with self.lock:
            if self._is_resting:
                self._is_resting = False
                self._spare = _spare()
                self._selector.register(self._listener, selectors.EVENT_READ, self._accept)


def _spare() -> int | None:
    try:
        return os.open(os.devnull, os.O_RDONLY)
    except OSError:
        return None


class Link:
    """One connection: what a protocol writes to. All of it is called with the lock held."""

    def __init__(
        self,
        sock: socket.socket,
        protocol: LinkProtocol,
        selector: selectors.BaseSelector,
        buffer: memoryview,
        stuck: set[Link],
        on_close: Callable[[int], None],
    ) -> None:
        self._sock, self._protocol, self._selector, self._buffer, self._on_close = sock, protocol, selector, buffer, on_close
        self._stuck = stuck
        self._unsent: deque[memoryview] = deque()
        self._n_unsent = 0
        self._is_open, self._is_paused = True, False
        selector.register(sock, selectors.EVENT_READ, self._serve)
        protocol.connection_made(self)

    def write(self, data: Bytes) -> None:
        """Send now what the socket takes, the rest when it takes more."""
        if not self._is_open:
            return
        n = 0 if self._n_unsent else self._send(data)
        if n < len(data):
            self._keep([memoryview(data)[n:]])

    def writelines(self, list_of_data: list[Bytes]) -> None:
        """The same with several pieces."""
        if self._is_open:
            self._keep([memoryview(data) for data in list_of_data])

    def _keep(self, views: list[memoryview]) -> None:
        """Send as much as the socket takes now, unless something waits already; the rest waits."""
        was_empty = not self._n_unsent
        self._unsent.extend(views)
        self._n_unsent += sum(map(len, views))
        if was_empty and not self._send_unsent():
            self._stuck.add(self)
            try:
                self._selector.modify(self._sock, selectors.EVENT_READ | selectors.EVENT_WRITE, self._serve)
            except (KeyError, OSError) as error:
                self._lose(error)
                return
        if self._n_unsent > _HIGH_WATER and not self._is_paused:
            self._is_paused = True
            self._protocol.pause_writing()

    def close(self) -> None:
        """End the connection; what has not left is lost."""
        self._lose(None)

    abort = close

    def _serve(self, mask: int) -> None:
        try:
            if mask & selectors.EVENT_WRITE and self._is_open:
                self._send_rest()
            if mask & selectors.EVENT_READ and self._is_open:
                self._read()
        except Exception as error:  # a bug of the protocol's must not end the thread that serves all others
            _log.exception("a connection is closed: its protocol failed")
            self._lose(error)

    def _read(self) -> None:
        try:
            n = self._sock.recv_into(self._buffer)
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(error)
            return
        if n:
            self._protocol.data_received(bytes(self._buffer[:n]))
        else:
            self._lose(None)

    def _send(self, data: Bytes) -> int:
        try:
            return self._sock.send(data)
        except OSError:  # full; or broken, which reading will tell
            return 0

    def _send_unsent(self) -> bool:
        """Send what the socket takes of what waits; True if nothing is left."""
        unsent = self._unsent
        while unsent:
            try:
                n = self._sock.sendmsg(islice(unsent, _MAX_PIECES))
            except OSError:
                return False
            self._n_unsent -= n
            while unsent and n >= len(unsent[0]):
                n -= len(unsent.popleft())
            if n:
                unsent[0] = unsent[0][n:]
                return False
        return True

    def _send_rest(self) -> None:
        if self._send_unsent():
            self._stuck.discard(self)
            self._selector.modify(self._sock, selectors.EVENT_READ, self._serve)
        if self._is_paused and self._n_unsent <= _LOW_WATER:
            self._is_paused = False
            self._protocol.resume_writing()

    def _lose(self, error: Exception | None) -> None:
        if self._is_open:
            self._is_open = False
            self._unsent.clear()
            self._stuck.discard(self)
            with contextlib.suppress(KeyError, OSError):  # somebody may have closed our descriptor
                self._selector.unregister(self._sock)
                self._on_close(self._sock.fileno())
                self._sock.close()
            self._protocol.connection_lost(error)
