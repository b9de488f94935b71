"""Coroutines that run without a task while they wait for nothing but a `Waiter`.

A task begins a turn of the loop late, and goes on a turn after what it waits for has come: two more turns and three more objects than a
small call needs. A `Run` begins at once, and the end of a `Waiter` resumes it on the spot. As soon as it awaits anything else it goes on
as an ordinary task. Until then there is no current task, so code that needs one (`asyncio.timeout`) must first await `as_task()`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from types import coroutine as plain_coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")

_running: Run | None = None
"""The run whose coroutine is being stepped right now."""


class Run:
    """One coroutine that is run this way. Whatever it raises goes to the loop's exception handler: catch it in the coroutine."""

    __slots__ = ("_coroutine", "_loop", "_task", "_waiter", "is_done")

    def __init__(self, coroutine: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop) -> None:
        """Take a coroutine; `start` begins it."""
        self._coroutine, self._loop = coroutine, loop
        self._task: asyncio.Task[None] | None = None
        self._waiter: Waiter[Any] | None = None
        self.is_done = False

    def start(self, *, needs_task: bool = False) -> None:
        """Run until it first waits; or, if it needs a task from its beginning or this is called within one, begin that."""
        if not needs_task and asyncio.current_task(self._loop) is None:
            self.step()
        else:
            self._task = self._loop.create_task(self._coroutine)

    def cancel(self) -> None:
        """Raise CancelledError where it waits."""
        if self._task is not None:
            self._task.cancel()
        elif self._waiter is not None:
            self._waiter.cancel()
        elif not self.is_done:  # it is being stepped, further up the stack
            self._loop.call_soon(self.cancel)

    def step(self) -> None:
        """Go on until it waits again, or ends."""
        global _running
        before, _running = _running, self
        self._waiter = None
        try:
            waits_for = self._coroutine.send(None)
        except (StopIteration, asyncio.CancelledError):
            self.is_done = True
            return
        except Exception as error:
            self.is_done = True
            self._loop.call_exception_handler({"message": "a run raised", "exception": error})
            return
        finally:
            _running = before
        if waits_for.__class__ is Waiter:
            self._waiter = waits_for
        else:
            rest = _go_on(self._coroutine, waits_for)
            rest.send(None)  # so that even a cancel before the task's first turn reaches what has begun
            self._task = self._loop.create_task(rest)


class Waiter(Generic[T]):
    """What one coroutine waits for, whether it is a `Run` or in a task: a value, or an exception, set once."""

    __slots__ = ("_error", "_future", "_run", "_value", "is_done")

    def __init__(self) -> None:
        """Begin without a value."""
        self.is_done = False
        self._run: Run | None = None
        self._future: asyncio.Future[None] | None = None
        self._error: BaseException | None = None

    def set_result(self, value: T) -> None:
        """Resume who waits; harmless if something else has before."""
        if not self.is_done:
            self._value = value
            self._wake()

    def set_exception(self, error: BaseException) -> None:
        """Resume who waits with an exception; harmless if something else has before."""
        if not self.is_done:
            self._error = error
            self._wake()

    def cancel(self) -> None:
        """Resume who waits with CancelledError."""
        self.set_exception(asyncio.CancelledError())

    def _wake(self) -> None:
        self.is_done = True
        if self._run is not None:
            self._run.step()
        elif self._future is not None and not self._future.done():
            self._future.set_result(None)

    def __await__(self) -> Generator[Any, None, T]:
        if not self.is_done:
            if _running is not None and asyncio.current_task() is None:
                self._run = _running
                yield self
            else:
                self._future = asyncio.get_running_loop().create_future()
                yield from self._future
        if self._error is not None:
            raise self._error
        return self._value

    _value: T


@plain_coroutine
def as_task() -> Generator[Any, None, None]:
    """Await this before what needs a current task; in a task it does nothing."""
    if _running is not None:
        yield


async def _go_on(coroutine: Coroutine[Any, Any, None], waits_for: Any) -> None:
    await _hand_on(coroutine, waits_for)  # a task takes no generator from Python 3.12 on


@plain_coroutine
def _hand_on(coroutine: Coroutine[Any, Any, None], waits_for: Any) -> Generator[Any, Any, None]:
    """Finish a coroutine that has begun, in a task: hand on what it waits for, and what comes of that."""
    try:
        yield
    except asyncio.CancelledError as error:
        if waits_for is None or not waits_for.cancel():
            try:
                waits_for = coroutine.throw(error)
            except StopIteration:
                return
    while True:
        try:
            got = yield waits_for
        except BaseException as error:
            try:
                waits_for = coroutine.throw(error)
            except StopIteration:
                return
        else:
            try:
                waits_for = coroutine.send(got)
            except StopIteration:
                return
