"""Starting, and the ways in which a service or a part of it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from jina import Deployment, Executor, dynamic_batching, requests
from jina.codec import codec_for
from jina.docs import DocList
from jina.errors import BadConfigSource, ConfigError, PortAlreadyUsed, StartError
from tests.process.callers import GrpcCaller, http_call
from tests.process.executors import Count, Echo, Text
from tests.process.grpc_ways import message, send
from tests.process.machine import children, folders
from tests.process.waiting import is_alive, wait_until

pytestmark = pytest.mark.process


@pytest.mark.parametrize("protocols", [["http", "grpc"], ["grpc", "http"]])
def test_several_ports_and_protocols_at_once(protocols: list[str]) -> None:
    """All of them serve, in the order asked for."""
    with Deployment(uses=Echo, protocol=protocols, port=[0, 0], quiet=True) as deployment:
        assert len(set(deployment.ports)) == 2
        for protocol, port in zip(protocols, deployment.ports, strict=True):
            if protocol == "http":
                assert http_call(port, "POST", "/echo", {"data": [{"text": "a"}]}).json["data"][0]["text"] == "a!"
            else:
                with GrpcCaller(port) as caller:
                    assert caller.post("/echo", [Text(text="a")]).decoded(Text)[0].text == "a!"


class WithoutEndpoint(Executor):
    @dynamic_batching
    def embed(self, docs: DocList[Text], **kwargs: Any) -> DocList[Text]:
        return docs


def test_what_is_hardly_meant_is_said_when_the_service_starts() -> None:
    """An Executor without an endpoint serves, for it may only be a beginning; but not silently, and neither is what has no effect yet."""
    with pytest.warns(UserWarning, match="executor|accepted") as found, Deployment(uses=WithoutEndpoint, quiet=True):
        pass
    texts = [str(each.message) for each in found]
    assert [text.partition(";")[0] for text in texts] == [
        "executor 'WithoutEndpoint' has no endpoint, so nothing can be called",
        "accepted, but without effect in this release: dynamic batching of 'embed'",
    ]
    assert {each.filename for each in found} == {__file__}


@pytest.mark.parametrize("wrong", [{"uses": "nix.yml"}, {"uses": int}, {"uses": Echo, "ssl_certfile": "nix.pem", "ssl_keyfile": "nix.pem"}])
def test_what_is_wrong_before_anything_starts_is_shown_without_the_way_through_us(wrong: dict[str, Any]) -> None:
    """The user's line and the text."""
    deployment = Deployment(port=0, quiet=True, **wrong)
    with pytest.raises((ConfigError, BadConfigSource)) as caught:
        deployment.start()
    assert [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)][1:] == ["start"]


@pytest.mark.parametrize("is_listening", [True, False])
@pytest.mark.usefixtures("own_folder")
def test_a_port_that_is_taken_fails_the_start_and_leaves_nothing(*, is_listening: bool) -> None:
    """Also when an earlier port of the same service was free: that one is free again."""
    before, had = children(), folders()
    with socket.socket() as taken, socket.socket() as probe:
        taken.bind(("127.0.0.1", 0))
        if is_listening:
            taken.listen()
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
        probe.close()
        deployment = Deployment(uses=Echo, protocol=["http", "grpc"], port=[free, taken.getsockname()[1]], quiet=True)
        with pytest.raises(PortAlreadyUsed, match=str(taken.getsockname()[1])) as caught:
            deployment.start()
        shown = "".join(traceback.format_exception(caught.value))
        assert len(shown.splitlines()) <= 8, shown  # this line, and where it was raised: no way through our internals
        assert "#" not in shown.replace("        with pytest.raises", ""), shown  # nor our notes to ourselves
        with socket.socket() as again:
            again.bind(("127.0.0.1", free))
    assert (children(), folders()) == (before, had)


