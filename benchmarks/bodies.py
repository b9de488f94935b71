"""What the load generators send: 1,000 different small documents, as JSON for HTTP and as Jina's DataRequest for gRPC.

The bytes are made here, without the code under test. The server must answer with `changed(text)` for each text.
"""

from __future__ import annotations

import json
import struct

N_BODIES = 1000
TEXTS = [f"document number {number:04d} says hello" for number in range(N_BODIES)]


def changed(text: str) -> str:
    """What every echo server makes of a text."""
    return text + "!"


def json_body(text: str) -> bytes:
    return json.dumps({"data": [{"text": text}]}, separators=(",", ":")).encode()


def data_request(text: str, endpoint: str = "/echo") -> bytes:
    """A serialised jina.DataRequestProto with one document that has `id` and `text`."""
    node = field(1, text.encode())
    document = map_entry("id", field(1, text.encode().hex()[:32].encode()) + field(13, b"id")) + map_entry("text", node)
    header = field(1, b"a" * 32) + field(3, endpoint.encode())
    return field(1, header) + field(4, field(1, field(1, document)))


def map_entry(key: str, value: bytes) -> bytes:
    return field(1, field(1, key.encode()) + field(2, value))


def field(number: int, value: bytes) -> bytes:
    """One length-delimited field of protobuf."""
    return varint(number << 3 | 2) + varint(len(value)) + value


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def grpc_message(message: bytes) -> bytes:
    """A message as it stands in DATA frames: not compressed, four bytes of length."""
    return b"\0" + len(message).to_bytes(4, "big") + message


def tensor_request(rows: list[tuple[float, ...]], endpoint: str = "/tensors") -> bytes:
    """A serialised jina.DataRequestProto of documents with `id` and a float32 `tensor` of one axis."""
    documents = b"".join(field(1, tensor_document(number, row)) for number, row in enumerate(rows))
    header = field(1, b"a" * 32) + field(3, endpoint.encode())
    return field(1, header) + field(4, field(1, documents))


def tensor_document(number: int, row: tuple[float, ...]) -> bytes:
    dense = field(1, float32(row)) + field(2, varint(len(row))) + field(3, b"<f4")
    node = field(6, field(1, dense)) + field(13, b"ndarray")
    return map_entry("id", field(1, b"%032x" % number) + field(13, b"id")) + map_entry("tensor", node)


def float32(row: tuple[float, ...]) -> bytes:
    return struct.pack(f"<{len(row)}f", *row)


TENSORS = [tuple(float((number * 768 + place) % 1000) for place in range(768)) for number in range(32)]
"""Whole numbers, so that float32 is exact."""
TENSORS_REQUEST = tensor_request(TENSORS)
TENSORS_EXPECTED = float32(tuple(2 * value + 1 for value in TENSORS[-1]))
"""What the Flow of two makes of the last one's values."""
