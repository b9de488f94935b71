"""Replicas that answer nothing: what the front makes of it, over real sockets; the worker's side is as small as one can be."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from jina.call import Call, Payload
from jina.errors import Code
from jina.runtime.replicas import Replicas
from jina.runtime.silence import Watch
from jina.transport.hop import HOP_LIMITS, HopChannel, connect
from jina.transport.hop_messages import CALL, write_reply
from jina.wire.grpc import UNARY, ServerConnection
from tests.waiting import until

pytestmark = pytest.mark.anyio


class Worker(asyncio.Protocol):
    """Says its name to every call; while it is deaf it reads nothing that comes."""

    def __init__(self, name: str) -> None:
        self.name, self.is_deaf, self.n_calls = name, False, 0
        self._unread = b""
        self._connection = ServerConnection(limits=HOP_LIMITS, unary_paths=frozenset((CALL,)))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.hear()

    def data_received(self, data: bytes) -> None:
        self._unread += data
        if not self.is_deaf:
            self.hear()

    def hear(self) -> None:
        self.is_deaf = False
        for event in self._connection.receive(self._unread, time.monotonic()):
            if event[0] == UNARY:
                self.n_calls += 1
                self._connection.reply(event[1], write_reply(None, Payload(self.name.encode()), None, {}))
        self._unread = b""
        self._transport.write(self._connection.take_output())

    def end(self) -> None:
        self._transport.abort()


class Watched:
    """Replicas, the workers behind them, and whom the watch has reported as hung."""

    def __init__(self, hang_timeout_s: float | None) -> None:
        self.replicas = Replicas("words")
        self.workers: dict[str, Worker] = {}
        self.hung: list[str] = []
        Watch(self.replicas.members, hang_timeout_s=hang_timeout_s, on_hung=self._note)

    def _note(self, channel: HopChannel) -> None:
        self.hung.append(channel.pod)

    async def ask(self, *, left_s: float = 30.0) -> str:
        """Call, and give the name of the replica that answered; of a failed call its code."""
        deadline = asyncio.get_running_loop().time() + left_s
        reply = await self.replicas(Call("/name", Payload(b"[]"), deadline=deadline))
        if reply.payload is None:
            assert reply.status is not None
            return reply.status.code.name
        return reply.payload.data.decode()

    @property
    def free(self) -> set[str]:
        return {channel.pod for channel in self.replicas.members.free}

    def silent_s(self, pod: str) -> float:
        return self.replicas.members.current[pod].silent_s

    async def until_free(self, *pods: str) -> None:
        await until(lambda: self.free == set(pods))


@asynccontextmanager
async def watched(tmp_path: Path, *pods: str, hang_timeout_s: float | None = None) -> AsyncIterator[Watched]:
    loop, made = asyncio.get_running_loop(), Watched(hang_timeout_s)
    for pod in pods:
        worker = made.workers[pod] = Worker(pod)
        path = str(tmp_path / pod)
        server = await loop.create_unix_server(lambda worker=worker: worker, path)  # type: ignore[misc]
        made.replicas.members.add(pod, await connect(pod, path, "", on_lost=made.replicas.members.lost))
        server.close()
    try:
        yield made
    finally:
        channels = list(made.replicas.members.current.values())
        for worker in made.workers.values():
            worker.end()
        await until(lambda: all(channel.is_lost for channel in channels))


async def test_a_silent_replica_gets_no_new_calls_while_another_answers(tmp_path: Path) -> None:
    """Also when nothing was asked of it; its own call waits, and once it answers again it gets calls like the other."""
    async with watched(tmp_path, "a", "b") as service:
        service.workers["a"].is_deaf = True
        held = asyncio.ensure_future(service.ask())
        await service.until_free("b")
        assert [await service.ask() for _ in range(5)] == ["b"] * 5
        assert not held.done()
        service.workers["a"].hear()
        await service.until_free("a", "b")
        assert await held == "a"
        assert service.workers["a"].n_calls == 1
        service.workers["b"].is_deaf = True
        await service.until_free("a")
        assert service.hung == []


async def test_calls_go_on_to_a_silent_replica_when_no_other_is_up(tmp_path: Path) -> None:
    """They wait for it within their deadlines."""
    async with watched(tmp_path, "a") as service:
        service.workers["a"].is_deaf = True
        held = asyncio.ensure_future(service.ask())
        await until(lambda: service.silent_s("a") >= 0.5)
        assert service.free == {"a"}
        assert await service.ask(left_s=0.05) == Code.DEADLINE.name
        service.workers["a"].hear()
        assert await held == "a"
        assert await service.ask() == "a"


async def test_a_replica_that_stays_silent_is_reported_once_for_each_silence(tmp_path: Path) -> None:
    """After `hang_timeout_s`, whether it holds calls or not."""
    async with watched(tmp_path, "a", hang_timeout_s=0.6) as service:
        for hung in (["a"], ["a", "a"]):
            service.workers["a"].is_deaf = True
            await until(lambda hung=hung: service.hung == hung)  # type: ignore[misc]
            silent_s = service.silent_s("a")
            await until(lambda least=silent_s + 0.5: service.silent_s("a") >= least)  # type: ignore[misc]
            assert service.hung == hung
            service.workers["a"].hear()
            assert await service.ask() == "a"
            await until(lambda: not service.silent_s("a"))


async def test_a_front_that_stood_still_itself_blames_nobody(tmp_path: Path) -> None:
    """What it did not read meanwhile is no silence of the worker's."""
    async with watched(tmp_path, "a", hang_timeout_s=1.5) as service:
        service.workers["a"].is_deaf = True
        held = asyncio.ensure_future(service.ask())
        await until(lambda: service.silent_s("a") > 0)
        time.sleep(2.0)  # noqa: ASYNC251 - as a stopped process does
        service.workers["a"].hear()
        assert await held == "a"
        assert service.hung == []
