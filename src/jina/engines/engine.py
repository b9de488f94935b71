"""What an engine is to whoever has a Plan to run."""

from __future__ import annotations

from typing import Protocol

from jina.call import EndpointInfo
from jina.plan import Listener, WebApp


class Engine(Protocol):
    """Runs one Plan: started once, stopped at any time, from any thread or signal handler."""

    def bind(self) -> list[Listener]:
        """Bind what is public, if that has not happened, and tell where it is.

        Raises:
            PortAlreadyUsed: Somebody else has one of the ports; none stays bound.
            ConfigError: An address cannot be listened on; none stays bound.
        """

    def claim(self) -> bool:
        """Take the right to start; only the first who asks gets it."""

    def start(self, web_app: WebApp | None = None) -> None:
        """Start, and wait until it serves.

        Args:
            web_app: Answers on the HTTP port, instead of the front.

        Raises:
            StartError, TimeoutError, PortAlreadyUsed, ConfigError: It cannot run, or was stopped; nothing stays behind.
        """

    def stop(self, grace_s: float | None = None) -> None:
        """Stop: finish what is held, at most in `grace_s` or the plan's. Harmless when nothing runs."""

    @property
    def is_running(self) -> bool:
        """It has started and nobody has stopped it."""

    @property
    def endpoints(self) -> list[EndpointInfo]:
        """What the service offers; empty before start."""

    @property
    def pids(self) -> dict[str, int]:
        """Process ids of what runs, by pod name."""
