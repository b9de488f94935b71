"""Runs `async def` methods as tasks on the user's loop."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from jina.call import Call, Item, Status
from jina.caller import gone_flag
from jina.codec import codec_for
from jina.errors import Code
from jina.executor import BaseExecutor
from jina.runtime import invoke
from jina.runtime.making import Making
from jina.runtime.work import COMPANY_S, END, PAUSED, REPLY, Outcome, Outlet, Work, decode, decode_one, encode, input_back, plain, too_late
from jina.transport.begun import BegunNotes


class OnLoop(Making):
    """The coroutines of an Executor; see `Local`."""

    def __init__(
        self,
        executor: BaseExecutor,
        outlet: Outlet,
        notes: BegunNotes | None,
        on_failure: Callable[[BaseException], None] | None,
        user_loop: asyncio.AbstractEventLoop,
        when: Any,
    ) -> None:
        super().__init__(executor, outlet, notes, on_failure, when)
        self._user_loop, self._user_thread = user_loop, threading.get_ident()
        self._ended_async: list[int] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def _call_on_loop(self, function: Callable[..., object], *args: Any) -> None:
        """Call a function on the user's loop: now if this is its thread."""
        if threading.get_ident() == self._user_thread:
            function(*args)
        else:
            self._user_loop.call_soon_threadsafe(function, *args)

    def _start_tasks(self, turn: list[Work]) -> None:
        for work in turn:
            if work.is_gone:
                continue
            run = self._stream_async(work) if work.call.is_stream else self._answer_async(work)
            task = work.task = self._user_loop.create_task(run)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _cancel_task(self, work: Work) -> None:
        if work.task is not None:
            work.task.cancel()

    def _give_room(self, work: Work) -> None:
        if work.room is not None:
            work.room.set()

    def _is_too_late(self, work: Work) -> bool:
        """Whether a call's time was up before it began; then it is answered so."""
        if work.call.deadline is None or work.call.deadline > time.monotonic():
            return False
        self._fail(work, too_late(work.call))
        self._let_leave_soon()
        return True

    async def _answer_async(self, work: Work) -> None:
        call, endpoint = work.call, work.endpoint
        assert endpoint is not None
        if self._is_too_late(work):
            return
        gone_flag.set(work)
        slot = self._begin(work)
        try:
            docs = decode(codec_for(endpoint.input), call)
            if self._keeps is not None:
                docs = self._kept(docs)
            docs, results = await invoke.call_async(self.executor, endpoint, docs, call.parameters, call.headers)
            outcome: Outcome = (
                work,
                REPLY,
                None,
                encode(self.executor, endpoint, docs, call.wants),
                None if results is None else plain(results),
            )
        except asyncio.CancelledError:
            if not work.is_gone:
                self._hand_over((work, REPLY, Status(Code.CANCELLED, "the method was cancelled"), None, None))
            raise
        except BaseException as error:
            outcome = (work, REPLY, self._status(error, call), input_back(call), None)
        finally:
            self._let_leave_soon(slot)
        self._hand_over(outcome)

    async def _stream_async(self, work: Work) -> None:
        call, endpoint = work.call, work.endpoint
        assert endpoint is not None
        if self._is_too_late(work):
            return
        gone_flag.set(work)
        work.room = asyncio.Event()
        slot = self._begin(work)
        items: AsyncIterator[Any] | None = None
        try:
            doc = decode_one(codec_for(endpoint.input), call)
            if self._keeps is not None and not self._keeps(doc):
                return
            items = invoke.stream_async(self.executor, endpoint, doc, call.parameters, call.headers)
            turn_at = time.monotonic() + COMPANY_S
            async for made in items:
                self._put_item(work, self._item(work, made))
                self._let_leave_soon()
                if work.is_far_ahead:
                    self._let_leave_async()
                if work.is_far_ahead:
                    work.room.clear()
                    self._hand_over((work, PAUSED, None, None, None))
                    await work.room.wait()
                if time.monotonic() > turn_at:  # the generator may never wait for anything
                    await asyncio.sleep(0)
                    turn_at = time.monotonic() + COMPANY_S
        except asyncio.CancelledError:
            if not work.is_gone:
                self._put_item(work, Item(status=Status(Code.CANCELLED, "the method was cancelled")))
            raise
        except BaseException as error:
            self._put_item(work, Item(status=self._status(error, work.call)))
        finally:
            if items is not None:
                await self._close_items(items, call)
            if not work.is_gone:
                self._hand_over((work, END, None, None, None))
            self._let_leave_soon(slot)

    def _let_leave_soon(self, slot: int = -1) -> None:
        """Send what has been made once the other tasks that are ready have run; then the call of this slot is over."""
        self._ended_async.append(slot)
        if len(self._ended_async) == 1:
            self._user_loop.call_soon(self._let_leave_async)

    def _let_leave_async(self) -> None:
        ended, self._ended_async = self._ended_async, []
        self._send(ended)

    async def _close_items(self, items: AsyncIterator[Any], call: Call) -> None:
        """Close a user's generator; what its `finally` raises is logged, and ends nothing else."""
        try:
            await items.aclose()  # type: ignore[attr-defined]
        except Exception as error:
            self._status(error, call)
