"""A field that comes very often costs no more than its bytes: each reader that once copied all before it, for every one."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from jina.codec.messages import read_document_request, read_request, read_status
from jina.codec.service_messages import read_endpoints
from jina.codec.struct import struct_to_dict, value_to_json
from jina.codec.varint import varint


def field(tag: int, value: bytes) -> bytes:
    return bytes((tag,)) + varint(len(value)) + value


def many(tag: int, value: bytes) -> bytes:
    return field(tag, value) * (1_500_000 // len(field(tag, value)))


CASES: dict[str, tuple[Callable[[bytes], Any], bytes]] = {
    "routes": (read_request, many(0x1A, b"")),
    "unknown fields": (read_request, many(0x2A, b"")),
    "headers": (read_request, many(0x0A, b"\x10\x00")),
    "parameters": (read_request, many(0x12, b"\x0a\x00")),
    "contents": (read_request, many(0x22, b"\x0a\x00")),
    "documents of a content": (read_request, field(0x22, many(0x0A, b"a"))),
    "documents": (read_document_request, many(0x22, b"a")),
    "status": (read_request, field(0x0A, many(0x12, b"\x08\x00"))),
    "exceptions of a status": (read_status, many(0x1A, b"\x0a\x00")),
    "values of a key": (struct_to_dict, field(0x0A, many(0x12, b"\x08\x00"))),
    "structs of a value": (value_to_json, b"".join(field(0x2A, field(0x0A, field(0x0A, b"%d" % n))) for n in range(60_000))),
    "lists of a value": (value_to_json, many(0x32, field(0x0A, b"\x08\x00"))),
    "schemas": (read_endpoints, many(0x1A, b"\x0a\x00")),
}


@pytest.mark.parametrize("name", CASES)
def test_time_grows_with_the_bytes_alone(name: str) -> None:
    """1.5 MB of one small field; copying all before it at each would take many seconds of processor time."""
    read, data = CASES[name]
    started = time.process_time()

    read(data)

    assert time.process_time() - started < 2.5
