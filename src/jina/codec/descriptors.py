"""FileDescriptorProtos for reflection, made from the message tables without the protobuf library."""

from __future__ import annotations

from functools import cache
from typing import Final

from jina.codec.fields import bytes_field, string_field
from jina.codec.message_tables import Enum, Field, File, Message, Method, Service, files
from jina.codec.varint import varint

_TYPES: Final = {"double": 1, "int64": 3, "uint64": 4, "int32": 5, "bool": 8, "string": 9, "bytes": 12, "uint32": 13}
_MESSAGE, _ENUM = 11, 14
_OPTIONAL, _REPEATED = 1, 3


@cache
def file_descriptors() -> dict[str, bytes]:
    """A serialised `google.protobuf.FileDescriptorProto` by file name, each behind those it imports."""
    return {file.name: _file(file) for file in files()}


@cache
def symbols() -> dict[str, str]:
    """The name of the file in which each full name (message, field, enum, service, method) is declared."""
    found: dict[str, str] = {}
    for file in files():
        for name in _names(file):
            found[name] = file.name
    return found


def with_imports(name: str) -> list[bytes]:
    """The descriptor of a file, then those of all it needs.

    Raises:
        KeyError: We have no such file.
    """
    wanted, by_name = [name], {file.name: file for file in files()}
    for each in wanted:
        wanted += [imported for imported in by_name[each].imports if imported not in wanted]
    return [file_descriptors()[each] for each in wanted]


def _names(file: File) -> list[str]:
    names: list[str] = []
    pending = list(file.messages)
    while pending:
        message = pending.pop()
        names += [message.name, *(f"{message.name}.{field.name}" for field in message.fields)]
        names += [enum.name for enum in message.enums]
        pending += message.messages
    names += [enum.name for enum in file.enums]
    for service in file.services:
        names += [service.name, *(f"{service.name}.{method.name}" for method in service.methods)]
    return names


def _file(file: File) -> bytes:
    parts = [string_field(1, file.name), string_field(2, file.package)]
    parts += [string_field(3, name) for name in file.imports]
    parts += [bytes_field(4, _message(message)) for message in file.messages]
    parts += [bytes_field(5, _enum(enum)) for enum in file.enums]
    parts += [bytes_field(6, _service(service)) for service in file.services]
    return b"".join([*parts, string_field(12, "proto3")])


def _message(message: Message) -> bytes:
    oneofs = list(dict.fromkeys(field.oneof for field in message.fields if field.oneof))
    oneofs += [f"_{field.name}" for field in message.fields if field.is_optional]
    parts = [string_field(1, _last(message.name))]
    parts += [bytes_field(2, _field(field, message.name, oneofs)) for field in message.fields]
    parts += [bytes_field(3, _map_entry(field)) for field in message.fields if field.is_map]
    parts += [bytes_field(3, _message(nested)) for nested in message.messages]
    parts += [bytes_field(4, _enum(enum)) for enum in message.enums]
    parts += [bytes_field(8, string_field(1, name)) for name in oneofs]
    return b"".join(parts)


def _field(field: Field, owner: str, oneofs: list[str]) -> bytes:
    if field.is_map:
        return _field_bytes(field.name, field.number, _REPEATED, _MESSAGE, f"{owner}.{_entry_name(field)}")
    kind = _MESSAGE if field.is_message else _ENUM if field.is_enum else _TYPES[field.type]
    out = _field_bytes(
        field.name, field.number, _REPEATED if field.is_repeated else _OPTIONAL, kind, "" if kind in _TYPES.values() else field.type
    )
    oneof = f"_{field.name}" if field.is_optional else field.oneof
    if oneof:
        out += varint(9 << 3) + varint(oneofs.index(oneof))
    return out + (varint(17 << 3) + b"\x01" if field.is_optional else b"")


def _field_bytes(name: str, number: int, label: int, kind: int, type_name: str = "") -> bytes:
    out = string_field(1, name) + varint(3 << 3) + varint(number) + varint(4 << 3) + varint(label) + varint(5 << 3) + varint(kind)
    return out + (string_field(6, "." + type_name) if type_name else b"")


def _map_entry(field: Field) -> bytes:
    kind = _MESSAGE if field.is_message else _TYPES[field.type]
    value = _field_bytes("value", 2, _OPTIONAL, kind, field.type if field.is_message else "")
    parts = (
        string_field(1, _entry_name(field)) + bytes_field(2, _field_bytes("key", 1, _OPTIONAL, _TYPES["string"])) + bytes_field(2, value)
    )
    return parts + bytes_field(7, b"\x38\x01")  # options { map_entry: true }


def _entry_name(field: Field) -> str:
    return "".join(word.capitalize() for word in field.name.split("_")) + "Entry"


def _enum(enum: Enum) -> bytes:
    values = [bytes_field(2, string_field(1, name) + b"\x10" + varint(number)) for name, number in enum.values]
    return b"".join([string_field(1, _last(enum.name)), *values])


def _service(service: Service) -> bytes:
    return b"".join([string_field(1, _last(service.name)), *(bytes_field(2, _method(method)) for method in service.methods)])


def _method(method: Method) -> bytes:
    out = string_field(1, method.name) + string_field(2, "." + method.input) + string_field(3, "." + method.output)
    return out + (b"\x28\x01" if method.is_client_stream else b"") + (b"\x30\x01" if method.is_server_stream else b"")


def _last(name: str) -> str:
    return name.rpartition(".")[2]
