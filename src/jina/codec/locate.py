"""Find the value that an encoder refused. Encoders do not keep track of where they are; this looks again, once something failed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jina.codec.proto_encode import encode_any, items_of
from jina.codec.proto_wire import MAX_DEPTH
from jina.codec.proto_write import write_node
from jina.codec.schema import schema_of
from jina.codec.types import Type, is_base_doc, is_document
from jina.errors import UnencodableError


def locate(value: Any, is_ours: bool) -> tuple[str, Exception | None]:
    """The path of the first value that cannot be encoded, e.g. `docs[3].chunks[1].n`, and why it cannot; empty if all can."""
    root = "doc" if is_document(type(value)) else "docs"
    reason: Exception | None = None
    for depth in range(MAX_DEPTH):
        is_top = depth == 0 and root == "docs"
        for step, part, hint in _parts(value):
            refused = _refusal(part, hint, is_ours, is_top)
            if refused is not None:
                root, value, reason = root + step, part, refused
                break
        else:
            return root if depth else "", reason
        if not is_ours and not is_top and is_document(type(value)) and not is_base_doc(type(value)):
            break  # refused for what it is, whatever it holds
    return root, reason


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


def _refusal(value: Any, hint: Type | None, is_ours: bool, is_top: bool) -> Exception | None:
    try:
        if is_top:
            encode_any(value, is_ours, 0)
        else:
            write_node(value, hint, is_ours, 0)
    except (UnencodableError, UnicodeEncodeError) as error:
        return error
    return None
