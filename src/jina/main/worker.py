"""A worker process: one replica of one Executor.

The main thread belongs to the user's code: the Executor is made, its `async def` methods run and it is closed there, inside a running
event loop. `def` methods run in executor threads. Whichever thread has time moves the bytes (`wire.py`).
"""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
import sys
import threading
import traceback
from typing import Any

from jina.main.child import Parent, die_with_parent, enter
from jina.process.forks import keep_signal_from_forks
from jina.process.messages import Ready, Stop, WorkerSpec
from jina.process.travel import unpack
from jina.transport.loops import new_loop

_SWITCH_INTERVAL_S = 0.0005
"""How long Python code may keep the interpreter lock from a thread that asks: the wire thread's latency beside busy user code."""


def main(argv: list[str] | None = None) -> None:
    """Run a worker until its supervisor asks it to stop or goes away."""
    parent, spec = enter(sys.argv if argv is None else argv)
    die_with_parent()
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    with asyncio.Runner(loop_factory=new_loop) as runner:
        code = runner.run(_Worker(parent, spec).run())
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # the user's non-daemon threads must not keep a closed worker alive


class _Worker:
    def __init__(self, parent: Parent, spec: WorkerSpec) -> None:
        self._parent, self._spec = parent, spec
        self._code = 0

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        self._stop: asyncio.Future[float] = loop.create_future()
        loop.add_signal_handler(signal.SIGTERM, self._ask_to_stop, self._spec.grace_s)
        keep_signal_from_forks(signal.SIGTERM)
        try:
            executor = self._load()
            wire = self._serve(executor, loop)
        except BaseException as error:
            self._parent.tell_failure(error, traceback.format_exc())
            return 1
        threading.Thread(target=self._listen, args=(loop,), name="orders", daemon=True).start()
        grace_s = await self._stop
        await asyncio.to_thread(wire.drain, grace_s)
        return await self._close(executor)

    def _load(self) -> Any:
        """Make the user's Executor; whatever it raises is the reason why this worker cannot start."""
        from jina.executor import create_executor

        spec = self._spec
        cls = unpack(spec.executor)
        return create_executor(cls, **spec.config)

    def _serve(self, executor: Any, loop: asyncio.AbstractEventLoop) -> Any:
        from jina.main.wire import Wire
        from jina.runtime.describe import endpoint_infos

        names = frozenset(getattr(executor.runtime_args, "exit_on_exceptions", ()))

        def failed(error: BaseException) -> None:
            if not names.isdisjoint(kind.__name__ for kind in type(error).__mro__):
                loop.call_soon_threadsafe(self._give_up, executor, error)

        wire = Wire(executor, self._spec, loop, failed if names else None)
        self._parent.tell(Ready(endpoint_infos(executor)))
        return wire

    def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wait for orders in a thread: the user's code may keep the loop busy."""
        grace_s = self._spec.grace_s
        while (orders := self._parent.read()) is not None:
            for order in orders:
                if isinstance(order, Stop):
                    grace_s = order.grace_s
                    loop.call_soon_threadsafe(self._ask_to_stop, grace_s)
        loop.call_soon_threadsafe(self._ask_to_stop, grace_s)

    def _ask_to_stop(self, grace_s: float) -> None:
        if not self._stop.done():
            self._stop.set_result(grace_s)

    def _give_up(self, executor: Any, error: BaseException) -> None:
        """End as after a death, but in order: the caller gets its answer, the other calls theirs, and a new worker takes over."""
        executor.logger.error(f"{type(error).__name__} is among exit_on_exceptions: this worker ends, and another one is started")
        self._code = 1
        self._ask_to_stop(self._spec.grace_s)

    async def _close(self, executor: Any) -> int:
        """Let the user's code clean up; one that never ends is ended by the supervisor, or by the front's last will."""
        try:
            closing = executor.close()
            if inspect.isawaitable(closing):
                await closing
        except Exception:
            traceback.print_exc()
            return 1
        return self._code


if __name__ == "__main__":
    main()
