"""NodeProto bytes to values: the complete reader, for every form that the wire allows.

`proto_decode` reads the usual forms itself and comes here for the rest: fields in any order, repeated ones (the last wins, messages merge,
as protobuf has it), unknown ones (skipped), packed and unpacked numbers, types that only the wire names. Every length is checked against
what is left, depth is bounded, and every failure is a MalformedError; whether a value fits its field is decided by the caller.
"""

from __future__ import annotations

import datetime
import decimal
import sys
import uuid
from collections.abc import Callable, Iterator
from struct import Struct
from struct import error as struct_error
from typing import Any, Final

import numpy as np

from jina.codec import proto_wire as w
from jina.codec.types import Type
from jina.codec.varint import read_varint
from jina.errors import InvalidInputError, MalformedError

_unpack_double: Final = Struct("<d").unpack_from
_unpack_complex: Final = Struct("<dd").unpack
_MAX_TAG: Final = 0xFFFFFFFF
_MESSAGES: Final = frozenset((w.NDARRAY, w.DOC, w.DOC_ARRAY, w.LIST, w.SET, w.TUPLE, w.DICT))
_WIRE_TYPES: Final = {w.INTEGER: 0, w.FLOAT: 1, w.BOOLEAN: 0}
_DTYPE_KINDS: Final = frozenset("?bBiufcmMSUV")

Span = tuple[bytes, int, int]


class Reading:
    """What one decoding needs to know and notes.

    Attributes:
        call_id: Makes ids of documents that come without one.
        prefix: What their paths begin with; `(0,)` for a document that is not in a list.
        is_trusted: The bytes come from one of our own processes.
        is_exact: Cleared by whoever reads a value that is not of exactly its field's type, so that the class has to validate it.
    """

    __slots__ = ("call_id", "is_exact", "is_trusted", "prefix")

    def __init__(self, call_id: bytes, is_trusted: bool, prefix: tuple[int, ...] = ()) -> None:
        self.call_id, self.is_trusted, self.is_exact, self.prefix = call_id, is_trusted, True, prefix


# Where a value stands: (depth, the same of what holds it, then the steps from there to here).
ROOT: Final[tuple[Any, ...]] = (0, None)
DocReaders = Callable[[type], tuple[Callable[..., Any], Callable[..., list[Any]]]]
_DOC_READERS: Final[list[DocReaders]] = []  # filled by proto_decode


def steps_of(at: tuple[Any, ...]) -> tuple[str | int, ...]:
    """The path from the outermost value to `at`."""
    steps: list[str | int] = []
    while at[1] is not None:
        steps[:0] = at[2:]
        at = at[1]
    return tuple(steps)


def broken(what: str, pos: int) -> MalformedError:
    return MalformedError(f"not a protobuf message of documents: {what} at byte {pos}")


def number_at(buf: bytes, pos: int, end: int) -> tuple[int, int]:
    """A varint that ends before `end`."""
    value, pos = read_varint(buf, pos)
    if pos > end:
        raise broken("a number runs over the end of its message", pos)
    return value, pos


