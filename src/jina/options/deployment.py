"""What a Deployment is told beside what every service is: its Executor, its copies, its container, under Jina's names and defaults."""

# ruff: noqa: RUF009 - `argument` makes a dataclass field; ruff cannot see that

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from jina.enums import DeploymentRoleType, DockerNetworkMode, PodRoleType, ProviderType
from jina.errors import ConfigError, NotSupportedError
from jina.options import values
from jina.options.service import EXECUTOR, INNER, LOOPBACK, SERVICE, ServiceOptions
from jina.options.table import argument, names_of, nearest

_INACTIVE = (
    *("install_requirements", "output_array_type", "provider_endpoint"),
    *("polling", "no_reduce", "uses_before", "uses_after", "when", "floating", "grpc_metadata", "tls", "peer_ports", "raft_configuration"),
    *("entrypoint", "docker_kwargs", "volumes", "gpus", "disable_auto_volume", "force_update", "prefer_platform", "force_network_mode"),
    *("env_from_secret", "image_pull_secrets", "runtime_cls", "shard_id", "replica_id", "pod_role"),
    *("deployment_role", "noblock_on_start", "uses_before_address", "uses_after_address", "connection_list"),
)
_COPIES, _BOX = "copies and shards", "containers"


@dataclass(frozen=True, kw_only=True)
class DeploymentOptions(ServiceOptions):
    """How one Executor is served."""

    INACTIVE: ClassVar[tuple[str, ...]] = (*ServiceOptions.INACTIVE, *_INACTIVE)
    LATER: ClassVar[tuple[str, ...]] = ("provider", "replicas", "shards", "external", "stateful")
    ALWAYS_SO: ClassVar[tuple[str, ...]] = (*ServiceOptions.ALWAYS_SO, "native")
    NOT_OPTIONS: ClassVar[tuple[str, ...]] = ("needs", "include_gateway", "args", "kwargs")

    name: str = argument("executor", values.text, "name in logs, metrics and parameters", group=SERVICE)
    provider: ProviderType = argument(
        ProviderType.NONE, values.enum_of(ProviderType), "container rules of a cloud: none, sagemaker or azure", group=SERVICE
    )
    provider_endpoint: str | None = argument(None, values.text, "endpoint that becomes /invocations", group=SERVICE)
    uses: Any = argument(
        "BaseExecutor",
        values.anything,
        "what to serve: a YAML file, inline YAML, a class name, module.Class; from Python also the class itself",
        group=EXECUTOR,
    )
    uses_with: dict[str, Any] | None = argument(
        None, values.mapping, "arguments of the Executor's __init__", group=EXECUTOR, deprecated=("override_with",)
    )
    uses_metas: dict[str, Any] | None = argument(
        None, values.mapping, "overrides the YAML's `metas`", group=EXECUTOR, deprecated=("override_metas",)
    )
    uses_requests: dict[str, Any] | None = argument(
        None,
        values.mapping,
        "endpoints and the methods that serve them, over what @requests says",
        group=EXECUTOR,
        deprecated=("override_requests",),
    )
    uses_dynamic_batching: dict[str, Any] | None = argument(
        None, values.mapping, "endpoints (or methods) and their batching, over what @dynamic_batching says", group=EXECUTOR
    )
    py_modules: tuple[str, ...] = argument((), values.strings, "Python files or modules to import first", group=EXECUTOR)
    allow_concurrent: bool = argument(False, values.flag, "let `def` methods of one Executor run at the same time", group=EXECUTOR)
    exit_on_exceptions: tuple[str, ...] = argument(
        (), values.strings, "names of exceptions after which the worker is started anew", group=EXECUTOR
    )
    output_array_type: str | None = argument(None, values.text, "array type that tensors of results become", group=EXECUTOR)
    install_requirements: bool = argument(
        False, values.flag, "install the requirements.txt beside the Executor before it starts", group=EXECUTOR
    )
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
    runtime_cls: str = argument("WorkerRuntime", values.text, "what kind of process to run", group=INNER, hidden=True)
    shard_id: int = argument(0, values.integer, "which shard this is", group=INNER, hidden=True, minimum=0, allows_minus_one=True)
    replica_id: int = argument(0, values.integer, "which copy this is", group=INNER, hidden=True, minimum=0)
    pod_role: PodRoleType = argument(
        PodRoleType.WORKER, values.enum_of(PodRoleType), "what the process is to the Deployment", group=INNER, hidden=True
    )
    deployment_role: DeploymentRoleType = argument(
        DeploymentRoleType.DEPLOYMENT, values.enum_of(DeploymentRoleType), "what it is in a Flow", group=INNER, hidden=True
    )
    noblock_on_start: bool = argument(False, values.flag, "return before it is ready", group=INNER, hidden=True)
    uses_before_address: str | None = argument(None, values.text, "address of uses_before", group=INNER, hidden=True)
    uses_after_address: str | None = argument(None, values.text, "address of uses_after", group=INNER, hidden=True)
    connection_list: Any = argument(None, values.anything, "addresses of the shards", group=INNER, hidden=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_later_features(self)

    @property
    def max_ports(self) -> int:
        return len(self.port) if self.external else super().max_ports

    @classmethod
    def from_mapping(cls, given: Mapping[str, Any], *, host: str = LOOPBACK, environ: Mapping[str, str] | None = None) -> Self:
        if given.get("uses") is None:
            _check_uses_is_meant(given)
        return super().from_mapping(given, host=host, environ=environ)


_IMAGES = ("docker://", "jinaai+docker://", "jinahub+docker://")
_HUB = ("jinaai://", "jinahub://", "jinaai+serverless://")


def _check_uses_is_meant(given: Mapping[str, Any]) -> None:
    """Without `uses` a service gives back what it gets, which nobody wants who misspelt it."""
    names = names_of(DeploymentOptions)
    for name in given:
        if name not in names and nearest(name, names) == "uses":
            raise ConfigError(f"unknown argument {name!r}: did you mean 'uses'? without that there is nothing to serve")


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
        (options.external and "external" in options.LATER, "external=True is for an executor of a Flow; call the service with a Client"),
        (options.provider != ProviderType.NONE, f"provider={options.provider} is not supported yet, a later release brings it"),
        (options.pod_role == PodRoleType.HEAD, "a head of shards is not supported yet, a later release brings it"),
    )
