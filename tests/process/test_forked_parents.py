"""A parent that forks, as multiprocessing does: its forks hold nothing of a service."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.process.waiting import is_alive, wait_until

pytestmark = pytest.mark.process

SCRIPT = """
import ctypes, os, sys, time
from jina import Deployment
from tests.process.executors import Echo
app = "tests.process.web_apps:own" if {with_app} else None
deployment = Deployment(uses=Echo, port=0, protocol="http", quiet=True, timeout_ctrl=1, app=app).start()
libc = ctypes.PyDLL(None)  # its fork runs no hook of Python's
forked = libc.fork() if {unseen} else os.fork()
if forked == 0:
    libc.pause()
    os._exit(0)
print(deployment.port, *deployment.pids.values(), forked, flush=True)
sys.stdin.readline()
deployment.close()
print("closed", flush=True)
sys.stdin.readline()
"""


@contextmanager
def forked_parent(
    tmp_path: Path, *, unseen: bool = False, with_app: bool = False
) -> Iterator[tuple[subprocess.Popen[str], int, list[int]]]:
    """Run a service whose process forks; gives the process, the port and the ids of the service's children."""
    script = tmp_path / "parent.py"
    script.write_text(SCRIPT.format(unseen=unseen, with_app=with_app))
    env = {**os.environ, "PYTHONPATH": os.pathsep.join((os.getcwd(), os.environ.get("PYTHONPATH", "")))}
    words = [sys.executable, "-W", "ignore", str(script)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env) as parent:
        assert parent.stdout is not None
        port, *pids, forked = map(int, parent.stdout.readline().split())
        try:
            yield parent, port, pids
            assert is_alive(forked)
        finally:
            os.kill(forked, signal.SIGKILL)
            parent.kill()


@pytest.mark.parametrize("with_app", [False, True])
@pytest.mark.parametrize("unseen", [False, True])
def test_a_fork_of_a_killed_parent_does_not_keep_the_service_alive(tmp_path: Path, *, unseen: bool, with_app: bool) -> None:
    """Also one that Python did not see (there the kernel must tell of the parent's death, which not every system does)."""
    if unseen and not hasattr(os, "pidfd_open"):
        pytest.skip("no descriptors for processes on this system")
    with forked_parent(tmp_path, unseen=unseen, with_app=with_app) as (parent, port, pids):
        parent.kill()
        parent.wait()
        wait_until(lambda: not any(is_alive(pid) for pid in pids))
        if not unseen:
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port), timeout=5)


def test_a_fork_does_not_keep_a_closed_port_open(tmp_path: Path) -> None:
    """After `close` the port refuses and can be taken, although a fork lives on."""
    with forked_parent(tmp_path) as (parent, port, _):
        assert parent.stdin is not None
        assert parent.stdout is not None
        parent.stdin.write("\n")
        parent.stdin.flush()
        assert parent.stdout.readline() == "closed\n"
        with socket.socket() as again:
            again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            again.bind(("127.0.0.1", port))
            again.listen()
