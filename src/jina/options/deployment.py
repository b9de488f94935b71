"""What a Deployment is told: every argument of Jina's under its name and default, and the limits that are ours.

The class holds values; binding ports, reading YAML and starting processes is the work of others.
"""

# ruff: noqa: RUF009 - `argument` makes a dataclass field; ruff cannot see that

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

from jina.enums import DeploymentRoleType, DockerNetworkMode, PodRoleType, ProtocolType, ProviderType
from jina.errors import ConfigError, NotSupportedError
from jina.limits import FrontOptions, Limits, Patience
from jina.options import values
from jina.options.address import is_network
from jina.options.table import argument, changed, check_minimum, inactive, names_of, nearest, read, warn_of_inactive

LOOPBACK, EVERYWHERE = "127.0.0.1", "0.0.0.0"

# accepted with a warning: nothing reads them in this release
_INACTIVE = (
    *("reload", "install_requirements", "output_array_type", "provider_endpoint"),
    *("polling", "no_reduce", "uses_before", "uses_after", "when", "floating", "grpc_metadata", "tls", "peer_ports", "raft_configuration"),
    *("grpc_server_options", "grpc_channel_options", "compression", "retries"),
    *("monitoring", "port_monitoring", "tracing", "traces_exporter_host", "traces_exporter_port"),
    *("metrics", "metrics_exporter_host", "metrics_exporter_port"),
    *("entrypoint", "docker_kwargs", "volumes", "gpus", "disable_auto_volume", "force_update", "prefer_platform", "force_network_mode"),
    *("env_from_secret", "image_pull_secrets", "k8s_namespace", "workspace_id", "runtime_cls", "shard_id", "replica_id", "pod_role"),
    *("deployment_role", "noblock_on_start", "uses_before_address", "uses_after_address", "connection_list"),
)

# constructor arguments of a Deployment that are not options
_NOT_OPTIONS = ("needs", "include_gateway", "args", "kwargs")

_SERVICE, _EXECUTOR, _COPIES, _HTTP = "service", "executor", "copies and shards", "HTTP and TLS"
_TIME, _LIMITS, _OBSERVE, _BOX, _INNER = "times", "limits", "logs, metrics, traces", "containers", "inner"


def _compression(value: Any) -> str | None:
    text = values.text(value)
    return None if text is None or text.lower() in ("none", "nocompression") else text


def _limit(default: Any, parse: Any, help: str, *, group: str = _LIMITS, minimum: int = 1, none_is_value: bool = False) -> Any:
    return argument(default, parse, help, group=group, minimum=minimum, none_is_value=none_is_value, protects=True)


