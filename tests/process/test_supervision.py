"""Whoever watches whom: deaths are seen, failures are told, nothing stays behind."""

from __future__ import annotations

import asyncio
import ctypes
import functools
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from jina import Deployment, Executor, requests
from jina.core.restart import RestartOptions
from jina.docs import DocList
from jina.errors import StartError
from jina.executor import write
from jina.process.child import Child
from jina.process.exits import exit_fd, wait_all
from jina.process.messages import Reader, ReplicaDown
from jina.transport.begun import BegunNotes, BegunView
from tests.process.callers import http_call
from tests.process.executors import Count, Echo, Text
from tests.process.waiting import is_alive, wait_until

pytestmark = pytest.mark.process


class Forking(Executor):
    """Forks, as a pool of the user's does."""

    @requests(on="/fork")
    def fork(self, docs: DocList[Text], **kwargs: Any) -> DocList[Count]:
        libc = ctypes.PyDLL(None)  # its fork runs no hook of Python's
        pid = libc.fork() if "unseen" in docs[0].text else os.fork()
        if pid == 0:
            if "unseen" in docs[0].text:
                libc.pause()
            time.sleep(120)
            os._exit(0)
        if "away" in docs[0].text:
            os.setpgid(pid, 0)
        return DocList[Count]([Count(n=pid)])

    @requests(on="/exit")
    def exit(self, docs: DocList[Text], **kwargs: Any) -> DocList[Text]:
        os._exit(3)


@pytest.mark.parametrize("where", ["beside", "away", "unseen", "unseen and away"])
def test_a_death_is_seen_although_a_forked_process_lives_on(where: str) -> None:
    """Also one that has left the worker's process group; the others are ended with the worker."""
    with Deployment(uses=Forking, protocol="http", port=0, quiet=True) as deployment:
        before = deployment.pids["executor/rep-0"]
        forked = http_call(deployment.port, "POST", "/fork", {"data": [{"text": where}]}).json["data"][0]["n"]
        try:
            assert is_alive(forked)
            reply = http_call(deployment.port, "POST", "/exit", {"data": [{"text": "a"}]}, timeout=60)
            assert (reply.status, "ended" in reply.json["detail"]) == (503, True)
            assert deployment.pids.get("executor/rep-0") != before
            assert is_alive(forked) == ("away" in where)
        finally:
            with suppress(ProcessLookupError):
                os.kill(forked, signal.SIGKILL)


class Once(Executor):
    """Changes state under `/default`, and dies of it."""

    @write
    @requests
    def note(self, docs: DocList[Text], **kwargs: Any) -> DocList[Text]:
        with Path(docs[0].text).open("a") as file:
            file.write("x")
        os._exit(3)


def test_what_changes_state_under_default_is_not_run_again(tmp_path: Path) -> None:
    """A call to an endpoint that is not there is run by `/default`, and is what that is."""
    mark = tmp_path / "mark"
    error = pytest.raises(ConnectionError, match="changes state and is not tried again")
    with Deployment(uses=Once, port=0, quiet=True) as deployment, error:
        deployment.post("/foo", Text(text=str(mark)))
    assert mark.read_text() == "x"


@pytest.mark.parametrize("has_pidfd", [True, False])
def test_ends_of_processes_are_seen_on_every_system(monkeypatch: pytest.MonkeyPatch, *, has_pidfd: bool) -> None:
    """With and without the kernel's descriptors for processes; waiting is bounded."""
    if not has_pidfd:
        monkeypatch.delattr(os, "pidfd_open", raising=False)
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    fd = exit_fd(process)
    wait_all([process.pid], 0.05)
    assert select.select([fd], [], [], 0)[0] == []
    process.communicate(b"end\n")
    assert select.select([fd], [], [], 30)[0] == [fd]
    wait_all([process.pid], 30)
    os.close(fd)


def test_dead_workers_leave_no_growing_heap_of_files(own_folder: Path) -> None:
    """At most those of the last one beside those of this one; and none after the end."""
    with Deployment(uses=Echo, protocol="http", port=0, quiet=True) as deployment:
        for _ in range(4):
            before = deployment.pids["executor/rep-0"]
            os.kill(before, signal.SIGKILL)
            wait_until(lambda: deployment.pids.get("executor/rep-0", before) != before)  # noqa: B023
            assert http_call(deployment.port, "POST", "/echo", {"data": [{"text": "a"}]}).status == 200
        assert len(list(own_folder.glob("openjina-*/*"))) <= 4
    assert list(own_folder.iterdir()) == []


def test_a_front_that_cannot_be_started_again_ends_the_service_for_all_to_see(monkeypatch: pytest.MonkeyPatch) -> None:
    """`block` raises the reason, the port refuses, no process stays, closing is harmless, and it can be started again."""

    def fail(*args: Any, **kwargs: Any) -> None:
        raise OSError("no more processes")

    monkeypatch.setattr("jina.core.restart.RestartOptions", functools.partial(RestartOptions, max_deaths_before_ready=2))
    with Deployment(uses=Echo, protocol="http", port=0, quiet=True) as deployment, ThreadPoolExecutor() as pool:
        blocked = pool.submit(deployment.block)
        pids, port = deployment.pids, deployment.port
        monkeypatch.setattr(subprocess, "Popen", fail)
        os.kill(pids["executor/front"], signal.SIGKILL)
        with pytest.raises(StartError, match="no more processes"):
            blocked.result(30)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)
        assert not any(is_alive(pid) for pid in pids.values())
        monkeypatch.undo()
        deployment.start()
        assert http_call(deployment.port, "POST", "/echo", {"data": [{"text": "a"}]}).status == 200


