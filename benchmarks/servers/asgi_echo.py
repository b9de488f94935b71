"""uvicorn (httptools, uvloop) with an ASGI app that does nothing but give the body back."""

import asyncio
import json
import os
import socket
import sys

import uvicorn
import uvloop


async def app(scope, receive, send):
    body, more = b"", True
    while more:
        event = await receive()
        body, more = body + event["body"], event["more_body"]
    length = str(len(body)).encode()
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json"), (b"content-length", length)]}
    )
    await send({"type": "http.response.body", "body": body})


async def main() -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", http="httptools", lifespan="off", access_log=False))
    serving = asyncio.create_task(server.serve([listening]))
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event to wait for
        await asyncio.sleep(0.01)
    print(json.dumps({"port": listening.getsockname()[1], "pids": {"server": os.getpid()}}), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.should_exit = True
    await serving


if __name__ == "__main__":
    uvloop.run(main())
