"""Old import path; see `jina.observe.logging`."""

from jina.observe.logging import JinaLogger

__all__ = ["JinaLogger"]
