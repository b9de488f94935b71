"""Web apps and hooks that app processes run in the tests."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import Depends, FastAPI, Header, HTTPException, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.routing import Mount, Route

Next = Callable[[Request], Awaitable[Response]]


def asks_for_a_header(app: FastAPI) -> FastAPI:
    """A hook: 401 for every request without `X-Pass: yes`, whatever its path."""

    @app.middleware("http")
    async def check(request: Request, call_next: Next) -> Response:
        if request.headers.get("x-pass") != "yes":
            return PlainTextResponse("no pass", 401)
        return await call_next(request)

    return app


class Text(BaseModel):
    """Has the name of the executor's document and another meaning."""

    words: list[str]


def adds_routes(app: FastAPI) -> FastAPI:
    """A hook: routes beside the default ones."""

    @app.get("/mine/pid")
    def pid() -> dict[str, int]:
        return {"pid": os.getpid()}

    @app.post("/mine/words")
    def words(text: Text) -> Text:
        return text

    @app.post("/echo")  # the default route of this path was there before
    def echo() -> None:
        raise AssertionError

    return app


def wraps(app: FastAPI) -> Any:
    """A hook: gives another app with the default one inside."""
    return Starlette(routes=[Mount("/v1", app)])


def gives_nothing(app: FastAPI) -> None:
    """A hook as one forgets to write it."""


def raises(app: FastAPI) -> FastAPI:
    raise LookupError("no such table")


async def needs_a_pass(x_pass: str = Header("")) -> None:
    if x_pass != "yes":
        raise HTTPException(401, "no pass")


own = FastAPI(title="Own", dependencies=[Depends(needs_a_pass)])
"""An app of the user's with a dependency for all its routes."""


@own.get("/")
def front_page() -> str:
    return "hello"


@own.get("/mine")
def mine() -> str:
    return "mine"


def make_own() -> Starlette:
    async def mine(request: Request) -> Response:
        return PlainTextResponse("made")

    return Starlette(routes=[Route("/mine", mine)])


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI app without a framework; answers everything itself."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 203, "headers": []})
        await send({"type": "http.response.body", "body": scope["path"].encode()})


def inside(app: FastAPI) -> Any:
    """Make an app from the default one: an ASGI function around it."""

    async def outer(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"] == "/outer":
            await bare(scope, receive, send)
        else:
            await app(scope, receive, send)

    return outer


def with_lifespan() -> FastAPI:
    """Write down when it starts and stops; fails to start if told so."""
    log = Path(os.environ["APP_LOG"])

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if log.name == "fail":
            raise RuntimeError("the pool did not open")
        note("started")
        yield
        note("stopped")

    def note(word: str) -> None:
        with log.open("a") as file:
            file.write(f"{word}\n")

    return FastAPI(lifespan=lifespan)
