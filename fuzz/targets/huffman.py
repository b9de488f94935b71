"""HPACK's Huffman code, against the `hpack` library: the same strings, the same refusals, and one form for each string."""

from __future__ import annotations

from contextlib import suppress

import hpack
from hpack.huffman_table import decode_huffman

from jina.wire import huffman

MAX_BYTES = 64


def check(data: bytes) -> None:
    ours = theirs = None
    with suppress(huffman.HuffmanError):
        ours = huffman.decode(data)
    with suppress(hpack.HPACKDecodingError):
        theirs = decode_huffman(data)
    assert ours == theirs, (ours, theirs)
    if ours is not None:
        assert huffman.encode(ours) == data
    elif not sum(data) % 16:  # writing is not made for speed
        assert huffman.decode(huffman.encode(data)) == data


def seeds() -> list[bytes]:
    return [huffman.encode(text) for text in (b"", b"www.example.com", b"no-cache", bytes(range(256)), b"grpc-timeout 100m")]
