"""Importing the Python files and modules that a configuration names, and finding classes by name."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from jina.errors import BadConfigSource
from jina.warning import warn_user
from jina.yaml.source import find_file


def py_modules_in(data: Any) -> list[str]:
    """What all `py_modules` keys of a configuration name, at any depth."""
    found: list[str] = []
    if isinstance(data, dict):
        value = data.get("py_modules")
        found += [value] if isinstance(value, str) else [str(each) for each in value or ()]
        for each in data.values():
            found += py_modules_in(each)
    return found


def import_all(names: Iterable[str], search_paths: Iterable[str]) -> list[ModuleType]:
    """Import files (`.py`, found in `search_paths` and around) and modules.

    Raises:
        BadConfigSource: A file does not exist, or a name is neither a file nor a module. What the user's code raises passes through.
    """
    return [_import(name, list(search_paths)) for name in names]


def class_in(modules: Iterable[ModuleType], name: str, base: type) -> type | None:
    """The subclass of `base` that one of the modules holds under that name."""
    found = (getattr(module, name, None) for module in modules)
    return next((each for each in found if isinstance(each, type) and issubclass(each, base)), None)


def class_below(base: type, name: str) -> type | None:
    """The class of that name below `base`; of several the one that was defined last among its sisters."""
    found = [each for each in _below(base) if each.__name__ == name]
    return found[-1] if found else None


def names_below(base: type) -> set[str]:
    """The names of all classes below `base`."""
    return {each.__name__ for each in _below(base)}


def _below(base: type) -> list[type]:
    children: list[type] = type.__subclasses__(base)
    return [each for child in children for each in (child, *_below(child))]


def _import(name: str, search_paths: list[str]) -> ModuleType:
    path = find_file(name, search_paths) if name.endswith(".py") or os.sep in name else None
    if path is not None:
        return _import_file(os.path.join(path, "__init__.py") if os.path.isdir(path) else path)
    if name.endswith(".py") or os.sep in name:
        raise BadConfigSource(f"py_modules: file {name!r} does not exist; looked in {', '.join(search_paths) or os.getcwd()}")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name.partition(".")[0] and error.name != name:
            raise
        raise BadConfigSource(f"py_modules: {name!r} is neither a file nor a module that can be imported") from error


def _import_file(path: str) -> ModuleType:
    for loaded in list(sys.modules.values()):
        if getattr(loaded, "__file__", None) == path and loaded.__name__ != "__main__":
            return loaded
    is_package = os.path.basename(path) == "__init__.py"
    folder = os.path.dirname(path)
    name = _free_name("user_module" if is_package else os.path.splitext(os.path.basename(path))[0])
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=[folder] if is_package else None)
    if spec is None or spec.loader is None:
        raise BadConfigSource(f"py_modules: {path!r} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    if folder not in sys.path:
        sys.path.append(folder)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def _free_name(stem: str) -> str:
    if stem not in sys.modules:
        return stem
    if stem != "user_module":
        warn_user(f"py_modules: a module {stem!r} is loaded already, so the file becomes 'user_module.{stem}'; better give it another name")
    name, n = f"user_module.{stem}", 1
    while name in sys.modules:
        n += 1
        name = f"user_module.{stem}_{n}"
    return name
