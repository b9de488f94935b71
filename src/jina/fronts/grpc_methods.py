"""What each gRPC method does: Jina's services with documents kept as bytes, health, reflection.

Two kinds of failure leave here, as from Jina. A call that no executor answered (unavailable, overloaded, too late, no key) ends with a
gRPC status. A call that an executor failed, or whose documents do not fit, succeeds as a call: its reply has an ERROR in the header, and
`is-error: true` among the trailing metadata.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import re
import time
from collections import deque
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from jina.call import Call, Payload, Reply, Status
from jina.codec import service_messages as services
from jina.codec.messages import (
    Envelope,
    read_document_request,
    read_request,
    reply_routes,
    status_bytes,
    write_document_reply,
    write_reply,
)
from jina.codec.struct import dict_to_struct, struct_to_dict
from jina.errors import CallerError, Code, MalformedError
from jina.observe.info import environment, versions
from jina.wire.grpc import RequestHead
from jina.wire.ids import RequestIds
from jina.wire.status import GRPC_STATUS

if TYPE_CHECKING:
    from jina.fronts.grpc import GrpcConnection, StreamCall

_OK, _INVALID_ARGUMENT, _NOT_FOUND, _INTERNAL, _UNAVAILABLE = 0, 3, 5, 13, 14
_IS_ERROR = (("is-error", "true"),)
_IN_STATUS = frozenset(
    (Code.UNAVAILABLE, Code.OVERLOADED, Code.DEADLINE, Code.CANCELLED, Code.UNAUTHENTICATED, Code.TOO_LARGE, Code.INTERNAL)
)
"""Failures that end the call with a gRPC status; the others are told in the reply's header."""
_NO_RESULTS = dict_to_struct({"__results__": {}})
_REQUEST_ID = re.compile(r"[!-~]{1,128}").fullmatch
_DRY_RUN = "_jina_dry_run_"

ADVERTISED = (
    "jina.JinaRPC",
    "jina.JinaSingleDataRequestRPC",
    "jina.JinaDataRequestRPC",
    "jina.JinaGatewayDryRunRPC",
    "jina.JinaSingleDocumentRequestRPC",
    "jina.JinaDiscoverEndpointsRPC",
    "jina.JinaInfoRPC",
    "grpc.reflection.v1alpha.ServerReflection",
)
"""What reflection lists: exactly Jina's list, since Jina's gateways use only what is listed."""

_ids = RequestIds()


# --- requests with documents ---------------------------------------------------------------------------------------------------------


def _call_of(envelope: Envelope, head: RequestHead, *, is_stream: bool) -> Call:
    """Make a Call of a request; the documents stay bytes.

    Raises:
        CallerError: The request id or the parameters are not valid.
    """
    request_id = envelope.request_id or head.headers.get("x-request-id", "")
    if not request_id:
        request_id = _ids.request_id()
    elif _REQUEST_ID(request_id) is None:
        raise CallerError(f"request id {request_id[:140]!r} must be 1 to 128 visible ASCII characters")
    raw = envelope.parameters
    docs = envelope.docs if envelope.docs is not None else envelope.docs_bytes
    timeout_s = head.timeout_s
    return Call(
        envelope.endpoint or "/default",
        Payload(docs or b"", "strict", is_stream),
        request_id,
        {"__results__": {}} if raw == _NO_RESULTS else struct_to_dict(raw) if raw else {},
        head.headers,
        envelope.target_executor or "",
        None if timeout_s is None else time.monotonic() + timeout_s,
        5,
        is_stream,
        "strict",
        _ids.call_id(),
    )


async def _refusal(connection: GrpcConnection, head: RequestHead) -> Status | None:
    guard = connection.front.guard
    if guard is None:
        return None
    verdict = guard(head.headers)
    return await verdict if inspect.isawaitable(verdict) else verdict


def _status_parts(status: Status) -> bytes:
    return status_bytes(True, status.description, status.name, status.args, status.stacks, status.executor)


def _ends_with_status(status: Status) -> bool:
    return status.code in _IN_STATUS or status.grpc_status is not None


def _status_metadata(status: Status) -> tuple[tuple[str, str], ...]:
    if status.retry_after_s is None:
        return ()
    return (("grpc-retry-pushback-ms", str(int(status.retry_after_s * 1000))), ("retry-after", str(int(status.retry_after_s + 0.999))))


def _send_refusal(connection: GrpcConnection, stream: int, status: Status) -> None:
    number = status.grpc_status or GRPC_STATUS[status.code]
    connection.wire.send_status(stream, number, status.description, _status_metadata(status))


