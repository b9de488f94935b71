"""A gRPC request as a Call, and a Reply as a message: what all methods that carry documents share.

Two kinds of failure leave here, as from Jina. A call that no executor answered (unavailable, overloaded, too late, no key) ends with a
gRPC status. A call that an executor failed, or whose documents do not fit, succeeds as a call: its reply has an ERROR in the header, and
`is-error: true` among the trailing metadata.
"""

from __future__ import annotations

import inspect
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from jina.call import DIALECT, Call, Payload, Reply, Status
from jina.codec.messages import Envelope, reply_routes, status_bytes, write_reply
from jina.codec.pieces import Message
from jina.codec.struct import dict_to_struct, struct_to_dict
from jina.errors import CallerError, Code, MalformedError
from jina.wire.buffered import FULL, SMALL
from jina.wire.grpc import GrpcStatus, Metadata, RequestHead, retry_metadata
from jina.wire.http_requests import Head
from jina.wire.ids import RequestIds
from jina.wire.status import GRPC_STATUS

if TYPE_CHECKING:
    from jina.fronts.grpc_carrier import Carrier

IS_ERROR = (("is-error", "true"),)
_IN_STATUS = frozenset(
    (Code.UNAVAILABLE, Code.OVERLOADED, Code.DEADLINE, Code.CANCELLED, Code.UNAUTHENTICATED, Code.TOO_LARGE, Code.INTERNAL)
)
"""Failures that end the call with a gRPC status; the others are told in the reply's header."""
_NO_RESULTS = dict_to_struct({"__results__": {}})
_ID_NAME = "x-request-id"
_MAX_PARAMETERS_BYTES = 4 << 20
"""They are read in the front, where all callers wait for it."""
_DIALECT_NAME = DIALECT[0]
_REQUEST_ID = re.compile(r"[!-~]{1,128}").fullmatch

ids = RequestIds()


def call_of(envelope: Envelope, head: RequestHead | Head, deadline: float | None, *, is_stream: bool) -> Call:
    """Make a Call of a request; the documents stay bytes.

    Raises:
        CallerError: The request id, the priority or the parameters are not valid.
    """
    headers = head.headers
    request_id = envelope.request_id or headers.get(_ID_NAME) or ids.request_id()
    if _REQUEST_ID(request_id) is None:
        raise CallerError(f"request id {request_id[:140]!r} must be 1 to 128 visible ASCII characters")
    raw, dialect = envelope.parameters, "ours" if headers.get(_DIALECT_NAME) == DIALECT[1] else "strict"
    if len(raw) > _MAX_PARAMETERS_BYTES:
        raise CallerError(f"parameters may have {_MAX_PARAMETERS_BYTES} bytes, got {len(raw)}; send more as documents")
    docs = envelope.docs if envelope.docs is not None else envelope.docs_bytes
    priority = headers.get("x-request-priority")
    if priority is not None and not (len(priority) == 1 and priority in "0123456789"):
        raise CallerError(f"x-request-priority must be 0 to 9, got {priority[:40]!r}")
    return Call(
        envelope.endpoint or "/default",
        Payload(docs or b"", dialect, is_stream),
        request_id,
        {"__results__": {}} if raw == _NO_RESULTS else struct_to_dict(raw) if raw else {},
        headers,
        envelope.target_executor or "",
        deadline,
        5 if priority is None else int(priority),
        is_stream,
        dialect,
        ids.call_id(),
    )


def reads_ours(head: RequestHead | Head) -> bool:
    """Whether the caller says that it reads and may write our dialect."""
    return head.headers.get(_DIALECT_NAME) == DIALECT[1]


def deadline_of(head: RequestHead) -> float | None:
    """When a call that begins now must have ended."""
    timeout_s = head.timeout_s
    return None if timeout_s is None else time.monotonic() + timeout_s


def id_metadata(head: RequestHead | None) -> tuple[tuple[str, str], ...]:
    """The request id, for a call of which nothing but the head is known."""
    given = "" if head is None else head.headers.get(_ID_NAME, "")
    return ((_ID_NAME, given if _REQUEST_ID(given) else ids.request_id()),)


async def is_refused(connection: Carrier, stream: int, head: RequestHead) -> bool:
    """Ask the guard; a caller that it does not let in is told so."""
    guard = connection.front.guard
    if guard is None:
        return False
    verdict = guard(head.headers)
    refused = await verdict if inspect.isawaitable(verdict) else verdict
    if refused is not None:
        send_refusal(connection, stream, refused)
    return refused is not None


def status_parts(status: Status | None, remark: str = "") -> bytes:
    """A failure, or else what a success remarks, as Jina's StatusProto; empty where there is nothing to say."""
    if status is None:
        return status_bytes(False, remark) if remark else b""
    return status_bytes(True, status.description, status.name, status.args, status.stacks, status.executor)


def ends_with_status(status: Status) -> bool:
    """Whether a failure ends the call with a gRPC status, and not with a reply that tells of it."""
    return status.code in _IN_STATUS or status.grpc_status is not None


def send_refusal(connection: Carrier, stream: int, status: Status, request_id: str = "") -> None:
    """End a call with the status of a failure."""
    number = status.grpc_status or GRPC_STATUS[status.code]
    send_failure(connection, stream, number, status.description, request_id, retry_metadata(status.retry_after_s))


def send_failure(
    connection: Carrier, stream: int, number: int, text: str, request_id: str = "", metadata: tuple[tuple[str, str], ...] = ()
) -> None:
    """End a call with a status; like every reply it says which request it is about."""
    if request_id:
        connection.wire.send_status(stream, number, text, (*metadata, (_ID_NAME, request_id)))
    else:
        connection.wire.refuse(stream, number, text, metadata)


def send_reply(connection: Carrier, stream: int, call: Call, message: Message, metadata: Metadata = ()) -> None:
    """Answer an unary call, unless more is held already than may be."""
    if len(message) <= SMALL or connection.admits(len(message)):
        connection.wire.reply(stream, message, metadata)
    else:
        send_refusal(connection, stream, FULL, call.request_id)


def read_call(
    connection: Carrier,
    stream: int,
    head: RequestHead,
    deadline: float | None,
    data: bytes,
    read: Callable[[bytes], Envelope],
    *,
    is_stream: bool,
) -> tuple[Call, Envelope] | None:
    """Read a request; None if it is not valid, and then its caller is told."""
    envelope = None
    try:
        envelope = read(data)
        return call_of(envelope, head, deadline, is_stream=is_stream), envelope
    except CallerError as error:
        known = "" if envelope is None or _REQUEST_ID(envelope.request_id) is None else envelope.request_id
        # bytes that are not the message are INTERNAL, as from grpcio's server
        number = GrpcStatus.INTERNAL if isinstance(error, MalformedError) else GrpcStatus.INVALID_ARGUMENT
        send_failure(connection, stream, number, str(error), known)
        return None


def reply_message(call: Call, envelope: Envelope, reply: Reply, started_s: float) -> Message:
    """The DataRequestProto that answers a request."""
    status = b"" if reply.status is None and not reply.description else status_parts(reply.status, reply.description)
    parameters = envelope.parameters if reply.parameters is call.parameters or not reply.parameters else dict_to_struct(reply.parameters)
    docs = reply.payload.data if reply.payload is not None else None
    return write_reply(call.request_id, envelope.endpoint, status, parameters, reply_routes(started_s, reply.routes, status), docs)
