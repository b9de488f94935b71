"""Old import path of the HTTP clients."""

from __future__ import annotations

from jina.client.api import AsyncHTTPClient, HTTPClient

__all__ = ["AsyncHTTPClient", "HTTPClient"]
