"""What one annotation means to the codecs."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import types
import typing
import uuid
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import numpy as np
from pydantic import BaseModel

_SCALARS: Final[dict[Any, str]] = {
    str: "str",
    int: "int",
    float: "float",
    bool: "bool",
    bytes: "bytes",
    complex: "complex",
    datetime.datetime: "datetime",
    datetime.date: "date",
    datetime.time: "time",
    datetime.timedelta: "timedelta",
    decimal.Decimal: "decimal",
    uuid.UUID: "uuid",
    type(None): "none",
}
_CONTAINERS: Final[dict[Any, str]] = {list: "list", set: "set", frozenset: "frozenset", tuple: "tuple", dict: "dict"}


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Type:
    """The structure of one annotation, `Optional` stripped.

    Attributes:
        kind: str, int, float, bool, bytes, complex, datetime, date, time, timedelta, decimal, uuid, none; tensor; doc (a BaseDoc);
            doclist; model (a plain pydantic model, dataclass or Struct); list, set, frozenset, tuple, dict; enum, literal, union; any;
            typed_str, typed_bytes (ID, Url and Bytes types); custom (a class that only the class's own validation understands).
        annotation: What it was made from, without `None`.
        is_optional: None is allowed.
        cls: doc, model: the class; doclist: the class of its documents; enum, typed_str, typed_bytes, tensor, custom: the class.
        list_cls: doclist: the list's class.
        wire_name: The registry's name that stands on the wire: 'id', 'image_url', 'ndarray'; None for untyped kinds.
        shape: tensor: the shape asked for, e.g. `(3, 'x', ...)`, or None.
        args: list, set, frozenset: the item's; dict: key's and value's; tuple: each item's; union: each member's.
        is_variadic: tuple: `tuple[X, ...]`, args has one entry.
        values: literal: its values.
        has_constraints: Metadata stand beside the annotation, here or within.
        is_plain_valued: typed_str, tensor: values may be plain (`str`, `numpy.ndarray`) and not know their wire name, as ours are;
            docarray's are of classes that do.
    """

    kind: str
    annotation: Any = None
    is_optional: bool = False
    cls: type | None = None
    list_cls: type | None = None
    wire_name: str | None = None
    shape: tuple[Any, ...] | None = None
    args: tuple[Type, ...] = ()
    is_variadic: bool = False
    values: tuple[Any, ...] = ()
    has_constraints: bool = False
    is_plain_valued: bool = False

    def walk(self) -> Iterator[Type]:
        """This type and all within it (documents are not entered)."""
        yield self
        for arg in self.args:
            yield from arg.walk()


def is_document(cls: Any) -> bool:
    """Whether instances of `cls` can be documents."""
    if not isinstance(cls, type):
        return False
    return issubclass(cls, BaseModel | msgspec.Struct) or dataclasses.is_dataclass(cls)


def is_base_doc(cls: type) -> bool:
    """A BaseDoc kind, ours or docarray's, which the strict dialect can nest."""
    return any(base.__name__ == "BaseDocWithoutId" and base.__module__.split(".")[0] in ("docarray", "jina") for base in cls.__mro__)


def type_of(annotation: Any, family: str = "pydantic") -> Type:
    """Read an annotation."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        inner, *metadata = typing.get_args(annotation)
        known = type_of(inner, family)
        return dataclasses.replace(known, has_constraints=known.has_constraints or any(not isinstance(m, str) for m in metadata))
    if origin in (typing.Union, types.UnionType):
        return _union(annotation, family)
    if origin is typing.Literal:
        return Type("literal", annotation, values=typing.get_args(annotation))
    if type(annotation).__name__ == "TypeAliasType":
        return Type("any", annotation, has_constraints=True)
    if origin in (typing.ClassVar, typing.Final, typing.Required, typing.NotRequired):
        return type_of(typing.get_args(annotation)[0], family)
    if annotation is Any or annotation is object:
        return Type("any", Any)
    base = origin or annotation
    if base in _CONTAINERS:
        return _container(annotation, _CONTAINERS[base], family)
    if origin is None and annotation in _SCALARS:
        return Type(_SCALARS[annotation], annotation)
    if isinstance(base, type):
        return _class(annotation, _list_class(base, annotation), family)
    return Type("any", annotation, has_constraints=annotation is not Any)


def _list_class(base: Any, annotation: Any) -> Any:
    """What `DocList["Later"]` has become once pydantic has resolved the name: still an alias, not yet the class of that list."""
    args = typing.get_args(annotation)
    is_open = len(args) == 1 and isinstance(args[0], type) and issubclass(base, list) and hasattr(base, "doc_type")
    return base[args[0]] if is_open and base.doc_type is not args[0] else base


def _union(annotation: Any, family: str) -> Type:
    members = [arg for arg in typing.get_args(annotation) if arg is not type(None)]
    is_optional = len(members) < len(typing.get_args(annotation))
    if len(members) == 1:
        return dataclasses.replace(type_of(members[0], family), is_optional=is_optional)
    parts = tuple(type_of(member, family) for member in members)
    return Type("union", annotation, is_optional, args=parts, has_constraints=any(p.has_constraints for p in parts))


def _container(annotation: Any, kind: str, family: str) -> Type:
    args = typing.get_args(annotation)
    is_variadic = kind == "tuple" and (not args or (len(args) == 2 and args[1] is ...))
    parts = tuple(type_of(arg, family) for arg in args if arg is not ...)
    parts = parts or ((Type("any", Any),) * (2 if kind == "dict" else 1) if args != ((),) else ())
    return Type(kind, annotation, args=parts, is_variadic=is_variadic, has_constraints=any(p.has_constraints for p in parts))


def _class(annotation: Any, cls: type, family: str) -> Type:
    item = getattr(cls, "doc_type", None)
    if isinstance(item, type) and issubclass(cls, list):
        return Type("doclist", annotation, cls=item, list_cls=cls)
    name = getattr(cls, "_proto_type_name", None)
    if name is None:
        name = getattr(getattr(cls, "__unparametrizedcls__", None), "_proto_type_name", None)
    if is_tensor_class(cls):
        shape = getattr(cls, "__docarray_target_shape__", None)
        return Type("tensor", annotation, cls=cls, wire_name=name, shape=shape, is_plain_valued=not _is_docarrays(cls))
    if is_document(cls):
        return Type("doc" if is_base_doc(cls) else "model", annotation, cls=cls)
    if issubclass(cls, enum.Enum):
        return Type("enum", annotation, cls=cls, values=tuple(cls))
    if isinstance(name, str) and issubclass(cls, str):
        return Type("typed_str", annotation, cls=cls, wire_name=name, is_plain_valued=not _is_docarrays(cls))
    if isinstance(name, str) and issubclass(cls, bytes):
        return Type("typed_bytes", annotation, cls=cls, wire_name=name)
    return Type("custom", annotation, cls=cls, has_constraints=True)


def is_tensor_class(cls: type) -> bool:
    """A tensor type of docarray's or ours, or numpy's own array."""
    return issubclass(cls, np.ndarray) or hasattr(cls, "__docarray_target_shape__") or hasattr(cls, "__unparametrizedcls__")


def _is_docarrays(cls: type) -> bool:
    return any(base.__module__.startswith("docarray.") for base in cls.__mro__)
