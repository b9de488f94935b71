"""What Jina 3 does wrong with an Executor and we do right, seen through the client over both protocols."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from pydantic import BaseModel, Field

from jina import Executor, requests
from jina.docs import BaseDoc, DocList
from jina.testing import serve


class Text(BaseDoc):
    text: str = ""


class Options(BaseModel):
    n: int = Field(2, ge=0)
    mark: str = "!"


class Marked(Executor):
    @requests(on="/batch")
    def batch(self, docs: DocList[Text], parameters: Options, **kwargs: Any) -> DocList[Text]:
        return DocList[Text]([Text(text=doc.text + parameters.mark * parameters.n) for doc in docs])

    @requests(on="/single")
    def single(self, doc: Text, parameters: Options, **kwargs: Any) -> Text:
        return Text(text=doc.text + parameters.mark * parameters.n)

    @requests(on="/async_single")
    async def async_single(self, doc: Text, parameters: Options, **kwargs: Any) -> Text:
        return Text(text=doc.text + parameters.mark * parameters.n)

    @requests(on="/same")
    def same(self, docs: DocList[Text], **kwargs: Any) -> DocList[Text]:
        return docs

    @requests(on="/stream")
    def stream(self, doc: Text, parameters: Options, **kwargs: Any) -> Iterator[Text]:
        for at in range(parameters.n):
            yield Text(text=f"{doc.text}{parameters.mark}{at}")

    @requests(on="/async_stream")
    async def async_stream(self, doc: Text, parameters: Options, **kwargs: Any) -> AsyncIterator[Text]:
        for at in range(parameters.n):
            yield Text(text=f"{doc.text}{parameters.mark}{at}")


@pytest.fixture(scope="module", params=["grpc", "http"])
def service(request: pytest.FixtureRequest) -> Iterator[Any]:
    with serve(Marked, protocol=request.param) as running:
        yield running


@pytest.mark.parametrize("endpoint", ["/batch", "/single", "/async_single"])
def test_every_kind_of_method_gets_its_parameters_as_a_model(service: Any, endpoint: str) -> None:
    """Also an `async def` for one document, which Jina does not await; numbers come as floats and become ints."""
    docs = [Text(text="a"), Text(text="b")]
    found = service.post(endpoint, docs, parameters={"n": 3, "mark": "?"}, return_type=DocList[Text])

    assert [doc.text for doc in found] == ["a???", "b???"]
    assert service.post(endpoint, docs[:1], return_type=DocList[Text])[0].text == "a!!"


@pytest.mark.parametrize("endpoint", ["/stream", "/async_stream"])
def test_streams_get_their_parameters(service: Any, endpoint: str) -> None:
    """Over gRPC too, where Jina drops them; and a sync generator's items arrive there."""
    items = service.client.stream_doc(endpoint, Text(text="a"), parameters={"n": 3, "mark": "-"}, return_type=Text)

    assert [doc.text for doc in items] == ["a-0", "a-1", "a-2"]


@pytest.mark.parametrize("endpoint", ["/batch", "/single", "/async_single"])
def test_parameters_that_do_not_fit_are_the_callers_fault(service: Any, endpoint: str) -> None:
    """422 with the place, not 500 with a pydantic text."""
    reply = service.http("POST", endpoint, json={"data": [{"text": "a"}], "parameters": {"n": -1}})

    assert reply.status == 422
    (finding,) = reply.json()["detail"]
    assert (finding["loc"], finding["type"]) == (["body", "parameters", "n"], "greater_than_equal")
    with pytest.raises(Exception, match=r"parameters\.n|greater than or equal"):
        service.post(endpoint, Text(text="a"), parameters={"n": -1})


def test_a_document_without_an_id_gets_one(service: Any) -> None:
    """Jina's gateway makes it null."""
    first, second = service.http("POST", "/same", json={"data": [{"text": "a"}, {"id": "mine", "text": "b"}]}).json()["data"]

    assert (len(first["id"]), second["id"]) == (32, "mine")
