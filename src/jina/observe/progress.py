"""How long something takes, and how far it is: what Jina's users import as TimeContext and ProgressBar."""

from __future__ import annotations

import os
import sys
import time
from typing import Any, Protocol, Self


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
    """A line on the terminal that grows; silent where nobody looks.

    Args:
        description: Shown in front.
        total_length: Steps until it is full; None only counts.
        disable: Show nothing.
    """

    def __init__(self, description: str = "Working...", total_length: float | None = None, disable: bool = False, **kwargs: Any) -> None:
        self.description: str = description
        self.total_length: float | None = total_length
        self.completed: float = 0.0
        self._is_shown = not disable and sys.stderr.isatty() and "GITHUB_WORKFLOW" not in os.environ

    def __enter__(self) -> Self:
        self._draw()
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_shown:
            sys.stderr.write("\n")

    def update(self, advance: float = 1.0, description: str | None = None, **kwargs: Any) -> None:
        """Go on by some steps."""
        self.completed += advance
        self.description = description or self.description
        self._draw()

    def _draw(self) -> None:
        if self._is_shown:
            end = f"/{self.total_length:g}" if self.total_length else ""
            sys.stderr.write(f"\r\x1b[K{self.description} {self.completed:g}{end}")
            sys.stderr.flush()
