"""Several nodes behind one front: a Plan made by hand, run by the engine of this machine."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from jina import Client, Executor, requests
from jina.core.graph import GraphNode, make_graph
from jina.docs import DocList
from jina.engines.local import LocalEngine
from jina.options import DeploymentOptions
from jina.plan import WebApp, node_of, plan_of
from tests.process.callers import http_call
from tests.process.executors import Text
from tests.process.waiting import wait_until

pytestmark = pytest.mark.process


class First(Executor):
    """Has an endpoint that the other has not."""

    @requests(on="/both")
    def both(self, docs: DocList[Text], **kwargs: Any) -> DocList[Text]:
        return DocList[Text]([Text(id=doc.id, text=f"{doc.text}, first") for doc in docs])

    @requests(on="/alone")
    def alone(self, docs: DocList[Text], **kwargs: Any) -> DocList[Text]:
        return DocList[Text]([Text(id=doc.id, text=f"{doc.text}, alone") for doc in docs])


class Second(Executor):
    """Also says what its environment is."""

    @requests(on="/both")
    def both(self, docs: DocList[Text], **kwargs: Any) -> DocList[Text]:
        return DocList[Text]([Text(id=doc.id, text=f"{doc.text}, second{os.environ.get('MARK', '')}") for doc in docs])

    @requests(on="/exit")
    def exit(self, docs: DocList[Text], **kwargs: Any) -> DocList[Text]:
        os._exit(3)


class Third(Executor):
    """Joins what the others made."""

    @requests(on="/both")
    def both(self, docs: DocList[Text], **kwargs: Any) -> DocList[Text]:
        return DocList[Text]([Text(id=doc.id, text=f"{doc.text}, third") for doc in docs])


class Late(Executor):
    """Writes a file, some time after it was asked."""

    @requests(on="/both")
    def both(self, docs: DocList[Text], **kwargs: Any) -> None:
        time.sleep(0.5)
        Path(docs[0].text.partition(",")[0]).touch()


class Refuses(Executor):
    """Cannot start."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        raise ValueError("no model there")


@contextmanager
def running(
    protocol: str, second: type = Second, *, web_app: WebApp | None = None, is_floating: bool = False, has_third: bool = False
) -> Iterator[tuple[LocalEngine, int]]:
    """A chain of two, of which nobody waits for the second if it floats, perhaps joined in a third; gives the engine and the port."""
    service = DeploymentOptions.from_kwargs(name="search", protocol=protocol, port=0, timeout_ctrl=10)
    nodes = [
        node_of(DeploymentOptions(name="one"), First, {}, graph_name="one"),
        node_of(DeploymentOptions(name="two", env={"MARK": "!"}), second, {}, graph_name="two"),
    ]
    graph = [GraphNode(name="one"), GraphNode(name="two", is_floating=is_floating)]
    if has_third:
        nodes.append(node_of(DeploymentOptions(name="three"), Third, {}, graph_name="three"))
        graph.append(GraphNode(name="three", needs=["one", "two"]))
    plan = plan_of("flow", service, (*nodes,), make_graph(graph))
    engine = LocalEngine(plan, log=lambda level, text: None)
    assert engine.claim()
    engine.start(web_app)
    try:
        yield engine, engine.bind()[0].port
    finally:
        engine.stop()


def _unchanged(app: Any) -> Any:
    return app


def ask(port: int, protocol: str, endpoint: str, text: str = "hello") -> str:
    """One document there and back."""
    with Client(port=port, protocol=protocol) as client:
        (found,) = client.post(endpoint, DocList[Text]([Text(text=text)]), return_type=DocList[Text])
    return str(found.text)


@pytest.mark.parametrize("protocol", ["grpc", "http", "websocket"])
def test_a_chain_of_two_processes_answers(protocol: str) -> None:
    """Documents pass both, each in its own process and environment; what one does not know passes it as it is."""
    with running(protocol) as (engine, port):
        assert ask(port, protocol, "/both") == "hello, first, second!"
        assert ask(port, protocol, "/alone") == "hello, alone"
        assert engine.pids.keys() == {"search/front", "one/rep-0", "two/rep-0"}
        assert {"/both", "/alone", "/exit"} <= {info.path for info in engine.endpoints}


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_branches_meet_in_a_third_process(protocol: str) -> None:
    """Documents of the same id become one, in which the values of the later branch stand."""
    with running(protocol, has_third=True) as (_, port):
        assert ask(port, protocol, "/both") == "hello, first, second!, third"


def test_each_node_dies_and_comes_back_for_itself() -> None:
    """A call that kills a node's worker is that node's; its neighbour is not started again, and the front offers what it did."""
    with running("http") as (engine, port):
        before = engine.pids
        died = http_call(port, "POST", "/exit", {"data": [{"text": "a"}]}, timeout=60)
        assert (died.status, "'two'" in died.json["detail"] or "two/rep-0" in died.json["detail"]) == (503, True)
        assert "/exit" in {info.path for info in engine.endpoints}  # while it starts anew, too
        wait_until(lambda: engine.pids.get("two/rep-0", before["two/rep-0"]) != before["two/rep-0"])
        assert ask(port, "http", "/both") == "hello, first, second!"
        assert engine.pids["one/rep-0"] == before["one/rep-0"]


def test_a_new_front_knows_all_nodes() -> None:
    """It listens at once and serves as soon as it has reached them."""
    with running("http") as (engine, port):
        before = engine.pids["search/front"]
        os.kill(before, signal.SIGKILL)
        wait_until(lambda: engine.pids.get("search/front", before) != before)
        assert ask(port, "http", "/both") == "hello, first, second!"


def test_a_web_app_offers_what_the_whole_does() -> None:
    """It waits for all nodes, whose endpoints it joins as the front does."""
    with running("http", web_app=WebApp(hook=_unchanged)) as (engine, port):
        assert "search/app" in engine.pids
        assert ask(port, "http", "/both") == "hello, first, second!"
        assert ask(port, "http", "/alone") == "hello, alone"


def test_a_start_waits_for_every_node() -> None:
    """One that cannot start ends it, and is named."""
    with pytest.raises(Exception, match="two/rep-0 could not start: ValueError: no model there"), running("grpc", Refuses):
        pass


def test_a_stop_waits_for_what_no_caller_waits_for(tmp_path: Path) -> None:
    """A floating node has its documents for good: the front goes when it has answered, and the workers after that."""
    mark = tmp_path / "mark"
    with running("grpc", Late, is_floating=True) as (_, port):
        assert ask(port, "grpc", "/both", str(mark)) == f"{mark}, first"
        assert not mark.exists()
    assert mark.exists()
