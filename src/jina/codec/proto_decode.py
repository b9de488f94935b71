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

from pydantic import BaseModel

from jina.codec import proto_fields as f
from jina.codec import proto_read as r
from jina.codec import proto_wire as w
from jina.codec.fields import map_order
from jina.codec.ids import document_id, path_of
from jina.codec.proto_entries import by_entry
from jina.codec.proto_read import Reader, Reading
from jina.codec.proto_straight import HERE, straight
from jina.codec.schema import Schema
from jina.codec.validate import construct, validate
from jina.codec.varint import read_varint
from jina.errors import MalformedError

_MAX_ORDERS: Final = 8  # each peer's protobuf library has an order of its own, the same for all its documents of a class
_ONCE: Final = (None,)
_unpack_double: Final = Struct("<d").unpack_from


def compile_decoders(schema: Schema) -> tuple[Reader, Reader]:
    """Make what `decoders_of` gives."""
    orders: dict[tuple[str, ...], Any] = {}

    def in_order(order: tuple[str, ...]) -> Any:
        """The straight reader for entries in this order; None if they are not all the fields, or there are too many orders."""
        if order not in orders and len(orders) < _MAX_ORDERS and len(order) == len(schema.fields):
            orders[order] = _compile_order(schema, order, in_order)
        return orders.get(order)

    finish = _finisher(schema)
    canonical = tuple(sorted((field.name for field in schema.fields), key=map_order))
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
        "by_entry": by_entry(schema),
        "in_order": in_order,
        "skip": skip,
        "cut": _cut,
        "signed": f.signed32,
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


# `whole`: the bytes are one document and not a list.
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
        reading.is_exact, is_straight = True, False
        try:
            for _ in ONCE:
"""
_TAIL: Final = """
                is_straight = p == e
        except errors:
            pass
        if is_straight:
            NESTED
            if is_direct and reading.is_exact:
                MAKE_STRAIGHT
            else:
                waiting.append((len(out), VALUES))
                out.append(None)
            continue
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


def _source(schema: Schema, order: tuple[str, ...], names: dict[str, Any]) -> str:
    fields = [schema.by_name[name] for name in order]
    local = {field.name: f"v{at}" for at, field in enumerate(fields)}
    lines: list[str] = []
    nested: list[str] = []
    for at, field in enumerate(fields):
        found, read = straight(at, field, schema, names)
        lines += found
        nested += read
    values = "{" + ", ".join(f"{field.name!r}: {local[field.name]}" for field in schema.fields) + "}"
    by_name = "{" + ", ".join(f"{field.name!r}: values[{field.name!r}]" for field in schema.fields) + "}"
    tail = _TAIL.replace("MAKE_STRAIGHT", _make(schema, values)).replace("MAKE_BY_ENTRY", _make(schema, by_name))
    tail = tail.replace("VALUES", values).replace("N_FIELDS", str(len(fields)))
    tail = tail.replace("NESTED", "; ".join(nested) or "pass").replace("HERE", HERE)
    if schema.extra != "ignore":
        lines = ["break"]
    return _HEAD + "\n".join(" " * 16 + line for line in lines) + tail


def _make(schema: Schema, values: str) -> str:
    if not schema.is_model:
        return f"out.append(construct({values}, lambda: (*steps(at), *(() if whole else (len(out),)))))"
    made = f"d = new(C); set_values(d, {values}); set_names(d, set(names)); set_extra(d, None); set_private(d, None)"
    return f"{made}; out.append(d)"


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
    number, wire, start, stop = next(f.fields_of(buf, pos, end))
    if number != 1:
        return -1, stop, 0
    if wire != 2:
        raise f.broken(f"wire type {wire}", start)
    return start, start, stop


def _cut(pos: int) -> None:
    raise f.broken("a document runs over the end of its list", pos)
