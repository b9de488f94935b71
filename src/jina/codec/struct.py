"""`google.protobuf.Struct` to dict and back, by hand: the `parameters` of every request are one.

JSON values only. Numbers are doubles, so ints come back as floats (as in Jina 3); NaN and infinities are refused in both
directions, since JSON has none and every value may end in an HTTP reply. Keys are written in the order of protobuf's
deterministic form.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from math import isfinite
from typing import Any, Final

from jina.codec.fields import map_order, skip_field, truncated
from jina.codec.varint import read_varint, varint
from jina.errors import InvalidInputError, MalformedError, UnencodableError

MAX_DEPTH: Final = 64
EMPTY_RESULTS: Final = b"\n\x11\n\x0b__results__\x12\x02*\x00"
"""`{"__results__": {}}`: what Jina's client sends for no parameters."""

_NUMBER: Final = struct.Struct("<d")
_pack = _NUMBER.pack
_unpack = _NUMBER.unpack_from


class _NoJson(Exception):
    """A value that is not JSON; `path` grows on the way out, innermost first."""

    def __init__(self, why: str) -> None:
        self.why = why
        self.path: list[str | int] = []

    def place(self) -> list[str | int]:
        return self.path[::-1]


def struct_to_dict(data: bytes, *, name: str = "parameters") -> dict[str, Any]:
    """The JSON object in a serialised Struct.

    Raises:
        MalformedError: Not a Struct.
        InvalidInputError: Nested deeper than 64, NaN or infinite; its `details` have a `loc` that begins with `name`.
    """
    if not data:
        return {}
    if data == EMPTY_RESULTS:
        return {"__results__": {}}
    return _decode(_read_struct, data, name)  # type: ignore[no-any-return]


def value_to_json(data: bytes, *, name: str = "value") -> Any:
    """The JSON value in a serialised `google.protobuf.Value`; None if nothing is set."""
    return _decode(_read_value, data, name)


def list_to_json(data: bytes, *, name: str = "value") -> list[Any]:
    """The JSON array in a serialised `google.protobuf.ListValue`."""
    return _decode(_read_list, data, name)  # type: ignore[no-any-return]


def _decode(read: Any, data: bytes, name: str) -> Any:
    try:
        return read(data, 0, len(data), 0)
    except (IndexError, struct.error):
        raise truncated() from None
    except UnicodeDecodeError:
        raise MalformedError(f"malformed protobuf: {name} holds a string that is not UTF-8") from None
    except _NoJson as error:
        loc = (name, *error.place())
        detail = {"loc": loc, "msg": error.why, "type": "struct_value"}
        raise InvalidInputError(f"{error.why} - at `{_dotted(loc)}`", [detail]) from None


def _read_struct(data: bytes, pos: int, end: int, depth: int) -> dict[str, Any]:
    if depth >= MAX_DEPTH:
        raise _NoJson(f"nested deeper than {MAX_DEPTH} levels")
    result: dict[str, Any] = {}
    while pos < end:
        if data[pos] != 0x0A:
            pos = skip_field(data, pos, end)
            continue
        size = data[pos + 1]
        pos += 2
        if size > 0x7F:
            size, pos = read_varint(data, pos - 1)
        entry_end = pos + size
        if entry_end > end:
            raise truncated()
        _read_entry(data, pos, entry_end, depth, result)
        pos = entry_end
    return result


def _read_entry(data: bytes, pos: int, end: int, depth: int, result: dict[str, Any]) -> None:
    key, values = "", list[bytes]()
    while pos < end:
        tag = data[pos]
        if tag != 0x0A and tag != 0x12:
            pos = skip_field(data, pos, end)
            continue
        size = data[pos + 1]
        pos += 2
        if size > 0x7F:
            size, pos = read_varint(data, pos - 1)
        after = pos + size
        if after > end:
            raise truncated()
        if tag == 0x0A:
            key = str(data[pos:after], "utf-8")
        else:  # a message field that comes twice is merged, which is the same as reading both parts in a row
            values.append(data[pos:after])
        pos = after
    value = values[0] if len(values) == 1 else b"".join(values)
    try:
        result[key] = _read_value(value, 0, len(value), depth)
    except _NoJson as error:
        error.path.append(key)
        raise


def _read_value(data: bytes, pos: int, end: int, depth: int) -> Any:
    value: Any = None
    kind = 0
    while pos < end:
        tag = data[pos]
        if tag == 0x11:
            value = _unpack(data, pos + 1)[0]
            pos += 9
            if not isfinite(value):
                raise _NoJson(f"{value} is not a JSON number")
        elif tag == 0x1A or tag == 0x2A or tag == 0x32:
            size = data[pos + 1]
            pos += 2
            if size > 0x7F:
                size, pos = read_varint(data, pos - 1)
            after = pos + size
            if after > end:
                raise truncated()
            if tag == 0x1A:
                value = str(data[pos:after], "utf-8")
            elif tag == 0x2A:
                fields = _read_struct(data, pos, after, depth + 1)
                if kind == tag:
                    value.update(fields)
                else:
                    value = fields
            else:
                items = _read_list(data, pos, after, depth + 1)
                if kind == tag:
                    value += items
                else:
                    value = items
            pos = after
        elif tag == 0x20 or tag == 0x08:
            number, pos = read_varint(data, pos + 1)
            value = number != 0 if tag == 0x20 else None
        else:
            pos = skip_field(data, pos, end)
            continue
        kind = tag
    if pos > end:
        raise truncated()
    return value


