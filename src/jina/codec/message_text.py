"""Message objects as JSON values, back, and as text: what protobuf's `json_format` and `str(message)` give."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from jina.codec.message_scalars import enum_type
from jina.codec.message_tables import Field
from jina.codec.message_values import Message, message_class
from jina.codec.struct import dict_to_struct, json_to_list, json_to_value, list_to_json, struct_to_dict, value_to_json
from jina.errors import MalformedError

_STRUCT, _VALUE, _LIST = "google.protobuf.Struct", "google.protobuf.Value", "google.protobuf.ListValue"
_TIMESTAMP = "google.protobuf.Timestamp"
_FROM_STRUCT: Final = {_STRUCT: struct_to_dict, _VALUE: value_to_json, _LIST: list_to_json}
_TO_STRUCT: Final = {_STRUCT: dict_to_struct, _VALUE: json_to_value, _LIST: json_to_list}
_INTEGERS: Final = frozenset({"int32", "uint32", "int64", "uint64"})


def to_dict(message: Message, *, names: bool = False, numbers: bool = False) -> Any:
    """The message in protobuf's JSON form.

    Args:
        message: Any message.
        names: Keys as in the .proto file (`request_id`) instead of `requestId`.
        numbers: Enums as numbers instead of names.
    """
    full_name = message.DESCRIPTOR.full_name
    if full_name in _FROM_STRUCT:
        return _FROM_STRUCT[full_name](message.SerializeToString())
    if full_name == _TIMESTAMP:
        return message.ToJsonString()
    return {
        field.name if names else json_name(field.name): _field_json(field, value, names, numbers) for field, value in message.ListFields()
    }


def json_name(name: str) -> str:
    """`request_id` as `requestId`."""
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def _field_json(field: Field, value: Any, names: bool, numbers: bool) -> Any:
    if field.is_map:
        return {key: _json(field, value[key], names, numbers) for key in value}
    if field.is_repeated:
        return [_json(field, item, names, numbers) for item in value]
    return _json(field, value, names, numbers)


def _json(field: Field, value: Any, names: bool, numbers: bool) -> Any:
    if field.is_message:
        return to_dict(value, names=names, numbers=numbers)
    if field.is_enum:
        return value if numbers else _enum_name(field, value)
    if field.type == "bytes":
        return base64.b64encode(value).decode()
    if field.type in ("int64", "uint64"):
        return str(value)
    if field.type == "double" and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def _enum_name(field: Field, value: int) -> str | int:
    try:
        return enum_type(field.type).Name(value)
    except ValueError:
        return value


def from_dict(data: Any, message: Message) -> None:
    """Set a message's fields from protobuf's JSON form; keys in either spelling.

    Raises:
        MalformedError: A key that the message does not have, or a value that does not fit.
    """
    full_name = message.DESCRIPTOR.full_name
    try:
        if full_name in _TO_STRUCT:
            message.MergeFromString(_TO_STRUCT[full_name](data))
        elif full_name == _TIMESTAMP:
            message.FromJsonString(data)
        else:
            _set_fields(data, message)
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise MalformedError(f"not the JSON form of {full_name}: {error}") from error


def _set_fields(data: Any, message: Message) -> None:
    if not isinstance(data, Mapping):
        raise TypeError(f"expected an object, got {data!r}")
    fields = {json_name(field.name): field for field in message.DESCRIPTOR.fields}
    fields |= message.DESCRIPTOR.fields_by_name
    message.SetInParent()
    for key, value in data.items():
        if key not in fields:
            known = ", ".join(field.name for field in message.DESCRIPTOR.fields)
            raise MalformedError(f"message '{message.DESCRIPTOR.full_name}' has no field {key!r}; it has {known}")
        if value is not None or fields[key].type == _VALUE:
            _set_field(message, fields[key], value)


def _set_field(message: Message, field: Field, value: Any) -> None:
    target = getattr(message, field.name)
    if field.is_map:
        for key, item in value.items():
            if field.is_message:
                from_dict(item, target[key])
            else:
                target[key] = _scalar(field, item)
    elif field.is_repeated:
        for item in value:
            if field.is_message:
                from_dict(item, target.add())
            else:
                target.append(_scalar(field, item))
    elif field.is_message:
        from_dict(value, target)
        target.SetInParent()
    else:
        setattr(message, field.name, _scalar(field, value))


def _scalar(field: Field, value: Any) -> Any:
    if field.type == "bytes":
        return base64.b64decode(value.replace("-", "+").replace("_", "/") + "=" * (-len(value) % 4), validate=True)
    if field.type in _INTEGERS and isinstance(value, str | float):
        number = int(value)
        if isinstance(value, float) and number != value:
            raise ValueError(f"expected an int, got {value!r}")
        return number
    if field.type == "double" and isinstance(value, str):
        return float(value)
    if field.type == "string" and not isinstance(value, str):
        raise TypeError(f"expected a string, got {value!r}")
    return value


_ESCAPES: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "'": "\\'", "\\": "\\\\"}


def to_text(message: Message) -> str:
    """The message in protobuf's text form, a field a line; empty for an empty message."""
    return "".join(f"{line}\n" for line in _lines(message, ""))


def _lines(message: Message, indent: str) -> Iterator[str]:
    for field, value in message.ListFields():
        if field.is_map:
            for key in sorted(value):
                yield f"{indent}{field.name} {{"
                yield f'{indent}  key: "{_escaped(key)}"'
                yield from _field_lines(field, "value", value[key], f"{indent}  ")
                yield f"{indent}}}"
        else:
            for item in value if field.is_repeated else [value]:
                yield from _field_lines(field, field.name, item, indent)


def _field_lines(field: Field, name: str, value: Any, indent: str) -> Iterator[str]:
    if field.is_message:
        yield f"{indent}{name} {{"
        yield from _lines(value, f"{indent}  ")
        yield f"{indent}}}"
    else:
        yield f"{indent}{name}: {_scalar_text(field, value)}"


def _scalar_text(field: Field, value: Any) -> str:
    if field.type == "string":
        return f'"{_escaped(value)}"'
    if field.type == "bytes":
        return '"' + "".join(_ESCAPES.get(chr(byte)) or (chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}") for byte in value) + '"'
    if field.type == "bool":
        return "true" if value else "false"
    if field.is_enum:
        return str(_enum_name(field, value))
    return _double_text(value) if field.type == "double" else str(value)


def _double_text(value: float) -> str:
    short = format(value, ".15g")
    return short if float(short) == value else format(value, ".17g")


def _escaped(value: str) -> str:
    return "".join(_ESCAPES.get(char) or (f"\\{ord(char):03o}" if ord(char) < 32 or ord(char) == 127 else char) for char in value)


def parse(name: str, data: Any) -> Message:
    """A new message of a full name from protobuf's JSON form."""
    message = message_class(name)()
    from_dict(data, message)
    return message
