"""What `uses` means: from a class, a name, a file or text to the Executor class and how to make it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jina.errors import BadConfigSource, ConfigError
from jina.executor import BaseExecutor
from jina.options import DeploymentOptions
from jina.warning import warn_user
from jina.yaml.deployment import is_like_deployment
from jina.yaml.loading import dump_yaml
from jina.yaml.modules import class_below, class_in, import_all, names_below, py_modules_in
from jina.yaml.service import save_text
from jina.yaml.source import Source, read_source
from jina.yaml.substitution import substitute as substitute_variables

_KNOWN_KEYS = {"jtype", "with", "metas", "requests", "dynamic_batching", "py_modules", "workspace", "version", "jcloud", "name"}
_BASES = ("BaseExecutor", "Executor")


@dataclass(frozen=True, kw_only=True)
class ExecutorSource:
    """An Executor's description, read but not imported: small, and fit to be sent to the process that loads it.

    Attributes:
        name: The class's name.
        cls: The class itself where that is what was given.
        module: Module to take it from.
        py_modules: Files and modules to import first.
        search_paths: Where files are looked for.
        config: Keyword arguments of `create_executor`: `uses_with`, `uses_metas`, `uses_requests`, `uses_dynamic_batching`.
        path: The YAML file.
    """

    name: str
    cls: type | None = None
    module: str = ""
    py_modules: tuple[str, ...] = ()
    search_paths: tuple[str, ...] = ()
    config: dict[str, Any] = field(default_factory=dict)
    path: str | None = None

    def load(self, asked: type | None = None) -> type:
        """Import what must be imported and give the class.

        Args:
            asked: The class whose configuration this should be. A name without a module means it, before any other class of that name.

        Raises:
            BadConfigSource: There is no Executor of that name. What the user's modules raise passes through.
        """
        if self.cls is not None:
            import_all(self.py_modules, self.search_paths)
            return self.cls
        from jina.executor import Executor

        modules = import_all(self.py_modules, self.search_paths)
        if asked is not None and asked.__name__ == self.name and not self.module:
            return asked
        if self.module:
            modules = [*import_all((self.module,), self.search_paths), *modules]
        if self.name in _BASES:
            return Executor
        found = class_in(modules, self.name, Executor) or (None if self.module else class_below(Executor, self.name))
        if found is None:
            raise BadConfigSource(_no_class(self.name, names_below(Executor)))
        return found


def read_uses(
    uses: Any,
    *,
    uses_with: Mapping[str, Any] | None = None,
    uses_metas: Mapping[str, Any] | None = None,
    uses_requests: Mapping[Any, Any] | None = None,
    uses_dynamic_batching: Mapping[Any, Any] | None = None,
    py_modules: str | Sequence[str] | None = None,
    extra_search_paths: Iterable[str] | None = None,
    context: Mapping[str, Any] | None = None,
    substitute: bool = True,
    allow_py_modules: bool = True,
) -> ExecutorSource:
    """Describe an Executor without importing it.

    Args:
        uses: A class, class name, `module.Class`, YAML path or URL, YAML or JSON text, dict, open file.
        uses_with: Goes over the section `with`.
        uses_metas: Goes over `metas`.
        uses_requests: Goes over `requests`.
        uses_dynamic_batching: Goes over `dynamic_batching`, setting by setting.
        py_modules: Files and modules to import first, beside those that the configuration names.
        extra_search_paths: Where files are looked for, before the usual places.
        context: Values for `${{ name }}`.
        substitute: Replace variables.
        allow_py_modules: Import what the configuration's `py_modules` name.

    Raises:
        BadConfigSource: `uses` cannot be read, or is not an Executor's configuration.
        ConfigError: A section has the wrong form.
    """
    given = {"with": uses_with, "metas": uses_metas, "requests": uses_requests, "dynamic_batching": uses_dynamic_batching}
    paths = tuple(extra_search_paths or ())
    modules = [py_modules] if isinstance(py_modules, str) else list(py_modules or ())
    if isinstance(uses, type):
        if not issubclass(uses, BaseExecutor):
            text = f"uses={uses.__qualname__} is not an Executor: write `class {uses.__name__}(Executor)`, and @requests at its methods"
            raise ConfigError(text)
        return ExecutorSource(
            name=uses.__name__, cls=uses, py_modules=tuple(modules), search_paths=paths, config=_config({}, given, uses.__name__)
        )
    source = read_source("BaseExecutor" if uses is None else uses, paths)
    data = substitute_variables(source.data, context=context) if substitute else source.data
    name = _class_name(data, source)
    if source.path:
        paths = (*paths, os.path.dirname(source.path))
    return ExecutorSource(
        name=name,
        module=source.module,
        py_modules=tuple(modules + (py_modules_in(data) if allow_py_modules else [])),
        search_paths=paths,
        config=_config(data, given, name),
        path=source.path,
    )


def resolve_uses(uses: Any, **options: Any) -> tuple[type, dict[str, Any]]:
    """The Executor class and the keyword arguments of `create_executor`.

    Args:
        uses: As for `read_uses`, or a `DeploymentOptions`, which brings all the rest.
        **options: As for `read_uses`.
    """
    if isinstance(uses, DeploymentOptions):
        return resolve_uses(
            uses.uses,
            uses_with=uses.uses_with,
            uses_metas=uses.uses_metas,
            uses_requests=uses.uses_requests,
            uses_dynamic_batching=uses.uses_dynamic_batching,
            py_modules=uses.py_modules,
            extra_search_paths=uses.extra_search_paths,
            **options,
        )
    source = read_uses(uses, **options)
    return source.load(), source.config


def load_executor(source: Any, *, base: type | None = None, runtime_args: Mapping[str, Any] | None = None, **options: Any) -> Any:
    """An Executor made from its configuration, as `Executor.load_config` gives it.

    Args:
        source: As for `read_uses`.
        base: The class that was asked: it loads only itself and what is below it.
        runtime_args: Values for `self.runtime_args`.
        **options: As for `read_uses`.

    Raises:
        BadConfigSource: There is no such configuration, or it is that of another class.
    """
    from jina.executor import create_executor

    for name in ("needs", "include_gateway", "noblock_on_start"):
        options.pop(name, None)
    read = read_uses(source, **options)
    cls = read.load(base)
    if base is not None and not issubclass(cls, base):
        raise BadConfigSource(f"{read.path or 'the configuration'} describes {cls.__name__!r}, which is not a {base.__name__!r}")
    executor = create_executor(cls, runtime_args=dict(runtime_args or {}), **read.config)
    if read.path:
        executor.__dict__["config_abspath"] = read.path
    return executor


def save_executor(executor: Any, filename: str | None = None) -> bool:
    """Write an Executor's configuration: what it was made with, its endpoints and its batching.

    Without a name it goes to the file it was loaded from, or to a temporary file with a warning.

    Raises:
        ConfigError: A value of `__init__` cannot be written as YAML.
    """
    metas = {name: value for name, value in vars(executor.metas).items() if value}
    text = executor_yaml(
        type(executor).__name__,
        with_=executor._init_kwargs_dict,
        metas=metas,
        requests={path: endpoint.name for path, endpoint in executor.requests.items() if not path.startswith("_jina")},
        dynamic_batching=executor.dynamic_batching,
    )
    save_text(text, filename or getattr(executor, "config_abspath", None))
    return True


def executor_yaml(
    name: str,
    *,
    with_: Mapping[str, Any] | None = None,
    metas: Mapping[str, Any] | None = None,
    requests: Mapping[Any, Any] | None = None,
    dynamic_batching: Mapping[Any, Any] | None = None,
    py_modules: Sequence[str] = (),
) -> str:
    """The configuration of an Executor as YAML; empty sections are left out."""
    sections = {"with": with_, "metas": metas, "requests": requests, "dynamic_batching": dynamic_batching}
    data: dict[str, Any] = {"jtype": name, "py_modules": list(py_modules)} if py_modules else {"jtype": name}
    data.update((key, dict(section)) for key, section in sections.items() if section)
    return dump_yaml(data)


def _class_name(data: Mapping[str, Any], source: Source) -> str:
    name = data.get("jtype")
    where = source.path or "the configuration"
    if not isinstance(name, str):
        raise BadConfigSource(f"{where} has no 'jtype' that names the Executor's class")
    if name == "Flow":
        raise BadConfigSource(f"{where} describes a Flow, not an Executor; load it with Flow.load_config, or `jina flow --uses`")
    if name == "Deployment":
        raise BadConfigSource(f"{where} describes a Deployment, not an Executor; start it with `jina deployment --uses`")
    unknown = sorted(str(key) for key in data if key not in _KNOWN_KEYS)
    if unknown:
        warn_user(f"{where}: ignored unknown key(s) {', '.join(unknown)}")
    return name


def _config(data: Mapping[str, Any], given: Mapping[str, Mapping[Any, Any] | None], name: str) -> dict[str, Any]:
    sections = {key: {**_section(data, key, name), **_flat(override or {})} for key, override in given.items() if key != "dynamic_batching"}
    if "workspace" in data:
        sections["metas"].setdefault("workspace", data["workspace"])
    batching = _section(data, "dynamic_batching", name)
    for key, override in _flat(given["dynamic_batching"] or {}).items():
        both = isinstance(override, Mapping) and isinstance(batching.get(key), Mapping)
        batching[key] = {**batching[key], **override} if both else override
    return {**{f"uses_{key}": value for key, value in sections.items()}, "uses_dynamic_batching": batching}


def _section(data: Mapping[str, Any], key: str, name: str) -> dict[str, Any]:
    section = data.get(key)
    if section is None:
        return {}
    if not isinstance(section, Mapping):
        raise ConfigError(f"executor {name!r}: {key!r} must be a mapping, got {section!r}")
    return _flat(section)


def _flat(section: Mapping[Any, Any]) -> dict[str, Any]:
    """`{[/a, /b]: foo}` is `{/a: foo, /b: foo}`."""
    return {each: value for key, value in section.items() for each in (key if isinstance(key, tuple) else (key,))}


def _no_class(name: str, known: set[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, known, n=1) or ["Deployment"] * is_like_deployment(name)
    hint = f"did you mean {near[0]!r}?" if near else "import it first, or name its file under 'py_modules'"
    return f"there is no Executor class {name!r}; {hint}"
