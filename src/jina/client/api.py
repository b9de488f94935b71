"""The clients that users hold: one class a protocol, sync and async. Making one opens nothing and starts nothing."""

from __future__ import annotations

from typing import Any, ClassVar

from jina.client.async_client import AsyncClient
from jina.client.base import read_options
from jina.client.sync_client import SyncClient
from jina.enums import ProtocolType


class GRPCClient(SyncClient):
    """Calls a service over gRPC."""


class HTTPClient(SyncClient):
    """Calls a service over HTTP."""

    protocol: ClassVar[ProtocolType] = ProtocolType.HTTP


class AsyncGRPCClient(AsyncClient):
    """Calls a service over gRPC from coroutines."""


class AsyncHTTPClient(AsyncClient):
    """Calls a service over HTTP from coroutines."""

    protocol: ClassVar[ProtocolType] = ProtocolType.HTTP


class WebSocketClient(SyncClient):
    """Calls a service over WebSocket."""

    protocol: ClassVar[ProtocolType] = ProtocolType.WEBSOCKET


class AsyncWebSocketClient(AsyncClient):
    """Calls a service over WebSocket from coroutines."""

    protocol: ClassVar[ProtocolType] = ProtocolType.WEBSOCKET


_CLASSES: dict[tuple[ProtocolType, bool], type[Any]] = {
    (ProtocolType.GRPC, False): GRPCClient,
    (ProtocolType.GRPC, True): AsyncGRPCClient,
    (ProtocolType.HTTP, False): HTTPClient,
    (ProtocolType.HTTP, True): AsyncHTTPClient,
    (ProtocolType.WEBSOCKET, False): WebSocketClient,
    (ProtocolType.WEBSOCKET, True): AsyncWebSocketClient,
}


def Client(args: Any = None, **kwargs: Any) -> Any:
    """Make a client of a service; connections are opened by the first call.

        client = Client(host="grpc://127.0.0.1:54321")
        docs = client.post("/embed", DocList[Text]([Text(text="hello")]), return_type=DocList[Embedded])

    Args:
        args: A namespace of arguments, instead of keywords.
        **kwargs: `host` (may hold scheme and port), `port`, `protocol` (`grpc`, `http` or `websocket`), `tls`, `asyncio` (give coroutines
            and async iterators), `prefetch`; all of them in `jina.options.ClientOptions`.

    Raises:
        ConfigError: A value that cannot work, or one that is said twice.
    """
    seams = {name: kwargs.pop(name) for name in ("open_connection", "loop") if name in kwargs}
    options = read_options(args, kwargs)
    return _CLASSES[options.protocol, options.asyncio](options, **seams)
