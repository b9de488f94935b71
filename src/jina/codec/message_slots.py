"""One field of a message class: what reading, setting and serialising it means.

A field's value stands in its message's `_values` under the field's name: a scalar, a message, a list, a map; or the bytes of documents
that nobody has looked into yet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from jina.codec.fields import bytes_field, map_order, read_tag, skip_value, text, truncated
from jina.codec.message_lists import MessageList, MessageMap, ScalarList, ScalarMap
from jina.codec.message_scalars import SCALARS, enum_type, sized
from jina.codec.varint import read_varint, varint

if TYPE_CHECKING:
    from jina.codec import message_tables as tables
    from jina.codec.message_values import Message

LAZY: Final = frozenset({"docarray.DocListProto", "docarray.DocProto"})
"""Types that stay bytes inside messages of package `jina` until they are looked into."""


class Slot:
    """One field of a message class, as a descriptor: what reading, setting and serialising it means."""

    def __init__(self, field: tables.Field, owner: str, make: type[Message] | None) -> None:
        self.field: tables.Field = field
        self.name: str = field.name
        self.make = make
        scalar = SCALARS["int32" if field.is_enum else field.type] if not field.is_message else None
        self.check: Callable[[Any], Any] | None = enum_type(field.type).check if field.is_enum else scalar.check if scalar else None
        self.scalar = scalar
        self.is_many: bool = field.is_repeated or field.is_map
        self.has_presence: bool = not self.is_many and (field.is_message or field.is_optional or bool(field.oneof))
        self.is_lazy: bool = owner.startswith("jina.") and field.type in LAZY
        self.is_packed: bool = field.is_repeated and scalar is not None and scalar.wire != 2
        wire = 2 if scalar is None or (self.is_many and (field.is_map or self.is_packed)) else scalar.wire
        self.tag: int = field.number << 3 | wire
        self.head: bytes = varint(self.tag)
        self.from_wire: Callable[[Any], Any] = scalar.from_wire if scalar else bytes

    def differs(self, value: Any) -> bool:
        """Whether a value without presence is another than the default; -0.0 is."""
        assert self.scalar is not None
        return bool(value) or (value == 0 and self.scalar.wire == 1 and str(value) != "0.0")

    # as an attribute

    def __get__(self, message: Message | None, owner: type | None = None) -> Any:
        if message is None:
            return self
        value = message._values.get(self.name)
        if value is None:
            if self.make is None and not self.is_many:
                assert self.scalar is not None
                return self.scalar.default
            value = message._values[self.name] = self._empty(message)
        elif self.is_lazy and type(value) is bytes:
            value = message._values[self.name] = self._opened(message, value)
        return value

    def __set__(self, message: Message, value: Any) -> None:
        if self.check is None or self.is_many:
            raise AttributeError(f"Assignment not allowed to message, map or repeated field {self.name!r} in protocol message object")
        self.put(message, self.check(value))
        message._mark()

    def _empty(self, message: Message) -> Any:
        if self.field.is_map:
            return MessageMap(message, self.make) if self.make else ScalarMap(message, self.check or bytes)
        if self.field.is_repeated:
            return MessageList(message, self.make) if self.make else ScalarList(message, self.check or bytes)
        assert self.make is not None
        child = self.make()
        child._owner, child._slot, child._is_set = message, self, False
        return child

    def _opened(self, message: Message, data: bytes) -> Message:
        child: Message = self._empty(message)
        child._is_set = True
        child.MergeFromString(data)
        return child

    def clear_siblings(self, message: Message) -> None:
        """Unset the other fields of this one's oneof."""
        if self.field.oneof:
            for name in message._oneofs[self.field.oneof]:
                if name != self.name and name in message._values:
                    message.ClearField(name)

    # setting from within

    def put(self, message: Message, value: Any) -> None:
        """Set a scalar that is known to be right, or append it."""
        if self.is_many:
            list.append(self.__get__(message), value)
            return
        self.clear_siblings(message)
        message._values[self.name] = value

    def fill(self, message: Message, value: Any) -> None:
        """Set from what a constructor takes: also dicts for messages, lists, mappings."""
        if self.make is None or (not self.is_many and isinstance(value, self.make)):
            if self.field.is_map:
                self.__get__(message).update(value)
            elif self.field.is_repeated:
                self.__get__(message).extend(value)
            elif self.make is not None:
                self.__get__(message).CopyFrom(value)
            else:
                self.__set__(message, value)
        elif self.field.is_map:
            for key, item in value.items():
                self.__get__(message)[key].CopyFrom(self._made(item))
        elif self.field.is_repeated:
            self.__get__(message).extend([self._made(item) for item in value])
        else:
            self.__get__(message).CopyFrom(self._made(value))

    def _made(self, value: Any) -> Any:
        assert self.make is not None
        if not isinstance(value, dict):
            return value
        if hasattr(self.make, "from_json"):
            return self.make.from_json(value)
        return self.make(**value)

    # reading

    def read(self, message: Message, data: bytes, pos: int, end: int, depth: int) -> None:
        """Take a length-delimited value."""
        if self.field.is_map:
            self._read_entry(message, data, pos, end, depth)
        elif self.make is None:
            if self.is_packed:
                self._read_packed(message, data, pos, end)
            else:
                self.put(message, self.from_wire(data[pos:end]))
        elif self.field.is_repeated:
            child = self.make()
            child._read(data, pos, end, depth + 1)
            self.__get__(message).adopt(child)
        elif self.is_lazy and self._stays_bytes(message):
            self.clear_siblings(message)
            message._values[self.name] = message._values.get(self.name, b"") + data[pos:end]
        else:
            child = self.__get__(message)
            child._mark()
            child._read(data, pos, end, depth + 1)

    def _stays_bytes(self, message: Message) -> bool:
        value = message._values.get(self.name)
        return value is None or type(value) is bytes

    def _read_packed(self, message: Message, data: bytes, pos: int, end: int) -> None:
        values = self.__get__(message)
        while pos < end:
            number, pos = read_varint(data, pos)
            list.append(values, self.from_wire(number))
        if pos != end:
            raise truncated()

    def _read_entry(self, message: Message, data: bytes, pos: int, end: int, depth: int) -> None:
        key = ""
        value: Any = self.make() if self.make else self.scalar.default if self.scalar else None
        while pos < end:
            tag, pos = read_tag(data, pos)
            start, pos = pos, skip_value(data, pos, end, tag)
            if tag == 0x0A:
                key = text(data[read_varint(data, start)[1] : pos], "a map key")
            elif tag == 0x12:
                start = read_varint(data, start)[1]
                if self.make:
                    value._read(data, start, pos, depth + 2)
                else:
                    value = self.from_wire(data[start:pos])
        values = self.__get__(message)
        if self.make:
            values.adopt(key, value)
        else:
            dict.__setitem__(values, key, value)

    # writing

    def encode(self, value: Any) -> bytes:
        """The field with its tag; one that is set."""
        if self.field.is_map:
            return b"".join([self._entry(key, value[key]) for key in sorted(value, key=map_order)])
        if self.make is not None:
            each = value if self.field.is_repeated else [value]
            return b"".join([self.head + sized(serialised(item)) for item in each])
        assert self.scalar is not None
        encode = self.scalar.encode
        if self.is_packed:
            return self.head + sized(b"".join([encode(item) for item in value]))
        if self.field.is_repeated:
            return b"".join([self.head + encode(item) for item in value])
        return self.head + encode(value)

    def _entry(self, key: str, value: Any) -> bytes:
        raw = serialised(value) if self.make else value.encode()
        return self.head + sized(bytes_field(1, key.encode()) + bytes_field(2, raw))


def serialised(value: Any) -> bytes:
    return value if type(value) is bytes else value.SerializeToString()
