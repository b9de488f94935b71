"""The default routes for a web app of the user's: the same paths, answers and API description as those of the HTTP front.

Runs in an app process only, which is the one place that imports FastAPI. Documents are not read here either: a route reads the envelope
and hands the rest to a Handler, so validation happens in the worker, as for every other front.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Sequence

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from jina.call import EndpointInfo, Handler, Reply
from jina.fronts import http_calls, http_pages, http_replies
from jina.fronts.asgi_guard import GuardMiddleware
from jina.fronts.asgi_openapi import describe
from jina.fronts.asgi_replies import EventResponse, json_response, unless_gone
from jina.fronts.dry_run import dry_run
from jina.fronts.http_site import DEFAULT_TITLE, default_routes
from jina.limits import FrontOptions
from jina.runtime.guards import Guard
from jina.wire.buffered import Buffered
from jina.wire.content_coding import CodingError
from jina.wire.envelope import EnvelopeError
from jina.wire.http_requests import Head, Problem, body_too_large
from jina.wire.ids import RequestIds

_GONE = 499
"""Nobody reads it: the caller has left."""
_log = logging.getLogger("jina.http")
Endpoint = Callable[[Request], Awaitable[Response]]


class DefaultRoutes:
    """The routes of one service, ready to be put into apps."""

    def __init__(
        self,
        handler: Handler,
        endpoints: Sequence[EndpointInfo],
        *,
        is_ready: Callable[[], bool] = lambda: True,
        options: FrontOptions | None = None,
    ) -> None:
        """Answer calls with `handler`; see `jina.fronts.front.Front`."""
        self._handler, self._endpoints, self._is_ready = handler, list(endpoints), is_ready
        self._options = options or FrontOptions()
        self._by_path = {"/" + info.path.strip("/"): info for info in endpoints}
        self._ids = RequestIds()

    def make_app(self) -> FastAPI:
        """Give a FastAPI app with the default routes, the API pages and what `cors` asks for."""
        options = self._options
        app = FastAPI(
            title=options.title or DEFAULT_TITLE,
            description=options.description or "",
            version=options.version,
            docs_url=None,
            redoc_url=None,
        )
        if options.cors:
            app.add_middleware(
                CORSMiddleware, allow_origins=["*"], allow_credentials=True, allow_methods=["*"], allow_headers=["*"]
            )  # as Jina sets it up
        for path in http_pages.PATHS:
            _add(app, path, ["GET", "HEAD"], _page(app, path))
        self.add_to(app)
        return app

    def add_to(self, app: ASGIApp) -> None:
        """Put the default routes behind the app's own, but before a mount that takes every path. An app without routes stays as it is."""
        if not isinstance(app, Starlette):
            return
        routes = app.router.routes
        n_own = len(routes)
        for route in default_routes(self._endpoints):
            if route.endpoint is None:
                _add(app, route.path, list(route.methods), self._health)
            elif route.path != "/":
                _add(app, route.path, list(route.methods), self._endpoint(route.endpoint))
        if self._options.is_flow:
            self._add_of_flow(app)
        added = routes[n_own:]
        takes_all = next((i for i, route in enumerate(routes[:n_own]) if isinstance(route, Mount) and route.path == ""), None)
        if takes_all is not None:
            routes[:] = [*routes[:takes_all], *added[1:], *routes[takes_all:n_own]]  # a site at "/" keeps its "/"
        if isinstance(app, FastAPI):
            describe(app, self._endpoints, is_flow=self._options.is_flow)

    def _add_of_flow(self, app: Starlette) -> None:
        """What a Flow answers beside its endpoints, which go first."""

        async def dry_run_route(request: Request) -> Response:
            reply = await self._handler(dry_run(self._ids.request_id()))
            return json_response(200, http_replies.status_body(reply.status))

        async def status(request: Request) -> Response:
            return json_response(200, http_replies.info_body())

        async def post(request: Request) -> Response:
            return await self._answer(request, None)

        taken = {route.path for route in default_routes(self._endpoints)}
        for path, method, route in (("/dry_run", "GET", dry_run_route), ("/status", "GET", status), ("/post", "POST", post)):
            if path not in taken:
                _add(app, path, [method], route)

    async def _health(self, request: Request) -> Response:
        if self._is_ready():
            return Response(b"{}", media_type="application/json")
        return json_response(503, http_replies.detail_body("not ready"), lines=b"retry-after: 1\r\n")

    def _endpoint(self, info: EndpointInfo) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            return await self._answer(request, info)

        endpoint.__name__ = info.path.strip("/").replace("/", "_") or "endpoint"
        return endpoint

    async def _answer(self, request: Request, info: EndpointInfo | None) -> Response:
        head = Head(tuple((name, value) for name, value in request.scope["headers"] if name != b"content-length"))
        note = http_calls.note_of(head)
        request_id = note.request_id or self._ids.request_id()
        problem = head.problem or note.problem
        if problem:
            status = head.problem_status if head.problem else note.problem_status
            return json_response(status, http_replies.detail_body(problem), request_id, http_replies.lines_for(status))
        try:
            body = await self._body(request)
        except ClientDisconnect:
            return Response(status_code=_GONE)
        if not isinstance(body, bytes):
            status, text = body
            return json_response(status, http_replies.detail_body(text), request_id, b"connection: close\r\n")
        query = request.scope["query_string"].decode("latin-1")
        try:
            if note.codings:
                body, _ = await http_calls.unfolded(body, note.codings, self._options.max_body_bytes, Buffered())
            if info is None:
                info, found = http_calls.read_named(self._by_path, body)
            else:
                found = http_calls.read(info, body, query, is_get=request.method == "GET")
        except CodingError as error:
            return json_response(error.status, http_replies.detail_body(str(error)), request_id)
        except EnvelopeError as error:
            return json_response(*http_replies.envelope_failure(error), request_id)
        request_id = found.request_id or request_id
        call = http_calls.make_call(info, found, head, note, request_id, time.monotonic(), self._ids.call_id())
        try:
            reply = await unless_gone(request.receive, self._handler(call))
        except Exception:
            _log.exception("a handler raised instead of answering")
            return json_response(500, http_replies.detail_body("Internal Server Error"), request_id)
        if reply is None:
            return Response(status_code=_GONE)
        return _response(reply, request_id, ("body",) if found.is_bare else ("body", "data"), is_flow=self._options.is_flow)

    async def _body(self, request: Request) -> bytes | Problem:
        """Read the body, unless it is larger than allowed."""
        most = self._options.max_body_bytes
        length = request.headers.get("content-length", "")
        if most is not None and length.isdecimal() and int(length) > most:
            return body_too_large(most)
        parts, n_bytes = [], 0
        async for part in request.stream():
            n_bytes += len(part)
            if most is not None and n_bytes > most:
                return body_too_large(most)
            parts.append(part)
        return b"".join(parts)


