"""A worker's wire: serves the hop on a Unix socket, with whichever thread has time.

Handing a call from one thread to another and its reply back costs more than a small call itself. So where an executor's methods are
`def` and run one at a time, the executor thread also moves the bytes: it waits for the sockets, runs what has come, sends, waits again
(`Attendance`). It is not to be found while a method runs; so a second thread, the relief, looks every 2 ms whether the sockets are
attended, and if they are not, stands in until the executor thread comes back: bytes, PINGs and cancellations never wait for user code.

Executors with `async def` methods, or with several threads, are served by the relief alone.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from jina.main.child import is_closed, keep_from_forks
from jina.process.messages import WorkerSpec
from jina.runtime.hop_server import HopServer
from jina.runtime.local import Local
from jina.runtime.work import Inbox, Outcome, Work
from jina.transport.begun import BegunNotes
from jina.transport.sockets import Sockets

_LOOK_EVERY_S = 0.002
_QUIET_LOOKS = 50
"""After so many looks at an executor thread that waits for calls, the relief sleeps until one comes."""


class Wire:
    """What a worker listens with, and the threads of its Executor behind it."""

    def __init__(self, executor: Any, spec: WorkerSpec, user_loop: asyncio.AbstractEventLoop) -> None:
        """Listen, and serve from now on.

        Args:
            executor: Made and ready.
            spec: Names the socket, the file of notes, the number of threads, the limits.
            user_loop: Where `async def` methods run.

        Raises:
            OSError: The socket's path cannot be bound.
        """
        self._connections: set[HopServer] = set()
        self._touched: dict[HopServer, None] = {}
        self._is_idle = threading.Event()
        self._notes = BegunNotes(spec.begun_path)
        self._max_message_bytes = spec.max_message_bytes
        self._sockets = sockets = Sockets(spec.socket_path, self._new_connection, on_open=keep_from_forks, on_close=is_closed)
        self._lock = sockets.lock
        self._is_attended = is_attended = spec.n_threads == 1 and not any(endpoint.is_async for endpoint in executor.requests.values())
        inbox: Inbox = Attendance(sockets, self.flush) if is_attended else queue.SimpleQueue()
        self._local = Local(executor, user_loop=user_loop, outlet=self, inbox=inbox, n_threads=spec.n_threads, notes=self._notes)
        if not is_attended:
            threading.Thread(target=self._serve, name="wire", daemon=True).start()

    def drain(self, grace_s: float) -> None:
        """Finish the calls that are held, for at most `grace_s` seconds."""
        self._sockets.stop_listening()
        with self._lock:
            for connection in self._connections:
                connection.begin_drain(self._look_if_idle)
            self._look_if_idle()
        self._is_idle.wait(grace_s)
        self._local.close()

    def _look_if_idle(self) -> None:
        if not any(connection.is_busy for connection in self._connections):
            self._is_idle.set()

    def _new_connection(self) -> HopServer:
        return HopServer(self._local, self._connections, self._notes, max_message_bytes=self._max_message_bytes)

    def _serve(self) -> None:
        while True:
            self._sockets.handle(self._sockets.wait())
            self.flush()

    # --- the outlet of the executor's threads ------------------------------------------------------------------------------------------

    def put(self, outcome: Outcome) -> None:
        """Take an outcome; its connection sends it with the next `flush`."""
        connection = outcome[0].owner
        with self._lock:
            if not self._touched and not self._is_attended:
                self._sockets.wake()  # whoever made it may be held up before it comes to `flush`
            connection.take(outcome)
            self._touched[connection] = None

    def flush(self) -> None:
        """Send what was put."""
        if self._touched:
            with self._lock:
                touched, self._touched = self._touched, {}
                for connection in touched:
                    connection.flush()


class Attendance:
    """The inbox of an executor thread that serves the sockets itself while it has nothing else to do."""

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
        self._n_rounds = 0
        self._roused = threading.Event()
        threading.Thread(target=self._relieve, name="wire", daemon=True).start()

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
        self._n_rounds += 1
        while not turns:
            self._come_back()
            try:
                self._is_waiting = True  # from here on whoever puts something wakes us
                events = self._sockets.wait() if not turns else []
                self._is_waiting = False
                self._sockets.handle(events)
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

    # --- in the relief's thread ----------------------------------------------------------------------------------------------------------

    def _relieve(self) -> None:
        n_quiet, seen = 0, -1
        while True:
            time.sleep(_LOOK_EVERY_S)
            if self._is_waiting:
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
        self._is_resting = True
        if self._is_waiting:
            self._roused.wait()
        self._is_resting = False

    def _stand_in(self) -> None:
        """Serve until the executor thread wants to do so again."""
        if self._serving.acquire(blocking=False):
            try:
                self._flush()
                while not self._wants_back:
                    self._sockets.handle(self._sockets.wait())
            finally:
                self._serving.release()
