"""Runs a Plan on this machine: one front process and the workers behind it, under a supervisor thread of the calling process."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jina.call import EndpointInfo
from jina.plan import Listener, Node, Plan
from jina.process.messages import FrontSpec, Listen, WorkerSpec
from jina.process.ports import bind
from jina.process.supervisor import Slot, Supervisor
from jina.process.travel import pack


class LocalEngine:
    """A Plan, placed on this machine."""

    def __init__(self, plan: Plan, *, log: Callable[[str], None]) -> None:
        """Take a plan; nothing runs and no port is bound yet."""
        self._plan, self._log = plan, log
        self._sockets: list[socket.socket] = []
        self._folder: Path | None = None
        self._supervisor: Supervisor | None = None
        self._owner_pid = os.getpid()

    def bind(self) -> list[Listener]:
        """Bind the public ports, if that has not happened, and tell which they are.

        Raises:
            PortAlreadyUsed: Somebody else has one of them; none stays bound.
        """
        if not self._sockets:
            try:
                for listener in self._plan.listeners:
                    self._sockets.append(bind(listener.host, listener.port))
            except BaseException:
                self._release()
                raise
        pairs = zip(self._plan.listeners, self._sockets, strict=True)
        return [Listener(protocol=lis.protocol, host=lis.host, port=sock.getsockname()[1]) for lis, sock in pairs]

    def start(self) -> None:
        """Start the processes and wait until they serve.

        Raises:
            StartError, TimeoutError, PortAlreadyUsed, ConfigError: It cannot run; nothing stays behind.
        """
        try:
            self.bind()
            self._folder = Path(tempfile.mkdtemp(prefix="openjina-"))
            executors = {node.name: pack(node.executor, what=f"executor {node.executor.__name__!r}") for node in self._plan.nodes}
            guard = pack(self._plan.guard, what="api_key") if self._plan.guard is not None else b""
            self._supervisor = Supervisor(self._front_slot(guard), self._worker_slots(executors), log=self._log)
            self._supervisor.start(self._plan.timeout_ready_s)
        except BaseException:
            self._supervisor = None
            self._release()
            raise

    def stop(self) -> None:
        """Stop the processes: finish what is held, close the executors, at most the plan's grace. Harmless when nothing runs."""
        if os.getpid() != self._owner_pid:
            return
        supervisor, self._supervisor = self._supervisor, None
        try:
            if supervisor is not None:
                supervisor.stop(self._plan.grace_s)
        finally:
            self._release()

    @property
    def endpoints(self) -> list[EndpointInfo]:
        """What the executor offers; empty before start."""
        return self._supervisor.endpoints if self._supervisor is not None else []

    @property
    def pids(self) -> dict[str, int]:
        """Process ids of the children by name."""
        return self._supervisor.pids if self._supervisor is not None else {}

    def _release(self) -> None:
        for sock in self._sockets:
            sock.close()
        self._sockets = []
        if self._folder is not None:
            with contextlib.suppress(OSError):
                shutil.rmtree(self._folder)
            self._folder = None

    def _front_slot(self, guard: bytes) -> Slot:
        plan, node = self._plan, self._plan.nodes[0]
        fds = tuple(sock.fileno() for sock in self._sockets)
        for fd in fds:
            os.set_blocking(fd, False)

        def make_spec(_: int) -> FrontSpec:
            return FrontSpec(
                name=f"{plan.name}/front",
                listens=[Listen(listener.protocol, fd) for listener, fd in zip(plan.listeners, fds, strict=True)],
                node=node.graph_name,
                aliases=[node.name],
                options=dict(plan.front),
                sys_path=_sys_path(),
                cwd=str(Path.cwd()),
                guard=guard,
                grace_s=plan.grace_s,
            )

        return Slot(role="front", make_spec=make_spec, env=_environment({}, f"{plan.name}/front"), pass_fds=fds)

    def _worker_slots(self, executors: Mapping[str, bytes]) -> list[Slot]:
        return [self._worker_slot(node, index, executors[node.name]) for node in self._plan.nodes for index in range(node.n_replicas)]

    def _worker_slot(self, node: Node, index: int, executor: bytes) -> Slot:
        plan, folder = self._plan, self._folder
        assert folder is not None
        pod = f"{node.name}/rep-{index}"
        stem = f"{len(node.name)}-{index}"

        def make_spec(incarnation: int) -> WorkerSpec:
            return WorkerSpec(
                name=pod,
                deployment=node.name,
                socket_path=str(folder / f"{stem}.{incarnation}.sock"),
                begun_path=str(folder / f"{stem}.{incarnation}.begun"),
                sys_path=_sys_path(),
                cwd=str(Path.cwd()),
                executor=executor,
                config=dict(node.config),
                n_threads=node.n_threads,
                max_message_bytes=plan.max_message_bytes,
                grace_s=plan.grace_s,
            )

        return Slot(role="worker", make_spec=make_spec, env=_environment(node.env, pod))


def _sys_path() -> list[str]:
    """The parent's import path, with the folder of the running script where Python puts it."""
    return [str(Path(entry).absolute()) if entry == "" else entry for entry in sys.path]


def _environment(extra: Mapping[str, Any], pod: str) -> dict[str, str]:
    return {**os.environ, **{key: str(value) for key, value in extra.items()}, "JINA_DEPLOYMENT_NAME": pod}
