"""What every service is told, one Executor or many: where it listens, who may call, its limits, times and logs.

The class holds values; binding ports, reading YAML and starting processes is the work of others.
"""

# ruff: noqa: RUF009 - `argument` makes a dataclass field; ruff cannot see that

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

from jina.enums import ProtocolType
from jina.errors import ConfigError
from jina.limits import FrontOptions, Limits, Patience
from jina.options import values
from jina.options.address import is_network
from jina.options.table import argument, changed, check_minimum, inactive, read, warn_of_inactive

LOOPBACK, EVERYWHERE = "127.0.0.1", "0.0.0.0"
SERVICE, EXECUTOR, INNER = "service", "executor", "inner"
_HTTP, _TIME, _LIMITS, _OBSERVE = "HTTP and TLS", "times", "limits", "logs, metrics, traces"

_INACTIVE = (
    *("reload", "grpc_server_options", "grpc_channel_options", "compression", "retries", "workspace_id", "k8s_namespace"),
    *("monitoring", "port_monitoring", "tracing", "traces_exporter_host", "traces_exporter_port"),
    *("metrics", "metrics_exporter_host", "metrics_exporter_port"),
)


def _compression(value: Any) -> str | None:
    text = values.text(value)
    return None if text is None or text.lower() in ("none", "nocompression") else text


def _limit(default: Any, parse: Any, help: str, *, group: str = _LIMITS, minimum: int = 1, none_is_value: bool = False) -> Any:
    return argument(default, parse, help, group=group, minimum=minimum, none_is_value=none_is_value, protects=True)


