"""What a Flow is told beside what every service is: the arguments of Jina's gateway, and which of them its executors begin with."""

# ruff: noqa: RUF009 - `argument` makes a dataclass field; ruff cannot see that

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Self

from jina.enums import FlowInspectType, ProtocolType
from jina.errors import ConfigError, NotSupportedError
from jina.limits import FrontOptions
from jina.options import values
from jina.options.address import Elsewhere, pair
from jina.options.client import ClientOptions
from jina.options.deployment import DeploymentOptions
from jina.options.service import INNER, LOOPBACK, SERVICE, ServiceOptions
from jina.options.table import argument, arguments_of, names_of, read, warn_of_inactive
from jina.warning import warn_user

_GATEWAY = "gateway"
_INACTIVE = ("inspect", "no_debug_endpoints", "no_crud_endpoints", "expose_endpoints", "expose_graphql_endpoint", "proxy", "replicas")
_OF_THE_GRAPH = ("no_reduce", "when", "floating")
_OF_EXTERNAL = ("tls", "grpc_metadata", "retries")
LOGS = frozenset(("log_config", "quiet", "quiet_error"))
_SHARED = LOGS.union(
    (
        *("env", "workspace", "extra_search_paths", "py_modules", "reload"),
        *("timeout_ready", "timeout_send", "max_wait_for_replica_s", "hang_timeout_s"),
    )
)
_OF_PORTS = frozenset(each.name for each in fields(ServiceOptions)).difference(
    _SHARED, ServiceOptions.INACTIVE, ServiceOptions.ALWAYS_SO, ("name",)
)
"""What is said of where callers come in: only the gateway has that."""


