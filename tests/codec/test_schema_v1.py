from __future__ import annotations

from typing import Any, Optional

from pydantic import BaseModel

from jina.codec import codec_for
from jina.codec.schema_v1 import from_v1, to_v1


class Inner(BaseModel):
    n: int


class Outer(BaseModel):
    text: str
    inner: Inner
    maybe: Optional[Inner]  # noqa: UP045 - the form that users write
    pair: tuple[int, str] = (1, "a")
    properties: dict[str, Any] = {}


class Tree(BaseModel):
    name: str
    children: list[Tree] = []


def test_definitions_and_references_are_in_the_old_place() -> None:
    """A gateway that knows pydantic v1 only finds every definition."""
    schema = codec_for(Outer).json_schema_v1()

    assert schema["definitions"]["Inner"]["properties"]["n"]["type"] == "integer"
    assert schema["properties"]["inner"] in (
        {"$ref": "#/definitions/Inner"},
        {"allOf": [{"$ref": "#/definitions/Inner"}], "title": "Inner"},
    )
    assert "$defs" not in str(schema)


def test_an_optional_field_is_of_its_own_type_and_not_required() -> None:
    """v1 had no choice with null: an Optional field was simply not required."""
    schema = codec_for(Outer).json_schema_v1()

    assert set(schema["required"]) == {"text", "inner"}
    assert "null" not in str(schema["properties"]["maybe"])


def test_tuples_list_their_items() -> None:
    """`prefixItems` is newer than v1."""
    items = codec_for(Outer).json_schema_v1()["properties"]["pair"]["items"]

    assert [item["type"] for item in items] == ["integer", "string"]


def test_a_field_may_be_named_as_a_keyword() -> None:
    """A field called `properties` is a field."""
    assert "properties" in codec_for(Outer).json_schema_v1()["properties"]


def test_a_class_that_contains_itself_shows_its_properties() -> None:
    """The top of the schema is an object, never only a reference."""
    schema = codec_for(Tree).json_schema_v1()

    assert set(schema["properties"]) == {"name", "children"}
    assert schema["properties"]["children"]["items"] == {"$ref": "#/definitions/Tree"}


def test_a_schema_without_definitions_stays_flat() -> None:
    """Nothing is added."""
    assert to_v1({"type": "object", "properties": {"a": {"type": "string", "default": None}}}) == {
        "type": "object",
        "properties": {"a": {"type": "string"}},
    }


def test_a_schema_of_the_older_dialect_is_read_back() -> None:
    """Definitions and references where today's readers look for them; the numbers that a Struct made floats are ints."""
    schema = from_v1({**codec_for(Outer).json_schema_v1(), "maxProperties": 3.0, "x-ratio": 0.5})

    assert schema["properties"]["inner"] == {"$ref": "#/$defs/Inner"}
    assert schema["$defs"]["Inner"]["properties"]["n"]["type"] == "integer"
    assert "definitions" not in schema
    assert (repr(schema["maxProperties"]), schema["x-ratio"]) == ("3", 0.5)
