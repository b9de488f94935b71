"""gRPC's length-prefixed messages: cuts change nothing, what we frame and compress is read back, and bombs are refused unread."""

from __future__ import annotations

import zlib

from fuzz.choices import Choices, cuts
from jina.wire.grpc_messages import ENCODINGS, PREFIX, Allowance, MessageError, MessageReader, compress

MAX_BYTES = 1024
WORDS = (b"\0\0\0\0\5hello", b"\1\0\0\0\x14", b"\x1f\x8b\x08\0", b"x\x9c", b"\3\0", b"\1\0\0\xff\xff")
_LIMIT = 5_000
_TURN = 50


def check(data: bytes) -> None:
    choices = Choices(data)
    encoding = choices.pick(ENCODINGS)
    sent = choices.rest()
    if encoding != "identity":
        assert _unfolded(compress(sent, encoding), encoding, None) == sent
        packed = PREFIX.pack(1, len(sent)) + sent
        _compare(packed, encoding)
        _compare_with_zlib(sent, encoding)
    _compare(sent, encoding)
    framed = PREFIX.pack(0, len(sent)) + sent
    if len(sent) <= _LIMIT:
        assert MessageReader(encoding, _LIMIT).feed(framed * 2) == [sent, sent]


def _compare(sent: bytes, encoding: str) -> None:
    whole, pieces = _read([sent], encoding, None), _read(list(cuts(sent)), encoding, Allowance())
    assert whole[1] == pieces[1], (whole, pieces)
    assert whole[1] or whole == pieces
    assert sum(map(len, pieces[0])) <= len(sent) or encoding != "identity"


def _unfolded(data: bytes, encoding: str, limit: int | None) -> bytes:
    (found,) = MessageReader(encoding, limit).feed(PREFIX.pack(1, len(data)) + data)
    return found


def _read(pieces: list[bytes], encoding: str, allowance: Allowance | None) -> tuple[list[bytes], str, int]:
    """Give the messages, what was wrong, and how many bytes are left; an allowance is renewed with each piece."""
    reader, found = MessageReader(encoding, _LIMIT, None, allowance), list[bytes]()
    left = pieces[::-1]
    try:
        while left or reader.is_unfolding:
            if allowance is not None:
                allowance.n_bytes = _TURN
            found += reader.feed(left.pop() if left else b"")
            assert reader.is_unfolding or reader.n_bytes <= _LIMIT + 5
    except MessageError as error:
        return found, error.text, 0
    assert all(len(message) <= _LIMIT for message in found)
    return found, "", reader.n_bytes


def _compare_with_zlib(data: bytes, encoding: str) -> None:
    unpacker = zlib.decompressobj(31 if encoding == "gzip" else 15)
    try:
        expected: bytes | None = unpacker.decompress(data)
    except zlib.error:
        expected = None
    try:
        found: bytes | None = _unfolded(data, encoding, _LIMIT)
    except MessageError:
        found = None
    assert found is None or found == expected
    assert found is not None or expected is None or len(expected) > _LIMIT or not unpacker.eof


def seeds() -> list[bytes]:
    messages = [
        PREFIX.pack(0, 5) + b"hello",
        PREFIX.pack(1, 25) + compress(b"hello", "gzip"),
        PREFIX.pack(1, 13) + compress(b"hello", "deflate"),
    ]
    return [b"\0" + messages[0] * 2, b"\1" + messages[1], b"\2" + messages[2], b"\1" + compress(bytes(4000), "gzip"), b"\2\0\0\0"]
