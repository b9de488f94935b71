"""Closing at any moment, also while the service starts, from anywhere."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from http.client import RemoteDisconnected
from pathlib import Path
from types import FrameType
from typing import Any

import grpc
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from jina import Deployment, Executor, requests
from jina.docs import DocList
from jina.errors import StartError
from tests.process.callers import GrpcCaller, http_call
from tests.process.executors import Text
from tests.process.machine import children, folders
from tests.process.waiting import is_alive, wait_until

pytestmark = pytest.mark.process
CLOSED = "closed while it started"


@pytest.fixture(autouse=True)
def nothing_left(own_folder: Path) -> Iterator[None]:
    """After each test no process and no folder is left."""
    before = children()
    yield
    assert (children(), folders()) == (before, set())


class Waits(Executor):
    """Is not ready before a file exists."""

    def __init__(self, mark: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        wait_until(Path(mark).exists, limit_s=120)

    @requests(on="/echo")
    def echo(self, docs: DocList[Text], **kwargs: Any) -> DocList[Text]:
        return docs


def is_told_or_cut_off(held: Future[Any]) -> bool:
    """What becomes of a call where we are asked to stop at once: there is a moment for telling its caller, but no longer."""
    error = held.exception(20)
    return held.result().status == 503 if error is None else isinstance(error, RemoteDisconnected | ConnectionResetError)


def waiting(mark: Path) -> Deployment:
    return Deployment(uses=Waits, uses_with={"mark": str(mark)}, port=0, protocol="http", quiet=True)


def check_serves(deployment: Deployment) -> None:
    assert http_call(deployment.port, "POST", "/echo", {"data": [{"text": "a"}]}).status == 200


def test_close_in_another_thread_ends_a_start(tmp_path: Path) -> None:
    """`start` says so, `close` waits until all has ended, the port is free; the same Deployment and another one start anew."""
    mark = tmp_path / "mark"
    deployment = waiting(mark)
    port = deployment.port
    with ThreadPoolExecutor() as pool:
        started = pool.submit(deployment.start)
        wait_until(lambda: len(deployment.pids) == 2)
        deployment.close()
        assert children() == set()
        with pytest.raises(StartError, match=CLOSED):
            started.result(10)
    with socket.socket() as again:
        again.bind(("127.0.0.1", port))
    mark.touch()
    for each in (deployment, waiting(mark)):
        with each:
            check_serves(each)


def test_close_in_a_signal_handler_ends_a_start(tmp_path: Path) -> None:
    """It cannot wait for what it interrupts; `start` raises when it goes on."""
    deployment = waiting(tmp_path / "mark")

    def ask() -> None:
        wait_until(lambda: len(deployment.pids) == 2)
        os.kill(os.getpid(), signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, lambda *_: deployment.close())
    try:
        with ThreadPoolExecutor() as pool:
            pool.submit(ask)
            with pytest.raises(StartError, match=CLOSED):
                deployment.start()
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_second_start_at_the_same_time_is_refused(tmp_path: Path) -> None:
    """It neither starts a second service nor harms the first."""
    deployment = waiting(tmp_path / "mark")
    with ThreadPoolExecutor() as pool:
        started = pool.submit(deployment.start)
        wait_until(lambda: len(deployment.pids) == 2)
        with pytest.raises(StartError, match="is being started"):
            deployment.start()
        (tmp_path / "mark").touch()
        with started.result(30):
            check_serves(deployment)


def test_a_deployment_is_closed_by_several_threads_at_once(tmp_path: Path) -> None:
    """Each waits for the end."""
    (tmp_path / "mark").touch()
    with waiting(tmp_path / "mark") as deployment, ThreadPoolExecutor() as pool:
        for done in [pool.submit(deployment.close) for _ in range(4)]:
            done.result(30)
        assert children() == set()


class Holds(Waits):
    """Keeps its calls for long; with a file's name in it, says there that it has begun."""

    @requests(on="/hold")
    async def hold(self, docs: DocList[Text], **kwargs: Any) -> DocList[Text]:
        Path(docs[0].text).touch()  # noqa: ASYNC240
        await asyncio.sleep(600)
        return docs


