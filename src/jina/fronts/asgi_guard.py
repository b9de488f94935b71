"""Keys for a web app: the same check and the same answers as in the other fronts."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from jina.call import Status
from jina.fronts import http_replies
from jina.fronts.asgi_replies import json_response
from jina.runtime.guards import Guard

_POLICY_VIOLATION = 1008


class GuardMiddleware:
    """Lets a request on to `app` if the guard does; `GET /` is open to all."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self._app, self._guard = app, guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and not _is_open(scope):
            status = await self._ask(scope)
            if status is not None:
                await _refuse(status, scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _ask(self, scope: Scope) -> Status | None:
        headers: dict[str, str] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))
        verdict = self._guard(headers)
        return verdict if verdict is None or isinstance(verdict, Status) else await verdict


def _is_open(scope: Scope) -> bool:
    if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
        return False
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "")) in ("", "/")


async def _refuse(status: Status, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": status.description})
        return
    number, body, lines = http_replies.failure(status)
    await json_response(number, body, lines=lines)(scope, receive, send)
