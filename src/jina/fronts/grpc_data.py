"""`process_single_data` and `stream_doc`: one request, and one reply or a stream of them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from jina.call import Call, Reply
from jina.codec.messages import Envelope, read_document_request, read_request, reply_routes, write_document_reply
from jina.errors import CallerError
from jina.fronts.grpc_requests import (
    IS_ERROR,
    bad_request,
    call_of,
    deadline_of,
    ends_with_status,
    refusal,
    reply_message,
    send_refusal,
    status_parts,
)
from jina.wire.grpc import RequestHead

if TYPE_CHECKING:
    from jina.fronts.grpc import GrpcConnection

_OK = 0


async def process_single_data(connection: GrpcConnection, stream: int, head: RequestHead, data: bytes) -> None:
    wire, started_s, deadline = connection.wire, time.time(), deadline_of(head)
    if connection.front.guard is not None and (refused := await refusal(connection, head)) is not None:
        send_refusal(connection, stream, refused)
        return
    try:
        envelope = read_request(data)
        call = call_of(envelope, head, deadline, is_stream=False)
    except CallerError as error:
        wire.send_status(stream, bad_request(error), str(error))
        return
    reply = await connection.front.handler(call)
    status = reply.status
    if status is None:
        wire.reply(stream, reply_message(call, envelope, reply, started_s))
    elif ends_with_status(status):
        send_refusal(connection, stream, status)
    else:
        wire.reply(stream, reply_message(call, envelope, reply, started_s), IS_ERROR)


async def stream_doc(connection: GrpcConnection, stream: int, head: RequestHead, data: bytes) -> None:
    wire, started_s, deadline = connection.wire, time.time(), deadline_of(head)
    if (refused := await refusal(connection, head)) is not None:
        send_refusal(connection, stream, refused)
        return
    try:
        envelope = read_document_request(data)
        call = call_of(envelope, head, deadline, is_stream=True)
    except CallerError as error:
        wire.send_status(stream, bad_request(error), str(error))
        return
    reply = await connection.front.handler(call)
    if reply.items is None:
        _end_unstreamed(connection, stream, call, envelope, reply, started_s)
        return
    try:
        async for item in reply.items:
            if item.status is not None and ends_with_status(item.status):
                send_refusal(connection, stream, item.status)
                return
            status = b"" if item.status is None else status_parts(item.status)
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
    if status is not None and ends_with_status(status):
        send_refusal(connection, stream, status)
        return
    parts = b"" if status is None else status_parts(status)
    document = reply.payload.data if reply.payload is not None else None
    routes = reply_routes(started_s, reply.routes, parts)
    message = write_document_reply(call.request_id, envelope.endpoint, parts, envelope.parameters, routes, document)
    connection.wire.send_message(stream, message)
    connection.wire.send_status(stream, _OK, "", IS_ERROR if status is not None else ())
