"""Listening and connected sockets that any thread may serve, one thread at a time, without an event loop.

An event loop belongs to one thread; these belong to whichever thread has time. `lock` guards everything that the protocols on top hold:
`handle` takes it, and so must every thread that calls a protocol or its `Link`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

_log = logging.getLogger("jina.hop")
_READ_BYTES = 256 << 10
_HIGH_WATER, _LOW_WATER = 64 << 10, 16 << 10
_BACKLOG = 128

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
        self._spare = os.open(os.devnull, os.O_RDONLY)

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
                self._selector.unregister(self._listener)
                self._on_close(self._listener.fileno())
                self._listener.close()

    def _woken(self, mask: int) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wake_out.recv(4096)

    def _accept(self, mask: int) -> None:
        try:
            sock, _ = self._listener.accept()
        except BlockingIOError:  # it has left already
            return
        except OSError:
            self._turn_away()
            return
        sock.setblocking(False)
        self._on_open(sock.fileno())
        Link(sock, self._make_protocol(), self._selector, self._buffer, self._on_close)

    def _turn_away(self) -> None:
        """No descriptor is free: close one that was kept for this, so that who knocks hears of it and may come again."""
        with contextlib.suppress(OSError):  # another thread may take it first
            os.close(self._spare)
            self._listener.accept()[0].close()
        with contextlib.suppress(OSError):
            self._spare = os.open(os.devnull, os.O_RDONLY)


class Link:
    """One connection: what a protocol writes to. All of it is called with the lock held."""

    def __init__(
        self,
        sock: socket.socket,
        protocol: LinkProtocol,
        selector: selectors.BaseSelector,
        buffer: memoryview,
        on_close: Callable[[int], None],
    ) -> None:
        self._sock, self._protocol, self._selector, self._buffer, self._on_close = sock, protocol, selector, buffer, on_close
        self._unsent: deque[memoryview] = deque()
        self._n_unsent = 0
        self._is_open, self._is_paused = True, False
        selector.register(sock, selectors.EVENT_READ, self._serve)
        protocol.connection_made(self)

    def write(self, data: bytes) -> None:
        """Send now what the socket takes, the rest when it takes more."""
        if not self._is_open:
            return
        if not self._n_unsent:
            n = self._send(data)
            if n == len(data):
                return
            try:
                self._selector.modify(self._sock, selectors.EVENT_READ | selectors.EVENT_WRITE, self._serve)
            except (KeyError, OSError) as error:
                self._lose(error)
                return
        else:
            n = 0
        self._unsent.append(memoryview(data)[n:])
        self._n_unsent += len(data) - n
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

    def _send(self, data: bytes | memoryview) -> int:
        try:
            return self._sock.send(data)
        except OSError:  # full; or broken, which reading will tell
            return 0

    def _send_rest(self) -> None:
        unsent = self._unsent
        while unsent:
            n = self._send(unsent[0])
            self._n_unsent -= n
            if n < len(unsent[0]):
                unsent[0] = unsent[0][n:]
                break
            unsent.popleft()
        else:
            self._selector.modify(self._sock, selectors.EVENT_READ, self._serve)
        if self._is_paused and self._n_unsent <= _LOW_WATER:
            self._is_paused = False
            self._protocol.resume_writing()

    def _lose(self, error: Exception | None) -> None:
        if self._is_open:
            self._is_open = False
            self._unsent.clear()
            with contextlib.suppress(KeyError, OSError):  # somebody may have closed our descriptor
                self._selector.unregister(self._sock)
                self._on_close(self._sock.fileno())
                self._sock.close()
            self._protocol.connection_lost(error)
