"""The OpenAPI 3.1 document of a service, from what its worker said of its endpoints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from jina.call import EndpointInfo

Json = dict[str, Any]
_PREFIX = "#/components/schemas/"
_HEADER: Json = {
    "title": "Header",
    "type": "object",
    "properties": {
        "requestId": {"anyOf": [{"type": "string"}, {"type": "null"}], "title": "Requestid"},
        "targetExecutor": {"anyOf": [{"type": "string"}, {"type": "null"}], "title": "Targetexecutor"},
    },
}
_VALIDATION_ERROR: Json = {
    "title": "ValidationError",
    "type": "object",
    "required": ["loc", "msg", "type"],
    "properties": {
        "loc": {"title": "Location", "type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]}},
        "msg": {"title": "Message", "type": "string"},
        "type": {"title": "Error Type", "type": "string"},
    },
}
_HTTP_VALIDATION_ERROR: Json = {
    "title": "HTTPValidationError",
    "type": "object",
    "properties": {"detail": {"title": "Detail", "type": "array", "items": {"$ref": _PREFIX + "ValidationError"}}},
}
_TEXTS: Json = {"type": "object", "additionalProperties": {"type": "string"}}
_INFO: Json = {"title": "JinaInfoModel", "type": "object", "required": ["jina", "envs"], "properties": {"jina": _TEXTS, "envs": _TEXTS}}
_STATUS: Json = {
    "title": "StatusProto",
    "type": "object",
    "required": ["code", "description", "exception"],
    "properties": {
        "code": {"type": "integer", "description": "0, or 1 where a node does not answer"},
        "description": {"type": "string"},
        "exception": {"anyOf": [{"type": "object"}, {"type": "null"}]},
    },
}
_HEALTH: Json = {"title": "JinaHealthModel", "type": "object", "properties": {}, "description": "Pydantic BaseModel for Jina health check"}


def make_document(endpoints: Sequence[EndpointInfo], *, title: str, description: str, version: str, is_flow: bool = False) -> Json:
    """Describe the service.

    Args:
        endpoints: Those that callers may use; private ones are left out.
        title: Of the page.
        description: Of the page.
        version: Of the API.
        is_flow: Replies carry a `header`, and there is what only a Flow answers.
    """
    schemas = _Schemas()
    paths: Json = {"/": {"get": _health()}}
    for info in endpoints:
        if not info.path.strip("/").startswith("_jina"):
            name = info.path.strip("/")
            is_stream = info.kind == "stream"
            paths["/" + name] = _streaming(info, name, schemas) if is_stream else {"post": _batch(info, name, schemas, is_flow)}
    if is_flow:
        for path, operations in _of_flow(schemas).items():
            paths.setdefault(path, operations)
    for name, schema in (
        ("HTTPValidationError", _HTTP_VALIDATION_ERROR),
        ("ValidationError", _VALIDATION_ERROR),
        ("JinaHealthModel", _HEALTH),
    ):
        schemas.put(name, schema)
    info_part = {"title": title, "description": description, "version": version}
    return {"openapi": "3.1.0", "info": info_part, "paths": paths, "components": {"schemas": schemas.sorted()}}


class _Schemas:
    """Named schemas; the same name with another content gets a number."""

    def __init__(self) -> None:
        self._by_name: dict[str, Json] = {}

    def put(self, name: str, schema: Json) -> str:
        given, n = name, 2
        while self._by_name.setdefault(name, schema) != schema:
            name, n = f"{given}{n}", n + 1
        return _PREFIX + name

    def put_with_definitions(self, name: str, schema: Json) -> Json:
        """Store a schema and what stands in its `$defs`; give a reference to it."""
        definitions = schema.get("$defs", {})
        names = self._names(name, {key: value for key, value in schema.items() if key != "$defs"}, definitions)
        for old, body in definitions.items():
            self._by_name[names[f"#/$defs/{old}"]] = _renamed(body, names)
        self._by_name[names["#"]] = _renamed({key: value for key, value in schema.items() if key != "$defs"}, names)
        return {"$ref": _PREFIX + names["#"]}

    def _names(self, name: str, root: Json, definitions: Json) -> dict[str, str]:
        """Choose names that are free or already hold the very same schemas; all get the same number, as they refer to each other."""
        n = 0
        while True:
            n += 1
            end = "" if n == 1 else str(n)
            names = {f"#/$defs/{key}": key + end for key in definitions}
            names["#"] = names[root["$ref"]] if root.get("$ref") in names and len(root) == 1 else name + end
            wanted = {names[f"#/$defs/{key}"]: _renamed(value, names) for key, value in definitions.items()}
            if names["#"] not in wanted:
                wanted[names["#"]] = _renamed(root, names)
            if all(self._by_name.get(key, value) == value for key, value in wanted.items()):
                return names

    def sorted(self) -> dict[str, Json]:
        return dict(sorted(self._by_name.items()))


def _renamed(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {
            key: _PREFIX + names[item] if key == "$ref" and isinstance(item, str) and item in names else _renamed(item, names)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_renamed(item, names) for item in value]
    return value


def _health() -> Json:
    return {
        "summary": "Get the health of Jina Executor service",
        "operationId": "_executor_health__get",
        "responses": {"200": _response("Successful Response", {"$ref": _PREFIX + "JinaHealthModel"})},
    }


def _of_flow(schemas: _Schemas) -> Json:
    header = {"anyOf": [{"$ref": schemas.put("Header", _HEADER)}, {"type": "null"}], "default": None}
    document = {"type": "object"}
    data = {"title": "Data", "anyOf": [{"type": "array", "items": document}, document]}
    parameters = {"title": "Parameters", "anyOf": [{"type": "object"}, {"type": "null"}]}
    given = {"data": data, "execEndpoint": {"title": "Execendpoint", "type": "string"}, "parameters": parameters, "header": header}
    answer = {"data": {"title": "Data", "type": "array", "items": document}, "parameters": {"type": "object"}, "header": header}
    return {
        "/dry_run": {
            "get": {
                "summary": "Ask whether every Executor answers",
                "operationId": "_flow_health_dry_run_get",
                "responses": {"200": _response("Successful Response", {"$ref": schemas.put("StatusProto", _STATUS)})},
            }
        },
        "/status": {
            "get": {
                "summary": "Get the versions and the environment of the gateway",
                "operationId": "_status_status_get",
                "responses": {"200": _response("Successful Response", {"$ref": schemas.put("JinaInfoModel", _INFO)})},
            }
        },
        "/post": {
            "post": {
                "summary": "Call the endpoint that `execEndpoint` names",
                "operationId": "post_post_post",
                "requestBody": _body({"type": "object", "required": ["data"], "properties": given}, is_required=True),
                "responses": _responses(_response("Successful Response", {"type": "object", "properties": answer})),
            }
        },
    }


def _batch(info: EndpointInfo, name: str, schemas: _Schemas, is_flow: bool) -> Json:
    document = schemas.put_with_definitions(info.input_name or f"{name}_input", info.input)
    result = schemas.put_with_definitions(info.output_name or f"{name}_output", info.output)
    header = {"anyOf": [{"$ref": schemas.put("Header", _HEADER)}, {"type": "null"}]}
    no_header = {**header, "default": None}  # else Swagger UI proposes one that names an executor "string", and the call skips ours
    component = name.replace("/", "_")
    properties: Json = {
        "data": {"title": "Data", "anyOf": [{"type": "array", "items": document}, document]},
        "parameters": _parameters(info, schemas),
        "header": no_header,
    }
    required = ["data", "parameters"] if info.is_parameters_required else ["data"]
    given = {"title": f"{component}_input_model", "type": "object", "required": required, "properties": properties}
    answer: Json = {"data": {"title": "Data", "type": "array", "items": result}, "parameters": {"title": "Parameters", "type": "object"}}
    if is_flow:
        answer["header"] = header
    made = {"title": f"{component}_output_model", "type": "object", "required": ["data"], "properties": answer}
    return {
        "summary": f"Endpoint /{name}",
        "operationId": f"post_{component}_post",
        "requestBody": _body({"$ref": schemas.put(f"{component}_input_model", given)}, is_required=True),
        "responses": _responses(_response("Successful Response", {"$ref": schemas.put(f"{component}_output_model", made)})),
    }


def _parameters(info: EndpointInfo, schemas: _Schemas) -> Json:
    if info.parameters is None:
        return {"title": "Parameters", "anyOf": [{"type": "object"}, {"type": "null"}]}
    model = schemas.put_with_definitions(info.parameters_name or "Parameters", info.parameters)
    return model if info.is_parameters_required else {"anyOf": [model, {"type": "null"}]}


def _streaming(info: EndpointInfo, name: str, schemas: _Schemas) -> Json:
    document = schemas.put_with_definitions(info.input_name or f"{name}_input", info.input)
    schemas.put_with_definitions(info.output_name or f"{name}_output", info.output)
    component = name.replace("/", "_")
    events = {"description": "Server-sent events: `update` with a document each, then `end`", "content": {"text/event-stream": {}}}
    wrapped = {"type": "object", "required": ["data"], "properties": {"data": document, "parameters": _parameters(info, schemas)}}
    get = {
        "summary": f"Streaming Endpoint /{name}",
        "operationId": f"streaming_get_{component}_get",
        "parameters": list(_query(info)),
        "responses": _responses(events),
    }
    post = {
        "summary": f"Streaming Endpoint /{name}",
        "operationId": f"streaming_post_{component}_post",
        "requestBody": _body({"anyOf": [document, wrapped]}, is_required=True),
        "responses": _responses(events),
    }
    return {"get": get, "post": post}


def _query(info: EndpointInfo) -> Iterator[Json]:
    """Name the document's plain fields as query parameters. The others need a body, which a browser sends only with the POST."""
    for field, schema in info.input.get("properties", {}).items():
        kind = {key: schema[key] for key in ("type", "title") if key in schema}
        if kind.get("type") in ("string", "integer", "number", "boolean"):
            yield {"name": field, "in": "query", "required": field in info.input.get("required", ()), "schema": kind}


def _body(schema: Json, *, is_required: bool) -> Json:
    return {"required": is_required, "content": {"application/json": {"schema": schema}}}


def _response(description: str, schema: Json) -> Json:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _responses(good: Json) -> Json:
    return {"200": good, "422": _response("Validation Error", {"$ref": _PREFIX + "HTTPValidationError"})}
