"""DocListProto and DocProto bytes to documents, by Python code generated for each schema.

Three ways, each falling back to the next:

1. Straight: all fields are there, in the order that was expected, each in its usual form. The generated code compares each entry's header
   with a ready-made one and takes the value. Expected is the order in which deterministic writers (ours among them) put them, or the one
   seen last: protobuf's own writers mix fields, but each process always in the same way.
2. By entry: fields in any order, each still in a usual form: a reader for each field.
3. `proto_read`: whatever else the wire allows.

A document whose values all have exactly their fields' types, of a class that checks nothing else, is made directly. All others of one list
go through the class's validation together. Tensors get memory of their own: arrays that a user may write to and that keep no request alive.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from struct import error as struct_error
from typing import Any, Final

import numpy as np
from pydantic import BaseModel

from jina.codec import proto_read as r
from jina.codec import proto_wire as w
from jina.codec.exact import check_of
from jina.codec.ids import document_id, path_of
from jina.codec.proto_read import ANY, Reading
from jina.codec.schema import Field, Schema, schema_of
from jina.codec.validate import construct, validate
from jina.codec.varint import read_varint, varint
from jina.errors import MalformedError

Reader = Callable[[bytes, int, int, tuple[Any, ...], Reading], Any]
EntryReader = Callable[[bytes, int, int, tuple[Any, ...], Reading], tuple[Any, int]]
_LARGE: Final = 65536  # an array's bytes from here on are copied once rather than twice
_MAX_FORMS: Final = 64  # forms of tensors remembered a field
_MAX_ORDERS: Final = 8  # each peer's protobuf library has an order of its own, the same for all its documents of a class
_ONCE: Final = (None,)
_unpack_double: Final = Struct("<d").unpack_from

_DECODERS: Final[dict[type, tuple[Reader, Reader]]] = {}


def decoders_of(cls: type) -> tuple[Reader, Reader]:
    """Functions that read one DocProto and a DocListProto: (bytes, start, end, where, reading) -> document, list of documents."""
    found = _DECODERS.get(cls)
    if found is None:
        found = _DECODERS[cls] = _compile(schema_of(cls))
    return found


r._DOC_READERS[:] = [decoders_of]


def _compile(schema: Schema) -> tuple[Reader, Reader]:
    orders: dict[tuple[str, ...], Any] = {}

    def in_order(order: tuple[str, ...]) -> Any:
        """The straight reader for entries in this order; None if they are not all the fields, or there are too many orders."""
        if order not in orders and len(orders) < _MAX_ORDERS and len(order) == len(schema.fields):
            orders[order] = _compile_order(schema, order, in_order)
        return orders.get(order)

    finish = _finisher(schema)
    canonical = tuple(sorted((field.name for field in schema.fields), key=w.map_order))
    latest = [_compile_order(schema, canonical, in_order)]
    orders[canonical] = latest[0]

    def many(buf: bytes, pos: int, end: int, at: tuple[Any, ...], reading: Reading, whole: bool = False) -> list[Any]:
        if at[0] > w.MAX_DEPTH:
            raise MalformedError(f"documents nested deeper than {w.MAX_DEPTH}")
        out: list[Any] = []
        waiting: list[tuple[int, dict[str, Any]]] = []
        outer, read = reading.is_exact, latest[0]
        while read is not None:
            latest[0] = read
            pos, read = read(buf, pos, end, at, reading, whole, out, waiting)
        if waiting:
            finish(out, waiting, at, reading, whole)
        reading.is_exact = outer
        return out

    def one(buf: bytes, pos: int, end: int, at: tuple[Any, ...], reading: Reading) -> Any:
        return many(buf, pos, end, at, reading, True)[0]

    return one, many


def _compile_order(schema: Schema, order: tuple[str, ...], in_order: Callable[[tuple[str, ...]], Any]) -> Any:
    """A reader of documents whose entries come in this order; a document in another order makes it hand over to that one's reader."""
    names: dict[str, Any] = {
        "varint": read_varint,
        "unpack": _unpack_double,
        "ONCE": _ONCE,
        "UNCHECKED": schema.is_unchecked,
        "CONSTRUCTIBLE": schema.is_constructible,
        "ORDER": order,
        "by_entry": _by_entry(schema),
        "in_order": in_order,
        "skip": skip,
        "cut": _cut,
        "signed": r.signed32,
        "errors": (IndexError, UnicodeDecodeError, struct_error),
    }
    if schema.is_model:
        names.update(_model_names(schema))
    else:
        names["construct"] = construct(schema)
        names["steps"] = r.steps_of
    exec(compile(_source(schema, order, names), f"<decoder of {schema.name}>", "exec"), names)
    return names["read"]


