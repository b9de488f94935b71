"""Flow YAML, in both directions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from jina.errors import BadConfigSource, ConfigError, NotSupportedError
from jina.options import FlowOptions
from jina.options.flow import without_address, without_ports
from jina.options.table import nearest, refuse_misspelt, with_hint
from jina.warning import warn_user
from jina.yaml.deployment import read_deployment
from jina.yaml.loading import dump_yaml
from jina.yaml.service import read_service, remember_source, save_text, written
from jina.yaml.source import read_source

_EXECUTORS: Final = ("executors", "deployments", "pods")
_SECTIONS: Final = ("jtype", "version", "with", "gateway", "jcloud", "py_modules", *_EXECUTORS)
_METHODS: Final = ("add", "needs", "needs_all")
_LATER: Final = ("inspect", "gather_inspect")


class FlowSource(NamedTuple):
    """What a Flow's YAML says.

    Attributes:
        arguments: Of the Flow, those of its gateway included.
        steps: Which of its methods to call with which arguments, one for each executor.
    """

    arguments: dict[str, Any]
    steps: list[tuple[str, dict[str, Any]]]


def read_flow(source: Any, *, uses_with: Mapping[str, Any] | None = None, **options: Any) -> FlowSource:
    """Read a Flow's YAML; `uses_with` goes over its `with`, `options` are those of `read_service`.

    Raises:
        BadConfigSource: It cannot be read, or describes something else.
        BadYAMLVersion: A `version` that we do not know.
        ConfigError: A section is not what it must be; names the section.
    """
    read = read_service(source, _check_kind, own_modules=lambda data: data, **options)
    data, where = read.data, read.where
    given = read.arguments(_arguments(data.get("with"), f"{where}: with"), _gateway(data.get("gateway"), where), uses_with or {})
    how = {**options, "extra_search_paths": read.paths}
    return FlowSource(given, [step for entry in _entries(data, where) for step in _step(entry, where, how)])


def load_flow(source: Any, **options: Any) -> Any:
    """A Flow from its YAML, as `Flow.load_config` gives it; `options` are those of `read_flow`."""
    from jina.flow import Flow

    arguments, steps = read_flow(source, **options)
    flow = Flow(**arguments)
    for method, given in steps:
        getattr(flow, method)(**given, copy_flow=False)
    return remember_source(flow, source, options.get("extra_search_paths"))


def flow_yaml(flow: Any) -> str:
    """The YAML of a Flow: what differs from the defaults.

    Raises:
        ConfigError: A value exists only in this process, such as a callable.
    """
    steps = []
    for name, node in flow:
        needs = {} if node.needs is None else {"needs": list(node.needs)}
        told = written(node.options)
        steps.append({"name": name, **needs, **(told if node.options.external else without_ports(told))})
    return dump_yaml({"jtype": "Flow", "version": "1", "with": written(flow.options), "executors": steps})


def save_flow(flow: Any, filename: str | None = None) -> str:
    """Write a Flow's YAML and give the file's path; without a name it goes to where it was loaded from, or to a temporary file."""
    return save_text(flow_yaml(flow), filename or getattr(flow, "config_abspath", None))


def _check_kind(data: Mapping[str, Any], where: str) -> None:
    kind = data.get("jtype")
    if kind != "Flow":
        near = nearest(str(kind), ["Flow"])
        hint = f"did you mean {near!r}?" if near else "a Deployment is loaded with Deployment.load_config, or `jina deployment --uses`"
        raise BadConfigSource(f"{where} describes {kind!r}, not a Flow; {hint}")
    unknown = sorted(str(key) for key in data if key not in _SECTIONS)
    for key in unknown:
        refuse_misspelt(FlowOptions, key, f"{where}: unknown key {key!r}", lambda meant: f"{meant!r} under 'with'")
    if unknown:
        names = ", ".join(with_hint(key, _SECTIONS) for key in unknown)
        warn_user(f"{where}: ignored unknown key(s) {names}; arguments of the Flow belong under 'with'")


def _arguments(section: Any, where: str) -> dict[str, Any]:
    """A section `with`; Jina's files may hold another one in it, called `kwargs`."""
    if section is None:
        return {}
    if not isinstance(section, dict):
        raise ConfigError(f"{where} must be a mapping of arguments, got {section!r}")
    inner = section.get("kwargs") or {}
    return {**{key: value for key, value in section.items() if key not in ("args", "kwargs")}, **inner}


def _gateway(section: Any, where: str) -> dict[str, Any]:
    given = _arguments(section, f"{where}: gateway")
    return {
        **{key: value for key, value in given.items() if key not in ("jtype", "with")},
        **_arguments(given.get("with"), f"{where}: gateway.with"),
    }


def _entries(data: Mapping[str, Any], where: str) -> list[Any]:
    found: list[Any] = []
    for section in _EXECUTORS:
        entries = data.get(section) or []
        if not isinstance(entries, list):
            raise ConfigError(f"{where}: {section} must be a list of executors, got {entries!r}")
        found += entries
    return found


def _step(entry: Any, where: str, how: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    if isinstance(entry, str):
        return [("add", _of_deployment(entry, read_source(entry, how["extra_search_paths"]).data, **how))]
    if not isinstance(entry, dict):
        raise ConfigError(f"{where}: an executor is a mapping or the path of a Deployment's YAML, got {entry!r}")
    if entry.get("jtype") == "Deployment":
        return [("add", _of_deployment(entry, entry, **{**how, "substitute": False}))]  # that has been done
    if entry.get("name") == "gateway":
        return []
    method = entry.get("method") or "add"
    if method in _LATER:
        raise NotSupportedError(f"{where}: method {method!r} of an executor comes with a later release; use `floating: true`")
    if method not in _METHODS:
        raise ConfigError(f"{where}: method {with_hint(str(method), _METHODS)} of an executor; there are {', '.join(_METHODS)}")
    return [(method, {key: value for key, value in entry.items() if key != "method"})]


def _of_deployment(source: Any, data: Mapping[str, Any], **how: Any) -> dict[str, Any]:
    given = read_deployment(source, **how)
    return {**(given if given.get("external") else without_address(given)), "needs": data.get("needs")}
