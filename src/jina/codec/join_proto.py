"""`join` on documents that are protobuf bytes, whose class is not known here: what a value is its node says.

What a node's type string names (an id, a tensor, a datetime, ...) is replaced as a whole.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any, Final

from jina.codec import proto_wire as w
from jina.codec.by_id import by_id
from jina.codec.proto_fields import Span, entries_of, read_node, repeated
from jina.codec.varint import varint
from jina.errors import MalformedError

_ITEM: Final = b"\x0a"


def join_proto(lists: Iterable[bytes]) -> bytes:
    """Unite `DocListProto`s of one dialect.

    Raises:
        MalformedError: They are none.
    """
    try:
        return _written(by_id([_items(data, 0, len(data)) for data in lists], _id_of, _update))
    except (IndexError, struct.error, RecursionError) as error:
        raise MalformedError(f"not a protobuf message of documents: {error}") from None


def _items(buf: bytes, start: int, stop: int) -> list[bytes]:
    return [buf[at:end] for at, end in repeated(buf, start, stop)]


def _written(items: Iterable[bytes]) -> bytes:
    return b"".join(part for item in items for part in (_ITEM, varint(len(item)), item))


def _id_of(document: bytes) -> Any:
    for key, node in entries_of(document, 0, len(document)):
        if key == b"id":
            return read_node(*node)[:2] if node[1] < node[2] else None
    return None


def _update(first: bytes, later: bytes) -> bytes:
    nodes = dict(entries_of(first, 0, len(first)))
    for key, node in entries_of(later, 0, len(later)):
        old = nodes.get(key)
        nodes[key] = node if old is None else _node(old, node)
    return _entries(nodes)


def _entries(nodes: dict[bytes, Span]) -> bytes:
    return b"".join(w.entry_header(key, end - start) + buf[start:end] for key, (buf, start, end) in nodes.items())


def _node(old: Span, new: Span) -> Span:
    kind, value, name = read_node(*new)
    if not kind:
        return old
    old_kind, old_value, _ = read_node(*old)
    if kind != old_kind or name:
        return new
    join = _JOINS.get(kind)
    if join is None:
        return new
    body = join(old_value, value)
    data = bytes((kind << 3 | 2,)) + varint(len(body)) + body
    return data, 0, len(data)


def _lists(old: Span, new: Span) -> bytes:
    return _written([*_items(*old), *_items(*new)])


def _sets(old: Span, new: Span) -> bytes:
    return _written(dict.fromkeys([*_items(*old), *_items(*new)]))


def _dicts(old: Span, new: Span) -> bytes:
    return _entries({**dict(entries_of(*old)), **dict(entries_of(*new))})


def _documents(old: Span, new: Span) -> bytes:
    return _update(_bytes(old), _bytes(new))


def _document_lists(old: Span, new: Span) -> bytes:
    return _written(by_id([_items(*old), _items(*new)], _id_of, _update))


def _bytes(span: Span) -> bytes:
    buf, start, stop = span
    return buf[start:stop]


_JOINS: Final = {w.LIST: _lists, w.SET: _sets, w.DICT: _dicts, w.DOC: _documents, w.DOC_ARRAY: _document_lists}
