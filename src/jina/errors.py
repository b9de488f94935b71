"""Every error that openjina raises, in one tree, split by who can mend it.

    JinaError
    ├── CallerError                the input is at fault; the caller mends it
    │   ├── MalformedError             not JSON, not protobuf, not a request at all
    │   ├── InvalidInputError          well-formed, but not what the schema asks for; has `details`
    │   ├── UnknownEndpointError       no endpoint of that name; names the nearest
    │   ├── MethodNotAllowedError      the path exists, for another HTTP method
    │   ├── UnauthenticatedError       no key, or a wrong one
    │   ├── TooLargeError              a limit in bytes or counts was passed
    │   └── CallCancelledError         the caller left
    ├── ServerError                our side, or the model's
    │   ├── ExecutorFailedError        the user's method raised; has `status`
    │   ├── UnavailableError           no replica can take the call now
    │   ├── OverloadedError            a queue is full; has `retry_after_s`
    │   ├── DeadlineError              the call's time was up
    │   ├── UnencodableError           a value that the wire cannot carry; names field and value
    │   └── InternalError              a bug of ours
    ├── TransportError             a client could not reach the service, or lost it
    └── ConfigError                wrong before anything starts
        └── StartError                 a process did not become ready; carries the child's traceback

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
    is_retryable: ClassVar[bool] = False


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
        self.details = list(details)


class UnknownEndpointError(CallerError):
    """No executor on the way has an endpoint of that name."""

    code = Code.UNKNOWN_ENDPOINT


class MethodNotAllowedError(CallerError):
    """The path exists, but not for this HTTP method; `allowed` names those it has."""

    code = Code.METHOD_NOT_ALLOWED

    def __init__(self, message: str, allowed: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.allowed = tuple(allowed)


class UnauthenticatedError(CallerError):
    """The call brought no key, or a wrong one."""

    code = Code.UNAUTHENTICATED


class TooLargeError(CallerError):
    """A limit in bytes or counts was passed; the text names the option that moves it."""

    code = Code.TOO_LARGE


class CallCancelledError(CallerError):
    """The caller left before the reply was complete."""

    code = Code.CANCELLED


class ServerError(JinaError):
    """Our side or the model failed; the input may be fine."""


class ExecutorFailedError(ServerError):
    """The user's method raised; `name`, `error_args`, `stacks` and `executor` describe its exception."""

    code = Code.EXECUTOR_FAILED


class UnavailableError(ServerError):
    """No replica can take the call now."""

    code = Code.UNAVAILABLE
    is_retryable = True


class OverloadedError(ServerError):
    """A bounded queue is full; `retry_after_s` says when to try again."""

    code = Code.OVERLOADED
    is_retryable = True

    def __init__(self, message: str, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class DeadlineError(ServerError):
    """The call's time was up before its reply was complete."""

    code = Code.DEADLINE


class UnencodableError(ServerError):
    """A value that the encoding wanted cannot carry; the text names field and value."""

    code = Code.UNENCODABLE


class InternalError(ServerError):
    """A bug of ours."""


class TransportError(JinaError):
    """A client could not reach the service, or lost it on the way."""

    code = Code.TRANSPORT
    is_retryable = True


class ConfigError(JinaError, ValueError):
    """Something is wrong before anything starts."""

    code = Code.CONFIG


# --- the classes of Jina 3, which existing `except` clauses name ---------------------------------------------------------------------


class BaseJinaException(BaseException):
    """Base of Jina 3's exception classes."""


class RuntimeFailToStart(SystemError, BaseJinaException):
    """A process died, or ran out of time, before it was ready."""


class RuntimeRunForeverEarlyError(Exception, BaseJinaException):
    """A process died right after it was ready."""


class RuntimeTerminated(KeyboardInterrupt, BaseJinaException):
    """An internal stop."""


class FlowTopologyError(Exception, BaseJinaException):
    """The graph of a Flow is wrong."""


class FlowMissingDeploymentError(Exception, BaseJinaException):
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
        self.name, self.stacks, self.executor = name, list(stacks), executor


class StartError(ConfigError, RuntimeFailToStart):
    """A process did not become ready; the text holds the child's own traceback."""
