"""Base-128 numbers, the one primitive that everything in protobuf stands on."""

from __future__ import annotations

from typing import Final

from jina.errors import MalformedError

MAX_LENGTH: Final = 10


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


_SMALL: Final = tuple(_varint(n) for n in range(2048))


def varint(value: int) -> bytes:
    """The bytes of `value`, from -2**63 to 2**64 - 1; a negative one as its two's complement in 64 bits (ten bytes)."""
    if 0 <= value < 2048:
        return _SMALL[value]
    return _varint(value & 0xFFFFFFFFFFFFFFFF)


def read_varint(buf: bytes, pos: int) -> tuple[int, int]:
    """The number at `pos`, 0 to 2**64 - 1, and the position behind it.

    Raises:
        IndexError: The bytes end within the number; whoever knows what was being read turns it into a MalformedError.
        MalformedError: The number is longer than ten bytes.
    """
    byte = buf[pos]
    if byte < 0x80:
        return byte, pos + 1
    value, shift = byte & 0x7F, 7
    for at in range(pos + 1, pos + MAX_LENGTH):
        byte = buf[at]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at + 1
        shift += 7
    raise MalformedError(f"a varint at byte {pos} is longer than {MAX_LENGTH} bytes")
