"""Clients: `Client(...)` gives one for a protocol, sync or async. Names are imported when first used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jina.client.api import AsyncGRPCClient, AsyncHTTPClient, AsyncWebSocketClient, Client, GRPCClient, HTTPClient, WebSocketClient
    from jina.client.failures import RpcError

__all__ = [
    "AsyncGRPCClient",
    "AsyncHTTPClient",
    "AsyncWebSocketClient",
    "Client",
    "GRPCClient",
    "HTTPClient",
    "RpcError",
    "WebSocketClient",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'jina.client' has no attribute {name!r}")
    home = "jina.client.failures" if name == "RpcError" else "jina.client.api"
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value
