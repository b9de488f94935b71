"""Message objects with protobuf's own methods, made from the message tables.

`message_class("jina.DataRequestProto")` gives the class that `jina.proto.jina_pb2` shows. Attribute access, presence, oneofs, maps,
merging, parsing and the deterministic serialisation follow the protobuf library, which the tests hold against it; unknown fields are
kept. Documents inside a request stay bytes until somebody looks into them.

This is the comfortable form, not the fast one: see `messages.py` for that.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, Self

from jina.codec import message_tables as tables
from jina.codec.fields import read_tag, skip_value, truncated
from jina.codec.message_scalars import enum_type
from jina.codec.message_slots import Slot, serialised
from jina.codec.varint import read_varint
from jina.errors import MalformedError

MAX_DEPTH: Final = 100


class Descriptor(NamedTuple):
    """What people ask of `Message.DESCRIPTOR`."""

    name: str
    full_name: str
    fields: tuple[tables.Field, ...]
    fields_by_name: dict[str, tables.Field]


if TYPE_CHECKING:

    class _Attributes(type):
        """Nested messages and enum values are attributes of the classes."""

        def __getattr__(cls, name: str) -> Any: ...

else:
    _Attributes = type


class Message(metaclass=_Attributes):
    """Base of all message classes; see the module's text. Fields are attributes."""

    __slots__ = ("_is_set", "_owner", "_slot", "_unknown", "_values")
    DESCRIPTOR: ClassVar[Descriptor]
    _slots: ClassVar[dict[str, Slot]]
    _by_tag: ClassVar[dict[int, Slot]]
    _oneofs: ClassVar[dict[str, list[str]]]

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...
        def __setattr__(self, name: str, value: Any) -> None: ...

    def __init__(self, **fields: Any) -> None:
        self._values: dict[str, Any] = {}
        self._unknown = b""
        self._owner: Message | None = None
        self._slot: Slot | None = None
        self._is_set = True
        for name, value in fields.items():
            if name not in self._slots:
                raise ValueError(f"Protocol message {type(self).__name__} has no {name!r} field.")
            if value is not None:
                self._slots[name].fill(self, value)

    # presence

    def _mark(self) -> None:
        """This message exists from now on, and so do those around it."""
        if not self._is_set:
            self._is_set = True
            owner, slot = self._owner, self._slot
            if owner is not None and slot is not None:
                slot.clear_siblings(owner)
                owner._mark()

    SetInParent = _mark

    def _has(self, name: str) -> bool:
        slot, value = self._slots[name], self._values.get(name)
        if slot.is_many:
            return bool(value)
        if slot.make is not None:
            return value is not None and (type(value) is bytes or value._is_set)
        return value is not None and (slot.has_presence or slot.differs(value))

    def HasField(self, name: str) -> bool:
        """Whether a field with presence, or one of a oneof, is set."""
        if name in self._oneofs:
            return self.WhichOneof(name) is not None
        slot = self._slots.get(name)
        if slot is None or slot.is_many or not slot.has_presence:
            raise ValueError(f"Protocol message {type(self).__name__} has no singular {name!r} field with presence")
        return self._has(name)

    def WhichOneof(self, oneof: str) -> str | None:
        """The name of the field that is set in a oneof, or None."""
        if oneof not in self._oneofs:
            raise ValueError(f"Protocol message {type(self).__name__} has no oneof {oneof!r}")
        return next((name for name in self._oneofs[oneof] if self._has(name)), None)

    def ListFields(self) -> list[tuple[tables.Field, Any]]:
        """The fields that are set, in order of their numbers, with their values."""
        return [(slot.field, getattr(self, name)) for name, slot in self._slots.items() if self._has(name)]

    def ClearField(self, name: str) -> None:
        """Unset a field, or whatever is set in a oneof."""
        if name in self._oneofs:
            set_name = self.WhichOneof(name)
            if set_name:
                self.ClearField(set_name)
            return
        if name not in self._slots:
            raise ValueError(f"Protocol message {type(self).__name__} has no {name!r} field.")
        value = self._values.pop(name, None)
        if isinstance(value, Message):
            value._owner = None
        self._mark()

    def Clear(self) -> None:
        """Unset all."""
        for name in list(self._values):
            self.ClearField(name)
        self._unknown = b""
        self._mark()

    def DiscardUnknownFields(self) -> None:
        """Forget the unknown fields of this message and those in it."""
        self._unknown = b""
        for field, value in self.ListFields():
            for each in value.values() if field.is_map else value if field.is_repeated else [value]:
                if isinstance(each, Message):
                    each.DiscardUnknownFields()

    def IsInitialized(self) -> bool:
        """Always true: proto3 has no required fields."""
        return True

    # bytes

    def SerializeToString(self, deterministic: bool | None = None) -> bytes:
        """The message as bytes, always in protobuf's deterministic form."""
        values = self._values
        return b"".join([slot.encode(values[name]) for name, slot in self._slots.items() if self._has(name)]) + self._unknown

    SerializePartialToString = SerializeToString
    __bytes__ = SerializeToString

    def ByteSize(self) -> int:
        """Length of the serialised message."""
        return len(self.SerializeToString())

    def MergeFromString(self, data: bytes) -> int:
        """Read bytes on top of what is there.

        Raises:
            MalformedError: Not such a message.
        """
        self._mark()
        data = bytes(data)
        try:
            self._read(data, 0, len(data), 0)
        except (IndexError, struct.error):
            raise truncated() from None
        return len(data)

    def ParseFromString(self, data: bytes) -> int:
        """Read bytes, forgetting what was there."""
        self.Clear()
        return self.MergeFromString(data)

    @classmethod
    def FromString(cls, data: bytes) -> Self:
        """A new message read from bytes."""
        message = cls()
        message.MergeFromString(data)
        return message

    def _read(self, data: bytes, pos: int, end: int, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise MalformedError(f"malformed protobuf: nested deeper than {MAX_DEPTH} messages")
        by_tag = self._by_tag
        while pos < end:
            start = pos
            tag, pos = read_tag(data, pos)
            value_start, pos = pos, skip_value(data, pos, end, tag)
            slot = by_tag.get(tag)
            if slot is None:
                self._unknown += data[start:pos]
            elif tag & 7 == 2:
                value_start = read_varint(data, value_start)[1]
                slot.read(self, data, value_start, pos, depth)
            elif tag & 7 == 0:
                slot.put(self, slot.from_wire(read_varint(data, value_start)[0]))
            else:
                slot.put(self, slot.from_wire(data[value_start:pos]))

    def raw(self, name: str) -> bytes | None:
        """The serialised message in a field, without parsing it if it came as bytes; None if it is not set."""
        return serialised(self._values[name]) if self._has(name) else None

    def set_raw(self, name: str, data: bytes) -> None:
        """Set a message field from bytes; they are parsed later if the field is one of documents, else now."""
        slot = self._slots[name]
        self.ClearField(name)
        slot.read(self, data, 0, len(data), 0)

    # whole messages

    def MergeFrom(self, other: Message) -> None:
        """Read another message of the same class on top of this one."""
        if type(other) is not type(self):
            raise TypeError(f"expected {type(self).__name__}, got {type(other).__name__}")
        self.MergeFromString(other.SerializeToString())

    def CopyFrom(self, other: Message) -> None:
        """Become equal to another message of the same class."""
        if other is self:
            return
        if type(other) is not type(self):
            raise TypeError(f"expected {type(self).__name__}, got {type(other).__name__}")
        self.ParseFromString(other.SerializeToString())

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self.SerializeToString() == other.SerializeToString()

    __hash__ = None  # type: ignore[assignment]

    def __deepcopy__(self, _: Any = None) -> Self:
        return self.FromString(self.SerializeToString())

    __copy__ = __deepcopy__

    def __reduce__(self) -> Any:
        return _rebuild, (self.DESCRIPTOR.full_name, self.SerializeToString())

    def __repr__(self) -> str:
        from jina.codec.message_text import to_text

        return to_text(self)

    __str__ = __repr__

    def to_dict(self, *, preserving_proto_field_name: bool = False, use_integers_for_enums: bool = False) -> Any:
        """The message in protobuf's JSON form, as `json_format.MessageToDict` gives it."""
        from jina.codec.message_text import to_dict

        return to_dict(self, names=preserving_proto_field_name, numbers=use_integers_for_enums)


def _rebuild(name: str, data: bytes) -> Message:
    return message_class(name).FromString(data)


_classes: dict[str, type[Message]] = {}


def message_class(name: str) -> type[Message]:
    """The class of a message by its full name, e.g. `jina.HeaderProto`."""
    found = _classes.get(name)
    if found is None:
        found = _make_class(tables.messages()[name])
    return found


def _make_class(table: tables.Message) -> type[Message]:
    from jina.codec.well_known import BASES

    short = table.name.rpartition(".")[2]
    made: type[Message] = type(short, (*BASES.get(table.name, ()), Message), {"__slots__": (), "__module__": _module(table.name)})
    _classes[table.name] = made  # before its fields: messages contain each other
    slots = [Slot(field, table.name, message_class(field.type) if field.is_message else None) for field in sorted(table.fields)]
    made._slots = {slot.name: slot for slot in slots}
    made._by_tag = {slot.tag: slot for slot in slots}
    made._by_tag.update({slot.field.number << 3 | slot.scalar.wire: slot for slot in slots if slot.is_packed and slot.scalar})
    made._oneofs = _oneofs(table)
    made.DESCRIPTOR = Descriptor(short, table.name, table.fields, {field.name: field for field in table.fields})
    for name, slot in made._slots.items():
        setattr(made, name, slot)
    for nested in table.messages:
        setattr(made, nested.name.rpartition(".")[2], message_class(nested.name))
    for enum in table.enums:
        wrapper = enum_type(enum.name)
        setattr(made, wrapper.name, wrapper)
        for value_name, number in enum.values:
            setattr(made, value_name, number)
    for slot in slots:
        setattr(made, f"{slot.name.upper()}_FIELD_NUMBER", slot.field.number)
    return made


def _oneofs(table: tables.Message) -> dict[str, list[str]]:
    oneofs: dict[str, list[str]] = {}
    for field in table.fields:
        if field.oneof or field.is_optional:
            oneofs.setdefault(field.oneof or f"_{field.name}", []).append(field.name)
    return oneofs


def _module(name: str) -> str:
    return "jina.proto.jina_pb2" if name.startswith("jina.") else "jina.codec.message_values"