@dataclass(frozen=True, kw_only=True)
class FlowOptions(ServiceOptions):
    """How several Executors are served behind one gateway."""

    INACTIVE: ClassVar[tuple[str, ...]] = (*(name for name in ServiceOptions.INACTIVE if name != "retries"), *_INACTIVE)
    NOT_OPTIONS: ClassVar[tuple[str, ...]] = ("args", "kwargs", "asyncio", "needs", "include_gateway")

    name: str = argument("flow", values.text, "name in logs and errors", group=SERVICE)
    inspect: FlowInspectType = argument(
        FlowInspectType.COLLECT,
        values.enum_of(FlowInspectType),
        "what becomes of `inspect` nodes: hang (nobody waits), collect (all wait), or remove",
        group=SERVICE,
    )
    uses: Any = argument(
        None,
        values.anything,
        "for `jina flow` the YAML of the Flow; from Python a gateway of your own, which a later release brings",
        group=SERVICE,
    )
    uses_with: dict[str, Any] | None = argument(None, values.mapping, "arguments of its __init__", group=_GATEWAY)
    py_modules: tuple[str, ...] = argument((), values.strings, "Python files or modules to import first", group=_GATEWAY)
    no_debug_endpoints: bool = argument(False, values.flag, "accepted, without effect", group=INNER, hidden=True)
    no_crud_endpoints: bool = argument(False, values.flag, "accepted, without effect", group=INNER, hidden=True)
    expose_endpoints: Any = argument(None, values.anything, "accepted, without effect", group=INNER, hidden=True)
    expose_graphql_endpoint: bool = argument(False, values.flag, "accepted, without effect", group=INNER, hidden=True)
    proxy: bool = argument(False, values.flag, "accepted; proxies are never used between processes", group=INNER, hidden=True)
    replicas: int = argument(1, values.integer, "of the gateway, in Kubernetes", group=INNER, hidden=True, minimum=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.uses is not None:
            raise NotSupportedError(f"flow {self.name!r}: uses= is a gateway of your own, which a later release brings; leave it out")

    def front_options(self) -> FrontOptions:
        return replace(super().front_options(), is_flow=True)

    def updated(self, given: Mapping[str, Any]) -> Self:
        """These options, with what is given over them; what is unknown or without effect brings a warning.

        Raises:
            ConfigError: A value cannot be read, or does not fit the others.
        """
        found = read(type(self), split(given)[0], silent=self.NOT_OPTIONS)
        options = replace(self, **found)
        if found.keys() & set(options.inactive()):
            warn_of_inactive(options.inactive())
        return options

    @classmethod
    def from_mapping(cls, given: Mapping[str, Any], *, host: str = LOOPBACK, environ: Mapping[str, str] | None = None) -> Self:
        own, _ = split(given)
        return super().from_mapping(own, host=host, environ=environ)


def split(given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Tell what a Flow is given: its own arguments (unknown ones, too), and those that each of its executors begins with.

    Whatever only a Deployment knows is for the executors; what both know is for both, unless it says where to listen or what to serve.
    """
    own_names, node_names, client_names = names_of(FlowOptions), names_of(DeploymentOptions), names_of(ClientOptions)
    own: dict[str, Any] = {}
    nodes: dict[str, Any] = {}
    for name, value in given.items():
        known = own_names.get(name)
        if known is not None or (name not in node_names and name not in client_names):
            own[name] = value
        if name in node_names and (known is None or known[0] in _SHARED):
            nodes[name] = value
    return own, nodes


def without_address(given: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out where a Deployment would listen by itself."""
    names = names_of(DeploymentOptions)
    return {name: value for name, value in given.items() if names.get(name, ("",))[0] not in ("host", "port", "protocol", "reuse_port")}


def without_ports(given: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what a Deployment is told of its own ports; a Flow's are the gateway's."""
    names = names_of(DeploymentOptions)
    return {name: value for name, value in given.items() if names.get(name, ("",))[0] not in _OF_PORTS}


def check_ports_are_meant(flow: str, given: Mapping[str, Any]) -> None:
    """Say that an executor of a Flow has no ports of its own, if it is told of them.

    Raises:
        ConfigError: What it is told would protect them.
    """
    names, table = names_of(DeploymentOptions), arguments_of(DeploymentOptions)
    vain = sorted({names[name][0] for name in given.keys() - without_ports(given).keys() if given[name] is not None})
    text = f"flow {flow!r}: an executor of a Flow has no port of its own; give {', '.join(vain)} to Flow(...) or config_gateway(...)"
    if any(table[name].protects for name in vain):
        raise ConfigError(text)
    if vain:
        warn_user(f"{text}; ignored here")


@dataclass(frozen=True, kw_only=True)
class NodeOptions(DeploymentOptions):
    """How one Executor of a Flow runs: a Deployment's arguments, of which those for its place in the graph have a meaning here."""

    INACTIVE: ClassVar[tuple[str, ...]] = tuple(name for name in DeploymentOptions.INACTIVE if name not in _OF_THE_GRAPH)
    LATER: ClassVar[tuple[str, ...]] = tuple(name for name in DeploymentOptions.LATER if name != "external")
    NOT_OPTIONS: ClassVar[tuple[str, ...]] = (*DeploymentOptions.NOT_OPTIONS, "copy_flow", "method")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.external:
            self.elsewhere()

    def inactive(self) -> tuple[str, ...]:
        names = super().inactive()
        return tuple(name for name in names if name not in _OF_EXTERNAL) if self.external else names

    def elsewhere(self, *, retries: int = -1) -> Elsewhere:
        """Say where the executor is that somebody else runs.

        Args:
            retries: Where these options do not say.

        Raises:
            ConfigError: There is no address, or it cannot be called as it is to be.
        """
        what = f"external executor {self.name!r}"
        if self.protocol != (ProtocolType.GRPC,):
            raise ConfigError(f"{what} is called over gRPC, but protocol is {', '.join(self.protocol_names)}; leave it out")
        if self.when is not None:
            raise ConfigError(
                f"{what} cannot have `when`: its worker, which is not ours, would have to filter; put it on the nodes around it"
            )
        if not self.port and self.host == (LOOPBACK,):
            raise ConfigError(f"{what} has no address; give host and port, or several of them")
        try:
            addresses = pair(self.host, self.port)
        except ConfigError as error:
            raise ConfigError(f"{what}: {error}") from None
        return Elsewhere(
            addresses=addresses,
            tls=self.tls,
            metadata=self.grpc_metadata or {},
            retries=retries if self.retries == -1 else self.retries,
        )
