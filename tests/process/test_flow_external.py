"""Flows with an executor that somebody else runs: a Deployment of ours, over gRPC with and without TLS, at one address or two."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import trustme

from jina import Client, Deployment, Executor, Flow, requests
from jina.docs import BaseDoc, DocList
from jina.errors import BadServer, StartError
from tests.process.callers import http_call
from tests.process.waiting import wait_until

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
        mark = self.mark + str(parameters.get("more", ""))
        return DocList[Word]([Word(id=doc.id, text=doc.text + mark, by=[*doc.by, mark]) for doc in docs])

    @requests(on="/results")
    def results(self, docs: DocList[Word], **kwargs: Any) -> dict[str, Any]:
        return {"by": self.mark}


class Whole(Step):
    @requests(on="/letters")
    def letters(self, docs: DocList[Word], **kwargs: Any) -> DocList[Word]:
        return DocList[Word]([Word(text=doc.text + self.mark) for doc in docs])


class Letters(Step):
    """Streams."""

    @requests(on="/letters")
    async def letters(self, doc: Word, **kwargs: Any) -> AsyncIterator[Word]:
        for letter in doc.text:
            yield Word(text=letter + self.mark)


def deployment(mark: str = "x", **options: Any) -> Deployment:
    return Deployment(uses=Letters, uses_with={"mark": mark}, protocol="grpc", quiet=True, name="served", **options)


def three(**external: Any) -> Flow:
    """One of ours, the other one, one of ours."""
    flow = Flow(protocol=PROTOCOLS, quiet=True).add(name="a", uses=Whole, uses_with={"mark": "a"})
    return flow.add(name="x", external=True, **external).add(name="b", uses=Whole, uses_with={"mark": "b"})


@pytest.fixture(scope="module")
def outside() -> Iterator[Deployment]:
    with deployment() as running:
        yield running


@pytest.fixture(scope="module")
def running(outside: Deployment) -> Iterator[Flow]:
    with three(host="127.0.0.1", port=outside.port) as flow:
        yield flow


def client_of(flow: Flow, protocol: str) -> Any:
    return Client(protocol=protocol, port=flow.ports[PROTOCOLS.index(protocol)])


@EACH
def test_documents_pass_it_like_any_other(running: Flow, protocol: str) -> None:
    """With their ids, in several requests; its parameters are those that name it."""
    given = DocList[Word]([Word(text=str(n)) for n in range(150)])
    client = client_of(running, protocol)
    found = client.post("/step", given, parameters={"x__more": "!"}, return_type=DocList[Word], results_in_order=True)
    assert [(doc.id, doc.text, doc.by) for doc in found] == [(doc.id, f"{doc.text}ax!b", ["a", "x!", "b"]) for doc in given]


@EACH
def test_results_and_routes_tell_of_it(running: Flow, protocol: str) -> None:
    """Results by the name of its own pod, routes by the node's."""
    (reply,) = client_of(running, protocol).post("/results", Word(), return_responses=True)
    results = reply.parameters["__results__"]
    assert results == {"a/rep-0": {"by": "a"}, "served/rep-0": {"by": "x"}, "b/rep-0": {"by": "b"}}
    if protocol != "http":
        assert [route.executor for route in reply.routes] == ["gateway", "a", "x", "b"]


@EACH
def test_its_failure_is_told_and_the_next_call_works(running: Flow, protocol: str) -> None:
    """In its own words."""
    client = client_of(running, protocol)
    with pytest.raises(BadServer, match="no x"):
        client.post("/step", Word(text="x"), parameters={"x__fails": True}, return_type=DocList[Word])
    assert client.post("/step", Word(text="y"), return_type=Word).text == "yaxb"


@EACH
def test_its_stream_goes_on_through_the_next(running: Flow, protocol: str) -> None:
    """Item by item."""
    found = client_of(running, protocol).stream_doc("/letters", Word(text="pq"), return_type=Word)
    assert [doc.text for doc in found] == ["pxb", "qxb", "axb"]


def test_it_has_no_process_here(running: Flow) -> None:
    """Nor is it counted as one."""
    assert (set(running.pids), running.num_pods) == ({"flow/front", "a/rep-0", "b/rep-0"}, 3)
    assert running.is_ready
    assert {info.path for info in running.endpoints} >= {"/step", "/letters"}


def test_a_lone_one_and_joins_and_floats(outside: Deployment) -> None:
    """It is first and last, a branch, where branches meet, and what nobody waits for."""
    at: dict[str, Any] = {"external": True, "host": f"grpc://127.0.0.1:{outside.port}"}
    with Flow(protocol=PROTOCOLS, quiet=True).add(name="x", **at) as flow:
        for protocol in PROTOCOLS:
            assert client_of(flow, protocol).post("/step", Word(text="l"), return_type=Word).text == "lx"
    flow = Flow(protocol=PROTOCOLS, quiet=True).add(name="x", needs="gateway", **at)
    flow = flow.add(name="a", uses=Step, uses_with={"mark": "a"}, needs="gateway").add(name="f", floating=True, **at)
    with flow.add(name="end", needs=["x", "a"], **at) as running:
        for protocol in PROTOCOLS:
            (doc,) = client_of(running, protocol).post("/step", DocList[Word]([Word(text="l")]), return_type=DocList[Word])
            assert (doc.text, doc.by) == ("lax", ["x", "a", "x"])


