"""The front process: owns the public ports, turns bytes into Calls and Replies into bytes. It runs no code of the user's.

It keeps the last will: it knows every worker's process group, and when the supervisor goes away (its pipe closes) it finishes what it
holds, ends the workers and exits.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import traceback
from typing import Any

from jina.call import EndpointInfo
from jina.fronts.table import Service
from jina.main.behind import Behind
from jina.main.child import Parent, enter, raise_file_limit
from jina.main.public import PublicPorts
from jina.process.exits import wait_all
from jina.process.memory_limit import memory_limit
from jina.process.messages import Awaits, Discovered, FrontSpec, Hung, Ready, ReplicaDown, ReplicaUp, Stop, TakeOver, WorkerStarted
from jina.runtime.guards import make_guard
from jina.transport.hop import HopChannel, connect
from jina.transport.loops import new_loop
from jina.wire.buffered import Buffered

_RECONNECT_S, _MAX_RECONNECTS = 0.1, 20
_LAST_ANSWERS_S = 0.3
"""How long it may take to tell callers, once the grace of a stop is over, that their calls have failed."""
_KILL_MARGIN_S = 1.0
"""As in the supervisor: after the grace of a stop, workers get this much more to get out."""


def main(argv: list[str] | None = None) -> None:
    """Run a front until its supervisor asks it to stop or goes away."""
    parent, spec = enter(sys.argv if argv is None else argv)
    raise_file_limit()
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(_Front(parent, spec).run())
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # an access check of the user's that hangs must not keep it alive


class _Front:
    def __init__(self, parent: Parent, spec: FrontSpec) -> None:
        self._parent, self._spec = parent, spec
        self._buffered = Buffered(spec.options.max_buffered_bytes or _share_of_memory())
        self._behind = Behind(spec.service, spec.nodes, spec.graph, max_message_bytes=spec.options.max_message_bytes)
        self._groups: dict[str, int] = {}
        self._loading: dict[str, int] = {}
        self._is_serving = False
        self._is_supervisor_gone = self._is_end = False
        self._grace: asyncio.Timeout | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._public = PublicPorts(spec.listens)
        self._app_servers: list[asyncio.Server] = []
        self._apps: Any = None

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        self._loop, self._stop = loop, loop.create_future()
        self._behind.watch(self._tell_hung)
        self._discoveries = {node: self._own(self._discover(node)) for node in self._behind.remotes}
        loop.add_signal_handler(signal.SIGTERM, self._ask_to_stop, self._spec.grace_s)
        if self._spec.app_path:
            await self._listen_for_apps(self._spec.app_path)
        for fd in self._parent.fds:
            loop.add_reader(fd, self._read_orders)
        if self._parent.has_held:
            self._read_orders()
        grace_s = await self._stop
        await self._drain(grace_s)
        if self._is_supervisor_gone:
            self._end_workers(grace_s)
            shutil.rmtree(self._spec.folder, ignore_errors=True)

    def _read_orders(self) -> None:
        orders = self._parent.read()
        if orders is None:
            self._is_supervisor_gone = self._is_end = True
            self._behind.expect_no_more("the process that started the service has ended")
            for fd in self._parent.fds:
                self._loop.remove_reader(fd)
            self._ask_to_stop(self._spec.grace_s)
            return
        for order in orders:
            self._obey(order)

    def _obey(self, order: Any) -> None:
        if isinstance(order, WorkerStarted):
            self._groups[order.name] = order.pid
            if not order.is_app:
                self._loading[order.name] = order.pid
            if self._spec.app_path and not os.path.exists(self._spec.app_path):  # it was cleaned away, and an app may look for it
                self._own(self._listen_for_apps(self._spec.app_path))
        elif isinstance(order, ReplicaUp):
            self._loading.pop(order.name, None)
            self._own(self._connect(order))
        elif isinstance(order, TakeOver):
            for node in self._discoveries.keys() & order.endpoints.keys():
                self._discoveries[node].cancel()
            self._own(self._serve(order.endpoints))
        elif isinstance(order, ReplicaDown):
            self._groups.pop(order.name, None)
            self._loading.pop(order.name, None)
            self._behind.members(order.node).down(order.name, order.error)
        elif isinstance(order, Stop):
            self._is_end = True
            self._ask_to_stop(order.grace_s)

    def _own(self, coroutine: Any) -> asyncio.Task[None]:
        """Run a task that nobody awaits: a failure in it ends this front, and the supervisor starts a new one."""
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._parent.tell_failure(task.exception(), "".join(traceback.format_exception(task.exception())))  # type: ignore[arg-type]
            os._exit(1)

    def _ask_to_stop(self, grace_s: float) -> None:
        """Stop within the grace; asked again, within the new one if that ends sooner."""
        if not self._stop.done():
            self._stop.set_result(grace_s)
        elif self._grace is not None and not self._grace.expired():
            now, end = self._loop.time(), self._grace.when() or 0.0
            self._grace.reschedule(min(end, now + grace_s))

    async def _connect(self, up: ReplicaUp) -> None:
        """Connect to a worker, again and again until it is known to be dead: something that it left behind may hold its socket open."""
        n_failed = 0
        while self._groups.get(up.name) == up.pid:
            try:
                channel = await connect(
                    up.name, up.socket_path, up.begun_path, on_lost=lambda channel: self._lost(up, channel), buffered=self._buffered
                )
            except OSError:
                await asyncio.sleep(_RECONNECT_S)
                n_failed += 1
                if n_failed == _MAX_RECONNECTS:  # it lives, but whatever it listened with is gone
                    self._parent.tell(Hung(up.pid, n_failed * _RECONNECT_S))
                continue
            if channel.is_lost or self._groups.get(up.name) != up.pid:
                channel.close()
                continue
            self._behind.members(up.node).add(up.name, channel)
            await self._serve({up.node: up.endpoints})
            return

    def _lost(self, up: ReplicaUp, channel: HopChannel) -> None:
        """Mostly the worker has died, which we shall hear; but its code may also have closed what it should not."""
        members = self._behind.members(up.node)
        is_current = members.current.get(up.name) is channel
        members.lost(channel)
        if channel.is_lost and is_current:
            self._own(self._connect(up))

    async def _discover(self, node: str) -> None:
        """Ask an executor elsewhere for its endpoints until it tells them; the supervisor knows how long that may take."""
        endpoints = await self._behind.remotes[node].discover(on_wait=lambda text: self._parent.tell(Awaits(node, text)))
        self._parent.tell(Discovered(node, endpoints))
        await self._serve({node: endpoints})

    async def _serve(self, by_node: dict[str, list[EndpointInfo]]) -> None:
        """Offer what these nodes, and those known before, have; once all are known this opens the ports."""
        for node, infos in by_node.items():
            self._behind.set_endpoints(node, infos)
        endpoints = self._behind.endpoints
        if endpoints is None:
            return
        for front in self._public.fronts:
            front.set_endpoints(endpoints)
        if not self._is_serving:
            self._is_serving = True
            self._behind.check_edges()
            await self._listen(endpoints)
            self._parent.tell(Ready())

    def _tell_hung(self, channel: HopChannel) -> None:
        self._parent.tell(Hung(self._groups[channel.pod], channel.silent_s))

    async def _listen(self, endpoints: list[EndpointInfo]) -> None:
        from jina.process.travel import unpack

        guard = make_guard(unpack(self._spec.guard)) if self._spec.guard else None
        service = Service(
            name=self._spec.service,
            handler=self._behind.handler,
            endpoints=endpoints,
            guard=guard,
            is_ready=self._is_ready,
            is_up=lambda: self._behind.is_up,
            options=self._spec.options,
            buffered=self._buffered,
        )
        await self._public.open(service)

    async def _listen_for_apps(self, path: str) -> None:
        from jina.transport.hop_handler import HopHandlerServer

        if self._apps is None:
            self._apps = HopHandlerServer(self._behind.handler)
        self._app_servers.append(await self._apps.listen(path))

    def _is_ready(self) -> bool:
        return not self._stop.done()

    async def _drain(self, grace_s: float) -> None:
        self._public.close(is_end=self._is_end, is_last=self._is_supervisor_gone)
        for server in self._app_servers:
            server.close()
        drains = [self._loop.create_task(each.drain()) for each in (*self._public.fronts, self._apps) if each is not None]
        if not drains:
            return
        try:
            async with asyncio.timeout(grace_s) as self._grace:
                await asyncio.wait(drains)
                await self._behind.drain()
        except TimeoutError:
            self._behind.stop()
        self._grace = None
        left = [task for task in drains if not task.done()]
        if left:
            await asyncio.wait(left, timeout=_LAST_ANSWERS_S)
        for task in drains:
            if task.done():
                task.result()

    def _end_workers(self, grace_s: float) -> None:
        """Give the workers the time of a stop, all of them together; then end what is left of them and of what they started.

        Those that still load a model have nothing to finish, and another service may be waiting for the memory that they take.
        """
        groups = self._groups.values()
        for pid in self._loading.values():
            _signal_group(pid, signal.SIGKILL)
        for pid in groups:
            _signal_group(pid, signal.SIGTERM)
        wait_all(groups, grace_s + _KILL_MARGIN_S)
        for pid in groups:
            _signal_group(pid, signal.SIGKILL)


def _share_of_memory() -> int | None:
    limit = memory_limit()
    return None if limit is None else limit // 4


def _signal_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


if __name__ == "__main__":
    main()
