"""Documents and their fields read entry by entry: in any order, each still in a usual form; what is not goes to `proto_read`."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Any, Final

from jina.codec import proto_fields as f
from jina.codec import proto_read as r
from jina.codec import proto_wire as w
from jina.codec.exact import check_of
from jina.codec.proto_read import ANY, Reader, Reading, decoders_of
from jina.codec.schema import Field, Schema
from jina.codec.varint import read_varint, varint

EntryReader = Callable[[bytes, int, int, tuple[Any, ...], Reading], tuple[Any, int]]
EntryFinder = Callable[[bytes, int, int], tuple[int, int]]
_unpack_double: Final = Struct("<d").unpack_from


def entry_finder(field: Field) -> EntryFinder:
    """Finds the node in the entry at a position if it is this field's, in usual form: start and stop; the stop is -1 if it is not."""
    raw = field.name.encode()
    prefix = b"\n" + varint(len(raw)) + raw + b"\x12"
    size = len(prefix)

    def find(buf: bytes, p: int, end: int) -> tuple[int, int]:
        if p >= end or buf[p] != 10:
            return 0, -1
        n, p = read_varint(buf, p + 1)
        stop = p + n
        if stop > end or not buf.startswith(prefix, p):
            return 0, -1
        m, p = read_varint(buf, p + size)
        return (p, stop) if p + m == stop else (0, -1)

    return find


def entry_reader(field: Field, schema: Schema) -> EntryReader:
    """Reads the entry that `entry_finder` finds: its value, and the position behind it or -1."""
    find, read = entry_finder(field), node_reader(field, schema)

    def entry(buf: bytes, p: int, end: int, at: tuple[Any, ...], reading: Reading) -> tuple[Any, int]:
        start, stop = find(buf, p, end)
        return (None, -1) if stop < 0 else (read(buf, start, stop, at, reading), stop)

    return entry


def by_entry(schema: Schema) -> Callable[[bytes, int, int, tuple[Any, ...], Reading], dict[str, Any]]:
    """Reads a document's entries in any order to values by field name."""
    readers = {field.name.encode(): (field.name, node_reader(field, schema)) for field in schema.fields}
    keeps_unknown, family = schema.extra != "ignore", schema.family

    def read(buf: bytes, p: int, end: int, at: tuple[Any, ...], reading: Reading) -> dict[str, Any]:
        values = {}
        for key, (data, start, stop) in _entries(buf, p, end):
            found = readers.get(key)
            if found is not None:
                values[found[0]] = found[1](data, start, stop, at, reading)
            elif keeps_unknown:
                name = f.text_of(key)
                values[name] = r.value_of(data, start, stop, ANY, (at[0] + 1, at, name), reading, family)
        return values

    return read


def _entries(buf: bytes, p: int, end: int) -> Any:
    """Like `proto_fields.entries_of`, quicker for entries in usual form."""
    while p < end:
        if buf[p] == 10:
            n, q = read_varint(buf, p + 1)
            stop = q + n
            if stop <= end and n > 3 and buf[q] == 10 and buf[q + 1] < 128:
                k = q + 2 + buf[q + 1]
                if k < stop and buf[k] == 18:
                    m, start = read_varint(buf, k + 1)
                    if start + m == stop:
                        yield buf[q + 2 : k], (buf, start, stop)
                        p = stop
                        continue
        number, wire, start, p = next(f.fields_of(buf, p, end))
        if number == 1:
            if wire != 2:
                raise f.broken(f"wire type {wire}", start)
            yield f.read_entry(buf, start, p)


def node_reader(field: Field, schema: Schema) -> Reader:
    """Reads one field's node; notes in `reading.is_exact` if the value is not of exactly the field's type."""
    hint, family, name = field.type, schema.family, field.name
    check = check_of(hint)

    def anything(buf: bytes, s: int, e: int, at: tuple[Any, ...], reading: Reading) -> Any:
        value = r.value_of(buf, s, e, hint, (at[0] + 1, at, name), reading, family)
        if not check(value):
            reading.is_exact = False
        return value

    make = _READERS.get(hint.kind)
    return make(field, schema, anything) if make else anything


