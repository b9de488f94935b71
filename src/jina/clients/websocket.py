"""Old import path of the WebSocket clients."""

from __future__ import annotations

from jina.client.api import AsyncWebSocketClient, WebSocketClient

__all__ = ["AsyncWebSocketClient", "WebSocketClient"]
