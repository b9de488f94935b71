"""What becomes of calls when a worker dies: real sockets and a real note of begun calls; the death is the end of the connection."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from jina import Executor, requests
from jina.call import Call, Item, Payload, Reply
from jina.docs import BaseDoc, DocList
from jina.errors import Code
from jina.runtime.hop_server import HopServer
from jina.runtime.local import Local
from jina.runtime.replicas import Replicas
from jina.runtime.work import LoopOutlet
from jina.transport.begun import BegunNotes
from jina.transport.hop import HopChannel, connect
from tests.transport.delivering import deliver_all
from tests.waiting import until

pytestmark = pytest.mark.anyio


class Word(BaseDoc):
    text: str = ""


class Mortal(Executor):
    """`/kill-stream` ends it whenever it runs, `/stay` the first time only; then it stays for ever."""

    worker: Worker
    n_begun = 0

    @requests(on="/say")
    async def say(self, docs: DocList[Word], **kwargs: Any) -> DocList[Word]:
        return docs

    @requests(on="/stay")
    async def stay(self, docs: DocList[Word], **kwargs: Any) -> DocList[Word]:
        self.n_begun += 1
        if self.n_begun == 1:
            await self.worker.die()
        await asyncio.Event().wait()
        return docs

    @requests(on="/kill-stream")
    async def kill_stream(self, doc: Word, **kwargs: Any) -> AsyncIterator[Word]:
        await self.worker.die()
        yield doc

    @requests(on="/slow-stream")
    async def slow_stream(self, doc: Word, **kwargs: Any) -> AsyncIterator[Word]:
        self.worker.at_work += 1
        self.worker.most_at_work = max(self.worker.most_at_work, self.worker.at_work)
        try:
            await asyncio.sleep(0.05)
            yield doc
        finally:
            self.worker.at_work -= 1


class Worker:
    """One replica that is started again whenever it dies."""

    def __init__(self, folder: Path, replicas: Replicas) -> None:
        self._folder, self.replicas = folder, replicas
        self._connections: set[HopServer] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.n_deaths = self.at_work = self.most_at_work = 0
        self.is_over = False

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        executor = Mortal()
        executor.worker = self
        self._local = Local(executor, user_loop=loop, outlet=LoopOutlet(loop, deliver_all), notes=BegunNotes(str(self._folder / "live")))
        self._server = await loop.create_unix_server(lambda: HopServer(self._local, self._connections), str(self._folder / "s"))
        await self._join()

    async def _join(self) -> None:
        (self._folder / "begun").touch()
        channel = await connect("mortal/rep-0", str(self._folder / "s"), str(self._folder / "begun"), on_lost=self._lost)
        self.replicas.members.add("mortal/rep-0", channel)

    def _lost(self, channel: HopChannel) -> None:
        self.replicas.members.lost(channel)
        if channel.is_lost and not self.is_over:
            task = asyncio.get_running_loop().create_task(self._join())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def die(self) -> None:
        for _ in range(20):  # whatever came with this call has begun by then
            await asyncio.sleep(0)
        self.n_deaths += 1
        shutil.copy(self._folder / "live", self._folder / "begun")
        for connection in list(self._connections):
            connection._transport.abort()
        await asyncio.Event().wait()

    async def end(self) -> None:
        self.is_over = True
        self._server.close()
        channels = list(self.replicas.members.current.values())
        for connection in list(self._connections):
            connection._transport.abort()
        self._local.close()
        await until(lambda: all(channel.is_lost for channel in channels) and not self._connections and not self._local._tasks)


@asynccontextmanager
async def mortal(tmp_path: Path, **options: Any) -> AsyncIterator[Worker]:
    worker = Worker(tmp_path, Replicas("mortal", **options))
    await worker.start()
    try:
        yield worker
    finally:
        await worker.end()


def call(endpoint: str, *, is_stream: bool = False, text: str = "a") -> Call:
    data = b'{"text":"%b"}' % text.encode()
    return Call(endpoint, Payload(data if is_stream else b"[" + data + b"]", "json", is_stream), is_stream=is_stream)


async def read(reply: Reply) -> list[Item]:
    assert reply.items is not None
    return [item async for item in reply.items]


async def test_a_stream_that_kills_workers_takes_no_other_stream_with_it(tmp_path: Path) -> None:
    """Streams that had begun beside it are tried again, each alone; only the one with two deaths fails."""
    async with mortal(tmp_path) as worker:
        killer = asyncio.ensure_future(worker.replicas(call("/kill-stream", is_stream=True)))
        others = [asyncio.ensure_future(worker.replicas(call("/slow-stream", is_stream=True))) for _ in range(3)]
        replies = await asyncio.gather(*others)
        assert [reply.status for reply in replies] == [None] * 3
        assert [len(await read(reply)) for reply in replies] == [1, 1, 1]
        failed = (await killer).status
        assert failed is not None
        assert (failed.code, worker.n_deaths) == (Code.UNAVAILABLE, 2)
        assert "ended two workers" in failed.description


async def test_a_suspect_that_never_ends_stops_nobody(tmp_path: Path) -> None:
    """It has the replica to itself for `hold_s`; then all others go on beside it."""
    async with mortal(tmp_path, hold_s=0.05, max_wait_s=60.0) as worker, asyncio.timeout(30):
        suspect = asyncio.ensure_future(worker.replicas(call("/stay")))
        await until(lambda: worker.n_deaths == 1)
        replies = await asyncio.gather(*(worker.replicas(call("/say")) for _ in range(5)))
        assert [reply.status for reply in replies] == [None] * 5
        assert not suspect.done()
        suspect.cancel()
        with pytest.raises(asyncio.CancelledError):
            await suspect
        assert (await worker.replicas(call("/say"))).status is None


async def test_a_suspect_that_finds_no_free_replica_is_told_so(tmp_path: Path) -> None:
    """It waits for a replica that runs nothing, lets the others on meanwhile, and says the true reason in the end."""
    async with mortal(tmp_path, hold_s=0.02, max_wait_s=0.2) as worker, asyncio.timeout(30):
        two = [asyncio.ensure_future(worker.replicas(call("/stay"))) for _ in range(2)]
        (told,), (endless,) = await asyncio.wait(two, return_when=asyncio.FIRST_COMPLETED)
        status = told.result().status
        assert status is not None
        assert (status.code, worker.n_deaths) == (Code.UNAVAILABLE, 1)
        assert "none was free to try the call again alone" in status.description
        assert (await worker.replicas(call("/say"))).status is None
        endless.cancel()


async def test_a_full_replica_refuses_more_calls(tmp_path: Path) -> None:
    """A worker that takes nothing does not make the front grow: past the bounds calls are OVERLOADED, with a time to come back."""
    async with mortal(tmp_path, max_in_flight=3, max_bytes_in_flight=1000) as worker:
        slow = [asyncio.ensure_future(worker.replicas(call("/slow-stream", is_stream=True))) for _ in range(2)]
        await asyncio.sleep(0)
        large = (await worker.replicas(call("/say", text="x" * 1000))).status
        slow.append(asyncio.ensure_future(worker.replicas(call("/slow-stream", is_stream=True))))
        await asyncio.sleep(0)
        refused = (await worker.replicas(call("/say"))).status
        assert large is not None
        assert refused is not None
        assert (large.code, refused.code, refused.retry_after_s) == (Code.OVERLOADED, Code.OVERLOADED, 1.0)
        for reply in await asyncio.gather(*slow):
            await read(reply)
        assert (await worker.replicas(call("/say", text="x" * 2000))).status is None
        (channel,) = worker.replicas.members.free
        assert (channel.n_in_flight, channel.n_bytes_in_flight) == (0, 0)


async def test_a_channel_that_is_lost_is_not_added(tmp_path: Path) -> None:
    """A replica that died between its report and now takes no calls."""
    async with mortal(tmp_path) as worker:
        (channel,) = worker.replicas.members.free
        await worker.end()
        worker.replicas.members.add("mortal/rep-0", channel)
        assert not worker.replicas.members.is_up
