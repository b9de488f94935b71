"""What a child printed before it failed to start."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from jina import Deployment, Executor
from jina.errors import StartError
from tests.process.callers import http_call
from tests.process.executors import Echo
from tests.process.waiting import wait_until

pytestmark = pytest.mark.process


class Dies(Executor):
    """Says something and ends in some way, without a traceback."""

    def __init__(self, how: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        print("looking for the model")
        print("it is not like the others", file=sys.stderr)
        if how == "exit":
            os._exit(7)
        elif how == "segfault":
            read_address_zero()
        elif how == "chatter":
            for n in range(100_000):
                print(f"{n} é and so on")
            os._exit(8)
        elif how == "sleep":
            for percent in range(0, 50, 10):
                print(f"\r{percent} %", end="")
            time.sleep(600)


class Silent(Executor):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        os._exit(9)


def read_address_zero() -> None:
    ctypes.string_at(0)


def failure(uses: type, **options: Any) -> str:
    with pytest.raises((StartError, TimeoutError)) as caught:
        Deployment(uses=uses, port=0, quiet=True, **options).start()
    return str(caught.value)


def test_an_exit_without_a_traceback_tells_what_was_printed() -> None:
    """Both streams, in order."""
    text = failure(Dies, uses_with={"how": "exit"})
    assert "executor/rep-0 ended with exit code 7" in text
    assert "looking for the model\nit is not like the others" in text


def test_a_crash_tells_where_it_was() -> None:
    """The line of Python that a signal such as SIGSEGV came in."""
    text = failure(Dies, uses_with={"how": "segfault"})
    assert "SIGSEGV" in text
    assert "it is not like the others" in text
    assert "read_address_zero" in text


def test_only_the_end_of_much_is_told() -> None:
    """A few KiB, in whole lines; a parent that is slow to read stops no child."""
    text = failure(Dies, uses_with={"how": "chatter"})
    told = text.partition("printed:\n\n")[2].splitlines()
    assert len(text) < 5000
    assert len(told) > 100
    assert all(line.endswith(" é and so on") for line in told)


def test_a_timeout_tells_what_was_printed() -> None:
    """It may say what is waited for; of a progress bar only the last state."""
    for timeout_ready in (2000, 8000, 32_000):  # it must have been started by then, which takes longer where others are busy
        text = failure(Dies, uses_with={"how": "sleep"}, timeout_ready=timeout_ready)
        if "40 %" in text:
            break
    assert text.startswith("executor/rep-0")
    assert text.endswith("it is not like the others\n40 %")


def test_where_nothing_was_printed_it_says_so() -> None:
    """And where to look for what native code printed."""
    text = failure(Silent)
    assert "exit code 9" in text
    assert "standard error" in text


SCRIPT = """
import io, sys
sys.stdout, sys.stderr = io.StringIO(), io.StringIO()
from jina import Deployment
from tests.process.test_last_words import Dies
try:
    Deployment(uses=Dies, uses_with={"how": "exit"}, port=0, quiet=True).start()
except Exception as error:
    assert (sys.stdout.getvalue(), sys.stderr.getvalue()) == ("", "")
    sys.__stdout__.write(f"told: {'looking for the model' in str(error)}")
"""


def test_a_notebook_is_told_what_its_own_streams_never_saw(tmp_path: Path) -> None:
    """It replaces `sys.stdout`, while children write to the process's: each line at once, as Python does only at a terminal."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join((os.getcwd(), os.environ.get("PYTHONPATH", ""))), "PYTHONUNBUFFERED": ""}
    done = subprocess.run([sys.executable, str(script)], env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.splitlines() == ["looking for the model", "told: True"]
    assert "it is not like the others" in done.stderr


def test_a_pipe_that_nobody_reads_stops_nobody() -> None:
    """What it does not take is dropped from the copy, not from what is printed."""
    read, write = os.pipe()
    code = f"from jina.main.last_words import LastWords; LastWords({write})\nfor n in range(100_000): print(n)"
    done = subprocess.run([sys.executable, "-c", code], pass_fds=[write], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == [str(n) for n in range(100_000)]
    for fd in (read, write):
        os.close(fd)


class Crashes(Echo):
    """Prints when it is called, and crashes."""

    async def aecho(self, docs: Any, **kwargs: Any) -> Any:
        print("called")
        read_address_zero()


def test_a_crash_of_a_ready_worker_tells_where_it_was_on_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    """For nobody waits for its start any more."""
    with Deployment(uses=Crashes, uses_requests={"/crash": "aecho"}, port=0, protocol="http", quiet=True) as deployment:
        before = deployment.pids["executor/rep-0"]
        assert http_call(deployment.port, "POST", "/crash", {"data": [{"text": "a"}]}, timeout=60).status == 503
        wait_until(lambda: deployment.pids.get("executor/rep-0", before) != before)
    assert "read_address_zero" in capfd.readouterr().err
