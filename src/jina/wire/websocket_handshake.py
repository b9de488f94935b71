"""How an HTTP request becomes a WebSocket (RFC 6455, 4; RFC 8441, 5), sans-IO, for both roles."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from hashlib import sha1
from typing import Final, NamedTuple

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_VERSION: Final = "13"
_KEY_BYTES: Final = 16
BYTES, JSON = "bytes", "json"
_PROTOCOLS: Final = (BYTES, JSON)


class Refused(NamedTuple):
    """Why a request becomes no WebSocket: an HTTP status, a text, header lines."""

    status: int
    detail: str
    lines: bytes = b""


def answer(method: bytes, headers: Mapping[str, str]) -> bytes | Refused:
    """Give the header lines that grant a request to become a WebSocket, or the refusal.

    It is a GET over HTTP/1.1, or a CONNECT over HTTP/2, whose `upgrade` or `:protocol` has been looked at. The sub-protocol is told to
    browsers alone, as they close where it is not: Jina tells it to nobody.
    """
    if method not in (b"GET", b"CONNECT"):
        return Refused(405, "Method Not Allowed", b"allow: GET\r\n")
    if headers.get("sec-websocket-version") != _VERSION:
        lines = b"sec-websocket-version: 13\r\n" + (b"upgrade: websocket\r\n" if method == b"GET" else b"")
        return Refused(426, "only version 13 of WebSocket is spoken", lines)
    lines = b""
    if method == b"GET":
        key = headers.get("sec-websocket-key", "")
        if not _is_key(key):
            return Refused(400, "Sec-WebSocket-Key must be 16 bytes in base64")
        lines = b"upgrade: websocket\r\nsec-websocket-accept: %b\r\n" % accept_key(key).encode()
    found = _named(headers)
    if found and "origin" in headers:
        lines += b"sec-websocket-protocol: %b\r\n" % found.encode()
    return lines


def protocol_of(headers: Mapping[str, str]) -> str:
    """Give the sub-protocol: the first known one that was asked for, else `json`."""
    return _named(headers) or JSON


def _named(headers: Mapping[str, str]) -> str:
    names = (name.strip(" \t") for name in headers.get("sec-websocket-protocol", "").split(","))
    return next((name for name in names if name in _PROTOCOLS), "")


def is_same_origin(headers: Mapping[str, str]) -> bool:
    """Whether a page of this very service asks, or no page at all."""
    origin = headers.get("origin")
    return origin is None or origin.partition("://")[2].lower() == headers.get("host", "").lower() != ""


def new_key() -> str:
    """Give a client's key."""
    return base64.b64encode(os.urandom(_KEY_BYTES)).decode()


def accept_key(key: str) -> str:
    """Give what answers a client's key."""
    return base64.b64encode(sha1(key.encode("latin-1") + _GUID, usedforsecurity=False).digest()).decode()


def ask(key: str, headers: Mapping[str, str], *, offer: str = "") -> dict[str, str]:
    """Give the header fields of a client's request over HTTP/1.1: its own, and those of the handshake."""
    fields = {**headers, "connection": "Upgrade", "upgrade": "websocket", "sec-websocket-version": _VERSION, "sec-websocket-key": key}
    fields["sec-websocket-protocol"] = BYTES
    if offer:
        fields["sec-websocket-extensions"] = offer
    return fields


def fault_of(key: str, headers: Mapping[str, str]) -> str:
    """Say what is wrong with the fields of a 101 response; empty if nothing is."""
    if headers.get("upgrade", "").lower() != "websocket":
        return "the server did not change to WebSocket: field 'upgrade' is not 'websocket'"
    if "upgrade" not in (token.strip(" \t").lower() for token in headers.get("connection", "").split(",")):
        return "the server did not change to WebSocket: field 'connection' has no 'upgrade'"
    if headers.get("sec-websocket-accept") != accept_key(key):
        return "the server's Sec-WebSocket-Accept does not answer our key"
    if headers.get("sec-websocket-protocol", BYTES) != BYTES:
        return f"the server chose the sub-protocol {headers['sec-websocket-protocol'][:40]!r}, which was not asked for"
    return ""


def _is_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == _KEY_BYTES
    except (binascii.Error, ValueError):
        return False
