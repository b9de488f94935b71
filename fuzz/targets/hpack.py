"""HPACK's decoder over several blocks of one connection, against the `hpack` library: the same fields or a refusal of both.

The library takes integers of any length and any number of size updates, ours five bytes and two (RFC 7541, 4.2); lists over our limits
are compared no further.
"""

from __future__ import annotations

from contextlib import suppress

import hpack as oracle

from fuzz.choices import Choices
from jina.wire import hpack

MAX_BYTES = 512
WORDS = (b"\x82", b"\x40", b"\x3f\xe1\x1f", b"\x20", b"\xbe", b"\x0f\x2f", b"\x7f", b"\xff", b"content-length", b"\x80\x80\x80\x00")


def check(data: bytes) -> None:
    choices = Choices(data)
    ours, theirs = hpack.Decoder(), oracle.Decoder()
    while not choices.is_empty:
        block = choices.string()
        found = expected = None
        try:
            found = ours.decode(block)
        except hpack.HpackError as error:
            if "integer" in str(error) or "at most two" in str(error):
                return
        except (hpack.HeaderBombError, hpack.HeaderListTooLargeError):
            return
        with suppress(oracle.HPACKError):
            expected = [(str(name, "latin-1"), str(value, "latin-1")) for name, value in theirs.decode(block, raw=True)]
        assert found == expected, (found, expected)
        if found is None:
            return
        assert ours.is_suspect or all(hpack.is_name(name) and hpack.is_value(value) for name, value in found)
        assert [(str(n, "latin-1"), str(v, "latin-1")) for n, v in oracle.Decoder().decode(hpack.encode(found), raw=True)] == found


def seeds() -> list[bytes]:
    encoder, found = oracle.Encoder(), []
    for n in range(4):
        fields = [(":method", "POST"), (":path", "/a"), ("content-length", str(n)), ("grpc-timeout", f"{n}m"), ("x-" + "y" * n, "z")]
        encoder.header_table_size = 100 * n
        found.append(encoder.encode(fields, huffman=n % 2 == 0))
    return [b"".join(bytes((len(block),)) + block for block in found), *(bytes((len(block),)) + block for block in found)]