@dataclass(frozen=True, kw_only=True)
class ServiceOptions:
    """How a service is reached.

    `timeout_ready` and `timeout_send` are milliseconds with -1 for no limit, `timeout_ctrl` is seconds: Jina's units. The properties
    `timeout_ready_s` and `timeout_send_s` give seconds. An empty `port`, and a port 0, mean: any free one.
    """

    INACTIVE: ClassVar[tuple[str, ...]] = _INACTIVE
    """Accepted with a warning: nothing reads them in this release."""
    LATER: ClassVar[tuple[str, ...]] = ()
    """Refused with any other value than the default, until a later release."""
    ALWAYS_SO: ClassVar[tuple[str, ...]] = ("suppress_root_logging",)
    """Asking for them changes nothing, since it is never otherwise."""
    NOT_OPTIONS: ClassVar[tuple[str, ...]] = ()
    """Names that are given beside options, to others."""

    name: str
    host: tuple[str, ...] = argument(
        (LOOPBACK,),
        values.hosts,
        "where to listen, one or several: an address (0.0.0.0 opens the service to other machines), unix:PATH, or systemd",
        group=SERVICE,
        aliases=("host_in",),
    )
    port: tuple[int, ...] = argument(
        (),
        values.ports,
        "port to listen on: one for all protocols, or one for each; 0 takes a free one, nothing a free one for each",
        group=SERVICE,
        aliases=("ports", "port_expose", "port_in"),
        minimum=None,
    )
    protocol: tuple[ProtocolType, ...] = argument(
        (ProtocolType.GRPC,), values.protocols, "what to speak: some of grpc, http, websocket", group=SERVICE, aliases=("protocols",)
    )
    reuse_port: bool = argument(False, values.flag, "let other services listen on the same port (SO_REUSEPORT)", group=SERVICE)
    unix_access: str = argument(
        "owner",
        values.text,
        "who may connect to a Unix socket that is listened on: owner, group or everyone",
        group=SERVICE,
        protects=True,
    )
    api_key: Any = argument(
        None,
        values.anything,
        "key that callers must send (Authorization: Bearer KEY, or X-API-Key); from Python also a callable that checks the headers. "
        "On the command line others on the machine can read it: better write `api_key: ${{ ENV.NAME }}` in YAML",
        group=SERVICE,
        secret=True,
        protects=True,
    )
    env: dict[str, Any] | None = argument(None, values.mapping, "environment variables of the worker process", group=SERVICE)
    reload: bool = argument(False, values.flag, "restart when the Executor's files change", group=SERVICE)
    workspace: str | None = argument(None, values.text, "directory for what the Executor keeps", group=EXECUTOR)
    extra_search_paths: tuple[str, ...] = argument(
        (), values.strings, "more directories to look for YAML and modules in", group=EXECUTOR, hidden=True
    )
    title: str | None = argument(None, values.text, "title of the API page", group=_HTTP)
    description: str | None = argument(None, values.text, "text of the API page", group=_HTTP)
    cors: bool = argument(False, values.flag, "let browsers call from any origin", group=_HTTP)
    ssl_certfile: str | None = argument(None, values.text, "TLS certificate (PEM); needs --ssl-keyfile", group=_HTTP, protects=True)
    ssl_keyfile: str | None = argument(None, values.text, "TLS key (PEM); needs --ssl-certfile", group=_HTTP, protects=True)
    ssl_ca_certs: str | None = argument(
        None, values.text, "authorities (PEM) of client certificates; with it every caller needs one", group=_HTTP, protects=True
    )
    uvicorn_kwargs: dict[str, Any] | None = argument(
        None, values.mapping, "uvicorn's options; those with a meaning here keep it", group=_HTTP
    )
    grpc_server_options: dict[str, Any] | None = argument(
        None, values.mapping, "grpcio's server options; those with a meaning here keep it", group=_HTTP
    )
    grpc_channel_options: dict[str, Any] | None = argument(
        None, values.mapping, "grpcio's channel options; those with a meaning here keep it", group=_HTTP
    )
    compression: str | None = argument(None, _compression, "NoCompression, Deflate or Gzip for calls between processes", group=_HTTP)
    retries: int = argument(
        -1, values.integer, "how often a call is tried again; -1 decides by the replicas", group=_HTTP, minimum=0, allows_minus_one=True
    )
    timeout_ready: int = argument(
        600_000, values.integer, "milliseconds until it must be ready; -1 waits for ever", group=_TIME, minimum=0, allows_minus_one=True
    )
    timeout_ctrl: int = argument(
        60, values.integer, "seconds that calls get to finish when it stops (also JINA_DEFAULT_TIMEOUT_CTRL)", group=_TIME, minimum=0
    )
    timeout_send: int | None = argument(
        None, values.integer, "milliseconds a call may take; -1 is no limit", group=_TIME, minimum=0, allows_minus_one=True, protects=True
    )
    max_wait_for_replica_s: float | None = _limit(
        Patience.max_wait_for_replica_s,
        values.seconds,
        "seconds a call waits while no worker is up",
        group=_TIME,
        none_is_value=True,
        minimum=0,
    )
    hang_timeout_s: float | None = _limit(
        Patience.hang_timeout_s,
        values.seconds,
        "seconds of silence after which a worker is started anew",
        group=_TIME,
        none_is_value=True,
        minimum=0,
    )
    header_timeout_s: float | None = _limit(
        Limits.header_timeout_s, values.seconds, "seconds a caller has to send its headers", group=_TIME, none_is_value=True, minimum=0
    )
    idle_timeout_s: float | None = _limit(
        Limits.idle_timeout_s, values.seconds, "seconds a connection may do nothing", group=_TIME, none_is_value=True, minimum=0
    )
    write_timeout_s: float | None = _limit(
        Limits.write_timeout_s, values.seconds, "seconds a caller may take nothing of its reply", group=_TIME, none_is_value=True, minimum=0
    )
    max_body_bytes: int | None = _limit(Limits.max_body_bytes, values.size, "largest HTTP body, e.g. '100 MiB'", none_is_value=True)
    max_message_bytes: int | None = _limit(
        Limits.max_message_bytes, values.size, "largest gRPC or WebSocket message, e.g. '1 GiB'", none_is_value=True
    )
    max_buffered_bytes: int | None = _limit(None, values.size, "most bytes held at once in a process; by default a quarter of its memory")
    max_header_bytes: int = _limit(Limits.max_header_bytes, values.size, "largest block of headers")
    max_header_fields: int = _limit(Limits.max_header_fields, values.integer, "most header fields of a call")
    max_target_bytes: int = _limit(Limits.max_target_bytes, values.size, "longest path and query of a request")
    max_streams: int = _limit(Limits.max_streams, values.integer, "most calls at once on one HTTP/2 connection")
    max_pipelined: int = _limit(Limits.max_pipelined, values.integer, "most requests held of one HTTP/1.1 connection")
    prefetch: int = _limit(Limits.prefetch, values.integer, "requests of one stream worked on at once; 0 is no limit", minimum=0)
    min_body_bytes_per_s: int | None = _limit(
        Limits.min_body_bytes_per_s, values.size, "slowest HTTP body, after its first 5 s", none_is_value=True
    )
    log_config: str = argument("default", values.text, "default, plain, json, docker, quiet, or a YAML file", group=_OBSERVE)
    quiet: bool = argument(False, values.flag, "log nothing", group=_OBSERVE)
    quiet_error: bool = argument(False, values.flag, "log errors without their tracebacks", group=_OBSERVE)
    suppress_root_logging: bool = argument(False, values.flag, "accepted; the root logger is never touched", group=_OBSERVE, hidden=True)
    monitoring: bool = argument(False, values.flag, "serve Prometheus metrics", group=_OBSERVE)
    port_monitoring: tuple[int, ...] = argument((), values.ports, "ports of the metrics", group=_OBSERVE)
    tracing: bool = argument(False, values.flag, "send OpenTelemetry traces", group=_OBSERVE)
    traces_exporter_host: str | None = argument(None, values.text, "where traces go", group=_OBSERVE)
    traces_exporter_port: int | None = argument(None, values.integer, "its port", group=_OBSERVE)
    metrics: bool = argument(False, values.flag, "send OpenTelemetry metrics", group=_OBSERVE)
    metrics_exporter_host: str | None = argument(None, values.text, "where metrics go", group=_OBSERVE)
    metrics_exporter_port: int | None = argument(None, values.integer, "its port", group=_OBSERVE)
    workspace_id: str | None = argument(None, values.text, "accepted, without effect", group=INNER, hidden=True)
    k8s_namespace: str | None = argument(None, values.text, "Kubernetes namespace", group=INNER, hidden=True)

    def __post_init__(self) -> None:
        check_minimum(self)
        _check_key(self)
        _check_ports(self)
        Limits(**{each.name: getattr(self, each.name) for each in fields(Limits)})
        _check_tls(self)

    @classmethod
    def from_kwargs(cls, **kwargs: Any) -> Self:
        """Options from Jina's keyword arguments, however they are written.

        Unknown ones are ignored with a warning, unless they resemble one that protects.

        Raises:
            ConfigError: A value that cannot be read or does not fit the others.
            NotSupportedError: Something that a later release brings.
        """
        return cls.from_mapping(kwargs)

    @classmethod
    def from_mapping(cls, given: Mapping[str, Any], *, host: str = LOOPBACK, environ: Mapping[str, str] | None = None) -> Self:
        """Options by name; `host` is the one to listen on where neither `given` nor `JINA_DEFAULT_HOST` says."""
        environ = os.environ if environ is None else environ
        found = read(cls, given, silent=cls.NOT_OPTIONS)
        found.setdefault("host", (environ.get("JINA_DEFAULT_HOST") or host,))
        if "timeout_ctrl" not in found and environ.get("JINA_DEFAULT_TIMEOUT_CTRL"):
            found["timeout_ctrl"] = _timeout_ctrl_of(environ["JINA_DEFAULT_TIMEOUT_CTRL"])
        options = cls(**found)
        warn_of_inactive(options.inactive())
        return options

    def to_dict(self) -> dict[str, Any]:
        """What differs from the defaults, by name, as YAML and JSON can hold it (classes and callables stay as they are)."""
        return changed(self)

    def front_options(self) -> FrontOptions:
        """What its ports are told: every argument that is a field of theirs, files by their whole paths."""
        found = {each.name: getattr(self, each.name) for each in fields(FrontOptions) if hasattr(self, each.name)}
        for name in ("ssl_certfile", "ssl_keyfile", "ssl_ca_certs"):
            found[name] = os.path.abspath(found[name]) if found[name] else None
        return FrontOptions(**found)

    def patience(self) -> Patience:
        """How long its calls wait, and its worker is waited for."""
        return Patience(**{each.name: getattr(self, each.name) for each in fields(Patience)})

    def inactive(self) -> tuple[str, ...]:
        """Names of arguments that were given, are accepted, and do nothing in this release."""
        return inactive(self)

    @property
    def ports(self) -> tuple[int, ...]:
        """One port a protocol, 0 for any free one; a lone port that is given is that of all, and so is any that is given twice."""
        given = self.port * len(self.protocol) if len(self.port) == 1 else self.port
        return given + (0,) * (len(self.protocol) - len(given))

    @property
    def max_ports(self) -> int:
        """How many may be given."""
        return len(self.protocol)

    @property
    def protocol_names(self) -> tuple[str, ...]:
        """What is spoken, in lower case."""
        return tuple(protocol.name.lower() for protocol in self.protocol)

    @property
    def shares_port(self) -> bool:
        """True if one port, which may still be chosen by the system, is for all protocols."""
        return len(self.port) == 1 and len(self.protocol) > 1

    @property
    def timeout_ready_s(self) -> float | None:
        """Seconds until it must be ready; None waits for ever."""
        return None if self.timeout_ready == -1 else self.timeout_ready / 1000

    @property
    def timeout_send_s(self) -> float | None:
        """Seconds a call may take; None is no limit."""
        return None if self.timeout_send in (None, -1) else self.timeout_send / 1000


