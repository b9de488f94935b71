"""Clients whose methods wait."""

from __future__ import annotations

import contextlib
import os
import threading
import time
import weakref
from collections.abc import Awaitable, Iterator
from types import TracebackType
from typing import Any, Self

from jina.client.background import Background, background
from jina.client.base import BaseClient, Done, profiled
from jina.client.cores import Core, make_core
from jina.client.drive import post_sync, stream_sync
from jina.client.inputs import batches_of
from jina.client.post import read_metadata, read_timeout
from jina.client.settle import progress, settle
from jina.errors import BadClient

_abandoned: list[object] = []
"""Connections of the process that forked us: kept, so that nothing closes them here."""


class SyncClient(BaseClient[Any, Iterator[Any]]):
    """A client whose methods wait. Works in any thread, also where an event loop runs, and after a fork."""

    def _setup(self) -> None:
        self._held: tuple[int, Background, Core] | None = None
        self._locks: dict[int, threading.Lock] = {}
        self._finalizer: Any = None

    def _core(self) -> tuple[Background, Core]:
        pid = os.getpid()
        held = self._held
        if held is None or held[0] != pid:
            with self._locks.setdefault(pid, threading.Lock()):  # one a process: a lock that was held at a fork stays held
                held = self._held
                if held is None or held[0] != pid:
                    held = self._make_core(pid, held)
        return held[1], held[2]

    def _make_core(self, pid: int, old: tuple[int, Background, Core] | None) -> tuple[int, Background, Core]:
        if old is not None:
            _abandoned.append(old)
        loop = self._background or background()
        core = make_core(self.args, self._open_connection)
        loop.owners.add(core)
        self._held = made = (pid, loop, core)
        self._finalizer = weakref.finalize(self, loop.call, core.close)
        self._finalizer.atexit = False
        return made

    def _post(self, on: str, inputs: Any, given: dict[str, Any]) -> Any:
        post, wanted = self._read(on, given)
        batches = batches_of(inputs, post.request_size)
        loop, core = self._core()
        docs: list[Any] = []
        answers = post_sync(loop, lambda deliver: core.exchange(post, deliver), core.writer(post), batches, post)
        with progress(post, batches.n_batches) as bar:
            try:
                for answer in answers:
                    settle(answer, post, wanted, self._log_error)
                    if post.has_result:
                        docs += [answer.response(wanted)] if post.return_responses else answer.docs(wanted)
                    if answer.remark:
                        self._remark(on, answer.remark)
                    if bar is not None:
                        bar.update()
            finally:
                answers.close()  # type: ignore[attr-defined]
        if not post.has_result:
            return None
        return docs if post.return_responses else wanted.result(docs)

    def _stream_doc(self, on: str, inputs: Any, given: dict[str, Any]) -> Iterator[Any]:
        post, wanted = self._read(on, given)
        loop, core = self._core()
        answers = stream_sync(loop, lambda deliver: core.stream_doc(post, deliver), core.writer(post).write_document(inputs))
        try:
            for answer in answers:
                if answer.is_error:
                    raise answer.error(wanted)
                found = answer.docs(wanted)
                if answer.remark:
                    self._remark(on, answer.remark)
                yield from found
        finally:
            answers.close()  # type: ignore[attr-defined]

    def is_flow_ready(self, timeout: float | None = None, **kwargs: Any) -> bool:
        """Tell whether the service takes calls, all its executors included; logs the reason if not."""
        metadata = read_metadata(kwargs, self.args.api_key)
        loop, core = self._core()
        return self._is_ready(loop.run(core.dry_run(read_timeout(timeout), metadata)))

    def profiling(self, show_table: bool = True) -> dict[str, float]:
        """Measure one call to `/`: milliseconds of the round trip and its parts; printed as a table unless told not to."""
        from jina.docs import BaseDoc

        started_s, response = time.perf_counter(), None
        self._remarked.add("/")
        with contextlib.suppress(BadClient):  # over HTTP a service may have no default endpoint: the way there and back remains
            response = self.post("/", BaseDoc(), return_responses=True)[0]
        return profiled(response, started_s, show_table)

    def close(self) -> Awaitable[None]:
        """Close the connections; the next call opens new ones. The result may be awaited, as in Jina, and need not."""
        held, self._held = self._held, None
        if self._finalizer is not None:
            self._finalizer.detach()
        if held is not None and held[0] == os.getpid():
            held[1].call(held[2].close)
        return Done()

    teardown = close

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
