"""What a worker tells of its endpoints: plain values, so that fronts never import the user's classes."""

from __future__ import annotations

from typing import Any

from jina.call import EndpointInfo
from jina.codec import codec_for
from jina.codec.schema import schema_of
from jina.codec.schema_v1 import to_v1
from jina.endpoint import Endpoint
from jina.executor import BaseExecutor
from jina.executor.decorators import DEFAULT_ENDPOINT


def endpoint_infos(executor: BaseExecutor) -> list[EndpointInfo]:
    """Describe all endpoints of an executor, `_jina_dry_run_` included.

    Raises:
        ConfigError: A document class has a field that no codec can carry.
    """
    return [_info(endpoint) for endpoint in executor.requests.values()]


def _info(endpoint: Endpoint) -> EndpointInfo:
    given, returned = codec_for(endpoint.input), codec_for(endpoint.output)
    model = endpoint.parameters_model
    parameters = None if model is None else parameters_schema(model)
    return EndpointInfo(
        path=endpoint.path,
        kind=endpoint.kind,
        input=given.json_schema(),
        output=returned.json_schema(),
        input_name=endpoint.input.__name__,
        output_name=endpoint.output.__name__,
        parameters=parameters,
        parameters_name="" if model is None else model.__name__,
        is_parameters_required=bool(parameters and parameters.get("required")) and not endpoint.is_parameters_optional,
        is_write=endpoint.is_write,
        takes_headers="headers" in endpoint.keywords,
        is_idle=endpoint.fn is BaseExecutor._dry_run and endpoint.path == DEFAULT_ENDPOINT,
        is_output_declared=endpoint.is_output_declared,
        has_aliases=_has_aliases(endpoint.input, set()) or _has_aliases(endpoint.output, set()),
        discovery={
            "input": {"name": endpoint.input.__name__, "model": given.json_schema_v1()},
            "output": {"name": endpoint.output.__name__, "model": returned.json_schema_v1()},
            "is_generator": endpoint.is_generator,
            "is_singleton_doc": endpoint.is_singleton_doc,
            "parameters": {
                "name": None if model is None else model.__name__,
                "model": None if parameters is None else to_v1(parameters),
            },
        },
    )


def _has_aliases(cls: type, seen: set[type]) -> bool:
    if cls in seen:
        return False
    seen.add(cls)
    fields = schema_of(cls).fields
    within = (
        each.cls for field in fields for each in field.type.walk() if each.kind in ("doc", "doclist", "model") and each.cls is not None
    )
    return any(field.alias for field in fields) or any(_has_aliases(each, seen) for each in within)


def parameters_schema(model: type) -> dict[str, Any]:
    """Give the JSON Schema of a parameters model, its own description at the top."""
    if hasattr(model, "__struct_fields__"):
        return _struct_schema(model)
    from pydantic import TypeAdapter

    return TypeAdapter(model).json_schema()


def _struct_schema(model: type) -> dict[str, Any]:
    import msgspec

    schema: dict[str, Any] = msgspec.json.schema(model)
    definitions: dict[str, Any] = schema.get("$defs", {})
    top: dict[str, Any] = definitions.pop(schema.get("$ref", "").rpartition("/")[2], schema)
    return {**top, **({"$defs": definitions} if definitions else {})}
