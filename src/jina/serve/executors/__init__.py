"""Old import path; the class lives in `jina.executor`."""

from jina.executor import BaseExecutor, Executor

__all__ = ["BaseExecutor", "Executor"]
