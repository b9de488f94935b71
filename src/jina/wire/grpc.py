"""gRPC over HTTP/2 for both roles, sans-IO: bytes in, event tuples out; the owner moves the bytes and knows the time.

    connection = ServerConnection(unary_paths=UNARY)        # or ClientConnection()
    transport.write(connection.take_output())               # the preface and SETTINGS: at once, for both roles
    for event in connection.receive(data, now):             # on every read; never raises, whatever the peer sends
        ...                                                 # reply(), send_message(), ...
    transport.write(connection.take_output())               # once a turn: everything that was sent since, in one piece

Events are tuples whose first element is a constant (`grpc_events`); the second is the stream's number (an int), where there is one.
A method called for a stream that is gone (reset, cancelled, ended) does nothing: whoever answers late need not know.
While the transport cannot write (`pause_writing`), its owner stops reading too: what we must answer (PING, SETTINGS) is then bounded.
"""

from __future__ import annotations

from jina.wire.grpc_client import ClientConnection
from jina.wire.grpc_events import (
    CALL_STARTED,
    CANCELLED,
    CLOSED,
    ENDED,
    GOAWAY,
    HALF_CLOSED,
    HEAD,
    HTTP_BEGUN,
    HTTP_DATA,
    MESSAGE,
    PING_ACK,
    UNARY,
    UNARY_REPLY,
    WRITABLE,
    Event,
)
from jina.wire.grpc_fields import Metadata, ReplyHead, RequestHead, request_block, retry_metadata, timeout_field
from jina.wire.grpc_server import ServerConnection
from jina.wire.status import GrpcStatus

__all__ = [
    "CALL_STARTED",
    "CANCELLED",
    "CLOSED",
    "ENDED",
    "GOAWAY",
    "HALF_CLOSED",
    "HEAD",
    "HTTP_BEGUN",
    "HTTP_DATA",
    "MESSAGE",
    "PING_ACK",
    "UNARY",
    "UNARY_REPLY",
    "WRITABLE",
    "ClientConnection",
    "Event",
    "GrpcStatus",
    "Metadata",
    "ReplyHead",
    "RequestHead",
    "ServerConnection",
    "request_block",
    "retry_metadata",
    "timeout_field",
]
