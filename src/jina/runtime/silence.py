"""Tells workers that answer nothing from those that are only busy.

A worker answers a PING whenever it reads, whatever its Executor does, unless something holds up the whole process: C code that keeps the
interpreter lock, a stop signal, a machine that swaps. Such a silence may end, so the worker only gets no new calls while another replica
answers; after `hang_timeout_s` it counts as hung, and the front has it ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from jina.runtime.members import Members
from jina.transport.hop import HopChannel

BUSY_S, IDLE_S = 0.25, 1.0
"""Pauses between two looks: while calls are in flight or an answer is overdue, and else."""


class Watch:
    """Looks after the replicas' signs of life."""

    def __init__(self, members: Members, *, hang_timeout_s: float | None, on_hung: Callable[[HopChannel], None]) -> None:
        """Begin to look, in the running loop.

        Args:
            members: The replicas.
            hang_timeout_s: The silence after which a worker counts as hung; None for never.
            on_hung: Called once for each such silence.
        """
        self._members, self._hang_timeout_s, self._on_hung = members, hang_timeout_s, on_hung
        self._loop = asyncio.get_running_loop()
        self._begin()

    def _begin(self) -> None:
        channels = self._members.current.values()
        self._pause_s = BUSY_S if any(channel.n_in_flight or channel.silent_s for channel in channels) else IDLE_S
        self._loop.call_later(self._pause_s, self._look)

    def _look(self) -> None:
        """Add up silences, in pauses: by how much we come late this process itself stood still."""
        for channel in list(self._members.current.values()):
            before_s = channel.silent_s
            channel.ask(self._pause_s)
            if self._hang_timeout_s is not None and before_s <= self._hang_timeout_s < channel.silent_s:
                self._on_hung(channel)
        self._members.refresh()
        self._begin()
