"""Find the value that an encoder refused. Encoders do not keep track of where they are; this looks again, once something failed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jina.codec.proto_encode import encode_any, items_of
from jina.codec.proto_wire import MAX_DEPTH
from jina.codec.proto_write import write_node
from jina.codec.schema import schema_of
from jina.codec.types import Type, is_document
from jina.errors import UnencodableError


def locate(value: Any, is_ours: bool) -> str:
    """The path of the first value that cannot be encoded, e.g. `docs[3].chunks[1].n`; empty if all can."""
    root = "doc" if is_document(type(value)) else "docs"
    for depth in range(MAX_DEPTH):
        is_top = depth == 0 and root == "docs"
        found = next((step for step in _parts(value) if not _is_encodable(step[1], step[2], is_ours, is_top)), None)
        if found is None:
            return root if depth else ""
        root, value = root + found[0], found[1]
    return root


def _parts(value: Any) -> Iterator[tuple[str, Any, Type | None]]:
    if is_document(type(value)):
        schema = schema_of(type(value))
        for name, part in items_of(value, schema):
            yield f".{name}", part, schema.by_name[name].type if name in schema.by_name else None
    elif isinstance(value, dict):
        for key, part in value.items():
            yield f"[{key!r}]", part, None
    elif isinstance(value, list | tuple | set | frozenset):
        for at, part in enumerate(value):
            yield f"[{at}]", part, None


def _is_encodable(value: Any, hint: Type | None, is_ours: bool, is_top: bool) -> bool:
    try:
        if is_top:
            encode_any(value, is_ours, 0)
        else:
            write_node(value, hint, is_ours, 0)
    except (UnencodableError, UnicodeEncodeError):
        return False
    return True
