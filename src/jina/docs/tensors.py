"""Types of tensor fields. They say what a field takes; the values are plain `numpy.ndarray`s or torch tensors.

`NdArray[3]` takes shape (3,), `NdArray[3, 'x', 'x']` two equal last axes, `NdArray[3, ...]` one or more further axes. An array of another
shape is reshaped, with a warning, where all sizes are given and the counts agree; otherwise it is refused.

torch is imported when a value must become a torch tensor, never before.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import msgspec
import numpy as np
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from jina.codec.json_tensors import list_of
from jina.codec.torch_arrays import torch_array
from jina.docs.subscription import Subscripted, register, subscript
from jina.warning import warn_user

Shape = tuple[Any, ...]
_NUMBERS = frozenset("biufc")


class TensorType(Subscripted):
    """Metaclass: `isinstance(value, NdArray[3])` asks whether the value is such an array, whatever its class."""

    __docarray_target_shape__: Shape | None = None
    _kind: str = "any"

    def __instancecheck__(cls, value: Any) -> bool:
        is_numpy, is_torch = isinstance(value, np.ndarray), _is_torch(value)
        if not (is_numpy and cls._kind != "torch") and not (is_torch and cls._kind != "numpy"):
            return False
        return cls.__docarray_target_shape__ is None or _fits(tuple(value.shape), cls.__docarray_target_shape__)


register(TensorType)


def _subscript(cls: Any, item: Any) -> Any:
    shape = _read_shape(item)
    if cls.__docarray_target_shape__ is not None:
        if cls.__docarray_target_shape__ == shape:
            return cls
        raise TypeError(f"{cls.__name__} has a shape already")
    made = cls.__dict__.get("_by_shape")
    if made is None:
        made = {}
        cls._by_shape = made
    if shape not in made:
        text = ", ".join("..." if d is ... else repr(d) for d in shape)
        names = {"__docarray_target_shape__": shape, "__unparametrizedcls__": cls, "_by_shape": None}
        made[shape] = subscript(cls, shape, f"{cls.__name__}[{text}]", names)
    return made[shape]


def _read_shape(item: Any) -> Shape:
    if isinstance(item, str):
        item = tuple(part.strip() for part in item.split(","))
        item = tuple(... if part == "..." else int(part) if part.isdecimal() else part for part in item)
    shape = tuple(item) if isinstance(item, (tuple, list)) else (item,)
    for size in shape:
        if isinstance(size, bool) or not (size is ... or isinstance(size, str) or (isinstance(size, int) and size >= 0)):
            raise TypeError(f"a size must be an int >= 0, a name or ..., got {size!r}")
    if shape.count(...) > 1:
        raise TypeError(f"a shape can have one ... only, got {shape!r}")
    return shape


def _fits(got: tuple[int, ...], wanted: Shape) -> bool:
    if ... in wanted:
        at, n_free = wanted.index(...), len(got) - len(wanted) + 1
        if n_free < 1:
            return False
        got = got[:at] + got[at + n_free :]
        wanted = wanted[:at] + wanted[at + 1 :]
    if len(got) != len(wanted):
        return False
    sizes: dict[str, int] = {}
    return all(sizes.setdefault(w, g) == g if isinstance(w, str) else w == g for g, w in zip(got, wanted, strict=True))


def _fit(value: Any, wanted: Shape) -> Any:
    got = tuple(value.shape)
    if got == wanted or _fits(got, wanted):
        return value
    if all(isinstance(size, int) for size in wanted) and math.prod(got) == math.prod(wanted):
        warn_user(f"reshaping a tensor of shape {got} to {wanted}")
        return value.reshape(wanted)
    raise PydanticCustomError(
        "tensor_shape", "expected a tensor of shape {expected}, got {got}", {"expected": _text(wanted), "got": _text(got)}
    )


def _text(shape: Shape) -> str:
    return "(" + ", ".join("..." if d is ... else str(d) for d in shape) + ("," if len(shape) == 1 else "") + ")"


def _is_torch(value: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def _to_numpy(value: Any) -> np.ndarray[Any, Any]:
    """Make an array of numbers from an array, a nested list, a number, or the JSON text of either."""
    if isinstance(value, (list, tuple)):
        return _from_list(value)
    if isinstance(value, np.ndarray):
        array = np.asarray(value)
        return _refuse_objects(array)
    if _is_torch(value):
        return torch_array(value)
    if isinstance(value, str):
        return _from_text(value)
    if isinstance(value, (bool, bytes, bytearray, dict, type(None))) or not (
        isinstance(value, (int, float)) or hasattr(value, "__array__")
    ):
        raise _not_a_tensor(type(value).__name__)
    return _refuse_objects(np.asarray(value))


def _from_list(value: Any) -> np.ndarray[Any, Any]:
    try:
        array = np.array(value)
        if array.dtype.kind == "O":  # null stands for NaN, as it does on output
            array = np.array(value, dtype=float)
            if not np.isnan(array).any():
                raise _not_a_tensor("numbers that no numpy type holds")
    except PydanticCustomError:
        raise
    except (ValueError, TypeError, OverflowError):
        raise _not_a_tensor("a list that is ragged or holds something else") from None
    if array.dtype.kind not in _NUMBERS:
        raise _not_a_tensor("a list of something else")
    return array


def _from_text(value: str) -> np.ndarray[Any, Any]:
    try:
        return _from_list(msgspec.json.decode(value, type=list[Any]))
    except msgspec.DecodeError:
        raise _not_a_tensor("a string that is not a JSON array") from None


def _refuse_objects(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if array.dtype.hasobject:
        raise _not_a_tensor("an array of objects")
    return array


def _not_a_tensor(got: str) -> PydanticCustomError:
    return PydanticCustomError("tensor_type", "expected a tensor: numbers in nested lists of equal lengths; got {got}", {"got": got})


def _to_torch(value: Any) -> Any:
    if _is_torch(value):
        return value
    array = _to_numpy(value)
    try:
        import torch  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        raise PydanticCustomError("tensor_type", "this field holds a torch tensor, but torch is not installed") from None
    if array.dtype.byteorder == ">" or not array.flags.writeable:
        array = array.astype(array.dtype.newbyteorder("="))
    return torch.from_numpy(np.ascontiguousarray(array).reshape(array.shape))


def _keep(value: Any) -> Any:
    return value if _is_torch(value) else _to_numpy(value)


_CONVERT: dict[str, Callable[[Any], Any]] = {"numpy": _to_numpy, "torch": _to_torch, "any": _keep}


def _validator(kind: str, shape: Shape | None) -> Callable[[Any], Any]:
    convert = _CONVERT[kind]
    plain = np.ndarray if kind != "torch" else None

    def validate(value: Any) -> Any:
        if type(value) is not plain or value.dtype.hasobject:
            value = convert(value)
        return value if shape is None else _fit(value, shape)

    validate.is_tensor_validator = True  # type: ignore[attr-defined] # how the JSON codec knows it
    return validate


def _core_schema(cls: Any) -> CoreSchema:
    return core_schema.no_info_plain_validator_function(
        _validator(cls._kind, cls.__docarray_target_shape__),
        serialization=core_schema.plain_serializer_function_ser_schema(list_of, when_used="json"),
    )


def _json_schema(cls: Any) -> dict[str, Any]:
    shape = cls.__docarray_target_shape__
    text = "not specified" if shape is None else "[" + ", ".join("..." if d is ... else str(d) for d in shape) + "]"
    return {"type": "array", "items": {"type": "number"}, "tensor/array shape": text}


class _TensorField:
    """What all tensor types share; `_kind` says what a value becomes."""

    __docarray_target_shape__: ClassVar[Shape | None] = None
    __unparametrizedcls__: ClassVar[Any] = None
    _kind: ClassVar[str] = "any"
    _proto_type_name: ClassVar[str] = "ndarray"

    def __class_getitem__(cls, item: Any) -> Any:
        return _subscript(cls, item)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return _core_schema(cls)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return _json_schema(cls)


if TYPE_CHECKING:  # values are plain arrays and tensors
    NdArray: TypeAlias = np.ndarray[Any, np.dtype[Any]]
    NdArrayEmbedding: TypeAlias = np.ndarray[Any, np.dtype[Any]]
    ImageNdArray: TypeAlias = np.ndarray[Any, np.dtype[Any]]
    AudioNdArray: TypeAlias = np.ndarray[Any, np.dtype[Any]]
    VideoNdArray: TypeAlias = np.ndarray[Any, np.dtype[Any]]
    TorchTensor: TypeAlias = Any
    TorchEmbedding: TypeAlias = Any
    ImageTorchTensor: TypeAlias = Any
    AudioTorchTensor: TypeAlias = Any
    VideoTorchTensor: TypeAlias = Any
    AnyTensor: TypeAlias = Any
    AnyEmbedding: TypeAlias = Any
    ImageTensor: TypeAlias = Any
    AudioTensor: TypeAlias = Any
    VideoTensor: TypeAlias = Any
else:

    class NdArray(_TensorField, np.ndarray, metaclass=TensorType):
        """A numpy array. Takes arrays, nested lists, numbers and torch tensors; a list gets the dtype that numpy infers."""

        _kind: ClassVar[str] = "numpy"

    class NdArrayEmbedding(NdArray):
        """A numpy array that embeds its document."""

        _proto_type_name: ClassVar[str] = "ndarray_embedding"

    class ImageNdArray(NdArray):
        """The pixels of an image as a numpy array."""

        _proto_type_name: ClassVar[str] = "image_ndarray"

    class AudioNdArray(NdArray):
        """The samples of a sound as a numpy array."""

        _proto_type_name: ClassVar[str] = "audio_ndarray"

    class VideoNdArray(NdArray):
        """The frames of a video as a numpy array."""

        _proto_type_name: ClassVar[str] = "video_ndarray"

    class TorchTensor(_TensorField, metaclass=TensorType):
        """A torch tensor. Takes whatever `NdArray` takes and imports torch to convert it."""

        _kind: ClassVar[str] = "torch"
        _proto_type_name: ClassVar[str] = "torch_tensor"

    class TorchEmbedding(TorchTensor):
        """A torch tensor that embeds its document."""

        _proto_type_name: ClassVar[str] = "torch_embedding"

    class ImageTorchTensor(TorchTensor):
        """The pixels of an image as a torch tensor."""

        _proto_type_name: ClassVar[str] = "image_torch_tensor"

    class AudioTorchTensor(TorchTensor):
        """The samples of a sound as a torch tensor."""

        _proto_type_name: ClassVar[str] = "audio_torch_tensor"

    class VideoTorchTensor(TorchTensor):
        """The frames of a video as a torch tensor."""

        _proto_type_name: ClassVar[str] = "video_torch_tensor"

    class AnyTensor(_TensorField, metaclass=TensorType):
        """A numpy array or a torch tensor, kept as it is; lists become numpy arrays."""

    class AnyEmbedding(AnyTensor):
        """A numpy array or a torch tensor that embeds its document."""

        _proto_type_name: ClassVar[str] = "ndarray_embedding"

    class ImageTensor(AnyTensor):
        """The pixels of an image."""

        _proto_type_name: ClassVar[str] = "image_ndarray"

    class AudioTensor(AnyTensor):
        """The samples of a sound."""

        _proto_type_name: ClassVar[str] = "audio_ndarray"

    class VideoTensor(AnyTensor):
        """The frames of a video."""

        _proto_type_name: ClassVar[str] = "video_ndarray"