_VARIABLE = re.compile(r"\$\{?([A-Z_][A-Z0-9_]*)\}?")
"""A variable by its looks; anything else behind a `$` may be the key itself, which no error shows."""


def _timeout_ctrl_of(text: str) -> int:
    try:
        return values.integer(text)
    except ValueError as error:
        raise ConfigError(f"environment variable JINA_DEFAULT_TIMEOUT_CTRL: {error}") from None


def _check_key(options: ServiceOptions) -> None:
    key = options.api_key
    if key is None or callable(key):
        return
    if not isinstance(key, str | list | tuple | set | frozenset):
        raise ConfigError(f"api_key must be a key, a list of keys or a callable, got a {type(key).__name__}")
    for each in (key,) if isinstance(key, str) else key:
        if not isinstance(each, str) or not each.strip():
            raise ConfigError("api_key is empty; give a key, or leave the argument out for a service without one")
        if each.startswith("$"):
            variable = _VARIABLE.fullmatch(each)
            if variable:
                raise ConfigError(f"api_key names the environment variable {variable[1]!r}, which is not set")
            raise ConfigError("api_key begins with '$', so it names an environment variable; that is not set")


def _check_ports(options: ServiceOptions) -> None:
    if not options.protocol:
        raise ConfigError("protocol is empty; give at least one of grpc, http, websocket")
    if len(set(options.protocol)) != len(options.protocol):
        raise ConfigError(f"protocol names one twice: {', '.join(map(str, options.protocol))}")
    if not options.host or not all(options.host):
        raise ConfigError("host is empty; give the address to listen on, e.g. 127.0.0.1")
    bad = [port for port in options.port if not 0 <= port <= 65535]
    if bad:
        raise ConfigError(f"port must be from 0 to 65535, got {bad[0]}; 0 takes any free one")
    if len(options.port) > options.max_ports:
        raise ConfigError(f"{len(options.port)} ports were given for {len(options.protocol)} protocol(s); give one port a protocol")
    if not any(map(is_network, options.host)) and any(options.port):
        raise ConfigError(f"port {options.port[0]} was given, but host {', '.join(options.host)} has no ports; leave it out")
    if options.unix_access not in ("owner", "group", "everyone"):
        raise ConfigError(f"unix_access must be owner, group or everyone, got {options.unix_access!r}")


def _check_tls(options: ServiceOptions) -> None:
    if bool(options.ssl_certfile) != bool(options.ssl_keyfile):
        given, missing = ("ssl_certfile", "ssl_keyfile") if options.ssl_certfile else ("ssl_keyfile", "ssl_certfile")
        raise ConfigError(f"{given} was given without {missing}; TLS needs both")
    if options.ssl_ca_certs and not options.ssl_certfile:
        raise ConfigError("ssl_ca_certs was given without ssl_certfile and ssl_keyfile; client certificates need TLS")
