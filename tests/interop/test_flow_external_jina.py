"""A Deployment of Jina 3 in the middle of our Flow, and its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jina import Client, Executor, Flow, requests
from jina.docs import BaseDoc, DocList, NdArray
from jina.errors import BadServer
from tests.interop.conftest import Service, serve_with

pytestmark = pytest.mark.process
PROTOCOLS = ["grpc", "http", "websocket"]
EACH = pytest.mark.parametrize("protocol", PROTOCOLS)


class Inner(BaseDoc):
    text: str = ""
    n: int = 0


class Rich(BaseDoc):
    text: str = "none"
    count: int = 1
    tensor: NdArray | None = None
    inner: Inner | None = None
    children: DocList[Inner] = DocList[Inner]()


class Around(Executor):
    """Before and behind it."""

    @requests(on="/echo")
    def echo(self, docs: DocList[Rich], **kwargs: Any) -> DocList[Rich]:
        for doc in docs:
            doc.text += "+"
            doc.count += 10
        return docs

    @requests(on="/dict")
    def as_dict(self, docs: DocList[Inner], **kwargs: Any) -> DocList[Inner]:
        return docs

    @requests(on="/raise")
    def fail(self, docs: DocList[Inner], **kwargs: Any) -> DocList[Inner]:
        return docs

    @requests(on=["/one", "/stream"])
    def more(self, docs: DocList[Inner], **kwargs: Any) -> DocList[Inner]:
        return DocList[Inner]([Inner(id=doc.id, text=doc.text + "+", n=doc.n * 2) for doc in docs])


@contextmanager
def flow_around(port: int, **options: Any) -> Iterator[Flow]:
    flow = Flow(protocol=PROTOCOLS, quiet=True).add(name="before", uses=Around)
    with flow.add(name="outside", external=True, port=port, **options).add(name="behind", uses=Around) as running:
        yield running


@pytest.fixture(scope="module")
def flow(theirs: Service) -> Iterator[Flow]:
    with flow_around(theirs.grpc) as running:
        yield running


def client_of(flow: Flow, protocol: str) -> Any:
    return Client(protocol=protocol, port=flow.ports[PROTOCOLS.index(protocol)])


@EACH
def test_documents_go_through_it(flow: Flow, protocol: str) -> None:
    """Arrays, nested documents, lists of them; many of them."""
    sent = Rich(id="a", tensor=np.array([1.0, 2.0]), inner=Inner(n=3), children=DocList[Inner]([Inner(n=4)]))
    doc = client_of(flow, protocol).post("/echo", sent, return_type=Rich)
    assert (doc.id, doc.text, doc.count, doc.inner.n, doc.children[0].n) == ("a", "none+!+", 22, 3, 4)
    assert doc.tensor.tolist() == [2.0, 4.0]
    many = DocList[Inner]([Inner(n=n) for n in range(150)])
    found = client_of(flow, protocol).post("/one", many, return_type=DocList[Inner], results_in_order=True)
    assert [doc.n for doc in found] == [(2 * n + 1) * 2 for n in range(150)]


@EACH
def test_parameters_results_and_routes(flow: Flow, protocol: str) -> None:
    """It gets those that are its own."""
    given = {"a": 1, "outside__b": 2, "behind__c": 3}
    (reply,) = client_of(flow, protocol).post("/dict", Inner(), parameters=given, return_responses=True)
    ((_, made),) = reply.parameters["__results__"].items()
    assert (made["n"], made["seen"]["a"], made["seen"]["b"], "c" in made["seen"]) == (1, 1, 2, False)
    if protocol != "http":
        assert [route.executor for route in reply.routes] == ["gateway", "before", "outside", "behind"]


@EACH
def test_its_failure_keeps_its_words(flow: Flow, protocol: str) -> None:
    """And the next call works."""
    client = client_of(flow, protocol)
    with pytest.raises(BadServer, match="no such word"):
        client.post("/raise", Inner(), return_type=Inner)
    assert client.post("/one", Inner(n=1), return_type=Inner).n == 6


@EACH
def test_its_stream_goes_on(flow: Flow, protocol: str) -> None:
    """Item by item, through the one behind it."""
    found = client_of(flow, protocol).stream_doc("/stream", Inner(text="s", n=2), return_type=Inner)
    assert [(doc.text, doc.n) for doc in found] == [("s++", 0), ("s++", 2), ("s++", 4), ("s++", 6)]


@EACH
def test_a_value_that_it_cannot_read_names_field_and_node(flow: Flow, protocol: str) -> None:
    """It never gets there."""
    with pytest.raises(BadServer, match=r"external executor 'outside' .*int 2199023255552.*`docs\[0\].n`"):
        client_of(flow, protocol).post("/one", Inner(n=2**40), return_type=Inner)


def test_its_end_is_told(peer_python: str, tmp_path: Path) -> None:
    """With node and address, over every protocol; calls that do not need it go on."""
    with contextmanager(serve_with)(peer_python, tmp_path / "log", grace_s=0.1) as mortal:
        opened = flow_around(mortal.grpc, retries=0)
        flow = opened.__enter__()
    try:
        for protocol in PROTOCOLS:
            with pytest.raises(
                (ConnectionError, BadServer), match=rf"external executor 'outside' failed: 127.0.0.1:{mortal.grpc}: UNAVAILABLE"
            ):
                client_of(flow, protocol).post("/one", Inner(), return_type=Inner)
            assert client_of(flow, protocol).post("/one", Inner(n=1), target_executor="behind", return_type=Inner).n == 2
    finally:
        opened.__exit__(None, None, None)
