"""Dataclasses and msgspec.Structs by value: what cloudpickle's way of sending a class leaves out of them.

A dataclass keeps markers that are known by identity. A Struct lays its fields out when it is made, so it is made anew with the same
fields; methods and annotations follow once it exists, as they may refer to it. Annotations travel resolved, since the names in them
mean nothing in another module.
"""

from __future__ import annotations

import copy
import dataclasses
import inspect
import typing
from typing import Any, Final

import msgspec

_MARKERS: Final = {id(getattr(dataclasses, name)): name for name in ("MISSING", "KW_ONLY", "_HAS_DEFAULT_FACTORY")}
_OPTIONS: Final = (
    *("frozen", "eq", "order", "tag", "tag_field", "array_like", "gc", "weakref", "dict", "cache_hash"),
    *("omit_defaults", "repr_omit_defaults", "forbid_unknown_fields"),
)


_META: Final = ("gt", "ge", "lt", "le", "multiple_of", "pattern", "min_length", "max_length", "tz")
_META_TEXT: Final = ("title", "description", "examples", "extra_json_schema", "extra")


def part(value: Any) -> Any:
    """Give how one of dataclasses' markers, or a constraint of msgspec's, is made on the other side; None for anything else."""
    if type(value) is msgspec.Meta:
        given = {name: getattr(value, name) for name in (*_META, *_META_TEXT)}
        return _meta, ({name: each for name, each in given.items() if each is not None},)
    name = _MARKERS.get(id(value))
    return None if name is None else (_marker, (name,))


def _meta(given: dict[str, Any]) -> msgspec.Meta:
    return msgspec.Meta(**given)


def _marker(name: str) -> Any:
    return getattr(dataclasses, name)


def completed(cls: type, reduced: Any) -> Any:
    """Give cloudpickle's reduction of a class that goes by value, completed where the class is a dataclass or a Struct."""
    is_struct = issubclass(cls, msgspec.Struct)
    if not is_struct and "__dataclass_fields__" not in vars(cls):
        return reduced
    make, args, (names, slots), *rest = reduced
    names = {**names, **_annotations(cls)}
    if is_struct:
        make, args = _make_struct, _struct_arguments(cls)
        names = {name: value for name, value in names.items() if name not in ("__slots__", "__module__")}
    return make, args, (names, slots), *rest


def _annotations(cls: type) -> dict[str, Any]:
    """The class's own annotations with their names resolved, as far as they can be; of a dataclass also those in its fields."""
    try:
        hints = typing.get_type_hints(cls, include_extras=True)
    except (NameError, TypeError):
        return {}
    own = inspect.get_annotations(cls)
    found: dict[str, Any] = {"__annotations__": {name: hints.get(name, annotation) for name, annotation in own.items()}} if own else {}
    if "__dataclass_fields__" in vars(cls):
        found["__dataclass_fields__"] = {name: _typed(field, hints) for name, field in vars(cls)["__dataclass_fields__"].items()}
    return found


def _typed(field: dataclasses.Field[Any], hints: dict[str, Any]) -> dataclasses.Field[Any]:
    typed = copy.copy(field)
    typed.type = hints.get(field.name, field.type)
    return typed


def _struct_arguments(cls: type) -> tuple[Any, ...]:
    own = inspect.get_annotations(cls)
    fields = [field for field in msgspec.structs.fields(cls) if field.name in own]
    parameters = inspect.signature(cls).parameters
    config = cls.__struct_config__  # type: ignore[attr-defined] # every Struct has one
    options = {name: getattr(config, name) for name in _OPTIONS if hasattr(config, name)}
    options["kw_only"] = any(parameters[field.name].kind is inspect.Parameter.KEYWORD_ONLY for field in fields)
    options["module"] = cls.__module__
    return cls.__name__, [_described(field) for field in fields], cls.__bases__, options, "__post_init__" in vars(cls)


def _described(field: msgspec.structs.FieldInfo) -> tuple[str, str, bool, Any]:
    """Name, name on the wire, whether the default is a factory, default in a tuple (empty if there is none)."""
    if field.default_factory is not msgspec.NODEFAULT:
        return field.name, field.encode_name, True, (field.default_factory,)
    return field.name, field.encode_name, False, () if field.required else (field.default,)


def _make_struct(name: str, fields: list[Any], bases: tuple[type, ...], options: dict[str, Any], has_post_init: bool) -> type:
    """Make the Struct with its fields; msgspec reads their types, which follow, at the first use."""
    defined = []
    for own_name, wire_name, is_factory, default in fields:
        given: dict[str, Any] = {"default_factory" if is_factory else "default": default[0]} if default else {}
        defined.append((own_name, Any, msgspec.field(name=wire_name, **given)))
    # msgspec looks for __post_init__ here, once, while the user's own comes later
    hook = {"__post_init__": lambda self: vars(made)["__post_init__"](self)} if has_post_init else None
    made: type = msgspec.defstruct(name, defined, bases=bases, namespace=hook, **options)
    return made
