"""Waiting for what other processes do, bounded."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path


def wait_until(condition: Callable[[], bool], *, limit_s: float = 30.0) -> None:
    """Return as soon as the condition holds; fail if it does not within the limit (far beyond what it should take)."""
    give_up_at = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > give_up_at:
            raise AssertionError(f"still not so after {limit_s} s")
        time.sleep(0.005)


def is_alive(pid: int) -> bool:
    """A process of this id runs (a zombie does not count)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
