"""Waiting on an event loop for what other tasks, threads or peers do, bounded."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Coroutine
from typing import Any

_TURNS = 1000
"""So many turns of the loop cost nothing; what takes longer waits for a thread, a timer or a process."""


async def until(condition: Callable[[], bool], *, limit_s: float = 30.0) -> None:
    """Let the loop turn until the condition holds; fail if it does not within the limit (far beyond what it should take)."""
    give_up_at = time.monotonic() + limit_s
    for n in itertools.count():
        if condition():
            return
        if time.monotonic() > give_up_at:
            raise AssertionError(f"still not so after {limit_s} s")
        await asyncio.sleep(0 if n < _TURNS else 0.002)


async def loop_turns(n_turns: int) -> None:
    """Let the loop turn so often: enough for what would happen by itself, where nothing should."""
    for _ in range(n_turns):
        await asyncio.sleep(0)


def run_bounded(scenario: Coroutine[Any, Any, None], *, limit_s: float = 20.0) -> None:
    """Run a scenario on a loop of its own; fail if it is not over within the limit."""

    async def bounded() -> None:
        async with asyncio.timeout(limit_s):
            await scenario

    asyncio.run(bounded())
