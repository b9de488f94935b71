"""Old import path; the decorators live in `jina.executor`."""

from jina.executor import dynamic_batching, monitor, requests, write

__all__ = ["dynamic_batching", "monitor", "requests", "write"]
