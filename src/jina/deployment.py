"""Deployment: an Executor and how it should run, as a context manager. A thin builder of a Plan."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Literal, Self

from jina.call import EndpointInfo
from jina.errors import BadConfigSource, ConfigError, PortAlreadyUsed, StartError
from jina.options import DeploymentOptions
from jina.options.address import reachable
from jina.plan import Listener, Node, Plan, WebApp, listeners_of
from jina.warning import warn_user

_GRAPH_NAME = "executor"
"""What routes, parameter prefixes and `target_executor` call the only node of a Deployment, whatever its name: Jina's rule."""

_MAX_THREADS = 32


class Deployment:
    """Serves one Executor: a front process that owns the ports and a worker process that runs the user's code.

        with Deployment(uses=MyExecutor, protocol="http", port=8080) as deployment:
            deployment.block()

    The constructor returns at once; ports are bound when they are first asked for or at `start`.
    """

    def __init__(self, args: Any = None, *, app: Any = None, **kwargs: Any) -> None:
        """Take the arguments of a deployment.

        Args:
            args: A namespace of arguments (as the command line gives), instead of keywords.
            app: A web app of your own that answers every HTTP request, in a process of its own (extra `fastapi`): a FastAPI
                or other ASGI app, which gets the default routes behind its own; a function that makes one, from nothing or from the
                default app; or `"module:name"` of either.
            **kwargs: See `jina.options.DeploymentOptions`; unknown names are ignored with a warning, unless they resemble one that
                protects.

        Raises:
            ConfigError: A value or a combination of values cannot work; the text names it.
        """
        if args is not None and (callable(args) or not hasattr(args, "__dict__")):  # vars() of a class are its methods
            raise ConfigError(f"Deployment({_shown(args)}, ...): what to serve is given by name; write uses={_shown(args)}")
        given = {**(vars(args) if args is not None else {}), **kwargs}
        self.options: DeploymentOptions = DeploymentOptions.from_kwargs(**given)
        self._app = app
        if app is not None and not self._has_http:
            raise ConfigError(f"app= answers HTTP requests, but protocol is {self.protocol!r}; add 'http'")
        if app is None and self.options.uvicorn_kwargs and not _has_hook():
            warn_user("uvicorn_kwargs is without effect unless app= answers HTTP")
        self._engine: Any = None
        self._engine_lock = threading.RLock()
        self._n_closed = 0
        self._logger: Any = None
        self._client: Any = None
        self._closed = threading.Event()
        self._is_interrupted = self._is_hurried = False
        self._failure: BaseException | None = None

    # --- life ------------------------------------------------------------------------------------------------------------------------

    def start(self) -> Self:
        """Start the processes and wait until they serve.

        Raises:
            StartError: The executor could not be made, a process died (the text holds its traceback), or `close` was called meanwhile.
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
        except (ConfigError, BadConfigSource) as error:
            # the text says it all; the way through us would hide it
            raise error.with_traceback(None) from error.__cause__
        if not engine.claim():
            raise StartError(f"deployment {self.name!r} is being started or stopped already; wait for that, or close it")
        try:
            self._closed.clear()
            self._failure, self._is_interrupted, self._is_hurried = None, False, False
            if self._n_closed != n_closed:
                engine.stop()
            self._logger = self._make_logger()
            engine.start(self._web_app())
            self._announce(engine.bind())
            return self
        except (ConfigError, PortAlreadyUsed, TimeoutError) as error:
            self._end(engine)
            # as above
            raise error.with_traceback(None) from error.__cause__
        except BaseException:
            self._end(engine)
            raise

    def close(self) -> None:
        """Stop: take no more, finish what is held (at most `timeout_ctrl` seconds), close the executor. Harmless when not running.

        May be called from any thread or signal handler; a `start` that is under way then raises StartError.
        """
        while True:
            try:
                return self._close()
            except BaseException as error:  # mostly a second Ctrl-C: the rest is quick, so that the deployment may start again
                self._is_hurried = True
                if not self._is_interrupted or not isinstance(error, KeyboardInterrupt):
                    self._close()
                    raise

    def _close(self) -> None:
        self._n_closed += 1
        client, self._client = self._client, None
        try:
            if client is not None and hasattr(client, "teardown"):
                client.teardown()
        finally:
            self._end(self._engine)

    def _end(self, engine: Any) -> None:
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
                if stop_event is None:
                    self._closed.wait()
                else:
                    while not self._closed.is_set() and not stop_event.wait(0.2):
                        pass
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

    # --- what it is ------------------------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The deployment's name."""
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
        return [ports.get(_protocol(protocol), 0) for protocol in self.options.protocol]

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
        protocols = [_protocol(value) + "s" * self.tls_enabled for value in self.options.protocol]
        return protocols[0] if len(protocols) == 1 else protocols

    @property
    def tls_enabled(self) -> bool:
        """The service speaks TLS."""
        return bool(self.options.ssl_certfile and self.options.ssl_keyfile)

    @property
    def endpoints(self) -> list[EndpointInfo]:
        """What the running executor offers."""
        engine = self._engine
        return engine.endpoints if engine is not None else []

    @property
    def pids(self) -> dict[str, int]:
        """Process ids of the running children, by pod name."""
        engine = self._engine
        return engine.pids if engine is not None else {}

    @property
    def is_ready(self) -> bool:
        """It serves and its health check says so."""
        return self._is_running and bool(self.client.is_flow_ready())

    @property
    def num_pods(self) -> int:
        """Processes that run user code or route: the front and the replicas."""
        return 1 + self.options.replicas

    @property
    def client(self) -> Any:
        """A client of the first protocol and port."""
        if self._client is None:
            from jina.client import Client

            first = self._bind()[0]
            where = {"host": reachable(first.hosts[0]), "port": first.port, "protocol": first.protocols[0], "tls": self.tls_enabled}
            self._client = Client(**where, api_key=_own_key(self.options.api_key), open_connection=self._own_way(first))
        return self._client

    def _own_way(self, first: Listener) -> Any:
        """With TLS: trust the very certificate of ours, whatever it names, and show it to a service that asks for one."""
        if not self.tls_enabled:
            return None
        from jina.transport import connect
        from jina.transport.tls import TlsFiles

        options = self.options
        files = TlsFiles(options.ssl_certfile or "", options.ssl_keyfile or "", options.ssl_certfile or "")
        alpn = ("h2",) if first.protocols[0] == "grpc" else ("http/1.1",)
        return connect.service(first.hosts[0], first.port, tls=files, alpn=alpn, is_pinned=True)

    def post(self, *args: Any, **kwargs: Any) -> Any:
        """Call an endpoint of the running deployment; see `Client.post`.

        Raises:
            StartError: It has not been started, or was closed.
        """
        return self._running_client().post(*args, **kwargs)

    def stream_doc(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """Call a streaming endpoint of the running deployment; see the client's `stream_doc`.

        Raises:
            StartError: It has not been started, or was closed.
        """
        found: Iterator[Any] = self._running_client().stream_doc(*args, **kwargs)
        return found

    def _running_client(self) -> Any:
        if self._engine is None or not (self._engine.is_running or self._failure):
            raise self._not_running()
        return self.client

    def _not_running(self) -> StartError:
        return StartError(f"deployment {self.name!r} is not running; call it within 'with deployment:', or after start()")

    def __getattr__(self, name: str) -> Any:
        if name in ("index", "search", "update", "delete"):
            return lambda *args, **kwargs: self.post(f"/{name}", *args, **kwargs)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    # --- YAML ------------------------------------------------------------------------------------------------------------------------

    @classmethod
    def load_config(cls, source: Any, **kwargs: Any) -> Deployment:
        """Load a Deployment from YAML: a path, a string, an open file or a dict; see `jina.yaml.load_deployment`."""
        from jina.yaml import load_deployment

        loaded: Deployment = load_deployment(source, **kwargs)
        return loaded

    def save_config(self, filename: str | None = None) -> None:
        """Write the arguments that differ from the defaults as YAML."""
        from jina.yaml import save_deployment

        save_deployment(self, filename)

    # --- building the plan -----------------------------------------------------------------------------------------------------------

    @property
    def _is_running(self) -> bool:
        engine = self._engine
        return engine is not None and engine.is_running and self._failure is None

    def _make_engine(self) -> Any:
        from jina.engines.local import LocalEngine

        with self._engine_lock:
            engine = self._engine
            if engine is None:
                engine = self._engine = LocalEngine(self._plan(), log=self._log, on_failure=self._failed)
            return engine

    def _bind(self) -> list[Listener]:
        with self._engine_lock:
            listeners: list[Listener] = self._make_engine().bind()
            return listeners

    def _plan(self) -> Plan:
        from jina.yaml import resolve_uses

        options = self.options
        _check_tls(options)
        executor, config = resolve_uses(options)
        node = Node(
            name=options.name,
            graph_name=_GRAPH_NAME,
            executor=executor,
            config={**config, "runtime_args": self._runtime_args()},
            env={**_logging_env(options), **(options.env or {})},
            n_threads=_MAX_THREADS if options.allow_concurrent else 1,
            n_replicas=options.replicas,
            patience=options.patience(),
        )
        return Plan(
            name=options.name,
            nodes=(node,),
            listeners=listeners_of(options),
            front=options.front_options(),
            guard=options.api_key,
            timeout_ready_s=options.timeout_ready_s,
            grace_s=options.timeout_ctrl,
        )

    @property
    def _has_http(self) -> bool:
        return any(_protocol(value) == "http" for value in self.options.protocol)

    def _web_app(self) -> WebApp | None:
        """What the user wants to answer HTTP, if anything: read at start, as `jina.helper.extend_rest_interface` may be set late."""
        from jina.process.web_app import custom_hook

        hook = custom_hook()
        if not self._has_http or (self._app is None and hook is None):
            return None
        return WebApp(source=self._app, hook=hook, uvicorn_kwargs=self.options.uvicorn_kwargs or {})

    def _runtime_args(self) -> dict[str, Any]:
        options = self.options
        return {
            "workspace": options.workspace,
            "shard_id": 0,
            "shards": options.shards,
            "replicas": options.replicas,
            "name": f"{options.name}/rep-0",
            "provider": "NONE",
            "provider_endpoint": None,
            "allow_concurrent": options.allow_concurrent,
            "quiet_error": options.quiet_error,
            "exit_on_exceptions": list(options.exit_on_exceptions),
        }

    # --- words -----------------------------------------------------------------------------------------------------------------------

    def _log(self, level: Literal["info", "warning"], text: str) -> None:
        logger = self._logger
        if logger is not None:
            getattr(logger, level)(text)

    def _make_logger(self) -> Any:
        from jina.observe.logging import JinaLogger

        return JinaLogger(self.options.name, log_config=self.options.log_config, quiet=self.options.quiet)

    def _announce(self, listeners: list[Listener]) -> None:
        from jina.process.ports import is_loopback

        is_open = False
        for listener in listeners:
            for host in listener.hosts:
                shown = " and ".join(listener.urls(host, self.tls_enabled))
                is_open = is_open or not is_loopback(host)
                self._log("info", f"ready and listening on {shown}" + " (all interfaces)" * (host in ("0.0.0.0", "::")))
        if is_open and self.options.api_key is None and self.options.ssl_ca_certs is None:
            self._log("warning", "this service listens beyond this machine and asks for no key; api_key= guards it")


def _check_tls(options: DeploymentOptions) -> None:
    """Find a wrong certificate before anything starts."""
    if options.ssl_certfile and options.ssl_keyfile:
        from jina.transport.tls import TlsFiles, server_context

        server_context(TlsFiles(options.ssl_certfile, options.ssl_keyfile, options.ssl_ca_certs or ""), ())


def _logging_env(options: DeploymentOptions) -> dict[str, str]:
    """Let the worker's `self.logger` write as the deployment's does; Jina's variable is how a child hears of it."""
    if options.quiet:
        return {"JINA_LOG_CONFIG": "QUIET"}
    return {} if options.log_config == "default" else {"JINA_LOG_CONFIG": options.log_config}


def _shown(value: Any) -> str:
    cls = value if isinstance(value, type) else type(value)
    return cls.__name__ if callable(value) else repr(value)


def _protocol(value: Any) -> str:
    return str(getattr(value, "name", value)).lower()


def _has_hook() -> bool:
    from jina.process.web_app import custom_hook

    return custom_hook() is not None


def _own_key(key: Any) -> str | None:
    """A key that the service takes from its own client; none where a function decides."""
    if key is None or isinstance(key, str) or callable(key):
        return key if isinstance(key, str) else None
    return next(iter(key), None)
