"""For tests: serve an Executor in this process, without sockets or child processes."""

from __future__ import annotations

from jina.testing.serving import AsyncService, HttpReply, Serve, Service, serve

__all__ = ["AsyncService", "HttpReply", "Serve", "Service", "serve"]