def _model_names(schema: Schema) -> dict[str, Any]:
    slots = vars(BaseModel)
    return {
        "C": schema.cls,
        "new": object.__new__,
        "set_values": slots["__dict__"].__set__,
        "set_names": slots["__pydantic_fields_set__"].__set__,
        "set_extra": slots["__pydantic_extra__"].__set__,
        "set_private": slots["__pydantic_private__"].__set__,
        "names": frozenset(field.name for field in schema.fields),
    }


# `whole`: the bytes are one document and not a list. `here()` is spelled out, for it is needed only where a value may nest documents.
_HEAD: Final = """
def read(buf, p, end, at, reading, whole, out, waiting):
    starts = buf.startswith
    is_direct = UNCHECKED or (CONSTRUCTIBLE and reading.is_trusted)
    is_one = whole and not out
    while p < end or is_one:
        if is_one:
            start, e, is_one = p, end, False
        elif buf[p] == 10:
            e = buf[p + 1]
            if e < 128:
                start = p = p + 2
            else:
                e, start = varint(buf, p + 1)
                p = start
            e += p
            if e > end: cut(p)
        else:
            start, p, e = skip(buf, p, end)
            if start < 0: continue
        reading.is_exact = True
        try:
            for _ in ONCE:
"""
_TAIL: Final = """
                if p != e: break
                if is_direct and reading.is_exact:
                    MAKE_STRAIGHT
                else:
                    waiting.append((len(out), VALUES))
                    out.append(None)
                break
            else:
                p = -1
        except errors:
            p = -1
        if p == e: continue
        p = e
        reading.is_exact = True
        values = by_entry(buf, start, e, HERE, reading)
        if is_direct and reading.is_exact and len(values) == N_FIELDS:
            MAKE_BY_ENTRY
        else:
            waiting.append((len(out), values))
            out.append(None)
        if tuple(values) != ORDER:
            other = in_order(tuple(values))
            if other is not None: return p, other
    return p, None
"""
_HERE: Final = "(at if whole else (at[0], at, len(out)))"


def _source(schema: Schema, order: tuple[str, ...], names: dict[str, Any]) -> str:
    fields = [schema.by_name[name] for name in order]
    local = {field.name: f"v{at}" for at, field in enumerate(fields)}
    lines: list[str] = []
    for at, field in enumerate(fields):
        names[f"entry{at}"] = _entry_reader(field, schema)
        lines += _straight(at, field, names)
    values = "{" + ", ".join(f"{field.name!r}: {local[field.name]}" for field in schema.fields) + "}"
    by_name = "{" + ", ".join(f"{field.name!r}: values[{field.name!r}]" for field in schema.fields) + "}"
    tail = _TAIL.replace("MAKE_STRAIGHT", _make(schema, values)).replace("MAKE_BY_ENTRY", _make(schema, by_name))
    tail = tail.replace("VALUES", values).replace("N_FIELDS", str(len(fields))).replace("HERE", _HERE)
    if schema.extra != "ignore":
        lines = ["break"]
    return _HEAD + "\n".join(" " * 16 + line for line in lines) + tail


def _make(schema: Schema, values: str) -> str:
    if not schema.is_model:
        return f"out.append(construct({values}, lambda: (*steps(at), *(() if whole else (len(out),)))))"
    made = f"d = new(C); set_values(d, {values}); set_names(d, set(names)); set_extra(d, None); set_private(d, None)"
    return f"{made}; out.append(d)"


def _straight(at: int, field: Field, names: dict[str, Any]) -> list[str]:
    """Statements that take one field's entry at `p`, or leave the loop."""
    by_entry = [f"v{at}, p = entry{at}(buf, p, e, {_HERE}, reading)", "if p < 0: break"]
    make = _KINDS.get(field.kind)
    if make is None:
        return by_entry
    names[f"none{at}"] = none = w.entry_header(field.name.encode(), 0)
    lines = make(at, field.name.encode(), field, names)
    if field.is_optional:
        lines += [f"elif starts(none{at}, p):", f" v{at} = None", f" p += {len(none)}"]
    return [*lines, "else:", *(" " + line for line in by_entry)]


def _headers(key: bytes, tag: bytes, suffix: bytes) -> tuple[bytes, ...]:
    """Length of an entry (one byte) -> its header, where the content is length-delimited; what cannot be is a header that never matches."""
    heads = w.EntryHeaders(key, tag, suffix)
    made = {len(heads[n]) + n + len(suffix) - 2: heads[n] for n in range(128)}
    return tuple(made.get(n, b"\xff") if n < 128 else b"\xff" for n in range(256))


def _text(at: int, key: bytes, field: Field, names: dict[str, Any]) -> list[str]:
    names[f"h{at}"] = _headers(key, b"\n", b"")
    lines = ["n = buf[p + 1]", f"if starts(h{at}[n], p):", " q = p + 2 + n"]
    return [*lines, f" v{at} = str(buf[p + {len(key) + 8} : q], 'utf8')", " p = q"]