def test_a_second_interrupt_ends_the_grace_of_a_stop(tmp_path: Path) -> None:
    """Who presses Ctrl-C again does not want to wait for the calls that are held; in a notebook the service may then start again."""
    (tmp_path / "mark").touch()
    begun = tmp_path / "begun"
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with ThreadPoolExecutor() as pool:
        deployment = Deployment(
            uses=Holds, uses_with={"mark": str(tmp_path / "mark")}, port=0, protocol="http", quiet=True, timeout_ctrl=600
        ).start()
        body = {"data": [{"text": str(begun)}]}
        held = pool.submit(http_call, deployment.port, "POST", "/hold", body, timeout=120)
        wait_until(begun.exists)

        def interrupt_when_it_closes() -> None:
            wait_until(lambda: not deployment._is_running)
            os.kill(os.getpid(), signal.SIGINT)

        asked = pool.submit(interrupt_when_it_closes)
        begin = time.monotonic()
        try:
            with pytest.raises(KeyboardInterrupt):
                deployment.close()
            assert children() == set()
            deployment.start()
        finally:
            signal.signal(signal.SIGINT, before)
            deployment.close()
        assert time.monotonic() - begin < 300
        asked.result(10)
        assert is_told_or_cut_off(held)


INTERRUPTED = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a test run in the background inherits it as ignored
from jina import Deployment
from tests.process.test_closing import Holds
with Deployment(uses=Holds, uses_with={{"mark": {mark!r}}}, port=0, protocol="http", log_config="plain") as deployment:
    print("serving", deployment.port, *deployment.pids.values(), flush=True)
    deployment.block()
print("goes on", flush=True)
"""


def test_a_second_interrupt_while_a_program_blocks_ends_it_at_once(tmp_path: Path) -> None:
    """As in a terminal: the whole group hears it. The first says what is waited for; the second leaves no traceback and nothing behind."""
    (tmp_path / "mark").touch()
    path, begun = tmp_path / "service.py", tmp_path / "begun"
    path.write_text(INTERRUPTED.format(mark=str(tmp_path / "mark")))
    env = {**os.environ, "PYTHONPATH": os.pathsep.join((os.getcwd(), os.environ.get("PYTHONPATH", "")))}
    process = subprocess.Popen(
        [sys.executable, str(path)], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    with process, ThreadPoolExecutor() as pool:
        try:
            assert process.stdout is not None
            port, *pids = map(int, next(line for line in process.stdout if line.startswith("serving")).split()[1:])
            held = pool.submit(http_call, port, "POST", "/hold", {"data": [{"text": str(begun)}]}, timeout=120)
            wait_until(begun.exists)
            os.killpg(process.pid, signal.SIGINT)
            said = next(line for line in process.stdout if "stopping" in line)
            os.killpg(process.pid, signal.SIGINT)
            rest, _ = process.communicate(timeout=30)
        finally:
            process.kill()
    assert "calls under way have up to 60 s to finish; Ctrl-C again stops at once" in said
    assert (process.returncode, rest) == (0, "goes on\n")
    assert is_told_or_cut_off(held)
    assert not any(is_alive(pid) for pid in pids)


class Interrupts:
    """An event that Ctrl-C comes before."""

    def wait(self, _: float) -> bool:
        raise KeyboardInterrupt


def test_a_second_interrupt_may_come_before_the_closing(tmp_path: Path) -> None:
    """It need not find us waiting. What it interrupts is the user's own code, so that hears of it too."""
    (tmp_path / "mark").touch()
    begun = tmp_path / "begun"
    deployment = Deployment(uses=Holds, uses_with={"mark": str(tmp_path / "mark")}, port=0, protocol="http", quiet=True, timeout_ctrl=120)
    begin = time.monotonic()
    with ThreadPoolExecutor() as pool:
        with pytest.raises(KeyboardInterrupt), deployment:  # noqa: PT012 - all of it is one story
            held = pool.submit(http_call, deployment.port, "POST", "/hold", {"data": [{"text": str(begun)}]}, timeout=120)
            wait_until(begun.exists)
            deployment.block(Interrupts())
            raise KeyboardInterrupt
        assert is_told_or_cut_off(held)
    assert time.monotonic() - begin < 100


