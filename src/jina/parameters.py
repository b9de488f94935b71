"""A call's `parameters`: which of them are for whom, and how they become the model that a method declares.

On the wire all numbers are floats (protobuf's Struct), so 3.0 becomes 3 where a model asks for an int.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jina.errors import InvalidInputError

ParametersReader = Callable[[dict[str, Any]], Any]
RESULTS = "__results__"
_SEPARATOR = "__"


def merge_parameters(parameters: Mapping[str, Any], executor_name: str = "", deployment_name: str | Sequence[str] = "") -> dict[str, Any]:
    """Give the parameters as one executor sees them; the request's own stay untouched.

    `name__key` becomes `key` for the deployment `name` and is taken away from all others; a dict under the deployment's name, then one
    under the executor's name (`metas.name`), is laid on top.

    Args:
        parameters: The request's.
        executor_name: Empty for the front's part alone.
        deployment_name: The node's name in the graph (and aliases, the strongest last); empty for the worker's part alone.
    """
    merged = dict(parameters)
    if not merged:
        return merged
    names = (deployment_name,) if isinstance(deployment_name, str) else deployment_name
    if deployment_name:
        for key in parameters:
            if _SEPARATOR in key and not key.startswith(_SEPARATOR) and not key.endswith(_SEPARATOR):
                name, _, rest = key.partition(_SEPARATOR)
                value = merged.pop(key)
                if name in names:
                    merged[rest] = value
    for name in (*names, executor_name):
        own = merged.get(name) if name else None
        if isinstance(own, dict):
            merged.update(own)
    return merged


def parameters_reader(model: type, *, is_optional: bool = False) -> ParametersReader:
    """Give a function that makes a model's instance of a parameters dict.

    It raises InvalidInputError whose findings have `loc` `("parameters", ...)`. With `is_optional`, no parameters give None where the
    model needs some.
    """
    convert = _struct_converter(model) if hasattr(model, "__struct_fields__") else _pydantic_converter(model)
    is_results_known = RESULTS in getattr(model, "model_fields", ())

    def read(parameters: dict[str, Any]) -> Any:
        if RESULTS in parameters and not is_results_known:
            parameters = {key: value for key, value in parameters.items() if key != RESULTS}
        try:
            return convert(parameters)
        except InvalidInputError:
            if is_optional and not parameters:
                return None
            raise

    return read


def _pydantic_converter(model: type) -> ParametersReader:
    from pydantic import TypeAdapter, ValidationError

    validate = TypeAdapter(model).validator.validate_python

    def convert(parameters: dict[str, Any]) -> Any:
        try:
            return validate(parameters)
        except ValidationError as error:
            first = error
        try:  # strict ints, literals and enums do not take 3.0 for 3
            return validate(_with_ints(parameters))
        except ValidationError:
            pass
        found = first.errors(include_url=False, include_context=False, include_input=False)
        raise _invalid([{"loc": ("parameters", *item["loc"]), "msg": item["msg"], "type": item["type"]} for item in found]) from first

    return convert


def _struct_converter(model: type) -> ParametersReader:
    import msgspec

    def convert(parameters: dict[str, Any]) -> Any:
        try:
            return msgspec.convert(_with_ints(parameters), model, strict=False)
        except msgspec.ValidationError as error:
            message, _, path = str(error).partition(" - at `$")
            loc = ("parameters", *(part for part in path.rstrip("`").split(".") if part))
            raise _invalid([{"loc": loc, "msg": message, "type": "value_error"}]) from error

    return convert


def _invalid(details: list[dict[str, Any]]) -> InvalidInputError:
    first = details[0]
    where = ".".join(str(part) for part in first["loc"])
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    return InvalidInputError(f"{first['msg']} - at `{where}`{more}", details)


def _with_ints(value: Any) -> Any:
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, dict):
        return {key: _with_ints(item) for key, item in value.items()}
    return [_with_ints(item) for item in value] if isinstance(value, list) else value
