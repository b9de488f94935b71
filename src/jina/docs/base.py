"""`BaseDoc`: a pydantic model with an `id` that goes over the wire as docarray's documents do."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema

from jina.codec.json_values import with_text_bytes
from jina.docs.framing import ProtoBytes, compress, decompress, message_bytes, refuse_pickle
from jina.docs.values import ID, new_id

if TYPE_CHECKING:
    from collections.abc import Mapping


class BaseDocWithoutId(BaseModel):
    """A document that has no `id`. Unknown fields are ignored, assignments are validated."""

    model_config: ClassVar[ConfigDict] = ConfigDict(validate_assignment=True)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        model: Any = handler.resolve_ref_schema(schema)
        while model.get("type") not in ("model", "definition-ref") and isinstance(model.get("schema"), dict):
            model = model["schema"]  # a model validator around the model
        if model.get("type") == "model":
            model["schema"] = with_text_bytes(model["schema"])
        return schema

    def __eq__(self, other: object) -> bool:
        """Compare class and fields, arrays by their elements; the id says which document it is, not what it holds."""
        if not isinstance(other, BaseDocWithoutId) or type(self) is not type(other):
            return NotImplemented
        mine, others = self.__dict__, other.__dict__
        return mine.keys() == others.keys() and all(_equal(value, others[name]) for name, value in mine.items() if name != "id")

    __hash__: ClassVar[None]  # type: ignore[assignment]

    def to_json(self) -> str:
        """Give the document as a JSON object. Bytes that are no UTF-8 text are `data:;base64,...`; NaN is null."""
        return _json_codec_of(type(self)).encode_one(self).decode()  # type: ignore[no-any-return]

    @classmethod
    def from_json(cls, data: str | bytes) -> Self:
        """Make a document from a JSON object.

        Raises:
            pydantic.ValidationError: It is not one of this class.
        """
        return cls.model_validate_json(data)

    def to_protobuf(self) -> ProtoBytes:
        """Give the document as a serialised `DocProto`; `SerializeToString()` of the result is the result."""
        return ProtoBytes(_codec_of(type(self)).encode_proto_one(self))

    @classmethod
    def from_protobuf(cls, message: Any) -> Self:
        """Make a document from a `DocProto`: its bytes, or any message object that has `SerializeToString()`."""
        return _codec_of(cls).decode_proto_one(message_bytes(message))  # type: ignore[no-any-return]

    def to_bytes(self, protocol: str = "protobuf", compress: str | None = None) -> bytes:
        """Give the document as bytes: `protobuf` or `json`, compressed with `gzip`, `zlib`, `bz2` or `lzma` if wanted."""
        if protocol == "json":
            data = self.to_json().encode()
        else:
            refuse_pickle(protocol, ("protobuf", "json"))
            data = bytes(self.to_protobuf())
        return _compress(data, compress)

    @classmethod
    def from_bytes(cls, data: bytes, protocol: str = "protobuf", compress: str | None = None) -> Self:
        """Make a document from what `to_bytes` with the same arguments gave."""
        data = decompress(data, compress)
        if protocol == "json":
            return cls.from_json(data)
        refuse_pickle(protocol, ("protobuf", "json"))
        return cls.from_protobuf(data)

    def to_base64(self, protocol: str = "protobuf", compress: str | None = None) -> str:
        """Give `to_bytes` as base64 text."""
        return base64.b64encode(self.to_bytes(protocol, compress)).decode()

    @classmethod
    def from_base64(cls, data: str, protocol: str = "protobuf", compress: str | None = None) -> Self:
        """Make a document from what `to_base64` with the same arguments gave."""
        return cls.from_bytes(base64.b64decode(data), protocol, compress)

    def update(self, other: BaseDocWithoutId) -> None:
        """Take over the fields that were set on `other`: lists grow, sets and dicts are joined, nested documents are updated.

        Raises:
            TypeError: `other` is of another class.
        """
        if type(other) is not type(self):
            raise TypeError(f"update needs another {type(self).__name__}, got {type(other).__name__}")
        for name in other.model_fields_set - {"id"}:
            _update_field(self, name, getattr(other, name))

    def summary(self) -> None:
        """Print class, fields and values, values cut to one line."""
        print(f"{type(self).__name__}")
        for name, value in self.__dict__.items():
            text = " ".join(repr(value).split())
            print(f"  {name}: {text if len(text) <= 80 else text[:77] + '...'}")


class BaseDoc(BaseDocWithoutId):
    """A document: typed fields and an `id`, drawn at random unless it is given."""

    id: ID = Field(default_factory=new_id, description="Names the document; drawn at random unless given.")


class AnyDoc(BaseDoc):
    """A document of any fields: what it is made from is kept as it comes."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="allow")

    def __eq__(self, other: object) -> bool:
        return bool(super().__eq__(other)) and _equal(self.__pydantic_extra__, getattr(other, "__pydantic_extra__", None))

    __hash__: ClassVar[None]  # type: ignore[assignment]


_compress = compress


def _codec_of(cls: type) -> Any:
    from jina.codec import codec_for  # type: ignore[attr-defined,unused-ignore]

    return codec_for(cls)


def _json_codec_of(cls: type) -> Any:
    from jina.codec.json import json_codec

    return json_codec(cls)


def _equal(one: Any, other: Any) -> bool:
    if hasattr(one, "shape") and hasattr(other, "shape"):
        return bool(one.shape == other.shape and (one == other).all())
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(value, other[key]) for key, value in one.items())
    return bool(one == other) if not (hasattr(one, "shape") or hasattr(other, "shape")) else False


def _update_field(doc: BaseDocWithoutId, name: str, value: Any) -> None:
    mine = getattr(doc, name)
    if isinstance(mine, BaseDocWithoutId) and type(mine) is type(value):
        mine.update(value)
    elif isinstance(mine, list) and isinstance(value, list):
        _update_list(mine, value)
    elif isinstance(mine, set) and isinstance(value, set):
        mine |= value
    elif isinstance(mine, dict) and isinstance(value, dict):
        _update_dict(mine, value)
    else:
        setattr(doc, name, value)


def _update_list(mine: list[Any], value: list[Any]) -> None:
    """Documents that both have, by id, are updated; everything else is appended."""
    by_id = {doc.id: doc for doc in mine if isinstance(doc, BaseDoc)}
    for item in value:
        known = by_id.get(item.id) if isinstance(item, BaseDoc) else None
        if known is None:
            mine.append(item)
        else:
            known.update(item)


def _update_dict(mine: dict[Any, Any], value: Mapping[Any, Any]) -> None:
    mine.update(value)
