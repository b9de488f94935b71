"""Old import paths whose classes live in `jina.gateway`, which comes with Flow: they are looked up when somebody asks for them."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any


def from_gateway(module: str, names: tuple[str, ...]) -> Callable[[str], Any]:
    """Give the `__getattr__` of an old module: it finds `names` in `jina.gateway`.

    The function raises AttributeError (so `from ... import` raises ImportError) for all other names, and while there is no gateway.
    """

    def find(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        try:
            home = importlib.import_module("jina.gateway")
        except ModuleNotFoundError as error:
            raise AttributeError(f"{module}.{name} needs gateways, which this version does not have yet; use Deployment") from error
        return getattr(home, name)

    return find
