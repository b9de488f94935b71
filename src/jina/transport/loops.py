"""Event loops: uvloop where it exists, asyncio's own elsewhere or on request; never as a global policy."""

from __future__ import annotations

import asyncio
import os


def new_loop() -> asyncio.AbstractEventLoop:
    """Give a new loop, not yet running. `JINA_DISABLE_UVLOOP` in the environment asks for asyncio's own."""
    if not os.environ.get("JINA_DISABLE_UVLOOP"):
        try:
            import uvloop
        except ImportError:
            pass
        else:
            return uvloop.new_event_loop()
    return asyncio.new_event_loop()
