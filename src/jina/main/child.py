"""What every child does first: take its specification, take the parent's import path, leave the terminal's Ctrl-C to the supervisor."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from collections import deque
from typing import Any

from jina.process.messages import Failed, FromChild, Reader, send

_PR_SET_PDEATHSIG = 1
_private: set[int] = set()


class Parent:
    """The supervisor, as a child sees it: orders come out of one pipe, events go into another."""

    def __init__(self, orders: int, events: int) -> None:
        self.orders, self._events = orders, events
        self._reader = Reader.of_orders()
        self._held: deque[Any] = deque()
        for fd in (orders, events):
            os.set_inheritable(fd, False)

    def specification(self) -> Any:
        """Wait for the first message. EOFError if the supervisor went away before it."""
        while not self._held:
            data = os.read(self.orders, 1 << 18)
            if not data:
                raise EOFError("the supervisor went away before it sent a specification")
            self._held += self._reader.feed(data)
        return self._held.popleft()

    def read(self) -> list[Any] | None:
        """Give the orders that have arrived; None once the supervisor is gone."""
        if self._held:
            held, self._held = list(self._held), deque()
            return held
        try:
            data = os.read(self.orders, 1 << 18)
        except OSError:
            return None
        return self._reader.feed(data) if data else None

    @property
    def has_held(self) -> bool:
        """Orders that came together with the specification wait to be read."""
        return bool(self._held)

    def tell(self, event: FromChild) -> None:
        """Report an event; a supervisor that is gone hears nothing."""
        with contextlib.suppress(BrokenPipeError):
            send(self._events, event)

    def tell_failure(self, error: BaseException, traceback: str) -> None:
        """Report that this child cannot serve."""
        self.tell(Failed(f"{type(error).__name__}: {error}", traceback))


def keep_from_forks(fd: int) -> None:
    """Say that this pipe or socket is ours alone: a process that the user's code forks must not hold it open beyond our death."""
    _private.add(fd)


def is_closed(fd: int) -> None:
    """Say that this descriptor is closed now, so that its number may come to mean something else."""
    _private.discard(fd)


def _drop_private() -> None:
    """In a forked child: put nothing in their place, so that no later descriptor gets a number that some object here still knows."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in _private:
        os.dup2(nothing, fd, inheritable=False)
    os.close(nothing)


def enter(argv: list[str]) -> tuple[Parent, Any]:
    """Begin a child's life: `argv` is [module, name, orders fd, events fd]; gives the parent and the specification."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    orders, events = int(argv[2]), int(argv[3])
    parent = Parent(orders, events)
    keep_from_forks(orders)
    keep_from_forks(events)
    os.register_at_fork(after_in_child=_drop_private)
    spec = parent.specification()
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
