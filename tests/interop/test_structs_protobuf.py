"""Structs against the protobuf library: the same bytes, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
from fuzz.protobuf import bytes_of, real
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st

from jina.codec.struct import dict_to_struct, json_to_value, struct_to_dict, value_to_json
from jina.codec.varint import varint
from jina.errors import InvalidInputError, UnencodableError
from tests.interop.testing_protobuf import Struct, as_float, json_objects, messages


@settings(max_examples=200, deadline=None)
@given(json_objects)
def test_struct_has_protobufs_bytes_and_comes_back_as_it_went(value: dict[str, Any]) -> None:
    """Every JSON object survives, with numbers as floats, in protobuf's deterministic bytes."""
    message = Struct()
    message.update(value)

    assert dict_to_struct(value) == bytes_of(message)
    assert struct_to_dict(bytes_of(message)) == as_float(value)


@pytest.mark.parametrize("value", [True, False, 0, 1, -1, 2**53, 1.5, -0.0, None, "", "ü", [], {}, [[]], (1, "x"), [None, {"a": []}]])
def test_value_has_protobufs_bytes(value: Any) -> None:
    """Bools stay bools, ints become floats, None is null, a tuple is a list."""
    message = real("google.protobuf.Value")()
    plain: Any = list(value) if isinstance(value, tuple) else value
    json_format.ParseDict(plain, message)

    assert json_to_value(value) == bytes_of(message)
    back = value_to_json(bytes_of(message))
    assert back == (list(value) if isinstance(value, tuple) else value)
    assert isinstance(back, bool) == isinstance(value, bool)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_struct_with_merged_and_unset_values_reads_as_in_protobuf(data: st.DataObject) -> None:
    """Whatever protobuf can hold in a Struct (values without a kind, doubled entries) reads as its JSON form says."""
    raw = bytes_of(data.draw(messages("google.protobuf.Struct"))) + bytes_of(data.draw(messages("google.protobuf.Struct")))
    try:
        expected = json_format.MessageToDict(Struct.FromString(raw))
    except (json_format.SerializeToJsonError, ValueError):
        with pytest.raises(InvalidInputError):
            struct_to_dict(raw)
        return

    assert struct_to_dict(raw) == expected


def test_a_value_given_in_two_parts_is_merged() -> None:
    """An entry whose value field comes twice holds both parts."""
    first = bytes_of(real("google.protobuf.Value")(struct_value=Struct(fields={"a": real("google.protobuf.Value")(bool_value=True)})))
    second = bytes_of(real("google.protobuf.Value")(struct_value=Struct(fields={"b": real("google.protobuf.Value")(number_value=2)})))
    entry = b"\n\x01k" + b"\x12" + bytes([len(first)]) + first + b"\x12" + bytes([len(second)]) + second
    raw = b"\n" + bytes([len(entry)]) + entry

    assert struct_to_dict(raw) == json_format.MessageToDict(Struct.FromString(raw)) == {"k": {"a": True, "b": 2.0}}


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"a": {"b": [1, object]}}, "parameters.a.b[1]"),
        ({"a": math.nan}, "parameters.a"),
        ({"a": {"b": math.inf}}, "parameters.a.b"),
        ({"a": b"x"}, "parameters.a"),
        ({"a": 10**400}, "parameters.a"),
        ({1: 2}, "parameters"),
        ({"a": "\ud800"}, "parameters.a"),
    ],
)
def test_values_that_are_not_json_are_refused_by_name(value: Any, place: str) -> None:
    """The error says where the value stands."""
    with pytest.raises(UnencodableError, match="- at `" + place.replace("[", r"\[").replace("]", r"\]") + "`"):
        dict_to_struct(value)


def nested(depth: int) -> bytes:
    value = Struct()
    for _ in range(depth):
        outer = Struct()
        outer.fields["k"].struct_value.CopyFrom(value)
        value = outer
    return bytes(bytes_of(value))


def test_parameters_may_nest_64_deep_and_no_deeper() -> None:
    """Depth is bounded before Python's own limit is near."""
    assert struct_to_dict(nested(20))
    raw = b""
    for _ in range(1000):
        value = b"*" + varint(len(raw)) + raw
        entry = b"\n\x01k\x12" + varint(len(value)) + value
        raw = b"\n" + varint(len(entry)) + entry
    with pytest.raises(InvalidInputError, match="deeper than 64") as failure:
        struct_to_dict(raw)
    assert failure.value.details[0]["loc"][:2] == ("parameters", "k")

    deep: dict[str, Any] = {}
    for _ in range(1000):
        deep = {"k": deep}
    with pytest.raises(UnencodableError, match="deeper than 64"):
        dict_to_struct(deep)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_lacks_are_refused_by_place(number: float) -> None:
    """NaN and infinities inside parameters are the caller's mistake."""
    message = Struct()
    message.update({"a": [0, {"b": 1}]})
    message.fields["a"].list_value.values[1].struct_value.fields["b"].number_value = number

    with pytest.raises(InvalidInputError) as failure:
        struct_to_dict(bytes_of(message))
    assert failure.value.details[0]["loc"] == ("parameters", "a", 1, "b")