def _typed_text(at: int, key: bytes, field: Field, names: dict[str, Any]) -> list[str]:
    suffix = names[f"s{at}"] = w.type_suffix(field.type.wire_name)
    names[f"h{at}"] = _headers(key, b"\n", suffix)
    is_id = field.type.wire_name == "id"
    condition = f"starts(h{at}[n], p) and starts(s{at}, p + 2 + n - {len(suffix)})"
    if not field.type.is_plain_valued and not is_id:
        condition += " and reading.is_trusted"
    names[f"c{at}"] = str if field.type.is_plain_valued and is_id else field.type.cls
    value = f"c{at}(buf[p + {len(key) + 8} : q - {len(suffix)}], 'utf8')"
    if names[f"c{at}"] is not str:
        names[f"n{at}"] = str.__new__
        value = f"n{at}(c{at}, buf[p + {len(key) + 8} : q - {len(suffix)}], 'utf8')"
    return ["n = buf[p + 1]", f"if {condition}:", " q = p + 2 + n", f" v{at} = {value}", " p = q"]


def _blob(at: int, key: bytes, field: Field, names: dict[str, Any]) -> list[str]:
    names[f"h{at}"] = _headers(key, b"\x2a", b"")
    return ["n = buf[p + 1]", f"if starts(h{at}[n], p):", " q = p + 2 + n", f" v{at} = buf[p + {len(key) + 8} : q]", " p = q"]


def _integer(at: int, key: bytes, field: Field, names: dict[str, Any]) -> list[str]:
    heads = {n + len(key) + 5: w.entry_header(key, n + 1) + b"\x10" for n in range(1, 11)}
    names[f"h{at}"] = tuple(heads.get(n, b"\xff") if n < 128 else b"\xff" for n in range(256))
    lines = ["n = buf[p + 1]", f"if starts(h{at}[n], p):", f" v{at} = buf[p + {len(key) + 7}]"]
    lines += [
        f" if v{at} > 127:",
        f"  v{at}, q = varint(buf, p + {len(key) + 7})",
        "  if q != p + 2 + n: break",
        f"  v{at} = signed(v{at})",
    ]
    return [*lines, f" elif n > {len(key) + 6}: break", " p += 2 + n"]


def _double(at: int, key: bytes, field: Field, names: dict[str, Any]) -> list[str]:
    head = names[f"h{at}"] = w.entry_header(key, 9) + b"\x19"
    return [f"if starts(h{at}, p):", f" v{at} = unpack(buf, p + {len(head)})[0]", f" p += {len(head) + 8}"]


def _boolean(at: int, key: bytes, field: Field, names: dict[str, Any]) -> list[str]:
    head = names[f"h{at}"] = w.entry_header(key, 2) + b"\x20"
    lines = [f"if starts(h{at}, p):", f" n = buf[p + {len(head)}]", " if n > 1: break"]
    return [*lines, f" v{at} = n == 1", f" p += {len(head) + 1}"]


def _tensor(at: int, key: bytes, field: Field, names: dict[str, Any]) -> list[str]:
    """Compares what stands around an array's bytes with forms seen before; mostly all documents of a service have one form."""
    forms: dict[bytes, tuple[Any, ...]] = {}
    names[f"f{at}"], names[f"entry{at}"] = forms.get, _remembering(names[f"entry{at}"], key, field, forms)
    names["array"] = np.ndarray.__new__
    lines = [f"head, n_head, n, tail, n_tail, cls, shape, dtype = f{at}(buf[p : p + 4]) or unseen", "q = p + n_head", "x = q + n"]
    lines += ["if starts(head, p) and starts(tail, x):"]
    names["unseen"] = (b"\xff\xff", 0, 0, b"", 0, None, (), None)
    copied = f"bytearray(buf[q:x] if n < {_LARGE} else memoryview(buf)[q:x])"
    return [*lines, f" v{at} = array(cls, shape, dtype, {copied})", " p = x + n_tail"]


def _remembering(entry: EntryReader, key: bytes, field: Field, forms: dict[bytes, tuple[Any, ...]]) -> EntryReader:
    """Notes the form of each array that fits its field exactly and came in the usual form."""
    check = check_of(field.type)
    parts: dict[str, w.TensorEntries] = {}

    def read(buf: bytes, p: int, end: int, at: tuple[Any, ...], reading: Reading) -> tuple[Any, int]:
        value, stop = entry(buf, p, end, at, reading)
        if stop >= 0 and isinstance(value, np.ndarray) and value.nbytes and check(value):
            name = getattr(value, "_proto_type_name", None) or field.type.wire_name or "ndarray"
            head, tail = parts.setdefault(name, w.TensorEntries(key, name))[value.shape, value.dtype]
            if p + len(head) + value.nbytes + len(tail) == stop and buf.startswith(head, p) and buf.endswith(tail, p, stop):
                if len(forms) >= _MAX_FORMS:
                    forms.clear()
                forms[buf[p : p + 4]] = (head, len(head), value.nbytes, tail, len(tail), type(value), value.shape, value.dtype)
        return value, stop

    return read


