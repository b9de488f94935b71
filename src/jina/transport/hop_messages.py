"""What a front and a worker of ours say to each other: one gRPC message a call, an envelope and the documents behind it.

    4 bytes, little-endian: length of the envelope | envelope (msgpack) | documents, in the encoding the envelope names

Where branches of a flow meet, the documents of each stand one after the other, and the envelope says whose they are and where they end.

The items of a streamed reply travel as many in one message as there are, each such a piece behind 4 bytes with its length.

The documents are never unpacked on the way: the front passes on the bytes that it received, and the worker answers in the encoding
that the front's caller wants. Both processes come from one supervisor, so the two always speak the same version.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Any

import msgspec

from jina.call import Call, Item, Payload, Reply, Status
from jina.codec.pieces import Message, Pieces, message_of, parts_of, tail
from jina.errors import MalformedError

CALL = "/openjina.Hop/call"
STREAM = "/openjina.Hop/stream"

_LENGTH = struct.Struct("<I")
_BROKEN = (struct.error, msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class _Branch(msgspec.Struct, array_like=True, gc=False):
    """Documents of one branch; they end `end` bytes behind the envelope."""

    name: str
    encoding: str
    is_single: bool
    end: int


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
    branches: list[_Branch]
    keeps_branches: bool


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


def write_call(call: Call) -> Message:
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
            _branches(call) if call.branches else [],
            call.keeps_branches,
        )
    )
    documents = Pieces(*(part for _, each in call.branches for part in parts_of(each.data))) if call.branches else payload.data
    return message_of(_LENGTH.pack(len(envelope)) + envelope, documents)


def _branches(call: Call) -> list[_Branch]:
    ends = accumulate(len(payload.data) for _, payload in call.branches)
    return [_Branch(name, each.encoding, each.is_single, end) for (name, each), end in zip(call.branches, ends, strict=True)]


def read_call(message: bytes) -> Call:
    """Unpack what `write_call` packed.

    Raises:
        MalformedError: Not what `write_call` makes.
    """
    end, envelope = _split(message, _decode_call)
    body = b"" if envelope.branches else message[end:] if envelope.encoding == "json" else tail(message, end)
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
        _read_branches(message, end, envelope.branches) if envelope.branches else (),
        envelope.keeps_branches,
    )


def _read_branches(message: bytes, start: int, branches: Sequence[_Branch]) -> tuple[tuple[str, Payload], ...]:
    begins = [start, *(start + each.end for each in branches)]
    if begins != sorted(begins) or begins[-1] != len(message):
        raise MalformedError("not a message of the hop: the documents of its branches do not end where it says")
    return tuple(
        (each.name, Payload(message[begin : start + each.end], each.encoding, each.is_single))
        for each, begin in zip(branches, begins, strict=False)
    )


def write_reply(status: Status | None, payload: Payload | None, results: dict[str, Any] | None, headers: Mapping[str, str]) -> Message:
    """Pack a reply, or one item of a streamed one."""
    if payload is None:
        envelope = _encode(_ReplyEnvelope(status, "", False, False, results, dict(headers)))
        return _LENGTH.pack(len(envelope)) + envelope
    if status is None and results is None and not headers:
        return message_of(_PLAIN[payload.encoding, payload.is_single], payload.data)
    envelope = _encode(_ReplyEnvelope(status, payload.encoding, payload.is_single, True, results, dict(headers)))
    return message_of(_LENGTH.pack(len(envelope)) + envelope, payload.data)


def _plain(encoding: str, is_single: bool) -> bytes:
    envelope = _encode(_ReplyEnvelope(None, encoding, is_single, True, None, {}))
    return _LENGTH.pack(len(envelope)) + envelope


_PLAIN = {(encoding, is_single): _plain(encoding, is_single) for encoding in ("json", "strict", "ours") for is_single in (False, True)}
"""What stands before the documents of a reply that is nothing but documents: nearly all of them."""
_PLAIN_ENVELOPES = {head[4:]: key for key, head in _PLAIN.items()}


def write_items(items: Sequence[Item], pack: Callable[[Status | None, Payload | None], Message]) -> bytes:
    """Put items of one stream into one message; `pack` packs those that are more than a document."""
    parts: list[bytes] = []
    for item in items:
        payload = item.payload
        if item.status is None and payload is not None:
            head = _PLAIN[payload.encoding, payload.is_single]
            parts += (_LENGTH.pack(len(head) + len(payload.data)), head, payload.data)
        else:
            packed = bytes(pack(item.status, payload))
            parts += (_LENGTH.pack(len(packed)), packed)
    return b"".join(parts)


def read_items(message: bytes) -> list[Item]:
    """Unpack the items of one message of a streamed reply.

    Raises:
        MalformedError: Not what `write_items` makes.
    """
    items, start = [], 0
    try:
        while start < len(message):
            end = start + 4 + _LENGTH.unpack_from(message, start)[0]
            items.append(_read_item(message, start + 4, end))
            start = end
    except _BROKEN as error:
        raise MalformedError(f"not items of the hop: {error}") from error
    return items


def _read_item(message: bytes, start: int, end: int) -> Item:
    body = start + 4 + _LENGTH.unpack_from(message, start)[0]
    envelope = message[start + 4 : body]
    plain = _PLAIN_ENVELOPES.get(envelope)
    if plain is not None:
        return Item(Payload(message[body:end], plain[0], plain[1]))
    read = _decode_reply(envelope)
    payload = Payload(message[body:end], read.encoding, read.is_single) if read.has_payload else None
    return Item(payload, read.status)


def read_reply(message: bytes) -> tuple[Reply, dict[str, Any] | None]:
    """Unpack a reply and what the method returned as a dict (None if it returned documents).

    Raises:
        MalformedError: Not what `write_reply` makes.
    """
    end = 4 + _LENGTH.unpack_from(message)[0] if len(message) >= 4 else 4
    plain = _PLAIN_ENVELOPES.get(message[4:end])
    if plain is not None:
        body = message[end:] if plain[0] == "json" else tail(message, end)
        return Reply(None, Payload(body, plain[0], plain[1])), None
    end, envelope = _split(message, _decode_reply)
    payload = Payload(message[end:], envelope.encoding, envelope.is_single) if envelope.has_payload else None
    return Reply(envelope.status, payload, headers=envelope.headers), envelope.results


def _split(message: bytes, decode: Any) -> tuple[int, Any]:
    """Give where the envelope ends, and the envelope."""
    try:
        end = 4 + _LENGTH.unpack_from(message)[0]
        return end, decode(memoryview(message)[4:end])
    except _BROKEN as error:
        raise MalformedError(f"not a message of the hop: {error}") from error
