"""Raw option values, addresses and sources: what people write becomes a typed value or an error that says why, and reads the same twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from jina.errors import ConfigError
from jina.options import values
from jina.options.address import parse_address

MAX_BYTES = 128
WORDS = (
    b"100 MiB",
    b"1.5 kb",
    b"none",
    b"-1",
    b"true",
    b"off",
    b"1e400",
    b"grpc://h:1",
    b"[::1]:5",
    b"http,grpc",
    b'{"a":1}',
    b"K=V",
    b"K: [1]",
    b"nan",
    b"9" * 30,
)
READERS: tuple[Callable[[Any], Any], ...] = (
    *(values.scalar, values.text, values.integer, values.seconds, values.count, values.size, values.flag, values.strings, values.hosts),
    *(values.ports, values.protocols, values.mapping, values.polling, values.protocol_map_or_ports),
)
_FIXED = (values.integer, values.seconds, values.count, values.size, values.flag, values.strings, values.ports, values.polling)
"""Reading what they gave gives the same again."""


def check(data: bytes) -> None:
    text = data.decode(errors="replace")
    for read in READERS:
        found = _try(read, text)
        if found is not _REFUSED and read in _FIXED:
            assert _try(read, found) == found or found != found, (read, found)
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError):
        raw = None
    for read in READERS[1:]:
        _try(read, raw)
    try:
        address = parse_address(text)
    except ConfigError:
        return
    assert address.port is None or 0 <= address.port <= 65535


_REFUSED = object()


def _try(read: Callable[[Any], Any], raw: Any) -> Any:
    try:
        return read(raw)
    except (ValueError, ConfigError):
        return _REFUSED


def seeds() -> list[bytes]:
    texts = (
        "100 MiB",
        "8080,8081",
        "http,grpc",
        "KEY=value",
        '{"a": [1, null]}',
        "[1, 'a', true]",
        "grpcs://host:443/",
        "[::1]:5",
        "ANY",
        "1.5",
    )
    return [text.encode() for text in texts]
