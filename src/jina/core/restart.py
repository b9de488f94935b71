"""When a process that died is started again.

A process that was ready is restarted at once, however often it dies: that is a bad request or a bad model, and its neighbours wait.
Deaths before ready mean that it cannot start: pauses grow, and in the end we give up, with the last error kept for whoever asks.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class RestartOptions:
    """How patient we are with a process that dies before it is ready.

    Attributes:
        first_pause_s: Pause after the second such death in a row (the first costs none); doubles each time.
        max_pause_s: The pause grows no further.
        max_deaths_before_ready: Give up after this many such deaths in a row.
    """

    first_pause_s: float = 0.25
    max_pause_s: float = 10.0
    max_deaths_before_ready: int = 6


class RestartPolicy:
    """Decides for one process: when to start again, or never."""

    def __init__(self, options: RestartOptions | None = None) -> None:
        self.options = options or RestartOptions()
        self._deaths_before_ready = 0
        self._is_ready = False

    def became_ready(self) -> None:
        """The process serves; earlier failures to start are forgotten."""
        self._is_ready = True
        self._deaths_before_ready = 0

    def died(self, now: float) -> float | None:
        """Give the time to start again (`now` for at once), or None to give up."""
        if self._is_ready:
            self._is_ready = False
            return now
        self._deaths_before_ready += 1
        if self._deaths_before_ready >= self.options.max_deaths_before_ready:
            return None
        if self._deaths_before_ready == 1:
            return now
        pause: float = self.options.first_pause_s * 2 ** (self._deaths_before_ready - 2)
        return now + min(pause, self.options.max_pause_s)
