"""The `routes` of request messages: who handled a call, from when to when."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple, Protocol

from jina.codec.fields import collect, last_text, skip_field, string_field, truncated
from jina.codec.varint import read_varint, varint


class Stop(Protocol):
    """What a route is written from; `jina.call.Route` is one."""

    executor: str
    start_s: float
    end_s: float
    is_failed: bool


@lru_cache(64)
def _stamp_head(tag: int, seconds: int, n_bytes: int) -> bytes:
    """Everything of a timestamp field whose nanoseconds take so many bytes, up to those."""
    field = b"\x08" + varint(seconds & 0xFFFFFFFFFFFFFFFF) if seconds else b""
    return bytes((tag, len(field) + 1 + n_bytes)) + field + b"\x10"


@lru_cache(512)
def _name(executor: str) -> bytes:
    return string_field(1, executor)


def _stamp(tag: int, unix_s: float) -> bytes:
    """A timestamp as a field, tag included. Three of four times have nanoseconds of five bytes as a varint, nearly all others of four."""
    seconds = int(unix_s) if unix_s > 0 else int(unix_s // 1)
    nanos = int((unix_s - seconds) * 1e9)
    if nanos > 0x1FFFFF:
        spread = nanos & 0x7F | (nanos & 0x3F80) << 1 | (nanos & 0x1FC000) << 2 | (nanos & 0xFE00000) << 3 | 0x808080
        if nanos <= 0xFFFFFFF:
            return _stamp_head(tag, seconds, 4) + spread.to_bytes(4, "little")
        return _stamp_head(tag, seconds, 5) + (spread | nanos >> 28 << 32 | 0x80000000).to_bytes(5, "little")
    body = timestamp_bytes(seconds, nanos)
    return bytes((tag, len(body))) + body


def timestamp_bytes(seconds: int, nanos: int = 0) -> bytes:
    """A serialised `google.protobuf.Timestamp`."""
    out = b"\x08" + varint(seconds & 0xFFFFFFFFFFFFFFFF) if seconds else b""
    return out + b"\x10" + varint(nanos) if nanos else out


def route_bytes(executor: str, start_s: float | None = None, end_s: float | None = None, status: bytes = b"") -> bytes:
    """One stop of a call, as a field of a request message (tag included).

    Args:
        executor: The deployment's name, or `gateway`.
        start_s: Unix seconds.
        end_s: Unix seconds.
        status: A serialised StatusProto, for a stop that failed.
    """
    route = _name(executor)
    if start_s is not None:
        route += _stamp(0x12, start_s)
    if end_s is not None:
        route += _stamp(0x1A, end_s)
    if status:
        route += b'"' + varint(len(status)) + status
    return b"\x1a" + varint(len(route)) + route


def routes_bytes(stops: Iterable[Stop], status: bytes = b"") -> bytes:
    """The stops of a call as the `routes` of a request message; those that failed carry `status`."""
    return b"".join([route_bytes(stop.executor, stop.start_s, stop.end_s, status if stop.is_failed else b"") for stop in stops])


def reply_routes(started_s: float, stops: Sequence[Stop] = (), status: bytes = b"", name: str = "gateway") -> bytes:
    """The `routes` of a reply that leaves now: the front's own stop first, as from Jina."""
    route = _name(name) + _stamp(0x12, started_s) + _stamp(0x1A, time.time())
    own = b"\x1a" + varint(len(route)) + route
    return own + routes_bytes(stops, status) if stops else own


class RouteParts(NamedTuple):
    """What a RouteProto says; times in Unix seconds, None where not set."""

    executor: str
    start_s: float | None
    end_s: float | None
    status: bytes


def read_route(data: bytes) -> RouteParts:
    """Read a serialised RouteProto (an element of `Envelope.routes`)."""
    fields: dict[int, list[bytes]] = {0x0A: [], 0x12: [], 0x1A: [], 0x22: []}
    collect(data, fields)
    start, end = fields[0x12], fields[0x1A]
    return RouteParts(
        last_text(fields[0x0A], "`routes.executor`"),
        read_timestamp(b"".join(start)) if start else None,
        read_timestamp(b"".join(end)) if end else None,
        b"".join(fields[0x22]),
    )


def read_timestamp(data: bytes) -> float:
    """Unix seconds in a serialised `google.protobuf.Timestamp`."""
    seconds = nanos = pos = 0
    end = len(data)
    try:
        while pos < end:
            if data[pos] == 0x08:
                seconds, pos = read_varint(data, pos + 1)
            elif data[pos] == 0x10:
                nanos, pos = read_varint(data, pos + 1)
            else:
                pos = skip_field(data, pos, end)
    except IndexError:
        raise truncated() from None
    return (seconds - (1 << 64) if seconds >> 63 else seconds) + (nanos & 0x7FFFFFFF) / 1e9
