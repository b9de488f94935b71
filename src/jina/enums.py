"""The enums of Jina's public interface: written by their names in any case, shown in upper case. Imports nothing of ours."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Self


class BetterEnum(IntEnum):
    """An enum that is written by its name in any case: `ProtocolType.from_string("grpc")`, `str(...)` gives `GRPC`."""

    def __str__(self) -> str:
        return self.name

    def __format__(self, spec: str) -> str:
        return format(self.name, spec)

    @classmethod
    def from_string(cls, name: str) -> Self:
        """The member of that name, whatever its case."""
        try:
            return cls[name.strip().upper().replace("-", "_")]
        except KeyError:
            raise ValueError(f"expected one of {', '.join(cls.__members__)}, got {name!r}") from None


class ProtocolType(BetterEnum):
    """What a service speaks."""

    GRPC = 0
    HTTP = 1
    WEBSOCKET = 2


class PollingType(BetterEnum):
    """Which shards get a call."""

    ANY = 1
    ALL = 2
    ALL_ASYNC = 3


class ProviderType(BetterEnum):
    """The cloud whose container rules are followed."""

    NONE = 0
    SAGEMAKER = 1
    AZURE = 2


class PodRoleType(BetterEnum):
    """What a process of a Deployment is."""

    HEAD = 0
    WORKER = 1
    GATEWAY = 2


class DeploymentRoleType(BetterEnum):
    """What a Deployment is within a Flow."""

    DEPLOYMENT = 0
    JOIN = 1
    INSPECT = 2
    GATEWAY = 3
    INSPECT_AUX_PASS = 4
    JOIN_INSPECT = 5


class DockerNetworkMode(BetterEnum):
    """How a container reaches the network."""

    AUTO = 0
    HOST = 1
    BRIDGE = 2
    NONE = 3


class FlowInspectType(BetterEnum):
    """What a Flow does with its inspecting Deployments."""

    HANG = 0
    REMOVE = 1
    COLLECT = 2


class FlowBuildLevel(BetterEnum):
    """How far a Flow is built."""

    EMPTY = 0
    GRAPH = 1
    RUNNING = 2


class DataInputType(BetterEnum):
    """What a Client's inputs are taken for."""

    AUTO = 0
    DOCUMENT = 1
    CONTENT = 2
    DICT = 3


class WebsocketSubProtocols(StrEnum):
    """What a WebSocket carries."""

    JSON = "json"
    BYTES = "bytes"


class LogVerbosity(BetterEnum):
    """Levels of logging; `SUCCESS` lies between INFO and WARNING."""

    DEBUG = 10
    INFO = 20
    SUCCESS = 25
    WARNING = 30
    ERROR = 40
    CRITICAL = 50
