"""Flows whose nodes die, fail, come late or give nothing, or whose own processes are killed: errors name the node, the next call works."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from jina import Client, Executor, Flow, requests
from jina.docs import BaseDoc, DocList
from jina.errors import BadServer, PortAlreadyUsed
from tests.process.callers import HttpReply, http_call
from tests.process.machine import children
from tests.process.waiting import is_alive, wait_until

pytestmark = pytest.mark.process
PROTOCOLS = ["grpc", "http", "websocket"]
EACH = pytest.mark.parametrize("protocol", PROTOCOLS)
FAILED = (BadServer, ConnectionError, TimeoutError)


class Word(BaseDoc):
    text: str = ""


class Acts(Executor):
    """Does to itself what it is told, then adds its mark."""

    def __init__(self, mark: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mark = mark

    @requests(on="/do")
    def do(self, docs: DocList[Word], parameters: dict[str, Any], **kwargs: Any) -> DocList[Word]:
        self.act(parameters)
        if parameters.get("what") == "nothing":
            return DocList[Word]()
        return DocList[Word]([Word(id=doc.id, text=doc.text + self.mark) for doc in docs])

    @requests(on="/items")
    def item(self, docs: DocList[Word], parameters: dict[str, Any], **kwargs: Any) -> DocList[Word]:
        if not parameters.get("at") or docs[0].text.startswith(parameters["at"]):
            self.act(parameters)
        return self.do(docs, {})

    def act(self, parameters: dict[str, Any]) -> None:
        what = parameters.get("what")
        if what == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        elif what == "fail":
            raise ValueError(f"no {self.mark}")
        elif what == "hold":
            hold(Path(parameters["begun"]))


def hold(begun: Path) -> None:
    """Say that it has begun, and wait until it is let go."""
    begun.touch()
    wait_until(begun.with_suffix(".go").exists, limit_s=100)


class Streams(Acts):
    """Makes a stream of the letters of a text; one of them never comes, if it is told so."""

    @requests(on="/items")
    async def item(self, doc: Word, parameters: dict[str, Any], **kwargs: Any) -> AsyncIterator[Word]:  # type: ignore[override]
        for letter in doc.text:
            if letter == parameters.get("at"):
                await asyncio.Event().wait()
            yield Word(text=letter + self.mark)


def chain(*, streams: str = "b", b: dict[str, Any] | None = None, protocol: Any = PROTOCOLS, **options: Any) -> Flow:
    flow = Flow(protocol=protocol, quiet=True, timeout_ctrl=5, **options)
    kinds = {name: Streams if name == streams else Acts for name in "ab"}
    flow = flow.add(name="a", uses=kinds["a"], uses_with={"mark": "a"})
    return flow.add(name="b", uses=kinds["b"], uses_with={"mark": "b"}, **(b or {}))


@pytest.fixture(scope="module")
def running() -> Iterator[Flow]:
    with chain() as flow:
        yield flow


@pytest.fixture(scope="module")
def diamond() -> Iterator[Flow]:
    flow = Flow(protocol=PROTOCOLS, quiet=True, timeout_ctrl=5).add(name="a", uses=Acts, uses_with={"mark": "a"})
    flow = flow.add(name="left", uses=Acts, uses_with={"mark": "l"}).add(name="right", uses=Acts, uses_with={"mark": "r"}, needs="a")
    with flow.add(name="end", uses=Acts, uses_with={"mark": "e"}, needs=["left", "right"]) as running:
        yield running


def client_of(flow: Flow, protocol: str) -> Any:
    return Client(protocol=protocol, port=flow.ports[PROTOCOLS.index(protocol)])


def post(flow: Flow, protocol: str, text: str = "x", **parameters: Any) -> str:
    found = client_of(flow, protocol).post("/do", DocList[Word]([Word(text=text)]), parameters=parameters, return_type=DocList[Word])
    return " ".join(doc.text for doc in found)


@EACH
@pytest.mark.parametrize("name", ["a", "b"])
def test_a_node_that_dies_of_a_call_is_named_and_the_next_call_works(running: Flow, protocol: str, name: str) -> None:
    """The other node, and the front, stay what they are."""
    before = running.pids
    with pytest.raises(FAILED, match=f"ended two workers.*{name}/rep-0"):
        post(running, protocol, **{f"{name}__what": "die"})
    assert post(running, protocol) == "xab"
    assert {pod for pod, pid in running.pids.items() if pid != before[pod]} == {f"{name}/rep-0"}


@EACH
@pytest.mark.parametrize("name", ["a", "b"])
def test_a_call_outlives_a_worker_that_is_killed(running: Flow, protocol: str, name: str, tmp_path: Path) -> None:
    """It is tried once more."""
    begun = tmp_path / "begun"
    with ThreadPoolExecutor() as pool:
        held = pool.submit(post, running, protocol, **{f"{name}__what": "hold", f"{name}__begun": str(begun)})
        wait_until(begun.exists)
        os.kill(running.pids[f"{name}/rep-0"], signal.SIGKILL)
        begun.with_suffix(".go").touch()
        assert held.result(60) == "xab"


@EACH
def test_a_branch_that_dies_ends_the_call(diamond: Flow, protocol: str) -> None:
    """While its sibling answers."""
    with pytest.raises(FAILED, match="right/rep-0"):
        post(diamond, protocol, right__what="die")
    assert post(diamond, protocol) == "xare"


@EACH
def test_a_node_that_fails_while_its_sibling_runs_is_told_at_once(diamond: Flow, protocol: str, tmp_path: Path) -> None:
    """Nobody waits for the sibling, and that it goes on harms nobody."""
    begun = tmp_path / "begun"
    with ThreadPoolExecutor() as pool:
        failing = pool.submit(post, diamond, protocol, left__what="fail", right__what="hold", right__begun=str(begun))
        with pytest.raises(BadServer, match="no l"):
            failing.result(60)
        begun.with_suffix(".go").touch()
    assert post(diamond, protocol) == "xare"


@EACH
def test_a_join_takes_what_there_is_where_a_branch_gives_nothing(diamond: Flow, protocol: str) -> None:
    """And nothing, where none gives anything."""
    assert post(diamond, protocol, left__what="nothing") == "xare"
    assert post(diamond, protocol, right__what="nothing") == "xale"
    assert post(diamond, protocol, left__what="nothing", right__what="nothing") == ""


@EACH
def test_a_node_that_dies_in_the_middle_of_a_stream_breaks_it_off(running: Flow, protocol: str) -> None:
    """What came before it is there, the end is an error that names it, the next stream works."""
    client = client_of(running, protocol)
    items = client.stream_doc("/items", Word(text="xyz"), parameters={"b__at": "y"}, return_type=Word)
    assert next(items).text == "xb"
    os.kill(running.pids["b/rep-0"], signal.SIGKILL)
    with pytest.raises(FAILED, match=r"broke off.*b/rep-0"):
        next(items)
    assert [doc.text for doc in client.stream_doc("/items", Word(text="xy"), return_type=Word)] == ["xb", "yb", "ab"]


def test_a_node_behind_a_stream_that_dies_of_an_item_is_named() -> None:
    """Items before it have come; the next stream works."""
    with chain(streams="a") as flow:
        for protocol in PROTOCOLS:
            client = client_of(flow, protocol)
            items = client.stream_doc("/items", Word(text="xyz"), parameters={"b__what": "die", "b__at": "y"}, return_type=Word)
            assert next(items).text == "xab"
            with pytest.raises(FAILED, match="b/rep-0"):
                next(items)
            assert [doc.text for doc in client.stream_doc("/items", Word(text="xy"), return_type=Word)] == ["xab", "yab"]


def test_a_node_that_answers_too_late_is_named(tmp_path: Path) -> None:
    """By its own `timeout_send`: a call, and a stream after its first item; over every protocol. It works again at once."""
    with chain(b={"timeout_send": 400}) as flow:
        for protocol in PROTOCOLS:
            begun = tmp_path / protocol
            with pytest.raises(FAILED, match="'b' did not answer before"):
                post(flow, protocol, b__what="hold", b__begun=str(begun))
            begun.with_suffix(".go").touch()
            wait_until(lambda: is_served(flow, protocol))  # noqa: B023
            items = client_of(flow, protocol).stream_doc("/items", Word(text="xyz"), parameters={"b__at": "y"}, return_type=Word)
            assert next(items).text == "xb"
            with pytest.raises(FAILED, match="from b/rep-0 did not end before"):
                next(items)
        port = flow.ports[1]
        begun = tmp_path / "status"
        body = {"data": [{"text": "x"}], "parameters": {"b__what": "hold", "b__begun": str(begun)}}
        assert http_call(port, "POST", "/do", body).status == 504
        begun.with_suffix(".go").touch()


def is_served(flow: Flow, protocol: str) -> bool:
    """It answers in time, now that nothing holds it."""
    try:
        return post(flow, protocol) == "xab"
    except FAILED:
        return False


@pytest.mark.parametrize("name", ["a", "b"])
def test_a_callers_deadline_names_the_node_that_was_not_done(running: Flow, name: str, tmp_path: Path) -> None:
    """Whichever it is."""
    begun = tmp_path / "begun"
    body = {"data": [{"text": "x"}], "parameters": {f"{name}__what": "hold", f"{name}__begun": str(begun)}}
    reply = http_call(running.ports[1], "POST", "/do", body, headers={"x-request-timeout": "0.5"})
    begun.with_suffix(".go").touch()
    assert (reply.status, f"{name!r} did not answer" in reply.json["detail"]) == (504, True), reply.json
    assert post(running, "http") == "xab"


def test_a_taken_port_is_told_before_anything_starts() -> None:
    """Whichever it is of several; none stays bound."""
    with socket.socket() as taken, socket.socket() as free:
        for each in (taken, free):
            each.bind(("127.0.0.1", 0))
        taken.listen()
        port = free.getsockname()[1]
        free.close()
        flow = chain(protocol=["grpc", "http"], port=[port, taken.getsockname()[1]])
        before = children()
        with pytest.raises(PortAlreadyUsed, match=str(taken.getsockname()[1])):
            flow.start()
        assert (children(), flow.pids) == (before, {})
        with socket.create_server(("127.0.0.1", port)):
            pass


@EACH
def test_a_front_that_is_killed_in_a_call_keeps_its_port(protocol: str, tmp_path: Path) -> None:
    """The call fails, the next one waits for the new front; the workers stay."""
    begun = tmp_path / "begun"
    with chain() as flow, ThreadPoolExecutor() as pool:
        before = flow.pids
        held = pool.submit(post, flow, protocol, b__what="hold", b__begun=str(begun))
        wait_until(begun.exists)
        os.kill(before["flow/front"], signal.SIGKILL)
        with pytest.raises(FAILED):
            held.result(60)
        begun.with_suffix(".go").touch()
        assert post(flow, protocol) == "xab"
        assert {pod for pod, pid in flow.pids.items() if pid != before[pod]} == {"flow/front"}


SCRIPT = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a test run in the background inherits it as ignored
import tempfile
tempfile.tempdir = {folder!r}
from tests.process.test_flow_deaths import chain
with chain(protocol="http", port=0) as flow:
    print(flow.port, *flow.pids.values(), flush=True)
    flow.block()
print("goes on", flush=True)
"""