def test_an_order_to_a_child_that_does_not_read_waits_for_nobody() -> None:
    """It goes out piece by piece, whole and in order, as the pipe has room."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    orders_read, orders_write = os.pipe()
    events_read, events_write = os.pipe()
    printed_read, printed_write = os.pipe()
    child = Child(process, orders_write, events_read, printed_read)
    sent = [ReplicaDown("a", "n", "x" * 1_000_000), ReplicaDown("b", "n")]
    for order in sent:
        child.send(order)
    assert child.has_unsent
    got: list[Any] = []
    reader = Reader.of_orders()
    while len(got) < len(sent):
        got += reader.feed(os.read(orders_read, 1 << 16))
        child.flush()
    assert (got, child.has_unsent) == (sent, False)
    assert child.read() == []
    child.process.kill()
    child.reap()
    assert process.stdin is not None
    process.stdin.close()
    for fd in (orders_read, events_write, printed_write):
        os.close(fd)


def test_a_specification_larger_than_a_pipe_arrives() -> None:
    """The supervisor writes the rest when there is room."""
    big = "x" * 3_000_000
    with Deployment(uses=Echo, uses_metas={"description": big}, protocol="http", port=0, quiet=True) as deployment:
        assert http_call(deployment.port, "POST", "/echo", {"data": [{"text": "a"}]}).status == 200


class AsyncClose(Executor):
    """Closes as what it holds is closed: with await. Says so in a file; with a number, after so many seconds."""

    def __init__(self, mark: str = "", seconds: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mark, self.seconds = mark, seconds

    @requests(on="/echo")
    def echo(self, docs: DocList[Text], **kwargs: Any) -> DocList[Text]:
        return docs

    async def close(self) -> None:  # type: ignore[override]
        await asyncio.sleep(self.seconds)
        Path(self.mark).write_text("closed")  # noqa: ASYNC240


def test_an_async_close_is_awaited(tmp_path: Path) -> None:
    """On the loop that its methods run on."""
    mark = tmp_path / "mark"
    with Deployment(uses=AsyncClose, uses_with={"mark": str(mark)}, port=0, quiet=True):
        assert not mark.exists()
    assert mark.read_text() == "closed"


def test_a_close_that_never_returns_is_ended_after_the_time_of_a_stop(tmp_path: Path) -> None:
    """`timeout_ctrl` bounds it."""
    with Deployment(uses=AsyncClose, uses_with={"mark": str(tmp_path), "seconds": 600}, port=0, quiet=True, timeout_ctrl=1) as deployment:
        pids = deployment.pids.values()
        begin = time.monotonic()
    assert time.monotonic() - begin < 300
    assert not any(is_alive(pid) for pid in pids)


def hang(headers: Mapping[str, str]) -> bool:
    """An access check that never ends."""
    threading.Event().wait()
    return True


SCRIPT = """
from jina import Deployment
from tests.process.test_supervision import AsyncClose, hang
deployment = Deployment(uses=AsyncClose, uses_with={with_}, protocol="http", port=0, quiet=True, timeout_ctrl=20, api_key=hang)
with deployment:
    print(deployment.port, *deployment.pids.values(), flush=True)
    deployment.block()
"""


@contextmanager
def script(tmp_path: Path, folder: Path, **with_: Any) -> Iterator[tuple[subprocess.Popen[str], int, list[int]]]:
    """Run a service in a process of its own; gives it, its port and the ids of its children."""
    path = tmp_path / "service.py"
    path.write_text(SCRIPT.format(with_=with_))
    python_path = os.pathsep.join((os.getcwd(), os.environ.get("PYTHONPATH", "")))
    env = {**os.environ, "PYTHONPATH": python_path, "TMPDIR": str(folder)}
    process = subprocess.Popen([sys.executable, str(path)], stdout=subprocess.PIPE, text=True, env=env, start_new_session=True)
    try:
        assert process.stdout is not None
        port, *pids = [int(word) for word in process.stdout.readline().split()]
        yield process, port, pids
    finally:
        process.kill()
        process.communicate()


def test_a_killed_parent_leaves_nothing_and_cuts_no_close_short(tmp_path: Path, own_folder: Path) -> None:
    """The executor's close takes longer than a moment, an access check hangs: all processes and the folder are gone in the end."""
    mark = tmp_path / "mark"
    with script(tmp_path, own_folder, mark=str(mark), seconds=3.0) as (process, port, pids):
        reply = http_call(port, "POST", "/echo", {"data": [{"text": "a"}]})
        assert (reply.status, "access check" in reply.json["detail"]) == (503, True)
        process.kill()
        wait_until(lambda: not any(is_alive(pid) for pid in pids))
        assert mark.read_text() == "closed"
        assert list(own_folder.glob("openjina-*")) == []


def test_the_notes_of_a_lost_connection_say_nothing_about_the_next(tmp_path: Path) -> None:
    """Which counts its calls from one again, while the old calls still run."""
    notes = BegunNotes(str(tmp_path / "begun"))
    old = [notes.begin(stream) for stream in (1, 3)]
    notes.forget({1: "work", 3: "work"})
    view = BegunView(str(tmp_path / "begun"))
    new = notes.begin(1)
    assert view.read() == {1}
    for slot in (*old, new):
        notes.end(slot)
    assert view.read() == set()
    view.close()


def test_the_notes_stay_readable_when_their_file_is_removed(tmp_path: Path) -> None:
    """Somebody may clear the temporary folder while the service runs."""
    notes = BegunNotes(str(tmp_path / "begun"))
    view = BegunView(str(tmp_path / "begun"))
    (tmp_path / "begun").unlink()
    notes.begin(7)
    assert view.read() == {7}
    view.close()


def test_a_worker_that_keeps_no_notes_has_begun_nothing(tmp_path: Path) -> None:
    view = BegunView(str(tmp_path / "none"))
    assert view.read() == set()
    view.close()
