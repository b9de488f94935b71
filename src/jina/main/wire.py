"""A worker's wire: serves the hop on a Unix socket, with whichever thread has time.

Handing a call from one thread to another and its reply back costs more than a small call itself. So where an executor's methods are
`def` and run one at a time, the executor thread also moves the bytes: it waits for the sockets, runs what has come, sends, waits
again. Where all methods are `async def`, or there are several threads, the user's event loop serves the sockets. Neither is to be found
while user code runs; so a thread of its own, the relief, looks every 2 ms whether the sockets are attended, and if they are not, serves
them: bytes, PINGs and cancellations never wait for user code (`attendance.py`).
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

from jina.executor.bindings import DRY_RUN
from jina.main.attendance import ExecutorAttendance, LoopAttendance, VitalThread
from jina.process.forks import keep_from_forks, no_longer_ours
from jina.process.messages import WorkerSpec
from jina.runtime.hop_server import HopServer
from jina.runtime.local import Local
from jina.runtime.work import Outcome
from jina.transport.begun import BegunNotes
from jina.transport.sockets import Sockets

_LOOK_S = 0.005


class Wire:
    """What a worker listens with, and the threads of its Executor behind it.

    Attributes:
        stuck: Connections whose other end has not taken all that was sent.
    """

    def __init__(
        self,
        executor: Any,
        spec: WorkerSpec,
        user_loop: asyncio.AbstractEventLoop,
        on_failure: Callable[[BaseException], None] | None = None,
    ) -> None:
        """Listen, and serve from now on.

        Args:
            executor: Made and ready.
            spec: Names the socket, the file of notes, the number of threads, the limits.
            user_loop: Where `async def` methods run; the loop of the calling thread.
            on_failure: Hears of each exception that a method raised.

        Raises:
            OSError: The socket's path cannot be bound.
        """
        self._connections: set[HopServer] = set()
        self._touched: dict[HopServer, None] = {}
        self._is_idle = threading.Event()
        self._notes = BegunNotes(spec.begun_path)
        self._max_message_bytes = spec.max_message_bytes
        self._sockets = sockets = Sockets(spec.socket_path, self._new_connection, on_open=keep_from_forks, on_close=no_longer_ours)
        self._lock, self.stuck = sockets.lock, sockets.stuck
        self._attendance: ExecutorAttendance | LoopAttendance
        if spec.n_threads == 1 and any(not endpoint.is_async for path, endpoint in executor.requests.items() if path != DRY_RUN):
            self._attendance = ExecutorAttendance(sockets, self.flush)
        else:
            self._attendance = LoopAttendance(sockets, self.flush, user_loop)
        self._local = Local(
            executor,
            user_loop=user_loop,
            outlet=self,
            inbox=self._attendance,
            n_threads=spec.n_threads,
            notes=self._notes,
            on_failure=on_failure,
            thread=VitalThread,
            when=spec.when,
        )

    def drain(self, grace_s: float) -> None:
        """Finish the calls that are held, for at most `grace_s` seconds."""
        self._sockets.stop_listening()
        with self._lock:
            for connection in self._connections:
                connection.begin_drain(self._look_if_idle)
            self._look_if_idle()
        ends_at = time.monotonic() + grace_s
        self._is_idle.wait(grace_s)
        self._send_all(ends_at)
        self._local.close()

    def _send_all(self, ends_at: float) -> None:
        """Send what was put but not flushed, by whoever made it, and wait until the front has taken it: the process ends after this."""
        with self._lock:
            for connection in self._connections:
                connection.flush()
        while self.stuck and time.monotonic() < ends_at:
            time.sleep(_LOOK_S)

    def _look_if_idle(self) -> None:
        if not any(connection.is_busy for connection in self._connections):
            self._is_idle.set()

    def _new_connection(self) -> HopServer:
        return HopServer(self._local, self._connections, self._notes, max_message_bytes=self._max_message_bytes)

    def put(self, outcome: Outcome) -> None:
        """Take an outcome; its connection sends it with the next `flush`."""
        connection = outcome[0].owner
        with self._lock:
            if not self._touched and self._attendance.is_deaf:
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
