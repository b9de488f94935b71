"""What a child prints before it is ready also goes to the supervisor, which tells it if the child does not get that far.

The child prints where its parent does. The copy is written without blocking and dropped where the pipe is full, so that a parent that
does not read stops nobody. Python's own words are copied, and the place where each thread stood when a signal such as SIGSEGV ended the
process; what other code writes straight to the descriptors 1 and 2 is not.
"""

from __future__ import annotations

import contextlib
import faulthandler
import io
import os
import sys
from typing import TextIO, cast

from jina.process.forks import keep_from_forks, no_longer_ours

_STDERR = 2


class LastWords:
    """Copies standard output and error into a pipe, until `end`."""

    def __init__(self, fd: int) -> None:
        """Begin.

        Args:
            fd: The pipe's end.
        """
        self._fd, self._crash_fd, self._is_over = fd, os.dup(fd), False
        os.set_inheritable(fd, False)
        os.set_blocking(fd, False)
        for each in (fd, self._crash_fd):
            keep_from_forks(each)
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if stream is not None:  # else the parent has closed it
                copied = cast("TextIO", _Copied(stream, self))
                setattr(sys, name, copied)
                setattr(sys, f"__{name}__", copied)
        if not faulthandler.is_enabled():
            faulthandler.enable(file=self._crash_fd)

    def add(self, text: str) -> None:
        """Copy a text."""
        if not self._is_over:
            with contextlib.suppress(BlockingIOError, BrokenPipeError):
                os.write(self._fd, text.encode("utf-8", "backslashreplace"))

    def end(self) -> None:
        """Copy no more. The place of a crash is told on standard error from now on."""
        self._is_over = True
        nothing = os.open(os.devnull, os.O_WRONLY)  # what a thread is about to write goes there
        os.dup2(nothing, self._fd, inheritable=False)
        os.close(nothing)
        with contextlib.suppress(OSError):  # the parent has closed it
            os.dup2(_STDERR, self._crash_fd, inheritable=False)
            no_longer_ours(self._crash_fd)


class _Copied(io.TextIOWrapper):
    """A standard stream that tells what is written to it as text, and passes on each line: a notebook and `> log` show it at once."""

    def __init__(self, stream: io.TextIOWrapper, words: LastWords) -> None:
        self._words = words
        encoding, errors, is_direct = stream.encoding, stream.errors, stream.write_through
        super().__init__(stream.detach(), encoding, errors, line_buffering=True, write_through=is_direct)

    def write(self, text: str, /) -> int:
        n = super().write(text)
        self._words.add(text)
        return n