def guarded(app: ASGIApp, guard: Guard) -> ASGIApp:
    """Ask for a key before every route. Middleware of the user's own stands before that, where the app tells routes from middleware."""
    if not isinstance(app, Starlette):
        return GuardMiddleware(app, guard)
    app.user_middleware.append(Middleware(GuardMiddleware, guard=guard))
    app.middleware_stack = None
    return app


def _add(app: Starlette, path: str, methods: list[str], endpoint: Endpoint) -> None:
    if isinstance(app, FastAPI):  # so that dependencies of the whole app hold for these routes too
        app.add_api_route(path, endpoint, methods=methods, include_in_schema=False, response_model=None)
    else:
        app.router.routes.append(Route(path, endpoint, methods=methods, include_in_schema=False))


def _page(app: FastAPI, path: str) -> Endpoint:
    async def page(request: Request) -> Response:
        content_type, lines, body = http_pages.page(path, app.title)
        return json_response(200, body, lines=lines, content_type=content_type.decode())

    return page


def _response(reply: Reply, request_id: str, prefix: tuple[str, ...], *, is_flow: bool) -> Response:
    if reply.status is not None:
        status, body, lines = http_replies.failure(reply.status, prefix, request_id if is_flow else "")
        return json_response(status, body, request_id, lines)
    lines = http_replies.header_lines(reply.headers)
    if reply.items is not None:
        return EventResponse(reply.items, request_id, lines)
    header = {"requestId": request_id, "targetExecutor": ""} if is_flow else None
    return json_response(200, http_replies.documents_body(reply, header), request_id, lines)