class Slow(Executor):
    """Is made in ten minutes; with a name, leaves a file when it begins."""

    def __init__(self, mark: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if mark:
            Path(mark).touch()
        time.sleep(600)


class Asleep(Executor):
    """Holds the interpreter lock while it is made."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        from tests.process.executors import hold_the_lock

        hold_the_lock(60)


@pytest.mark.usefixtures("own_folder")
@pytest.mark.parametrize("executor", [Slow, Asleep])
def test_an_executor_that_is_not_ready_in_time_is_a_timeout(executor: type) -> None:
    """The error names who was awaited and the option; no process stays, the port is free."""
    before, had = children(), folders()
    deployment = Deployment(uses=executor, port=0, quiet=True, timeout_ready=700)
    port = deployment.port
    with pytest.raises(TimeoutError, match=r"^executor/rep-0 was not ready within 0.7 s; raise timeout_ready"):
        deployment.start()
    assert (children(), folders()) == (before, had)
    with socket.socket() as again:
        again.bind(("127.0.0.1", port))


SCRIPT = """
import signal, sys, threading
signal.signal(signal.SIGINT, signal.default_int_handler)  # a test run in the background inherits it as ignored
from jina import Deployment
from tests.process.executors import Echo
from tests.process.test_start_and_stop import Slow, tell_when
deployment = Deployment(uses={executor}, uses_with={with_}, port=0, quiet=True)
threading.Thread(target=tell_when, args=(deployment, {function!r}, threading.get_ident()), daemon=True).start()
with deployment:
    deployment.block()
"""


def tell_when(deployment: Deployment, function: str, thread: int) -> None:
    """Print the children's process ids as soon as that thread is in a function of this name."""

    def is_there() -> bool:
        if function == "block" and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            return False
        frame = sys._current_frames().get(thread)
        while frame is not None and frame.f_code.co_name != function:
            frame = frame.f_back
        return frame is not None

    wait_until(lambda: is_there() and len(deployment.pids) == 2)
    print(*deployment.pids.values(), flush=True)


@contextmanager
def script(tmp_path: Path, executor: str, **with_: Any) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """Run a service in a process (and session) of its own; gives it and the ids of its children."""
    path = tmp_path / "service.py"
    path.write_text(SCRIPT.format(executor=executor, with_=with_, function="start" if executor == "Slow" else "block"))
    process = subprocess.Popen(
        [sys.executable, str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((os.getcwd(), os.environ.get("PYTHONPATH", "")))},
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        pids = [int(word) for word in process.stdout.readline().split()]
        assert len(pids) == 2, process.communicate()
        yield process, pids
    finally:
        process.kill()
        process.communicate()


def test_ctrl_c_while_it_blocks_ends_it_cleanly(tmp_path: Path) -> None:
    """As in a terminal: the signal goes to the whole group; the executor is closed once, nothing is printed, nothing stays."""
    mark = tmp_path / "mark"
    with script(tmp_path, "Echo", marker=str(mark)) as (process, pids):
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=20)
        assert (process.returncode, out, err) == (0, "", "")
        assert mark.read_text() == "closed\n"
        assert not any(is_alive(pid) for pid in pids)


def test_sigterm_while_it_blocks_is_an_order_to_stop(tmp_path: Path) -> None:
    """As service managers and containers send it, to the parent alone: the executor is closed, the program goes on and ends by itself."""
    mark = tmp_path / "mark"
    with script(tmp_path, "Echo", marker=str(mark)) as (process, pids):
        process.terminate()
        out, err = process.communicate(timeout=20)
        assert (process.returncode, out, err) == (0, "", "")
        assert mark.read_text() == "closed\n"
        assert not any(is_alive(pid) for pid in pids)


TERMS = """
import os, signal, threading
from jina import Deployment
from tests.process.executors import Echo

own = lambda *_: deployment.close()
with Deployment(uses=Echo, port=0, quiet=True) as deployment:
    threading.Timer(0.1, deployment.close).start()
    deployment.block()
    print(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
signal.signal(signal.SIGTERM, own)
with Deployment(uses=Echo, port=0, quiet=True) as deployment:
    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM)).start()
    deployment.block()
    print(signal.getsignal(signal.SIGTERM) is own)
"""


def test_blocking_leaves_sigterm_as_it_was(tmp_path: Path) -> None:
    """The default comes back, and a handler of the program's stays its own throughout."""
    path = tmp_path / "terms.py"
    path.write_text(TERMS)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join((os.getcwd(), os.environ.get("PYTHONPATH", "")))}
    done = subprocess.run([sys.executable, str(path)], env=env, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\nTrue\n", "")


FORKS = """
import os, signal, threading
from jina import Deployment
from tests.process.executors import Echo

def fork():
    child = os.fork()
    if child == 0:
        os.kill(os.getpid(), signal.SIGTERM)
        os._exit(7)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    deployment.close()

with Deployment(uses=Echo, port=0, quiet=True) as deployment:
    threading.Timer(0.1, fork).start()
    deployment.block()
"""


def test_sigterm_still_ends_what_the_program_forks_while_it_blocks(tmp_path: Path) -> None:
    """Such a process would take it for a Ctrl-C of its own."""
    path = tmp_path / "forks.py"
    path.write_text(FORKS)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join((os.getcwd(), os.environ.get("PYTHONPATH", ""))), "PYTHONWARNINGS": "ignore"}
    done = subprocess.run([sys.executable, str(path)], env=env, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{-signal.SIGTERM}\n", "")


def test_ctrl_c_while_it_starts_ends_it_at_once(tmp_path: Path) -> None:
    """A model that loads for ten minutes is not waited for."""
    with script(tmp_path, "Slow") as (process, pids):
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=120)
        assert process.returncode != 0
        assert "KeyboardInterrupt" in err
        assert not any(is_alive(pid) for pid in pids)


