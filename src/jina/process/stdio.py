"""Descriptors 0, 1 and 2 are those of the standard streams, also where the parent has closed them and the system gives them away."""

from __future__ import annotations

import os
import subprocess

_LAST = 2


def above_stdio(fd: int) -> int:
    """Give the descriptor under a number beyond those of the standard streams, which a child has another use for."""
    if fd > _LAST:
        return fd
    try:
        return above_stdio(os.dup(fd))
    finally:
        os.close(fd)


def pipe() -> tuple[int, int]:
    """Give the ends of a pipe, to read from and to write to."""
    read, write = os.pipe()
    return above_stdio(read), above_stdio(write)


def inherited(fd: int) -> int | None:
    """Say for `Popen` what a child gets as this standard stream: ours, or nothing to write to where we have none."""
    try:
        return None if os.get_inheritable(fd) else subprocess.DEVNULL
    except OSError:
        return subprocess.DEVNULL
