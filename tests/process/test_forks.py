"""Processes that the user's code forks, and the signals that they get."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.process

SCRIPT = """
import asyncio, os, signal
from jina.process.forks import keep_signal_from_forks

async def main():
    loop, heard = asyncio.get_running_loop(), asyncio.Event()
    os.register_at_fork(after_in_child=lambda: os.kill(os.getpid(), signal.SIGTERM))  # hooks run in turn: before all others
    loop.add_signal_handler(signal.SIGTERM, heard.set)
    keep_signal_from_forks(signal.SIGTERM)
    pid = os.fork()
    if not pid:
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    for _ in range(10):
        await asyncio.sleep(0)
    print(os.WIFSIGNALED(status), heard.is_set())
    os.kill(os.getpid(), signal.SIGTERM)
    await heard.wait()
    print("heard")

asyncio.run(main())
"""


def test_a_signal_ends_a_fork_however_early_it_comes() -> None:
    """The process that forked does not take it for its own, and goes on hearing those that are."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines() == ["True False", "heard"]
