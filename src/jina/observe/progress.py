"""How long something takes, and how far it is: what Jina's users import as TimeContext and ProgressBar."""

from __future__ import annotations

import os
import sys
import time
from typing import Any, Protocol, Self

_REDRAW_S = 0.1
_LOG_S = 10.0
_WIDTH = 20


class _Logs(Protocol):
    def info(self, message: str, /) -> Any: ...


class TimeContext:
    """Measure a block; `duration` holds its seconds afterwards, `now()` those up to this moment.

    Args:
        task_name: Printed before and after.
        logger: Gets the messages instead of the terminal.
    """

    def __init__(self, task_name: str, logger: _Logs | None = None) -> None:
        self.task_name: str = task_name
        self.logger: _Logs | None = logger
        self.start: float = 0.0
        self.duration: float = 0.0

    def __enter__(self) -> Self:
        self.start = time.perf_counter()
        self._say(f"{self.task_name} ...")
        return self

    def __exit__(self, *_: object) -> None:
        self.duration = self.now()
        self._say(f"{self.task_name} took {self.duration:.3f} s")

    def now(self) -> float:
        """Seconds since the block began."""
        return time.perf_counter() - self.start

    def _say(self, message: str) -> None:
        if self.logger is not None:
            self.logger.info(message)
        else:
            print(message)


class ProgressBar:
    """A line on the terminal that is written over as it grows; silent in a GitHub workflow.

    Args:
        description: Shown in front.
        total_length: Steps until it is full; None only counts.
        disable: Show nothing.
        is_logged: Where stderr is no terminal write a line now and then, and one at the end; else nothing is written there.
    """

    def __init__(
        self,
        description: str = "Working...",
        total_length: float | None = None,
        disable: bool = False,
        *,
        is_logged: bool = False,
        **kwargs: Any,
    ) -> None:
        self.description: str = description
        self.total_length: float | None = total_length
        self.completed: float = 0.0
        self._is_live = sys.stderr.isatty()
        self._is_shown = not disable and (self._is_live or is_logged) and "GITHUB_WORKFLOW" not in os.environ
        self._pause_s = _REDRAW_S if self._is_live else _LOG_S
        self._started_s = self._drawn_s = time.monotonic()

    def __enter__(self) -> Self:
        if self._is_live:
            self._draw()
        return self

    def __exit__(self, *_: object) -> None:
        self._draw()
        if self._is_shown and self._is_live:
            sys.stderr.write("\n")

    def update(self, advance: float = 1.0, description: str | None = None, **kwargs: Any) -> None:
        """Go on by some steps."""
        self.completed += advance
        self.description = description or self.description
        if self._is_shown and time.monotonic() - self._drawn_s >= self._pause_s:
            self._draw()

    def _draw(self) -> None:
        if not self._is_shown:
            return
        self._drawn_s = time.monotonic()
        total = self.total_length
        rate = self.completed / max(self._drawn_s - self._started_s, 1e-9)
        bar = f" [{'#' * int(_WIDTH * min(1.0, self.completed / total)):<{_WIDTH}}]" if total and self._is_live else ""
        line = f"{self.description}{bar} {self.completed:g}" + (f" of {total:g}" if total else "") + f", {rate:.0f} a second"
        sys.stderr.write(f"\r\x1b[K{line}" if self._is_live else f"{line}\n")
        sys.stderr.flush()
