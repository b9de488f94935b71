"""How deep JSON may be nested where reading it takes time that doubles with every level.

A union of models that nothing tells apart is read by trying each of them. If they hold such unions themselves, each level multiplies the
tries (and the findings, if the data fit none of them). So for those classes the limit is not 64 but what a few thousand tries allow;
`Field(discriminator=...)` tells the members apart and lifts it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from jina.codec.json_strict import MAX_DEPTH

_MAX_TRIES: Final = 4096
_AROUND: Final = 2
"""Levels outside of the union: the list of documents, and the document."""


def depth_limit(schema: Mapping[str, Any]) -> int:
    """Give the depth to which JSON for a pydantic core schema may be nested."""
    definitions = {one["ref"]: one for one in schema.get("definitions", ())}
    reach = {ref: _reached(ref, definitions) for ref in definitions}
    width = 0
    for owner, one in definitions.items():
        for union in _unions(one):
            members = [choice[0] if isinstance(choice, tuple) else choice for choice in union["choices"]]
            again = sum(any(owner == ref or owner in reach.get(ref, ()) for ref in _refs(member)) for member in members)
            width = max(width, again)
    return MAX_DEPTH if width < 2 else int(math.log(_MAX_TRIES, width)) + _AROUND


def _nodes(schema: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(schema, Mapping):
        if isinstance(schema.get("type"), str):
            yield schema
        for name, value in schema.items():
            if name not in ("definitions", "metadata", "serialization"):
                yield from _nodes(value)
    elif isinstance(schema, (list, tuple)):
        for value in schema:
            yield from _nodes(value)


def _refs(schema: Any) -> set[str]:
    return {node["schema_ref"] for node in _nodes(schema) if node["type"] == "definition-ref"}


def _unions(schema: Any) -> list[Mapping[str, Any]]:
    return [node for node in _nodes(schema) if node["type"] == "union"]


def _reached(ref: str, definitions: Mapping[str, Any]) -> set[str]:
    found: set[str] = set()
    waiting = [ref]
    while waiting:
        for other in _refs(definitions.get(waiting.pop())) - found:
            found.add(other)
            waiting.append(other)
    return found
