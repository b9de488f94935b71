"""Flows over the hop: each node behind a socket, as in processes of their own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from jina import Executor, requests
from jina.call import Call, Item, Payload, Reply
from jina.core.graph import GraphNode, make_graph
from jina.docs import BaseDoc, DocList
from jina.errors import Code
from jina.runtime.describe import endpoint_infos
from jina.runtime.flow import FlowHandler
from jina.runtime.hop_server import HopServer
from jina.runtime.local import Local
from jina.runtime.node import Node
from jina.runtime.replicas import Replicas
from jina.runtime.work import LoopOutlet
from jina.transport.hop import connect
from jina.transport.run import Run
from tests.transport.delivering import deliver_all
from tests.waiting import loop_turns, until

pytestmark = pytest.mark.anyio


class Text(BaseDoc):
    text: str = ""
    n: int = 0


class Upper(Executor):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n_made = 0
        self.is_closed = False

    @requests(on=["/up", "/join"])
    def up(self, docs: DocList[Text], **kwargs: Any) -> DocList[Text]:
        return DocList[Text]([Text(id=doc.id, text=doc.text.upper()) for doc in docs])

    @requests(on="/items")
    async def items(self, doc: Text, **kwargs: Any) -> AsyncIterator[Text]:
        try:
            while True:
                self.n_made += 1
                yield Text(text=f"{doc.text}{self.n_made}")
        finally:
            self.is_closed = True


class Count(Executor):
    @requests(on=["/up", "/items"])
    def count(self, docs: DocList[Text], **kwargs: Any) -> DocList[Text]:
        for doc in docs:
            doc.n = len(doc.text) << 40
        return docs

    @requests(on="/join")
    def branches(self, docs: DocList[Text], docs_map: dict[str, Any], **kwargs: Any) -> DocList[Text]:
        return DocList[Text]([Text(id=doc.id, text=f"{'+'.join(docs_map)}: {doc.text}") for doc in docs])


class Behind:
    """A flow, and what is behind it."""

    def __init__(self, nodes: list[tuple[GraphNode, type[Executor]]], folder: Path) -> None:
        self._nodes, self._folder = nodes, folder
        self.executors: dict[str, Any] = {}
        self.replicas = {node.name: Replicas(node.name) for node, _ in nodes}
        self.connections: dict[str, set[HopServer]] = {node.name: set() for node, _ in nodes}
        self.locals: list[Local] = []
        self.servers: list[asyncio.Server] = []
        self.handler = FlowHandler(
            make_graph(node for node, _ in nodes), {name: Node(name, replicas) for name, replicas in self.replicas.items()}
        )

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        for node, kind in self._nodes:
            name, connections = node.name, self.connections[node.name]
            executor = self.executors[name] = kind()
            local = Local(executor, user_loop=loop, outlet=LoopOutlet(loop, deliver_all))
            self.locals.append(local)
            path = str(self._folder / name)
            make = partial(HopServer, local, connections)
            self.servers.append(await loop.create_unix_server(make, path))
            members = self.replicas[name].members
            members.add(f"{name}/rep-0", await connect(f"{name}/rep-0", path, f"{path}.begun", on_lost=members.lost))
            self.handler.set_endpoints(name, endpoint_infos(executor))

    async def ask(self, call: Call) -> Reply:
        """Ask as a front does: in a Run, without a task."""
        loop = asyncio.get_running_loop()
        reply: asyncio.Future[Reply] = loop.create_future()

        async def answer() -> None:
            reply.set_result(await self.handler(call))

        loop.call_soon(Run(answer(), loop).start)
        return await reply

    async def stop(self) -> None:
        for name, replicas in self.replicas.items():
            replicas.members.down(f"{name}/rep-0")
        await until(lambda: not any(self.connections.values()))
        for server in self.servers:
            server.close()
        for local in self.locals:
            local.close()


@asynccontextmanager
async def flow(folder: Path, *nodes: tuple[GraphNode, type[Executor]]) -> AsyncIterator[Behind]:
    behind = Behind([*nodes], folder)
    await behind.start()
    try:
        yield behind
    finally:
        await behind.stop()


def node(name: str, *needs: str, **more: Any) -> GraphNode:
    return GraphNode(name=name, needs=needs, **more)


def documents(reply: Reply) -> list[tuple[str, str, int]]:
    assert reply.status is None
    assert reply.payload is not None
    return [(doc["id"], doc["text"], doc["n"]) for doc in json.loads(bytes(reply.payload.data))]


def stream(text: str = "x") -> Call:
    return Call("/items", Payload(b'{"text":"%b"}' % text.encode(), "json", is_single=True), is_stream=True)


async def test_a_chain_over_the_hop_starts_no_task(tmp_path: Path) -> None:
    """Each reply of a worker goes on where it is read; values that docarray's bytes cannot carry pass too."""
    async with flow(tmp_path, (node("a"), Upper), (node("b"), Count), (node("c"), Count)) as behind:
        before, tasks = asyncio.all_tasks(), set()
        loop = asyncio.get_running_loop()
        loop.set_task_factory(lambda loop, coroutine, **more: tasks.add(coroutine) or asyncio.Task(coroutine, loop=loop, **more))  # type: ignore[func-returns-value]
        reply = await behind.ask(Call("/up", Payload(b'[{"id":"1","text":"ab"}]')))
        loop.set_task_factory(None)

    assert documents(reply) == [("1", "AB", 2 << 40)]
    assert (tasks, asyncio.all_tasks()) == (set(), before)
    assert [route.executor for route in reply.routes] == ["a", "b", "c"]


