"""Documents as JSON, for classes of every family: what pydantic takes we take, unless it is no JSON; what is written is read back."""

from __future__ import annotations

import json
from typing import Any

from pydantic import TypeAdapter, ValidationError

from fuzz.documents import CODECS, INSTANCES, Checked, Tree
from jina.codec import Codec
from jina.codec.json_strict import check_json
from jina.errors import InvalidInputError, MalformedError

MAX_BYTES = 768
HELD_FACTOR = 2000
WORDS = (
    *(
        b'{"text":',
        b'"n":1',
        b'"score":1.5',
        b'"raw":"data:;base64,AA=="',
        b'"tensor":[[1,2],[3,4]]',
        b'"smalls":[{}]',
        b'"id":"x"',
        b"null",
    ),
    *(b'"theText":', b'"below":[{', b'"pet":{"name":"x"}', b"NaN", b"1e999", b'"\\ud800"', b'"moment":"2024-02-29T00:00:00Z"', b"[" * 30),
)
ADAPTERS: dict[type, Any] = {Checked: TypeAdapter(list[Checked]), Tree: TypeAdapter(list[Tree])}


def check(data: bytes) -> None:
    if not data:
        return
    codec, data = CODECS[data[0] % len(CODECS)], data[1:]
    docs = _read(codec.decode_json, data)
    adapter = ADAPTERS.get(codec.schema.cls)
    if adapter is not None and data:
        _compare(adapter, docs, data)
    if docs is not None:
        assert all(type(doc) is codec.schema.cls for doc in docs)
        if data:
            check_json(data)
        written = codec.encode_json(docs)
        json.loads(written)
        again = _read(codec.decode_json, written)  # NaN leaves as null, which not every field takes
        if again is not None:
            assert codec.encode_json(again) == written
    one = _read(codec.decode_json_one, data)
    assert (one is not None) == (_read(codec.decode_json, b"[" + data + b"]") is not None and data.strip() != b"") or _is_several(data)
    if one is not None:
        json.loads(codec.encode_json_one(one))


def _is_several(data: bytes) -> bool:
    try:
        return len(json.loads(b"[" + data + b"]")) != 1
    except (ValueError, RecursionError):
        return True


def _compare(adapter: Any, docs: Any, data: bytes) -> None:
    try:
        expected = adapter.validate_json(data)
    except ValidationError:
        assert docs is None
        return
    try:
        check_json(data)
    except (MalformedError, InvalidInputError):
        assert docs is None
        return
    assert docs == expected or repr(docs) == repr(expected), (docs, expected)


def _read(read: Any, data: bytes) -> Any:
    try:
        return read(data, b"0123456789abcdef")
    except (MalformedError, InvalidInputError) as error:
        json.dumps(getattr(error, "details", None), default=list)
        return None


def seeds() -> list[bytes]:
    found = []
    for index, (codec, docs) in enumerate(zip(CODECS, INSTANCES.values(), strict=True)):
        found.append(bytes((index,)) + _written(codec, docs))
        found.append(bytes((index,)) + codec.encode_json_one(docs[0]))
    return found


def _written(codec: Codec, docs: list[Any]) -> bytes:
    return codec.encode_json(docs)
