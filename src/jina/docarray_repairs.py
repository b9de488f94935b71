"""Repairs of docarray 0.41 under newer numpy and Python, made only where docarray is in use and shows the fault.

    numpy 2        DocVec of a tensor field: arrays got a `.device`, which docarray passes on to a function that refuses it
    Python 3.12    a field `DocList[X]`: typing subscripts it once more, which docarray refuses
    any            reading an id from protobuf compiles a pydantic validator for each document
    any            JSON schema of a tensor with a named or free axis: the example's size is computed with the names

Each fault is tried first; `JINA_NO_DOCARRAY_REPAIRS=1` leaves docarray as it is. They must be made before the user's classes are, and
docarray may be imported after us. So importing an Executor or Client adds a finder to `sys.meta_path` that looks at this one name: the one
thing that importing us changes beyond ourselves.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any, get_type_hints

_done = False


class _Watch(MetaPathFinder):
    """Sees docarray being imported."""

    is_asking = False

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name != "docarray" or self.is_asking:
            return None
        self.is_asking = True
        try:
            spec = find_spec(name)
        finally:
            self.is_asking = False
        if spec is not None and spec.loader is not None:
            loader: Any = spec.loader
            execute = loader.exec_module

            def execute_and_repair(module: ModuleType) -> None:
                execute(module)
                repair()

            loader.exec_module = execute_and_repair
        return spec


def repair_when_imported() -> None:
    """Repair docarray, now or right after somebody imports it: what a class statement does with a list cannot be mended afterwards."""
    if "docarray" in sys.modules:
        repair()
    elif not any(isinstance(finder, _Watch) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Watch())


def repair() -> None:
    """Repair docarray, once, if it is imported."""
    global _done
    if _done or "docarray" not in sys.modules:
        return
    _done = True
    if os.environ.get("JINA_NO_DOCARRAY_REPAIRS", "").lower() in ("1", "true", "yes"):
        return
    for is_broken, mend in (
        (_has_device_fault, _mend_device),
        (_has_subscription_fault, _mend_subscription),
        (_has_slow_id, _mend_id),
        (_has_example_fault, _mend_example),
    ):
        if _is_certain(is_broken):
            mend()


def _is_certain(is_broken: Callable[[], bool]) -> bool:
    try:
        return is_broken()
    except (ImportError, AttributeError):  # a docarray of another shape, an old one for instance: none of ours to mend
        return False


def _backend() -> Any:
    return import_module("docarray.computation.numpy_backend").NumpyCompBackend


def _has_device_fault() -> bool:
    try:
        _backend().empty((1,), device="cpu")
    except NotImplementedError:
        return True
    return False


def _mend_device() -> None:
    backend = import_module("docarray.computation.abstract_numpy_based_backend").AbstractNumpyBasedBackend
    empty = backend.empty.__func__

    def repaired(cls: Any, shape: Any, dtype: Any = None, device: Any = None) -> Any:
        return empty(cls, shape, dtype, None if device == "cpu" else device)

    backend.empty = classmethod(repaired)


def _list_classes() -> tuple[Any, Any]:
    return import_module("docarray").DocList, import_module("docarray.array.doc_vec.doc_vec").DocVec


def _has_subscription_fault() -> bool:
    listed = _list_classes()[0][import_module("docarray").BaseDoc]
    try:
        get_type_hints(type("Probe", (), {"__annotations__": {"docs": listed}}))
    except TypeError:
        return True
    return False


def _mend_subscription() -> None:
    for base in _list_classes():
        base.__class_getitem__ = classmethod(_again(base, base.__class_getitem__.__func__))


def _again(base: Any, subscribe: Any) -> Any:
    """Let the class behind `DocList[X]`, subscripted with X, be `DocList[X]`."""

    def repaired(cls: Any, item: Any) -> Any:
        if isinstance(item, tuple) and len(item) == 1:
            item = item[0]
        is_again = cls is not base and getattr(cls, "doc_type", None) is item
        return subscribe(base if is_again else cls, item)

    return repaired


def _has_slow_id() -> bool:
    return "parse_obj_as" in _typing().ID.from_protobuf.__func__.__code__.co_names


def _mend_id() -> None:
    _typing().ID.from_protobuf = classmethod(lambda cls, text: cls(text))


def _typing() -> Any:
    return import_module("docarray.typing")


def _has_example_fault() -> bool:
    from pydantic import TypeAdapter

    try:
        TypeAdapter(_typing().NdArray[2, "x"]).json_schema()
    except TypeError:
        return True
    return False


def _mend_example() -> None:
    tensor = import_module("docarray.typing.tensor.abstract_tensor").AbstractTensor
    describe = tensor.__get_pydantic_json_schema__.__func__

    def repaired(cls: Any, schema: Any, handler: Any) -> Any:
        shape = getattr(cls, "__docarray_target_shape__", None)
        if shape is None or all(isinstance(size, int) for size in shape):
            return describe(cls, schema, handler)
        text = "[" + ", ".join(map(str, shape)) + "]"
        return {"type": "array", "items": {"type": "number"}, "tensor/array shape": text}

    tensor.__get_pydantic_json_schema__ = classmethod(repaired)