def test_a_parent_that_is_killed_while_it_starts_leaves_nothing(tmp_path: Path) -> None:
    """A model that loads for a minute gets no time to finish, for it holds nothing; others may wait for its memory."""
    mark = tmp_path / "mark"
    with script(tmp_path, "Slow", mark=str(mark)) as (process, pids):
        wait_until(mark.exists)
        process.kill()
        wait_until(lambda: not any(is_alive(pid) for pid in pids), limit_s=20)


DIES = """
import os, signal, sys, tempfile
tempfile.tempdir = sys.argv[1]
from jina import Deployment
from jina.process.supervisor import Supervisor
from tests.process.executors import Echo
Supervisor._turn = lambda self: os.kill(os.getpid(), signal.SIGKILL)  # as soon as all children are started
Deployment(uses=Echo, port=0, quiet=True).start()
"""


def test_a_parent_that_dies_as_soon_as_it_has_children_leaves_nothing(tmp_path: Path, own_folder: Path) -> None:
    """They find what it has told them, and its end; nobody complains."""
    path = tmp_path / "dies.py"
    path.write_text(DIES)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join((os.getcwd(), os.environ.get("PYTHONPATH", "")))}
    words = [sys.executable, str(path), str(own_folder)]
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=60, check=False)  # its pipes are its children's too
    assert (done.returncode, done.stderr) == (-signal.SIGKILL, "")
    assert list(own_folder.glob("openjina-*")) == []


@pytest.fixture(scope="module")
def running() -> Iterator[Deployment]:
    with Deployment(uses=Echo, protocol=["http", "grpc"], port=[0, 0], quiet=True) as deployment:
        yield deployment


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_that_is_killed_under_load_loses_no_call(running: Deployment, number: signal.Signals) -> None:
    """All are answered, by the old worker or the new one; SIGTERM lets it finish what it holds."""
    before = running.pids["executor/rep-0"]
    answers = under_load(running, lambda: os.kill(running.pids["executor/rep-0"], number))
    assert [answer for answer in answers if answer != "ok"] == []
    wait_until(lambda: running.pids.get("executor/rep-0", before) != before)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_front_that_ends_under_load_comes_back_on_its_ports(running: Deployment, number: signal.Signals) -> None:
    """Connections are accepted throughout; calls that a killed front held break, those of one asked to stop are answered."""
    before = running.pids["executor/front"]
    answers = under_load(running, lambda: os.kill(running.pids["executor/front"], number))
    broken = [answer for answer in answers if answer != "ok"]
    assert len(broken) <= (6 if number == signal.SIGKILL else 0), broken
    assert "refused" not in " ".join(broken)
    wait_until(lambda: running.pids.get("executor/front", before) != before)


def under_load(running: Deployment, act: Callable[[], None]) -> list[str]:
    """Six callers on connections of their own, all protocols; gives what became of each call."""
    answers: list[str] = []
    acted, is_over = threading.Event(), threading.Event()

    def post() -> None:
        reply = http_call(running.ports[0], "POST", "/echo", {"data": [{"text": "a"}]})
        assert reply.json["data"][0]["text"] == "a!"

    def unary() -> None:
        with grpc.insecure_channel(f"127.0.0.1:{running.ports[1]}") as channel:
            outcome = send(channel, "unary", message("unary", "/async", codec_for(Text).encode_proto_one(Text(text="a"))))
        assert outcome.status == "OK", outcome

    def run(ask: Callable[[], None]) -> None:
        n_after = 0
        while n_after < 3 or not is_over.is_set():
            n_after += acted.is_set()
            try:
                ask()
                answers.append("ok")
            except Exception as error:
                answers.append(repr(error))

    threads = [threading.Thread(target=run, args=(ask,)) for ask in (post, unary) * 3]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(answers) > 12)
    act()
    acted.set()
    n = len(answers)
    wait_until(lambda: len(answers) > n + 30)
    is_over.set()
    for thread in threads:
        thread.join()
    return answers


