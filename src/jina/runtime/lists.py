"""Documents that are still bytes, as a list and one by one: streaming endpoints take and give single ones, all others lists."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from jina.call import Payload
from jina.codec.pieces import placed
from jina.codec.varint import read_varint, varint

_DOC = b"\x0a"
"""The tag of `DocListProto.docs`."""
_split_json = msgspec.json.Decoder(list[msgspec.Raw]).decode


def as_list(payload: Payload) -> Payload:
    """Give a single document as a list of one; a list stays what it is."""
    if not payload.is_single or not payload.data:
        return payload
    data = bytes(payload.data)
    body = b"[" + data + b"]" if payload.encoding == "json" else _DOC + varint(len(data)) + data
    return Payload(body, payload.encoding)


def each(payload: Payload) -> Iterator[Payload]:
    """Give the documents of a list that a worker has made, one by one."""
    if payload.is_single:
        yield payload
    elif payload.encoding != "json":
        for data in each_proto(payload.data):
            yield Payload(data, payload.encoding, is_single=True)
    elif payload.data:
        for raw in _split_json(payload.data):
            yield Payload(bytes(raw), "json", is_single=True)


def each_proto(documents: Any) -> Iterator[bytes]:
    """Give the bytes of each document of a `DocListProto` that one of us has written."""
    data, at = placed(documents)
    while at < len(data):
        size, start = read_varint(data, at + 1)
        at = start + size
        yield data[start:at]
