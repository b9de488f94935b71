"""Documents that are still bytes, put in the order in which their caller sent them: by id, and nothing else of them is read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from jina.codec.ids import document_id
from jina.codec.proto_fields import entries_of, read_node, repeated
from jina.codec.varint import varint


class _Named(msgspec.Struct):
    id: Any = None


_split = msgspec.json.Decoder(list[msgspec.Raw]).decode
_named = msgspec.json.Decoder(_Named).decode
_write = msgspec.json.Encoder().encode


def in_order(made: bytes, asked: bytes, encoding: str, call_id: bytes) -> bytes:
    """Sort a list of documents; what was not asked with comes last, as it came.

    Args:
        made: What is sorted.
        asked: The documents of the request.
        encoding: Of both.
        call_id: Names those of the request that came without an id.

    Raises:
        MalformedError, msgspec.DecodeError: They are no such lists.
    """
    places: dict[Any, int] = {}
    for place, (name, _) in enumerate(_documents(asked, encoding)):
        places.setdefault(document_id(call_id, str(place)) if name is None else name, place)
    found = sorted(_documents(made, encoding), key=lambda document: places.get(document[0], len(places)))
    if encoding == "json":
        return _write([document for _, document in found])
    return b"".join(part for _, document in found for part in (b"\x0a", varint(len(document)), document))


def _documents(data: bytes, encoding: str) -> Iterator[tuple[Any, Any]]:
    """Ids, or None, and documents."""
    if encoding == "json":
        for raw in _split(data or b"[]"):
            yield _hashable(_named(raw).id), raw
    else:
        data = bytes(data)
        for start, end in repeated(data, 0, len(data)):
            document = data[start:end]
            yield _id_of(document), document


def _id_of(document: bytes) -> Any:
    for key, node in entries_of(document, 0, len(document)):
        if key == b"id":
            return _hashable(read_node(*node)[1]) if node[1] < node[2] else None
    return None


def _hashable(name: Any) -> Any:
    return name if isinstance(name, str | int | float | bytes) else None
