"""The codec of one document class: JSON and the binary encoding behind one value."""

from __future__ import annotations

import threading
from typing import Any

from jina.codec.json import JsonCodec
from jina.codec.proto import ProtoCodec
from jina.codec.schema import Schema, schema_of

_CODECS: dict[type, Codec] = {}
_LOCK = threading.RLock()


class Codec:
    """Turns documents of one class to bytes and back; made once a class by `codec_for`.

    Attributes:
        schema: What the class looks like.

    Decoding raises MalformedError for bytes that do not parse and InvalidInputError, with details, for bytes that do not fit the class.
    """

    def __init__(self, cls: type) -> None:
        self.schema: Schema = schema_of(cls)
        json, proto = JsonCodec(self.schema), ProtoCodec(self.schema)
        self.decode_json, self.decode_json_one = json.decode, json.decode_one
        self.encode_json, self.encode_json_one = json.encode, json.encode_one
        self.json_schema = json.json_schema
        self.decode_proto, self.decode_proto_one = proto.decode, proto.decode_one
        self.encode_proto, self.encode_proto_one, self.encode_pieces = proto.encode, proto.encode_one, proto.encode_pieces

    def json_schema_v1(self) -> dict[str, Any]:
        """The JSON schema of one document in pydantic v1's dialect, as Jina's endpoint discovery gives it."""
        from jina.codec.schema_v1 import to_v1

        return to_v1(self.json_schema())

    def __repr__(self) -> str:
        return f"Codec({self.schema.cls.__qualname__})"


def codec_for(cls: type) -> Codec:
    """The codec of a document class, made at its first use.

    Args:
        cls: A BaseDoc (ours or docarray's), pydantic BaseModel, dataclass or msgspec.Struct class.

    Raises:
        ConfigError: The class cannot be a document; names the class and the field.
    """
    codec = _CODECS.get(cls)
    if codec is None:
        with _LOCK:  # its parts are kept by class, too, and made once
            codec = _CODECS.get(cls)
            if codec is None:
                codec = _CODECS[cls] = Codec(cls)
    return codec
