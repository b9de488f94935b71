"""The thread of a worker that moves bytes: serves the hop on a Unix socket and hands calls to the Executor's threads."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from jina.main.child import is_closed, keep_from_forks
from jina.process.messages import WorkerSpec
from jina.runtime.local import Local
from jina.runtime.work import ITEM, REPLY, Outcome
from jina.transport.begun import BegunNotes
from jina.transport.hop_server import HopServer
from jina.transport.loops import new_loop


class WireThread:
    """Runs a loop of its own; everything on it is fast or waits."""

    def __init__(self, executor: Any, spec: WorkerSpec, user_loop: asyncio.AbstractEventLoop) -> None:
        self._executor, self._spec, self._user_loop = executor, spec, user_loop
        self._loop = new_loop()
        self._connections: set[HopServer] = set()
        self._thread = threading.Thread(target=self._run, name="wire", daemon=True)

    def start(self) -> None:
        """Listen on the worker's socket; returns once it does."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()

    def drain(self, grace_s: float) -> None:
        """Finish the calls that are held, for at most `grace_s`; called from another thread."""
        asyncio.run_coroutine_threadsafe(self._drain(grace_s), self._loop).result()

    async def _listen(self) -> None:
        spec = self._spec
        self._notes = BegunNotes(spec.begun_path)
        self._local = Local(
            self._executor,
            user_loop=self._user_loop,
            owner_loop=self._loop,
            deliver=deliver_all,
            n_threads=spec.n_threads,
            notes=self._notes,
        )
        self._server = await self._loop.create_unix_server(self._accept, spec.socket_path)
        for sock in self._server.sockets:
            keep_from_forks(sock.fileno())

    def _accept(self) -> HopServer:
        return _Connection(self._local, self._connections, self._notes, max_message_bytes=self._spec.max_message_bytes)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    async def _drain(self, grace_s: float) -> None:
        self._server.close()
        try:
            async with asyncio.timeout(grace_s):
                for connection in list(self._connections):
                    await connection.drain()
        except TimeoutError:
            pass
        self._local.close()


class _Connection(HopServer):
    """A front's connection, which no process that the user's code forks holds open, and whose notes end with it."""

    def __init__(self, local: Local, connections: set[HopServer], notes: BegunNotes, *, max_message_bytes: int | None) -> None:
        super().__init__(local, connections, max_message_bytes=max_message_bytes)
        self._notes = notes

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._fd = transport.get_extra_info("socket").fileno()
        keep_from_forks(self._fd)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        is_closed(self._fd)
        self._notes.forget(self._works)
        super().connection_lost(error)


def deliver_all(outcomes: list[Outcome]) -> None:
    """Hand each outcome to the connection that its call came over, then let each of them write once."""
    touched: dict[HopServer, None] = {}
    for outcome in outcomes:
        connection, kind = outcome[0].owner, outcome[1]
        touched[connection] = None
        if kind == REPLY:
            connection.reply(outcome)
        elif kind == ITEM:
            connection.item(outcome)
        else:
            connection.end(outcome)
    for connection in touched:
        connection.flush()
