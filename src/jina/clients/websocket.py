"""Old import path of the WebSocket clients, which a later release brings: making one says so."""

from __future__ import annotations

from jina.client.api import AsyncWebSocketClient, WebSocketClient

__all__ = ["AsyncWebSocketClient", "WebSocketClient"]