@dataclass(frozen=True, kw_only=True)
class DeploymentOptions:
    """How one Executor is served.

    `timeout_ready` and `timeout_send` are milliseconds with -1 for no limit, `timeout_ctrl` is seconds: Jina's units. The properties
    `timeout_ready_s` and `timeout_send_s` give seconds. An empty `port`, and a port 0, mean: any free one.
    """

    INACTIVE: ClassVar[tuple[str, ...]] = _INACTIVE
    LATER: ClassVar[tuple[str, ...]] = ("provider", "replicas", "shards", "external", "stateful")
    """Refused with any other value than the default, until a later release."""
    ALWAYS_SO: ClassVar[tuple[str, ...]] = ("native", "suppress_root_logging")
    """Asking for them changes nothing, since it is never otherwise."""

    # --- the service
    name: str = argument("executor", values.text, "name in logs, metrics and parameters", group=_SERVICE)
    host: tuple[str, ...] = argument(
        (LOOPBACK,),
        values.hosts,
        "where to listen, one or several: an address (0.0.0.0 opens the service to other machines), unix:PATH, or systemd",
        group=_SERVICE,
        aliases=("host_in",),
    )
    port: tuple[int, ...] = argument(
        (),
        values.ports,
        "port to listen on: one for all protocols, or one for each; 0 takes a free one, nothing a free one for each",
        group=_SERVICE,
        aliases=("ports", "port_expose", "port_in"),
        minimum=None,
    )
    protocol: tuple[ProtocolType, ...] = argument(
        (ProtocolType.GRPC,), values.protocols, "what to speak: some of grpc, http, websocket", group=_SERVICE, aliases=("protocols",)
    )
    reuse_port: bool = argument(False, values.flag, "let other services listen on the same port (SO_REUSEPORT)", group=_SERVICE)
    unix_access: str = argument(
        "owner",
        values.text,
        "who may connect to a Unix socket that is listened on: owner, group or everyone",
        group=_SERVICE,
        protects=True,
    )
    api_key: Any = argument(
        None,
        values.anything,
        "key that callers must send (Authorization: Bearer KEY, or X-API-Key); from Python also a callable that checks the headers. "
        "On the command line others on the machine can read it: better write `api_key: ${{ ENV.NAME }}` in YAML",
        group=_SERVICE,
        secret=True,
        protects=True,
    )
    env: dict[str, Any] | None = argument(None, values.mapping, "environment variables of the worker process", group=_SERVICE)
    reload: bool = argument(False, values.flag, "restart when the Executor's files change", group=_SERVICE)
    provider: ProviderType = argument(
        ProviderType.NONE, values.enum_of(ProviderType), "container rules of a cloud: none, sagemaker or azure", group=_SERVICE
    )
    provider_endpoint: str | None = argument(None, values.text, "endpoint that becomes /invocations", group=_SERVICE)

    # --- the executor
    uses: Any = argument(
        "BaseExecutor",
        values.anything,
        "what to serve: a YAML file, inline YAML, a class name, module.Class; from Python also the class itself",
        group=_EXECUTOR,
    )
    uses_with: dict[str, Any] | None = argument(
        None, values.mapping, "arguments of the Executor's __init__", group=_EXECUTOR, deprecated=("override_with",)
    )
    uses_metas: dict[str, Any] | None = argument(
        None, values.mapping, "overrides the YAML's `metas`", group=_EXECUTOR, deprecated=("override_metas",)
    )
    uses_requests: dict[str, Any] | None = argument(
        None,
        values.mapping,
        "endpoints and the methods that serve them, over what @requests says",
        group=_EXECUTOR,
        deprecated=("override_requests",),
    )
    uses_dynamic_batching: dict[str, Any] | None = argument(
        None, values.mapping, "endpoints (or methods) and their batching, over what @dynamic_batching says", group=_EXECUTOR
    )
    py_modules: tuple[str, ...] = argument((), values.strings, "Python files or modules to import first", group=_EXECUTOR)
    workspace: str | None = argument(None, values.text, "directory for what the Executor keeps", group=_EXECUTOR)
    allow_concurrent: bool = argument(False, values.flag, "let `def` methods of one Executor run at the same time", group=_EXECUTOR)
    exit_on_exceptions: tuple[str, ...] = argument(
        (), values.strings, "names of exceptions after which the worker is started anew", group=_EXECUTOR
    )
    output_array_type: str | None = argument(None, values.text, "array type that tensors of results become", group=_EXECUTOR)
    install_requirements: bool = argument(
        False, values.flag, "install the requirements.txt beside the Executor before it starts", group=_EXECUTOR
    )
    extra_search_paths: tuple[str, ...] = argument(
        (), values.strings, "more directories to look for YAML and modules in", group=_EXECUTOR, hidden=True
    )

    # --- copies and shards
    replicas: int = argument(1, values.integer, "number of equal copies", group=_COPIES, deprecated=("parallel",), minimum=1)
    shards: int = argument(1, values.integer, "number of parts the data is split into", group=_COPIES, minimum=1)
    polling: str | dict[str, str] = argument(
        "ANY", values.polling, "which shards get a call: ANY, ALL, or a JSON object by endpoint", group=_COPIES
    )
    no_reduce: bool = argument(
        False, values.flag, "hand the results of shards on without merging them", group=_COPIES, aliases=("disable_reduce",)
    )
    uses_before: Any = argument(None, values.anything, "Executor before the shards", group=_COPIES)
    uses_after: Any = argument(None, values.anything, "Executor after the shards", group=_COPIES)
    when: dict[str, Any] | None = argument(None, values.mapping, "which documents come here, in a Flow", group=_COPIES)
    external: bool = argument(False, values.flag, "the service runs elsewhere; only call it", group=_COPIES)
    floating: bool = argument(False, values.flag, "nobody waits for the result, in a Flow", group=_COPIES)
    grpc_metadata: dict[str, Any] | None = argument(None, values.mapping, "gRPC metadata of calls to it", group=_COPIES)
    tls: bool = argument(False, values.flag, "call an external service over TLS", group=_COPIES, deprecated=("https",))
    stateful: bool = argument(False, values.flag, "keep replicas equal by consensus (RAFT)", group=_COPIES)
    peer_ports: Any = argument(None, values.protocol_map_or_ports, "ports of the consensus", group=_COPIES)
    raft_configuration: dict[str, Any] | None = argument(None, values.mapping, "options of the consensus", group=_COPIES)

    # --- HTTP and TLS
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

    # --- times
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

    # --- limits
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

    # --- logs, metrics, traces
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

    # --- containers
    native: bool = argument(False, values.flag, "run in this process, never in a container (what images use)", group=_BOX)
    entrypoint: str | None = argument(None, values.text, "instead of the image's entry point", group=_BOX)
    docker_kwargs: dict[str, Any] | None = argument(None, values.mapping, "more options of `docker run`", group=_BOX)
    volumes: tuple[str, ...] = argument((), values.strings, "host[:container] directories to mount", group=_BOX)
    gpus: str | None = argument(None, values.text, "GPUs of the container: all, a number, device=ID", group=_BOX)
    disable_auto_volume: bool = argument(False, values.flag, "do not mount the cache directory", group=_BOX)
    force_update: bool = argument(False, values.flag, "fetch the package again", group=_BOX, aliases=("force",))
    prefer_platform: str | None = argument(None, values.text, "platform of the image", group=_BOX)
    force_network_mode: DockerNetworkMode = argument(
        DockerNetworkMode.AUTO, values.enum_of(DockerNetworkMode), "network of the container", group=_BOX, hidden=True
    )
    env_from_secret: dict[str, Any] | None = argument(None, values.mapping, "environment from Kubernetes secrets", group=_BOX, hidden=True)
    image_pull_secrets: tuple[str, ...] = argument((), values.strings, "Kubernetes secrets of the registry", group=_BOX, hidden=True)
    k8s_namespace: str | None = argument(None, values.text, "Kubernetes namespace", group=_BOX, hidden=True)

    # --- inner: what exported YAML passes, and what is only kept for old callers
    workspace_id: str | None = argument(None, values.text, "accepted, without effect", group=_INNER, hidden=True)
    runtime_cls: str = argument("WorkerRuntime", values.text, "what kind of process to run", group=_INNER, hidden=True)
    shard_id: int = argument(0, values.integer, "which shard this is", group=_INNER, hidden=True, minimum=0, allows_minus_one=True)
    replica_id: int = argument(0, values.integer, "which copy this is", group=_INNER, hidden=True, minimum=0)
    pod_role: PodRoleType = argument(
        PodRoleType.WORKER, values.enum_of(PodRoleType), "what the process is to the Deployment", group=_INNER, hidden=True
    )
    deployment_role: DeploymentRoleType = argument(
        DeploymentRoleType.DEPLOYMENT, values.enum_of(DeploymentRoleType), "what it is in a Flow", group=_INNER, hidden=True
    )
    noblock_on_start: bool = argument(False, values.flag, "return before it is ready", group=_INNER, hidden=True)
    uses_before_address: str | None = argument(None, values.text, "address of uses_before", group=_INNER, hidden=True)
    uses_after_address: str | None = argument(None, values.text, "address of uses_after", group=_INNER, hidden=True)
    connection_list: Any = argument(None, values.anything, "addresses of the shards", group=_INNER, hidden=True)

    def __post_init__(self) -> None:
        check_minimum(self)
        _check_key(self)
        _check_ports(self)
        Limits(**{each.name: getattr(self, each.name) for each in fields(Limits)})
        _check_tls(self)
        _check_later_features(self)

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
        if given.get("uses") is None:
            _check_uses_is_meant(given)
        found = read(cls, given, silent=_NOT_OPTIONS)
        found.setdefault("host", (environ.get("JINA_DEFAULT_HOST") or host,))
        if "timeout_ctrl" not in found and environ.get("JINA_DEFAULT_TIMEOUT_CTRL"):
            found["timeout_ctrl"] = _timeout_ctrl_of(environ["JINA_DEFAULT_TIMEOUT_CTRL"])
        options = cls(**found)
        warn_of_inactive(options)
        return options

    def to_dict(self) -> dict[str, Any]:
        """What differs from the defaults, by name, as YAML and JSON can hold it (classes and callables stay as they are)."""
        return changed(self)

    def front_options(self) -> FrontOptions:
        """What its ports are told: every argument that is a field of theirs, files by their whole paths."""
        found = {each.name: getattr(self, each.name) for each in fields(FrontOptions) if hasattr(self, each.name)}
        files = {name: os.path.abspath(found[name]) for name in ("ssl_certfile", "ssl_keyfile", "ssl_ca_certs") if found[name]}
        return FrontOptions(**{**found, **files})

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
_IMAGES = ("docker://", "jinaai+docker://", "jinahub+docker://")
_HUB = ("jinaai://", "jinahub://", "jinaai+serverless://")


