"""Documents to DocProto and DocListProto bytes, by Python code generated for each schema and dialect.

The generated function fetches each field, looks up the ready-made bytes that stand before a value of that length, and joins all pieces
at once. What is not of the exact class that the annotation names goes to `proto_write`, which looks at the value itself; so the code
here needs no case for it. Fields come in the order of deterministic protobuf.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from struct import Struct
from typing import Any, Final

import numpy as np
from pydantic import BaseModel

from jina.codec import proto_wire as w
from jina.codec import proto_write
from jina.codec.fields import map_order
from jina.codec.proto_write import write_map, write_node
from jina.codec.schema import Field, Schema, schema_of
from jina.codec.types import is_document
from jina.errors import UnencodableError

EncodeOne = Callable[[Any, int], bytes]
EncodeList = Callable[[Iterable[Any], int], bytes]
EncodeParts = Callable[[Iterable[Any], int], list[bytes]]
Encoders = tuple[EncodeOne, EncodeList, EncodeParts]
# An array up to this size is copied into its place by way of `bytes`; a larger one is read where it is.
_SMALL_ARRAY: Final = 16384

_ENCODERS: Final[dict[tuple[type, bool], Encoders]] = {}


def encoders_of(cls: type, is_ours: bool) -> Encoders:
    """Functions that encode one document and a sequence of documents of a class, the last as parts that are to be joined.

    All take the depth at which it stands. Documents of other classes than `cls` are encoded as what they are.
    """
    found = _ENCODERS.get((cls, is_ours))
    if found is None:
        found = _ENCODERS[cls, is_ours] = _compile(schema_of(cls), is_ours)
    return found


def encode_any(doc: Any, is_ours: bool, depth: int) -> bytes:
    """One document of whatever class."""
    cls = type(doc)
    if not is_document(cls):
        raise UnencodableError(f"{cls.__name__} is not a document")
    return encoders_of(cls, is_ours)[0](doc, depth)


proto_write._ENCODERS[:] = [encode_any]


def encode_by_name(doc: Any, is_ours: bool, depth: int) -> bytes:
    """The slow way, for documents with other attributes than their class declares (extra fields, `model_construct`)."""
    schema = schema_of(type(doc))
    return write_map(items_of(doc, schema), lambda name: schema.by_name[name].type if name in schema.by_name else None, is_ours, depth + 1)


def items_of(doc: Any, schema: Schema) -> list[tuple[str, Any]]:
    """Names and values that stand for the document on the wire."""
    if not isinstance(doc, BaseModel):
        return [(field.name, getattr(doc, field.name)) for field in schema.fields]
    return [*((k, v) for k, v in doc.__dict__.items() if not k.startswith("_")), *(doc.__pydantic_extra__ or {}).items()]


def _compile(schema: Schema, is_ours: bool) -> Encoders:
    names: dict[str, Any] = {
        "C": schema.cls,
        "E": b"",
        "J": b"".join,
        "L": w.Lengths(b"\n"),
        "ND": np.ndarray,
        "SMALL": _SMALL_ARRAY,
        "pack": Struct("<d").pack,
        "other": lambda doc, depth: encode_any(doc, is_ours, depth),
        "slow": lambda doc, depth: encode_by_name(doc, is_ours, depth),
        "deep": _refuse_depth,
    }
    fields = sorted(schema.fields, key=lambda field: map_order(field.name))
    body: list[str] = []
    pieces: list[str] = []
    for at, field in enumerate(fields):
        lines, made = _field(at, field, is_ours, names)
        body += lines
        pieces += made
    source = _SLOW if schema.extra == "allow" else _source(_fetch(fields, schema), body, pieces)
    exec(compile(source, f"<encoder of {schema.name}>", "exec"), names)
    return names["one"], lambda docs, depth: b"".join(names["parts"](docs, depth)), names["parts"]


_SLOW: Final = """
def one(d, depth):
    if depth > 64: deep()
    return slow(d, depth) if type(d) is C else other(d, depth)

def parts(docs, depth):
    out = []
    for d in docs:
        b = one(d, depth)
        out += (L[len(b)], b)
    return out