def _read_list(data: bytes, pos: int, end: int, depth: int) -> list[Any]:
    if depth >= MAX_DEPTH:
        raise _NoJson(f"nested deeper than {MAX_DEPTH} levels")
    result: list[Any] = []
    while pos < end:
        if data[pos] != 0x0A:
            pos = skip_field(data, pos, end)
            continue
        size = data[pos + 1]
        pos += 2
        if size > 0x7F:
            size, pos = read_varint(data, pos - 1)
        after = pos + size
        if after > end:
            raise truncated()
        try:
            result.append(_read_value(data, pos, after, depth))
        except _NoJson as error:
            error.path.append(len(result))
            raise
        pos = after
    return result


def dict_to_struct(value: Mapping[str, Any], *, name: str = "parameters") -> bytes:
    """A serialised Struct; empty for an empty mapping.

    Raises:
        UnencodableError: A value that is not JSON (its text names the place), nested deeper than 64, or a key that is not a string.
    """
    if not value:
        return b""
    return _encode(_struct_bytes, value, name)


def json_to_value(value: Any, *, name: str = "value") -> bytes:
    """A serialised `google.protobuf.Value`."""
    return _encode(_value_bytes, value, name)


def json_to_list(value: list[Any] | tuple[Any, ...], *, name: str = "value") -> bytes:
    """A serialised `google.protobuf.ListValue`."""
    return _encode(_list_bytes, value, name)


def _encode(write: Any, value: Any, name: str) -> bytes:
    try:
        return write(value, 0)  # type: ignore[no-any-return]
    except _NoJson as error:
        raise UnencodableError(f"{error.why} - at `{_dotted((name, *error.place()))}`") from None


def _struct_bytes(mapping: Mapping[str, Any], depth: int) -> bytes:
    if depth >= MAX_DEPTH:
        raise _NoJson(f"nested deeper than {MAX_DEPTH} levels")
    parts: list[bytes] = []
    for key in _sorted_keys(mapping):
        try:
            value = _value_bytes(mapping[key], depth)
            raw = key.encode()
        except _NoJson as error:
            error.path.append(key)
            raise
        except UnicodeEncodeError:
            raise _NoJson(f"the key {key!r} is not valid Unicode") from None
        head = b"\n" + varint(len(raw)) + raw + b"\x12" + varint(len(value))
        parts += (b"\n", varint(len(head) + len(value)), head, value)
    return b"".join(parts)


def _sorted_keys(mapping: Mapping[str, Any]) -> list[str]:
    for key in mapping:
        if not isinstance(key, str):
            raise _NoJson(f"keys must be strings, got {key!r}")
    return sorted(mapping, key=map_order) if len(mapping) > 1 else list(mapping)


def _value_bytes(value: Any, depth: int) -> bytes:
    kind = type(value)
    if kind is str:
        return _string_bytes(value)
    if kind is float:
        return _number_bytes(value)
    if kind is bool:
        return b" \x01" if value else b" \x00"
    if value is None:
        return b"\x08\x00"
    if kind is int:
        return _number_bytes(value)
    if kind is dict:
        body = _struct_bytes(value, depth + 1)
        return b"*" + varint(len(body)) + body
    if kind is list or kind is tuple:
        body = _list_bytes(value, depth + 1)
        return b"2" + varint(len(body)) + body
    return _value_bytes(_as_json(value), depth)


def _as_json(value: Any) -> Any:
    """A subclass of a JSON type, a mapping or a numpy scalar as the plain thing."""
    if isinstance(value, str):
        return str.__str__(value)  # the content, also of an enum
    if isinstance(value, float):
        return float(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, Mapping):
        return dict(value)
    if type(value).__module__ == "numpy" and getattr(value, "shape", None) == ():
        plain = value.item()
        if isinstance(plain, str | float | int | bool):
            return plain
    raise _NoJson(f"a value of type {type(value).__name__} is not JSON: {_short(value)}")


def _string_bytes(value: str) -> bytes:
    try:
        raw = value.encode()
    except UnicodeEncodeError:
        raise _NoJson(f"{value!r} is not valid Unicode") from None
    return b"\x1a" + varint(len(raw)) + raw


def _number_bytes(value: float) -> bytes:
    try:
        if isfinite(value):
            return b"\x11" + _pack(value)
    except OverflowError:
        raise _NoJson("an int is too large for a double") from None
    raise _NoJson(f"{value} is not a JSON number")


def _list_bytes(values: list[Any] | tuple[Any, ...], depth: int) -> bytes:
    if depth >= MAX_DEPTH:
        raise _NoJson(f"nested deeper than {MAX_DEPTH} levels")
    parts: list[bytes] = []
    for index, item in enumerate(values):
        try:
            raw = _value_bytes(item, depth)
        except _NoJson as error:
            error.path.append(index)
            raise
        parts += (b"\n", varint(len(raw)), raw)
    return b"".join(parts)


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."


def _dotted(path: tuple[str | int, ...]) -> str:
    head, *rest = path
    return str(head) + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in rest)