def _check_uses_is_meant(given: Mapping[str, Any]) -> None:
    """Without `uses` a service gives back what it gets, which nobody wants who misspelt it."""
    names = names_of(DeploymentOptions)
    for name in given:
        if name not in names and nearest(name, names) == "uses":
            raise ConfigError(f"unknown argument {name!r}: did you mean 'uses'? without that there is nothing to serve")


def _timeout_ctrl_of(text: str) -> int:
    try:
        return values.integer(text)
    except ValueError as error:
        raise ConfigError(f"environment variable JINA_DEFAULT_TIMEOUT_CTRL: {error}") from None


def _check_key(options: DeploymentOptions) -> None:
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


def _check_ports(options: DeploymentOptions) -> None:
    if not options.protocol:
        raise ConfigError("protocol is empty; give at least one of grpc, http, websocket")
    if len(set(options.protocol)) != len(options.protocol):
        raise ConfigError(f"protocol names one twice: {', '.join(map(str, options.protocol))}")
    if not options.host or not all(options.host):
        raise ConfigError("host is empty; give the address to listen on, e.g. 127.0.0.1")
    bad = [port for port in options.port if not 0 <= port <= 65535]
    if bad:
        raise ConfigError(f"port must be from 0 to 65535, got {bad[0]}; 0 takes any free one")
    if len(options.port) > len(options.protocol) and not options.external:
        raise ConfigError(f"{len(options.port)} ports were given for {len(options.protocol)} protocol(s); give one port a protocol")
    if not any(map(is_network, options.host)) and any(options.port):
        raise ConfigError(f"port {options.port[0]} was given, but host {', '.join(options.host)} has no ports; leave it out")
    if options.unix_access not in ("owner", "group", "everyone"):
        raise ConfigError(f"unix_access must be owner, group or everyone, got {options.unix_access!r}")


