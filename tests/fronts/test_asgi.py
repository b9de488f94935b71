"""The default routes in a web app, without processes: an app, a Handler, ASGI between them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount
from starlette.types import ASGIApp

from jina.call import Call, EndpointInfo, Handler, Item, Payload, Reply
from jina.fronts.asgi import DefaultRoutes, guarded
from jina.limits import FrontOptions
from jina.process.web_app import build
from jina.runtime.guards import make_guard

pytestmark = pytest.mark.anyio

TEXT = {"title": "Text", "type": "object", "properties": {"text": {"type": "string"}}}
INFOS = [
    EndpointInfo("/echo", "batch", TEXT, TEXT, "Text", "Text"),
    EndpointInfo("/tell", "stream", TEXT, TEXT, "Text", "Text"),
    EndpointInfo("/", "batch", TEXT, TEXT, "Text", "Text"),
    EndpointInfo("_jina_dry_run_", "batch", TEXT, TEXT, "Text", "Text"),
]


async def echo(call: Call) -> Reply:
    return Reply(items=twice(call)) if call.is_stream else Reply(payload=call.payload)


async def twice(call: Call) -> AsyncIterator[Item]:
    yield Item(call.payload)
    yield Item(call.payload)


def routes(handler: Handler = echo, **options: Any) -> DefaultRoutes:
    return DefaultRoutes(handler, INFOS, options=FrontOptions(**options))


def calling(app: ASGIApp, **kwargs: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, raise_app_exceptions=False, **kwargs), base_url="http://test")


async def test_cors_is_what_jina_sets_up() -> None:
    """Any origin, with credentials; a preflight needs no key."""
    app = routes(cors=True).make_app()
    guarded(app, guard())
    origin = {"origin": "http://page"}
    async with calling(app) as http:
        asked = await http.options("/echo", headers={**origin, "access-control-request-method": "POST"})
        refused = await http.post("/echo", json={"data": []}, headers=origin)
    assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (200, "http://page")
    assert (refused.status_code, refused.headers["access-control-allow-credentials"]) == (401, "true")


def guard() -> Any:
    return make_guard("secret")


async def test_health_is_open_behind_a_prefix_too() -> None:
    """A proxy that adds a prefix tells it as `root_path`; other paths below it stay guarded."""
    app = guarded(routes().make_app(), guard())
    async with calling(app, root_path="/api") as http:
        assert (await http.get("/api/")).json() == {}
        assert (await http.get("/api/docs")).status_code == 401


async def test_health_tells_when_the_front_is_away() -> None:
    """503 with a hint when to ask again."""
    app = DefaultRoutes(echo, INFOS, is_ready=lambda: False).make_app()
    async with calling(app) as http:
        reply = await http.get("/")
    assert (reply.status_code, reply.json(), reply.headers["retry-after"]) == (503, {"detail": "not ready"}, "1")


async def test_a_websocket_needs_the_key() -> None:
    """It is closed before it is accepted."""
    app = guarded(routes().make_app(), guard())
    sent: list[Any] = []

    async def receive() -> Any:
        raise AssertionError

    async def send(message: Any) -> None:
        sent.append(message)

    await app({"type": "websocket", "path": "/", "headers": []}, receive, send)
    assert (sent[0]["type"], sent[0]["code"]) == ("websocket.close", 1008)


async def test_a_callable_over_the_headers_decides_as_elsewhere() -> None:
    """It runs on a thread of its own."""
    app = guarded(routes().make_app(), make_guard(lambda headers: headers.get("x-tenant") == "blue"))  # type: ignore[arg-type]
    async with calling(app) as http:
        assert (await http.post("/echo", json={"data": []})).status_code == 401
        assert (await http.post("/echo", json={"data": []}, headers={"X-Tenant": "blue"})).status_code == 200


async def test_an_app_without_routes_is_guarded_from_outside() -> None:
    """Whatever it is."""

    async def bare(scope: Any, receive: Any, send: Any) -> None:
        await PlainTextResponse("in")(scope, receive, send)

    async with calling(guarded(bare, guard())) as http:
        assert (await http.get("/x")).status_code == 401
        assert (await http.get("/x", headers={"x-api-key": "secret"})).text == "in"


async def test_a_site_at_the_root_keeps_its_front_page() -> None:
    """Default routes stand before a mount that takes every path; health does not."""

    async def site(scope: Any, receive: Any, send: Any) -> None:
        await PlainTextResponse("site")(scope, receive, send)

    for app in (Starlette(routes=[Mount("/", site)]), FastAPI(routes=[Mount("/", site)])):
        routes().add_to(app)
        async with calling(app) as http:
            assert (await http.get("/")).text == "site"
            assert (await http.get("/other")).text == "site"
            assert (await http.post("/echo", json={"data": [{"text": "a"}]})).json()["data"] == [{"text": "a"}]


async def test_private_endpoints_have_no_route() -> None:
    """Nor does one that is bound to the health page's path."""
    async with calling(routes().make_app()) as http:
        assert (await http.post("/_jina_dry_run_", json={"data": []})).status_code == 404
        assert (await http.post("/", json={"data": []})).status_code == 405


