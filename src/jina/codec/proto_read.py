"""NodeProto bytes to values: the complete reader, for every form that the wire allows.

`proto_decode` reads the usual forms itself and comes here for the rest: fields in any order, repeated ones (the last wins, messages merge,
as protobuf has it), unknown ones (skipped), packed and unpacked numbers, types that only the wire names. Every length is checked against
what is left, depth is bounded, and every failure is a MalformedError; whether a value fits its field is decided by the caller.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Final

from jina.codec import proto_wire as w
from jina.codec.proto_fields import Span, entries_of, read_node, repeated, text_of
from jina.codec.proto_private import member, read_private
from jina.codec.proto_tensors import as_tensor, read_array, registry
from jina.codec.schema import schema_of
from jina.codec.types import Type
from jina.errors import InvalidInputError, MalformedError


class Reading:
    """What one decoding needs to know and notes.

    Attributes:
        call_id: Makes ids of documents that come without one.
        prefix: What their paths begin with; `(0,)` for a document that is not in a list.
        is_trusted: The bytes come from one of our own processes.
        is_exact: Cleared by whoever reads a value that is not of exactly its field's type, so that the class has to validate it.
        guesses: What nested documents came to, by place, class and bytes, while the class of one around them is not yet known.
    """

    __slots__ = ("call_id", "guesses", "is_exact", "is_trusted", "prefix")

    def __init__(self, call_id: bytes, is_trusted: bool, prefix: tuple[int, ...] = ()) -> None:
        self.call_id, self.is_trusted, self.is_exact, self.prefix = call_id, is_trusted, True, prefix
        self.guesses: dict[tuple[Any, ...], Any] | None = None


# Where a value stands: (depth, the same of what holds it, then the steps from there to here).
ROOT: Final[tuple[Any, ...]] = (0, None)
Reader = Callable[[bytes, int, int, tuple[Any, ...], Reading], Any]
_DECODERS: Final[dict[type, tuple[Reader, Reader]]] = {}


def decoders_of(cls: type) -> tuple[Reader, Reader]:
    """Functions that read one DocProto and a DocListProto: (bytes, start, end, where, reading) -> document, list of documents."""
    found = _DECODERS.get(cls)
    if found is None:
        from jina.codec.proto_decode import compile_decoders  # reads nested values through this module

        found = _DECODERS[cls] = compile_decoders(schema_of(cls))
    return found


def steps_of(at: tuple[Any, ...]) -> tuple[str | int, ...]:
    """The path from the outermost value to `at`."""
    steps: list[str | int] = []
    while at[1] is not None:
        steps[:0] = at[2:]
        at = at[1]
    return tuple(steps)


def value_of(buf: bytes, pos: int, end: int, hint: Type, at: tuple[Any, ...], reading: Reading, family: str) -> Any:
    """The value of a node, by what the wire says it is; `hint` gives the classes that the wire does not name."""
    if at[0] > w.MAX_DEPTH:
        raise MalformedError(f"documents nested deeper than {w.MAX_DEPTH}")
    content, data, name = read_node(buf, pos, end)
    if name.startswith("j."):
        return _private(content, data, name, hint, at, reading, family)
    if content in (w.TEXT, w.BLOB):
        return typed(data, name, hint, family, reading)
    if content < w.NDARRAY:
        return data
    if content == w.NDARRAY:
        return as_tensor(read_array(*data), name, hint, family)
    return _CONTAINERS[content](data, hint, at, reading, family)


def typed(value: Any, name: str, hint: Type, family: str, reading: Reading) -> Any:
    """A str or bytes, of the class that the wire names where the field does not say which class it wants."""
    if hint.kind in ("typed_str", "typed_bytes"):
        return as_declared(value, hint) if name == hint.wire_name and may_construct(hint, reading) else value
    if not name or hint.kind not in ("any", "union", "custom"):
        return value
    cls = registry(family).get(name)
    if name == "id" and family != "docarray":
        return value
    base = type(value)
    return base.__new__(cls, value) if cls is not None and issubclass(cls, base) else value


def may_construct(hint: Type, reading: Reading) -> bool:
    """Whether making the value is all: docarray's Urls check what they are given; all other typed strings and bytes take anything."""
    return hint.is_plain_valued or hint.kind == "typed_bytes" or hint.wire_name == "id" or reading.is_trusted


