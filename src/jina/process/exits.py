"""Knowing that a process has ended, whoever else still holds its pipes and sockets (what the user's code forked does)."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import threading
import time
from collections.abc import Iterable

from jina.process.stdio import above_stdio

_POLL_S = 0.02


def exit_fd(process: subprocess.Popen[bytes]) -> int:
    """Give a descriptor that becomes readable when our child ends; the caller closes it."""
    if hasattr(os, "pidfd_open"):
        with contextlib.suppress(OSError):  # an old kernel, or a sandbox that forbids it
            return os.pidfd_open(process.pid)
    reader, writer = os.pipe()

    def wait() -> None:
        process.wait()
        os.close(writer)

    threading.Thread(target=wait, name=f"wait-{process.pid}", daemon=True).start()
    return reader


def own_exit_fd() -> int | None:
    """Give a descriptor, for children of ours, that becomes readable when this process ends; None where the system has none."""
    if hasattr(os, "pidfd_open"):
        with contextlib.suppress(OSError):
            return above_stdio(os.pidfd_open(os.getpid()))
    return None


def wait_all(pids: Iterable[int], limit_s: float) -> None:
    """Wait until these processes, which need not be our children, have ended; at most `limit_s` for all together."""
    give_up_at = time.monotonic() + limit_s
    for pid in pids:
        _wait(pid, give_up_at)


def _wait(pid: int, give_up_at: float) -> None:
    if not hasattr(os, "pidfd_open"):
        while _exists(pid) and time.monotonic() < give_up_at:
            time.sleep(_POLL_S)
        return
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return
    try:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        poll.poll(max(0.0, give_up_at - time.monotonic()) * 1000)
    finally:
        os.close(fd)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True
