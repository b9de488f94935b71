"""Tensors as JSON, at the speed of orjson where it is installed, else of msgspec.

pydantic's writer would look at each number of a list anew. So a tensor writes a mark in its place, its numbers are written beside, and
both are joined at the end. A mark is told from a user's text by its random digits and by count: where the counts differ (a union wrote a
value twice, a text holds the mark), everything is written once more by pydantic alone. Classes with wrapping serializers of the user's,
which would see the mark, are left to pydantic.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from itertools import chain
from typing import Any, Final

import msgspec
import numpy as np
from pydantic_core import PydanticCustomError, PydanticSerializationError, core_schema

from jina.codec.json_values import rewrite
from jina.codec.torch_arrays import torch_array

try:  # docarray brings it; it saves making a Python object of each number, and writes the same
    import orjson
except ImportError:
    orjson = None  # type: ignore[assignment]

_MARK: Final = f"tensor {os.urandom(16).hex()}"
_MARK_BYTES: Final = f'"{_MARK}"'.encode()
_encode = msgspec.json.Encoder().encode
_FAST: Final = frozenset("biuf")
_NO_JSON: Final = {"c": "complex numbers", "V": "records", "O": "arrays of Python objects"}


class _Tensors(list[bytes]):
    """The tensors of one writing, as JSON, in order; false, as nothing is, for serializers that ask whether they have a context."""

    def __bool__(self) -> bool:
        return False


def read_tensor(value: Any, handler: Callable[[Any], Any]) -> Any:
    """Validate a tensor field's JSON: floats in a flat list in half of numpy's time, anything else as the field does."""
    array = _floats(value) if type(value) is list else None
    if array is not None:
        return handler(array)
    made = handler(value)
    if isinstance(made, np.ndarray) and made.dtype.kind == "f" and np.isinf(made).any():  # a number overflowed while it was parsed
        raise PydanticCustomError("finite_number", "Input should be a finite number")
    return made


def _floats(numbers: list[Any]) -> np.ndarray[Any, Any] | None:
    """An array of floats; None if one of the numbers is something else, or might be."""
    array = np.empty(len(numbers))
    try:
        struct.pack_into(f"{len(numbers)}d", array.data, 0, *numbers)
    except (struct.error, OverflowError):
        return None
    return None if (np.rint(array) == array).any() or not len(numbers) else array  # as an int, a bool and an infinity would be


def list_of(value: Any) -> Any:
    """A tensor (numpy's, torch's, docarray's) as nested lists of Python numbers; anything else as it is."""
    if isinstance(value, (np.ndarray, np.generic)):
        array = value
    elif hasattr(value, "_docarray_to_json_compatible"):
        array = value._docarray_to_json_compatible()
    elif hasattr(value, "detach"):
        array = torch_array(value)
    else:
        return value
    dtype = getattr(array, "dtype", None)
    if isinstance(dtype, np.dtype) and dtype.kind in _NO_JSON:
        raise PydanticSerializationError(f"JSON cannot carry {_NO_JSON[dtype.kind]}")
    if isinstance(dtype, np.dtype) and dtype.kind == "f":
        array = array.astype(float)  # a long double has no Python number
    return array.tolist() if hasattr(array, "tolist") else array


def write_tensor(value: Any, info: core_schema.SerializationInfo[Any]) -> Any:
    """Serialize a tensor field: its numbers go to the writing's `_Tensors`, where there are some."""
    tensors = info.context
    if type(tensors) is not _Tensors or not isinstance(value, np.ndarray) or value.dtype.kind not in _FAST or value.dtype.itemsize > 8:
        return list_of(value)
    tensors.append(_numbers(value))
    return _MARK


def _numbers(array: np.ndarray[Any, Any]) -> bytes:
    if orjson is not None and array.ndim:
        try:
            return orjson.dumps(np.asarray(array, array.dtype if array.dtype.kind != "f" else float, "C"), None, orjson.OPT_SERIALIZE_NUMPY)
        except TypeError:  # a big-endian array of ints
            pass
    return _encode(array.tolist())


def tensor_writer(schema: Any, to_json: Callable[..., bytes]) -> Callable[..., bytes]:
    """Put the tensors where their marks are; `to_json` itself for a core schema that has no tensors or that wraps its values."""
    if _wraps(schema):
        return to_json

    def write(value: Any, **options: Any) -> bytes:
        tensors = _Tensors()
        data = to_json(value, context=tensors, **options)
        if not len(tensors):
            return data
        parts = data.split(_MARK_BYTES)
        if len(parts) != len(tensors) + 1:
            return to_json(value, **options)
        tensors.append(b"")
        return b"".join(chain.from_iterable(zip(parts, tensors, strict=True)))

    return write


def _wraps(schema: Any) -> bool:
    found: list[Any] = []
    rewrite(schema, lambda node: found.append(node) if node["type"] == "function-wrap" and callable(node["function"]) else None)
    return bool(found)
