"""What a gRPC service tells of itself: endpoints, state, versions, health, and its own description (reflection)."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from typing import TYPE_CHECKING, Any

from jina.call import DIALECT
from jina.codec import service_messages as services
from jina.errors import MalformedError
from jina.fronts.dry_run import dry_run as make_dry_run
from jina.fronts.grpc_requests import ids, is_refused, reads_ours, status_parts
from jina.observe.info import environment, versions
from jina.wire.grpc import GrpcStatus, RequestHead

if TYPE_CHECKING:
    from jina.fronts.grpc_carrier import Carrier

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


async def discover(connection: Carrier, stream: int, head: RequestHead, data: bytes) -> None:
    """Tell the endpoints and their schemas."""
    if await is_refused(connection, stream, head):
        return
    front = connection.front
    known = front.endpoints
    schemas = {info.path: _description(info.discovery) for info in known}
    writes = [info.path for info in known if info.is_write]
    connection.wire.reply(stream, services.write_endpoints([info.path for info in known], writes, schemas))


def _description(discovery: dict[str, Any]) -> dict[str, Any]:
    """Both of Jina's forms in one: a gateway's (a side is the schema itself) with a worker's `name` and `model` beside it.

    A Flow of Jina's that has us as external executor reads the worker's form, and never gets ready without it.
    """
    if not discovery:
        return {}
    return {**discovery, **{side: {**discovery[side]["model"], **discovery[side]} for side in ("input", "output")}}


async def dry_run(connection: Carrier, stream: int, head: RequestHead, data: bytes) -> None:
    """Tell whether every part answers: an empty status, or the failure."""
    if await is_refused(connection, stream, head):
        return
    reply = await connection.front.handler(make_dry_run(ids.request_id()))
    connection.wire.reply(stream, status_parts(reply.status))


async def status(connection: Carrier, stream: int, head: RequestHead, data: bytes) -> None:
    """Tell versions and environment."""
    if await is_refused(connection, stream, head):
        return
    metadata = (DIALECT,) if reads_ours(head) else ()
    connection.wire.reply(stream, services.write_info(versions(), environment(os.environ)), metadata)


def _health(connection: Carrier, service: str) -> int:
    front = connection.front
    if service in ("", "grpc.health.v1.Health", *ADVERTISED):
        return services.SERVING if front.is_ready() and not front.is_draining else services.NOT_SERVING
    if service == front.name:
        return services.SERVING if front.is_up() and not front.is_draining else services.NOT_SERVING
    return services.SERVICE_UNKNOWN


async def check_health(connection: Carrier, stream: int, head: RequestHead, data: bytes) -> None:
    """Tell the state of a service once."""
    try:
        service = services.read_health_request(data)
    except MalformedError as error:
        connection.wire.refuse(stream, GrpcStatus.INTERNAL, str(error))
        return
    state = _health(connection, service)
    if state == services.SERVICE_UNKNOWN:
        connection.wire.refuse(stream, GrpcStatus.NOT_FOUND, "")
    else:
        connection.wire.reply(stream, services.write_health_reply(state))


async def watch_health(connection: Carrier, stream: int, head: RequestHead, data: bytes) -> None:
    """Tell the state now and whenever it changes."""
    try:
        service = services.read_health_request(data)
    except MalformedError as error:
        connection.wire.refuse(stream, GrpcStatus.INTERNAL, str(error))
        return
    front, told = connection.front, -1
    changed = asyncio.Event()
    front.watch(changed)
    try:
        while not (front.is_draining and told == services.NOT_SERVING):
            state = _health(connection, service)
            if state != told:
                told = state
                connection.wire.send_message(stream, services.write_health_reply(state))
                connection.flush_soon()
                continue
            changed.clear()
            await changed.wait()
    finally:
        front.watchers.discard(changed)
    connection.wire.refuse(stream, GrpcStatus.UNAVAILABLE, "the server is stopping")


class Reflection:
    """`ServerReflectionInfo`: one answer for each question. Those of a caller that does not read its answers wait."""

    def __init__(self, connection: Carrier, stream: int, head: RequestHead) -> None:
        self._connection, self._stream, self._head = connection, stream, head
        self._waiting: deque[bytes] = deque()
        self._task: asyncio.Task[None] | None = None
        self._is_half_closed = self._has_ended = False
        self._is_checked = connection.front.guard is None
        connection.wire.hold(stream)
        if not self._is_checked:
            self._task = connection.start_task(self._check())

    async def _check(self) -> None:
        if await is_refused(self._connection, self._stream, self._head):
            self._connection.gone(self._stream)
            return
        self._is_checked = True
        self._advance()

    def message(self, data: bytes) -> None:
        self._waiting.append(data)
        self._advance()

    def half_close(self) -> None:
        self._is_half_closed = True
        self._advance()

    def writable(self) -> None:
        self._advance()

    def cancelled(self) -> None:
        self._has_ended = True
        if self._task is not None:
            self._task.cancel()

    def _advance(self) -> None:
        connection = self._connection
        while self._waiting and self._is_checked and not self._has_ended and connection.can_write(self._stream):
            data = self._waiting.popleft()
            connection.wire.consumed(self._stream, len(data))
            connection.release(self._stream, data)
            self._answer(data)
        if self._is_half_closed and self._is_checked and not self._waiting and not self._has_ended:
            self._has_ended = True
            connection.end(self._stream)

    def _answer(self, data: bytes) -> None:
        try:
            answer = services.answer_reflection(data, ADVERTISED)
        except MalformedError as error:
            self._has_ended = True
            self._connection.wire.refuse(self._stream, GrpcStatus.INTERNAL, str(error))
            self._connection.gone(self._stream)
            return
        self._connection.wire.send_message(self._stream, answer)
        self._connection.flush_soon()