def _reply_message(call: Call, envelope: Envelope, reply: Reply, started_s: float) -> bytes:
    """The DataRequestProto that answers a request."""
    failed = reply.status
    status = b"" if failed is None and not reply.description else status_bytes(False, reply.description)
    if failed is not None:
        status = _status_parts(failed)
    parameters = envelope.parameters if reply.parameters is call.parameters or not reply.parameters else dict_to_struct(reply.parameters)
    docs = reply.payload.data if reply.payload is not None else None
    return write_reply(call.request_id, envelope.endpoint, status, parameters, reply_routes(started_s, reply.routes, status), docs)


async def _process_single_data(connection: GrpcConnection, stream: int, head: RequestHead, data: bytes) -> None:
    wire, started_s = connection.wire, time.time()
    try:
        envelope = read_request(data)
        call = _call_of(envelope, head, is_stream=False)
    except CallerError as error:
        wire.send_status(stream, _bad_request(error), str(error))
        return
    if connection.front.guard is not None and (refused := await _refusal(connection, head)) is not None:
        _send_refusal(connection, stream, refused)
        return
    reply = await connection.front.handler(call)
    status = reply.status
    if status is None:
        wire.reply(stream, _reply_message(call, envelope, reply, started_s))
    elif _ends_with_status(status):
        _send_refusal(connection, stream, status)
    else:
        wire.reply(stream, _reply_message(call, envelope, reply, started_s), _IS_ERROR)


def _bad_request(error: CallerError) -> int:
    """Bytes that are not the message are INTERNAL, as from grpcio's server; what can be read but is not valid is INVALID_ARGUMENT."""
    return _INTERNAL if isinstance(error, MalformedError) else _INVALID_ARGUMENT


async def _stream_doc(connection: GrpcConnection, stream: int, head: RequestHead, data: bytes) -> None:
    wire, started_s = connection.wire, time.time()
    try:
        envelope = read_document_request(data)
        call = _call_of(envelope, head, is_stream=True)
    except CallerError as error:
        wire.send_status(stream, _bad_request(error), str(error))
        return
    if (refused := await _refusal(connection, head)) is not None:
        _send_refusal(connection, stream, refused)
        return
    reply = await connection.front.handler(call)
    if reply.items is None:
        _end_unstreamed(connection, stream, call, envelope, reply, started_s)
        return
    try:
        async for item in reply.items:
            if item.status is not None and _ends_with_status(item.status):
                _send_refusal(connection, stream, item.status)
                return
            status = b"" if item.status is None else _status_parts(item.status)
            document = item.payload.data if item.payload is not None else None
            routes = reply_routes(started_s, reply.routes, status)
            message = write_document_reply(call.request_id, envelope.endpoint, status, envelope.parameters, routes, document)
            wire.send_message(stream, message)
            connection.flush_soon()
            if not connection.can_write(stream):
                await connection.wait_writable(stream)
    finally:
        await reply.items.aclose()  # type: ignore[attr-defined]
    wire.send_status(stream, _OK)


def _end_unstreamed(connection: GrpcConnection, stream: int, call: Call, envelope: Envelope, reply: Reply, started_s: float) -> None:
    """Answer a streaming request that failed, or was answered, without a stream."""
    status = reply.status
    if status is not None and _ends_with_status(status):
        _send_refusal(connection, stream, status)
        return
    parts = b"" if status is None else _status_parts(status)
    document = reply.payload.data if reply.payload is not None else None
    routes = reply_routes(started_s, reply.routes, parts)
    message = write_document_reply(call.request_id, envelope.endpoint, parts, envelope.parameters, routes, document)
    connection.wire.send_message(stream, message)
    connection.wire.send_status(stream, _OK, "", _IS_ERROR if status is not None else ())


