"""What every child does first: take its specification, take the parent's import path, leave the terminal's Ctrl-C to the supervisor."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import sys
from collections import deque
from typing import Any

from jina.main.last_words import LastWords
from jina.process.forks import keep_from_forks
from jina.process.messages import Failed, FromChild, Reader, Ready, send

_PR_SET_PDEATHSIG = 1


class Parent:
    """The supervisor, as a child sees it: orders come out of one pipe, events go into another, and into a third what is printed
    until we are ready.

    Attributes:
        fds: Readable when `read` has something to tell.
    """

    def __init__(self, orders: int, events: int, printed: int, exited: int = -1) -> None:
        """Take the ends of our pipes and what is readable once the supervisor has ended (-1: nothing); begin to copy what is printed."""
        self._orders, self._events = orders, events
        self._last_words = LastWords(printed)
        self.fds = [fd for fd in (orders, exited) if fd >= 0]
        self._reader = Reader.of_orders()
        self._held: deque[Any] = deque()
        self._poll = select.poll()
        for fd in self.fds:
            self._poll.register(fd, select.POLLIN)
        for fd in (*self.fds, events):
            os.set_inheritable(fd, False)
            keep_from_forks(fd)

    def specification(self) -> Any:
        """Wait for the first message. EOFError if the supervisor went away before it."""
        while not self._held:
            data = self._receive()
            if not data:
                raise EOFError("the supervisor went away before it sent a specification")
            self._held += self._reader.feed(data)
        return self._held.popleft()

    def read(self) -> list[Any] | None:
        """Give the orders that have arrived, waiting for some; None once the supervisor is gone."""
        if self._held:
            held, self._held = list(self._held), deque()
            return held
        data = self._receive()
        return self._reader.feed(data) if data else None

    def _receive(self) -> bytes:
        """Wait for bytes; none once the supervisor is gone, which a fork of it that holds the pipe open does not hide."""
        if self._orders not in (fd for fd, _ in self._poll.poll()):
            return b""  # it has ended, and there is nothing of it left to read
        try:
            return os.read(self._orders, 1 << 18)
        except OSError:
            return b""

    @property
    def has_held(self) -> bool:
        """Orders that came together with the specification wait to be read."""
        return bool(self._held)

    def tell(self, event: FromChild) -> None:
        """Report an event; a supervisor that is gone hears nothing."""
        if isinstance(event, Ready):
            self._last_words.end()
        with contextlib.suppress(BrokenPipeError):
            send(self._events, event)

    def tell_failure(self, error: BaseException, traceback: str) -> None:
        """Report that this child cannot serve."""
        self.tell(Failed(f"{type(error).__name__}: {error}", traceback))


def enter(argv: list[str]) -> tuple[Parent, Any]:
    """Begin a child's life: `argv` is [module, name, and the descriptors that `Parent` takes]; gives the parent and the specification."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = Parent(*map(int, argv[2:]))
    try:
        spec = parent.specification()
    except EOFError:
        sys.exit(1)  # nobody is there to be told
    sys.path[:] = spec.sys_path
    with contextlib.suppress(OSError):
        os.chdir(spec.cwd)
    return parent, spec


def die_with_parent() -> None:
    """On Linux, ask the kernel for SIGTERM when the supervisor dies; elsewhere the closed pipe alone tells."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def raise_file_limit() -> None:
    """Connections are file descriptors: ask for as many as the machine allows."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
