"""What is ours alone: a process forked from this one must not hold our descriptors open beyond our death or our closing them, nor take
our signals for its own.

That goes for forks that Python makes (`os.fork`, `multiprocessing`), on every system. Of others `exits.own_exit_fd` tells, on Linux.
"""

from __future__ import annotations

import functools
import os
import signal
import threading

_private: set[int] = set()


def keep_from_forks(fd: int) -> None:
    """Say that this pipe or socket is for this process only."""
    _watch_forks()
    _private.add(fd)


def no_longer_ours(fd: int) -> None:
    """Say that this descriptor is closed now, so that its number may come to mean something else."""
    _private.discard(fd)


@functools.cache
def _watch_forks() -> None:
    os.register_at_fork(after_in_child=_drop_private)


def _drop_private() -> None:
    """In a forked child: put nothing in their place, so that no later descriptor gets a number that some object here still knows."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in _private:
        os.dup2(nothing, fd, inheritable=False)
    os.close(nothing)
    _private.clear()


def keep_signal_from_forks(number: int) -> None:
    """Let a signal end processes that user code forks: with the loop's handler they would live on, and wake our loop in their place."""
    ours, held = signal.getsignal(number), threading.local()

    def hold() -> None:  # until the fork has forgotten our loop
        held.mask = signal.pthread_sigmask(signal.SIG_BLOCK, {number})

    def release() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, held.mask)

    def forget() -> None:
        signal.set_wakeup_fd(-1)
        if signal.getsignal(number) is ours:
            signal.signal(number, signal.SIG_DFL)
        release()

    os.register_at_fork(before=hold, after_in_parent=release, after_in_child=forget)
