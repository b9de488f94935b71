"""What a call raises: Jina's classes, with `code()` and `details()` as grpcio's errors have.

RpcError (also grpc.RpcError, where `grpc` is imported)
├── UnreachableError     also ConnectionError; UNAVAILABLE, NOT_FOUND, and HTTP 503 with a description
│   ├── RefusedError         also ValueError; HTTP 503 without one
│   └── LateError            also TimeoutError; the time was up: DEADLINE_EXCEEDED, HTTP 504 with a description, or nobody answered
│       └── LateRefusedError     also RefusedError; HTTP 504 without one
├── InternalRpcError     also grpc.aio.AioRpcError; INTERNAL
├── RefusedInputError    also BadClientInput
├── ServiceError         also BadServerFlow; all other gRPC statuses
├── HttpError            also ValueError; other HTTP statuses that are no success
│   └── FailedHttpError      also BadServer; HTTP 500 with a detail: an executor failed
├── NoEndpointError      also BadClient; HTTP 404
└── FailedReply          also BadServer; an executor failed, `args[0]` is the reply's header
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from jina.client.post import Post
from jina.codec.messages import StatusParts
from jina.errors import BadClient, BadClientInput, BadServer, BadServerFlow
from jina.transport.grpc_calls import CallEnd
from jina.wire.status import GrpcStatus

Pairs = tuple[tuple[str, str | bytes], ...]


class RpcError(Exception):
    """A call failed.

    Attributes:
        status: gRPC's status number; of HTTP's the nearest.
        http_status: HTTP's status number, None over gRPC.
    """

    status: int = GrpcStatus.UNKNOWN
    http_status: int | None = None
    _details: str = ""
    _metadata: Pairs = ()

    def code(self) -> Any:
        """The status: `grpc.StatusCode` where `grpc` is imported, else a GrpcStatus; both have `name`."""
        status = GrpcStatus(self.status)
        grpc = sys.modules.get("grpc")
        return getattr(grpc.StatusCode, status.name) if grpc is not None else status

    def details(self) -> str:
        """What the server said."""
        return self._details

    def trailing_metadata(self) -> Pairs:
        """What came after the reply; with several attempts `jina-client-attempts` is their number."""
        return self._metadata

    def initial_metadata(self) -> Pairs:
        """Nothing; there for code that expects grpcio's errors."""
        return ()

    def debug_error_string(self) -> str:
        """The text of the error."""
        return str(self)

    def __str__(self) -> str:
        return Exception.__str__(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __reduce__(self) -> Any:
        return _rebuild, (_plain(type(self)), self.args, self.__dict__)


class UnreachableError(RpcError, ConnectionError):
    """The service cannot be reached, is overloaded, or does not answer."""

    status = GrpcStatus.UNAVAILABLE


class RefusedError(UnreachableError, ValueError):
    """The service is there, but takes no calls now."""


class LateError(UnreachableError, TimeoutError):
    """The time given was up: Jina's client raises a ConnectionError over gRPC and a TimeoutError over HTTP, so this is both."""

    status = GrpcStatus.DEADLINE_EXCEEDED


class LateRefusedError(LateError, RefusedError):
    """The same, told by somebody who does not speak Jina's language."""


class InternalRpcError(RpcError):
    """The server failed inside."""

    status = GrpcStatus.INTERNAL


class RefusedInputError(RpcError, BadClientInput):
    """The inputs made the server give up."""


class ServiceError(RpcError, BadServerFlow):
    """The service answered with an error of its own."""


class HttpError(RpcError, ValueError):
    """An HTTP status that is no success; `args[0]` is the response's body."""

    def __str__(self) -> str:
        if not isinstance(self.args[0] if self.args else "", dict | list):
            return super().__str__()
        return f"HTTP status {self.http_status}: {self._details}" if self.http_status else self._details


class FailedHttpError(HttpError, BadServer):
    """An executor failed; `args[0]` is the response's body, as no header comes with it."""


class NoEndpointError(RpcError, BadClient):
    """The service has no such endpoint."""

    status = GrpcStatus.NOT_FOUND


class FailedReply(RpcError, BadServer):
    """An executor failed; `args[0]` is the reply's header.

    Attributes:
        reply_status: What the header says of the failure.
    """

    reply_status: StatusParts | None = None

    def __str__(self) -> str:
        """The exception and where it came from, then the server's traceback as it was printed there."""
        status = self.reply_status
        if status is None:
            return self._details
        text = f"{status.name}: {', '.join(status.args)}" if status.name and status.args else status.name or status.description
        where = _place(status.executor, getattr(self.args[0], "exec_endpoint", "") if self.args else "")
        return f"{text}{where}" + "".join(["\n\nThe server's traceback:\n", *status.stacks] if status.stacks else []).rstrip("\n")


def _place(executor: str, endpoint: str) -> str:
    """Where an executor failed: ` (in Encoder, endpoint '/embed')`."""
    return f" (in {executor}" + (f", endpoint '{endpoint}'" if endpoint else "") + ")" if executor else ""


def failure(kind: type[RpcError], *args: Any, status: int | None = None, details: str = "", metadata: Pairs = ()) -> RpcError:
    """Make an error of one of the classes above, with grpcio's class among its bases where that is imported."""
    error = _class_for(kind)(*args)
    error._details, error._metadata = details, metadata
    if status is not None:
        error.status = status
    return error


def failure_of(end: CallEnd, n_attempts: int = 1, post: Post | None = None) -> RpcError:
    """Make the error for a gRPC call that ended with a status other than OK; of a post that was too late it says which."""
    metadata: Pairs = end.metadata if n_attempts < 2 else (*end.metadata, ("jina-client-attempts", str(n_attempts)))
    name = GrpcStatus(end.status).name if end.status in _KNOWN else str(end.status)
    text = f"gRPC error: {name} {end.message}"
    if end.status == GrpcStatus.DEADLINE_EXCEEDED and post is not None and post.timeout_s is not None:
        text += f"; endpoint {post.on!r}, timeout {post.timeout_s:g} s"
    if metadata:
        text += "\n" + "\n".join(f"{key}: {value!r}" for key, value in metadata)
    status = end.status if end.status in _KNOWN else GrpcStatus.UNKNOWN
    kind = _KINDS.get(status, ServiceError)
    if status == GrpcStatus.UNKNOWN and "asyncio.exceptions.TimeoutError" in end.message:
        kind = RefusedInputError
    return failure(kind, text, status=status, details=end.message, metadata=metadata)


def unreachable(text: str) -> RpcError:
    """Make the error for a connection that cannot be had, or broke."""
    return failure(UnreachableError, text, details=text)


def late(missed: str, post: Post) -> RpcError:
    """Make the error for a post whose time is up."""
    text = f"{missed} within {post.timeout_s:g} s, endpoint {post.on!r}"
    return failure(LateError, text, details=text)


def streams(path: str) -> RpcError:
    """Make the error for a `post` to an endpoint that streams."""
    return _http(f"endpoint {path!r} streams; call it with stream_doc")


def no_stream(path: str) -> RpcError:
    """Make the error for a `stream_doc` of an endpoint that does not stream."""
    return _http(f"endpoint {path!r} does not stream; call it with post")


def no_websocket(status: int) -> RpcError:
    """Make the error for a port that answers a handshake as if it were any request."""
    hint = "use protocol='http', or add websocket to the service's protocol option"
    error = _http(f"this port speaks HTTP and no WebSocket: it answered the handshake with HTTP status {status}; {hint}")
    error.http_status = status
    return error


def _http(text: str) -> RpcError:
    return failure(HttpError, text, details=text)


def unreadable(why: Exception) -> RpcError:
    """Make the error for a reply that is none."""
    return failure(ServiceError, f"the server's reply cannot be read: {why}", status=GrpcStatus.INTERNAL)


_KNOWN = frozenset(GrpcStatus)
_KINDS: dict[int, type[RpcError]] = {
    GrpcStatus.UNAVAILABLE: UnreachableError,
    GrpcStatus.NOT_FOUND: UnreachableError,
    GrpcStatus.DEADLINE_EXCEEDED: LateError,
    GrpcStatus.INTERNAL: InternalRpcError,
}


_classes: dict[type[RpcError], type[RpcError]] = {}


def _class_for(kind: type[RpcError]) -> type[RpcError]:
    """Give the class, with grpcio's among its bases where `grpc` is imported."""
    grpc: Any = sys.modules.get("grpc")
    if grpc is None:
        return kind
    made = _classes.get(kind)
    if made is None:
        base = grpc.aio.AioRpcError if kind is InternalRpcError else grpc.RpcError
        init = {"__init__": lambda self, *args: Exception.__init__(self, *args), "__module__": kind.__module__, "_plain": kind}
        made = _classes[kind] = type(kind.__name__, (kind, base), init)
    return made


def _plain(kind: type) -> type:
    return getattr(kind, "_plain", kind)


def _rebuild(kind: type[RpcError], args: Sequence[Any], state: dict[str, Any]) -> RpcError:
    error = failure(kind, *args)
    error.__dict__.update(state)
    return error
