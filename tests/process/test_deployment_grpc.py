"""A Deployment in real processes, called through grpcio."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from jina import Deployment
from jina.errors import StartError
from tests.process.callers import GrpcCaller
from tests.process.executors import Broken, Echo, Text
from tests.process.waiting import is_alive, wait_until

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def running() -> Iterator[Deployment]:
    with Deployment(uses=Echo, port=0, quiet=True) as deployment:
        yield deployment


@pytest.fixture
def caller(running: Deployment) -> Iterator[GrpcCaller]:
    with GrpcCaller(running.port) as caller:
        yield caller


def test_documents_go_through_the_executor(caller: GrpcCaller) -> None:
    """One request, its documents changed, its id echoed, the gateway and the executor in its routes."""
    reply = caller.post("/echo", [Text(text="a"), Text(text="b")], request_id="me")
    assert [doc.text for doc in reply.decoded(Text)] == ["a!", "b!"]
    assert (reply.request_id, reply.routes, reply.is_error) == ("me", 2, False)


@pytest.mark.parametrize("endpoint", ["/echo", "/async"])
def test_def_and_async_methods_answer_alike(caller: GrpcCaller, endpoint: str) -> None:
    """Both kinds of method run, each where it belongs."""
    assert caller.post(endpoint, [Text(text="x")]).decoded(Text)[0].text in ("x!", "x?")


def test_an_exception_is_told_with_its_traceback(caller: GrpcCaller) -> None:
    """As from Jina: the call succeeds, its header has the error, its trailing metadata says so."""
    reply = caller.post("/raise", [Text()])
    assert (reply.is_error, reply.name, reply.description) == (True, "ValueError", "ValueError('no such word')")
    assert reply.trailing["is-error"] == "true"
    assert "no such word" in reply.stacks[-1]
    assert caller.post("/echo", [Text(text="next")]).decoded(Text)[0].text == "next!"


def test_parameters_and_headers_reach_the_method(caller: GrpcCaller) -> None:
    """Numbers are floats, prefixes choose the executor, headers go to the method that names them."""
    seen = caller.post("/parameters", [Text()], parameters={"a": 1, "executor__b": 2, "other__c": 3})
    assert seen.parameters["__results__"] == {"executor/rep-0": {"seen": {"a": 1.0, "b": 2.0}}}
    assert caller.post("/headers", [Text()], metadata=(("x-tenant", "blue"),)).decoded(Text)[0].text == "blue"


@pytest.mark.parametrize("endpoint", ["/count", "/acount"])
def test_streams_arrive_item_by_item(caller: GrpcCaller, endpoint: str) -> None:
    """Both kinds of generator, with parameters."""
    assert len(list(caller.stream(endpoint, Text(), parameters={"n": 300}))) == 300


def test_a_stream_that_fails_in_the_middle_tells_so_once(caller: GrpcCaller) -> None:
    """What came before is delivered once, then one failed item ends the stream."""
    items = list(caller.stream("/break", Text()))
    assert len(items) == 3
    assert items[2].description == "RuntimeError('out of numbers')"


def test_requests_of_a_stream_are_answered_and_can_be_kept_in_order(caller: GrpcCaller) -> None:
    """Every request of `Call` gets its reply; with the metadata of `results_in_order` in the order sent."""
    batches = [[Text(text=str(n))] for n in range(50)]
    assert sorted(reply.request_id for reply in caller.call("/echo", batches)) == sorted(str(n) for n in range(50))
    in_order = caller.call("/async", batches, metadata=(("__results_in_order__", "true"),))
    assert [reply.request_id for reply in in_order] == [str(n) for n in range(50)]


def test_an_unknown_endpoint_gives_the_documents_back(caller: GrpcCaller) -> None:
    """As from Jina, with the nearest name in the description."""
    reply = caller.post("/ehco", [Text(text="same")])
    assert (reply.decoded(Text)[0].text, reply.is_error) == ("same", False)
    assert "did you mean '/echo'?" in reply.description


def test_a_deadline_ends_the_call_and_not_the_service(caller: GrpcCaller) -> None:
    """DEADLINE_EXCEEDED at the caller; others go on."""
    with pytest.raises(grpc.RpcError) as failed:
        caller.post("/sleep", [Text(text="0.5")], timeout=0.1)
    assert failed.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert caller.post("/async", [Text(text="x")]).decoded(Text)[0].text == "x?"


def test_a_caller_that_leaves_cancels_an_async_method(caller: GrpcCaller, tmp_path: Path) -> None:
    """The method's await is cancelled soon after."""
    mark = tmp_path / "mark"
    future = caller.start("/async-sleep", [Text(text=f"60 {mark}")])
    caller.post("/async", [Text()])
    future.cancel()
    wait_until(mark.exists)
    assert mark.read_text() == "cancelled"


