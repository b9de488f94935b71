"""Values to documents through the class's own validation: for what does not fit exactly, and for classes that check more than types."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from pydantic import TypeAdapter, ValidationError

from jina.codec.schema import Schema
from jina.errors import ConfigError, InvalidInputError

Details = list[dict[str, Any]]
_ADAPTERS: Final[dict[type, TypeAdapter[Any]]] = {}
_MSGSPEC_PATH: Final = re.compile(r"(.*?)(?: - at `\$(.*)`)?$", re.DOTALL)
_MSGSPEC_STEP: Final = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")


def validate(schema: Schema, values: list[dict[str, Any]], locs: Sequence[tuple[str | int, ...]]) -> list[Any]:
    """Documents from their fields' values.

    Args:
        schema: Their class.
        values: Each document's values by field name.
        locs: Where each document stands, to begin the findings' `loc` with.

    Raises:
        InvalidInputError: With one detail for each finding.
    """
    names = [(field.name, field.alias) for field in schema.fields if field.alias is not None]
    if names:
        values = [_by_alias(one, names) for one in values]
    make = _structs if schema.family == "struct" else _dataclasses if schema.family == "dataclass" else _models
    return make(schema, values, locs)


def _by_alias(values: dict[str, Any], names: Sequence[tuple[str, str | None]]) -> dict[str, Any]:
    values = dict(values)
    for name, alias in names:
        if name in values and alias is not None:
            values[alias] = values.pop(name)
    return values


def _models(schema: Schema, values: list[dict[str, Any]], locs: Sequence[tuple[str | int, ...]]) -> list[Any]:
    adapter = _ADAPTERS.get(schema.cls)
    if adapter is None:
        adapter = _ADAPTERS[schema.cls] = TypeAdapter(list[schema.cls])  # type: ignore[name-defined]
    try:
        return adapter.validate_python(values)  # type: ignore[no-any-return]
    except ValidationError as error:
        details: Details = error.errors(include_url=False, include_context=False, include_input=False)  # type: ignore[assignment]
        for detail in details:
            at, *rest = detail["loc"]
            detail["loc"] = (*locs[at], *rest)
        raise invalid(schema, details) from None


def _dataclasses(schema: Schema, values: list[dict[str, Any]], locs: Sequence[tuple[str | int, ...]]) -> list[Any]:
    late = [field.name for field in schema.fields if not field.is_init]
    if not late:
        return _models(schema, values, locs)
    docs = _models(schema, [{k: v for k, v in one.items() if k not in late} for one in values], locs)
    for doc, one in zip(docs, values, strict=True):
        for name in late:
            if name in one:
                object.__setattr__(doc, name, one[name])
    return docs


def _structs(schema: Schema, values: list[dict[str, Any]], locs: Sequence[tuple[str | int, ...]]) -> list[Any]:
    docs: list[Any] = []
    for one, loc in zip(values, locs, strict=True):
        try:
            docs.append(msgspec.convert(one, schema.cls, dec_hook=_convert))
        except msgspec.ValidationError as error:
            text, path = _MSGSPEC_PATH.fullmatch(str(error)).groups()  # type: ignore[union-attr]
            steps = [name or int(index) for name, index in _MSGSPEC_STEP.findall(path or "")]
            raise invalid(schema, [{"loc": (*loc, *steps), "msg": text, "type": "validation_error"}]) from None
        except TypeError as error:
            raise ConfigError(f"Struct {schema.name!r} has a field that msgspec cannot validate: {error}") from error
    return docs


def _convert(cls: Any, value: Any) -> Any:
    """Validate what msgspec does not know; it asks here, and gets what pydantic makes of the value."""
    if cls not in _ADAPTERS:
        _ADAPTERS[cls] = TypeAdapter(cls, config=None if _has_config(cls) else {"arbitrary_types_allowed": True})
    return _ADAPTERS[cls].validate_python(value)


def _has_config(cls: Any) -> bool:
    return hasattr(cls, "model_config") or dataclasses.is_dataclass(cls)


def invalid(schema: Schema, details: Details) -> InvalidInputError:
    """The error for findings in documents of a class."""
    first = details[0]
    path = ".".join(map(str, first["loc"]))
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    return InvalidInputError(f"{first['msg']} - at `{path}` of {schema.name}{more}", details)


def construct(schema: Schema) -> Callable[..., Any]:
    """The class itself, with what its `__init__` or `__post_init__` refuses as InvalidInputError."""
    late = [field.name for field in schema.fields if not field.is_init]

    def make(values: dict[str, Any], loc: Callable[[], tuple[str | int, ...]]) -> Any:
        try:
            doc = schema.cls(**{k: v for k, v in values.items() if k not in late})
        except (ValueError, TypeError) as error:
            raise invalid(schema, [{"loc": loc(), "msg": str(error), "type": "value_error"}]) from None
        for name in late:
            object.__setattr__(doc, name, values[name])
        return doc

    return make
