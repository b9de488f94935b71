"""Deployment YAML, in both directions."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jina.errors import BadConfigSource, BadYAMLVersion, ConfigError
from jina.options import DeploymentOptions
from jina.options.table import refuse_misspelt
from jina.warning import warn_user
from jina.yaml.loading import dump_yaml
from jina.yaml.modules import import_all, py_modules_in
from jina.yaml.source import find_file, is_yaml_path, read_source
from jina.yaml.substitution import substitute as substitute_variables

_SECTIONS = {"with", "jtype", "version", "needs", "jcloud", "py_modules"}


def read_deployment(
    source: Any,
    *,
    allow_py_modules: bool = True,
    substitute: bool = True,
    context: Mapping[str, Any] | None = None,
    uses_with: Mapping[str, Any] | None = None,
    extra_search_paths: Iterable[str] | None = None,
    py_modules: str | Sequence[str] | None = None,
    **others: Any,
) -> dict[str, Any]:
    """Keyword arguments of a Deployment from its YAML; `uses_with` goes over them.

    Raises:
        BadConfigSource: It cannot be read, or describes something else.
        BadYAMLVersion: A `version` that we do not know.
        ConfigError: It has no `with`.
    """
    paths = list(extra_search_paths or ())
    read = read_source(source, paths)
    data = substitute_variables(read.data, context=context) if substitute else read.data
    where = read.path or "the configuration"
    _check_kind(data, where)
    check_version(data.get("version"))
    given = data.get("with")
    if not isinstance(given, dict):
        raise ConfigError(f"{where}: a Deployment needs a mapping 'with' that holds its arguments, e.g. 'with: {{uses: MyExecutor}}'")
    if read.path:
        paths.append(os.path.dirname(read.path))
    outside = [py_modules] if isinstance(py_modules, str) else list(py_modules or ())
    if allow_py_modules:
        outside += py_modules_in({key: value for key, value in data.items() if key != "with"})
    import_all(outside, paths)
    arguments = {**given, **(uses_with or {})}
    own = arguments.get("extra_search_paths") or ()
    arguments["extra_search_paths"] = [*([own] if isinstance(own, str) else own), *paths]
    return arguments


def load_deployment(source: Any, **options: Any) -> Any:
    """A Deployment from its YAML, as `Deployment.load_config` gives it; `options` are those of `read_deployment`."""
    from jina.deployment import Deployment

    deployment = Deployment(**read_deployment(source, **options))
    if isinstance(source, str) and is_yaml_path(source):
        deployment.__dict__["config_abspath"] = find_file(source.strip(), options.get("extra_search_paths") or ())
    return deployment


def deployment_yaml(options: Any) -> str:
    """The YAML of a `DeploymentOptions`: what differs from the defaults.

    Raises:
        ConfigError: A value exists only in this process, such as a callable.
    """
    return dump_yaml({"jtype": "Deployment", "version": "1", "with": written(options)})


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


def save_deployment(deployment: Any, filename: str | None = None) -> str:
    """Write a Deployment's YAML and give the file's path; without a name it goes to where it was loaded from, or to a temporary file."""
    return save_text(deployment_yaml(deployment.options), filename or getattr(deployment, "config_abspath", None))


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


def is_like_deployment(kind: Any) -> bool:
    """Tell whether a `jtype` is probably `Deployment`, misspelt."""
    from difflib import get_close_matches

    return bool(get_close_matches(str(kind), ["Deployment"], cutoff=0.8))


def _check_kind(data: Mapping[str, Any], where: str) -> None:
    kind = data.get("jtype")
    if kind == "Flow":
        raise BadConfigSource(f"{where} describes a Flow, not a Deployment; load it with Flow.load_config, or `jina flow --uses`")
    if kind != "Deployment":
        hint = "did you mean 'Deployment'?" if is_like_deployment(kind) else "start an Executor with `jina executor --uses`"
        raise BadConfigSource(f"{where} describes {kind!r}, not a Deployment; {hint}")
    unknown = sorted(str(key) for key in data if key not in _SECTIONS)
    for key in unknown:
        refuse_misspelt(DeploymentOptions, key, f"{where}: unknown key {key!r}", lambda meant: f"{meant!r} under 'with'")
    if unknown:
        warn_user(f"{where}: ignored unknown key(s) {', '.join(unknown)}; arguments belong under 'with'")


def check_version(version: Any) -> None:
    """Refuse a `version` that we do not know; 1.x is read as 1, with a warning."""
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
