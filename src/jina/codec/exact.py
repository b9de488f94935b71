"""Whether a value already is what its field asks for, so that nobody needs to validate it again.

A check is conservative: False only costs a validation. It never looks into documents, whose own readers have seen to them.
"""

from __future__ import annotations

import datetime
import decimal
import uuid
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from jina.codec.types import Type

Check = Callable[[Any], bool]

_CLASSES: Final[dict[str, type]] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": bool,
    "bytes": bytes,
    "complex": complex,
    "datetime": datetime.datetime,
    "date": datetime.date,
    "time": datetime.time,
    "timedelta": datetime.timedelta,
    "decimal": decimal.Decimal,
    "uuid": uuid.UUID,
    "none": type(None),
}


def check_of(part: Type) -> Check:
    """A function that says whether a value is exactly of this type; constraints are not its business."""
    check = _check_of(part)
    if not part.is_optional:
        return check
    return lambda value: value is None or check(value)


def _check_of(part: Type) -> Check:
    kind = part.kind
    if kind in _CLASSES:
        return _is_a(_CLASSES[kind])
    if kind == "any":
        return lambda value: True
    if kind in ("doc", "model", "enum"):
        return _is_a(part.cls)
    if kind == "doclist":
        return _is_a(part.list_cls)
    if kind in ("typed_str", "typed_bytes"):
        return _is_a(str if part.is_plain_valued and part.wire_name == "id" else part.cls)
    if kind == "tensor":
        return _tensor(part)
    if kind == "literal":
        values = part.values
        return lambda value: any(type(value) is type(known) and value == known for known in values)
    if kind == "union":
        checks = [check_of(arg) for arg in part.args]
        return lambda value: any(check(value) for check in checks)
    make = _CONTAINERS.get(kind)
    return make(part) if make else lambda value: False


def _is_a(cls: Any) -> Check:
    return lambda value: type(value) is cls


def _tensor(part: Type) -> Check:
    """An array of the class that the field's values have, and of the very shape where one is asked for."""
    base = getattr(part.cls, "__unparametrizedcls__", None) or part.cls
    shape = part.shape
    if base is np.ndarray or (part.is_plain_valued and "torch" not in (part.wire_name or "")):
        cls: Any = np.ndarray
    elif isinstance(base, type) and issubclass(base, np.ndarray):
        cls = base
    else:
        return lambda value: False
    if shape is None:
        return _is_a(cls)
    return lambda value: type(value) is cls and value.shape == shape


def _all_of(cls: Any, item: type) -> Check:
    wanted = {item}

    def check(value: Any) -> bool:
        return type(value) is cls and wanted.issuperset(type(item) for item in value)

    return check


def _all_that(cls: Any, is_exact: Check) -> Check:
    def check(value: Any) -> bool:
        return type(value) is cls and all(is_exact(item) for item in value)

    return check


def _items(cls: type) -> Callable[[Type], Check]:
    def make(part: Type) -> Check:
        if not part.args or part.args[0].kind == "any":
            return _is_a(cls)
        item = part.args[0]
        if item.kind in _CLASSES and not item.is_optional:
            return _all_of(cls, _CLASSES[item.kind])
        return _all_that(cls, check_of(item))

    return make


def _tuple(part: Type) -> Check:
    if part.is_variadic:
        return _items(tuple)(part)
    checks = [check_of(arg) for arg in part.args]
    return lambda value: (
        type(value) is tuple and len(value) == len(checks) and all(check(item) for check, item in zip(checks, value, strict=True))
    )


def _dict(part: Type) -> Check:
    key, item = (check_of(arg) for arg in part.args) if len(part.args) == 2 else (lambda value: True,) * 2
    return lambda value: type(value) is dict and all(map(key, value)) and all(map(item, value.values()))


_CONTAINERS: Final[dict[str, Callable[[Type], Check]]] = {
    "list": _items(list),
    "set": _items(set),
    "frozenset": _items(frozenset),
    "tuple": _tuple,
    "dict": _dict,
}
