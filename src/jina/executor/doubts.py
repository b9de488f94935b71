"""What is allowed in an executor class and yet hardly meant: texts for the user who serves it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import FunctionType
from typing import Any

from jina.executor import BaseExecutor
from jina.executor.bindings import DRY_RUN, batching_of


def doubts(cls: type, batching: Mapping[str, Any], paths: Collection[str]) -> list[str]:
    """Say what is odd about an executor that serves.

    Args:
        cls: Its class.
        batching: What configuration says of batching, over the class's decorators.
        paths: The endpoints that it has.
    """
    found = []
    if set(paths) <= {DRY_RUN}:
        found.append(f"executor {cls.__name__!r} has no endpoint, so nothing can be called; {_advice(cls)}")
    waiting = [name for name, config in {**batching_of(cls), **batching}.items() if config.get("use_dynamic_batching", True)]
    if waiting:
        names = ", ".join(map(repr, waiting))
        found.append(f"accepted, but without effect in this release: dynamic batching of {names}; each request is a call of its own")
    return found


def _advice(cls: type) -> str:
    own = [
        name for base in cls.__mro__ if base not in BaseExecutor.__mro__ for name, value in vars(base).items() if _is_method(name, value)
    ]
    return f"write @requests(on='/{own[0]}') above its method {own[0]!r}" if own else "give it a method with @requests(on='/...') above it"


def _is_method(name: str, value: Any) -> bool:
    return isinstance(value, FunctionType) and not name.startswith("_") and not hasattr(BaseExecutor, name)
