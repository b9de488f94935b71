"""SIGTERM to a program that waits for its services: by default it dies in mid-call, and PID 1 of a container does not even hear of it."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """Let SIGTERM raise KeyboardInterrupt in this block; does nothing outside the main thread, or where the program has a handler."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    own_pid = os.getpid()

    def interrupt(number: int, _: object) -> None:
        if os.getpid() == own_pid:
            raise KeyboardInterrupt
        signal.signal(number, signal.SIG_DFL)  # what another thread has forked meanwhile dies of it, as it would without us
        os.kill(os.getpid(), number)

    signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGTERM) is interrupt:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
