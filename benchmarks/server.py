"""One server under test: a child process that prints a JSON line when it serves and stops when its input ends."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from peers import python_of

HERE = Path(__file__).resolve().parent
START_LIMIT_S = 60.0
STOP_LIMIT_S = 10.0


def free_port() -> int:
    """A port that was free a moment ago (Jina cannot be given port 0)."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A running server of a peer.

    Args:
        peer: Whose interpreter runs it.
        script: A file under `servers/`.
        words: Its arguments; `PORT` stands for a free port.
    """

    def __init__(self, peer: str, script: str, *words: str) -> None:
        self.peer, self.script, self.words = peer, script, words
        self.said: dict[str, Any] = {}

    def __enter__(self) -> Server:
        words = [str(free_port()) if word == "PORT" else word for word in self.words]
        environment = {**os.environ, "JINA_HIDE_SURVEY": "1", "JINA_OPTOUT_TELEMETRY": "1", "JINA_LOG_LEVEL": "ERROR"}
        command = [python_of(self.peer), str(HERE / "servers" / self.script), *words]
        self.log = tempfile.TemporaryFile("w+")
        self.child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, env=environment, text=True, start_new_session=True
        )
        try:
            self.said = self.wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def wait_until_ready(self) -> dict[str, Any]:
        """The line that the server prints; lines of other kinds (Jina's banner) are passed over."""
        end = time.monotonic() + START_LIMIT_S
        while time.monotonic() < end:
            if not select.select([self.child.stdout], [], [], 0.2)[0]:
                continue
            line = self.child.stdout.readline()
            if line.startswith('{"port"'):
                return json.loads(line)
            if not line:
                break
        self.log.seek(0)
        raise RuntimeError(f"{self.peer}'s {self.script} did not start:\n{self.log.read()[-3000:]}")

    @property
    def port(self) -> int:
        port = self.said["port"]
        return port[0] if isinstance(port, list) else port

    def __exit__(self, *_: object) -> None:
        self.stop()

    def leave(self) -> float:
        """End the server's input and wait until it has gone; gives the seconds that took."""
        begun = time.perf_counter()
        self.child.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.child.wait(STOP_LIMIT_S)
        return time.perf_counter() - begun

    def stop(self) -> None:
        """End the server's input; what has not gone by itself then is killed, with all that it started."""
        self.leave()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait()
        self.child.stdout.close()
        self.log.close()


def resident_mib(pid: int) -> float:
    """Resident memory of a process in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise ProcessLookupError(pid)


def cpu_s(pid: int) -> float:
    """CPU seconds, user and system, that a process has used."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
