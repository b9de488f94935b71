"""What the YAML of a Deployment and of a Flow have in common."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from jina.errors import BadYAMLVersion, ConfigError
from jina.warning import warn_user
from jina.yaml.modules import import_all, py_modules_in
from jina.yaml.source import find_file, is_yaml_path, read_source
from jina.yaml.substitution import substitute as substitute_variables


class ServiceSource(NamedTuple):
    """A service's YAML, its modules imported.

    Attributes:
        data: Its sections, variables replaced.
        where: What errors call it.
        paths: Where to look for what it names.
    """

    data: dict[str, Any]
    where: str
    paths: list[str]

    def arguments(self, *given: Mapping[str, Any]) -> dict[str, Any]:
        """Join arguments, later ones over earlier ones; they look in `paths`, too."""
        found = {name: value for each in given for name, value in each.items()}
        own = found.get("extra_search_paths") or ()
        return {**found, "extra_search_paths": [*([own] if isinstance(own, str) else own), *self.paths]}


def read_service(
    source: Any,
    check: Callable[[Mapping[str, Any], str], None],
    *,
    own_modules: Callable[[dict[str, Any]], dict[str, Any]],
    allow_py_modules: bool = True,
    substitute: bool = True,
    context: Mapping[str, Any] | None = None,
    extra_search_paths: Iterable[str] | None = None,
    py_modules: str | Sequence[str] | None = None,
    **others: Any,
) -> ServiceSource:
    """Read a service's YAML.

    Args:
        source: A path, a text, an open file or a dict.
        check: Refuses what describes something else, or lacks what it must have.
        own_modules: Gives the part whose `py_modules` are to be imported now.
        allow_py_modules: Import them.
        substitute: Replace variables.
        context: Values of variables.
        extra_search_paths: Where to look for files, beside the usual places.
        py_modules: More modules to import.
        **others: What else Jina's `load_config` takes; without effect.

    Raises:
        BadConfigSource: It cannot be read.
        BadYAMLVersion: A `version` that we do not know.
    """
    paths = list(extra_search_paths or ())
    read = read_source(source, paths)
    data = substitute_variables(read.data, context=context) if substitute else read.data
    where = read.path or "the configuration"
    check(data, where)
    _check_version(data.get("version"))
    if read.path:
        paths.append(os.path.dirname(read.path))
    outside = [py_modules] if isinstance(py_modules, str) else list(py_modules or ())
    if allow_py_modules:
        outside += py_modules_in(own_modules(data))
    import_all(outside, paths)
    return ServiceSource(data, where, paths)


def remember_source(service: Any, source: Any, extra_search_paths: Iterable[str] | None = None) -> Any:
    """Note with a service which file it was loaded from, if it was; that is where `save_config` writes."""
    if isinstance(source, str) and is_yaml_path(source):
        service.__dict__["config_abspath"] = find_file(source.strip(), extra_search_paths or ())
    return service


def written(options: Any) -> dict[str, Any]:
    """What of an option class differs from the defaults, as YAML holds it.

    Raises:
        ConfigError: A value exists only in this process, such as a callable.
    """
    arguments: dict[str, Any] = options.to_dict()
    arguments.pop("extra_search_paths", None)
    if "uses" in arguments:
        arguments["uses"] = _written_uses(arguments["uses"])
    for name, value in arguments.items():
        if callable(value):
            raise ConfigError(f"{name} is a {type(value).__name__} of this process and cannot be written as YAML")
    return arguments


def save_text(text: str, filename: str | None) -> str:
    """Write a configuration, readable by its owner only, since it may hold keys; a warning tells where a nameless one went."""
    if not filename:
        handle, filename = tempfile.mkstemp(suffix=".yml", prefix="jina-")
        os.close(handle)
        warn_user(f"no file name was given; the configuration is in {filename}")
    descriptor = os.open(filename, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return os.path.abspath(filename)


def _check_version(version: Any) -> None:
    if version is None or str(version) == "1":
        return
    if str(version).startswith("1."):
        warn_user(f"YAML version {version!r} is read as '1'")
        return
    raise BadYAMLVersion(f"YAML version {version!r} is unknown; write version: '1'")


def _written_uses(uses: Any) -> Any:
    return _class_path(uses) if isinstance(uses, type) else uses


def _class_path(uses: type) -> str:
    if uses.__module__ == "__main__" or getattr(sys.modules.get(uses.__module__), uses.__name__, None) is not uses:
        return uses.__name__
    return f"{uses.__module__}.{uses.__qualname__}"