def test_it_is_called_over_tls_with_metadata(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The roots are those that gRPC trusts; what is not let in ends the start."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "root.pem"))
    issued = authority.issue_cert("localhost")
    issued.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "both.pem"))
    both = str(tmp_path / "both.pem")
    monkeypatch.setenv("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", str(tmp_path / "root.pem"))
    with deployment(ssl_certfile=both, ssl_keyfile=both, api_key="secret") as outside:
        at: dict[str, Any] = {"host": "localhost", "port": outside.port, "tls": True}
        with three(**at, grpc_metadata={"x-api-key": "secret"}) as flow:
            assert client_of(flow, "grpc").post("/step", Word(text="l"), return_type=Word).text == "laxb"
        with pytest.raises(StartError, match=rf"external executor 'x' does not let us in: localhost:{outside.port}: UNAUTHENTICATED"):
            three(**at).start()


def test_one_of_two_addresses_dies(outside: Deployment) -> None:
    """No call fails; when both are gone the error names the node and both."""
    with deployment(mark="y") as other, deployment(mark="z", timeout_ctrl=0) as third:
        ports = [other.port, third.port]
        with three(port=ports) as flow:
            client = client_of(flow, "grpc")
            seen = {client.post("/step", Word(text="l"), return_type=Word).text for _ in range(4)}
            assert seen == {"layb", "lazb"}
            third.close()
            assert {client.post("/step", Word(text="l"), return_type=Word).text for _ in range(6)} == {"layb"}
            other.close()
            with pytest.raises(ConnectionError, match=rf"external executor 'x' failed.*127.0.0.1:{ports[0]}.*127.0.0.1:{ports[1]}"):
                client.post("/step", Word(text="l"), return_type=Word)


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def test_a_start_waits_for_it_as_long_as_it_may() -> None:
    """The error names the node, its addresses and why; the processes are gone."""
    flow = Flow(timeout_ready=2500, quiet=True).add(name="x", external=True, port=(ports := [free_port(), free_port()]))
    with pytest.raises(
        StartError, match=rf"external executor 'x' \(127.0.0.1:{ports[0]}: UNAVAILABLE .*{ports[1]}.* was not ready within 2.5 s"
    ):
        flow.start()
    assert flow.pids == {}


def test_a_start_that_waits_for_it_ends_by_close() -> None:
    """At once."""
    flow = Flow(quiet=True).add(name="x", external=True, port=free_port())
    with ThreadPoolExecutor() as pool:
        starting = pool.submit(flow.start)
        wait_until(lambda: "flow/front" in flow.pids)
        flow.close()
        with pytest.raises(StartError, match="was closed while it started"):
            starting.result(30)


def test_it_may_come_after_the_flow(outside: Deployment) -> None:
    """The Flow opens its ports once it is there."""
    port = free_port()
    flow = Flow(quiet=True).add(name="x", external=True, port=port)
    with ThreadPoolExecutor() as pool:
        starting = pool.submit(flow.start)
        wait_until(lambda: "flow/front" in flow.pids)
        with deployment(port=port), starting.result(60):
            assert flow.post("/step", Word(text="l"), return_type=Word).text == "lx"


def test_a_new_front_knows_it(outside: Deployment) -> None:
    """Also when the executor is away at that time: its endpoints are remembered."""
    with deployment(timeout_ctrl=0) as mortal, three(port=mortal.port) as flow:
        front = flow.pids["flow/front"]
        mortal.close()
        os.kill(front, signal.SIGKILL)
        wait_until(lambda: flow.pids.get("flow/front", front) != front)
        reply = http_call(flow.ports[1], "POST", "/step", {"data": [{"text": "l"}]})
        assert (reply.status, "external executor 'x'" in reply.json["detail"]) == (503, True)
        assert http_call(flow.ports[1], "POST", "/nowhere", {"data": []}).status == 404


def test_a_web_app_hears_of_it(outside: Deployment) -> None:
    """Its default routes are those of all nodes; so are those of an app process that comes later."""
    fastapi = pytest.importorskip("fastapi")
    with Flow(protocol="http", quiet=True, port=0).add(name="x", external=True, port=outside.port) as plain:
        paths = http_call(plain.ports[0], "GET", "/openapi.json").json["paths"].keys()
    app = fastapi.FastAPI()
    flow = Flow(protocol="http", quiet=True, port=0, app=app).add(name="x", external=True, port=outside.port)
    with flow:
        assert http_call(flow.ports[0], "POST", "/step", {"data": [{"text": "l"}]}).json["data"][0]["text"] == "lx"
        assert paths >= {"/step", "/letters"}
        before = flow.pids["flow/app"]
        os.kill(before, signal.SIGKILL)
        wait_until(lambda: flow.pids.get("flow/app", before) != before)
        assert http_call(flow.ports[0], "POST", "/step", {"data": [{"text": "l"}]}, timeout=60).json["data"][0]["text"] == "lx"


def test_it_is_slower_than_it_may_be() -> None:
    """`timeout_send` of the node ends the call; the error names it."""

    class Slow(Executor):
        @requests(on="/step")
        def step(self, docs: DocList[Word], **kwargs: Any) -> DocList[Word]:
            threading.Event().wait(20 if docs[0].text == "slowa" else 0)
            return docs

    with Deployment(uses=Slow, quiet=True, timeout_ctrl=0) as slow, three(port=slow.port, timeout_send=500) as flow:
        client = client_of(flow, "grpc")
        with pytest.raises(Exception, match=r"external executor 'x'.*DEADLINE_EXCEEDED"):
            client.post("/step", Word(text="slow"), return_type=Word)