async def test_a_handler_that_raises_is_a_500() -> None:
    """In the shape of other failures; nothing of the exception is told."""

    async def handle(call: Call) -> Reply:
        raise ZeroDivisionError("secret")

    async with calling(routes(handle).make_app()) as http:
        reply = await http.post("/echo", json={"data": []})
    assert (reply.status_code, reply.json()) == (500, {"detail": "Internal Server Error"})


async def test_a_stream_that_raises_ends_with_an_error_event() -> None:
    """There is no `end` after it."""

    async def items() -> AsyncIterator[Item]:
        yield Item(Payload(b'{"text":"a"}', "json", True))
        raise ZeroDivisionError("secret")

    async def handle(call: Call) -> Reply:
        return Reply(items=items())

    async with calling(routes(handle).make_app()) as http:
        reply = await http.get("/tell?text=a")
    assert reply.text == 'event: update\r\ndata: {"text":"a"}\r\n\r\nevent: error\r\ndata: {"detail":"Internal Server Error"}\r\n\r\n'


async def test_a_body_over_the_limit_is_refused_before_it_is_read() -> None:
    """By its announced length, and by its real one where none is announced."""

    async def body() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b"x" * 100

    async with calling(routes(max_body_bytes=500).make_app()) as http:
        announced = await http.post("/echo", content=b"x" * 501)
        counted = await http.post("/echo", content=body())
    assert [reply.status_code for reply in (announced, counted)] == [413, 413]
    assert announced.headers["connection"] == "close"
    assert "max_body_bytes" in counted.json()["detail"]


async def test_a_later_route_of_the_user_is_described() -> None:
    """What a hook adds after the default routes is in the description, which is made when it is asked for."""
    app = routes().make_app()

    @app.get("/late")
    def late() -> str:
        return "late"

    async with calling(app) as http:
        paths = (await http.get("/openapi.json")).json()["paths"]
        assert paths.keys() >= {"/", "/echo", "/tell", "/late"}
        assert (await http.get("/openapi.json")).json()["paths"] == paths
        assert paths["/tell"].keys() == {"get", "post"}


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (7, "app must be an ASGI app"),
        (lambda a, b: None, "takes 2 arguments"),
        (lambda: None, "must return an app"),
        ("module", "module:name"),
    ],
)
def test_what_is_no_app_is_refused(source: Any, text: str) -> None:
    """The text says what is wanted."""
    with pytest.raises((TypeError, ValueError), match=text):
        build(source, FastAPI, lambda app: None, None)


async def test_middleware_that_reads_the_body_leaves_it_to_the_routes() -> None:
    """As FastAPI promises."""
    app = routes().make_app()
    read: list[bytes] = []

    @app.middleware("http")
    async def look(request: Request, call_next: Any) -> Response:
        read.append(await request.body())
        response: Response = await call_next(request)
        return response

    async with calling(app) as http:
        reply = await http.post("/echo", json={"data": [{"text": "a"}]})
    assert reply.json()["data"] == [{"text": "a"}]
    assert b'"text"' in read[0]


async def test_an_app_of_a_flow_answers_as_its_front_does() -> None:
    """With a header in replies, and with what only a Flow has; routes of the user's go first."""
    app = routes(is_flow=True).make_app()
    async with calling(app) as http:
        body = {"data": [{"text": "x"}], "header": {"requestId": "q"}}
        header = {"requestId": "q", "targetExecutor": ""}
        assert (await http.post("/echo", json=body)).json()["header"] == header
        assert (await http.post("/post", json={**body, "execEndpoint": "/echo"})).json()["header"] == header
        assert (await http.post("/post", json={"execEndpoint": "/echo"})).status_code == 422
        assert (await http.get("/dry_run")).json() == {"code": 0, "description": "", "exception": None}
        assert (await http.get("/status")).json().keys() == {"jina", "envs"}
        assert {"/dry_run", "/status", "/post"} <= (await http.get("/openapi.json")).json()["paths"].keys()
    plain = routes().make_app()
    async with calling(plain) as http:
        assert [(await http.get(path)).status_code for path in ("/dry_run", "/status")] == [404, 404]
