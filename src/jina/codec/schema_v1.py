"""JSON schemas as pydantic v1 wrote them: what existing gateways read when they ask for an executor's endpoints, and executors tell."""

from __future__ import annotations

from typing import Any, Final

_OLD: Final = "#/definitions/"
_NEW: Final = "#/$defs/"
_NESTED: Final = frozenset({"properties", "patternProperties", "$defs", "definitions"})


def to_v1(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema of today's pydantic in the older dialect.

    Definitions stand under `definitions`; an optional field is of its own type and not required, rather than a choice with null; a tuple
    lists its items under `items`; a `$ref` with anything beside it is wrapped in `allOf`. Where a class contains itself anything may stand:
    gateways follow such references without end.
    """
    made = _convert(schema)
    definitions = made.pop("$defs", {})
    reference = made.pop("$ref", None)
    reached = {name: _reached(name, definitions) for name in definitions}
    definitions = {name: _opened(body, {each for each in reached[name] if name in reached[each]}) for name, body in definitions.items()}
    if reference is not None:  # a class that contains itself: its own properties stand at the top instead
        name = reference.removeprefix(_OLD)
        made = {**definitions.get(name, {}), **made}
        definitions = {each: definitions[each] for each in reached.get(name, ()) if name not in reached[each]}
    return {**made, "definitions": definitions} if definitions else made


def from_v1(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema of the older dialect in the form of today's. Whole numbers, which a Struct makes floats, are ints again."""
    made = _modern(schema)
    definitions = made.pop("definitions", None)
    return {**made, "$defs": definitions} if definitions else made


def _modern(node: Any) -> Any:
    if isinstance(node, list):
        return [_modern(item) for item in node]
    if isinstance(node, float) and node.is_integer():
        return int(node)
    if not isinstance(node, dict):
        return node
    reference = node.get("$ref")
    renewed = {"$ref": reference.replace(_OLD, _NEW)} if isinstance(reference, str) else {}
    return {**{key: _modern(value) for key, value in node.items()}, **renewed}


def _references(node: Any) -> set[str]:
    """Names of the definitions that a schema refers to."""
    if isinstance(node, list):
        return set().union(*map(_references, node))
    if not isinstance(node, dict):
        return set()
    reference = node.get("$ref")
    own = {reference.removeprefix(_OLD)} if isinstance(reference, str) else set()
    return own.union(*map(_references, node.values()))


def _reached(name: str, definitions: dict[str, Any]) -> set[str]:
    """Names of the definitions that one leads to, itself only if it contains itself."""
    reached: set[str] = set()
    waiting = [name]
    while waiting:
        found = (_references(definitions.get(waiting.pop(), {})) & definitions.keys()) - reached
        reached |= found
        waiting += found
    return reached


def _opened(node: Any, circular: set[str]) -> Any:
    """A schema in which anything stands where it referred to one of `circular`."""
    if isinstance(node, list):
        return [_opened(item, circular) for item in node]
    if not isinstance(node, dict):
        return node
    if isinstance(node.get("$ref"), str) and node["$ref"].removeprefix(_OLD) in circular:
        return {}
    return {key: _opened(value, circular) for key, value in node.items()}


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
    if made.get("additionalProperties") is True:  # not written by pydantic v1; gateways take it for a schema
        del made["additionalProperties"]
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