class DataStream:
    """`JinaRPC/Call`: requests stream in, replies stream out as they are done, or in order if the caller asks for that."""

    def __init__(self, connection: GrpcConnection, stream: int, head: RequestHead) -> None:
        self._connection, self._stream, self._head = connection, stream, head
        limit = _prefetch(head, connection.front.options.prefetch)
        self._limit = limit
        self._in_order = head.headers.get("__results_in_order__", "").lower() == "true"
        self._waiting: deque[bytes] = deque()
        self._running: dict[asyncio.Task[None], None] = {}
        self._order: deque[list[bytes | None]] = deque()
        self._unsent = 0
        self._is_half_closed = self._has_ended = False
        self._is_checked = connection.front.guard is None
        connection.wire.hold(stream)
        if not self._is_checked:
            self._own(self._check())

    def message(self, data: bytes) -> None:
        self._waiting.append(data)
        self._advance()

    def half_close(self) -> None:
        self._is_half_closed = True
        self._advance()

    def writable(self) -> None:
        self._unsent = 0
        self._advance()

    def cancelled(self) -> None:
        self._has_ended = True
        for task in list(self._running):
            task.cancel()

    def _own(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = self._connection.start_task(coroutine)
        self._running[task] = None
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        if not task.cancelled() and task.exception() is not None and not self._has_ended:
            self._fail(_INTERNAL, "internal error")
        self._advance()

    async def _check(self) -> None:
        refused = await _refusal(self._connection, self._head)
        if refused is not None:
            self._fail(refused.grpc_status or GRPC_STATUS[refused.code], refused.description)
        self._is_checked = True

    def _advance(self) -> None:
        """Begin what may begin, and end the call when all is answered."""
        while self._waiting and self._is_checked and not self._has_ended and len(self._running) + self._unsent < self._limit:
            data = self._waiting.popleft()
            self._connection.wire.consumed(self._stream, len(data))
            slot: list[bytes | None] = [None]
            if self._in_order:
                self._order.append(slot)
            self._own(self._answer(data, slot))
            self._connection.flush_soon()
        if self._is_half_closed and not self._waiting and not self._running and not self._has_ended:
            self._has_ended = True
            self._connection.end(self._stream, _OK)

    async def _answer(self, data: bytes, slot: list[bytes | None]) -> None:
        started_s = time.time()
        try:
            envelope = read_request(data)
            call = _call_of(envelope, self._head, is_stream=False)
        except CallerError as error:
            self._fail(_bad_request(error), str(error))
            return
        reply = await self._connection.front.handler(call)
        if reply.status is not None and _ends_with_status(reply.status):
            self._fail(reply.status.grpc_status or GRPC_STATUS[reply.status.code], reply.status.description)
            return
        self._send(_reply_message(call, envelope, reply, started_s), slot)

    def _send(self, message: bytes, slot: list[bytes | None]) -> None:
        if self._has_ended:
            return
        if self._in_order:
            slot[0] = message
            while self._order and self._order[0][0] is not None:
                ready = self._order.popleft()[0]
                assert ready is not None
                self._write(ready)
        else:
            self._write(message)

    def _write(self, message: bytes) -> None:
        self._connection.wire.send_message(self._stream, message)
        if not self._connection.can_write(self._stream):
            self._unsent += 1
        self._connection.flush_soon()

    def _fail(self, status: int, message: str) -> None:
        if not self._has_ended:
            self._connection.end(self._stream, status, message)
            self.cancelled()


def _prefetch(head: RequestHead, default: int) -> int:
    try:
        limit = int(head.headers.get("__prefetch__", default))
    except ValueError:
        limit = default
    return limit if limit > 0 else 1 << 30


# --- about the service -----------------------------------------------------------------------------------------------------------------


async def _discover(connection: GrpcConnection, stream: int, head: RequestHead, data: bytes) -> None:
    if (refused := await _refusal(connection, head)) is not None:
        _send_refusal(connection, stream, refused)
        return
    front = connection.front
    known = front.endpoints
    describe = _as_worker if front.options.is_worker_discovery else _as_gateway
    schemas = {info.path: describe(info.discovery) for info in known}
    writes = [info.path for info in known if info.is_write]
    connection.wire.reply(stream, services.write_endpoints([info.path for info in known], writes, schemas))


def _as_worker(discovery: dict[str, Any]) -> dict[str, Any]:
    return discovery


def _as_gateway(discovery: dict[str, Any]) -> dict[str, Any]:
    if not discovery:
        return {}
    return {**discovery, "input": discovery["input"]["model"], "output": discovery["output"]["model"]}


async def _dry_run(connection: GrpcConnection, stream: int, head: RequestHead, data: bytes) -> None:
    if (refused := await _refusal(connection, head)) is not None:
        _send_refusal(connection, stream, refused)
        return
    reply = await connection.front.handler(Call(_DRY_RUN, Payload(b"", "strict"), _ids.request_id(), wants="strict"))
    connection.wire.reply(stream, b"" if reply.status is None else _status_parts(reply.status))


async def _status(connection: GrpcConnection, stream: int, head: RequestHead, data: bytes) -> None:
    if (refused := await _refusal(connection, head)) is not None:
        _send_refusal(connection, stream, refused)
        return
    connection.wire.reply(stream, services.write_info(versions(), environment(os.environ)))


def _health(connection: GrpcConnection, service: str) -> int:
    front = connection.front
    if service in ("", "grpc.health.v1.Health", *ADVERTISED):
        return services.SERVING if front.is_ready() and not front.is_draining else services.NOT_SERVING
    if service == front.name:
        return services.SERVING if front.is_up() and not front.is_draining else services.NOT_SERVING
    return services.SERVICE_UNKNOWN


async def _check_health(connection: GrpcConnection, stream: int, head: RequestHead, data: bytes) -> None:
    try:
        service = services.read_health_request(data)
    except MalformedError as error:
        connection.wire.send_status(stream, _INTERNAL, str(error))
        return
    state = _health(connection, service)
    if state == services.SERVICE_UNKNOWN:
        connection.wire.send_status(stream, _NOT_FOUND)
    else:
        connection.wire.reply(stream, services.write_health_reply(state))


async def _watch_health(connection: GrpcConnection, stream: int, head: RequestHead, data: bytes) -> None:
    """Tell the state now and whenever it changes; replicas come and go, so we look again now and then."""
    try:
        service = services.read_health_request(data)
    except MalformedError as error:
        connection.wire.send_status(stream, _INTERNAL, str(error))
        return
    front, told = connection.front, -1
    changed = asyncio.Event()
    front.watchers.add(changed)
    try:
        while not (front.is_draining and told == services.NOT_SERVING):
            state = _health(connection, service)
            if state != told:
                told = state
                connection.wire.send_message(stream, services.write_health_reply(state))
                connection.flush_soon()
                continue
            changed.clear()
            try:
                async with asyncio.timeout(1.0):
                    await changed.wait()
            except TimeoutError:
                pass
    finally:
        front.watchers.discard(changed)
    connection.wire.send_status(stream, _UNAVAILABLE, "the server is stopping")


class Reflection:
    """`ServerReflectionInfo`: one answer for each question."""

    def __init__(self, connection: GrpcConnection, stream: int, head: RequestHead) -> None:
        self._connection, self._stream, self._head = connection, stream, head
        self._waiting: list[bytes] | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_half_closed = False
        if connection.front.guard is not None:
            self._waiting = []
            self._task = connection.start_task(self._check())

    async def _check(self) -> None:
        refused = await _refusal(self._connection, self._head)
        if refused is not None:
            self._connection.end(self._stream, GRPC_STATUS[refused.code], refused.description)
            return
        waiting, self._waiting = self._waiting or [], None
        for data in waiting:
            self.message(data)
        if self._is_half_closed:
            self.half_close()

    def message(self, data: bytes) -> None:
        if self._waiting is not None:
            self._waiting.append(data)
            return
        try:
            answer = services.answer_reflection(data, ADVERTISED)
        except MalformedError as error:
            self._connection.end(self._stream, _INTERNAL, str(error))
            return
        self._connection.wire.send_message(self._stream, answer)
        self._connection.flush_soon()

    def half_close(self) -> None:
        self._is_half_closed = True
        if self._waiting is None:
            self._connection.end(self._stream, _OK)

    def writable(self) -> None:
        """Nothing waits for it."""

    def cancelled(self) -> None:
        if self._task is not None:
            self._task.cancel()


Unary = Callable[["GrpcConnection", int, RequestHead, bytes], Coroutine[Any, Any, None]]
UNARY: dict[str, Unary] = {
    "/jina.JinaSingleDataRequestRPC/process_single_data": _process_single_data,
    "/jina.JinaSingleDocumentRequestRPC/stream_doc": _stream_doc,
    "/jina.JinaDiscoverEndpointsRPC/endpoint_discovery": _discover,
    "/jina.JinaGatewayDryRunRPC/dry_run": _dry_run,
    "/jina.JinaInfoRPC/_status": _status,
    "/grpc.health.v1.Health/Check": _check_health,
    "/grpc.health.v1.Health/Watch": _watch_health,
}
"""Methods that take exactly one message."""
UNARY_PATHS = frozenset(UNARY)

STREAMS: dict[str, Callable[[GrpcConnection, int, RequestHead], StreamCall]] = {
    "/jina.JinaRPC/Call": DataStream,  # type: ignore[dict-item]
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": Reflection,  # type: ignore[dict-item]
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo": Reflection,  # type: ignore[dict-item]
}
"""Methods that take a stream of messages."""
