"""The loop behind the sync API: one daemon thread a process, started by the first call. User code never runs on it.

After a fork the child has a loop and connections of its own; the parent's are never touched there.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import queue
import threading
import weakref
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

from jina.transport.loops import new_loop

T = TypeVar("T")


class CanBeClosed(Protocol):
    """What has connections on the loop."""

    def close(self) -> None:
        """Close them; harmless a second time."""


class Background:
    """A loop that runs in a thread of its own.

    Attributes:
        owners: Who has connections on the loop: closed when it ends.
    """

    def __init__(self, name: str = "jina-client") -> None:
        self.loop = new_loop()
        self.owners: weakref.WeakSet[CanBeClosed] = weakref.WeakSet()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()
        atexit.register(self.stop)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def call(self, function: Callable[..., object], *args: Any) -> None:
        """Have a function called on the loop soon; does not wait. Nothing happens after `stop`."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(function, *args)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and wait for its result; an interrupted wait cancels it."""
        done: queue.SimpleQueue[asyncio.Task[T]] = queue.SimpleQueue()  # unlike a Future's locks it bears an interrupt at any moment
        started: list[asyncio.Task[T]] = []

        def start() -> None:
            started.append(self.loop.create_task(coroutine))
            started[0].add_done_callback(done.put)

        self.loop.call_soon_threadsafe(start)
        try:
            return done.get().result()
        except BaseException:
            self.call(lambda: started[0].cancel())
            raise

    def stop(self) -> None:
        """End the thread: what runs on the loop is cancelled. Harmless when it has ended."""
        atexit.unregister(self.stop)
        if self.loop.is_closed() or not self._thread.is_alive():
            return
        asyncio.run_coroutine_threadsafe(self._finish(), self.loop)
        self._thread.join(2)
        if not self._thread.is_alive():
            self.loop.close()

    async def _finish(self) -> None:
        for owner in list(self.owners):
            owner.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.loop.shutdown_asyncgens()
        self.loop.call_soon(self.loop.call_soon, self.loop.stop)  # closed transports need a turn to say so


_of_process: dict[int, Background] = {}
_locks: dict[int, threading.Lock] = {}


def background() -> Background:
    """Give this process's loop, started by the first call."""
    pid = os.getpid()
    found = _of_process.get(pid)
    if found is None:
        with _locks.setdefault(pid, threading.Lock()):
            found = _of_process.get(pid)
            if found is None:
                found = _of_process[pid] = Background()
    return found
