"""Coroutines that run without a task while they wait for nothing but a Waiter."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from jina.transport.run import Run, Waiter, as_task
from tests.waiting import until

pytestmark = pytest.mark.anyio


async def in_callback(what: Callable[[], Any]) -> Any:
    """Call something from a callback of the loop, where no task is current."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()

    def call() -> None:
        try:
            done.set_result(what())
        except Exception as error:
            done.set_exception(error)

    loop.call_soon(call)
    return await done


def begin(noted: list[Any], *waits: Awaitable[Any]) -> Run:
    """Run a coroutine that waits for each in turn and notes what came of it, and whether in a task."""

    async def work() -> None:
        try:
            for wait in waits:
                try:
                    noted.append((await wait, asyncio.current_task() is not None))
                except ValueError as error:
                    noted.append((str(error), asyncio.current_task() is not None))
            noted.append("end")
        except asyncio.CancelledError:
            noted.append("cancelled")
            raise

    run = Run(work(), asyncio.get_running_loop())
    run.start()
    return run


async def test_it_begins_at_once_and_a_waiter_resumes_it_on_the_spot() -> None:
    noted: list[Any] = []
    first, second = Waiter[int](), Waiter[int]()
    run = await in_callback(lambda: begin(noted, first, second))
    await in_callback(lambda: first.set_result(1))
    assert noted == [(1, False)]
    await in_callback(lambda: second.set_exception(ValueError("broken")))
    assert noted == [(1, False), ("broken", False), "end"]
    assert run.is_done


async def test_a_waiter_that_has_its_value_is_not_waited_for() -> None:
    noted: list[Any] = []
    waiter = Waiter[int]()
    waiter.set_result(1)
    waiter.set_result(2)
    await in_callback(lambda: begin(noted, waiter))
    assert noted == [(1, False), "end"]


async def test_it_goes_on_as_a_task_once_it_waits_for_something_else() -> None:
    """Whatever it is: a future, a sleep, a timeout; and later waiters, their values and exceptions work there too."""
    noted: list[Any] = []
    waiter, broken = Waiter[int](), Waiter[int]()
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def timed() -> str:
        try:
            async with asyncio.timeout(0.001):
                await asyncio.Event().wait()
        except TimeoutError:
            return "late"
        return "never"

    run = await in_callback(lambda: begin(noted, future, waiter, timed(), broken))
    assert noted == []
    future.set_result(1)
    await until(lambda: len(noted) >= 1)
    waiter.set_result(2)
    await until(lambda: len(noted) >= 3)
    broken.set_exception(ValueError("broken"))
    await until(lambda: len(noted) >= 5)
    assert noted == [(1, True), (2, True), ("late", True), ("broken", True), "end"]
    run.cancel()


async def test_a_future_that_fails_raises_where_it_is_awaited() -> None:
    noted: list[Any] = []
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    await in_callback(lambda: begin(noted, future))
    future.set_exception(ValueError("broken"))
    await until(lambda: len(noted) >= 2)
    assert noted == [("broken", True), "end"]


async def test_as_task_gives_a_task_and_in_one_does_nothing() -> None:
    noted: list[Any] = []
    await in_callback(lambda: begin(noted, as_task(), as_task()))
    await until(lambda: len(noted) >= 3)
    assert noted == [(None, True), (None, True), "end"]


@pytest.mark.parametrize("is_task", [False, True])
async def test_cancelling_raises_where_it_waits(*, is_task: bool) -> None:
    noted: list[Any] = []
    waits: list[Any] = [as_task()] if is_task else []
    run = await in_callback(lambda: begin(noted, *waits, Waiter[int]()))
    await asyncio.sleep(0.001)
    run.cancel()
    await until(lambda: "cancelled" in noted)
    run.cancel()


async def test_within_a_task_it_is_a_task() -> None:
    """Nothing that it does can then be taken for that task's doing."""
    noted: list[Any] = []
    waiter = Waiter[int]()
    begin(noted, waiter)
    assert noted == []
    await asyncio.sleep(0)
    waiter.set_result(1)
    await until(lambda: len(noted) >= 2)
    assert noted == [(1, True), "end"]


async def test_what_it_raises_goes_to_the_loop() -> None:
    loop = asyncio.get_running_loop()
    told: list[Any] = []
    loop.set_exception_handler(lambda loop, context: told.append(context["exception"]))

    async def broken() -> None:
        raise KeyError("a bug")

    run = Run(broken(), loop)
    await in_callback(run.start)
    assert (run.is_done, [type(error) for error in told]) == (True, [KeyError])


@pytest.mark.parametrize("kind", ["future", "pass", "done"])
async def test_cancel_in_the_turn_in_which_it_becomes_a_task_reaches_it(kind: str) -> None:
    """It has begun, so it must hear of its end: a task that is cancelled before its first turn would not run at all."""
    noted: list[Any] = []
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    wait: Awaitable[Any] = asyncio.sleep(0) if kind == "pass" else future

    def begin_and_cancel() -> None:
        run = begin(noted, wait)
        if kind == "done":
            future.set_result(1)
        run.cancel()

    await in_callback(begin_and_cancel)
    await until(lambda: bool(noted))
    assert noted == ["cancelled"]
    assert future.cancelled() is (kind == "future")
