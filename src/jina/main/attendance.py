"""Who serves a worker's sockets: a thread that has other things to do, and a relief that looks after it.

Both attendants are the inbox of the executor's threads as well. The relief runs no user code; it sleeps 2 ms between looks, and rests
while nobody calls.
"""

from __future__ import annotations

import asyncio
import os
import queue
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable

from jina.runtime.work import Work
from jina.transport.sockets import Sockets

_LOOK_EVERY_S = 0.002
_QUIET_LOOKS = 50
"""After so many looks during which nothing happened, the relief rests."""


class VitalThread(threading.Thread):
    """A thread without which a worker is no use: if it fails (user code may close any descriptor), the worker ends and is started anew."""

    def run(self) -> None:
        """Run, or end the process."""
        try:
            super().run()
        except BaseException:
            _end_process()


def _end_process() -> None:
    try:
        traceback.print_exc()
    finally:
        os._exit(1)


class ExecutorAttendance:
    """The one executor thread serves the sockets while it has nothing else to do; the relief stands in while a method runs.

    Attributes:
        is_deaf: Whoever looks after what was made sleeps until bytes come, so `Sockets.wake` them for anything else.
    """

    def __init__(self, sockets: Sockets, flush: Callable[[], None]) -> None:
        """Start the relief.

        Args:
            sockets: What is served.
            flush: Sends what was made; the relief does it too, for a thread that was held up.
        """
        self._sockets, self._flush = sockets, flush
        self._turns: deque[list[Work] | None] = deque()
        self._serving = threading.Lock()
        self._is_waiting = self._wants_back = self._is_resting = False
        self.is_deaf = False
        self._n_rounds = 0
        self._roused = threading.Event()
        VitalThread(target=self._relieve, name="wire", daemon=True).start()

    def put(self, turn: list[Work] | None) -> None:
        """Give works to do; from any thread."""
        self._turns.append(turn)
        if self._is_waiting:
            self._sockets.wake()

    def empty(self) -> bool:
        """Whether no works wait."""
        return not self._turns

    def get(self) -> list[Work] | None:
        """Serve the sockets until works have come; in the executor thread."""
        turns = self._turns
        while not turns:
            self._come_back()
            try:
                self._is_waiting = True  # from here on whoever puts something wakes us
                events = self._sockets.wait() if not turns else []
                self._is_waiting = False
                self._sockets.handle(events)
                self._flush()
            finally:
                self._is_waiting = False
                self._serving.release()
            self._n_rounds += 1
        if self._is_resting:
            self._roused.set()
        return turns.popleft()

    def _come_back(self) -> None:
        if not self._serving.acquire(blocking=False):
            self._wants_back = True
            self._sockets.wake()
            self._serving.acquire()
            self._wants_back = False

    def _relieve(self) -> None:
        """What the relief's thread does; it calls all that stands below."""
        n_quiet, seen = 0, -1
        while True:
            time.sleep(_LOOK_EVERY_S)
            if self._is_waiting:
                self._flush()  # of tasks on the user's loop, one of which may block it
                n_quiet += 1
                if n_quiet > _QUIET_LOOKS:
                    self._rest()
                    n_quiet = 0
            else:
                n_quiet = 0
                if self._n_rounds == seen:
                    self._stand_in()
            seen = self._n_rounds

    def _rest(self) -> None:
        self._roused.clear()
        self._is_resting = self.is_deaf = True
        self._flush()
        if self._is_waiting:
            self._roused.wait()
        self._is_resting = self.is_deaf = False

    def _stand_in(self) -> None:
        """Serve until the executor thread wants to do so again; send what it has made and left lying."""
        sockets = self._sockets
        if self._serving.acquire(blocking=False):
            try:
                while not self._wants_back:
                    self.is_deaf = True
                    self._flush()
                    sockets.handle(sockets.wait())
                    self.is_deaf = False
                    if not self._wants_back:
                        sockets.handle(sockets.wait(_LOOK_EVERY_S))
            finally:
                self.is_deaf = False
                self._serving.release()


class LoopAttendance:
    """The user's event loop serves the sockets between its tasks; the relief does where a task blocks the loop.

    Attributes:
        is_deaf: The relief rests until bytes come, so `Sockets.wake` it for anything else.
    """

    def __init__(self, sockets: Sockets, flush: Callable[[], None], loop: asyncio.AbstractEventLoop) -> None:
        """Start both; in the loop's thread.

        Args:
            sockets: What is served.
            flush: Sends what was made; the relief does it too, for a thread that was held up.
            loop: The user's.
        """
        self._sockets, self._flush = sockets, flush
        self._turns: queue.SimpleQueue[list[Work] | None] = queue.SimpleQueue()
        self.put, self.get, self.empty = self._turns.put, self._turns.get, self._turns.empty
        self._serving = threading.Lock()
        self._n_rounds = 0
        self.is_deaf = False
        loop.add_reader(sockets.fileno(), self._serve)
        VitalThread(target=self._relieve, name="wire", daemon=True).start()

    def _serve(self) -> None:
        if self._serving.acquire(blocking=False):
            try:
                self._n_rounds += 1
                self._sockets.handle(self._sockets.wait(0))
            except Exception:
                _end_process()
            finally:
                self._serving.release()

    def _relieve(self) -> None:
        n_quiet, seen = 0, -1
        while True:
            if n_quiet > _QUIET_LOOKS:
                self._rest()
                n_quiet = 0
            time.sleep(_LOOK_EVERY_S)
            if self._n_rounds == seen:
                n_quiet += 1
                self._flush()
                with self._serving:
                    events = self._sockets.wait(0)
                    if events:  # they have waited since the last look
                        n_quiet = 0
                        self._sockets.handle(events)
            else:
                n_quiet = 0
            seen = self._n_rounds

    def _rest(self) -> None:
        self.is_deaf = True
        self._flush()
        self._sockets.wait()  # the loop hears the same, and has 2 ms to take it
        self.is_deaf = False
