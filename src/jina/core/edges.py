"""Whether the documents that one node gives can be those that the next one takes, by their JSON Schemas (2020-12).

Only what fails whatever the values are is a misfit: "5" may be read where a number is asked for, a number where a time is or an array, an
array of another shape of as many numbers, and what a schema leaves open may be anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, Final

JsonSchema = Mapping[str, Any]

_NUMBERS: Final = frozenset(("integer", "number", "boolean"))
_SCALARS: Final = _NUMBERS | {"string"}
_SHAPE: Final = "tensor/array shape"


def misfit(given: JsonSchema, taken: JsonSchema) -> str:
    """Say why no document of the schema `given` is one of the schema `taken`; empty where some may be."""
    return _Comparison(given, taken).compare(given, taken, ())


class _Comparison:
    def __init__(self, given: JsonSchema, taken: JsonSchema) -> None:
        self._given, self._taken = given.get("$defs", {}), taken.get("$defs", {})
        self._seen: set[tuple[int, int]] = set()  # models may hold themselves

    def compare(self, given: Any, taken: Any, path: tuple[str, ...]) -> str:
        pair = (id(given), id(taken))
        if pair in self._seen:
            return ""
        self._seen.add(pair)
        ways = [each for each in _alternatives(given, self._given) if each.get("type") != "null"]
        places = _alternatives(taken, self._taken)
        found = [self._one(way, place, path) for way in ways for place in places]
        if not found or not all(found):
            return ""
        return found[0] if len(found) == 1 else f"{_where(path)} is {_named(ways)} there and {_named(places)} here"

    def _one(self, given: JsonSchema, taken: JsonSchema, path: tuple[str, ...]) -> str:
        kind, wanted = given.get("type"), taken.get("type")
        if not isinstance(kind, str) or not isinstance(wanted, str):
            return ""
        if not _may_become(given, taken):
            return f"{_where(path)} is {_named([given])} there and {_named([taken])} here"
        if "enum" in given and "enum" in taken and not any(value in taken["enum"] for value in given["enum"]):
            return f"{_where(path)} is one of {given['enum']} there and one of {taken['enum']} here"
        if kind == "array":
            return self._array(given, taken, path)
        return self._object(given, taken, path) if kind == "object" else ""

    def _array(self, given: JsonSchema, taken: JsonSchema, path: tuple[str, ...]) -> str:
        shape, wanted = _shape(given), _shape(taken)
        if all(size.isdecimal() for size in (*shape, *wanted)) and shape and wanted and prod(map(int, shape)) != prod(map(int, wanted)):
            return f"{_where(path)} has the shape [{', '.join(shape)}] there and [{', '.join(wanted)}] here"
        return self.compare(given.get("items", {}), taken.get("items", {}), (*path, "[]"))

    def _object(self, given: JsonSchema, taken: JsonSchema, path: tuple[str, ...]) -> str:
        has, wants = given.get("properties", {}), taken.get("properties", {})
        if not given.get("additionalProperties"):
            for name in taken.get("required", ()):
                if name not in has:
                    return f"{_where((*path, name))} is required here and not there"
        if taken.get("additionalProperties") is False:
            for name in has:
                if name not in wants:
                    return f"{_where((*path, name))} is there, and nothing of that name may be here"
        for name in (name for name in has if name in wants):
            text = self.compare(has[name], wants[name], (*path, name))
            if text:
                return text
        return ""


def _may_become(given: JsonSchema, taken: JsonSchema) -> bool:
    kind, wanted = given["type"], taken["type"]
    if kind == wanted or wanted not in _SCALARS or kind not in _SCALARS:
        return bool(kind == wanted or (kind in _NUMBERS and _SHAPE in taken))
    return wanted != "string" or "format" in taken


def _alternatives(schema: Any, definitions: Mapping[str, Any]) -> list[JsonSchema]:
    if not isinstance(schema, Mapping):
        return [{}]
    if "$ref" in schema:
        return _alternatives(definitions.get(schema["$ref"].rpartition("/")[2]), definitions)
    each = schema.get("anyOf") or schema.get("oneOf")
    return [schema] if each is None else [found for one in each for found in _alternatives(one, definitions)]


def _shape(schema: JsonSchema) -> list[str]:
    """The sizes that an array's schema tells, such as `[x, 384]`; empty where it tells none."""
    text = schema.get(_SHAPE, "")
    return text[1:-1].split(", ") if text[:1] == "[" and "..." not in text else []


def _where(path: Sequence[str]) -> str:
    return f"field {'.'.join(path)!r}".replace(".[]", "[]") if path else "a document"


def _named(schemas: Sequence[JsonSchema]) -> str:
    return " or ".join(dict.fromkeys(str(schema.get("type", "anything")) for schema in schemas))
