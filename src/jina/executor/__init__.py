"""What users subclass and mark its methods with; the modules beside it say what that implies."""

from jina.caller import caller_gone
from jina.executor.base import BaseExecutor, Executor
from jina.executor.decorators import dynamic_batching, monitor, requests, write
from jina.executor.setup import create_executor

__all__ = [
    "BaseExecutor",
    "Executor",
    "caller_gone",
    "create_executor",
    "dynamic_batching",
    "monitor",
    "requests",
    "write",
]
