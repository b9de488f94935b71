"""JSON schemas as pydantic v1 wrote them, which is what existing gateways read when they ask for an executor's endpoints."""

from __future__ import annotations

from typing import Any, Final

_OLD: Final = "#/definitions/"
_NEW: Final = "#/$defs/"
_NESTED: Final = frozenset({"properties", "patternProperties", "$defs", "definitions"})


def to_v1(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema of today's pydantic in the older dialect.

    Definitions stand under `definitions`; an optional field is of its own type and not required, rather than a choice with null; a tuple
    lists its items under `items`; a `$ref` with anything beside it is wrapped in `allOf`.
    """
    made = _convert(schema)
    definitions = made.pop("$defs", {})
    reference = made.pop("$ref", None)
    if reference is not None:  # a class that contains itself: its own properties stand at the top as well
        made = {**definitions.get(reference.removeprefix(_OLD), {}), **made}
    return {**made, "definitions": definitions} if definitions else made


def _convert(node: Any) -> Any:
    if isinstance(node, list):
        return [_convert(item) for item in node]
    if not isinstance(node, dict):
        return node
    made = {key: _children(value) if key in _NESTED and isinstance(value, dict) else _convert(value) for key, value in node.items()}
    _unwrap_optional(made)
    _forget_optional_required(made, node)
    if "prefixItems" in made:
        made["items"] = made.pop("prefixItems")
    reference = node.get("$ref")
    if isinstance(reference, str):
        made["$ref"] = reference.replace(_NEW, _OLD)
        if made.keys() - {"$ref", "$defs"}:
            made["allOf"] = [{"$ref": made.pop("$ref")}]
    if "default" in made and made["default"] is None:
        del made["default"]
    return made


def _children(named: dict[str, Any]) -> dict[str, Any]:
    """Sub-schemas by name; a name may look like a keyword."""
    return {name: _convert(schema) for name, schema in named.items()}


def _unwrap_optional(made: dict[str, Any]) -> None:
    options = made.get("anyOf")
    if not isinstance(options, list) or {"type": "null"} not in options:
        return
    rest = [option for option in options if option != {"type": "null"}]
    del made["anyOf"]
    if len(rest) == 1 and isinstance(rest[0], dict):
        made.update({key: value for key, value in rest[0].items() if key not in made})
    elif rest:
        made["anyOf"] = rest


def _forget_optional_required(made: dict[str, Any], node: dict[str, Any]) -> None:
    required, properties = node.get("required"), node.get("properties")
    if not isinstance(required, list) or not isinstance(properties, dict):
        return
    kept = [name for name in required if {"type": "null"} not in (properties.get(name) or {}).get("anyOf", ())]
    made["required"] = kept
    if not kept:
        del made["required"]
