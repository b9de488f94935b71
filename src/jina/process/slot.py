"""A place of the supervisor's for a child, and words for how the one in it failed."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from jina.core.restart import RestartPolicy
from jina.errors import StartError
from jina.process.child import Child
from jina.process.messages import AppSpec, Failed, FrontSpec, Ready, WorkerSpec


@dataclass
class Slot:
    """A place that should always hold a running child.

    Attributes:
        node: Of a worker, the name in the graph of what it is a replica of.
    """

    role: str
    make_spec: Callable[[int], WorkerSpec | FrontSpec | AppSpec]
    env: Mapping[str, str]
    node: str = ""
    pass_fds: tuple[int, ...] = ()
    policy: RestartPolicy = field(default_factory=RestartPolicy)
    n_started: int = 0
    child: Child | None = None
    spec: WorkerSpec | FrontSpec | AppSpec | None = None
    ready: Ready | None = None
    start_at: float | None = None
    stop_by: float | None = None
    is_killed: bool = False
    failure: Failed | None = None
    last_error: str = ""
    last_words: str = ""
    has_given_up: bool = False

    @property
    def name(self) -> str:
        """Of the child, as logs call it; before the first start, its role."""
        return self.spec.name if self.spec is not None else self.role

    def start_error(self) -> StartError:
        """Say why the child in this place could not start: its traceback, else what it printed last."""
        if self.failure is not None:
            return StartError(f"{self.name} could not start: {self.failure.summary}\n\n{self.failure.traceback}")
        words = printed(self.last_words) or (
            "; it printed nothing in Python, and what native code prints goes to this process's standard error (of a notebook: its"
            " server's terminal)"
        )
        return StartError(f"{self.name} could not start: {self.last_error}{words}")


def printed(words: str) -> str:
    """Give the end of a message about a child that printed these words, perhaps none."""
    return f"; the last that it printed:\n\n{words}" if words else ""


def describe_exit(code: int) -> str:
    """Say an exit code in words: `exit code 3`, `signal 9 (SIGKILL)`."""
    if code >= 0:
        return f"exit code {code}"
    with contextlib.suppress(ValueError):
        return f"signal {-code} ({signal.Signals(-code).name})"
    return f"signal {-code}"
