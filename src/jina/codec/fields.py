"""The protobuf wire format one field at a time: what the message codecs share.

Readers work on `bytes` and absolute positions, and raise IndexError, `struct.error` or MalformedError on bad input; whoever calls
them from outside turns the first two into MalformedError (`reading`). A tag that is longer than it must be is refused: no writer
makes one, and a tag that two readers might understand differently has no place behind a proxy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from jina.codec.varint import read_varint, varint
from jina.errors import MalformedError

MAX_GROUP_DEPTH: Final = 100
_MAX_SIZE_BYTES: Final = 5
"""Of the number that says how long a value is: protobuf takes no more, even where they say little."""


def read_tag(data: bytes, pos: int) -> tuple[int, int]:
    """The tag at `pos` (field number << 3 | wire type) and the position behind it."""
    tag, after = read_varint(data, pos)
    if tag < 8 or tag >= 1 << 32 or (after - pos > 1 and tag < 1 << (7 * (after - pos - 1))):
        raise MalformedError(f"malformed protobuf: no field has the tag at byte {pos}")
    return tag, after


def skip_value(data: bytes, pos: int, end: int, tag: int, depth: int = 0) -> int:
    """The position behind the value at `pos` that `tag` announced; groups are skipped whole."""
    kind = tag & 7
    if kind == 2:
        size, start = read_varint(data, pos)
        if start - pos > _MAX_SIZE_BYTES:
            raise MalformedError(f"malformed protobuf: the size at byte {pos} has more than {_MAX_SIZE_BYTES} bytes")
        pos = start + size
    elif kind == 0:
        _, pos = read_varint(data, pos)
    elif kind == 1:
        pos += 8
    elif kind == 5:
        pos += 4
    elif kind == 3 and depth < MAX_GROUP_DEPTH:
        pos = _skip_group(data, pos, end, tag + 1, depth + 1)
    else:
        raise MalformedError(f"malformed protobuf: wire type {kind} at byte {pos} does not belong there")
    if pos > end:
        raise MalformedError(f"malformed protobuf: field {tag >> 3} ends {pos - end} bytes behind its message")
    return pos


def _skip_group(data: bytes, pos: int, end: int, end_tag: int, depth: int) -> int:
    while True:
        tag, pos = read_tag(data, pos)
        if tag == end_tag:
            return pos
        pos = skip_value(data, pos, end, tag, depth)


def skip_field(data: bytes, pos: int, end: int) -> int:
    """The position behind the whole field (tag and value) at `pos`."""
    tag, after = read_tag(data, pos)
    return skip_value(data, after, end, tag)


def split_fields(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Each field as (tag, number, bytes): the number for varints, the bytes for the other wire types (groups whole).

    Raises:
        MalformedError: The bytes are not a protobuf message.
    """
    pos, end = 0, len(data)
    try:
        while pos < end:
            tag, start = read_tag(data, pos)
            pos = skip_value(data, start, end, tag)
            if tag & 7 == 0:
                yield tag, read_varint(data, start)[0], b""
            elif tag & 7 == 2:
                yield tag, 0, data[read_varint(data, start)[1] : pos]
            else:
                yield tag, 0, data[start:pos]
    except IndexError:
        raise truncated() from None


def truncated() -> MalformedError:
    """The error for bytes that end inside a field."""
    return MalformedError("malformed protobuf: the message ends in the middle of a field")


def text(data: bytes, what: str = "a string field") -> str:
    """UTF-8 bytes as str; protobuf's strings are never anything else."""
    try:
        return str(data, "utf-8")
    except UnicodeDecodeError as error:
        raise MalformedError(f"malformed protobuf: {what} is not UTF-8: {data[:40]!r} ({error.reason})") from None


def bytes_field(number: int, value: bytes) -> bytes:
    """A length-delimited field, also when empty."""
    return varint(number << 3 | 2) + varint(len(value)) + value


def string_fields(number: int, values: Iterable[str]) -> bytes:
    """A repeated string field."""
    return b"".join([bytes_field(number, value.encode()) for value in values])


def string_field(number: int, value: str) -> bytes:
    """A string field without presence: nothing for an empty string."""
    return bytes_field(number, value.encode()) if value else b""


def map_order(key: str) -> bytes:
    """Sort key of the entries of a map in protobuf's deterministic form: bytewise, a longer key before its own prefix."""
    return key.encode("utf-8", "surrogatepass") + b"\xff"  # UTF-8 never holds FF


def collect(data: bytes, into: dict[int, list[bytes]]) -> None:
    """Append the bytes of each length-delimited field to the list that stands under its one-byte tag; other fields are skipped."""
    pos, end = 0, len(data)
    try:
        while pos < end:
            values = into.get(data[pos])
            if values is None:
                pos = skip_field(data, pos, end)
                continue
            size, start = read_varint(data, pos + 1)
            pos = start + size
            values.append(data[start:pos])
    except IndexError:
        raise truncated() from None
    if pos != end:
        raise truncated()


def last_text(parts: list[bytes], what: str) -> str:
    """The last of a string field's values, which is the one that counts; empty if there is none."""
    return text(parts[-1], what) if parts else ""
