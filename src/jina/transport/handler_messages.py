"""What an app process and the front say to each other: whole Calls and Replies as msgpack, one gRPC message each.

A streamed reply is a message with its head (or with the failure that came before the first item), then a message an item.
"""

from __future__ import annotations

import time
from typing import Any

import msgspec

from jina.call import Call, Item, Payload, Reply, Status
from jina.errors import MalformedError


class _ReplyMessage(msgspec.Struct, array_like=True):
    status: Status | None
    payload: Payload | None
    parameters: dict[str, Any]
    description: str
    headers: dict[str, str]


_encode = msgspec.msgpack.Encoder().encode
_decode_call = msgspec.msgpack.Decoder(Call).decode
_decode_reply = msgspec.msgpack.Decoder(_ReplyMessage).decode
_decode_item = msgspec.msgpack.Decoder(Item).decode


def write_call(call: Call) -> bytes:
    """Pack a call; its deadline becomes the time that is left."""
    if call.deadline is not None:
        call = msgspec.structs.replace(call, deadline=call.deadline - time.monotonic())
    return _encode(call)


def read_call(message: bytes) -> Call:
    """Unpack a call.

    Raises:
        MalformedError: Not what `write_call` makes.
    """
    try:
        call = _decode_call(message)
    except msgspec.MsgspecError as error:
        raise MalformedError(f"not a call of an app process: {error}") from error
    if call.deadline is not None:
        call.deadline += time.monotonic()
    return call


def write_reply(reply: Reply) -> bytes:
    """Pack a reply, its items and routes excepted."""
    return _encode(_ReplyMessage(reply.status, reply.payload, reply.parameters, reply.description, reply.headers))


def read_reply(message: bytes) -> Reply:
    """Unpack what `write_reply` packed.

    Raises:
        MalformedError: Not what `write_reply` makes.
    """
    try:
        read = _decode_reply(message)
    except msgspec.MsgspecError as error:
        raise MalformedError(f"not a reply of the front: {error}") from error
    return Reply(read.status, read.payload, None, read.parameters, [], read.description, read.headers)


def write_item(item: Item) -> bytes:
    """Pack one item of a streamed reply."""
    return _encode(item)


def read_item(message: bytes) -> Item:
    """Unpack what `write_item` packed.

    Raises:
        MalformedError: Not what `write_item` makes.
    """
    try:
        return _decode_item(message)
    except msgspec.MsgspecError as error:
        raise MalformedError(f"not an item of the front: {error}") from error
