"""Old import path of the gRPC clients."""

from __future__ import annotations

from jina.client.api import AsyncGRPCClient, GRPCClient

__all__ = ["AsyncGRPCClient", "GRPCClient"]