def _check_tls(options: DeploymentOptions) -> None:
    if bool(options.ssl_certfile) != bool(options.ssl_keyfile):
        given, missing = ("ssl_certfile", "ssl_keyfile") if options.ssl_certfile else ("ssl_keyfile", "ssl_certfile")
        raise ConfigError(f"{given} was given without {missing}; TLS needs both")
    if options.ssl_ca_certs and not options.ssl_certfile:
        raise ConfigError("ssl_ca_certs was given without ssl_certfile and ssl_keyfile; client certificates need TLS")


def _check_later_features(options: DeploymentOptions) -> None:
    for is_asked, text in _later_features(options):
        if is_asked:
            raise NotSupportedError(f"deployment {options.name!r}: {text}")


def _later_features(options: DeploymentOptions) -> tuple[tuple[bool, str], ...]:
    uses = options.uses if isinstance(options.uses, str) else ""
    return (
        (uses.startswith(_IMAGES), f"uses={uses!r} is a container image, which a later release brings; give a class or a YAML file"),
        (uses.startswith(_HUB), f"uses={uses!r}: Executor Hub is no longer available; give a class or a YAML file"),
        (options.stateful, "stateful=True (RAFT) is not supported yet; leave it out to serve without consensus"),
        (options.shards > 1, f"shards={options.shards} is not supported yet, a later release brings it; use shards=1"),
        (options.replicas > 1, f"replicas={options.replicas} is not supported yet, a later release brings it; use replicas=1"),
        (options.external, "external=True belongs to a Flow, which a later release brings; call the service with a Client"),
        (options.provider != ProviderType.NONE, f"provider={options.provider} is not supported yet, a later release brings it"),
        (options.pod_role == PodRoleType.HEAD, "a head of shards is not supported yet, a later release brings it"),
    )