_KINDS: Final[dict[str, Callable[[int, bytes, Field, dict[str, Any]], list[str]]]] = {
    "str": _text,
    "typed_str": _typed_text,
    "bytes": _blob,
    "int": _integer,
    "float": _double,
    "bool": _boolean,
    "tensor": _tensor,
}


def _entry_reader(field: Field, schema: Schema) -> EntryReader:
    """Reads the entry at a position if it is this field's, in usual form; the position behind it is -1 if it is not."""
    raw = field.name.encode()
    prefix = b"\n" + varint(len(raw)) + raw + b"\x12"
    size, read = len(prefix), _node_reader(field, schema)

    def entry(buf: bytes, p: int, end: int, at: tuple[Any, ...], reading: Reading) -> tuple[Any, int]:
        if p >= end or buf[p] != 10:
            return None, -1
        n, p = read_varint(buf, p + 1)
        stop = p + n
        if stop > end or not buf.startswith(prefix, p):
            return None, -1
        m, p = read_varint(buf, p + size)
        if p + m != stop:
            return None, -1
        return read(buf, p, stop, at, reading), stop

    return entry


def _by_entry(schema: Schema) -> Callable[[bytes, int, int, tuple[Any, ...], Reading], dict[str, Any]]:
    """Reads a document's entries in any order to values by field name."""
    readers = {field.name.encode(): (field.name, _node_reader(field, schema)) for field in schema.fields}
    keeps_unknown, family = schema.extra != "ignore", schema.family

    def read(buf: bytes, p: int, end: int, at: tuple[Any, ...], reading: Reading) -> dict[str, Any]:
        values = {}
        for key, (data, start, stop) in _entries(buf, p, end):
            found = readers.get(key)
            if found is not None:
                values[found[0]] = found[1](data, start, stop, at, reading)
            elif keeps_unknown:
                name = r.text_of(key)
                values[name] = r.value_of(data, start, stop, ANY, (at[0] + 1, at, name), reading, family)
        return values

    return read


def _entries(buf: bytes, p: int, end: int) -> Any:
    """Like `proto_read.entries_of`, quicker for entries in usual form."""
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
        number, wire, start, p = next(r.fields_of(buf, p, end))
        if number == 1:
            if wire != 2:
                raise r.broken(f"wire type {wire}", start)
            yield r.read_entry(buf, start, p)


def _node_reader(field: Field, schema: Schema) -> Reader:
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
                return r.text_of(buf[q:e])
        return anything(buf, s, e, at, reading)

    return read


def _typed_text_node(field: Field, schema: Schema, anything: Reader) -> Reader:
    hint, suffix = field.type, w.type_suffix(field.type.wire_name)
    size = len(suffix)

    def read(buf: bytes, s: int, e: int, at: tuple[Any, ...], reading: Reading) -> Any:
        if s < e and buf[s] == 10 and r.may_construct(hint, reading):
            n, q = read_varint(buf, s + 1)
            if q + n + size == e and buf.startswith(suffix, e - size):
                return r.as_declared(r.text_of(buf[q : e - size]), hint)
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
                return value if value < 128 else r.signed32(value)
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


def _finisher(schema: Schema) -> Callable[[list[Any], list[tuple[int, dict[str, Any]]], tuple[Any, ...], Reading, bool], None]:
    """Puts the documents that were waiting for validation, and for their ids, in their places."""

    def finish(out: list[Any], waiting: list[tuple[int, dict[str, Any]]], at: tuple[Any, ...], reading: Reading, whole: bool) -> None:
        steps = r.steps_of(at)
        locs = [steps if whole else (*steps, index) for index, _ in waiting]
        if schema.has_id:
            for (_, values), loc in zip(waiting, locs, strict=True):
                if "id" not in values:
                    values["id"] = document_id(reading.call_id, path_of((*reading.prefix, *loc)))
        docs = validate(schema, [values for _, values in waiting], locs)
        for (index, _), doc in zip(waiting, docs, strict=True):
            out[index] = doc

    return finish


def skip(buf: bytes, pos: int, end: int) -> tuple[int, int, int]:
    """A field of a DocListProto that begins unusually: (start, start, stop) if it is a document, else (-1, position behind it, 0)."""
    number, wire, start, stop = next(r.fields_of(buf, pos, end))
    if number != 1:
        return -1, stop, 0
    if wire != 2:
        raise r.broken(f"wire type {wire}", start)
    return start, start, stop


def _cut(pos: int) -> None:
    raise r.broken("a document runs over the end of its list", pos)
