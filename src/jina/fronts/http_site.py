"""What a service has over HTTP: routes to its endpoints, the pages that describe it, and what a caller of an unknown path is told."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import msgspec

from jina.call import EndpointInfo
from jina.fronts import http_pages, http_replies
from jina.wire.openapi import make_document

DEFAULT_TITLE = "My Jina Service"


class FlowRoute(Enum):
    """What a Flow answers, by path and method, beside its endpoints; theirs go first where the path is the same."""

    DRY_RUN = ("/dry_run", b"GET")
    POST = ("/post", b"POST")


@dataclass(frozen=True)
class DefaultRoute:
    """One route that every service has or that an endpoint asks for, free of any web framework.

    Attributes:
        path: With its leading slash.
        methods: HTTP methods it answers.
        endpoint: What is called, or None for the health page.
    """

    path: str
    methods: tuple[str, ...]
    endpoint: EndpointInfo | None


def default_routes(endpoints: Sequence[EndpointInfo]) -> list[DefaultRoute]:
    """Give the routes of a service: what the front serves itself and what an app of the user's is given."""
    routes = [DefaultRoute("/", ("GET", "HEAD"), None)]
    for info in endpoints:
        if not info.path.strip("/").startswith("_jina"):
            methods = ("GET", "POST") if info.kind == "stream" else ("POST",)
            routes.append(DefaultRoute("/" + info.path.strip("/"), methods, info))
    return routes


class Site:
    """The paths of one service.

    Attributes:
        routes: Path to endpoint.
        batch_routes: Those that are no streams, by what a request's target says if it is plain.
        flow_routes: What there is beside them.
    """

    def __init__(self, *, title: str | None, description: str | None, version: str, is_flow: bool) -> None:
        """Describe the service in its API page; `is_flow`: it has what only a Flow answers, too."""
        self._title, self._description, self._version, self._is_flow = title, description, version, is_flow
        self.set_endpoints(())

    def set_endpoints(self, endpoints: Sequence[EndpointInfo]) -> None:
        """Learn what the service has."""
        self._endpoints = list(endpoints)
        self._openapi: bytes | None = None
        self.batch_routes: dict[bytes, EndpointInfo] = {}
        self.routes: dict[str, EndpointInfo] = {}
        for route in default_routes(endpoints):
            if route.endpoint is not None and route.path != "/":
                self.routes[route.path] = route.endpoint
                if route.endpoint.kind != "stream":
                    self.batch_routes[route.path.encode()] = route.endpoint
        offered = (FlowRoute.DRY_RUN, FlowRoute.POST)[: 2 if self.routes else 1] if self._is_flow else ()  # without HTTP no call
        self.flow_routes = {route.value[0]: route for route in offered if route.value[0] not in self.routes}

    def page(self, path: str) -> tuple[bytes, bytes, bytes] | None:
        """Give content type, header lines and body of a page, or None."""
        if path == "/openapi.json":
            return b"application/json", b"", self.openapi()
        if path in http_pages.PATHS:
            return http_pages.page(path, self._title or DEFAULT_TITLE)
        if path == "/status" and self._is_flow and path not in self.routes:
            return b"application/json", b"", http_replies.info_body()
        return None

    def openapi(self) -> bytes:
        """The API's description as JSON."""
        if self._openapi is None:
            document = make_document(
                self._endpoints,
                title=self._title or DEFAULT_TITLE,
                description=self._description or "",
                version=self._version,
                is_flow=self._is_flow,
            )
            self._openapi = msgspec.json.encode(document)
        return self._openapi

    def not_found(self, path: str) -> dict[str, Any]:
        """What a caller of an unknown path is told."""
        near = difflib.get_close_matches(path[:256], self.routes, n=1, cutoff=0.5)
        return {"detail": "Not Found", "hint": f"did you mean {near[0]!r}?"} if near else {"detail": "Not Found"}
