"""Values of any kind to NodeProto bytes, by what the value is: what docarray's `_type_to_protobuf` writes, in its deterministic form.

Used for fields whose annotation does not say what comes (list, dict, Any, Union, ...) and for values that are not what it says.
The annotation is a hint for values that do not know their own type string: a plain array in a field of embeddings, a plain str in an id.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Iterable
from struct import Struct
from typing import Any, Final

import msgspec
import numpy as np
from pydantic import BaseModel

from jina.codec import proto_wire as w
from jina.codec.fields import map_order
from jina.codec.proto_private import TEXTS, complex_bytes
from jina.codec.torch_arrays import torch_array
from jina.codec.types import Type, is_base_doc
from jina.codec.varint import varint
from jina.errors import UnencodableError

Writer = Callable[[Any, "Type | None", bool, int], bytes]

_pack_double: Final = Struct("<d").pack
_TENSORS: Final[dict[str | None, w.TensorParts]] = {}
_ENCODERS: Final[list[Callable[[Any, bool, int], bytes]]] = []  # filled by proto_encode: documents know their own encoder


def write_node(value: Any, hint: Type | None, is_ours: bool, depth: int) -> bytes:
    """The bytes of a NodeProto.

    Raises:
        UnencodableError: The dialect has no form for the value, or it is nested deeper than 64.
    """
    if depth > w.MAX_DEPTH:
        raise UnencodableError(f"it is nested deeper than {w.MAX_DEPTH}, or contains itself")
    cls = type(value)
    writer = _WRITERS.get(cls)
    if writer is None:
        writer = _WRITERS[cls] = _writer_of(cls)
    return writer(value, hint, is_ours, depth)


def delimited(tag: bytes, data: bytes) -> bytes:
    """A field of bytes: tag, length, bytes."""
    return b"".join((tag, varint(len(data)), data))


def write_map(items: Iterable[tuple[str, Any]], hints: Callable[[str], Type | None], is_ours: bool, depth: int) -> bytes:
    """A `map<string, NodeProto>`, sorted as deterministic protobuf sorts it."""
    parts: list[bytes] = []
    for key, value in sorted(items, key=lambda item: map_order(item[0])):
        node = write_node(value, hints(key), is_ours, depth)
        parts += (w.entry_header(key.encode(), len(node)), node)
    return b"".join(parts)


def _text(value: Any, hint: Type | None, is_ours: bool, depth: int) -> bytes:
    suffix = w.type_suffix(hint.wire_name) if hint is not None and hint.kind == "typed_str" and hint.is_plain_valued else b""
    return delimited(b"\n", str.encode(value)) + suffix


def _typed_text(value: Any, hint: Type | None, is_ours: bool, depth: int) -> bytes:
    return delimited(b"\n", str.encode(value)) + w.type_suffix(value._proto_type_name)


def _boolean(value: Any, hint: Type | None, is_ours: bool, depth: int) -> bytes:
    return b"\x20\x01" if value else b"\x20\x00"


def _integer(value: Any, hint: Type | None, is_ours: bool, depth: int) -> bytes:
    value = int(value)
    if w.INT32_MIN <= value <= w.INT32_MAX:
        return b"\x10" + varint(value)
    return w.big_int_node(value, is_ours)


def _float(value: Any, hint: Type | None, is_ours: bool, depth: int) -> bytes:
    return b"\x19" + _pack_double(value)


def _blob(value: Any, hint: Type | None, is_ours: bool, depth: int) -> bytes:
    return delimited(b"\x2a", bytes(value)) + w.type_suffix(getattr(value, "_proto_type_name", None))


def _none(value: Any, hint: Type | None, is_ours: bool, depth: int) -> bytes:
    return b""


def _items(value: Iterable[Any], hint: Type | None, is_ours: bool, depth: int) -> bytes:
    """ListOfAnyProto."""
    hints = _item_hints(hint)
    parts: list[bytes] = []
    for at, item in enumerate(value):
        node = write_node(item, hints(at), is_ours, depth + 1)
        parts += (b"\n", varint(len(node)), node)
    return b"".join(parts)


def _item_hints(hint: Type | None) -> Callable[[int], Type | None]:
    if hint is None or hint.kind not in ("list", "set", "frozenset", "tuple") or not hint.args:
        return lambda at: None
    args = hint.args
    if hint.kind == "tuple" and not hint.is_variadic:
        return lambda at: args[at] if at < len(args) else None
    return lambda at: args[0]


def _list(value: Any, hint: Type | None, is_ours: bool, depth: int) -> bytes:
    return delimited(b"\x4a", _items(value, hint, is_ours, depth))


def _set(value: Any, hint: Type | None, is_ours: bool, depth: int) -> bytes:
    return delimited(b"\x52", _items(value, hint, is_ours, depth))


def _tuple(value: Any, hint: Type | None, is_ours: bool, depth: int) -> bytes:
    return delimited(b"\x5a", _items(value, hint, is_ours, depth))


def _frozenset(value: Any, hint: Type | None, is_ours: bool, depth: int) -> bytes:
    if not is_ours:
        raise _refused(value)
    return delimited(b"\x52", _items(value, hint, is_ours, depth)) + w.type_suffix(w.J_FROZENSET)


def _dict(value: Any, hint: Type | None, is_ours: bool, depth: int) -> bytes:
    key_hint, item_hint = hint.args if hint is not None and hint.kind == "dict" and len(hint.args) == 2 else (None, None)
    if all(isinstance(key, str) for key in value):
        return delimited(b"\x62", write_map(value.items(), lambda key: item_hint, is_ours, depth + 1))
    if not is_ours:
        bad = next(key for key in value if not isinstance(key, str))
        raise UnencodableError(f"a dict's keys must be strings in docarray's wire format, got {_show(bad)}")
    parts = []
    for key, item in value.items():
        parts += [write_node(key, key_hint, is_ours, depth + 1), write_node(item, item_hint, is_ours, depth + 1)]
    return delimited(b"\x4a", b"".join(delimited(b"\n", part) for part in parts)) + w.type_suffix(w.J_DICT)


def _array(value: Any, hint: Type | None, is_ours: bool, depth: int) -> bytes:
    name = getattr(value, "_proto_type_name", None)
    if name is None:
        name = _tensor_name(hint)
    return _array_node(value, name)


def _tensor_name(hint: Type | None) -> str:
    return hint.wire_name if hint is not None and hint.kind == "tensor" and hint.wire_name and hint.is_plain_valued else "ndarray"


def _array_node(value: Any, name: str) -> bytes:
    parts = _TENSORS.get(name)
    if parts is None:
        parts = _TENSORS[name] = w.TensorParts(name)
    head, tail = parts[value.shape, value.dtype]
    return b"".join((head, value.tobytes(), tail))


def _torch(value: Any, hint: Type | None, is_ours: bool, depth: int) -> bytes:
    name = getattr(value, "_proto_type_name", None)
    if name is None:
        name = hint.wire_name if hint is not None and hint.wire_name and "torch" in hint.wire_name else "torch_tensor"
    try:
        return _array_node(torch_array(value), name)
    except ValueError as error:
        raise UnencodableError(str(error)) from None


def _foreign_tensor(value: Any, hint: Type | None, is_ours: bool, depth: int) -> bytes:
    """A tensor class of docarray's that wraps another framework's: its own proto says what it is."""
    proto = value.to_protobuf()
    node = delimited(b"\x32", proto.SerializeToString(deterministic=True))
    return bytes(node + w.type_suffix(value._proto_type_name))


def _document(value: Any, hint: Type | None, is_ours: bool, depth: int) -> bytes:
    return delimited(b"\x3a", _ENCODERS[0](value, is_ours, depth))


def _model(value: Any, hint: Type | None, is_ours: bool, depth: int) -> bytes:
    if not is_ours:
        raise UnencodableError(f"{_show(value)} is a plain model; docarray's wire format nests BaseDocs only")
    return delimited(b"\x3a", _ENCODERS[0](value, is_ours, depth)) + w.type_suffix(w.J_MODEL)


def _documents(value: Any, hint: Type | None, is_ours: bool, depth: int) -> bytes:
    return delimited(b"\x42", b"".join(delimited(b"\n", _ENCODERS[0](doc, is_ours, depth)) for doc in value))


def _private(name: str, to_text: Callable[[Any], str]) -> Writer:
    suffix = w.type_suffix(name)

    def write(value: Any, hint: Type | None, is_ours: bool, depth: int) -> bytes:
        if not is_ours:
            raise _refused(value)
        return delimited(b"\n", to_text(value).encode()) + suffix

    return write


def _complex(value: Any, hint: Type | None, is_ours: bool, depth: int) -> bytes:
    if not is_ours:
        raise _refused(value)
    return delimited(b"\x2a", complex_bytes(value)) + w.type_suffix(w.J_COMPLEX)


def _enum(value: Any, hint: Type | None, is_ours: bool, depth: int) -> bytes:
    if not is_ours:
        raise _refused(value)
    return delimited(b"\x4a", delimited(b"\n", write_node(value.value, None, is_ours, depth + 1))) + w.type_suffix(w.J_ENUM)


def _numpy_scalar(value: Any, hint: Type | None, is_ours: bool, depth: int) -> bytes:
    plain = value.item()
    if isinstance(plain, np.generic):
        raise _refused(value)
    return write_node(plain, hint, is_ours, depth)


def _unknown(value: Any, hint: Type | None, is_ours: bool, depth: int) -> bytes:
    raise _refused(value)


def _refused(value: Any) -> UnencodableError:
    return UnencodableError(f"{_show(value)} has no form in docarray's wire format")


def _show(value: Any) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 80 else text[:77] + '...'}"


_WRITERS: Final[dict[type, Writer]] = {
    str: _text,
    bool: _boolean,
    int: _integer,
    float: _float,
    bytes: _blob,
    type(None): _none,
    list: _list,
    set: _set,
    tuple: _tuple,
    dict: _dict,
    frozenset: _frozenset,
    np.ndarray: _array,
    complex: _complex,
    **{cls: _private(name, to_text) for cls, (name, to_text, _) in TEXTS.items()},
}
# In docarray's order: a str that is also an enum is text.
_BASES: Final[tuple[tuple[Any, Writer], ...]] = (
    (np.ndarray, _array),
    (np.generic, _numpy_scalar),
    (str, _text),
    (int, _integer),
    (float, _float),
    (bytes, _blob),
    (list, _list),
    (set, _set),
    (tuple, _tuple),
    (dict, _dict),
    (frozenset, _frozenset),
    (enum.Enum, _enum),
    (bytearray, _blob),
    *((cls, _WRITERS[cls]) for cls in TEXTS),
    (complex, _complex),
)


def _writer_of(cls: type) -> Writer:
    if issubclass(cls, BaseModel | msgspec.Struct) or dataclasses.is_dataclass(cls):
        return _document if is_base_doc(cls) else _model
    if hasattr(cls, "doc_type"):
        return _documents
    if any(base.__module__.split(".")[0] == "torch" and base.__name__ == "Tensor" for base in cls.__mro__):
        return _torch
    if issubclass(cls, enum.Enum) and issubclass(cls, int | str):
        return _enum_of_a_scalar
    if issubclass(cls, str) and hasattr(cls, "_proto_type_name"):
        return _typed_text
    for base, writer in _BASES:
        if issubclass(cls, base):
            return writer
    return _foreign_tensor if hasattr(cls, "_proto_type_name") and hasattr(cls, "to_protobuf") else _unknown


def _enum_of_a_scalar(value: Any, hint: Type | None, is_ours: bool, depth: int) -> bytes:
    """Write as docarray does, which sends a str or int that is also an enum as what it is; ours says that it was an enum."""
    write = _enum if is_ours else _text if isinstance(value, str) else _integer
    return write(value, None, is_ours, depth)