def as_declared(value: Any, hint: Type) -> Any:
    if hint.is_plain_valued and hint.wire_name == "id":
        return value
    assert hint.cls is not None
    return type(value).__new__(hint.cls, value)


def _doc(data: Span, hint: Type, at: tuple[Any, ...], reading: Reading, family: str) -> Any:
    """A nested document, of the class that the field names; of several the one with most of its fields that takes it."""
    kinds = [part for part in (hint, *(hint.args if hint.kind == "union" else ())) if part.kind in ("doc", "model")]
    if len(kinds) == 1:
        return decoders_of(kinds[0].cls)[0](*data, at, reading)  # type: ignore[arg-type]
    return _first_that_fits(_likeliest(kinds, data), data, at, reading) if kinds else _dict(data, ANY, at, reading, family)


def _first_that_fits(kinds: list[Type], data: Span, at: tuple[Any, ...], reading: Reading) -> Any:
    """The document as the first of some classes that takes it.

    What came of a place is remembered while a document around it is still being guessed at; otherwise each level would double the work.
    """
    buf, start, stop = data
    outer, is_exact = reading.guesses, reading.is_exact
    if outer is None:
        reading.guesses = {}
    known, content, made = reading.guesses, buf[start:stop], None
    assert known is not None
    try:
        for part in kinds:
            key = (at, part.cls, content)
            if key not in known:
                try:
                    known[key] = decoders_of(part.cls)[0](*data, at, reading)  # type: ignore[arg-type]
                except InvalidInputError as error:
                    known[key] = error
                    reading.is_exact = is_exact
            made = known[key]
            if not isinstance(made, InvalidInputError):
                return made
        raise made  # type: ignore[misc]
    finally:
        reading.guesses = outer


def _likeliest(parts: list[Type], doc: Span) -> list[Type]:
    """Types of documents, first the one that has most of the fields that came, and fewest besides."""
    given = {text_of(key) for key, _ in entries_of(*doc)}
    fields = {part.cls: schema_of(part.cls).by_name.keys() for part in parts if part.cls is not None}
    return sorted(parts, key=lambda part: (-len(given & fields[part.cls]), len(fields[part.cls])))  # type: ignore[index]


def _docs(data: Span, hint: Type, at: tuple[Any, ...], reading: Reading, family: str) -> Any:
    options = (hint, *(hint.args if hint.kind in ("union", "list", "tuple", "set") else ()))
    parts = [part for part in options if part.kind in ("doclist", "doc", "model")]
    if len(parts) > 1:
        first = next(iter(repeated(*data)), None)
        parts = parts if first is None else _likeliest(parts, (data[0], *first))
    if not parts:
        return [_dict((data[0], start, stop), ANY, (at[0] + 1, at, i), reading, family) for i, (start, stop) in enumerate(repeated(*data))]
    part = parts[0]
    docs = decoders_of(part.cls)[1](*data, at, reading)  # type: ignore[arg-type]
    return docs if part.list_cls is None else as_list(part.list_cls, docs)


def as_list(cls: type, docs: list[Any]) -> Any:
    """Documents that are known to fit, in a list class, without a second look at each."""
    made: list[Any] = list.__new__(cls)
    list.extend(made, docs)
    return made


