"""Flows in memory: executors of the user's, behind the fronts that processes have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pydantic
import pytest

from jina import Executor, Flow, requests
from jina.docs import BaseDoc, DocList
from jina.errors import ConfigError
from jina.executor import BaseExecutor
from jina.testing import serve


class Text(BaseDoc):
    text: str = ""


class Split(Executor):
    @requests(on="/words")
    def split(self, docs: DocList[Text], parameters: dict[str, Any], **kwargs: Any) -> DocList[Text]:
        return DocList[Text]([Text(id=f"{doc.id}-{n}", text=word) for doc in docs for n, word in enumerate(doc.text.split())])

    @requests(on="/spell")
    def same(self, docs: DocList[Text], **kwargs: Any) -> None:
        """Give them back."""


class Louder(Executor):
    @requests(on="/words")
    async def loud(self, docs: DocList[Text], parameters: dict[str, Any], **kwargs: Any) -> DocList[Text]:
        return DocList[Text]([Text(id=doc.id, text=doc.text.upper() + parameters.get("mark", "")) for doc in docs])

    @requests(on="/spell")
    def spell(self, doc: Text, **kwargs: Any) -> Iterator[Text]:
        for letter in doc.text:
            yield Text(text=letter)


class Reverse(Executor):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seen: list[str] = []

    @requests
    def reverse(self, docs: DocList[Text], **kwargs: Any) -> DocList[Text]:
        self.seen += [doc.text for doc in docs]
        if any(doc.text == "BAD" for doc in docs):
            raise KeyError("bad")
        return DocList[Text]([Text(id=doc.id, text=doc.text[::-1]) for doc in docs])


class Twice(Executor):
    @requests
    def twice(self, docs: DocList[Text], **kwargs: Any) -> DocList[Text]:
        return DocList[Text]([doc for doc in docs for _ in range(2)])


FLOW: list[Any] = [("split", Split), ("louder", Louder), ("reverse", Reverse)]


@pytest.mark.parametrize("protocol", ["grpc", "http", "websocket"])
def test_a_flow_is_called_as_one_service(protocol: str) -> None:
    """The documents of one node are those of the next, over every protocol; parameters reach the node that they name."""
    with serve(FLOW, protocol=protocol) as service:
        docs = service.post("/words", Text(id="d", text="a bc"), parameters={"louder__mark": "!"}, return_type=DocList[Text])

        assert [(doc.id, doc.text) for doc in docs] == [("d-0", "!A"), ("d-1", "!CB")]
        assert service.executors["reverse"].seen == ["A!", "BC!"]
        assert service.executor is service.executors["reverse"]


class Scored(BaseDoc):
    text: str = ""
    score: float | None = None
    tags: list[str] = []


class Score(Executor):
    @requests(on="/score")
    def score(self, docs: DocList[Scored], **kwargs: Any) -> None:
        for doc in docs:
            doc.score, doc.tags = float(len(doc.text)), ["scored"]


class Tag(Executor):
    @requests(on="/score")
    async def tag(self, docs: DocList[Scored], **kwargs: Any) -> DocList[Scored]:
        more = DocList[Scored]([Scored(id=f"{doc.id}-more") for doc in docs])
        return DocList[Scored]([*(Scored(id=doc.id, text=doc.text.upper(), tags=["tagged"]) for doc in docs), *more])


class Count(Executor):
    @requests(on=["/score", "/count"])
    def count(self, docs: DocList[Scored], **kwargs: Any) -> dict[str, Any]:
        return {"n": len(docs)}


class Elsewhere(Executor):
    @requests(on="/elsewhere")
    def nothing(self, docs: DocList[Scored], **kwargs: Any) -> None:
        """Not what is called."""


@pytest.mark.parametrize("protocol", ["grpc", "http", "websocket"])
@pytest.mark.parametrize("last", [Count, Elsewhere, BaseExecutor])
def test_branches_are_joined_by_id(protocol: str, last: type[Executor]) -> None:
    """By the node that needs both, and where that has nothing to do with the call on the way to the caller: the outcome is the same."""
    nodes: list[Any] = [("score", Score), ("tag", Tag, "gateway"), ("join", last, ["score", "tag"])]
    given = DocList[Scored]([Scored(text="ab"), Scored(id="b", text="c")])
    with serve(nodes, protocol=protocol) as service:
        docs = service.post("/score", given, return_type=DocList[Scored])
        assert service.client.is_flow_ready()

    first = given[0].id
    assert [(doc.id, doc.text, doc.score, doc.tags) for doc in docs] == [
        (first, "AB", 2.0, ["scored", "tagged"]),
        ("b", "C", 1.0, ["scored", "tagged"]),
        (f"{first}-more", "", None, []),
        ("b-more", "", None, []),
    ]


def test_executors_without_methods_give_back_documents_of_any_kind() -> None:
    """As Jina's do; nobody is asked for it."""
    with serve([("a", BaseExecutor), ("b", BaseExecutor)], protocol="grpc") as service:
        (doc,) = service.post("/any", Scored(text="x", tags=["a"]), return_type=DocList[Scored])
        assert (doc.text, doc.tags) == ("x", ["a"])
        assert service.client.is_flow_ready()


