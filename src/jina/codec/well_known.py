"""What protobuf's Python classes of the well-known types can do beyond their fields: Struct, ListValue, Timestamp."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final

from jina.codec.struct import dict_to_struct, json_to_list, json_to_value

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class StructMethods:
    """A Struct is used like a dict of JSON values."""

    __slots__ = ()

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Any:
        """A new Struct of a mapping of JSON values, or of `{"fields": {...}}` with Values, as protobuf's constructor takes it."""
        made: Any = cls()
        made.MergeFromString(dict_to_struct(value))
        return made

    def __getitem__(self: Any, key: str) -> Any:
        if key not in self.fields:
            raise KeyError(key)
        return _plain(self.fields[key])

    def __setitem__(self: Any, key: str, value: Any) -> None:
        self.fields[key].ParseFromString(json_to_value(value, name=str(key)))

    def __delitem__(self: Any, key: str) -> None:
        del self.fields[key]

    def __contains__(self: Any, key: object) -> bool:
        return key in self.fields

    def __len__(self: Any) -> int:
        return len(self.fields)

    def __bool__(self) -> bool:
        return True

    def __iter__(self: Any) -> Iterator[str]:
        return iter(self.fields)

    def keys(self: Any) -> Any:
        return self.fields.keys()

    def values(self: Any) -> list[Any]:
        return [_plain(value) for value in self.fields.values()]

    def items(self: Any) -> list[tuple[str, Any]]:
        return [(key, _plain(value)) for key, value in self.fields.items()]

    def update(self: Any, value: Mapping[str, Any]) -> None:
        """Set all keys of a mapping of JSON values."""
        self.MergeFromString(dict_to_struct(value))

    def get_or_create_struct(self: Any, key: str) -> Any:
        value = self.fields[key].struct_value
        value.SetInParent()
        return value

    def get_or_create_list(self: Any, key: str) -> Any:
        value = self.fields[key].list_value
        value.SetInParent()
        return value


class ListValueMethods:
    """A ListValue is used like a list of JSON values."""

    __slots__ = ()

    def __len__(self: Any) -> int:
        return len(self.values)

    def __bool__(self) -> bool:
        return True

    def __getitem__(self: Any, index: int) -> Any:
        return _plain(self.values[index])

    def __setitem__(self: Any, index: int, value: Any) -> None:
        self.values[index].ParseFromString(json_to_value(value))

    def __delitem__(self: Any, index: int) -> None:
        del self.values[index]

    def __iter__(self: Any) -> Iterator[Any]:
        return (_plain(value) for value in list(self.values))

    def append(self: Any, value: Any) -> None:
        self.extend([value])

    def extend(self: Any, values: Any) -> None:
        self.MergeFromString(json_to_list(list(values)))


def _plain(value: Any) -> Any:
    kind = value.WhichOneof("kind")
    return None if kind is None or kind == "null_value" else getattr(value, kind)


class TimestampMethods:
    """Conversions of a Timestamp."""

    __slots__ = ()

    def GetCurrentTime(self) -> None:
        """Become the present time."""
        self.FromNanoseconds(time.time_ns())

    def FromNanoseconds(self: Any, nanoseconds: int) -> None:
        self.seconds, self.nanos = divmod(nanoseconds, 1_000_000_000)

    def FromMicroseconds(self: Any, microseconds: int) -> None:
        self.FromNanoseconds(microseconds * 1000)

    def FromMilliseconds(self: Any, milliseconds: int) -> None:
        self.FromNanoseconds(milliseconds * 1_000_000)

    def FromSeconds(self: Any, seconds: int) -> None:
        self.seconds, self.nanos = seconds, 0

    def FromDatetime(self: Any, value: datetime) -> None:
        """Become a time; one without a zone is UTC."""
        delta = (value if value.tzinfo else value.replace(tzinfo=UTC)) - _EPOCH
        self.FromMicroseconds(delta // timedelta(microseconds=1))

    def FromJsonString(self: Any, value: str) -> None:
        """Become the time of an RFC 3339 string."""
        head, dot, tail = value.partition(".")
        digits = len(tail) - len(tail.lstrip("0123456789"))
        zone = tail[digits:] if dot else ""
        moment = datetime.fromisoformat(head + zone)
        if moment.tzinfo is None:
            raise ValueError(f"a time needs a zone, e.g. 'Z': {value!r}")
        if digits > 9:
            raise ValueError(f"a time has at most nine digits behind the dot: {value!r}")
        self.seconds = (moment - _EPOCH) // timedelta(seconds=1)
        self.nanos = int(tail[:digits].ljust(9, "0")) if dot else 0

    def ToNanoseconds(self: Any) -> int:
        return int(self.seconds * 1_000_000_000 + self.nanos)

    def ToMicroseconds(self: Any) -> int:
        return int(self.ToNanoseconds() // 1000)

    def ToMilliseconds(self: Any) -> int:
        return int(self.ToNanoseconds() // 1_000_000)

    def ToSeconds(self: Any) -> int:
        return int(self.seconds)

    def ToDatetime(self: Any, tzinfo: tzinfo | None = None) -> datetime:
        """The time in a zone; without one, UTC as a naive value."""
        moment = _EPOCH + timedelta(seconds=self.seconds, microseconds=self.nanos // 1000)
        return moment.astimezone(tzinfo) if tzinfo else moment.replace(tzinfo=None)

    def ToJsonString(self: Any) -> str:
        """RFC 3339 in UTC with 0, 3, 6 or 9 digits behind the dot."""
        moment = _EPOCH + timedelta(seconds=self.seconds)
        out = moment.replace(tzinfo=None).isoformat()
        nanos = self.nanos
        if not nanos:
            return f"{out}Z"
        if nanos % 1_000_000 == 0:
            return f"{out}.{nanos // 1_000_000:03d}Z"
        return f"{out}.{nanos // 1000:06d}Z" if nanos % 1000 == 0 else f"{out}.{nanos:09d}Z"


BASES: Final[dict[str, tuple[type, ...]]] = {
    "google.protobuf.Struct": (StructMethods,),
    "google.protobuf.ListValue": (ListValueMethods,),
    "google.protobuf.Timestamp": (TimestampMethods,),
}
