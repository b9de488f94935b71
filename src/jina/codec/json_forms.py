"""The two engines under `json.JsonCodec`: pydantic for models and dataclasses, msgspec for Structs."""

from __future__ import annotations

from typing import Any, Protocol

from jina.codec.schema import Schema


class Unfit(Exception):
    """JSON that is not such documents; `details` as in `InvalidInputError`."""

    def __init__(self, details: list[dict[str, Any]]) -> None:
        super().__init__(details)
        self.details = details


class Unwritable(Exception):
    """A value has no JSON form."""


class Form(Protocol):
    """Reads and writes documents of one class without our rules for ids, depth and numbers.

    Attributes:
        is_guarded: Reading refuses numbers beyond float and invalid UTF-8 by itself.
        max_depth: How deep the JSON may be nested.
    """

    is_guarded: bool
    max_depth: int

    def read(self, data: bytes) -> list[Any]:
        """Documents of a JSON array; raises Unfit."""

    def read_one(self, data: bytes) -> Any:
        """The document of a JSON object; raises Unfit."""

    def write(self, docs: list[Any]) -> bytes:
        """Documents as a JSON array; raises Unwritable."""

    def write_one(self, doc: Any) -> bytes:
        """A document as a JSON object; raises Unwritable."""

    def json_schema(self) -> dict[str, Any]:
        """The JSON Schema (2020-12) of one document."""

    def find_unwritable(self, doc: Any) -> str | None:
        """Name the place of a value that has no JSON form, if one is found."""


def form_of(schema: Schema) -> Form:
    """The engine for a class."""
    if schema.family == "struct":
        from jina.codec.json_struct import StructForm

        return StructForm(schema)
    from jina.codec.json_pydantic import PydanticForm

    return PydanticForm(schema)
