"""What docarray's bytes cannot carry, over gRPC: between a client and a service of ours it travels, to others it is a clear error."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel

from jina import Executor, requests
from jina.docs import BaseDoc, DocList
from jina.errors import BadClientInput
from jina.fronts import grpc_about, grpc_methods
from jina.testing import Service, serve

pytestmark = pytest.mark.anyio

TIME = datetime(2026, 1, 2, 3, tzinfo=UTC)


class Part(BaseModel):
    n: int


class Event(BaseDoc):
    at: datetime = TIME
    n: int = 2**40
    cost: Decimal = Decimal("1.10")
    part: Part = Part(n=1)


class Number(BaseDoc):
    n: int


class Moves(Executor):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n_seen = 0

    @requests(on="/move")
    def move(self, docs: DocList[Event], **kwargs: Any) -> DocList[Event]:
        for doc in docs:
            doc.at, doc.n = doc.at + timedelta(days=1), doc.n + 1
        return docs

    @requests(on="/grow")
    def grow(self, docs: DocList[Number], **kwargs: Any) -> DocList[Number]:
        return DocList[Number]([Number(n=doc.n << 40) for doc in docs])

    @requests(on="/twice")
    def twice(self, doc: Event, **kwargs: Any) -> Iterator[Event]:
        yield from (doc, doc)


@pytest.fixture
def moves() -> Iterator[Service]:
    with serve(Moves) as running:
        yield running


@pytest.mark.parametrize("options", [{}, {"stream": False}, {"request_size": 1}, {"request_size": 1, "stream": False}])
def test_every_value_travels_both_ways(moves: Service, options: dict[str, Any]) -> None:
    """As the first request of a client and as a later one, in one call or several."""
    events = DocList[Event]([Event(id=str(n)) for n in range(5)])
    for _ in range(2):
        found = moves.post("/move", events, return_type=DocList[Event], **options)
        assert sorted((doc.id, doc.at, doc.n, doc.cost, doc.part.n) for doc in found) == [
            (str(n), TIME + timedelta(days=1), 2**40 + 1, Decimal("1.10"), 1) for n in range(5)
        ]


def test_an_answer_may_need_what_its_request_did_not(moves: Service) -> None:
    """The request says that we read the dialect, so nobody has to ask."""
    (found,) = moves.post("/grow", Number(n=3), return_type=DocList[Number])
    assert found.n == 3 << 40


def test_streamed_documents_travel(moves: Service) -> None:
    assert [doc.at for doc in moves.stream_doc("/twice", Event(), return_type=Event)] == [TIME, TIME]


async def test_async_clients_agree_too() -> None:
    async with serve(Moves) as service:
        docs = [doc async for part in service.post("/move", Event(id="a"), return_type=DocList[Event]) for doc in part]
        assert [(doc.id, doc.n) for doc in docs] == [("a", 2**40 + 1)]
        assert [doc.n async for doc in service.stream_doc("/twice", Event(), return_type=Event)] == [2**40] * 2


@pytest.mark.parametrize("stream", [True, False])
def test_a_service_that_does_not_say_so_gets_no_such_request(moves: Service, monkeypatch: pytest.MonkeyPatch, *, stream: bool) -> None:
    """The caller hears which value of which field it is; what docarray can carry goes on as ever."""
    monkeypatch.setattr(grpc_about, "reads_ours", lambda head: False)
    with pytest.raises(BadClientInput, match=r"datetime.*docs\[0\]\.at.*protocol='http'"):
        moves.post("/move", Event(), return_type=DocList[Event], stream=stream)
    with pytest.raises(BadClientInput, match=r"1099511627776.*docs\[0\]\.n"):
        moves.post("/grow", Number(n=2**40), return_type=DocList[Number], stream=stream)
    assert moves.post("/grow", Number(n=0), return_type=DocList[Number], stream=stream)[0].n == 0


def test_asking_ends_with_the_call(moves: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that never answers the question does not hold its caller beyond the timeout."""

    async def silent(*given: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setitem(grpc_methods.UNARY, "/jina.JinaInfoRPC/_status", silent)
    with pytest.raises(ConnectionError, match="DEADLINE_EXCEEDED"):
        moves.post("/move", Event(), return_type=DocList[Event], timeout=0.2)
