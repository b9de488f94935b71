"""Scalars and enums of message objects: how a value is checked, read and written."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import cache
from typing import Any, Final, NamedTuple

from jina.codec import message_tables as tables
from jina.codec.fields import text
from jina.codec.varint import varint

_U64 = 0xFFFFFFFFFFFFFFFF


class Scalar(NamedTuple):
    """How values of one scalar type are checked, read and written."""

    wire: int
    default: Any
    check: Callable[[Any], Any]
    encode: Callable[[Any], bytes]
    from_wire: Callable[[Any], Any]  # of a varint: its number; else: its bytes


def _check_str(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode()
    if not isinstance(value, str):
        raise TypeError(f"expected str, got {type(value).__name__}: {value!r}")
    value.encode()  # refuses lone surrogates
    return value


def _check_bytes(value: Any) -> bytes:
    if not isinstance(value, bytes | bytearray | memoryview):
        raise TypeError(f"expected bytes, got {type(value).__name__}: {value!r}")
    return bytes(value)


def _check_float(value: Any) -> float:
    if isinstance(value, str):
        raise TypeError(f"expected a number, got {value!r}")
    return float(value)


def _check_bool(value: Any) -> bool:
    if isinstance(value, str) or not hasattr(value, "__index__"):
        raise TypeError(f"expected bool, got {type(value).__name__}: {value!r}")
    return bool(value)


def _integer(bits: int, is_signed: bool) -> Scalar:
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if is_signed else (0, (1 << bits) - 1)
    mask, sign = (1 << bits) - 1, 1 << bits - 1

    def check(value: Any) -> int:
        if not hasattr(value, "__index__"):
            raise TypeError(f"expected int, got {type(value).__name__}: {value!r}")
        number = value.__index__()
        if not low <= number <= high:
            raise ValueError(f"value out of range: {number}")
        return int(number)

    def from_wire(number: int) -> int:
        number &= mask
        return number - (1 << bits) if is_signed and number & sign else number

    return Scalar(0, 0, check, lambda value: varint(value & _U64), from_wire)


SCALARS: Final = {
    "string": Scalar(2, "", _check_str, lambda value: sized(value.encode()), lambda data: text(data)),
    "bytes": Scalar(2, b"", _check_bytes, lambda value: sized(value), lambda data: data),
    "double": Scalar(1, 0.0, _check_float, struct.Struct("<d").pack, lambda data: struct.unpack("<d", data)[0]),
    "bool": Scalar(0, False, _check_bool, lambda value: b"\x01" if value else b"\x00", lambda number: number != 0),
    "int32": _integer(32, True),
    "uint32": _integer(32, False),
    "int64": _integer(64, True),
    "uint64": _integer(64, False),
}


def sized(data: bytes) -> bytes:
    """Bytes behind their length."""
    return varint(len(data)) + data


class EnumType:
    """An enum as protobuf shows it: `Name(1)`, `Value("ERROR")`, `items()`, and each name as an attribute."""

    def __init__(self, table: tables.Enum) -> None:
        self.full_name = table.name
        self.name = table.name.rpartition(".")[2]
        self._numbers = dict(table.values)
        self._names = {number: name for name, number in table.values}

    def Name(self, number: int) -> str:
        """The name of a number; ValueError if there is none."""
        if number not in self._names:
            raise ValueError(f"Enum {self.name} has no name defined for value {number}")
        return self._names[number]

    def Value(self, name: str) -> int:
        """The number of a name; ValueError if there is none."""
        if name not in self._numbers:
            raise ValueError(f"Enum {self.name} has no value defined for name {name!r}")
        return self._numbers[name]

    def keys(self) -> list[str]:
        return list(self._numbers)

    def values(self) -> list[int]:
        return list(self._numbers.values())

    def items(self) -> list[tuple[str, int]]:
        return list(self._numbers.items())

    def __getattr__(self, name: str) -> int:
        try:
            return self.__dict__["_numbers"][name]  # type: ignore[no-any-return]
        except KeyError:
            raise AttributeError(f"enum {self.__dict__.get('name')} has no value {name!r}") from None

    def check(self, value: Any) -> int:
        """A name or a number (any int32: proto3's enums are open) as a number."""
        return self.Value(value) if isinstance(value, str) else SCALARS["int32"].check(value)


@cache
def enum_type(name: str) -> EnumType:
    """The enum of a full name."""
    return EnumType(tables.enums()[name])
