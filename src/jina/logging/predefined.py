"""Old import path of `default_logger`, which is made when it is first asked for."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    if name != "default_logger":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from jina.observe.logging import JinaLogger

    return globals().setdefault(name, JinaLogger("JINA"))
