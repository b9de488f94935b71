"""Flows that stop, or lose what started them, while a call is on its way from one executor to the next."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from jina import Executor, Flow, requests
from jina.docs import BaseDoc, DocList
from tests.process.callers import http_call
from tests.process.waiting import is_alive, wait_until

pytestmark = pytest.mark.process


class Word(BaseDoc):
    text: str = ""


class Held(Executor):
    """Says that it has begun, and goes on when it is let."""

    @requests(on="/held")
    def held(self, docs: DocList[Word], parameters: dict[str, Any], **kwargs: Any) -> DocList[Word]:
        folder = Path(parameters["folder"])
        name = os.environ["JINA_DEPLOYMENT_NAME"].partition("/")[0]
        (folder / f"{name}.begun").touch()
        while name == parameters["hold"] and not (folder / "go").exists():
            time.sleep(0.01)
        return docs


def two(**options: Any) -> Flow:
    return Flow(protocol="http", quiet=True, **options).add(name="a", uses=Held).add(name="b", uses=Held)


class Calling:
    """A call that the first executor holds until the file `go` is there."""

    def __init__(self, port: int, folder: Path, hold: str = "a") -> None:
        self._body = {"data": [{"text": "x"}], "parameters": {"folder": str(folder), "hold": hold}}
        self._thread = threading.Thread(target=self._call, args=(port,), daemon=True)
        self._thread.start()
        wait_until((folder / f"{hold}.begun").exists)

    def _call(self, port: int) -> None:
        self.reply = http_call(port, "POST", "/held", self._body)

    def end(self) -> Any:
        self._thread.join(20)
        assert not self._thread.is_alive()
        return self.reply


def test_a_call_that_needs_a_worker_which_died_during_the_stop_fails_at_once(tmp_path: Path) -> None:
    """Nobody starts another one, so there is nothing to wait for."""
    flow = two().start()
    pid, calling = flow.pids["b/rep-0"], Calling(flow.ports[0], tmp_path)
    closing = threading.Thread(target=flow.close, daemon=True)
    closing.start()
    wait_until(lambda: is_refused(flow.ports[0]))
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(pid))
    (tmp_path / "go").touch()
    reply = calling.end()
    closing.join(20)
    assert not closing.is_alive()
    assert (reply.status, "b/rep-0 ended with signal 9 (SIGKILL) while the service stopped" in reply.json["detail"]) == (503, True)


SCRIPT = """
from tests.process.test_flow_stopping import two
with two() as flow:
    print(flow.port, *flow.pids.values(), flush=True)
    flow.block()
"""


def test_a_call_under_way_fails_at_once_when_what_started_the_flow_is_killed(tmp_path: Path) -> None:
    """Executors that have nothing to do end with it, and nobody starts them again."""
    path = tmp_path / "service.py"
    path.write_text(SCRIPT)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join((os.getcwd(), os.environ.get("PYTHONPATH", "")))}
    process = subprocess.Popen([sys.executable, str(path)], stdout=subprocess.PIPE, text=True, env=env, start_new_session=True)
    assert process.stdout is not None
    with process.stdout as stdout:
        port, *pids = [int(word) for word in stdout.readline().split()]
        try:
            calling = Calling(port, tmp_path)
        finally:
            process.kill()
            process.wait()
    wait_until(lambda: sum(map(is_alive, pids)) == 2)  # the front, and the executor that holds the call
    (tmp_path / "go").touch()
    reply = calling.end()
    assert (reply.status, "the process that started the service has ended" in reply.json["detail"]) == (503, True)
    wait_until(lambda: not any(map(is_alive, pids)))


def test_floating_executors_under_way_end_without_a_word_when_the_time_is_up(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """No traceback, though their connections are closed in that moment."""
    flow = Flow(protocol="http", quiet=True, timeout_ctrl=1).add(name="a", uses=Held).add(name="f", uses=Held, floating=True)
    with flow:
        Calling(flow.ports[0], tmp_path, "f").end()
    (tmp_path / "go").touch()
    assert "Traceback" not in capfd.readouterr().err


def is_refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return True
    return False
