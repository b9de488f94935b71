"""Our dialect's forms of values that docarray's messages have none for: text or bytes beside a private type string."""

from __future__ import annotations

import datetime
import decimal
import uuid
from collections.abc import Callable
from struct import Struct
from struct import error as struct_error
from typing import Any, Final

from jina.codec import proto_wire as w
from jina.codec.types import Type
from jina.errors import MalformedError

_complex: Final = Struct("<dd")


def read_private(name: str, content: int, data: Any) -> Any:
    """The value that a type string of ours and a text or blob stand for."""
    make = _READERS.get((name, content))
    if make is None:
        raise MalformedError(f"type string {name!r} beside content {content} is none of ours")
    try:
        return make(data)
    except (ValueError, ArithmeticError, TypeError, struct_error) as error:
        raise MalformedError(f"{str(data)[:40]!r} is no {name[2:]}: {error}") from None


def member(values: list[Any], hint: Type) -> Any:
    """An enum's member, where the field says which enum; else its value, which the field's validation may still know."""
    if len(values) != 1:
        raise MalformedError("an enum needs exactly one value")
    for part in (hint, *hint.args):
        if part.kind == "enum" and part.cls is not None:
            try:
                return part.cls(values[0])
            except (ValueError, TypeError):
                continue
    return values[0]


def complex_bytes(value: Any) -> bytes:
    """Both parts as float64."""
    return _complex.pack(value.real, value.imag)


def _time_text(value: Any) -> str:
    """ISO form and the fold, which ISO has no place for; a zone is kept as its offset."""
    return f"{value.isoformat()}{'~' if value.fold else ''}"


def _moment(cls: Any) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        value = cls.fromisoformat(text.removesuffix("~"))
        return value.replace(fold=1) if text.endswith("~") else value

    return read


def _timedelta_text(value: datetime.timedelta) -> str:
    return f"{value.days} {value.seconds} {value.microseconds}"


def _timedelta(text: str) -> datetime.timedelta:
    days, seconds, microseconds = text.split()
    return datetime.timedelta(int(days), int(seconds), int(microseconds))


TEXTS: Final[dict[type, tuple[str, Callable[[Any], str], Callable[[str], Any]]]] = {
    datetime.datetime: (w.J_DATETIME, _time_text, _moment(datetime.datetime)),
    datetime.date: (w.J_DATE, datetime.date.isoformat, datetime.date.fromisoformat),
    datetime.time: (w.J_TIME, _time_text, _moment(datetime.time)),
    datetime.timedelta: (w.J_TIMEDELTA, _timedelta_text, _timedelta),
    decimal.Decimal: (w.J_DECIMAL, str, decimal.Decimal),
    uuid.UUID: (w.J_UUID, str, uuid.UUID),
}
"""Class -> its type string, value to text, text to value; a class stands before those that it inherits from."""

_READERS: Final[dict[tuple[str, int], Callable[[Any], Any]]] = {
    **{(name, w.TEXT): read for name, _, read in TEXTS.values()},
    (w.J_INT, w.BLOB): lambda data: int.from_bytes(data, "little", signed=True),
    (w.J_COMPLEX, w.BLOB): lambda data: complex(*_complex.unpack(data)),
}