def fields_of(buf: bytes, pos: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Each field as (number, wire type, start, stop) of its content; for a varint the content is the number's bytes."""
    while pos < end:
        tag, pos = number_at(buf, pos, end)
        number, wire = tag >> 3, tag & 7
        if not number or tag > _MAX_TAG:
            raise broken(f"tag {tag}", pos)
        start = pos
        if wire == 2:
            size, start = number_at(buf, pos, end)
            pos = start + size
        elif wire == 0:
            pos = number_at(buf, pos, end)[1]
        elif wire == 1:
            pos += 8
        elif wire == 5:
            pos += 4
        elif wire == 3:
            pos = _skip_group(buf, pos, end, number)
        else:
            raise broken(f"wire type {wire}", pos)
        if pos > end:
            raise broken("a field runs over the end of its message", start)
        yield number, wire, start, pos


def _skip_group(buf: bytes, pos: int, end: int, number: int) -> int:
    """The position behind the end of an unknown group; groups may nest, as deep as documents may."""
    open_groups = [number]
    while open_groups:
        tag, pos = number_at(buf, pos, end)
        wire = tag & 7
        if wire == 3:
            open_groups.append(tag >> 3)
            if len(open_groups) > w.MAX_DEPTH:
                raise broken("groups nested too deep", pos)
        elif wire == 4:
            if open_groups.pop() != tag >> 3:
                raise broken("a group that ends without having begun", pos)
        elif wire == 2:
            size, pos = number_at(buf, pos, end)
            pos += size
        elif wire == 0:
            pos = number_at(buf, pos, end)[1]
        else:
            pos += {1: 8, 5: 4}.get(wire, end)
        if pos > end:
            raise broken("a group runs over the end of its message", pos)
    return pos


def merged(buf: bytes, spans: list[tuple[int, int]]) -> Span:
    """Occurrences of one message field as one message: protobuf merges by concatenation."""
    if len(spans) == 1:
        return (buf, *spans[0])
    data = b"".join(buf[start:stop] for start, stop in spans)
    return data, 0, len(data)


def read_entry(buf: bytes, pos: int, end: int) -> tuple[bytes, Span]:
    """A map entry: its key and its node."""
    key, spans = b"", []
    for number, wire, start, stop in fields_of(buf, pos, end):
        if number <= 2 and wire != 2:
            raise broken(f"wire type {wire} in a map entry", start)
        if number == 1:
            key = buf[start:stop]
        elif number == 2:
            spans.append((start, stop))
    return key, merged(buf, spans) if spans else (b"", 0, 0)


def entries_of(buf: bytes, pos: int, end: int) -> Iterator[tuple[bytes, Span]]:
    """The entries of a DocProto or DictOfAnyProto."""
    for start, stop in repeated(buf, pos, end):
        yield read_entry(buf, start, stop)


def repeated(buf: bytes, pos: int, end: int) -> Iterator[tuple[int, int]]:
    """The occurrences of field 1, which all of docarray's containers have as their only one."""
    for number, wire, start, stop in fields_of(buf, pos, end):
        if number == 1:
            if wire != 2:
                raise broken(f"wire type {wire}", start)
            yield start, stop


def text_of(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise MalformedError(f"a string is not UTF-8: {error.reason} at its byte {error.start}") from None


def read_node(buf: bytes, pos: int, end: int) -> tuple[int, Any, str]:
    """Which content a NodeProto has (0 for none), that content (bytes spans for messages), and its type string."""
    content, name = 0, ""
    spans: list[tuple[int, int]] = []
    for number, wire, start, stop in fields_of(buf, pos, end):
        if number > w.TYPE:
            continue
        if wire != _WIRE_TYPES.get(number, 2):
            raise broken(f"wire type {wire} for field {number} of a node", start)
        if number == w.TYPE:
            name = text_of(buf[start:stop])
        elif number == content and number in _MESSAGES:
            spans.append((start, stop))
        else:
            content, spans = number, [(start, stop)]
    if content in _MESSAGES:
        return content, merged(buf, spans), name
    return content, _scalar(buf, content, *spans[0]) if content else None, name


def _scalar(buf: bytes, content: int, start: int, stop: int) -> Any:
    if content == w.TEXT:
        return text_of(buf[start:stop])
    if content == w.BLOB:
        return buf[start:stop]
    if content == w.FLOAT:
        return _unpack_double(buf, start)[0]
    value = read_varint(buf, start)[0]
    if content == w.BOOLEAN:
        return value != 0
    return signed32(value)


def signed32(value: int) -> int:
    """The low 32 bits as a signed number, as protobuf reads an int32."""
    value &= 0xFFFFFFFF
    return value - 0x100000000 if value >> 31 else value


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


def registry(family: str) -> dict[str, Any]:
    """Type string -> class, for values in fields that take anything."""
    if family == "docarray":
        return sys.modules["docarray.typing.proto_register"]._PROTO_TYPE_NAME_TO_CLASS  # type: ignore[no-any-return]
    values = sys.modules.get("jina.docs.values")
    if family != "jina" or values is None:
        return {}
    return {c._proto_type_name: c for c in vars(values).values() if isinstance(c, type) and hasattr(c, "_proto_type_name")}


def read_array(buf: bytes, pos: int, end: int) -> np.ndarray[Any, Any]:
    """An NdArrayProto as an array with memory of its own, writable, as docarray gives it."""
    dense = [(start, stop) for start, stop in repeated(buf, pos, end)]
    buf, pos, end = merged(buf, dense) if dense else (b"", 0, 0)
    start = stop = 0
    shape: list[int] = []
    dtype = ""
    for number, wire, begin, finish in fields_of(buf, pos, end):
        if number == 1 and wire == 2:
            start, stop = begin, finish
        elif number == 2 and wire in (0, 2):
            while begin < finish:
                size, begin = read_varint(buf, begin)
                shape.append(size & 0xFFFFFFFF)
        elif number == 3 and wire == 2:
            dtype = text_of(buf[begin:finish])
        elif number <= 3:
            raise broken(f"wire type {wire} in a tensor", begin)
    return make_array(buf[start:stop], tuple(shape), dtype_of(dtype))


def dtype_of(name: str) -> np.dtype[Any]:
    """A dtype by its `str`; only those whose items are plain bytes."""
    try:
        dtype = np.dtype(name) if name and len(name) < 32 and "," not in name else None
    except (TypeError, ValueError, SyntaxError):
        dtype = None
    if dtype is None or dtype.hasobject or not dtype.itemsize or dtype.kind == "O":
        raise MalformedError(f"a tensor's dtype is {name[:40]!r}, which is none that can be read")
    return dtype


def make_array(data: bytes, shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    n_bytes = dtype.itemsize
    for size in shape:
        n_bytes *= size
    if n_bytes != len(data) or len(shape) > 32:
        raise MalformedError(f"a tensor of shape {_short(shape)} and dtype {dtype.str} needs {n_bytes} bytes, got {len(data)}")
    try:
        return np.ndarray(shape, dtype, bytearray(data))
    except (ValueError, TypeError) as error:  # an empty array of absurd shape, for one
        raise MalformedError(f"a tensor of shape {_short(shape)}: {error}") from None


def _short(shape: tuple[int, ...]) -> str:
    return str(shape) if len(shape) <= 8 else f"({', '.join(map(str, shape[:8]))}, ...)"


def as_tensor(array: np.ndarray[Any, Any], name: str, hint: Type, family: str) -> Any:
    """The array in the class that it has within documents of this family; the field's own validation does any other conversion."""
    if family != "docarray":
        return _as_torch(array) if "torch" in name and hint.kind in ("any", "union") else array
    classes = registry(family)
    cls = classes.get(name) or classes["ndarray"]
    return array.view(cls) if issubclass(cls, np.ndarray) else cls._docarray_from_ndarray(array)


def _as_torch(array: np.ndarray[Any, Any]) -> Any:
    torch = sys.modules.get("torch")
    return array if torch is None else torch.from_numpy(array)


def _doc(data: Span, hint: Type, at: tuple[Any, ...], reading: Reading, family: str) -> Any:
    """A nested document, of the class that the field names; where there are several the first that takes it."""
    kinds = [part for part in (hint, *(hint.args if hint.kind == "union" else ())) if part.kind in ("doc", "model")]
    for place, part in enumerate(kinds):
        try:
            return _DOC_READERS[0](part.cls)[0](*data, at, reading)  # type: ignore[arg-type]
        except InvalidInputError:
            if place == len(kinds) - 1:
                raise
    return _dict(data, ANY, at, reading, family)


def _docs(data: Span, hint: Type, at: tuple[Any, ...], reading: Reading, family: str) -> Any:
    options = (hint, *(hint.args if hint.kind in ("union", "list", "tuple", "set") else ()))
    part = next((part for part in options if part.kind in ("doclist", "doc", "model")), None)
    if part is None:
        return [_dict((data[0], start, stop), ANY, (at[0] + 1, at, i), reading, family) for i, (start, stop) in enumerate(repeated(*data))]
    docs = _DOC_READERS[0](part.cls)[1](*data, at, reading)  # type: ignore[arg-type]
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
    """The container among a union's members; a hint of another kind says nothing about the items."""
    if hint.kind in kinds:
        return hint
    return next((part for part in hint.args if part.kind in kinds), ANY) if hint.kind == "union" else ANY


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
        return _member(_items(data, ANY, at, reading, family), hint)
    make = _SCALARS.get((name, content))
    if make is None:
        raise MalformedError(f"type string {name!r} beside content {content} is none of ours")
    try:
        return make(data)
    except (ValueError, ArithmeticError, TypeError, struct_error) as error:
        raise MalformedError(f"{str(data)[:40]!r} is no {name[2:]}: {error}") from None


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


def _member(values: list[Any], hint: Type) -> Any:
    """An enum's member, where the field says which enum; else its value, which the field's validation may still know."""
    if len(values) != 1:
        raise MalformedError("an enum needs exactly one value")
    for part in (hint, *hint.args):
        if part.kind == "enum" and part.cls is not None:
            try:
                return part.cls(values[0])
            except (ValueError, TypeError):
                continue
    return values[0]


def _moment(cls: Any) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        value = cls.fromisoformat(text.removesuffix("~"))
        return value.replace(fold=1) if text.endswith("~") else value

    return read


def _timedelta(text: str) -> datetime.timedelta:
    days, seconds, microseconds = text.split()
    return datetime.timedelta(int(days), int(seconds), int(microseconds))


_SCALARS: Final[dict[tuple[str, int], Callable[[Any], Any]]] = {
    (w.J_INT, w.BLOB): lambda data: int.from_bytes(data, "little", signed=True),
    (w.J_DATETIME, w.TEXT): _moment(datetime.datetime),
    (w.J_DATE, w.TEXT): datetime.date.fromisoformat,
    (w.J_TIME, w.TEXT): _moment(datetime.time),
    (w.J_TIMEDELTA, w.TEXT): _timedelta,
    (w.J_DECIMAL, w.TEXT): decimal.Decimal,
    (w.J_UUID, w.TEXT): uuid.UUID,
    (w.J_COMPLEX, w.BLOB): lambda data: complex(*_unpack_complex(data)),
}