@contextmanager
def script(tmp_path: Path, folder: Path) -> Iterator[tuple[subprocess.Popen[str], int, list[int]]]:
    path = tmp_path / "flow.py"
    path.write_text(SCRIPT.format(folder=str(folder)))
    env = {**os.environ, "PYTHONPATH": os.pathsep.join((os.getcwd(), os.environ.get("PYTHONPATH", "")))}
    process = subprocess.Popen([sys.executable, str(path)], stdout=subprocess.PIPE, text=True, env=env, start_new_session=True)
    try:
        assert process.stdout is not None
        port, *pids = [int(word) for word in process.stdout.readline().split()]
        yield process, port, pids
    finally:
        process.kill()
        process.communicate()


def held_call(port: int, begun: Path) -> Any:
    body = {"data": [{"text": "x"}], "parameters": {"b__what": "hold", "b__begun": str(begun)}}
    return http_call(port, "POST", "/do", body, timeout=100)


def test_a_killed_program_leaves_nothing(tmp_path: Path, own_folder: Path) -> None:
    """The call under way is answered, all processes and the folder are gone in the end."""
    begun = tmp_path / "begun"
    with script(tmp_path, own_folder) as (process, port, pids), ThreadPoolExecutor() as pool:
        held = pool.submit(held_call, port, begun)
        wait_until(begun.exists)
        process.kill()
        wait_until(lambda: not listens(port))
        begun.with_suffix(".go").touch()
        reply = held.result(60)
        assert (reply.status, text_of(reply)) == (200, "xab"), reply
        wait_until(lambda: not any(map(is_alive, pids)))
        assert list(own_folder.glob("openjina-*")) == []


def text_of(reply: HttpReply) -> str:
    """The text of its only document, or why there is none."""
    return str(reply.json["data"][0]["text"] if "data" in reply.json else reply.json)


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


def test_an_interrupt_lets_the_call_finish_and_the_program_go_on(tmp_path: Path, own_folder: Path) -> None:
    """As in a terminal: the whole group hears it."""
    begun = tmp_path / "begun"
    with script(tmp_path, own_folder) as (process, port, pids), ThreadPoolExecutor() as pool:
        held = pool.submit(held_call, port, begun)
        wait_until(begun.exists)
        os.killpg(process.pid, signal.SIGINT)
        wait_until(lambda: not listens(port))
        begun.with_suffix(".go").touch()
        reply = held.result(60)
        assert (reply.status, text_of(reply)) == (200, "xab"), reply
        rest, _ = process.communicate(timeout=60)
        assert (process.returncode, rest) == (0, "goes on\n")
        assert not any(map(is_alive, pids))
        assert list(own_folder.glob("openjina-*")) == []
