"""The envelope of a JSON request, against the standard library's parser: the same parts of what is JSON, a refusal of the rest."""

from __future__ import annotations

import json
import re
from functools import partial
from typing import Any

from jina.wire.envelope import Envelope, EnvelopeError, read_batch, read_documents, read_one, read_parameters

WORDS = (
    *(b'"data"', b'"parameters"', b'"header"', b'"requestId"', b'"targetExecutor"', b'"request_id"', b"null", b"true", b"1e999", b"NaN"),
    *(b'{"a":', b'"\\u0061"', b'"\\ud800"', b"[" * 20, b"{}", b"-0.0", b"\xff", b"\xef\xbb\xbf", b"9" * 20, b'"d\\u0061ta"'),
)


class _TwiceError(ValueError):
    pass


def check(data: bytes) -> None:
    batch, one = _try(read_batch, data), _try(partial(read_one, endpoint="/x"), data)
    _try(read_parameters, data)
    documents = _try(read_documents, data)
    value = _value(data)
    if documents is not None:
        assert json.loads(documents) == value, (documents, value)
        assert _try(read_documents, documents) == documents
    for envelope in (batch, one):
        if isinstance(envelope, Envelope) and not envelope.is_bare and value is not None:
            inner = value["data"] if envelope is one or isinstance(value["data"], list) else [value["data"]]
            assert _value(envelope.data) == inner
            assert envelope.parameters == (value.get("parameters") or {}) or re.search(rb"[0-9]{16}", data)
            assert json.loads(json.dumps(envelope.parameters, allow_nan=False)) == envelope.parameters
    if isinstance(value, dict) and isinstance(value.get("data"), list) and value.keys() == {"data"} and data.isascii():
        assert batch is not None


def _try(read: Any, data: bytes) -> Any:
    try:
        return read(data)
    except EnvelopeError as error:
        refusal = error
    assert refusal.status in (400, 422)
    json.dumps(refusal.detail).encode()
    return None


def _value(data: bytes) -> Any:
    try:
        return json.loads(data.decode(), object_pairs_hook=_pairs, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None


def _pairs(members: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(members)) != len(members):
        raise _TwiceError
    return dict(members)


def _refuse(text: str) -> Any:
    raise ValueError(text)


def seeds() -> list[bytes]:
    return [
        b'{"data": [{"text": "a"}], "parameters": {"a": 1, "b": [true, null, {"c": "d"}]}, "header": {"requestId": "x"}}',
        b'{"data":{"text":"a"}}',
        b'{"text": "a", "n": 1.5e3}',
        b'{"header": {"target_executor": "e", "request_id": null}, "data": [], "parameters": null}',
        b'{"data": [], "d\\u0061ta": []}',
        b'"\\ud83d\\ude00 \xc3\xa9"',
    ]
