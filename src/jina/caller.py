"""Whether anybody still waits for the call that this code runs in.

The worker knows when a caller leaves; user code that computes for long asks now and then. The answer travels in a context variable, so it
is right in executor threads, in coroutines and in the tasks that they start.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol


class CanBeGone(Protocol):
    """A call in flight; `is_gone` becomes True, set by another thread, when its caller has left."""

    is_gone: bool


gone_flag: ContextVar[CanBeGone | None] = ContextVar("jina_gone_flag", default=None)
"""The call that runs here. The worker sets it a call; `gone_scope` is the slower, safer way."""


def caller_gone() -> bool:
    """Tell whether nobody waits for the current call any more; False outside a call.

    For `def` methods, which nothing can interrupt: ask between two steps and return early. `async def` methods and generators are
    cancelled instead.
    """
    flag = gone_flag.get()
    return flag is not None and flag.is_gone


@contextmanager
def gone_scope(flag: CanBeGone | None) -> Iterator[None]:
    """Run a block as part of a call; None for a call that nobody can leave."""
    token = gone_flag.set(flag)
    try:
        yield
    finally:
        gone_flag.reset(token)
