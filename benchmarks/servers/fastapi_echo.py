"""The same echo on FastAPI and uvicorn (httptools, uvloop), as its users write it."""

import asyncio
import json
import os
import socket
import sys
from uuid import uuid4

import uvicorn
import uvloop
from fastapi import FastAPI
from pydantic import BaseModel, Field


class In(BaseModel):
    id: str = Field(default_factory=lambda: uuid4().hex)
    text: str


class Out(BaseModel):
    id: str = Field(default_factory=lambda: uuid4().hex)
    text: str


class Ask(BaseModel):
    data: list[In]


class Answer(BaseModel):
    data: list[Out]


app = FastAPI()


@app.post("/echo")
async def echo(ask: Ask) -> Answer:
    return Answer(data=[Out(text=doc.text + "!") for doc in ask.data])


async def main() -> None:
    listening = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", http="httptools", access_log=False))
    serving = asyncio.create_task(server.serve([listening]))
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event to wait for
        await asyncio.sleep(0.01)
    print(json.dumps({"port": listening.getsockname()[1], "pids": {"server": os.getpid()}}), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.should_exit = True
    await serving


if __name__ == "__main__":
    uvloop.run(main())