def _items(data: Span, hint: Type, at: tuple[Any, ...], reading: Reading, family: str) -> list[Any]:
    buf, pos, end = data
    hint = _container_in(hint, ("list", "set", "tuple", "frozenset"))
    args, fixed = hint.args, hint.kind == "tuple" and not hint.is_variadic
    values = []
    for i, (start, stop) in enumerate(repeated(buf, pos, end)):
        part = (args[i] if i < len(args) else ANY) if fixed else args[0] if args else ANY
        values.append(value_of(buf, start, stop, part, (at[0] + 1, at, i), reading, family))
    return values


def _container_in(hint: Type, kinds: tuple[str, ...]) -> Type:
    """The container among a union's members, of several one of anything that they hold; other hints say nothing about the items."""
    if hint.kind in kinds:
        return hint
    found = [part for part in hint.args if part.kind in kinds and part.args] if hint.kind == "union" else []
    if len(found) < 2 or any(part.kind != found[0].kind or len(part.args) != len(found[0].args) for part in found):
        return found[0] if found else ANY
    either = [Type("union", Any, args=tuple(args)) for args in zip(*(part.args for part in found), strict=True)]
    return dataclasses.replace(found[0], args=tuple(either))


def _set(data: Span, hint: Type, at: tuple[Any, ...], reading: Reading, family: str) -> set[Any]:
    return _hashed(set, _items(data, hint, at, reading, family), at)  # type: ignore[no-any-return]


def _tuple(data: Span, hint: Type, at: tuple[Any, ...], reading: Reading, family: str) -> tuple[Any, ...]:
    return tuple(_items(data, hint, at, reading, family))


def _hashed(make: Any, values: Any, at: tuple[Any, ...]) -> Any:
    try:
        return make(values)
    except TypeError as error:
        loc = steps_of(at)
        raise InvalidInputError(f"{error} - at `{loc}`", [{"loc": loc, "msg": str(error), "type": "unhashable"}]) from None


def _dict(data: Span, hint: Type, at: tuple[Any, ...], reading: Reading, family: str) -> dict[str, Any]:
    hint = _container_in(hint, ("dict",))
    part = hint.args[1] if hint.kind == "dict" and len(hint.args) == 2 else ANY
    values = {}
    for key, span in entries_of(*data):
        name = text_of(key)
        values[name] = value_of(*span, part, (at[0] + 1, at, name), reading, family)
    return values


_CONTAINERS: Final[dict[int, Callable[[Span, Type, tuple[Any, ...], Reading, str], Any]]] = {
    w.DOC: _doc,
    w.DOC_ARRAY: _docs,
    w.LIST: _items,
    w.SET: _set,
    w.TUPLE: _tuple,
    w.DICT: _dict,
}
ANY: Final = Type("any", Any)


def _private(content: int, data: Any, name: str, hint: Type, at: tuple[Any, ...], reading: Reading, family: str) -> Any:
    """A value of our own dialect."""
    if name == w.J_MODEL and content == w.DOC:
        return _doc(data, hint, at, reading, family)
    if name == w.J_DICT and content == w.LIST:
        return _pairs(_key_value_items(data, hint, at, reading, family), at)
    if name == w.J_FROZENSET and content == w.SET:
        return _hashed(frozenset, _items(data, hint, at, reading, family), at)
    if name == w.J_ENUM and content == w.LIST:
        return member(_items(data, ANY, at, reading, family), hint)
    return read_private(name, content, data)


def _key_value_items(data: Span, hint: Type, at: tuple[Any, ...], reading: Reading, family: str) -> list[Any]:
    hint = _container_in(hint, ("dict",))
    parts = hint.args if hint.kind == "dict" and len(hint.args) == 2 else (ANY, ANY)
    buf, values = data[0], []
    for i, (start, stop) in enumerate(repeated(*data)):
        values.append(value_of(buf, start, stop, parts[i % 2], (at[0] + 1, at, i // 2), reading, family))
    return values


def _pairs(values: list[Any], at: tuple[Any, ...]) -> Any:
    if len(values) % 2:
        raise MalformedError("a dict has a key without a value")
    return _hashed(dict, list(zip(values[::2], values[1::2], strict=True)), at)