"""


def _source(fetch: list[str], body: list[str], pieces: list[str]) -> str:
    joined = f"J(({', '.join(pieces)},))" if pieces else "E"
    one = ["if depth > 64: deep()", "if type(d) is not C: return other(d, depth)", *fetch]
    one += [*(["except KeyError: return slow(d, depth)"] if fetch[:1] == ["try:"] else []), *body, f"return {joined}"]
    many = ["if type(d) is not C:", " b = other(d, depth)", " out += (L[len(b)], b)", " continue", *fetch]
    if fetch[:1] == ["try:"]:
        many += ["except KeyError:", " b = slow(d, depth)", " out += (L[len(b)], b)", " continue"]
    many += [*body, f"b = {joined}", "out += (L[len(b)], b)"]
    lines = ["def one(d, depth):", *(" " + line for line in one)]
    lines += ["def parts(docs, depth):", " if depth > 64: deep()", " out = []", " for d in docs:"]
    return "\n".join([*lines, *("  " + line for line in many), " return out"])


def _fetch(fields: Sequence[Field], schema: Schema) -> list[str]:
    """Statements that put each field's value into its local variable."""
    if not schema.is_model:
        return [f"v{at} = d.{field.name}" for at, field in enumerate(fields)]
    if not fields:
        return []
    return ["try:", " o = d.__dict__", *(f" v{at} = o[{field.name!r}]" for at, field in enumerate(fields))]


