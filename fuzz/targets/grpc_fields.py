"""gRPC's header fields: timeouts, metadata, status messages. What is written is read back, what is read means what it says."""

from __future__ import annotations

import math
import re
from base64 import b64decode
from urllib.parse import unquote_to_bytes

from fuzz.choices import Choices
from jina.errors import InvalidInputError
from jina.wire import grpc_fields, hpack
from jina.wire.http2_fields import MalformedError

MAX_BYTES = 256
WORDS = (
    b"grpc-timeout",
    b"99999999H",
    b"1n",
    b"grpc-message",
    b"%41",
    b"%zz",
    b"a-bin",
    b"AAE=",
    b"AAE",
    b"grpc-status",
    b"-bin",
    b"te",
    b"\xc3\xa9",
)


def check(data: bytes) -> None:
    _check_timeout(data)
    _check_message(data)
    choices, fields = Choices(data), []
    while not choices.is_empty:
        name, value = choices.string().decode("latin-1"), choices.string().decode("latin-1")
        fields.append((name, value))
        _check_pair(name, value)
    values = {":method": "POST", ":status": "200", "content-type": "application/grpc", **dict(fields)}
    for build in (grpc_fields.RequestHead, grpc_fields.ReplyHead):
        try:
            head = build(fields, values)
        except MalformedError:
            assert any(name.endswith("-bin") for name, _ in fields)
            continue
        if not getattr(head, "refusal", 0):  # else it is no gRPC, and the names mean nothing
            assert all(isinstance(value, bytes if name.endswith("-bin") else str) for name, value in head.metadata)
        assert not any(name.startswith("grpc-") and not name.endswith("-bin") for name, _ in head.metadata)
        assert isinstance(head.headers, dict)
        if isinstance(head, grpc_fields.ReplyHead):
            assert -1 <= head.status < 1000
            head.message.encode(errors="surrogatepass")
        else:
            assert head.timeout_s is None or head.timeout_s >= 0
            assert isinstance(head.accepted, tuple)


def _check_timeout(data: bytes) -> None:
    text = data.decode("latin-1")
    try:
        timeout = grpc_fields.parse_timeout(text)
    except MalformedError:
        timeout = None
        assert not re.fullmatch(rb"[0-9]{1,8}[HMSmun]", data)
    else:
        assert timeout is None or timeout >= 0
    seconds = timeout if timeout is not None else float(int.from_bytes(data[:7], "little")) / 1e6
    again = grpc_fields.parse_timeout(grpc_fields.format_timeout(seconds))
    assert again is not None
    assert again >= seconds * (1 - 1e-9) or seconds > 99_999_999 * 3600
    assert math.isclose(again, seconds, rel_tol=1e-5, abs_tol=1e-9) or seconds > 99_999_999


def _check_message(data: bytes) -> None:
    text = data.decode(errors="replace")
    fields = dict(hpack.Decoder(max_list_bytes=1 << 20).decode(grpc_fields.trailers_block(5, text)))
    assert fields.get("grpc-message", "").isascii()
    assert unquote_to_bytes(fields.get("grpc-message", "")).decode() == text
    assert grpc_fields.ReplyHead(list(fields.items()), fields).message == text


def _check_pair(name: str, value: str) -> None:
    try:
        block = grpc_fields.encode_metadata(((name, value),))
    except InvalidInputError:
        return
    fields = hpack.Decoder().decode(block)
    (found,) = grpc_fields.read_metadata(fields) if not name.startswith("grpc-") or name.endswith("-bin") else fields
    assert found == (name, value.encode() if name.endswith("-bin") else value.strip(" ")), found
    if name.endswith("-bin"):
        assert b64decode(fields[0][1] + "==") == value.encode()


def seeds() -> list[bytes]:
    return [
        b"100m",
        b"99999999H",
        b"no caf\xc3\xa9 %",
        b"\1a\1b",
        b"\5a-bin\3AAE",
        b"\x0cgrpc-timeout\x025S",
        b"\x0bgrpc-status\0015\x0cgrpc-message\6a%20%zz",
    ]
