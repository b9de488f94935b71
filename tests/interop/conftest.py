"""Services and clients of Jina 3 itself, in an environment of its own, beside ours."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PEER = Path(__file__).resolve().parent / "peer"
HOW = "needs Jina 3: set OPENJINA_PEER_JINA to an environment with jina==3.33.1, or OPENJINA_INTEROP=1 to make one under .build/peers"


@pytest.fixture(scope="session")
def peer_python() -> str:
    """The interpreter of an environment with Jina 3."""
    given = os.environ.get("OPENJINA_PEER_JINA")
    if given:
        python = Path(given) / "bin" / "python" if Path(given).is_dir() else Path(given)
        assert python.exists(), f"OPENJINA_PEER_JINA: there is no {python}"
        return str(python)
    if os.environ.get("OPENJINA_INTEROP") != "1":
        pytest.skip(HOW)
    return _made(ROOT / ".build" / "peers" / "jina")


def _made(home: Path) -> str:
    python = home / "bin" / "python"
    if not (home / "complete").exists():
        venv.create(home, with_pip=True)
        pip = [str(python), "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, "--upgrade", "pip", "setuptools<81"], check=True)
        subprocess.run([*pip, "jina==3.33.1"], check=True)
        (home / "complete").touch()
    return str(python)


@dataclass(frozen=True)
class Service:
    """`service.Served`, running; 0 for a protocol that it does not speak.

    Attributes:
        grpc: Port.
        http: Port.
        websocket: Port.
    """

    grpc: int
    http: int = 0
    websocket: int = 0


def environment_of(python: str) -> dict[str, str]:
    """Variables for an interpreter: where we are found is not for the one that has Jina 3."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH" or python == sys.executable}


def serve_with(python: str, log: Path, *words: str, script: str = "serve.py", grace_s: float = 15) -> Iterator[Service]:
    environment = {**environment_of(python), "JINA_LOG_LEVEL": "ERROR", "JINA_OPTOUT_TELEMETRY": "1"}
    told, tells = os.pipe()
    with log.open("w") as out, open(told) as ports:
        process = subprocess.Popen(
            [python, str(PEER / script), str(tells), *words],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=out,
            env=environment,
            pass_fds=[tells],
            start_new_session=True,
        )
        os.close(tells)
        assert process.stdin is not None
        try:
            line = ports.readline()
            assert line, f"the service did not start:\n{log.read_text()[-3000:]}"
            yield Service(**json.loads(line))
        finally:
            process.stdin.close()
            try:
                process.wait(grace_s)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(15)


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service run by us; no longer than its file's tests, for others look at what processes are left."""
    pytest.importorskip("docarray")
    yield from serve_with(sys.executable, tmp_path_factory.mktemp("ours") / "log")


@pytest.fixture(scope="module")
def theirs(peer_python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The same service run by Jina 3."""
    yield from serve_with(peer_python, tmp_path_factory.mktemp("theirs") / "log", grace_s=0.1)  # closing often hangs there


def run_peer(python: str, script: str, *words: str, timeout_s: float = 60) -> Any:
    """What a script in Jina 3's environment prints as its last line."""
    command = [python, str(PEER / script), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, env=environment_of(python))
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.strip().splitlines()[-1])
