"""The life of a service: what Deployment and Flow have in common, over the Plan that each of them makes."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from jina.announcement import announcement
from jina.call import EndpointInfo
from jina.errors import BadConfigSource, ConfigError, PortAlreadyUsed, StartError
from jina.options.service import ServiceOptions
from jina.own_client import own_client
from jina.plan import Listener, Plan, WebApp
from jina.warning import warn_user

if TYPE_CHECKING:
    from jina.engines.engine import Engine
    from jina.observe.logging import JinaLogger

_LOOK_S = 0.2


class Orchestrator(ABC):
    """Starts, calls and stops the service that a Plan describes. Its ports are bound when they are first asked for, or at `start`."""

    KIND: ClassVar[str]
    """What errors call it, before its name."""
    IS_ASYNC: ClassVar[bool] = False
    """Its client, and what it does with that, gives coroutines."""

    def __init__(self, options: ServiceOptions, app: Any = None) -> None:
        """Begin without anything that runs.

        Args:
            options: Where to listen, what callers may ask, how long things may take.
            app: A web app of the user's, which answers HTTP instead of the front.

        Raises:
            ConfigError: There is an app, and no HTTP.
        """
        self.options: ServiceOptions = options
        self._app = app
        if app is None and options.uvicorn_kwargs and self._web_app() is None:
            warn_user("uvicorn_kwargs is without effect unless app= answers HTTP")
        if app is not None and "http" not in options.protocol_names:
            raise ConfigError(f"app= answers HTTP requests, but protocol is {self.protocol!r}; add 'http'")
        self._engine: Engine | None = None
        self._engine_lock = threading.RLock()
        self._n_closed = 0
        self._logger: JinaLogger | None = None
        self._client: Any = None
        self._closed = threading.Event()
        self._is_interrupted = self._is_hurried = False
        self._failure: BaseException | None = None

    @abstractmethod
    def _plan(self) -> Plan:
        """Say what is to run."""

    def start(self) -> Self:
        """Start the processes and wait until they serve.

        Raises:
            StartError: An executor could not be made, a process died (the text holds its traceback), or `close` was called meanwhile.
            TimeoutError: It was not ready within `timeout_ready` milliseconds.
            PortAlreadyUsed: A port is taken.
        """
        if self._is_running:
            return self
        if self._failure is not None:
            self.close()
        n_closed = self._n_closed
        try:
            engine = self._make_engine()
        except (ConfigError, BadConfigSource) as error:  # the text says it all; the way through us would hide it
            raise error.with_traceback(None) from error.__cause__
        if not engine.claim():
            raise StartError(f"{self._shown} is being started or stopped already; wait for that, or close it")
        try:
            self._closed.clear()
            self._failure, self._is_interrupted, self._is_hurried = None, False, False
            if self._n_closed != n_closed:
                engine.stop()
            self._logger = self._make_logger()
            engine.start(self._web_app())
            for level, text in announcement(engine.bind(), self.options):
                self._log(level, text)
            return self
        except (ConfigError, PortAlreadyUsed, TimeoutError) as error:  # as above
            self._end(engine)
            raise error.with_traceback(None) from error.__cause__
        except BaseException:
            self._end(engine)
            raise

    def close(self) -> None:
        """Stop: take no more, finish what is held (at most `timeout_ctrl` seconds), close the executors. Harmless when not running.

        May be called from any thread or signal handler; a `start` that is under way then raises StartError.
        """
        while True:
            try:
                return self._close()
            except BaseException as error:  # mostly a second Ctrl-C: the rest is quick, so that it may start again
                self._is_hurried = True
                if not self._is_interrupted or not isinstance(error, KeyboardInterrupt):
                    self._close()
                    raise

    def _close(self) -> None:
        self._n_closed += 1
        client, self._client = self._client, None
        try:
            if client is not None:
                client.teardown()
        finally:
            self._end(self._engine)

    def _end(self, engine: Engine | None) -> None:
        try:
            if engine is not None:
                engine.stop(0.0 if self._is_hurried else None)
                self._engine = None if self._engine is engine else self._engine
            logger, self._logger = self._logger, None
            if logger is not None:
                logger.close()
        finally:
            self._closed.set()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._is_hurried |= self._is_interrupted and kind is KeyboardInterrupt
        self.close()

    def block(self, stop_event: Any = None) -> None:
        """Wait until Ctrl-C, until `close` is called elsewhere, or until `stop_event` is set (threading or multiprocessing).

        In the main thread SIGTERM counts as Ctrl-C, unless the program handles it itself. After Ctrl-C a second one ends `close` at once,
        without an exception.

        Raises:
            StartError: It has not been started, or the service ended for good by itself: its front could not be started again.
        """
        from jina.process.sigterm import sigterm_interrupts

        if self._logger is None and not self._closed.is_set():
            raise self._not_running()
        try:
            with sigterm_interrupts():
                wait = self._closed.wait if stop_event is None else stop_event.wait
                while not self._closed.is_set() and not wait(_LOOK_S):
                    pass  # a signal that comes right before the waiting does not end it (Python's locks), so none is for ever
        except KeyboardInterrupt:
            self._interrupted()
        if self._failure is not None:
            raise self._failure

    def _interrupted(self) -> None:
        try:
            self._is_interrupted = True
            limit_s = self.options.timeout_ctrl
            self._log("info", f"stopping: calls under way have up to {limit_s} s to finish; Ctrl-C again stops at once")
        except KeyboardInterrupt:
            self._is_hurried = True

    def _failed(self, error: BaseException) -> None:
        self._failure = error
        self._closed.set()

    @property
    def name(self) -> str:
        """Its name in logs and metrics."""
        return self.options.name

    @property
    def port(self) -> int:
        """The first port; binds it if it was left to the system to choose."""
        return self.ports[0]

    @property
    def ports(self) -> list[int]:
        """The port of each protocol, in their order; one that is shared comes several times, and 0 stands where there is none."""
        listeners = [listener for listener in self._bind() if listener.port] or self._bind()
        ports = {protocol: listener.port for listener in reversed(listeners) for protocol in listener.protocols}
        return [ports.get(protocol, 0) for protocol in self.options.protocol_names]

    @property
    def host(self) -> str:
        """The first address that it listens on."""
        return self.hosts[0]

    @property
    def hosts(self) -> list[str]:
        """The addresses that it listens on, each with all its ports."""
        return list(self.options.host)

    @property
    def protocol(self) -> str | list[str]:
        """The protocol in lower case, or a list where there are several; `https` and `grpcs` with TLS."""
        protocols = [protocol + "s" * self.tls_enabled for protocol in self.options.protocol_names]
        return protocols[0] if len(protocols) == 1 else protocols

    @property
    def tls_enabled(self) -> bool:
        """The service speaks TLS."""
        return bool(self.options.ssl_certfile)

    @property
    def endpoints(self) -> list[EndpointInfo]:
        """What the running service offers."""
        return [] if (engine := self._engine) is None else engine.endpoints

    @property
    def pids(self) -> dict[str, int]:
        """Process ids of the running children, by pod name."""
        return {} if (engine := self._engine) is None else engine.pids

    @property
    def is_ready(self) -> bool:
        """It serves and its health check says so."""
        if not self._is_running:
            return False
        if not self.IS_ASYNC:
            return bool(self.client.is_flow_ready())
        client = own_client(self.options, self._bind()[0])
        try:
            return bool(client.is_flow_ready())
        finally:
            client.teardown()

    @property
    def _is_running(self) -> bool:
        return (engine := self._engine) is not None and engine.is_running and self._failure is None

    @property
    def _shown(self) -> str:
        return f"{self.KIND} {self.name!r}"

    @property
    def client(self) -> Any:
        """A client of the first protocol and port."""
        if self._client is None:
            self._client = own_client(self.options, self._bind()[0], is_async=self.IS_ASYNC)
        return self._client

    def post(self, *args: Any, **kwargs: Any) -> Any:
        """Call an endpoint of the running service; see `Client.post`.

        Raises:
            StartError: It has not been started, or was closed.
        """
        return self._running_client().post(*args, **kwargs)

    def stream_doc(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """Call a streaming endpoint of the running service; see the client's `stream_doc`.

        Raises:
            StartError: It has not been started, or was closed.
        """
        found: Iterator[Any] = self._running_client().stream_doc(*args, **kwargs)
        return found

    def __getattr__(self, name: str) -> Any:
        if name in ("index", "search", "update", "delete"):
            return lambda *args, **kwargs: self.post(f"/{name}", *args, **kwargs)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _running_client(self) -> Any:
        if self._engine is None or not (self._engine.is_running or self._failure):
            raise self._not_running()
        return self.client

    def _not_running(self) -> StartError:
        return StartError(f"{self._shown} is not running; call it within 'with {self.KIND}:', or after start()")

    def _make_engine(self) -> Engine:
        from jina.engines.local import LocalEngine

        with self._engine_lock:
            engine = self._engine
            if engine is None:
                engine = self._engine = LocalEngine(self._plan(), log=self._log, on_failure=self._failed)
            return engine

    def _bind(self) -> list[Listener]:
        with self._engine_lock:
            return self._make_engine().bind()

    def _web_app(self) -> WebApp | None:
        """What the user wants to answer HTTP, if anything: read at start, as `jina.helper.extend_rest_interface` may be set late."""
        from jina.process.web_app import web_app_of

        return web_app_of(self._app, self.options) if "http" in self.options.protocol_names else None

    def _log(self, level: Literal["info", "warning"], text: str) -> None:
        if (logger := self._logger) is not None:
            getattr(logger, level)(text)

    def _make_logger(self) -> JinaLogger:
        from jina.observe.logging import JinaLogger

        return JinaLogger(self.name, log_config=self.options.log_config, quiet=self.options.quiet)
