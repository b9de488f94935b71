"""A front on a port of its own, for callers that need a socket."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from jina.fronts.front import Front


@contextlib.asynccontextmanager
async def listening(front: Front) -> AsyncIterator[int]:
    """Serve on a free port, which is given; in the end who is still connected is cut off, so that nobody is waited for."""
    server = await asyncio.get_running_loop().create_server(front.make_protocol, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for connection in list(front.connections):
            transport: Any = getattr(connection, "transport", None) or vars(connection)["_transport"]
            transport.abort()
        await front.drain()