def test_a_caller_that_leaves_over_http_cancels_its_async_method(running: Deployment, tmp_path: Path) -> None:
    """The method sees CancelledError."""
    mark = tmp_path / "mark"
    body = b'{"data":[{"text":"60 %b"}]}' % str(mark).encode()
    with socket.create_connection(("127.0.0.1", running.ports[0])) as sock:
        sock.sendall(b"POST /async-sleep HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        wait_until(lambda: Path(f"{mark}.begun").exists())
    wait_until(mark.exists)
    assert mark.read_text() == "cancelled"


def test_a_caller_that_leaves_over_grpc_cancels_its_async_method(running: Deployment, tmp_path: Path) -> None:
    """The same."""
    mark = tmp_path / "mark"
    with GrpcCaller(running.ports[1]) as caller:
        held = caller.start("/async-sleep", [Text(text=f"60 {mark}")])
        wait_until(lambda: Path(f"{mark}.begun").exists())
        held.cancel()
        wait_until(mark.exists)


@pytest.mark.parametrize("endpoint", ["/forever", "/aforever"])
@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_a_reader_that_leaves_closes_its_generator(running: Deployment, tmp_path: Path, endpoint: str, protocol: str) -> None:
    """Its `finally` runs, for both kinds of generator."""
    mark = tmp_path / "mark"
    if protocol == "http":
        body = b'{"text":"%b"}' % str(mark).encode()
        with socket.create_connection(("127.0.0.1", running.ports[0])) as sock:
            sock.sendall(b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (endpoint.encode(), len(body), body))
            assert sock.recv(10) == b"HTTP/1.1 2"
    else:
        with GrpcCaller(running.ports[1]) as caller:
            next(iter(caller.stream(endpoint, Text(text=str(mark)))))
    wait_until(mark.exists)
    assert mark.read_text() == "closed"


class OnlyOnce(Executor):
    """Can be made once."""

    def __init__(self, mark: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if Path(mark).exists():
            raise RuntimeError("the model file is gone")
        Path(mark).touch()

    @requests(on="/echo")
    def echo(self, docs: DocList[Text], **kwargs: Any) -> DocList[Text]:
        return docs


def test_a_worker_that_cannot_start_again_is_given_up_clearly(tmp_path: Path) -> None:
    """Calls fail at once with the last error, the deployment is NOT_SERVING, the front serves, also one that is started anew."""
    kwargs = {"uses": OnlyOnce, "uses_with": {"mark": str(tmp_path / "mark")}, "protocol": ["http", "grpc"], "port": [0, 0]}
    with Deployment(**kwargs, quiet=True) as deployment, GrpcCaller(deployment.ports[1]) as caller:
        os.kill(deployment.pids["executor/rep-0"], signal.SIGKILL)
        for _ in range(2):
            reply = http_call(deployment.ports[0], "POST", "/echo", {"data": []}, timeout=60)
            assert (reply.status, "the model file is gone" in reply.json["detail"]) == (503, True)
            stub = health_pb2_grpc.HealthStub(caller.channel)
            assert stub.Check(health_pb2.HealthCheckRequest(), timeout=10).status == health_pb2.HealthCheckResponse.SERVING
            named = health_pb2.HealthCheckRequest(service="executor")
            assert stub.Check(named, timeout=10).status == health_pb2.HealthCheckResponse.NOT_SERVING
            assert http_call(deployment.ports[0], "GET", "/").status == 200
            before = deployment.pids["executor/front"]
            os.kill(before, signal.SIGKILL)
            wait_until(lambda: deployment.pids.get("executor/front", before) != before)  # noqa: B023
            grpc.channel_ready_future(caller.channel).result(20)


def test_a_call_of_a_deployment_that_does_not_run_says_so() -> None:
    """Before `start` and after `close`, instead of a refused connection; nothing would ever end a `block` without a start."""
    deployment = Deployment(uses=Echo, protocol="http", port=0, quiet=True)
    assert deployment.port
    with pytest.raises(StartError, match="is not running; call it within"):
        deployment.block()
    with pytest.raises(StartError, match="is not running; call it within"):
        deployment.post("/echo", Text(text="a"))
    with pytest.raises(StartError, match="is not running; call it within"):
        deployment.stream_doc("/count", Text(text="a"))
    with deployment:
        assert deployment.post("/echo", Text(text="a"), return_type=DocList[Text]).text == ["a!"]
        assert [count.n for count in deployment.stream_doc("/count", Text(), parameters={"n": 2}, return_type=Count)] == [0, 1]
    with pytest.raises(StartError, match="is not running"):
        deployment.post("/echo", Text(text="a"))
