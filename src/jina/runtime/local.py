"""Runs the endpoints of one Executor, off the loop that moves bytes.

Three kinds of thread meet here. The *owner* (a worker's wire, or the loop of a test) submits calls, one thread at a time, and takes their
outcomes from an `Outlet`. `def` methods run in executor threads: one, or a few where the class allows it. `async def` methods run as
tasks on the *user loop*, which in a worker is the main thread's. Works cross in batches.

Outcomes of quick calls wait for company until the inbox is empty; before anything that may take long, what has been made leaves.

Streams: a sync generator holds its thread only while it makes one item, then lets waiting work go first; it may run `MAX_AHEAD` items
ahead of what the owner has sent. All decisions about pausing are the owner's, so nothing here needs a lock.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

from jina.call import Status
from jina.caller import gone_flag
from jina.codec import codec_for
from jina.endpoint import Endpoint
from jina.errors import Code
from jina.executor import BaseExecutor
from jina.runtime import invoke
from jina.runtime.on_loop import OnLoop
from jina.runtime.work import (
    COMPANY_S,
    END,
    PAUSED,
    REPLY,
    Inbox,
    Outcome,
    Outlet,
    Work,
    close_iterator,
    decode,
    decode_one,
    encode,
    input_back,
    plain,
    too_late,
)
from jina.transport.begun import BegunNotes

_QUICK_S = 0.0002
"""What takes less may hold back what was made before it."""


class Local(OnLoop):
    """An Executor with threads to run it in."""

    def __init__(
        self,
        executor: BaseExecutor,
        *,
        user_loop: asyncio.AbstractEventLoop,
        outlet: Outlet,
        inbox: Inbox | None = None,
        n_threads: int = 1,
        notes: BegunNotes | None = None,
        on_failure: Callable[[BaseException], None] | None = None,
        thread: type[threading.Thread] = threading.Thread,
        when: Any = None,
    ) -> None:
        """Start the executor threads; call it in the user loop's thread.

        Args:
            executor: Made and ready; its `close` stays the caller's duty.
            user_loop: Where `async def` methods run.
            outlet: Takes the outcomes to the owner.
            inbox: Where executor threads wait for works; None: a queue.
            n_threads: Threads for `def` methods. 1: they run one at a time.
            notes: Where to note begun calls, if anybody wants to know after our death.
            on_failure: Hears of each exception that a method raised, in the method's thread, before its caller does.
            thread: What kind of threads.
            when: Which documents are let in, see `core/condition.py`; None for all.
        """
        super().__init__(executor, outlet, notes, on_failure, user_loop, when)
        self._inbox: Inbox = queue.SimpleQueue() if inbox is None else inbox
        self._took: dict[Endpoint | None, float] = {}
        self._leave_at = 0.0
        self._is_last = True
        self._ended: list[int] = []
        self._turn: list[Work] = []
        self._async_turn: list[Work] = []
        self._n_threads = n_threads
        self._threads = [thread(target=self._serve, name=f"executor-{i}", daemon=True) for i in range(n_threads)]
        for each in self._threads:
            each.start()

    def submit(self, work: Work) -> None:
        """Take a call; it starts with the next `flush`."""
        endpoint = work.endpoint = invoke.find_endpoint(self.executor, work.call.endpoint)
        if endpoint is None or (endpoint.kind == "stream") is not work.call.is_stream:
            self._refuse(work, endpoint)
        elif endpoint.is_async:
            self._async_turn.append(work)
        else:
            self._turn.append(work)

    def flush(self) -> None:
        """Start what was submitted since the last flush."""
        if self._turn:
            turn, self._turn = self._turn, []
            if self._n_threads == 1:
                self._inbox.put(turn)
            else:
                for work in turn:
                    self._inbox.put([work])
        if self._async_turn:
            turn, self._async_turn = self._async_turn, []
            self._call_on_loop(self._start_tasks, turn)

    def cancel(self, work: Work) -> None:
        """Nobody waits for this call any more: drop it if it has not begun, stop it where it can be stopped."""
        work.is_gone = True
        endpoint = work.endpoint
        if endpoint is not None and endpoint.is_async:
            self._user_loop.call_soon_threadsafe(self._cancel_task, work)
        elif work.is_paused:
            self.resume(work)

    def sent(self, work: Work, n: int, n_bytes: int) -> None:
        """`n` more items of a stream have left, of so many bytes; it goes on if it waited for that."""
        work.n_sent += n
        work.n_bytes_sent += n_bytes
        if work.is_paused and work.has_room:
            self.resume(work)

    def resume(self, work: Work) -> None:
        """Let a paused stream go on."""
        work.is_paused = False
        if work.endpoint is not None and work.endpoint.is_async:
            self._call_on_loop(self._give_room, work)
        else:
            self._inbox.put([work])

    def close(self) -> None:
        """Stop the threads once they have finished what they hold; does not wait for them."""
        for _ in self._threads:
            self._inbox.put(None)

    def _refuse(self, work: Work, endpoint: Endpoint | None) -> None:
        call, status = work.call, None
        if endpoint is not None:
            want = f"endpoint {call.endpoint!r} streams; call it with stream_doc"
            if call.is_stream:  # begins with Jina's words
                want = f"endpoint must be generator: {call.endpoint!r} does not stream; call it with post"
            status = Status(Code.INVALID_INPUT, want, "ValueError", [want], executor=self._name)
        self._answer_with(work, status, call.payload)

    def paused(self, work: Work) -> None:
        """A stream waits for room (outcome PAUSED); it may be there already."""
        work.is_paused = True
        if work.is_gone or work.has_room:
            self.resume(work)

    def _serve(self) -> None:
        """What an executor thread does; it calls all that stands below."""
        inbox, took = self._inbox, self._took
        while True:
            if inbox.empty():
                self._let_leave()
            turn = inbox.get()
            if turn is None:
                return
            for place, work in enumerate(turn, 1):
                self._is_last = place == len(turn)
                endpoint, began_at = work.endpoint, time.monotonic()
                if took.get(endpoint, 1.0) > _QUICK_S or began_at > self._leave_at:
                    self._let_leave()
                try:
                    self._do(work)
                except BaseException:  # a bug of ours must not end the thread that all later calls need
                    self._fail(work, Status(Code.INTERNAL, "internal error; the worker's log has its traceback"))
                    with contextlib.suppress(BaseException):
                        traceback.print_exc()
                took[endpoint] = time.monotonic() - began_at

    def _let_leave(self) -> None:
        """Send what has been made in this thread, and perhaps in others."""
        ended, self._ended = self._ended, []
        self._send(ended)
        self._leave_at = time.monotonic() + COMPANY_S

    def _do(self, work: Work) -> None:
        call = work.call
        if work.iterator is not None:
            self._advance(work)
        elif work.is_gone:
            return
        elif call.deadline is not None and call.deadline <= time.monotonic():
            self._fail(work, too_late(work.call))
        elif call.is_stream:
            self._begin_stream(work)
        else:
            slot = self._begin(work)
            gone_flag.set(work)
            self._hand_over(self._answer(work))
            self._ended.append(slot)

    def _answer(self, work: Work) -> Outcome:
        call, endpoint = work.call, work.endpoint
        assert endpoint is not None
        try:
            docs = decode(codec_for(endpoint.input), call)
            if self._keeps is not None:
                docs = self._kept(docs)
            docs, results = invoke.call(self.executor, endpoint, docs, call.parameters, call.headers)
            return work, REPLY, None, encode(self.executor, endpoint, docs, call.wants), None if results is None else plain(results)
        except BaseException as error:
            return work, REPLY, self._status(error, call), input_back(call), None

    def _begin_stream(self, work: Work) -> None:
        call, endpoint = work.call, work.endpoint
        assert endpoint is not None
        try:
            doc = decode_one(codec_for(endpoint.input), call)
            if self._keeps is not None and not self._keeps(doc):
                self._hand_over((work, END, None, None, None))
                return
            work.iterator = invoke.stream(self.executor, endpoint, doc, call.parameters, call.headers)
        except BaseException as error:
            self._fail(work, self._status(error, call))
            return
        self._advance(work)

    def _advance(self, work: Work) -> None:
        """Make items until the stream ends, is too far ahead, nobody waits for it, or other work does."""
        slot = self._begin(work)
        gone_flag.set(work)
        try:
            self._make_items(work)
        except StopIteration:
            self._hand_over((work, END, None, None, None))
        except BaseException as error:
            self._fail(work, self._status(error, work.call))
        finally:
            self._ended.append(slot)

    def _make_items(self, work: Work) -> None:
        """Items that are quickly made leave together, but for the first; other work has its turn after the first that is not."""
        iterator, inbox = work.iterator, self._inbox
        assert iterator is not None
        now = began_at = time.monotonic()
        is_first = not work.n_made
        while not work.is_gone:
            made, before = next(iterator), now
            self._put_item(work, self._item(work, made))
            now = time.monotonic()
            if is_first or now - before > _QUICK_S or now > self._leave_at or work.is_far_ahead:
                is_first = False
                self._let_leave()
            if work.is_far_ahead:
                self._hand_over((work, PAUSED, None, None, None))
                return
            if now - began_at > _QUICK_S and not (self._is_last and inbox.empty()):
                inbox.put([work])
                return
        close_iterator(iterator)
