"""Clients of coroutines and async iterators."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
import weakref
from collections.abc import AsyncIterator, Awaitable
from types import TracebackType
from typing import Any, ClassVar, Self

from jina.client.base import BaseClient, Done, profiled
from jina.client.cores import Core, make_core
from jina.client.drive import post_async, stream_async
from jina.client.inputs import batches_of
from jina.client.post import read_metadata, read_timeout
from jina.client.settle import progress, settle
from jina.errors import BadClient


class AsyncClient(BaseClient[AsyncIterator[Any], AsyncIterator[Any]]):
    """A client of coroutines and async iterators, whose connections belong to the loop that runs them and end with it."""

    is_async: ClassVar[bool] = True

    def _setup(self) -> None:
        self._cores: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[int, Core, Any]] = weakref.WeakKeyDictionary()

    async def _core(self) -> Core:
        loop, pid = asyncio.get_running_loop(), os.getpid()
        held = self._cores.get(loop)
        if held is None or held[0] != pid:
            core = make_core(self.args, self._open_connection)
            end = _close_at_end(core)
            self._cores[loop] = (pid, core, end)
            await anext(end)
            return core
        return held[1]

    async def _post(self, on: str, inputs: Any, given: dict[str, Any]) -> AsyncIterator[Any]:
        post, wanted = self._read(on, given)
        batches = batches_of(inputs, post.request_size)
        core = await self._core()
        answers = post_async(lambda deliver: core.exchange(post, deliver), core.writer(post), batches, post)
        with progress(post, batches.n_batches) as bar:
            try:
                async for answer in answers:
                    settle(answer, post, wanted, self._log_error)
                    if bar is not None:
                        bar.update()
                    found = answer.response(wanted) if post.return_responses else wanted.result(answer.docs(wanted))
                    if answer.remark:
                        self._remark(on, answer.remark)
                    yield found
            finally:
                await answers.aclose()  # type: ignore[attr-defined]

    async def _stream_doc(self, on: str, inputs: Any, given: dict[str, Any]) -> AsyncIterator[Any]:
        post, wanted = self._read(on, given)
        core = await self._core()
        answers = stream_async(lambda deliver: core.stream_doc(post, deliver), core.writer(post).write_document(inputs))
        try:
            async for answer in answers:
                if answer.is_error:
                    raise answer.error(wanted)
                found = answer.docs(wanted)
                if answer.remark:
                    self._remark(on, answer.remark)
                for doc in found:
                    yield doc
        finally:
            await answers.aclose()  # type: ignore[attr-defined]

    async def is_flow_ready(self, timeout: float | None = None, **kwargs: Any) -> bool:  # noqa: ASYNC109 - Jina's name
        """Tell whether the service takes calls, all its executors included; logs the reason if not."""
        metadata = read_metadata(kwargs, self.args.api_key)
        return self._is_ready(await (await self._core()).dry_run(read_timeout(timeout), metadata))

    async def profiling(self, show_table: bool = True) -> dict[str, float]:
        """Measure one call to `/`; see the sync client's."""
        from jina.docs import BaseDoc

        started_s, response = time.perf_counter(), None
        self._remarked.add("/")
        with contextlib.suppress(BadClient):
            async with contextlib.aclosing(self.post("/", BaseDoc(), return_responses=True)) as responses:  # type: ignore[type-var]
                response = await anext(responses)
        return profiled(response, started_s, show_table)

    def close(self) -> Awaitable[None]:
        """Close the connections of the running loop; the next call opens new ones. May be awaited, and need not."""
        try:
            held = self._cores.pop(asyncio.get_running_loop(), None)
        except RuntimeError:  # no loop runs: its end has closed them
            held = None
        if held is not None and held[0] == os.getpid():
            held[1].close()
        return Done()

    teardown = close

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


async def _close_at_end(core: Core) -> AsyncIterator[None]:
    """Close a core's connections when its loop shuts down its async generators, which `asyncio.run` does at its end."""
    try:
        yield
    finally:
        core.close()
