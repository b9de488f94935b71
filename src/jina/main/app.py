"""An app process: serves HTTP with a web app of the user's, whose default routes call the front.

The user's code runs here and nowhere near the loops that move bytes: what blocks in it blocks HTTP, not the front or its other ports.
uvicorn runs the app on the listening socket that the supervisor owns, so that a new app process goes on where this one ended.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import traceback
from typing import Any

from jina.call import EndpointInfo
from jina.main.child import Parent, die_with_parent, enter, raise_file_limit
from jina.process.messages import AppSpec, Discovered, Failed, Ready, ReplicaUp, Stop, TakeOver
from jina.process.travel import unpack
from jina.runtime.flow_endpoints import flow_endpoints
from jina.transport.front_channel import FrontChannel
from jina.transport.loops import new_loop


def main(argv: list[str] | None = None) -> None:
    """Run an app until its supervisor asks it to stop or goes away."""
    parent, spec = enter(sys.argv if argv is None else argv)
    die_with_parent()
    raise_file_limit()
    with asyncio.Runner(loop_factory=new_loop) as runner:
        code = runner.run(_App(parent, spec).run())
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # the user's non-daemon threads must not keep it alive


class _App:
    def __init__(self, parent: Parent, spec: AppSpec) -> None:
        self._parent, self._spec = parent, spec
        self._server: Any = None
        self._known: dict[str, list[EndpointInfo]] = {}
        self._grace_s = spec.grace_s

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        self._loop, self._stop = loop, asyncio.Event()
        self._endpoints: asyncio.Future[list[EndpointInfo]] = loop.create_future()
        loop.add_signal_handler(signal.SIGTERM, self._ask_to_stop)
        for fd in self._parent.fds:
            loop.add_reader(fd, self._read_orders)
        if self._parent.has_held:
            self._read_orders()
        try:
            async with FrontChannel(self._spec.front_path) as front:
                source, hook = self._load()
                if await self._can_begin(front):
                    await self._serve(front, source, hook)
        except BaseException as error:
            self._fail(error)
            return 1
        return 0

    def _fail(self, error: BaseException) -> None:
        from jina.main.app_server import StartupError

        if isinstance(error, StartupError):
            self._parent.tell(Failed(error.summary, str(error)))
        else:
            self._parent.tell_failure(error, traceback.format_exc())

    def _read_orders(self) -> None:
        orders = self._parent.read()
        if orders is None:
            for fd in self._parent.fds:
                self._loop.remove_reader(fd)
            self._ask_to_stop()
        for order in orders or ():
            if isinstance(order, ReplicaUp | Discovered | TakeOver):
                self._known |= order.endpoints if isinstance(order, TakeOver) else {order.node: order.endpoints}
                if len(self._known) == len(self._spec.graph.order) and not self._endpoints.done():
                    self._endpoints.set_result(flow_endpoints(self._spec.graph, self._known))
            elif isinstance(order, Stop):
                self._grace_s = order.grace_s
                self._ask_to_stop()

    def _ask_to_stop(self) -> None:
        self._stop.set()
        if self._server is not None:
            self._server.config.timeout_graceful_shutdown = self._grace_s
            self._server.should_exit = True

    def _load(self) -> tuple[Any, Any]:
        """Give what the user passed as `app` and the hook, each None if there is none; imports their modules, while the model loads."""
        import jina.fronts.asgi
        import jina.main.app_server  # noqa: F401 - slow, and needed in any case

        spec = self._spec
        return unpack(spec.app) if spec.app else None, unpack(spec.hook) if spec.hook else None

    async def _can_begin(self, front: FrontChannel) -> bool:
        """Wait until a worker and the front serve, so that an open port means a loaded model. False if it has to stop before."""
        stop = asyncio.ensure_future(self._stop.wait())
        able = asyncio.gather(self._endpoints, front.ready())
        try:
            await asyncio.wait((stop, able), return_when=asyncio.FIRST_COMPLETED)
            return not self._stop.is_set()
        finally:
            stop.cancel()
            able.cancel()
            await asyncio.gather(stop, able, return_exceptions=True)

    async def _serve(self, front: FrontChannel, source: Any, hook: Any) -> None:
        from jina.main.app_server import Lifespan, Server, make_config, make_security

        app = Lifespan(self._make(front, source, hook))
        config = make_config(app, self._spec.options, self._spec.uvicorn_kwargs)
        security = make_security(self._spec.options, self._spec.uvicorn_kwargs)
        self._server = Server(config, on_started=lambda: self._parent.tell(Ready()), security=security)
        try:
            await self._server.serve([socket.socket(fileno=fd) for fd in self._spec.listen.fds])
        except SystemExit as exit:
            raise app.error or RuntimeError(f"the app ended its process with {exit.code}") from exit
        if app.error is not None:
            raise app.error

    def _make(self, front: FrontChannel, source: Any, hook: Any) -> Any:
        from jina.fronts.asgi import DefaultRoutes, guarded
        from jina.process.web_app import build
        from jina.runtime.guards import make_guard

        routes = DefaultRoutes(front, self._endpoints.result(), is_ready=lambda: front.is_up, options=self._spec.options)
        app = build(source, routes.make_app, routes.add_to, hook)
        guard = make_guard(unpack(self._spec.guard)) if self._spec.guard else None
        return app if guard is None else guarded(app, guard)


if __name__ == "__main__":
    main()
