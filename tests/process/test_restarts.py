"""What a child that is started again gets from its parent: the same as the first."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jina import Deployment, Executor, requests
from jina.docs import DocList, TextDoc
from jina.engines.local import LocalEngine
from tests.process.callers import http_call
from tests.process.executors import Echo
from tests.process.waiting import wait_until

pytestmark = pytest.mark.process

MODULE = """
import os
from jina import Executor, requests
from jina.docs import DocList, TextDoc

class Where(Executor):
    @requests(on="/where")
    def where(self, docs: DocList[TextDoc], **kwargs) -> DocList[TextDoc]:
        return DocList[TextDoc]([TextDoc(text=os.getcwd())])
"""


def test_a_restarted_worker_imports_as_the_first_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Although the program has changed its working directory and its import path since."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    (tmp_path / "first" / "a_module_in_a_folder.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path / "first")
    monkeypatch.syspath_prepend("")
    from a_module_in_a_folder import Where  # type: ignore[import-not-found]

    with Deployment(uses=Where, protocol="http", port=0, quiet=True) as deployment:
        os.chdir(tmp_path / "second")
        sys.path.remove("")
        before = deployment.pids["executor/rep-0"]
        os.kill(before, signal.SIGKILL)
        wait_until(lambda: deployment.pids.get("executor/rep-0", before) != before)
        reply = http_call(deployment.port, "POST", "/where", {"data": [{"text": ""}]})
        assert reply.json["data"][0]["text"] == str(tmp_path / "first")


SCRIPT = """
import os, tempfile
folder = tempfile.mkdtemp()
os.chdir(folder)
os.rmdir(folder)
from jina import Deployment
from jina.engines.local import LocalEngine
from tests.process.callers import http_call
from tests.process.executors import Echo
with Deployment(uses=Echo, protocol="http", port=0, quiet=True) as deployment:
    assert http_call(deployment.port, "POST", "/echo", {"data": [{"text": "a"}]}).status == 200
"""


def test_a_program_whose_working_directory_is_gone_can_serve(tmp_path: Path) -> None:
    """As one that was started in a folder of an old release."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (os.getcwd(), os.environ.get("PYTHONPATH"))))}
    done = subprocess.run([sys.executable, str(script)], env=env, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_is_awaited_is_news_and_a_death_is_a_warning(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """In the log of the deployment."""
    monkeypatch.setattr("jina.process.supervisor._FIRST_NOTE_S", 0.02)
    monkeypatch.setattr("jina.process.supervisor._NOTE_S", 0.05)
    with Deployment(uses=Echo, protocol="http", port=0) as deployment:
        before = deployment.pids["executor/rep-0"]
        os.kill(before, signal.SIGKILL)
        wait_until(lambda: deployment.pids.get("executor/rep-0", before) != before)
    lines = capsys.readouterr().out.splitlines()
    assert ["INFO" in line for line in lines if "loading: executor/rep-0 is not ready yet" in line] == [True]
    assert {"INFO" in line for line in lines if "still waiting for executor/rep-0 after" in line} == {True}
    assert {"WARNING" in line for line in lines if "SIGKILL" in line} == {True}


LOG_CONFIG = """
handlers: [FileHandler]
level: INFO
configs:
  FileHandler: {format: '%(levelname)s %(message)s', output: 'LOG', formatter: PlainFormatter}
"""


def test_the_log_is_set_up_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its configuration may be gone, or its path mean another file, when a worker dies; and each line opens no file anew."""
    monkeypatch.chdir(tmp_path)
    Path("log.yml").write_text(LOG_CONFIG.replace("LOG", str(tmp_path / "log.txt")))
    with Deployment(uses=Echo, protocol="http", port=0, log_config="log.yml") as deployment:
        Path("log.yml").unlink()
        n_open = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            before = deployment.pids["executor/rep-0"]
            os.kill(before, signal.SIGKILL)
            wait_until(lambda: deployment.pids.get("executor/rep-0", before) != before)  # noqa: B023
            assert http_call(deployment.port, "POST", "/echo", {"data": [{"text": "a"}]}).status == 200
        assert len(os.listdir("/proc/self/fd")) <= n_open + 1  # of the new worker's words
    assert (tmp_path / "log.txt").read_text().count("WARNING") == 3


def test_a_log_that_fails_ends_no_service(capsys: pytest.CaptureFixture[str]) -> None:
    """What failed stands on standard error."""

    def fail(level: str, text: str) -> None:
        raise OSError("the disk is full")

    engine = LocalEngine(Deployment(uses=Echo, protocol="http", port=0, quiet=True)._plan(), log=fail)
    engine.start()
    try:
        before = engine.pids["executor/rep-0"]
        os.kill(before, signal.SIGKILL)
        wait_until(lambda: engine.pids.get("executor/rep-0", before) != before)
        assert http_call(engine.bind()[0].port, "POST", "/echo", {"data": [{"text": "a"}]}).status == 200
    finally:
        engine.stop()
    assert "the disk is full" in capsys.readouterr().err


class OutOfMemoryError(RuntimeError):
    """As torch names its own."""


class Fragile(Executor):
    """Counts its calls, so that one can see whether it is another one that answers."""

    n_calls = 0

    @requests(on="/fail")
    def fail(self, docs: DocList[TextDoc], **kwargs: Any) -> None:
        raise (OutOfMemoryError if docs[0].text == "fatal" else ValueError)("no luck")

    @requests(on="/count")
    async def count(self, docs: DocList[TextDoc], **kwargs: Any) -> DocList[TextDoc]:
        self.n_calls += 1
        return DocList[TextDoc]([TextDoc(text=str(self.n_calls))])


def test_a_worker_is_started_anew_after_an_exception_of_that_name() -> None:
    """Its caller hears of the exception, and the next call is answered by a fresh Executor; other exceptions change nothing."""
    with Deployment(uses=Fragile, protocol="http", port=0, quiet=True, exit_on_exceptions=["OutOfMemoryError"]) as deployment:

        def called(path: str, text: str = "") -> Any:
            return http_call(deployment.port, "POST", path, {"data": [{"text": text}]}, timeout=60)

        before = deployment.pids["executor/rep-0"]
        assert called("/fail", "harmless").status == 500
        assert [called("/count").json["data"][0]["text"] for _ in range(2)] == ["1", "2"]
        reply = called("/fail", "fatal")
        assert (reply.status, "OutOfMemoryError" in str(reply.json)) == (500, True)
        wait_until(lambda: deployment.pids.get("executor/rep-0", before) != before)
        assert called("/count").json["data"][0]["text"] == "1"


class Slow(Executor):
    @requests(on="/slow")
    async def slow(self, docs: DocList[TextDoc], **kwargs: Any) -> DocList[TextDoc]:
        await asyncio.sleep(float(docs[0].text or 0))
        return docs


def test_timeout_send_ends_calls_that_bring_no_shorter_deadline() -> None:
    """In milliseconds; a caller's own deadline counts where it comes sooner."""
    with Deployment(uses=Slow, protocol="http", port=0, quiet=True, timeout_send=300) as deployment:

        def called(text: str, headers: dict[str, str] | None = None) -> int:
            return http_call(deployment.port, "POST", "/slow", {"data": [{"text": text}]}, headers=headers or {}).status

        assert called("0") == 200
        assert called("60") == 504
        assert called("60", {"x-request-timeout": "0.01"}) == 504
        assert called("60", {"x-request-timeout": "60"}) == 504
