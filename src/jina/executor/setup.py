"""How an executor gets what the framework adds: its metas, endpoints, runtime arguments, workspace and batching."""

from __future__ import annotations

import dataclasses
import inspect
import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jina import hints
from jina.executor.bindings import rebind
from jina.executor.lock import turn_of

if TYPE_CHECKING:
    from jina.executor import BaseExecutor

ADDED = ("metas", "requests", "runtime_args", "workspace", "dynamic_batching")
_NOT_RECORDED = frozenset({*ADDED, "name", "description", "py_modules"})
_VARIABLE = re.compile(r"\$(\w+|\{\w+\})")


def create_executor(
    cls: type[BaseExecutor],
    *,
    uses_with: Mapping[str, Any] | None = None,
    uses_metas: Mapping[str, Any] | None = None,
    uses_requests: Mapping[Any, str] | None = None,
    uses_dynamic_batching: Mapping[str, Mapping[str, Any]] | None = None,
    runtime_args: Mapping[str, Any] | None = None,
    source: str = "gateway",
) -> BaseExecutor:
    """Make an executor for serving. Its `__init__` has its turn among the replicas of this machine.

    Args:
        cls: The user's class.
        uses_with: Arguments of its `__init__`.
        uses_metas: As `metas` of BaseExecutor.
        uses_requests: As `requests` of BaseExecutor.
        uses_dynamic_batching: As `dynamic_batching` of BaseExecutor.
        runtime_args: What becomes `self.runtime_args`.
        source: As `source` of Endpoint.

    Raises:
        Exception: Whatever the user's `__init__` raises.
    """
    added = {
        "metas": uses_metas,
        "requests": uses_requests,
        "dynamic_batching": uses_dynamic_batching,
        "runtime_args": {} if runtime_args is None else runtime_args,
    }
    with turn_of(cls.__name__):
        if not dataclasses.is_dataclass(cls) or _takes(cls, *added):
            executor = cls(**{**(uses_with or {}), **added})
        else:
            executor = cls(**(uses_with or {}))
            set_up(executor, added)
    executor.requests = {path: dataclasses.replace(endpoint, source=source) for path, endpoint in executor.requests.items()}
    return executor


def set_up(executor: BaseExecutor, added: Mapping[str, Any]) -> None:
    """Lay what the framework was given, each value that is not None, over what the executor has."""
    if added.get("runtime_args") is not None:
        vars(executor.runtime_args).update(added["runtime_args"])
    if added.get("metas") is not None:
        given = {key: value for key, value in dict(added["metas"]).items() if key != "name" or value}
        vars(executor.metas).update({key: _expanded(key, value) for key, value in given.items()})
    if added.get("workspace"):
        executor._workspace_given = str(added["workspace"])
    if added.get("requests"):
        executor.requests = rebind(type(executor), executor.requests, added["requests"])
        executor._requests_given = dict(added["requests"])
    for name, config in (added.get("dynamic_batching") or {}).items():
        executor.dynamic_batching[name] = {**executor.dynamic_batching.get(name, {}), **config}
        executor._batching_given[name] = dict(config)


def _expanded(key: str, value: Any) -> Any:
    """Put variables of the environment into a value of `metas`."""
    if not isinstance(value, str):
        return value
    result = os.path.expandvars(value)
    left = _VARIABLE.search(result)
    if left is not None:
        raise ValueError(f"metas.{key} is {value!r}, but the environment has no variable {left.group().strip('${}')!r}")
    return result


def recorded(cls: type[BaseExecutor], executor: BaseExecutor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Give the arguments of `__init__` that `save_config` writes: the user's own, defaults included."""
    signature = inspect.signature(cls.__init__)
    try:
        bound = signature.bind_partial(executor, *args, **kwargs)
    except TypeError:
        return {}  # `__init__` itself will say what is wrong
    bound.apply_defaults()
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    own = [name for name, p in list(signature.parameters.items())[1:] if p.kind not in kinds and name not in _NOT_RECORDED]
    return {name: bound.arguments[name] for name in own if name in bound.arguments}


def check_init(cls: type[BaseExecutor]) -> None:
    """Refuse an `__init__` that cannot be given what the framework adds."""
    init = vars(cls).get("__init__")
    if init is not None and not _takes(cls, "metas", "requests", "runtime_args"):
        raise TypeError(f"{hints.describe(init)} cannot take what the framework passes to it; please add `**kwargs` to its signature")


def _takes(cls: type[BaseExecutor], *names: str) -> bool:
    parameters = inspect.signature(cls.__init__).parameters
    return any(p.kind is p.VAR_KEYWORD for p in parameters.values()) or set(names) <= parameters.keys()
