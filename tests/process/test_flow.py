"""Flows in real processes, over every protocol."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from jina import Client, Executor, Flow, requests
from jina.docs import BaseDoc, DocList
from jina.errors import BadServer, StartError
from jina.flow import AsyncFlow
from tests.process.callers import http_call
from tests.process.waiting import is_alive, wait_until

pytestmark = pytest.mark.process
PROTOCOLS = ["grpc", "http", "websocket"]
EACH = pytest.mark.parametrize("protocol", PROTOCOLS)


class Word(BaseDoc):
    text: str = ""
    by: list[str] = []


class Step(Executor):
    """Notes that it was here."""

    def __init__(self, mark: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mark = mark

    @requests(on="/step")
    def step(self, docs: DocList[Word], parameters: dict[str, Any], **kwargs: Any) -> DocList[Word]:
        if parameters.get("fails"):
            raise ValueError(f"no {self.mark}")
        return DocList[Word]([Word(id=doc.id, text=doc.text + self.mark, by=[*doc.by, self.mark]) for doc in docs])

    @requests(on="/results")
    def results(self, docs: DocList[Word], parameters: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        return {"saw": parameters.get("x")}


class Letters(Step):
    """Streams."""

    @requests(on="/letters")
    async def letters(self, doc: Word, **kwargs: Any) -> AsyncIterator[Word]:
        for letter in doc.text:
            yield Word(text=letter + self.mark)


class Before(Step):
    @requests(on="/letters")
    def upper(self, docs: DocList[Word], **kwargs: Any) -> DocList[Word]:
        return DocList[Word]([Word(text=doc.text.upper()) for doc in docs])


def chain(*, protocol: Any = PROTOCOLS, **options: Any) -> Flow:
    flow = Flow(protocol=protocol, quiet=True, **options)
    return flow.add(name="a", uses=Before, uses_with={"mark": "a"}).add(name="b", uses=Letters, uses_with={"mark": "b"})


@pytest.fixture(scope="module")
def running() -> Iterator[Flow]:
    with chain() as flow:
        yield flow


@pytest.fixture(scope="module")
def diamond() -> Iterator[Flow]:
    flow = Flow(protocol=PROTOCOLS, quiet=True).add(name="a", uses=Step, uses_with={"mark": "a"})
    flow = flow.add(name="left", uses=Step, uses_with={"mark": "l"}).add(name="right", uses=Step, uses_with={"mark": "r"}, needs="a")
    with flow.add(name="end", uses=Step, uses_with={"mark": "e"}, needs=["left", "right"]) as running:
        yield running


def client_of(flow: Flow, protocol: str) -> Any:
    return Client(protocol=protocol, port=flow.ports[PROTOCOLS.index(protocol)])


@EACH
def test_documents_pass_all_executors(running: Flow, protocol: str) -> None:
    """Many of them, in several requests, with their ids."""
    given = DocList[Word]([Word(text=str(n)) for n in range(250)])
    found = client_of(running, protocol).post("/step", given, return_type=DocList[Word], results_in_order=True)
    assert [(doc.id, doc.text, doc.by) for doc in found] == [(doc.id, f"{doc.text}ab", ["a", "b"]) for doc in given]


@EACH
def test_parameters_reach_the_executor_that_they_name_and_results_come_of_all(running: Flow, protocol: str) -> None:
    """`name__key` belongs to one, the rest to all."""
    (reply,) = client_of(running, protocol).post("/results", Word(), parameters={"x": 1, "b__x": 2}, return_responses=True)
    assert reply.parameters["__results__"] == {"a/rep-0": {"saw": 1.0}, "b/rep-0": {"saw": 2.0}}
    if protocol != "http":  # whose replies carry no routes, in Jina either
        assert [route.executor for route in reply.routes] == ["gateway", "a", "b"]


@EACH
@pytest.mark.parametrize(("name", "error"), [("a", "no a"), ("b", "no b")])
def test_a_failing_executor_is_told_and_the_next_call_works(running: Flow, protocol: str, name: str, error: str) -> None:
    """With its own words."""
    client = client_of(running, protocol)
    with pytest.raises(BadServer, match=error):
        client.post("/step", Word(text="x"), parameters={f"{name}__fails": True}, return_type=DocList[Word])
    assert client.post("/step", Word(text="y"), return_type=Word).text == "yab"


@EACH
def test_a_target_leaves_the_others_out(running: Flow, protocol: str) -> None:
    """Documents pass them unchanged."""
    assert client_of(running, protocol).post("/step", Word(text="x"), target_executor="b", return_type=Word).text == "xb"


@EACH
def test_branches_are_joined(diamond: Flow, protocol: str) -> None:
    """By id: texts of the later branch, lists of both."""
    found = client_of(diamond, protocol).post("/step", DocList[Word]([Word(text="x"), Word(text="y")]), return_type=DocList[Word])
    assert [(doc.text, doc.by) for doc in found] == [("xare", ["a", "l", "a", "r", "e"]), ("yare", ["a", "l", "a", "r", "e"])]


@EACH
def test_a_failing_branch_ends_the_call(diamond: Flow, protocol: str) -> None:
    """The other one does not change that."""
    with pytest.raises(BadServer, match="no r"):
        client_of(diamond, protocol).post("/step", Word(text="x"), parameters={"right__fails": True}, return_type=Word)


@EACH
def test_documents_stream_from_the_last_executor(running: Flow, protocol: str) -> None:
    """What comes before it runs first."""
    assert [doc.text for doc in client_of(running, protocol).stream_doc("/letters", Word(text="xyz"), return_type=Word)] == [
        "Xb",
        "Yb",
        "Zb",
    ]


def test_replies_over_http_have_a_header(running: Flow) -> None:
    """As those of Jina's Flow do; what nobody knows is not found."""
    port = running.ports[1]
    reply = http_call(port, "POST", "/step", {"data": [{"text": "x"}], "header": {"requestId": "mine", "targetExecutor": "a"}})
    assert (reply.status, reply.json["header"]) == (200, {"requestId": "mine", "targetExecutor": ""})
    assert [doc["text"] for doc in reply.json["data"]] == ["xa"]
    assert http_call(port, "POST", "/nowhere", {"data": []}).status == 404


