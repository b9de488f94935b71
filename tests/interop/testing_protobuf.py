"""Values for messages that protobuf reads and writes as well."""

from __future__ import annotations

from typing import Any

from fuzz.protobuf import real
from hypothesis import strategies as st

from jina.codec import message_tables as tables

Struct = real("google.protobuf.Struct")

words = st.text(max_size=12)
numbers = st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)
json_objects = st.dictionaries(words, json_values, max_size=5)


def as_float(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: as_float(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_float(item) for item in value]
    return float(value) if type(value) is int else value


_scalars: dict[str, st.SearchStrategy[Any]] = {
    "string": words,
    "bytes": st.binary(max_size=12),
    "bool": st.booleans(),
    "double": st.floats(allow_nan=False),
    "int32": st.integers(-(2**31), 2**31 - 1),
    "uint32": st.integers(0, 2**32 - 1),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "uint64": st.integers(0, 2**64 - 1),
}


def fill(draw: Any, message: Any, depth: int) -> None:
    """Set random fields of one of protobuf's messages."""
    table = tables.messages()[message.DESCRIPTOR.full_name]
    for field in table.fields:
        if (depth <= 0 and field.is_message) or not draw(st.booleans()):
            continue
        target = getattr(message, field.name)
        scalar: Any = st.integers(0, 1) if field.is_enum else _scalars.get(field.type)
        if field.is_map:
            for key in draw(st.sets(words, max_size=3)):
                if field.is_message:
                    fill(draw, target[key], depth - 1)
                else:
                    target[key] = draw(words)
        elif field.is_repeated and field.is_message:
            for _ in range(draw(st.integers(0, 2))):
                fill(draw, target.add(), depth - 1)
        elif field.is_repeated:
            target.extend(draw(st.lists(scalar, max_size=3)))
        elif field.is_message:
            target.SetInParent()
            fill(draw, target, depth - 1)
        else:
            setattr(message, field.name, draw(scalar))


@st.composite
def messages(draw: Any, name: str) -> Any:
    message = real(name)()
    fill(draw, message, 4)
    return message
