"""Descriptors that are ours alone: a process forked from this one must not hold them open beyond our death or our closing them.

That goes for forks that Python makes (`os.fork`, `multiprocessing`), on every system. Of others `exits.own_exit_fd` tells, on Linux.
"""

from __future__ import annotations

import functools
import os

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