def _field(at: int, field: Field, is_ours: bool, names: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Statements that turn one field's value into pieces of the document, and the names of the pieces."""
    key = field.name.encode()
    names[f"none{at}"] = w.entry_header(key, 0)
    names[f"any{at}"] = _by_value(key, field.type, is_ours)
    make = _KINDS.get(field.kind)
    made = make(at, key, field, is_ours, names) if make else None
    if made is None:
        return [f"a{at} = none{at} if v{at} is None else any{at}(v{at}, depth)"], [f"a{at}"]
    condition, statements, pieces = made
    blank = "".join(f"{piece} = " for piece in pieces[1:])
    rest = [f"elif v{at} is None:", f" a{at} = none{at}", "else:", f" a{at} = any{at}(v{at}, depth)"]
    if blank:
        rest = [*rest[:2], f" {blank}E", *rest[2:], f" {blank}E"]
    return [f"if {condition}:", *(" " + statement for statement in statements), *rest], list(pieces)


def _by_value(key: bytes, hint: Any, is_ours: bool) -> Callable[[Any, int], bytes]:
    def entry(value: Any, depth: int) -> bytes:
        node = write_node(value, hint, is_ours, depth + 1)
        return w.entry_header(key, len(node)) + node

    return entry


Made = tuple[str, list[str], tuple[str, ...]]


def _str(at: int, key: bytes, field: Field, is_ours: bool, names: dict[str, Any]) -> Made:
    names[f"h{at}"] = w.EntryHeaders(key, b"\n")
    return f"type(v{at}) is str", [f"b{at} = v{at}.encode()", f"a{at} = h{at}[len(b{at})]"], (f"a{at}", f"b{at}")


def _typed_str(at: int, key: bytes, field: Field, is_ours: bool, names: dict[str, Any]) -> Made:
    suffix = names[f"t{at}"] = w.type_suffix(field.type.wire_name)
    names[f"h{at}"] = w.EntryHeaders(key, b"\n", suffix)
    names[f"c{at}"] = field.type.cls
    condition = f"type(v{at}) is c{at}" + (f" or type(v{at}) is str" if field.type.is_plain_valued else "")
    return condition, [f"b{at} = v{at}.encode()", f"a{at} = h{at}[len(b{at})]", f"s{at} = t{at}"], (f"a{at}", f"b{at}", f"s{at}")


def _bytes(at: int, key: bytes, field: Field, is_ours: bool, names: dict[str, Any]) -> Made:
    names[f"h{at}"] = w.EntryHeaders(key, b"\x2a")
    return f"type(v{at}) is bytes", [f"a{at} = h{at}[len(v{at})]", f"b{at} = v{at}"], (f"a{at}", f"b{at}")


def _int(at: int, key: bytes, field: Field, is_ours: bool, names: dict[str, Any]) -> Made:
    names[f"h{at}"] = w.IntEntries(key, is_ours)
    return f"type(v{at}) is int", [f"a{at} = h{at}[v{at}]"], (f"a{at}",)


def _float(at: int, key: bytes, field: Field, is_ours: bool, names: dict[str, Any]) -> Made:
    names[f"h{at}"] = w.entry_header(key, 9) + b"\x19"
    return f"type(v{at}) is float", [f"a{at} = h{at}", f"b{at} = pack(v{at})"], (f"a{at}", f"b{at}")


def _bool(at: int, key: bytes, field: Field, is_ours: bool, names: dict[str, Any]) -> Made:
    head = w.entry_header(key, 2) + b"\x20"
    names[f"h{at}"] = (head + b"\x00", head + b"\x01")
    return f"type(v{at}) is bool", [f"a{at} = h{at}[v{at}]"], (f"a{at}",)


def _tensor(at: int, key: bytes, field: Field, is_ours: bool, names: dict[str, Any]) -> Made | None:
    cls = np.ndarray if field.type.is_plain_valued else _docarrays_value_class(field.type.cls)
    if cls is None:
        return None
    names[f"h{at}"] = w.TensorEntries(key, field.type.wire_name or getattr(cls, "_proto_type_name", None))
    names[f"c{at}"] = cls
    statements = [f"a{at}, s{at} = h{at}[v{at}.shape, v{at}.dtype]"]
    statements += [f"b{at} = v{at} if v{at}.nbytes > SMALL and v{at}.flags.c_contiguous and v{at}.dtype.kind in 'fiu' else v{at}.tobytes()"]
    return f"type(v{at}) is c{at}", statements, (f"a{at}", f"b{at}", f"s{at}")


def _docarrays_value_class(cls: Any) -> type | None:
    """The class that arrays have in a field of docarray's NdArray kinds; None for types that other frameworks' tensors may fill."""
    base = getattr(cls, "__unparametrizedcls__", None) or cls
    return base if isinstance(base, type) and issubclass(base, np.ndarray) else None


def _doc(at: int, key: bytes, field: Field, is_ours: bool, names: dict[str, Any]) -> Made | None:
    if field.kind == "model" and not is_ours:
        return None
    cls = field.type.cls
    assert cls is not None
    suffix = names[f"t{at}"] = w.type_suffix(w.J_MODEL if field.kind == "model" else None)
    names[f"h{at}"] = w.EntryHeaders(key, b"\x3a", suffix)
    names[f"c{at}"], names[f"e{at}"] = cls, _lazily(cls, is_ours, 0)
    statements = [f"b{at} = e{at}(v{at}, depth + 1)", f"a{at} = h{at}[len(b{at})]"]
    if not suffix:
        return f"type(v{at}) is c{at}", statements, (f"a{at}", f"b{at}")
    return f"type(v{at}) is c{at}", [*statements, f"s{at} = t{at}"], (f"a{at}", f"b{at}", f"s{at}")


def _doclist(at: int, key: bytes, field: Field, is_ours: bool, names: dict[str, Any]) -> Made:
    assert field.type.cls is not None
    names[f"h{at}"] = w.EntryHeaders(key, b"\x42")
    names[f"c{at}"], names[f"e{at}"] = field.type.list_cls, _lazily(field.type.cls, is_ours, 1)
    return f"type(v{at}) is c{at}", [f"b{at} = e{at}(v{at}, depth + 1)", f"a{at} = h{at}[len(b{at})]"], (f"a{at}", f"b{at}")


def _lazily(cls: type, is_ours: bool, which: int) -> Callable[[Any, int], bytes]:
    """The encoder of a nested class, made when it is first needed: classes may nest themselves."""
    made: list[Callable[[Any, int], bytes]] = []

    def encode(value: Any, depth: int) -> bytes:
        if not made:
            one, many, _ = encoders_of(cls, is_ours)
            made.append(many if which else one)
        return made[0](value, depth)

    return encode


_KINDS: Final[dict[str, Callable[[int, bytes, Field, bool, dict[str, Any]], Made | None]]] = {
    "str": _str,
    "typed_str": _typed_str,
    "bytes": _bytes,
    "int": _int,
    "float": _float,
    "bool": _bool,
    "tensor": _tensor,
    "doc": _doc,
    "model": _doc,
    "doclist": _doclist,
}


def _refuse_depth() -> None:
    raise UnencodableError(f"it is nested deeper than {w.MAX_DEPTH}, or contains itself")