def test_health_knows_the_front_and_the_deployment(running: Deployment) -> None:
    """'' and the services are the front's state, the deployment's name is its replicas'."""
    with grpc.insecure_channel(f"127.0.0.1:{running.port}") as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for service in ("", "jina.JinaRPC", "executor"):
            assert stub.Check(health_pb2.HealthCheckRequest(service=service)).status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.RpcError) as failed:
            stub.Check(health_pb2.HealthCheckRequest(service="nobody"))
        assert failed.value.code() is grpc.StatusCode.NOT_FOUND


def test_a_message_that_is_no_request_is_refused(running: Deployment) -> None:
    """As grpcio's server refuses bytes that it cannot read."""
    with grpc.insecure_channel(f"127.0.0.1:{running.port}") as channel:
        call = channel.unary_unary("/jina.JinaSingleDataRequestRPC/process_single_data")
        with pytest.raises(grpc.RpcError) as failed:
            call(b"\x0a\xff\xff\xff\xff\x0fnonsense")
        assert failed.value.code() is grpc.StatusCode.INTERNAL
        with pytest.raises(grpc.RpcError) as unknown:
            channel.unary_unary("/jina.Nothing/here")(b"")
        assert unknown.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_call_that_kills_its_worker_fails_and_the_next_one_works() -> None:
    """It is tried once more, alone; then UNAVAILABLE. Calls that wait meanwhile are answered."""
    with Deployment(uses=Echo, port=0, quiet=True) as deployment, GrpcCaller(deployment.port) as caller:
        before = deployment.pids["executor/rep-0"]
        killer = caller.start("/exit", [Text()])
        others = [caller.start("/echo", [Text(text=str(n))]) for n in range(20)]
        assert all(other.result() for other in others)
        assert killer.code() is grpc.StatusCode.UNAVAILABLE
        assert "ended two workers" in killer.details()
        assert deployment.pids["executor/rep-0"] != before


def test_a_call_in_flight_survives_one_death_of_its_worker(tmp_path: Path) -> None:
    """An innocent call that had begun is run again."""
    with Deployment(uses=Echo, port=0, quiet=True) as deployment, GrpcCaller(deployment.port) as caller:
        reply = caller.post("/exit-once", [Text(text=str(tmp_path / "once"))])
        assert reply.decoded(Text)[0].text == "second time"


def test_a_killed_front_comes_back_on_the_same_port() -> None:
    """Callers reconnect; the port was never closed."""
    with Deployment(uses=Echo, port=0, quiet=True) as deployment:
        os.kill(deployment.pids["executor/front"], signal.SIGKILL)
        with GrpcCaller(deployment.port) as caller:
            grpc.channel_ready_future(caller.channel).result(20)
            assert caller.post("/echo", [Text(text="a")]).decoded(Text)[0].text == "a!"


def test_an_executor_that_cannot_be_made_is_one_clear_error() -> None:
    """The child's traceback is in it; nothing stays behind."""
    deployment = Deployment(uses=Broken, port=0, quiet=True)
    with pytest.raises(StartError, match="the model file is missing") as failed:
        deployment.start()
    assert "executor/rep-0 could not start: RuntimeError" in str(failed.value)
    assert deployment.pids == {}


def test_stopping_finishes_what_is_held_and_closes_the_executor_once(tmp_path: Path) -> None:
    """A call in flight is answered, `close` runs once, no process stays."""
    mark = tmp_path / "mark"
    deployment = Deployment(uses=Echo, uses_with={"marker": str(mark)}, port=0, quiet=True).start()
    pids = list(deployment.pids.values())
    with GrpcCaller(deployment.port) as caller:
        held = caller.start("/sleep", [Text(text="0.3")])
        caller.post("/async", [Text()])
        deployment.close()
        assert held.code() is grpc.StatusCode.OK
    assert mark.read_text() == "closed\n"
    assert not any(is_alive(pid) for pid in pids)


