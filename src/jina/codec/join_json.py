"""`join` on documents that are JSON, by their JSON Schema: lists, sets, tensors and tuples look alike without it.

Only what is joined is looked into; all else stays the bytes that it was. A tuple of any length is told from a list by nothing, and is
treated as one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from jina.codec.by_id import by_id
from jina.codec.ids import document_id
from jina.errors import MalformedError

Document = dict[str, msgspec.Raw]

_read_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_read_documents = msgspec.json.Decoder(list[Document]).decode
_read_object = msgspec.json.Decoder(Document).decode
_write = msgspec.json.Encoder().encode


def join_json(lists: Iterable[bytes], schema: Mapping[str, Any]) -> bytes:
    """Unite arrays of documents.

    Args:
        lists: Each a JSON array.
        schema: The JSON Schema of one document.

    Raises:
        MalformedError: They are none.
    """
    try:
        return _join_documents([data or b"[]" for data in lists], schema, schema.get("$defs", {}))
    except (msgspec.MsgspecError, RecursionError) as error:
        raise MalformedError(f"not a list of JSON documents: {error}") from None


def with_ids(documents: bytes, call_id: bytes) -> bytes:
    """Give documents that came without an id those that whoever decodes them gives them, so that they can be told from others."""
    found = _read_documents(documents or b"[]")
    for place, document in enumerate(found):
        if _id_of(document) is None:
            document["id"] = msgspec.Raw(_write(document_id(call_id, str(place))))
    return _write(found)


def _join_documents(lists: Sequence[bytes], schema: Mapping[str, Any], defs: Mapping[str, Any]) -> bytes:
    fields = schema.get("properties", {})
    return _write(by_id([_read_documents(data) for data in lists], _id_of, lambda first, later: _update(first, later, fields, defs)))


def _id_of(document: Document) -> bytes | None:
    found = bytes(document.get("id", b"null"))
    return None if found == b"null" else found


def _update(first: Document, later: Document, fields: Mapping[str, Any], defs: Mapping[str, Any]) -> Document:
    for key, new in later.items():
        old = first.get(key)
        if old is None or bytes(old) == b"null":
            first[key] = new
        elif bytes(new) != b"null":
            first[key] = _joined(bytes(old), bytes(new), _resolved(fields.get(key, {}), defs), defs) or new
    return first


def _resolved(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow a reference, and go past `Optional`."""
    options = [option for option in schema.get("anyOf", ()) if option.get("type") != "null"]
    if len(options) == 1:
        return _resolved(options[0], defs)
    name = schema.get("$ref", "").removeprefix("#/$defs/")
    found: Mapping[str, Any] = defs.get(name, schema)
    return found


def _joined(old: bytes, new: bytes, schema: Mapping[str, Any], defs: Mapping[str, Any]) -> msgspec.Raw | None:
    """Join two values, or give None where the new one replaces the old."""
    kind, items = schema.get("type"), _resolved(schema.get("items") or {}, defs)
    if kind == "object" and old[:1] == new[:1] == b"{":
        if "id" in schema.get("properties", ()):
            return msgspec.Raw(_write(_update(_read_object(old), _read_object(new), schema["properties"], defs)))
        return msgspec.Raw(_write({**_read_object(old), **_read_object(new)})) if schema.get("additionalProperties") else None
    if kind != "array" or not items or "tensor/array shape" in schema or not old[:1] == new[:1] == b"[":
        return None
    if "id" in items.get("properties", ()):
        return msgspec.Raw(_join_documents([old, new], items, defs))
    values = [*_read_list(old), *_read_list(new)]
    if schema.get("uniqueItems"):
        values = [*{bytes(value): value for value in values}.values()]
    return msgspec.Raw(_write(values))