def _text_node(field: Field, schema: Schema, anything: Reader) -> Reader:
    def read(buf: bytes, s: int, e: int, at: tuple[Any, ...], reading: Reading) -> Any:
        if s < e and buf[s] == 10:
            n, q = read_varint(buf, s + 1)
            if q + n == e:
                return f.text_of(buf[q:e])
        return anything(buf, s, e, at, reading)

    return read


def _typed_text_node(field: Field, schema: Schema, anything: Reader) -> Reader:
    hint, suffix = field.type, w.type_suffix(field.type.wire_name)
    size = len(suffix)

    def read(buf: bytes, s: int, e: int, at: tuple[Any, ...], reading: Reading) -> Any:
        if s < e and buf[s] == 10 and r.may_construct(hint, reading):
            n, q = read_varint(buf, s + 1)
            if q + n + size == e and buf.startswith(suffix, e - size):
                return r.as_declared(f.text_of(buf[q : e - size]), hint)
        return anything(buf, s, e, at, reading)

    return read


def _blob_node(field: Field, schema: Schema, anything: Reader) -> Reader:
    def read(buf: bytes, s: int, e: int, at: tuple[Any, ...], reading: Reading) -> Any:
        if s < e and buf[s] == 42:
            n, q = read_varint(buf, s + 1)
            if q + n == e:
                return buf[q:e]
        return anything(buf, s, e, at, reading)

    return read


def _integer_node(field: Field, schema: Schema, anything: Reader) -> Reader:
    def read(buf: bytes, s: int, e: int, at: tuple[Any, ...], reading: Reading) -> Any:
        if s + 1 < e and buf[s] == 16:
            value, q = read_varint(buf, s + 1)
            if q == e:
                return value if value < 128 else f.signed32(value)
        return anything(buf, s, e, at, reading)

    return read


def _double_node(field: Field, schema: Schema, anything: Reader) -> Reader:
    def read(buf: bytes, s: int, e: int, at: tuple[Any, ...], reading: Reading) -> Any:
        if s + 9 == e and buf[s] == 25:
            return _unpack_double(buf, s + 1)[0]
        return anything(buf, s, e, at, reading)

    return read


def _doc_node(field: Field, schema: Schema, anything: Reader) -> Reader:
    name, cls = field.name, field.type.cls
    assert cls is not None
    suffix = w.type_suffix(w.J_MODEL) if field.kind == "model" else b""
    size = len(suffix)

    def read(buf: bytes, s: int, e: int, at: tuple[Any, ...], reading: Reading) -> Any:
        if s < e and buf[s] == 58:
            n, q = read_varint(buf, s + 1)
            if q + n + size == e and buf.startswith(suffix, e - size):
                return decoders_of(cls)[0](buf, q, e - size, (at[0] + 1, at, name), reading)
        return anything(buf, s, e, at, reading)

    return read


def _docs_node(field: Field, schema: Schema, anything: Reader) -> Reader:
    name, cls, list_cls = field.name, field.type.cls, field.type.list_cls
    assert cls is not None
    assert list_cls is not None

    def read(buf: bytes, s: int, e: int, at: tuple[Any, ...], reading: Reading) -> Any:
        if s < e and buf[s] == 66:
            n, q = read_varint(buf, s + 1)
            if q + n == e:
                return r.as_list(list_cls, decoders_of(cls)[1](buf, q, e, (at[0] + 1, at, name), reading))
        return anything(buf, s, e, at, reading)

    return read


_READERS: Final[dict[str, Callable[[Field, Schema, Reader], Reader]]] = {
    "str": _text_node,
    "typed_str": _typed_text_node,
    "bytes": _blob_node,
    "int": _integer_node,
    "float": _double_node,
    "doc": _doc_node,
    "model": _doc_node,
    "doclist": _docs_node,
}
