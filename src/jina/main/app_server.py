"""uvicorn, as an app process uses it: no signal handlers, no logging set-up, and word of when it serves or why it cannot."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import uvicorn

from jina.limits import FrontOptions
from jina.transport.tls import RenewedContext, listener_files

_BACKLOG = 4096
_FOREVER_S = 10**9
_OURS = ("app", "host", "port", "uds", "fd", "workers", "reload", "factory", "interface", "loop")
_FAILED = "lifespan.startup.failed"


class StartupError(Exception):
    """The app's own start-up (its lifespan) failed; the text is its traceback, `summary` the last line of it."""

    @property
    def summary(self) -> str:
        """What failed, in a line."""
        lines = str(self).strip().splitlines()
        return f"the app's startup failed: {lines[-1] if lines else 'it did not say why'}"


class Lifespan:
    """An ASGI app around the user's, which keeps the reason why its start-up failed."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.error: StartupError | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            with contextlib.suppress(asyncio.CancelledError):  # of a request that outlives the grace of a stop: uvicorn has told
                await self._app(scope, receive, send)
            return

        async def note(message: Any) -> None:
            if message["type"] == _FAILED:
                self.error = StartupError(message.get("message", ""))
            await send(message)

        await self._app(scope, receive, note)


class Server(uvicorn.Server):
    """Tells when it takes requests; leaves signals to whoever runs it."""

    def __init__(self, config: uvicorn.Config, *, on_started: Callable[[], None], security: ssl.SSLContext | None = None) -> None:
        super().__init__(config)
        self._on_started, self._security = on_started, security

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        if self._security is not None:
            self.config.ssl = self._security
        await super().startup(sockets)
        if self.started:
            self._on_started()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def make_config(app: Any, options: FrontOptions, given: Mapping[str, Any]) -> uvicorn.Config:
    """Give uvicorn's options: ours, then those `given` by the user (`uvicorn_kwargs`) where they do not say where to listen."""
    settings: dict[str, Any] = {
        "http": "httptools",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "timeout_keep_alive": _FOREVER_S if options.idle_timeout_s is None else options.idle_timeout_s,
        "ssl_certfile": options.ssl_certfile,
        "ssl_keyfile": options.ssl_keyfile,
    }
    settings.update((name, value) for name, value in given.items() if name not in _OURS)
    return uvicorn.Config(app, interface="asgi3", backlog=_BACKLOG, **settings)


def make_security(options: FrontOptions, given: Mapping[str, Any]) -> ssl.SSLContext | None:
    """Give the TLS context of the service's own options; None without TLS, and where the user gave uvicorn TLS options."""
    files = listener_files(options)
    if files is None or any(name.startswith("ssl_") for name in given):
        return None
    return RenewedContext(files, ("http/1.1",))
