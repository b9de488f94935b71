"""Every error class of openjina, in one tree, split by who can mend it.

    JinaError
    ├── CallerError                the input is at fault; the caller mends it
    │   ├── MalformedError             not JSON, not protobuf, not a request at all
    │   └── InvalidInputError          well-formed, but not what the schema asks for; has `details`
    ├── ServerError                our side, or the model's
    │   ├── OverloadedError            a queue is full; has `retry_after_s`
    │   └── UnencodableError           a value that the wire cannot carry
    ├── TransportError             a client could not reach the service, or lost it
    └── ConfigError                wrong before anything starts
        └── StartError                 a process did not become ready; carries the child's traceback

Between processes a failure travels as a `Status` with a `Code`; only what is raised has a class.
The classes of Jina 3 (`BadServer`, `RuntimeFailToStart`, ...) stand at the end: they are what existing `except` clauses name, so
the public layer raises these. `jina.excepts` re-exports them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, ClassVar


class Code(StrEnum):
    """What went wrong, independent of any protocol; `wire/status.py` maps it to gRPC and HTTP."""

    MALFORMED = "malformed"
    INVALID_INPUT = "invalid_input"
    UNKNOWN_ENDPOINT = "unknown_endpoint"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    UNAUTHENTICATED = "unauthenticated"
    TOO_LARGE = "too_large"
    CANCELLED = "cancelled"
    EXECUTOR_FAILED = "executor_failed"
    UNAVAILABLE = "unavailable"
    OVERLOADED = "overloaded"
    DEADLINE = "deadline"
    UNENCODABLE = "unencodable"
    INTERNAL = "internal"
    TRANSPORT = "transport"
    CONFIG = "config"


class JinaError(Exception):
    """Base of all errors of openjina; the text is for people, the attributes are for programs."""

    code: ClassVar[Code] = Code.INTERNAL


class CallerError(JinaError):
    """The input is at fault; sending it again unchanged fails again."""


class MalformedError(CallerError):
    """The bytes are not what their content type says."""

    code = Code.MALFORMED


class InvalidInputError(CallerError):
    """The input does not fit the schema.

    Attributes:
        details: One mapping a finding, with `loc` (path from the outermost value, field names and indices), `msg` and `type`.
    """

    code = Code.INVALID_INPUT

    def __init__(self, message: str, details: Sequence[Mapping[str, Any]] = ()) -> None:
        super().__init__(message)
        self.details: list[Mapping[str, Any]] = list(details)


class ServerError(JinaError):
    """Our side or the model failed; the input may be fine."""


class OverloadedError(ServerError):
    """A bounded queue is full; `retry_after_s` says when to try again."""

    code = Code.OVERLOADED

    def __init__(self, message: str, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s: float = retry_after_s


class UnencodableError(ServerError):
    """A value that the encoding wanted cannot carry; the text names field and value."""

    code = Code.UNENCODABLE


class TransportError(JinaError):
    """A client could not reach the service, or lost it on the way."""

    code = Code.TRANSPORT


class ConfigError(JinaError, ValueError):
    """Something is wrong before anything starts."""

    code = Code.CONFIG


# the classes of Jina 3, which existing `except` clauses name


class BaseJinaException(BaseException):
    """Base of Jina 3's exception classes."""


class RuntimeFailToStart(SystemError, BaseJinaException):
    """A process died, or ran out of time, before it was ready."""


class RuntimeRunForeverEarlyError(Exception, BaseJinaException):
    """A process died right after it was ready."""


class RuntimeTerminated(KeyboardInterrupt, BaseJinaException):
    """An internal stop."""


class FlowTopologyError(ConfigError, BaseJinaException):
    """The graph of a Flow is wrong."""


class FlowMissingDeploymentError(ConfigError, BaseJinaException):
    """A Flow names a deployment that it does not have."""


class FlowBuildLevelError(Exception, BaseJinaException):
    """A Flow was asked for something that it cannot do in its present state."""


class BadConfigSource(FileNotFoundError, BaseJinaException):
    """A YAML file or `uses` value cannot be resolved."""


class BadYAMLVersion(Exception, BaseJinaException):
    """A YAML file names a version that we do not read."""


class BadServer(Exception, BaseJinaException):
    """An executor failed and no `on_error` was given; `args[0]` is the reply's header."""


class BadServerFlow(Exception, BaseJinaException):
    """The service failed outside an executor."""


class BadClient(Exception, BaseJinaException):
    """The client was used wrongly."""


class BadClientCallback(BadClient):
    """A callback given to `post` raised."""


class BadClientInput(BadClient):
    """The inputs given to `post` cannot be sent."""


class BadRequestType(TypeError, BaseJinaException):
    """A request cannot be built from the value given."""


class BadImageNameError(Exception, BaseJinaException):
    """An image name is not valid."""


class DockerVersionError(SystemError, BaseJinaException):
    """The container engine is too old."""


class NoContainerizedError(Exception, BaseJinaException):
    """An export needs every executor to be an image."""


class NotSupportedError(Exception, BaseJinaException):
    """A feature of Jina 3 that is gone; the text names what to use instead."""


class PortAlreadyUsed(RuntimeError, BaseJinaException):
    """A port that should be listened on is taken."""


class EstablishGrpcConnectionError(Exception, BaseJinaException):
    """No connection to any address of a deployment."""


class InternalNetworkError(Exception, BaseJinaException):
    """A call to another service failed; has `code()`, `details()`, `request_id` and `dest_addr`."""


class ExecutorError(RuntimeError, BaseJinaException):
    """What a streamer gives for a failed call: `name`, `args`, `stacks` and `executor` of the user's exception."""

    def __init__(self, name: str, args: Sequence[str], stacks: Sequence[str], executor: str) -> None:
        super().__init__(*args)
        self.name: str = name
        self.stacks: list[str] = list(stacks)
        self.executor: str = executor


class StartError(ConfigError, RuntimeFailToStart):
    """A process did not become ready; the text holds the child's own traceback."""
