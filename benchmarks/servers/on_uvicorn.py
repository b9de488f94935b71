"""Serve an ASGI app on uvicorn (httptools, uvloop), as fast as it goes, until standard input ends."""

import asyncio
import json
import os
import socket
import sys

import uvicorn
import uvloop


async def _serve(app, port: int, **options) -> None:
    listening = socket.create_server(("127.0.0.1", port))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", http="httptools", access_log=False, **options))
    serving = asyncio.create_task(server.serve([listening]))
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event to wait for
        await asyncio.sleep(0.01)
    print(json.dumps({"port": listening.getsockname()[1], "pids": {"server": os.getpid()}}), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.should_exit = True
    await serving


def serve(app, port: int = 0, **options) -> None:
    """Serve; port 0 is any. The rest goes to `uvicorn.Config`."""
    uvloop.run(_serve(app, port, **options))
