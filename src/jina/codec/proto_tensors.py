"""NdArrayProto to arrays, and the classes that type strings on the wire name."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from jina.codec.proto_fields import broken, fields_of, merged, repeated, text_of
from jina.codec.types import Type
from jina.codec.varint import read_varint
from jina.errors import MalformedError


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
    """A writable array with memory of its own; the bytes must be exactly as many as its shape needs."""
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
        takes_any = hint.kind in ("any", "union") or getattr(hint.cls, "_kind", "") == "any"
        return _as_torch(array) if "torch" in name and takes_any else array
    classes = registry(family)
    cls = classes.get(name) or classes["ndarray"]
    return array.view(cls) if issubclass(cls, np.ndarray) else cls._docarray_from_ndarray(array)


def _as_torch(array: np.ndarray[Any, Any]) -> Any:
    torch = sys.modules.get("torch")
    return array if torch is None else torch.from_numpy(array)
