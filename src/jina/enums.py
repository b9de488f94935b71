"""Old import path; the enums live in `jina.options`. Those that only a Flow needs stand here until it comes."""

from jina.observe.logging import LogVerbosity
from jina.options.values import (
    DeploymentRoleType,
    DockerNetworkMode,
    NamedEnum,
    PodRoleType,
    PollingType,
    ProtocolType,
    ProviderType,
)


class FlowInspectType(NamedEnum):
    """What a Flow does with its inspecting Deployments."""

    HANG = 0
    REMOVE = 1
    COLLECT = 2


class FlowBuildLevel(NamedEnum):
    """How far a Flow is built."""

    EMPTY = 0
    GRAPH = 1
    RUNNING = 2


__all__ = [
    "DeploymentRoleType",
    "DockerNetworkMode",
    "FlowBuildLevel",
    "FlowInspectType",
    "LogVerbosity",
    "PodRoleType",
    "PollingType",
    "ProtocolType",
    "ProviderType",
]
