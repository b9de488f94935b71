"""Strings and bytes with a meaning: ids, addresses, encoded media. They are values only; nothing here loads what they name."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias
from uuid import UUID

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from jina.errors import NotSupportedError

_generator = random.Random()  # not the module's own: users seed that one, in every worker alike
_drawn: list[str] = []
_N_DRAWN = 256


def new_id() -> str:
    """Draw a document id: 32 hexadecimal digits, not secret, not repeated."""
    try:
        return _drawn.pop()
    except IndexError:  # another thread may come here too: both draw, and nothing is given twice
        digits = _generator.randbytes(16 * _N_DRAWN).hex()
        _drawn.extend([digits[at : at + 32] for at in range(32, len(digits), 32)])
        return digits[:32]


def _draw_anew() -> None:
    """A forked child shares neither what is drawn nor what will be."""
    _drawn.clear()
    _generator.seed()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_draw_anew)


def _string_of(value: Any) -> str:
    if isinstance(value, (int, UUID)) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, bytes):
        return value.decode()
    raise PydanticCustomError("string_type", "Input should be a valid string")


if TYPE_CHECKING:
    ID: TypeAlias = str
else:

    class ID(str):
        """The type of `BaseDoc.id`: any string; ints and UUIDs are turned into one. Values are plain `str`."""

        __slots__ = ()
        _proto_type_name: ClassVar[str] = "id"

        @classmethod
        def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
            string = core_schema.str_schema(coerce_numbers_to_str=True)
            converted = core_schema.no_info_plain_validator_function(_string_of)
            python = core_schema.union_schema([string, converted], mode="left_to_right", custom_error_type="string_type")
            return core_schema.json_or_python_schema(json_schema=string, python_schema=python)


class AnyUrl(str):
    """An address or a path, not checked for being reachable or even well-formed."""

    __slots__ = ()
    _proto_type_name: ClassVar[str] = "any_url"
    _loader: ClassVar[str] = "fetch it with `urllib.request.urlopen` or a client library of your choice"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema())

    def load(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse: documents carry addresses, they do not load them."""
        raise NotSupportedError(f"{type(self).__name__}.load() is not supported; {self._loader}")

    def load_bytes(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse, as `load` does."""
        raise NotSupportedError(f"{type(self).__name__}.load_bytes() is not supported; {AnyUrl._loader}")


class ImageUrl(AnyUrl):
    """The address of an image."""

    __slots__ = ()
    _proto_type_name: ClassVar[str] = "image_url"
    _loader: ClassVar[str] = "open the file with `PIL.Image.open`"


class AudioUrl(AnyUrl):
    """The address of a sound file."""

    __slots__ = ()
    _proto_type_name: ClassVar[str] = "audio_url"
    _loader: ClassVar[str] = "read the file with `soundfile.read`"


class VideoUrl(AnyUrl):
    """The address of a video."""

    __slots__ = ()
    _proto_type_name: ClassVar[str] = "video_url"
    _loader: ClassVar[str] = "read the file with `av.open`"


class TextUrl(AnyUrl):
    """The address of a text."""

    __slots__ = ()
    _proto_type_name: ClassVar[str] = "text_url"
    _loader: ClassVar[str] = "read the file with `pathlib.Path(url).read_text()`"


class Url3D(AnyUrl):
    """The address of a 3D model."""

    __slots__ = ()
    _proto_type_name: ClassVar[str] = "url3d"
    _loader: ClassVar[str] = "read the file with `trimesh.load`"


class Mesh3DUrl(Url3D):
    """The address of a mesh."""

    __slots__ = ()
    _proto_type_name: ClassVar[str] = "mesh_url"


class PointCloud3DUrl(Url3D):
    """The address of a point cloud."""

    __slots__ = ()
    _proto_type_name: ClassVar[str] = "point_cloud_url"


class BaseBytes(bytes):
    """Encoded media as it came: a file's content."""

    _proto_type_name: ClassVar[str] = "base_bytes"
    _loader: ClassVar[str] = "decode it with a library of your choice"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(cls, core_schema.bytes_schema())

    def load(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse: documents carry media, they do not decode them."""
        raise NotSupportedError(f"{type(self).__name__}.load() is not supported; {self._loader}")


class ImageBytes(BaseBytes):
    """The content of an image file."""

    _proto_type_name: ClassVar[str] = "image_bytes"
    _loader: ClassVar[str] = "decode it with `PIL.Image.open(io.BytesIO(data))`"


class AudioBytes(BaseBytes):
    """The content of a sound file."""

    _proto_type_name: ClassVar[str] = "audio_bytes"
    _loader: ClassVar[str] = "decode it with `soundfile.read(io.BytesIO(data))`"


class VideoBytes(BaseBytes):
    """The content of a video file."""

    _proto_type_name: ClassVar[str] = "video_bytes"
    _loader: ClassVar[str] = "decode it with `av.open(io.BytesIO(data))`"
