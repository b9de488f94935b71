"""The async clients."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from jina.client import Client
from jina.docs import DocList
from jina.errors import BadServer
from jina.testing import AsyncService, serve
from tests.client.executors import Sample, Text
from tests.client.fakes import FakeGrpcServer, echo

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["grpc", "http"])
async def running(request: pytest.FixtureRequest) -> AsyncIterator[AsyncService]:
    async with serve(Sample, protocol=request.param) as service:
        yield service


def docs(n_docs: int) -> list[Text]:
    return [Text(text=str(number)) for number in range(n_docs)]


@pytest.mark.parametrize("stream", [True, False])
async def test_post_gives_one_result_a_request(running: AsyncService, stream: bool) -> None:
    """Five documents in requests of two are three DocLists."""
    found = [
        part async for part in running.post("/up", docs(5), request_size=2, stream=stream, results_in_order=True, return_type=DocList[Text])
    ]

    assert [part.text for part in found] == [["0", "1"], ["2", "3"], ["4"]]


async def test_async_generator_runs_beside_the_answers(running: AsyncService) -> None:
    """The next input may wait for the answer to the one before."""
    answered = asyncio.Event()

    async def inputs() -> AsyncIterator[Text]:
        for doc in docs(3):
            yield doc
            await answered.wait()
            answered.clear()

    found = []
    async for part in running.post("/up", inputs, request_size=1, return_type=Text):
        found.append(part.text)
        answered.set()

    assert found == ["0", "1", "2"]


async def test_generator_that_blocks_does_not_block_the_loop(running: AsyncService) -> None:
    """A sync generator is advanced in a thread."""
    threads = set()

    def inputs() -> Iterator[Text]:
        for doc in docs(3):
            threads.add(threading.current_thread())
            yield doc

    found = [part.text async for part in running.post("/up", inputs, request_size=1, return_type=Text)]

    assert sorted(found) == ["0", "1", "2"]
    assert threading.current_thread() not in threads


async def test_failing_inputs_come_out_as_they_are(running: AsyncService) -> None:
    """The caller's exception."""

    async def inputs() -> AsyncIterator[Text]:
        yield Text()
        raise LookupError("the queue has ended")

    with pytest.raises(LookupError, match="the queue has ended"):
        _ = [part async for part in running.post("/up", inputs, request_size=1)]


async def test_many_posts_at_once(running: AsyncService) -> None:
    """A hundred calls share the connection(s), and each gets its own answer."""

    async def one(number: int) -> Any:
        found = [part async for part in running.post("/up", Text(text=f"n{number}"), return_type=Text)]
        return found[0].text

    assert await asyncio.gather(*(one(number) for number in range(100))) == [f"N{number}" for number in range(100)]


async def test_failure_and_readiness(running: AsyncService) -> None:
    """The same as for the sync client."""
    with pytest.raises((BadServer, ValueError), match="no such thing"):
        _ = [part async for part in running.post("/fail", Text())]
    assert await running.client.is_flow_ready()
    assert (await running.client.profiling(show_table=False))["Roundtrip"] > 0


def test_one_client_in_several_loops() -> None:
    """Each `asyncio.run` has connections of its own, closed with its loop; nothing is left to warn about."""
    server = FakeGrpcServer(echo)
    client = Client(asyncio=True, open_connection=server.connect)

    async def call() -> list[str]:
        return [part.text async for part in client.post("/x", Text(text="a"), return_type=Text)]

    assert asyncio.run(call()) == ["a"]
    assert asyncio.run(call()) == ["a"]
    assert server.n_connections == 2
    assert server.connections == []


async def test_close_may_be_awaited_and_need_not() -> None:
    """As in Jina, and as one would like it."""
    server = FakeGrpcServer(echo)
    async with Client(asyncio=True, open_connection=server.connect) as client:
        _ = [part async for part in client.post("/x", Text())]
        await client.close()
        _ = [part async for part in client.post("/x", Text())]
        client.close()

    assert server.n_connections == 2
