"""Ready-made documents. A field of such a class also takes the bare content: `Page(title='hi')` where `title: TextDoc`."""

from __future__ import annotations

from typing import Any, ClassVar, Optional

from pydantic import Field, GetCoreSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, core_schema

from jina.docs.base import BaseDoc
from jina.docs.doclist import DocList
from jina.docs.tensors import AnyEmbedding, AnyTensor, AudioTensor, ImageTensor, VideoTensor
from jina.docs.values import AudioBytes, AudioUrl, ImageBytes, ImageUrl, TextUrl, VideoBytes, VideoUrl


class _Content(BaseDoc):
    """A document that stands for one content; the names of the fields that take a bare string, bytes or tensor."""

    _string_field: ClassVar[str] = "url"
    _bytes_field: ClassVar[str] = "bytes_"
    _tensor_field: ClassVar[str] = "tensor"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = super().__get_pydantic_core_schema__(source, handler)
        known: Any = handler.resolve_ref_schema(schema)
        if known["type"] == "model":  # in place, so that the reference which names the class in a JSON schema stays on the outside
            inner = {key: value for key, value in known.items() if key != "ref"}
            outer = core_schema.with_info_before_validator_function(cls._from_content, inner, ref=known.get("ref"))
            known.clear()
            known.update(outer)
        return schema

    @classmethod
    def _from_content(cls, value: Any, info: ValidationInfo[Any]) -> Any:
        if info.mode == "json":
            return value
        if isinstance(value, str):
            return {cls._string_field: value}
        if isinstance(value, bytes):
            return {cls._bytes_field: value}
        if hasattr(value, "shape") and hasattr(value, "dtype"):
            return {cls._tensor_field: value}
        return value


class TextDoc(_Content):
    """A text, or where to find it."""

    _string_field: ClassVar[str] = "text"

    text: str | None = None
    url: TextUrl | None = None
    embedding: AnyEmbedding | None = None
    bytes_: bytes | None = None

    def __init__(self, text: str | None = None, **fields: Any) -> None:
        if text is not None:
            fields["text"] = text
        super().__init__(**fields)

    def __eq__(self, other: object) -> bool:
        return self.text == other if isinstance(other, str) else super().__eq__(other)

    __hash__: ClassVar[None]  # type: ignore[assignment]

    def __contains__(self, part: str) -> bool:
        return self.text is not None and part in self.text


class ImageDoc(_Content):
    """An image: where to find it, its pixels, its file's content."""

    url: ImageUrl | None = None
    tensor: ImageTensor | None = None
    embedding: AnyEmbedding | None = None
    bytes_: ImageBytes | None = None


class AudioDoc(_Content):
    """A sound: where to find it, its samples, its file's content."""

    url: AudioUrl | None = None
    tensor: AudioTensor | None = None
    embedding: AnyEmbedding | None = None
    bytes_: AudioBytes | None = None
    frame_rate: int | None = None


class VideoDoc(_Content):
    """A video: where to find it, its frames and sound, its file's content."""

    url: VideoUrl | None = None
    audio: AudioDoc | None = None
    tensor: VideoTensor | None = None
    key_frame_indices: AnyTensor | None = None
    embedding: AnyEmbedding | None = None
    bytes_: VideoBytes | None = None


class LegacyDocument(BaseDoc):
    """The fields of docarray's document before 0.30, as far as they are data."""

    tensor: AnyTensor | None = None
    chunks: Optional[DocList["LegacyDocument"]] = None  # noqa: UP045, UP037 - resolved by pydantic once the class exists
    matches: Optional[DocList["LegacyDocument"]] = None  # noqa: UP045, UP037
    blob: bytes | None = None
    text: str | None = None
    url: str | None = None
    embedding: AnyEmbedding | None = None
    tags: dict[str, Any] = Field(default_factory=dict)
    scores: dict[str, Any] | None = None
