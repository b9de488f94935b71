"""The API description of an app with default routes: FastAPI's own for the user's routes, ours for the endpoints."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI

from jina.call import EndpointInfo
from jina.wire.openapi import make_document

Json = dict[str, Any]
_SCHEMAS = "#/components/schemas/"
_FASTAPIS_OWN = frozenset({"HTTPValidationError", "ValidationError"})


def describe(app: FastAPI, endpoints: Sequence[EndpointInfo], *, is_flow: bool = False) -> None:
    """Let `app.openapi()` describe the endpoints too; what the user's routes say of the same path and method goes first."""
    of_routes = app.openapi
    ours = make_document(endpoints, title=app.title, description=app.description, version=app.version, is_flow=is_flow)

    def openapi() -> Json:
        document = of_routes()
        return _merged(document, ours)

    app.openapi = openapi  # type: ignore[method-assign]


def _merged(document: Json, ours: Json) -> Json:
    components = document.get("components", {})
    theirs = components.get("schemas", {})
    ours = _without_clashes(ours, theirs)
    paths = {path: dict(operations) for path, operations in document.get("paths", {}).items()}
    for path, operations in ours["paths"].items():
        paths[path] = {**operations, **paths.get(path, {})}
    schemas = dict(sorted({**ours["components"]["schemas"], **theirs}.items()))
    return {**document, "paths": paths, "components": {**components, "schemas": schemas}}


def _without_clashes(ours: Json, theirs: Json) -> Json:
    """Give other names to those of our schemas whose names mean something else in the user's routes."""
    schemas = ours["components"]["schemas"]
    clashes = [name for name in schemas if name in theirs and theirs[name] != schemas[name] and name not in _FASTAPIS_OWN]
    if not clashes:
        return ours
    text = json.dumps(ours)
    for name in clashes:
        text = text.replace(json.dumps(_SCHEMAS + name), json.dumps(f"{_SCHEMAS}{name}_document"))
    renamed: Json = json.loads(text)
    named = renamed["components"]["schemas"]
    for name in clashes:
        named[f"{name}_document"] = named.pop(name)
    return renamed
