"""How classes and functions reach our own children: importable ones by name, the others by value.

A child is a fresh interpreter, so what lives in `__main__`, in a notebook or in a module that the child could not import travels by
value (cloudpickle). Parametrised document types (`DocList[T]`, `NdArray[3]`) travel as the subscription that makes them, so that they
are the same class on the other side. These bytes go through a private pipe to our own child, never over a socket.
"""

from __future__ import annotations

import io
import operator
import os
import pickle
import sys
from types import ModuleType
from typing import Any

import cloudpickle

from jina.errors import ConfigError
from jina.process.travel_classes import completed, part


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc,name-defined,unused-ignore]
    def reducer_override(self, obj: Any) -> Any:
        made_of = _docarray_list(getattr(obj, "__origin__", None))
        if made_of is not None:
            return operator.getitem, made_of
        if isinstance(obj, type):
            made_of = _docarray_list(obj)
            if made_of is not None:
                return _list_class, made_of
            subscription = _subscription(obj)
            if subscription is not None:
                return operator.getitem, subscription
        elif type(obj).__name__ == "State" and type(obj).__module__ == "starlette.datastructures":
            return type(obj), (vars(obj)["_state"],)  # of a web app; its own __getattr__ never ends on an object without attributes
        elif (found := part(obj)) is not None:
            return found
        reduced = super().reducer_override(obj)
        return completed(obj, reduced) if isinstance(obj, type) and isinstance(reduced, tuple) and len(reduced) == 6 else reduced


def _docarray_list(cls: Any) -> tuple[type, Any] | None:
    """Give (`DocList` or `DocVec`, document class) of the nameless class that docarray puts behind `DocList[T]` under pydantic 2."""
    if isinstance(cls, type) and cls.__module__ == "docarray.array.any_array" and "doc_type" in vars(cls) and "[" not in cls.__name__:
        return cls.__mro__[1], vars(cls)["doc_type"]
    return None


def _list_class(base: Any, document: Any) -> Any:
    return base[document].__origin__


def _subscription(cls: type) -> tuple[type, Any] | None:
    """Give (base, parameter) of a class that was made by subscription, None for any other class."""
    names = vars(cls)
    if "[" not in cls.__name__:
        return None
    if "doc_type" in names:
        return _generic_base(cls), names["doc_type"]
    shape = names.get("__docarray_target_shape__")
    base = getattr(cls, "__unparametrizedcls__", None)
    return (base, shape) if shape is not None and base is not None else None


def _generic_base(cls: type) -> type:
    return next(base for base in cls.__mro__[1:] if "[" not in base.__name__)


def pack(value: Any, *, what: str) -> bytes:
    """Pickle a class or function for a child of ours.

    Args:
        value: The class or function.
        what: How an error calls it, e.g. `executor 'Encoder'`.

    Raises:
        ConfigError: It, or a global that it uses, cannot travel; the text names which.
    """
    buffer = io.BytesIO()
    modules = _register_by_value(value)
    try:
        _Pickler(buffer).dump(value)
    except Exception as error:
        raise ConfigError(_explain(value, what, error)) from error
    finally:
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)
    return buffer.getvalue()


def unpack(data: bytes) -> Any:
    """Give back what `pack` took; only for bytes from our own parent."""
    return pickle.loads(data)


def importable_name(value: Any) -> str | None:
    """Give `module:name` of an object that stands in a module which a fresh interpreter can import; None if there is none."""
    for module_name, module in list(sys.modules.items()):
        if module_name == "__main__":
            continue
        for name, held in list(getattr(module, "__dict__", {}).items()):
            if held is value and _is_importable(module_name):
                return f"{module_name}:{name}"
    return None


def _register_by_value(value: Any) -> list[ModuleType]:
    """Send modules that a fresh interpreter could not import by value: those of the class itself and of its bases."""
    registered = []
    for name in {cls.__module__ for cls in getattr(value, "__mro__", (value,)) if hasattr(cls, "__module__")}:
        module = sys.modules.get(name)
        if module is None or name == "__main__" or _is_importable(name):
            continue
        cloudpickle.register_pickle_by_value(module)
        registered.append(module)
    return registered


def _is_importable(name: str) -> bool:
    if name in sys.builtin_module_names:
        return True
    try:
        found = _find_fresh(name)
    except (ImportError, ValueError, AttributeError):
        return False
    return found is not None and _is_same_file(found.origin, getattr(sys.modules.get(name), "__file__", None))


def _is_same_file(found: str | None, loaded: str | None) -> bool:
    """Whether a fresh import would run the file that runs here; two scripts of one name in two folders are two modules."""
    if found is None or loaded is None:
        return True
    try:
        return os.path.samefile(found, loaded)
    except OSError:
        return True  # one of them is no file (frozen, in an archive): its name is all there is


def _find_fresh(name: str) -> Any:
    """Find a module as a fresh interpreter would, not as `sys.modules` remembers it."""
    path: Any = None
    parts = name.split(".")
    spec = None
    for end in range(1, len(parts) + 1):
        spec = next(
            (found for finder in sys.meta_path if (found := finder.find_spec(".".join(parts[:end]), path)) is not None),
            None,
        )
        if spec is None:
            return None
        path = spec.submodule_search_locations
    return spec


def _explain(value: Any, what: str, error: Exception) -> str:
    culprit = _culprit(value)
    where = f"; its global {culprit} cannot travel" if culprit else ""
    return f"{what} cannot be sent to a worker process{where}: {error}; define it inside a method or in a module that workers can import"


def _culprit(value: Any) -> str:
    """Name the global of the class's methods that cannot be pickled."""
    functions = [item for item in vars(value).values() if hasattr(item, "__code__")] if isinstance(value, type) else [value]
    for function in functions:
        names = getattr(function, "__code__", None)
        for name in names.co_names if names else ():
            if name in function.__globals__ and not _travels(function.__globals__[name]):
                return f"{name!r}"
    return ""


def _travels(value: Any) -> bool:
    try:
        _Pickler(io.BytesIO()).dump(value)
    except Exception:
        return False
    return True
