"""The documents of several branches as one list: the union by id, the first branch's order first.

A document that several branches have is brought together field by field, as docarray's `update` does: what a later branch has replaces
what an earlier one has, unless it is None; lists are put one behind the other, sets united, dicts updated, documents within it and lists of
such joined in the same way. Within one branch documents of equal ids stay what they are.

Three forms of the same rules: on documents here (before a node of a flow), on bytes without their class in `join_proto` and `join_json`
(where branches end at the caller).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, get_origin

import msgspec

from jina.codec.by_id import by_id
from jina.codec.schema import Field, Schema, schema_of
from jina.errors import ConfigError

Join = Callable[[Any, Any], Any]


def join_documents(branches: Iterable[Sequence[Any]], schema: Schema) -> list[Any]:
    """Unite lists of documents of one class; the documents themselves are changed.

    Raises:
        ConfigError: They have no `id`.
    """
    if "id" not in schema.by_name:
        raise ConfigError(
            f"documents of class {schema.name!r} come from several nodes and cannot be joined: they have no field 'id'; "
            "give the class one, or pass no_reduce=True to have them as they are"
        )
    fields = _plan(schema)
    return by_id(branches, lambda doc: doc.id, lambda first, later: _update(first, later, fields, schema))


def _update(first: Any, later: Any, fields: tuple[tuple[str, Join], ...], schema: Schema) -> Any:
    put = msgspec.structs.force_setattr if schema.family == "struct" else object.__setattr__  # a document may be frozen
    for name, join in fields:
        new = getattr(later, name)
        if new is not None:
            old = getattr(first, name)
            put(first, name, new if old is None else join(old, new))
    if schema.is_model:
        first.__pydantic_fields_set__.update(later.__pydantic_fields_set__)
        if later.__pydantic_extra__:
            put(first, "__pydantic_extra__", {**(first.__pydantic_extra__ or {}), **later.__pydantic_extra__})
    return first


@cache
def _plan(schema: Schema) -> tuple[tuple[str, Join], ...]:
    return tuple((field.name, _join_of(field)) for field in schema.fields)


def _join_of(field: Field) -> Join:
    kind, cls = field.kind, field.type.cls
    if kind == "doclist" and cls is not None:
        inner = cls
        return lambda old, new: type(old)(join_documents((old, new), schema_of(inner)))
    if kind == "doc" and cls is not None:
        one = cls
        return lambda old, new: _update(old, new, _plan(schema_of(one)), schema_of(one))
    return _JOINS.get(get_origin(field.type.annotation), _replace)


def _replace(old: Any, new: Any) -> Any:
    return new


_JOINS: dict[Any, Join] = {
    list: lambda old, new: [*old, *new],
    set: lambda old, new: {*old, *new},
    dict: lambda old, new: {**old, **new},
}
"""By what an annotation is made from: a bare `list` is replaced."""
