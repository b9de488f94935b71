"""Warnings that blame the line which the user can mend. It stands alone because everything may warn, and importing it must cost nothing."""

from __future__ import annotations

import sys
import warnings

_BETWEEN = {"jina", "pydantic", "yaml"}
"""Packages whose code runs between the user's line and what we find there."""


def warn_user(text: str, kind: type[Warning] = UserWarning) -> None:
    """Warn, and point at the first line outside this package: the one that the user can mend."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _BETWEEN:
        level, frame = level + 1, frame.f_back
    warnings.warn(text, kind, stacklevel=level)
