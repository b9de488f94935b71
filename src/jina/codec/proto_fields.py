"""The wire format of docarray's messages: fields, map entries and NodeProtos as spans of bytes, in every form that protobuf allows.

Fields in any order, repeated ones (the last wins, messages merge, as protobuf has it), unknown ones (skipped). Every length is checked
against what is left and every failure is a MalformedError, save for bytes that end within a number or a double: IndexError, struct.error.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import Any, Final

from jina.codec import proto_wire as w
from jina.codec.varint import read_varint
from jina.errors import MalformedError

_unpack_double: Final = Struct("<d").unpack_from
_MAX_TAG: Final = 0xFFFFFFFF
_MESSAGES: Final = frozenset((w.NDARRAY, w.DOC, w.DOC_ARRAY, w.LIST, w.SET, w.TUPLE, w.DICT))
_WIRE_TYPES: Final = {w.INTEGER: 0, w.FLOAT: 1, w.BOOLEAN: 0}

Span = tuple[bytes, int, int]


def broken(what: str, pos: int) -> MalformedError:
    """The error for bytes that are no such message."""
    return MalformedError(f"not a protobuf message of documents: {what} at byte {pos}")


def number_at(buf: bytes, pos: int, end: int) -> tuple[int, int]:
    """A varint that ends before `end`."""
    value, pos = read_varint(buf, pos)
    if pos > end:
        raise broken("a number runs over the end of its message", pos)
    return value, pos


def fields_of(buf: bytes, pos: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Each field as (number, wire type, start, stop) of its content; for a varint the content is the number's bytes."""
    while pos < end:
        tag, pos = number_at(buf, pos, end)
        number, wire = tag >> 3, tag & 7
        if not number or tag > _MAX_TAG:
            raise broken(f"tag {tag}", pos)
        start = pos
        if wire == 2:
            size, start = number_at(buf, pos, end)
            pos = start + size
        elif wire == 0:
            pos = number_at(buf, pos, end)[1]
        elif wire == 1:
            pos += 8
        elif wire == 5:
            pos += 4
        elif wire == 3:
            pos = _skip_group(buf, pos, end, number)
        else:
            raise broken(f"wire type {wire}", pos)
        if pos > end:
            raise broken("a field runs over the end of its message", start)
        yield number, wire, start, pos


def _skip_group(buf: bytes, pos: int, end: int, number: int) -> int:
    """The position behind the end of an unknown group; groups may nest, as deep as documents may."""
    open_groups = [number]
    while open_groups:
        tag, pos = number_at(buf, pos, end)
        wire = tag & 7
        if wire == 3:
            open_groups.append(tag >> 3)
            if len(open_groups) > w.MAX_DEPTH:
                raise broken("groups nested too deep", pos)
        elif wire == 4:
            if open_groups.pop() != tag >> 3:
                raise broken("a group that ends without having begun", pos)
        elif wire == 2:
            size, pos = number_at(buf, pos, end)
            pos += size
        elif wire == 0:
            pos = number_at(buf, pos, end)[1]
        else:
            pos += {1: 8, 5: 4}.get(wire, end)
        if pos > end:
            raise broken("a group runs over the end of its message", pos)
    return pos


def merged(buf: bytes, spans: list[tuple[int, int]]) -> Span:
    """Occurrences of one message field as one message: protobuf merges by concatenation."""
    if len(spans) == 1:
        return (buf, *spans[0])
    data = b"".join(buf[start:stop] for start, stop in spans)
    return data, 0, len(data)


def read_entry(buf: bytes, pos: int, end: int) -> tuple[bytes, Span]:
    """A map entry: its key and its node."""
    key, spans = b"", []
    for number, wire, start, stop in fields_of(buf, pos, end):
        if number <= 2 and wire != 2:
            raise broken(f"wire type {wire} in a map entry", start)
        if number == 1:
            key = buf[start:stop]
        elif number == 2:
            spans.append((start, stop))
    return key, merged(buf, spans) if spans else (b"", 0, 0)


def entries_of(buf: bytes, pos: int, end: int) -> Iterator[tuple[bytes, Span]]:
    """The entries of a DocProto or DictOfAnyProto."""
    for start, stop in repeated(buf, pos, end):
        yield read_entry(buf, start, stop)


def repeated(buf: bytes, pos: int, end: int) -> Iterator[tuple[int, int]]:
    """The occurrences of field 1, which all of docarray's containers have as their only one."""
    for number, wire, start, stop in fields_of(buf, pos, end):
        if number == 1:
            if wire != 2:
                raise broken(f"wire type {wire}", start)
            yield start, stop


def text_of(data: bytes) -> str:
    """A string field, which must be UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise MalformedError(f"a string is not UTF-8: {error.reason} at its byte {error.start}") from None


def read_node(buf: bytes, pos: int, end: int) -> tuple[int, Any, str]:
    """Which content a NodeProto has (0 for none), that content (bytes spans for messages), and its type string."""
    content, name = 0, ""
    spans: list[tuple[int, int]] = []
    for number, wire, start, stop in fields_of(buf, pos, end):
        if number > w.TYPE:
            continue
        if wire != _WIRE_TYPES.get(number, 2):
            raise broken(f"wire type {wire} for field {number} of a node", start)
        if number == w.TYPE:
            name = text_of(buf[start:stop])
        elif number == content and number in _MESSAGES:
            spans.append((start, stop))
        else:
            content, spans = number, [(start, stop)]
    if content in _MESSAGES:
        return content, merged(buf, spans), name
    return content, _scalar(buf, content, *spans[0]) if content else None, name


def _scalar(buf: bytes, content: int, start: int, stop: int) -> Any:
    if content == w.TEXT:
        return text_of(buf[start:stop])
    if content == w.BLOB:
        return buf[start:stop]
    if content == w.FLOAT:
        return _unpack_double(buf, start)[0]
    value = read_varint(buf, start)[0]
    if content == w.BOOLEAN:
        return value != 0
    return signed32(value)


def signed32(value: int) -> int:
    """The low 32 bits as a signed number, as protobuf reads an int32."""
    value &= 0xFFFFFFFF
    return value - 0x100000000 if value >> 31 else value
