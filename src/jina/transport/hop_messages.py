"""What a front and a worker of ours say to each other: one gRPC message a call, an envelope and the documents behind it.

    4 bytes, little-endian: length of the envelope | envelope (msgpack) | documents, in the encoding the envelope names

The documents are never unpacked on the way: the front passes on the bytes that it received, and the worker answers in the encoding
that the front's caller wants. Both processes come from one supervisor, so the two always speak the same version.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from jina.call import Call, Item, Payload, Reply, Status
from jina.errors import MalformedError

CALL = "/openjina.Hop/call"
STREAM = "/openjina.Hop/stream"

_LENGTH = struct.Struct("<I")


class _CallEnvelope(msgspec.Struct, array_like=True, gc=False):
    endpoint: str
    encoding: str
    is_single: bool
    wants: str
    is_stream: bool
    request_id: str
    time_left_s: float | None
    call_id: bytes
    priority: int
    parameters: dict[str, Any]
    headers: dict[str, str]


class _ReplyEnvelope(msgspec.Struct, array_like=True, gc=False):
    status: Status | None
    encoding: str
    is_single: bool
    has_payload: bool
    results: dict[str, Any] | None
    headers: dict[str, str]


_encode = msgspec.msgpack.Encoder().encode
_decode_call = msgspec.msgpack.Decoder(_CallEnvelope).decode
_decode_reply = msgspec.msgpack.Decoder(_ReplyEnvelope).decode


def write_call(call: Call) -> bytes:
    """Pack a call; its deadline becomes the time that is left."""
    payload = call.payload
    envelope = _encode(
        _CallEnvelope(
            call.endpoint,
            payload.encoding,
            payload.is_single,
            call.wants,
            call.is_stream,
            call.request_id,
            None if call.deadline is None else call.deadline - time.monotonic(),
            call.call_id,
            call.priority,
            call.parameters,
            call.headers if type(call.headers) is dict else dict(call.headers),
        )
    )
    return b"".join((_LENGTH.pack(len(envelope)), envelope, payload.data))


def read_call(message: bytes) -> Call:
    """Unpack what `write_call` packed."""
    body, envelope = _split(message, _decode_call)
    left = envelope.time_left_s
    return Call(
        envelope.endpoint,
        Payload(body, envelope.encoding, envelope.is_single),
        envelope.request_id,
        envelope.parameters,
        envelope.headers,
        "",
        None if left is None else time.monotonic() + left,
        envelope.priority,
        envelope.is_stream,
        envelope.wants,
        envelope.call_id,
    )


def write_reply(status: Status | None, payload: Payload | None, results: dict[str, Any] | None, headers: Mapping[str, str]) -> bytes:
    """Pack a reply, or one item of a streamed one."""
    if payload is None:
        envelope, data = _encode(_ReplyEnvelope(status, "", False, False, results, dict(headers))), b""
    else:
        envelope = _encode(_ReplyEnvelope(status, payload.encoding, payload.is_single, True, results, dict(headers)))
        data = payload.data
    return b"".join((_LENGTH.pack(len(envelope)), envelope, data))


def read_reply(message: bytes) -> tuple[Reply, dict[str, Any] | None]:
    """Unpack a reply and what the method returned as a dict (None if it returned documents)."""
    body, envelope = _split(message, _decode_reply)
    payload = Payload(body, envelope.encoding, envelope.is_single) if envelope.has_payload else None
    return Reply(envelope.status, payload, headers=envelope.headers), envelope.results


def read_item(message: bytes) -> Item:
    """Unpack one item of a streamed reply."""
    body, envelope = _split(message, _decode_reply)
    payload = Payload(body, envelope.encoding, envelope.is_single) if envelope.has_payload else None
    return Item(payload, envelope.status)


def _split(message: bytes, decode: Any) -> tuple[bytes, Any]:
    try:
        end = 4 + _LENGTH.unpack_from(message)[0]
        return message[end:], decode(memoryview(message)[4:end])
    except (struct.error, msgspec.MsgspecError) as error:
        raise MalformedError(f"not a message of the hop: {error}") from error
