"""Runs a Plan on this machine: one front process and the workers behind it, under a supervisor thread of the calling process."""

from __future__ import annotations

import atexit
import errno
import itertools
import os
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from jina.call import EndpointInfo
from jina.core.restart import RestartOptions, RestartPolicy
from jina.errors import ConfigError, StartError
from jina.executor.bindings import endpoints_of
from jina.executor.doubts import doubts
from jina.plan import Listener, Node, Plan, WebApp
from jina.process.folder import Folder
from jina.process.listening import Bound, bind, renew
from jina.process.messages import AppSpec, FrontSpec, Listen, NodeSpec, WorkerSpec
from jina.process.slot import Slot
from jina.process.supervisor import Log, Supervisor
from jina.process.travel import pack
from jina.process.web_app import check_extra, pack_app
from jina.runtime.flow_endpoints import flow_endpoints
from jina.warning import warn_user

_APP_PATIENCE = RestartOptions(max_deaths_before_ready=1000)
"""An app that cannot start again is tried every few seconds: the port is its alone, and nobody else would answer there."""


class LocalEngine:
    """The Engine of this machine."""

    def __init__(self, plan: Plan, *, log: Log, on_failure: Callable[[BaseException], None] = lambda error: None) -> None:
        """Take a plan; nothing runs and no port is bound yet.

        Args:
            plan: What to run.
            log: Gets what people should know: a level (`info` or `warning`) and a text.
            on_failure: Gets the reason, in a thread of ours, when a running service has ended for good without having been asked to.
        """
        self._plan, self._log, self._on_failure = plan, log, on_failure
        self._bound: list[Bound] = []
        self._listeners: list[Listener] = []
        self._folder: Folder | None = None
        self._supervisor: Supervisor | None = None
        self._owner_pid = os.getpid()
        self._claims = itertools.count()
        self._starter: int | None = None
        self._is_start_over = threading.Event()
        self._is_ready = self._is_stopped = False

    def bind(self) -> list[Listener]:
        if not self._listeners:
            self._bound = bind(self._plan.listeners)
            self._listeners = [bound.listener for bound in self._bound]
        return self._listeners

    def claim(self) -> bool:
        return next(self._claims) == 0

    def start(self, web_app: WebApp | None = None) -> None:
        self._owner_pid, self._starter = os.getpid(), threading.get_ident()
        try:
            atexit.register(self.stop)
            self._supervisor = self._prepare(web_app)
            if self._is_stopped:
                self._supervisor.stop(0.0)
            self._supervisor.start(self._plan.timeout_ready_s)
            self._warn()
            self._is_ready = True
        except BaseException as error:
            if self._supervisor is not None:
                self._supervisor.stop(0.0)
            self._release()
            if self._is_stopped and isinstance(error, Exception):
                raise StartError(f"{self._plan.shown} was closed while it started") from None
            if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
                raise StartError(_no_file_left(self._plan.shown)) from error
            raise
        finally:
            self._is_start_over.set()

    def _prepare(self, web_app: WebApp | None) -> Supervisor:
        self.bind()
        self._sys_path, self._cwd = _sys_path(), _cwd()
        self._make_folder()
        for node in self._plan.own_nodes:
            endpoints_of(node.executor)
        executors = {node.name: pack(node.executor, what=f"executor {node.executor.__name__!r}") for node in self._plan.own_nodes}
        guard = pack(self._plan.guard, what="api_key") if self._plan.guard is not None else b""
        app = self._app_slot(web_app, guard) if web_app is not None else None
        front, workers = self._front_slot(guard, app), self._worker_slots(executors)
        return Supervisor(front, workers, app=app, log=self._log, on_failure=self._failed)

    def _warn(self) -> None:
        for node in self._plan.own_nodes:
            paths = {each.path for each in self._known()[node.graph_name]}
            for text in doubts(node.executor, node.config.get("uses_dynamic_batching") or {}, paths):
                warn_user(text)

    def _make_folder(self) -> None:
        try:
            self._folder = Folder()
            self._folder.make()
        except OSError as error:
            raise ConfigError(f"no folder for sockets can be made: {error}; set TMPDIR to one that can be written to") from error

    def stop(self, grace_s: float | None = None) -> None:
        """Stop the processes: finish what is held, close the executors, at most in `grace_s` or the plan's. Harmless when nothing runs.

        A `start` under way fails: one in another thread is waited for, one that we interrupt fails when we return to it. An interrupt
        while we wait (a second Ctrl-C) ends the grace.
        """
        if os.getpid() != self._owner_pid:
            return
        self._is_stopped = True
        if self._supervisor is not None:
            try:
                self._supervisor.stop(self._plan.grace_s if grace_s is None else grace_s)
            except BaseException:
                self._supervisor.stop(0.0)
                raise
        if self._starter not in (None, threading.get_ident()):
            self._is_start_over.wait()
        self._release()
        atexit.unregister(self.stop)

    @property
    def is_running(self) -> bool:
        return self._is_ready and not self._is_stopped

    @property
    def endpoints(self) -> list[EndpointInfo]:
        return flow_endpoints(self._plan.graph, self._known())

    @property
    def pids(self) -> dict[str, int]:
        return self._supervisor.pids if self._supervisor is not None else {}

    def _known(self) -> dict[str, list[EndpointInfo]]:
        known = {} if self._supervisor is None else self._supervisor.endpoints
        return {name: known.get(name, []) for name in self._plan.graph.order}

    def _failed(self, error: BaseException) -> None:
        self._release()  # a port that nobody serves refuses callers instead of keeping them waiting
        self._on_failure(error)

    def _release(self) -> None:
        all_bound, self._bound = self._bound, []
        for bound in all_bound:
            bound.close()
        if self._folder is not None:  # perhaps once more: a handler may have come in between while it was made
            self._folder.remove()

    def _front_slot(self, guard: bytes, app: Slot | None) -> Slot:
        plan = self._plan
        served = [bound for bound in self._bound if app is None or bound.listener.protocols != ("http",)]
        listens = [bound.listen() for bound in served]
        app_path = self._app_path if app is not None else ""
        assert self._folder is not None
        spec = FrontSpec(
            name=f"{plan.name}/front",
            service=plan.name,
            listens=listens,
            nodes=[NodeSpec(node.graph_name, node.name, node.patience, getattr(node, "elsewhere", None)) for node in plan.nodes],
            graph=plan.graph,
            options=plan.front,
            sys_path=self._sys_path,
            cwd=self._cwd,
            guard=guard,
            app_path=app_path,
            folder=str(self._folder.path),
            grace_s=plan.grace_s,
        )
        fds = tuple(fd for listen in listens for fd in listen.fds)

        def make_spec(_: int) -> FrontSpec:
            renew(served, self._log)
            return spec

        return Slot(role="front", make_spec=make_spec, env=_environment({}, spec.name), pass_fds=fds)

    @property
    def _app_path(self) -> str:
        assert self._folder is not None
        return str(self._folder.path / "front.sock")

    def _app_slot(self, web_app: WebApp, guard: bytes) -> Slot:
        check_extra()
        plan, folder = self._plan, self._folder
        assert folder is not None
        served = [bound for bound in self._bound if "http" in bound.listener.protocols]
        listens = [bound.listen() for bound in served]
        if any(len(listen.protocols) > 1 for listen in listens):
            raise ConfigError("app= answers HTTP in a process of its own, so it shares no port; give each protocol one, or none")
        fds = [fd for listen in listens for fd in listen.fds]
        app = pack_app(web_app.source) if web_app.source is not None else b""
        hook = pack(web_app.hook, what="jina.helper.extend_rest_interface") if web_app.hook is not None else b""

        spec = AppSpec(
            name=f"{plan.name}/app",
            listen=Listen(["http"], fds),
            front_path=self._app_path,
            graph=plan.graph,
            options=plan.front,
            uvicorn_kwargs=dict(web_app.uvicorn_kwargs),
            sys_path=self._sys_path,
            cwd=self._cwd,
            app=app,
            hook=hook,
            guard=guard,
            grace_s=plan.grace_s,
        )

        def make_spec(_: int) -> AppSpec:
            renew(served, self._log)
            folder.make()  # the front listens in it
            return spec

        env = _environment(web_app.env, spec.name)
        return Slot(role="app", make_spec=make_spec, env=env, pass_fds=tuple(fds), policy=RestartPolicy(_APP_PATIENCE))

    def _worker_slots(self, executors: Mapping[str, bytes]) -> list[Slot]:
        return [
            self._worker_slot(node, f"{place}-{index}", index, executors[node.name])
            for place, node in enumerate(self._plan.own_nodes)
            for index in range(node.n_replicas)
        ]

    def _worker_slot(self, node: Node, stem: str, index: int, executor: bytes) -> Slot:
        plan, folder = self._plan, self._folder
        assert folder is not None
        spec = WorkerSpec(
            name=f"{node.name}/rep-{index}",
            deployment=node.name,
            socket_path="",
            begun_path="",
            sys_path=self._sys_path,
            cwd=self._cwd,
            executor=executor,
            config=dict(node.config),
            n_threads=node.n_threads,
            when=self._plan.graph.when.get(node.graph_name),
            max_message_bytes=plan.front.max_message_bytes,
            grace_s=plan.grace_s,
        )

        def make_spec(incarnation: int) -> WorkerSpec:
            path = folder.make()
            _remove_files(path, f"{stem}.{incarnation - 2}")
            own = str(path / f"{stem}.{incarnation}")
            return msgspec.structs.replace(spec, socket_path=f"{own}.sock", begun_path=f"{own}.begun")

        return Slot(role="worker", make_spec=make_spec, env=_environment(node.env, spec.name), node=node.graph_name)


def _no_file_left(shown: str) -> str:
    try:
        import resource

        limit = f" (the limit is {resource.getrlimit(resource.RLIMIT_NOFILE)[0]})"
    except ImportError:
        limit = ""
    return f"{shown} cannot start: this process may open no further file{limit}; raise it, e.g. with `ulimit -n 1024`"


def _remove_files(folder: Path, stem: str) -> None:
    """Remove a dead worker's socket and note: not the last one's, whose note the front may be about to read."""
    for suffix in ("sock", "begun"):
        (folder / f"{stem}.{suffix}").unlink(missing_ok=True)


def _cwd() -> str:
    """The parent's working directory; empty if that is gone."""
    try:
        return os.getcwd()
    except OSError:
        return ""


def _sys_path() -> list[str]:
    """The parent's import path, with the working directory where Python means it."""
    return [entry or _cwd() for entry in sys.path]


def _environment(extra: Mapping[str, Any], pod: str) -> dict[str, str]:
    return {**os.environ, **{key: str(value) for key, value in extra.items()}, "JINA_DEPLOYMENT_NAME": pod}
