"""The one table between our error codes, gRPC status numbers and HTTP status numbers."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from jina.errors import Code


class GrpcStatus(IntEnum):
    """gRPC's status codes, as numbered on the wire."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


_G = GrpcStatus
_TABLE: Final[dict[Code, tuple[GrpcStatus, int]]] = {
    Code.MALFORMED: (_G.INVALID_ARGUMENT, 400),
    Code.INVALID_INPUT: (_G.INVALID_ARGUMENT, 422),
    Code.UNKNOWN_ENDPOINT: (_G.NOT_FOUND, 404),
    Code.METHOD_NOT_ALLOWED: (_G.UNIMPLEMENTED, 405),
    Code.UNAUTHENTICATED: (_G.UNAUTHENTICATED, 401),
    Code.TOO_LARGE: (_G.RESOURCE_EXHAUSTED, 413),
    Code.CANCELLED: (_G.CANCELLED, 499),
    Code.EXECUTOR_FAILED: (_G.UNKNOWN, 500),
    Code.UNAVAILABLE: (_G.UNAVAILABLE, 503),
    Code.OVERLOADED: (_G.RESOURCE_EXHAUSTED, 503),
    Code.DEADLINE: (_G.DEADLINE_EXCEEDED, 504),
    Code.UNENCODABLE: (_G.INTERNAL, 500),
    Code.INTERNAL: (_G.INTERNAL, 500),
    Code.TRANSPORT: (_G.UNAVAILABLE, 502),
    Code.CONFIG: (_G.INTERNAL, 500),
}
GRPC_STATUS: Final[Mapping[Code, GrpcStatus]] = {code: row[0] for code, row in _TABLE.items()}
HTTP_STATUS: Final[Mapping[Code, int]] = {code: row[1] for code, row in _TABLE.items()}

_OF_HTTP: Final[Mapping[int, tuple[GrpcStatus, GrpcStatus]]] = {  # said by an HTTP service; said where gRPC was asked for
    400: (_G.INVALID_ARGUMENT, _G.INTERNAL),
    401: (_G.UNAUTHENTICATED, _G.UNAUTHENTICATED),
    403: (_G.PERMISSION_DENIED, _G.PERMISSION_DENIED),
    404: (_G.NOT_FOUND, _G.UNIMPLEMENTED),
    405: (_G.UNIMPLEMENTED, _G.UNKNOWN),
    413: (_G.RESOURCE_EXHAUSTED, _G.UNKNOWN),
    422: (_G.INVALID_ARGUMENT, _G.UNKNOWN),
    429: (_G.RESOURCE_EXHAUSTED, _G.UNAVAILABLE),
    502: (_G.UNAVAILABLE, _G.UNAVAILABLE),
    503: (_G.UNAVAILABLE, _G.UNAVAILABLE),
    504: (_G.DEADLINE_EXCEEDED, _G.UNAVAILABLE),
}
_OTHER_HTTP: Final = (_G.UNKNOWN, _G.UNKNOWN)
_GRPC_OF_RESET: Final[Mapping[int, GrpcStatus]] = {
    0x7: _G.UNAVAILABLE,  # REFUSED_STREAM
    0x8: _G.CANCELLED,  # CANCEL
    0xB: _G.RESOURCE_EXHAUSTED,  # ENHANCE_YOUR_CALM
    0xC: _G.PERMISSION_DENIED,  # INADEQUATE_SECURITY
}


def nearest_grpc_status(status: int) -> GrpcStatus:
    """Give what an HTTP service would have said over gRPC."""
    return _OF_HTTP.get(status, _OTHER_HTTP)[0]


def grpc_status_of_http(status: int) -> GrpcStatus:
    """Give what a client reports for a reply that is HTTP but not gRPC (gRPC's http-grpc-status-mapping)."""
    return _OF_HTTP.get(status, _OTHER_HTTP)[1]


def grpc_status_of_reset(code: int) -> GrpcStatus:
    """Give what a client reports for RST_STREAM with an HTTP/2 error code (PROTOCOL-HTTP2, "Errors")."""
    return _GRPC_OF_RESET.get(code, _G.INTERNAL)
