"""Classes made by subscription (`DocList[Text]`, `NdArray[3]`) that travel between processes.

A class made at run time has no importable name, so pickle cannot refer to it and cloudpickle would copy it, with the effect that a child
process has a second `DocList[Text]` which is not the first. Here such a class is pickled as the subscription that made it.

cloudpickle asks its own questions about every class before it looks at `copyreg`: it leaves alone whatever can be looked up under its
module and qualified name. So each class made here gets a name of its own in this module, and `__getattr__` below finds it.
"""

from __future__ import annotations

import copyreg
import operator
from typing import Any

_made: dict[str, type] = {}


class Subscripted(type):
    """Metaclass of classes that can be subscripted; `__subscription__` is (unsubscripted class, item), or None on that class itself."""

    __subscription__: tuple[type, Any] | None = None


def subscript(base: Subscripted, item: Any, title: str, namespace: dict[str, Any]) -> Any:
    """Make the subclass of `base` that `base[item]` stands for; the caller keeps it, so that there is one for each item."""
    name = f"{base.__name__}_{len(_made)}"
    namespace = {"__module__": __name__, "__qualname__": name, "__subscription__": (base, item), **namespace}
    made = type(base)(title, (base,), namespace)
    _made[name] = made
    return made


def register(metaclass: type[Subscripted]) -> None:
    """Have classes of `metaclass` pickled by name or, where they were made by subscription, by subscription."""
    copyreg.pickle(metaclass, _reduce)


def _reduce(cls: Subscripted) -> str | tuple[Any, ...]:
    subscription = cls.__dict__.get("__subscription__")
    if subscription is None:
        return cls.__qualname__
    return operator.getitem, subscription


def __getattr__(name: str) -> Any:
    try:
        return _made[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
