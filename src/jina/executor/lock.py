"""One `__init__` of a class at a time on one machine, so that replicas do not download the same model side by side.

The lock is the kernel's (`flock`), so it ends with the process that holds it: there is no stale lock.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_POLL_S = 0.02


def locks_folder() -> Path:
    """Give where the lock files lie: `$JINA_LOCKS_ROOT`, else `~/.cache/jina/locks`."""
    return Path(os.environ.get("JINA_LOCKS_ROOT") or Path.home() / ".cache" / "jina" / "locks")


@contextmanager
def turn_of(class_name: str, *, folder: Path | None = None, max_wait_s: float = 600.0) -> Iterator[bool]:
    """Hold the lock of a class during a block; gives whether it is held.

    Without file locks (Windows, a folder that cannot be written), and after `max_wait_s`, the block runs all the same.
    """
    file = _open((folder or locks_folder()) / f"{class_name}.lock")
    if file is None:
        yield False
        return
    try:
        yield _acquire(file, max_wait_s)
    finally:
        os.close(file)


def _open(path: Path) -> int | None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
    except (OSError, RuntimeError):
        return None


def _acquire(file: int, max_wait_s: float) -> bool:
    try:
        import fcntl
    except ImportError:
        return False
    give_up = time.monotonic() + max_wait_s
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= give_up:
                return False
            time.sleep(_POLL_S)
        except OSError:
            return False
