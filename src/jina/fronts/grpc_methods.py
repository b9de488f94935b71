"""Which function answers which gRPC method."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from jina.fronts.grpc_about import Reflection, check_health, discover, dry_run, status, watch_health
from jina.fronts.grpc_data import process_single_data, stream_doc
from jina.fronts.grpc_stream import DataStream
from jina.wire.grpc import RequestHead

if TYPE_CHECKING:
    from jina.fronts.grpc_carrier import Carrier, ServerStreamCall

Unary = Callable[["Carrier", int, RequestHead, bytes], Coroutine[Any, Any, None]]
UNARY: dict[str, Unary] = {
    "/jina.JinaSingleDataRequestRPC/process_single_data": process_single_data,
    "/jina.JinaSingleDocumentRequestRPC/stream_doc": stream_doc,
    "/jina.JinaDiscoverEndpointsRPC/endpoint_discovery": discover,
    "/jina.JinaGatewayDryRunRPC/dry_run": dry_run,
    "/jina.JinaInfoRPC/_status": status,
    "/grpc.health.v1.Health/Check": check_health,
    "/grpc.health.v1.Health/Watch": watch_health,
}
"""Methods that take exactly one message."""
UNARY_PATHS = frozenset(UNARY)

Stream = Callable[["Carrier", int, RequestHead], "ServerStreamCall"]
STREAMS: dict[str, Stream] = {
    "/jina.JinaRPC/Call": DataStream,
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": Reflection,
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo": Reflection,
}
"""Methods that take a stream of messages."""