@EACH
def test_a_dry_run_tells_of_an_executor_that_is_down(protocol: str) -> None:
    """Over HTTP, too, where Jina's says that all is well."""
    with chain(protocol=protocol, max_wait_for_replica_s=0.2) as flow:
        assert flow.is_flow_ready()
        os.kill(flow.pids["b/rep-0"], signal.SIGSTOP)  # one that had died would be there again
        try:
            assert not flow.is_flow_ready(timeout=0.5)
        finally:
            os.kill(flow.pids["b/rep-0"], signal.SIGCONT)
        assert flow.is_flow_ready()


def test_a_node_that_is_too_late_is_a_gateway_timeout(running: Flow) -> None:
    """And the body says so as Jina's does."""
    os.kill(running.pids["b/rep-0"], signal.SIGSTOP)
    try:
        reply = http_call(running.ports[1], "POST", "/step", {"data": [{"text": "x"}]}, headers={"x-request-timeout": "0.3"})
    finally:
        os.kill(running.pids["b/rep-0"], signal.SIGCONT)
    assert (reply.status, reply.json["header"]["status"]["code"]) == (504, 1)
    assert reply.json["header"]["status"]["description"] == reply.json["detail"]


def test_nobody_waits_for_a_lone_executor_that_floats() -> None:
    """The caller has its documents back."""
    with Flow(quiet=True).add(uses=Step, uses_with={"mark": "a"}, floating=True) as flow:
        assert flow.post("/step", Word(text="x"), return_type=Word).text == "x"


def test_a_flow_answers_what_jinas_gateway_does(running: Flow) -> None:
    """Its state, a dry run, and calls whose endpoint stands in the body."""
    port = running.ports[1]
    assert http_call(port, "GET", "/dry_run").json == {"code": 0, "description": "", "exception": None}
    assert http_call(port, "GET", "/status").json.keys() == {"jina", "envs"}
    assert http_call(port, "POST", "/post", {"data": [{"text": "x"}], "execEndpoint": "/step"}).json["data"][0]["text"] == "xab"
    assert http_call(port, "POST", "/post", {"data": [{"text": "x"}], "execEndpoint": "/stop"}).status == 404


def test_a_flow_starts_and_stops_without_leaving_anything() -> None:
    """Its processes are a gateway and a worker for each executor."""
    flow = chain(protocol="grpc", name="mine")
    with flow:
        pids = flow.pids
        assert set(pids) == {"mine/front", "a/rep-0", "b/rep-0"}
        assert flow.is_ready
        assert flow.post("/step", Word(text="x"), return_type=Word).text == "xab"
    wait_until(lambda: not any(map(is_alive, pids.values())))
    with pytest.raises(StartError, match="flow 'mine' is not running"):
        flow.post("/step", Word())


def test_an_executor_that_cannot_start_ends_the_start() -> None:
    """Its name and its reason are told, nothing stays."""
    flow = chain(protocol="grpc").add(name="c", uses=Step, uses_with={"nothing_of_the_kind": 1, "mark": []})

    class Broken(Step):
        def __init__(self, **kwargs: Any) -> None:
            raise OSError("no model there")

    with pytest.raises(StartError, match=r"(?s)'?broken/rep-0.*no model there"):
        flow.add(name="broken", uses=Broken).start()
    assert flow.pids == {}


class Other(BaseDoc):
    text: list[int]


class Unfit(Executor):
    @requests(on="/step")
    def step(self, docs: DocList[Other], **kwargs: Any) -> DocList[Other]:
        return docs


def test_documents_that_cannot_fit_along_an_edge_end_the_start() -> None:
    """With the edge, the endpoint and the field; before any port listens."""
    flow = Flow(quiet=True).add(name="a", uses=Step).add(name="b", uses=Unfit)
    words = r"edge 'a' -> 'b', endpoint '/step': Word cannot be read as Other: field 'text' is string there and array here"
    with pytest.raises(StartError, match=words):
        flow.start()


def test_conditions_part_documents_and_the_reply_has_them_in_order() -> None:
    """Each branch sees its own; together they are all there."""
    flow = Flow(protocol=PROTOCOLS, quiet=True)
    flow = flow.add(name="small", uses=Step, uses_with={"mark": "s"}, when={"text": {"$lt": "5"}}, needs="gateway")
    flow = flow.add(name="large", uses=Step, uses_with={"mark": "l"}, when={"text": {"$gte": "5"}}, needs="gateway")
    with flow.needs(["small", "large"], name="join", uses=Step) as running:
        for protocol in PROTOCOLS:
            found = client_of(running, protocol).post("/step", DocList[Word]([Word(text=n) for n in "9172"]), return_type=DocList[Word])
            assert [doc.text for doc in found] == ["9l", "1s", "7l", "2s"]


def test_an_async_flow_gives_coroutines() -> None:
    """It is entered with `async with`, too."""

    async def use() -> tuple[list[str], bool]:
        async with AsyncFlow(quiet=True).add(name="a", uses=Step, uses_with={"mark": "!"}) as flow:
            found = [docs[0].text async for docs in flow.post("/step", Word(text="x"), return_type=DocList[Word])]
            return found, await flow.is_flow_ready() and flow.is_ready

    assert asyncio.run(use()) == (["x!"], True)
