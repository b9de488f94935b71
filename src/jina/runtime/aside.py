"""Work on large documents in a thread: a front's loop moves bytes, and all other callers wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from jina.codec.pieces import LARGE

T = TypeVar("T")


async def aside(n_bytes: int, work: Callable[..., T], *given: Any) -> T:
    """Do the work, on so many bytes: here if they are few."""
    return work(*given) if n_bytes < LARGE else await asyncio.to_thread(work, *given)