def test_calls_that_the_grace_is_too_short_for_are_answered(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Over every protocol their callers hear that the service has stopped, instead of losing the connection."""
    (tmp_path / "mark").touch()
    marks = [tmp_path / name for name in ("http", "grpc", "websocket")]
    uses_with, protocols = {"mark": str(tmp_path / "mark")}, ["http", "grpc", "websocket"]
    deployment = Deployment(uses=Holds, uses_with=uses_with, port=0, protocol=protocols, quiet=True, timeout_ctrl=1).start()
    with ThreadPoolExecutor() as pool, GrpcCaller(deployment.port) as caller:
        over_http = pool.submit(http_call, deployment.port, "POST", "/hold", {"data": [{"text": str(marks[0])}]}, timeout=60)
        over_grpc = caller.start("/hold", [Text(text=str(marks[1]))], timeout=60)
        with connect(f"ws://127.0.0.1:{deployment.port}/", proxy=None) as websocket:
            websocket.send(json.dumps({"data": [{"text": str(marks[2])}], "execEndpoint": "/hold"}))
            wait_until(lambda: all(mark.exists() for mark in marks))
            deployment.close()
            assert json.loads(websocket.recv())["header"]["status"]["httpStatus"] == 503
            with pytest.raises(ConnectionClosed) as closed:
                websocket.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1001
        assert over_http.result().status == 503
        assert "stopped before the call had ended" in over_http.result().json["detail"]
        assert over_grpc.code() is grpc.StatusCode.UNAVAILABLE
        assert "stopped before the call had ended" in over_grpc.details()
    assert capfd.readouterr().err == ""


FILES = ("deployment.py", "orchestrator.py", "local.py", "supervisor.py")


class Moment:
    """Does something when this thread comes to the n-th line of the code that starts a service; tells whether it came so far."""

    def __init__(self, n: int, act: Callable[[], None]) -> None:
        self.n, self.act, self.where = n, act, ""

    def __enter__(self) -> Moment:
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _trace(self, frame: FrameType, event: str, _: object) -> Any:
        if not frame.f_code.co_filename.endswith(FILES):
            return None
        self.n -= event == "line"
        if self.n == 0 and event == "line":
            sys.settrace(None)
            self.where = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
            self.act()
        return self._trace if self.n > 0 else None


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("how", ["interrupt", "handler", "thread"])
def test_a_start_can_be_ended_at_any_line_of_it(tmp_path: Path, how: str) -> None:
    """Ctrl-C, a signal handler that closes, another thread that closes: at the end nothing runs, and another service starts."""
    (tmp_path / "mark").touch()
    step, first = int(os.environ.get("JINA_TEST_STEP", "13")), 1
    with ThreadPoolExecutor() as closers:
        while True:
            deployment, closed = waiting(tmp_path / "mark"), []
            acts: dict[str, Callable[[], Any]] = {
                "interrupt": interrupt,
                "handler": deployment.close,
                "thread": lambda: closed.append(closers.submit(deployment.close)),  # noqa: B023
            }
            with Moment(first, acts[how]) as moment, suppress(KeyboardInterrupt, StartError):
                deployment.start()
                if moment.n > 0:
                    break
                deployment.close()  # the other close came before the start or after it
            for each in closed:
                each.result(20)
            assert (children(), folders()) == (set(), set()), moment.where
            wait_until(lambda: not any("supervisor" in thread.name for thread in threading.enumerate()))
            first += step
    with deployment:
        check_serves(deployment)
    assert first > 50
