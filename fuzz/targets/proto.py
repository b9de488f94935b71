"""The binary encoding, for classes of every family: documents or a refusal, the same whichever way they are read, stable once written."""

from __future__ import annotations

from typing import Any

from fuzz.documents import CODECS, INSTANCES
from jina.codec import Codec
from jina.errors import InvalidInputError, MalformedError, UnencodableError

MAX_BYTES = 768
HELD_FACTOR = 1500
WORDS = (
    *(
        b"\n\x04text",
        b"\n\x02id",
        b"\n\x01n",
        b"\n\x05small",
        b"\n\x06smalls",
        b"\n\x06tensor",
        b"\n\x03pet",
        b"\n\x05value",
        b"\n\x08anything",
    ),
    *(
        b"\x12\x02\n\x00",
        b"\x12\x02\x12\x00",
        b"R\x02id",
        b"R\x05j.int",
        b"R\x07ndarray",
        b"<f4",
        b"\n\x02\x10\x01",
        b"\xff\xff\xff\xff\x0f",
    ),
)
UNKNOWN = b"\xf8\x01\x00"


def check(data: bytes) -> None:
    if not data:
        return
    codec, data = CODECS[data[0] % len(CODECS)], data[1:]
    docs = _read(codec.decode_proto, data)
    assert _written(codec, docs) == _written(codec, _read(codec.decode_proto, UNKNOWN + data)), "not the same with an unknown field"
    if docs is not None:
        assert all(type(doc) is codec.schema.cls for doc in docs)
        _check_stable(codec, docs)
    one = _read(codec.decode_proto_one, data)
    other = _read(codec.decode_proto_one, UNKNOWN + data)
    assert _written(codec, one and [one]) == _written(codec, other and [other])


def _check_stable(codec: Codec, docs: list[Any]) -> None:
    written = codec.encode_proto(docs, dialect="ours")
    for trusted in (False, True):
        again = codec.decode_proto(written, b"0123456789abcdef", trusted=trusted)
        assert codec.encode_proto(again, dialect="ours") == written
    try:
        strict = codec.encode_proto(docs)
    except UnencodableError:
        return
    if _read(codec.decode_proto, strict) is not None:  # the strict dialect does not tell all types apart
        assert len(codec.decode_proto(strict)) == len(docs)


def _read(read: Any, data: bytes) -> Any:
    try:
        return read(data, b"0123456789abcdef")
    except (MalformedError, InvalidInputError):
        return None


def _written(codec: Codec, docs: Any) -> bytes | None:
    return None if docs is None else codec.encode_proto(docs, dialect="ours")


def seeds() -> list[bytes]:
    found = []
    for index, (codec, docs) in enumerate(zip(CODECS, INSTANCES.values(), strict=True)):
        found.append(bytes((index,)) + codec.encode_proto(docs, dialect="ours"))
        found.append(bytes((index,)) + codec.encode_proto_one(docs[0], dialect="ours"))
    return found