def test_documents_without_ids_are_the_same_in_all_branches() -> None:
    """Whoever reads them first: a join does not double them. Results are those of all nodes."""
    nodes: list[Any] = [("score", Score), ("tag", Tag, "gateway"), ("count", Count, ["score", "tag"])]
    with serve(nodes) as service:
        reply = service.http("POST", "/score", json={"data": [{"text": "ab"}, {"text": "c"}]}).json()

    assert [doc["text"] for doc in reply["data"]] == ["AB", "C", "", ""]
    assert reply["parameters"] == {"__results__": {"count/rep-0": {"n": 4.0}}}


def test_documents_that_cannot_be_joined_are_told() -> None:
    """By the node at which they meet."""

    class Bare(pydantic.BaseModel):
        text: str

    class Same(Executor):
        @requests(on="/same")
        def same(self, docs: list[Bare], **kwargs: Any) -> list[Bare]:
            return docs

    with serve([("a", Same), ("b", Same, "gateway"), ("c", Same, ["a", "b"])]) as service:
        reply = service.http("POST", "/same", json={"data": [{"text": "ab"}]})

    assert reply.status == 500
    assert "documents of class 'Bare' come from several nodes and cannot be joined: they have no field 'id'" in reply.json()["detail"]


@pytest.mark.parametrize("protocol", ["grpc", "http", "websocket"])
def test_a_stream_passes_the_nodes_behind_it_item_by_item(protocol: str) -> None:
    """Also through one that does not stream itself."""
    with serve([("split", Split), ("louder", Louder), ("twice", Twice)], protocol=protocol) as service:
        assert [doc.text for doc in service.stream_doc("/spell", Text(text="ab"), return_type=Text)] == ["a", "a", "b", "b"]


def test_a_failure_in_a_flow_names_its_executor() -> None:
    """And the route on which it happened, as for a Deployment."""
    failed: list[Any] = []
    with serve(FLOW, protocol="grpc") as service:
        service.post("/words", Text(text="bad"), on_error=failed.append)

    (response,) = failed
    assert response.header.status.exception.executor == "Reverse"
    assert [(route.executor, route.status.code) for route in response.routes][1:] == [("split", 0), ("louder", 0), ("reverse", 1)]


def test_a_flow_over_http_tells_its_endpoints_and_a_header() -> None:
    """What the first node takes and the last gives; an unknown path is a 404."""
    with serve(FLOW) as service:
        reply = service.http("POST", "/words", json={"data": [{"text": "x"}], "header": {"targetExecutor": "louder", "requestId": "7"}})
        assert (reply.json()["data"][0]["text"], reply.json()["header"]) == ("X", {"requestId": "7", "targetExecutor": ""})
        assert service.http("POST", "/wrods", json={"data": []}).status == 404
        assert {"/words", "/spell"} <= service.http("GET", "/openapi.json").json()["paths"].keys()


@pytest.mark.anyio
async def test_what_floats_has_ended_when_the_service_has() -> None:
    """The reply does not wait for it, the end does."""
    flow = Flow().add(name="louder", uses=Louder).add(name="log", uses=Reverse, floating=True).add(name="last", uses=Twice)
    async with serve(flow) as service:
        async for _ in service.post("/words", Text(text="x"), return_type=DocList[Text]):
            pass

    assert service.executors["log"].seen == ["X"]


def test_nodes_that_make_no_graph_are_told_on_entering() -> None:
    """With the edge."""
    with (
        pytest.raises(ConfigError, match="edge 'spilt' -> 'louder': there is no node 'spilt'"),
        serve([("split", Split), ("louder", Louder, "spilt")]),
    ):
        pass


