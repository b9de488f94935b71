"""`process_single_data` and `stream_doc`: one request, and one reply or a stream of them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from jina.call import Call, Payload, Reply, Status
from jina.codec.messages import Envelope, read_document_request, read_request, reply_routes, write_document_reply
from jina.fronts.grpc_requests import (
    IS_ERROR,
    deadline_of,
    ends_with_status,
    is_refused,
    read_call,
    reply_message,
    send_refusal,
    send_reply,
    status_parts,
)
from jina.wire.buffered import FULL, SMALL
from jina.wire.grpc import GrpcStatus, RequestHead

if TYPE_CHECKING:
    from jina.fronts.grpc_carrier import Carrier


async def process_single_data(connection: Carrier, stream: int, head: RequestHead, data: bytes) -> None:
    """Answer one request with one reply."""
    started_s, deadline = time.time(), deadline_of(head)
    if connection.front.guard is not None and await is_refused(connection, stream, head):
        return
    found = read_call(connection, stream, head, deadline, data, read_request, is_stream=False)
    if found is None:
        return
    call, envelope = found
    reply = await connection.front.handler(call)
    if len(data) > SMALL:
        connection.wire.uncount(stream, len(data))
    status = reply.status
    if status is None:
        send_reply(connection, stream, call, reply_message(call, envelope, reply, started_s))
    elif ends_with_status(status):
        send_refusal(connection, stream, status, call.request_id)
    else:
        send_reply(connection, stream, call, reply_message(call, envelope, reply, started_s), IS_ERROR)


async def stream_doc(connection: Carrier, stream: int, head: RequestHead, data: bytes) -> None:
    """Answer one document with a stream of documents."""
    started_s, deadline = time.time(), deadline_of(head)
    if await is_refused(connection, stream, head):
        return
    found = read_call(connection, stream, head, deadline, data, read_document_request, is_stream=True)
    if found is None:
        return
    call, envelope = found
    reply = await connection.front.handler(call)
    if reply.items is None:
        _end_unstreamed(connection, stream, call, envelope, reply, started_s)
        return
    try:
        async for item in reply.items:
            if item.status is not None and ends_with_status(item.status):
                send_refusal(connection, stream, item.status, call.request_id)
                return
            message = item_message(call, envelope, reply, item.status, item.payload, started_s)
            if len(message) > SMALL and not connection.admits(len(message)):
                send_refusal(connection, stream, FULL, call.request_id)
                return
            connection.wire.send_message(stream, message)
            connection.flush_soon()
            if not connection.can_write(stream):
                await connection.wait_writable(stream)
    finally:
        await reply.items.aclose()  # type: ignore[attr-defined]
    connection.wire.send_status(stream, GrpcStatus.OK)


def _end_unstreamed(connection: Carrier, stream: int, call: Call, envelope: Envelope, reply: Reply, started_s: float) -> None:
    """Answer a streaming request that failed, or was answered, without a stream."""
    status = reply.status
    if status is not None and ends_with_status(status):
        send_refusal(connection, stream, status, call.request_id)
    else:
        message = item_message(call, envelope, reply, status, reply.payload, started_s)
        send_reply(connection, stream, call, message, () if status is None else IS_ERROR)


def item_message(call: Call, envelope: Envelope, reply: Reply, status: Status | None, payload: Payload | None, started_s: float) -> bytes:
    """One SingleDocumentRequestProto of a stream; for a failure that no stop is to blame for it is the last one, which made the item."""
    if status is not None and reply.routes and not any(route.is_failed for route in reply.routes):
        reply.routes[-1].is_failed = True
    parts = status_parts(status, reply.description)
    document = payload.data if payload is not None else None
    routes = reply_routes(started_s, reply.routes, parts)
    return write_document_reply(call.request_id, envelope.endpoint, parts, envelope.parameters, routes, document)
