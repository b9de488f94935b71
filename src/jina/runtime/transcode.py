"""JSON to our binary dialect and back without the class of the documents: for callers over HTTP of an executor that is not ours.

By what each value is, as docarray would write it. Pydantic and numpy are imported at the first document that needs this; that, and large
documents, are a thread's work.
"""

from __future__ import annotations

from typing import Any

from jina.call import Call, Payload
from jina.codec.join_proto import join_proto
from jina.codec.pieces import LARGE
from jina.errors import ConfigError
from jina.runtime.aside import aside

_made: list[Any] = []


def _codec() -> Any:
    if not _made:
        from jina.codec import codec_for
        from jina.docs import AnyDoc

        _made.append(codec_for(AnyDoc))
    return _made[0]


async def to_binary(payload: Payload, call_id: bytes) -> Payload:
    """Give JSON documents in our dialect, which is docarray's but for ints beyond 32 bits; those without an id get one of the call's.

    Raises:
        MalformedError, InvalidInputError: They are no JSON documents.
    """
    return await _aside(_to_binary, payload, call_id)


async def to_json(payload: Payload) -> Payload:
    """Give documents in either binary dialect as JSON.

    Raises:
        MalformedError: They are none.
        UnencodableError: A value has no form in JSON.
    """
    return await _aside(_to_json, payload)


async def joined(call: Call) -> Payload:
    """Give the documents of branches that meet at somebody else's executor as one list, in our dialect.

    Raises:
        ConfigError: They were to stay apart.
        MalformedError, InvalidInputError: They are no documents.
    """
    if call.keeps_branches:
        raise ConfigError("the documents of several nodes can only be given to it joined; take out no_reduce")
    parts = [await to_binary(each, call.call_id) if each.encoding == "json" and each.data else each for _, each in call.branches]
    lists = [bytes(part.data) for part in parts]
    return Payload(await aside(sum(map(len, lists)), join_proto, lists), "ours")


async def _aside(convert: Any, payload: Payload, *given: Any) -> Payload:
    made: Payload = await aside(len(payload.data) if _made else LARGE, convert, payload, *given)
    return made


def _to_binary(payload: Payload, call_id: bytes) -> Payload:
    codec = _codec()
    if payload.is_single:
        return Payload(codec.encode_proto_one(codec.decode_json_one(payload.data, call_id), dialect="ours"), "ours", True)
    return Payload(codec.encode_proto(codec.decode_json(payload.data, call_id), dialect="ours"), "ours")


def _to_json(payload: Payload) -> Payload:
    codec = _codec()
    if payload.is_single:
        return Payload(codec.encode_json_one(codec.decode_proto_one(payload.data)), "json", True)
    return Payload(codec.encode_json(codec.decode_proto(payload.data)), "json")
