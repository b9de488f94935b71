"""An Executor of this very process as a Handler: what `jina.testing` serves, and our own tests of everything above a worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from jina.call import Call, Item, Reply, Status
from jina.errors import Code
from jina.executor import BaseExecutor
from jina.parameters import RESULTS
from jina.runtime.local import Local
from jina.runtime.work import ITEM, PAUSED, REPLY, LoopOutlet, Outcome, Work


class InProcess:
    """Handler around a Local; made and used on one running loop, which also runs the executor's `async def` methods."""

    def __init__(self, executor: BaseExecutor, *, pod: str = "executor/rep-0", n_threads: int = 1, when: Any = None) -> None:
        """Start the executor's threads; `close` stops them. `when` says which documents are let in."""
        loop = asyncio.get_running_loop()
        self._loop, self._pod = loop, pod
        self._local = Local(executor, user_loop=loop, outlet=LoopOutlet(loop, self._deliver), n_threads=n_threads, when=when)

    async def __call__(self, call: Call) -> Reply:
        if call.is_stream:
            return Reply(items=self._items(call))
        future: asyncio.Future[Reply] = self._loop.create_future()
        work = Work(call, future)
        self._local.submit(work)
        self._local.flush()
        try:
            async with asyncio.timeout_at(call.deadline):
                return await future
        except TimeoutError:
            self._local.cancel(work)
            return Reply(Status(Code.DEADLINE, "the executor did not answer before the call's deadline"))
        except asyncio.CancelledError:
            self._local.cancel(work)
            raise

    def close(self) -> None:
        """Stop the executor's threads once they have finished what they hold."""
        self._local.close()

    async def _items(self, call: Call) -> AsyncIterator[Item]:
        queue: asyncio.Queue[Item | None] = asyncio.Queue()
        work = Work(call, queue)
        self._local.submit(work)
        self._local.flush()
        try:
            while (item := await self._next(queue, call)) is not None:
                self._local.sent(work, 1, 0 if item.payload is None else len(item.payload.data))
                yield item
        except TimeoutError:
            yield Item(status=Status(Code.DEADLINE, f"the stream of {call.endpoint!r} did not end before the call's deadline"))
        finally:
            self._local.cancel(work)

    async def _next(self, queue: asyncio.Queue[Item | None], call: Call) -> Item | None:
        if call.deadline is None:
            return await queue.get()
        async with asyncio.timeout_at(call.deadline):
            return await queue.get()

    def _deliver(self, outcomes: list[Outcome]) -> None:
        for work, kind, status, payload, results in outcomes:
            owner: Any = work.owner
            if kind == PAUSED:
                self._local.paused(work)
            elif kind == ITEM:
                for item in work.take_items():
                    owner.put_nowait(item)
            elif kind != REPLY:
                owner.put_nowait(None)
            elif not owner.done():
                made = {} if results is None else {RESULTS: {self._pod: results}}
                owner.set_result(Reply(status, payload, parameters=made))