class Cheap(Executor):
    @requests(on="/part")
    def cheap(self, docs: DocList[Scored], **kwargs: Any) -> DocList[Scored]:
        return DocList[Scored]([Scored(id=doc.id, text=f"{doc.text} cheap") for doc in docs])


class Dear(Executor):
    @requests(on="/part")
    async def dear(self, docs: DocList[Scored], **kwargs: Any) -> DocList[Scored]:
        return DocList[Scored]([Scored(id=doc.id, text=f"{doc.text} dear") for doc in docs])


@pytest.mark.parametrize("protocol", ["grpc", "http", "websocket"])
def test_a_flow_can_be_served_itself(protocol: str) -> None:
    """With its conditions; the documents that these part come back in their order."""
    flow = Flow(protocol=protocol).add(name="cheap", uses=Cheap, when={"score": {"$lt": 5}})
    flow = flow.add(name="dear", uses=Dear, when={"score": {"$gte": 5}}, needs="gateway").needs_all(name="end")
    with serve(flow) as service:
        given = DocList[Scored]([Scored(text=str(n), score=n) for n in (9, 1, 7, 2)])
        docs = service.post("/part", given, return_type=DocList[Scored])

    assert [doc.text for doc in docs] == ["9 dear", "1 cheap", "7 dear", "2 cheap"]


def test_options_belong_to_the_flow_that_is_served() -> None:
    """Given beside it they would be lost."""
    with pytest.raises(ConfigError, match="options are given to the flow itself, got cors"), serve(Flow().add(uses=Cheap), cors=True):
        pass


class Numbers(BaseDoc):
    text: list[int]


class Unfit(Executor):
    @requests(on="/part")
    def part(self, docs: DocList[Numbers], **kwargs: Any) -> None:
        """Never called."""


def test_documents_that_cannot_fit_along_an_edge_are_refused() -> None:
    """As when processes start."""
    with pytest.raises(ConfigError, match="edge 'a' -> 'b', endpoint '/part'"), serve([("a", Cheap), ("b", Unfit)]):
        pass


class Names(Executor):
    """Tells who gave the documents."""

    @requests
    def names(self, docs: DocList[Text], docs_map: dict[str, Any], **kwargs: Any) -> DocList[Text]:
        return DocList[Text]([Text(id=doc.id, text=" ".join(docs_map)) for doc in docs])


def test_documents_come_from_the_node_before() -> None:
    """Those of a join from the first that it needs."""
    with serve([("a", Names)]) as alone:
        assert alone.post("/", Text(), return_type=Text).text == "gateway"
    with serve([("a", Reverse), ("b", Reverse, ["gateway"]), ("c", Names, ["b", "a"])]) as joined:
        assert joined.post("/", Text(), return_type=Text).text == "b"


class Priced(BaseDoc):
    n: int = pydantic.Field(0, alias="N", validation_alias=pydantic.AliasChoices("N", "n"))


class Numbered(BaseDoc):
    n: int


class Price(Executor):
    @requests(on="/n")
    def price(self, docs: DocList[Priced], **kwargs: Any) -> DocList[Priced]:
        return docs


class AddOne(Executor):
    @requests(on="/n")
    def add(self, docs: DocList[Numbered], **kwargs: Any) -> DocList[Numbered]:
        return DocList[Numbered]([Numbered(id=doc.id, n=doc.n + 1) for doc in docs])


def test_fields_with_aliases_have_their_names_between_executors() -> None:
    """Where JSON would call them something else."""
    with serve([("a", Price), ("b", AddOne)], protocol="http") as service:
        assert service.http("POST", "/n", json={"data": [{"N": 3}]}).json()["data"][0]["n"] == 4


def test_documents_that_pass_a_branch_unchanged_are_those_that_came_without_an_id() -> None:
    """They are joined with what the other branch made of them, not put beside it."""
    flow = Flow().add(name="a", uses=Cheap, needs="gateway").add(name="b", uses=Elsewhere, needs="gateway").needs_all(name="end")
    with serve(flow) as service:
        reply = service.http("POST", "/part", json={"data": [{"text": "x"}, {"text": "y"}]})

    assert [doc["text"] for doc in reply.json()["data"]] == ["x cheap", "y cheap"]
