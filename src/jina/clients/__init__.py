"""Old import path of `jina.Client`."""

from __future__ import annotations

from jina.client.api import Client

__all__ = ["Client"]