@pytest.mark.parametrize(("no_reduce", "told"), [(False, ["gateway: x"]), (True, ["up+gateway: X", "up+gateway: x"])])
async def test_branches_meet_in_a_worker(tmp_path: Path, no_reduce: bool, told: list[str]) -> None:
    """Joined, or apart."""
    join = node("join", "up", "gateway", no_reduce=no_reduce)
    given = Payload(b'[{"id":"1","text":"x"}]')
    async with flow(tmp_path, (node("up"), Upper), (join, Count)) as behind:
        texts = [text for _, text, _ in documents(await behind.ask(Call("/join", given)))]

    assert texts == told


async def test_a_reader_who_stops_reading_stops_the_stream_at_its_source(tmp_path: Path) -> None:
    """No node on the way gathers items; a caller that leaves ends the generator."""
    async with flow(tmp_path, (node("a"), Upper), (node("b"), Count)) as behind:
        reply = await behind.ask(stream())
        assert reply.items is not None
        items = reply.items
        first = [await anext(items) for _ in range(3)]
        assert [json.loads(item.payload.data)["n"] >> 40 for item in first if item.payload is not None] == [2, 2, 2]
        source = behind.executors["a"]
        n_made = -1
        while n_made != source.n_made:
            n_made = source.n_made
            assert n_made < 1_000_000  # what the windows hold is far less
            await loop_turns(200)
        assert not source.is_closed
        await items.aclose()  # type: ignore[attr-defined]
        await until(lambda: source.is_closed)


async def test_a_stream_that_is_left_before_its_first_item_is_read_ends_at_its_source(tmp_path: Path) -> None:
    """Though no node behind it has seen an item."""
    async with flow(tmp_path, (node("a"), Upper), (node("b"), Count)) as behind:
        reply = await behind.ask(stream())
        await reply.items.aclose()  # type: ignore[union-attr]
        await until(lambda: behind.executors["a"].is_closed)


async def test_a_node_that_dies_in_a_stream_is_told(tmp_path: Path) -> None:
    """The last item says so, and the next call is answered by what is left."""
    async with flow(tmp_path, (node("a"), Upper), (node("b"), Count)) as behind:
        reply = await behind.ask(stream())
        assert reply.items is not None
        await anext(reply.items)
        behind.replicas["a"].members.down("a/rep-0", "killed")
        last = Item()
        async for item in reply.items:
            last = item

    assert last.status is not None
    assert last.status.code is Code.UNAVAILABLE
    assert "'/items' broke off" in last.status.description
