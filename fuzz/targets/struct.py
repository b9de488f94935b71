"""`google.protobuf.Struct`, `Value` and `ListValue`, against the protobuf library: the same values; what is read can be written."""

from __future__ import annotations

import json
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import DecodeError

from fuzz.protobuf import real
from jina.codec import struct as codec
from jina.errors import InvalidInputError, MalformedError

MAX_BYTES = 512
WORDS = (
    b"\n\x05\n\x01a\x12\x00",
    b"\x12\x02\x08\x00",
    b"\x11\0\0\0\0\0\0\xf8\x7f",
    b"\x11\0\0\0\0\0\0\xf0\x3f",
    b"\x1a\x01x",
    b"*\x00",
    b"2\x00",
    b" \x01",
    b"\x0b\x0c",
)
_FORMS = (
    ("google.protobuf.Struct", codec.struct_to_dict, codec.dict_to_struct),
    ("google.protobuf.Value", codec.value_to_json, codec.json_to_value),
    ("google.protobuf.ListValue", codec.list_to_json, codec.json_to_list),
)


def check(data: bytes) -> None:
    for name, read, write in _FORMS:
        value: Any = ...
        try:
            value = read(data)
        except MalformedError as error:
            if "no field has the tag" in str(error):
                continue  # one that is longer than it must be, which the library takes
        except InvalidInputError:
            continue  # NaN, maybe one that is overwritten later, or too deep
        if value is not ...:
            written = write(value)
            assert read(written) == value
            json.dumps(value, allow_nan=False)
        _compare(name, value, data)


def _compare(name: str, value: Any, data: bytes) -> None:
    try:
        message = real(name).FromString(data)
        known = real(name).FromString(data)
        known.DiscardUnknownFields()
        if known.SerializeToString() != message.SerializeToString():
            return  # the library takes an entry of a map with an unknown field in it for an unknown field
        expected = json_format.MessageToDict(message)
    except (DecodeError, json_format.SerializeToJsonError, json_format.Error, ValueError, RecursionError):
        return
    assert value == expected, (value, expected)


def seeds() -> list[bytes]:
    value = {"a": 1.5, "b": [True, None, "x", {"c": []}], "": "é", "__results__": {}}
    return [codec.dict_to_struct(value), codec.json_to_value(value), codec.json_to_list([1, value]), codec.EMPTY_RESULTS]
