"""Values that JSON has no form for, and ours for them.

Bytes that are UTF-8 are that text; other bytes, and text that would look like them, are `data:;base64,...`. Both are read back. pydantic
knows only one of the two at a time, so `with_text_bytes` rewrites a compiled schema: every `bytes` in it gets our reader and writer.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any

from pydantic_core import PydanticCustomError, core_schema

PREFIX = "data:;base64,"
_PREFIX_BYTES = PREFIX.encode()
MARK = "jina_json"
_NOT_SCHEMAS = frozenset({"metadata", "default", "expected", "config", "cls", "custom_error_context"})

Leaf = Callable[[dict[str, Any]], dict[str, Any] | None]


def text_of(value: Any) -> Any:
    """Give bytes as JSON text; anything else as it is."""
    if not isinstance(value, (bytes, bytearray, memoryview)):
        return value
    data = bytes(value)
    if not data.startswith(_PREFIX_BYTES):
        try:
            return data.decode()
        except UnicodeDecodeError:
            pass
    return PREFIX + base64.b64encode(data).decode()


def bytes_of(text: Any) -> Any:
    """Give JSON text as the bytes it stands for; anything but text as it is.

    Raises:
        PydanticCustomError: It begins as `data:;base64,` but does not go on as base64.
    """
    if not isinstance(text, str):
        return text
    if not text.startswith(PREFIX):
        return text.encode()
    try:
        return base64.b64decode(text[len(PREFIX) :], validate=True)
    except (binascii.Error, ValueError):
        raise PydanticCustomError("bytes_invalid_encoding", "Data after 'data:;base64,' should be valid base64") from None


def rewrite(schema: Any, leaf: Leaf) -> Any:
    """Rewrite a pydantic core schema: `leaf` gives a replacement for a node, or None to go on into it.

    Returns:
        The same object where nothing was replaced; what is kept is shared, not copied.
    """
    if isinstance(schema, dict):
        if not isinstance(schema.get("type"), str):
            return _rewrite_mapping(schema, leaf, frozenset())
        if (schema.get("metadata") or {}).get(MARK):
            return schema
        replaced = leaf(schema)
        return _rewrite_mapping(schema, leaf, _NOT_SCHEMAS) if replaced is None else replaced
    if isinstance(schema, (list, tuple)):
        items = [rewrite(item, leaf) for item in schema]
        return schema if all(new is old for new, old in zip(items, schema, strict=True)) else type(schema)(items)
    return schema


def _rewrite_mapping(schema: dict[Any, Any], leaf: Leaf, skip: frozenset[str]) -> dict[Any, Any]:
    changed = {}
    for key, value in schema.items():
        if key not in skip and isinstance(value, (dict, list, tuple)):
            new = rewrite(value, leaf)
            if new is not value:
                changed[key] = new
    return {**schema, **changed} if changed else schema


def with_text_bytes(schema: Any) -> Any:
    """Rewrite a pydantic core schema so that its bytes are text as described above; the same object if it has none."""
    return rewrite(schema, bytes_leaf)


def bytes_leaf(schema: dict[str, Any]) -> dict[str, Any] | None:
    """Replace `bytes`, unless the user gave them a serializer."""
    if schema["type"] != "bytes" or "serialization" in schema:
        return None
    inner: Any = {key: value for key, value in schema.items() if key != "ref"}
    made: Any = core_schema.json_or_python_schema(
        json_schema=core_schema.no_info_before_validator_function(bytes_of, inner),
        python_schema=inner,
        serialization=core_schema.plain_serializer_function_ser_schema(text_of, when_used="json-unless-none"),
        metadata={MARK: True},
    )
    if "ref" in schema:
        made["ref"] = schema["ref"]
    return dict(made)
