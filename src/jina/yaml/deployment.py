"""Deployment YAML, in both directions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jina.errors import BadConfigSource, ConfigError
from jina.options import DeploymentOptions
from jina.options.table import refuse_misspelt
from jina.warning import warn_user
from jina.yaml.loading import dump_yaml
from jina.yaml.service import read_service, remember_source, save_text, written

_SECTIONS = {"with", "jtype", "version", "needs", "jcloud", "py_modules"}


def read_deployment(source: Any, *, uses_with: Mapping[str, Any] | None = None, **options: Any) -> dict[str, Any]:
    """Keyword arguments of a Deployment from its YAML; `uses_with` goes over them, `options` are those of `read_service`.

    Raises:
        BadConfigSource: It cannot be read, or describes something else.
        BadYAMLVersion: A `version` that we do not know.
        ConfigError: It has no `with`.
    """
    read = read_service(source, _check, own_modules=_without_arguments, **options)
    return read.arguments(read.data["with"], uses_with or {})


def load_deployment(source: Any, **options: Any) -> Any:
    """A Deployment from its YAML, as `Deployment.load_config` gives it; `options` are those of `read_deployment`."""
    from jina.deployment import Deployment

    return remember_source(Deployment(**read_deployment(source, **options)), source, options.get("extra_search_paths"))


def deployment_yaml(options: Any) -> str:
    """The YAML of a `DeploymentOptions`: what differs from the defaults.

    Raises:
        ConfigError: A value exists only in this process, such as a callable.
    """
    return dump_yaml({"jtype": "Deployment", "version": "1", "with": written(options)})


def save_deployment(deployment: Any, filename: str | None = None) -> str:
    """Write a Deployment's YAML and give the file's path; without a name it goes to where it was loaded from, or to a temporary file."""
    return save_text(deployment_yaml(deployment.options), filename or getattr(deployment, "config_abspath", None))


def is_like_deployment(kind: Any) -> bool:
    """Tell whether a `jtype` is probably `Deployment`, misspelt."""
    from difflib import get_close_matches

    return bool(get_close_matches(str(kind), ["Deployment"], cutoff=0.8))


def _without_arguments(data: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key != "with"}


def _check(data: Mapping[str, Any], where: str) -> None:
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
    if not isinstance(data.get("with"), dict):
        raise ConfigError(f"{where}: a Deployment needs a mapping 'with' that holds its arguments, e.g. 'with: {{uses: MyExecutor}}'")