def test_nothing_outlives_a_killed_parent(tmp_path: Path) -> None:
    """kill -9 of the parent while a model holds the lock and has a process of its own running: all of them end."""
    script = tmp_path / "parent.py"
    script.write_text(
        "import sys, threading\n"
        "from jina import Deployment\n"
        "from tests.process.executors import Echo, Text\n"
        "from tests.process.callers import GrpcCaller\n"
        "deployment = Deployment(uses=Echo, port=0, quiet=True, timeout_ctrl=1).start()\n"
        "caller = GrpcCaller(deployment.port)\n"
        "from tests.process.executors import Count\n"
        "own = caller.post('/spawn', [Text()]).decoded(Count)[0].n\n"
        "caller.start('/hold', [Text(text='60')])\n"
        "print(*deployment.pids.values(), own, flush=True)\n"
        "threading.Event().wait()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": os.getcwd()}
    )
    assert parent.stdout is not None
    pids = [int(word) for word in parent.stdout.readline().split()]
    assert len(pids) == 3
    parent.kill()
    parent.wait()
    parent.stdout.close()
    wait_until(lambda: not any(is_alive(pid) for pid in pids))


def test_a_script_that_forgets_to_close_ends_and_leaves_nothing(tmp_path: Path) -> None:
    """`start()` without `close()`: the script ends by itself, the executor is closed, no process stays."""
    mark = tmp_path / "mark"
    script = tmp_path / "script.py"
    script.write_text(
        "from jina import Deployment\n"
        "from tests.process.executors import Echo\n"
        f"deployment = Deployment(uses=Echo, uses_with={{'marker': {str(mark)!r}}}, port=0, quiet=True).start()\n"
        "print(*deployment.pids.values())\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=60, env={**os.environ, "PYTHONPATH": os.getcwd()}
    )
    assert done.returncode == 0, done.stderr
    assert mark.read_text() == "closed\n"
    assert not any(is_alive(int(word)) for word in done.stdout.split())


def test_a_class_of_a_script_needs_no_main_guard(tmp_path: Path) -> None:
    """Everything in one file, no `if __name__ == "__main__"`."""
    script = tmp_path / "service.py"
    script.write_text(
        "from jina import Deployment, Executor, requests\n"
        "from jina.docs import BaseDoc, DocList\n"
        "class Word(BaseDoc):\n    text: str\n"
        "class Up(Executor):\n"
        "    @requests(on='/up')\n"
        "    def up(self, docs: DocList[Word], **kwargs) -> DocList[Word]:\n"
        "        return DocList[Word]([Word(text=doc.text.upper()) for doc in docs])\n"
        "from tests.process.callers import GrpcCaller\n"
        "with Deployment(uses=Up, port=0, quiet=True) as deployment, GrpcCaller(deployment.port) as caller:\n"
        "    print(caller.post('/up', [Word(text='hello')]).decoded(Word)[0].text)\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=60, env={**os.environ, "PYTHONPATH": os.getcwd()}
    )
    assert done.stdout == "HELLO\n", done.stderr


@pytest.mark.parametrize(("endpoint", "text"), [("/hold", "2"), ("/block-async", "2")])
def test_the_front_answers_while_the_model_holds_everything(endpoint: str, text: str) -> None:
    """Beside a model that holds the interpreter lock health answers at once, other calls are answered in the end, and so is this one."""
    with Deployment(uses=Echo, port=0, quiet=True) as deployment, GrpcCaller(deployment.port) as caller:
        stub = health_pb2_grpc.HealthStub(caller.channel)
        held = caller.start(endpoint, [Text(text=text)])
        waiting = caller.start("/echo", [Text(text="a")])
        n_answers = 0
        while not held.done():
            assert stub.Check(health_pb2.HealthCheckRequest(), timeout=20).status == health_pb2.HealthCheckResponse.SERVING
            n_answers += 1
        assert n_answers > 3
        assert held.code() is grpc.StatusCode.OK
        assert waiting.result(20) is not None


def test_many_threads_share_one_service(running: Deployment) -> None:
    """Thirty-two callers at once, each gets its own answers."""
    wrong: list[str] = []

    def run(name: str) -> None:
        with GrpcCaller(running.port) as caller:
            for n in range(20):
                text = caller.post("/echo", [Text(text=f"{name}.{n}")]).decoded(Text)[0].text
                if text != f"{name}.{n}!":
                    wrong.append(text)

    threads = [threading.Thread(target=run, args=(str(n),)) for n in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_large_document_goes_both_ways(caller: GrpcCaller) -> None:
    """10 MB of text through front and worker and back."""
    big = "x" * 10_000_000
    assert caller.post("/echo", [Text(text=big)]).decoded(Text)[0].text == big + "!"
