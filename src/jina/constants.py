"""Old import path: the names that Jina 3's `jina.constants` has and that people use."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

__windows__: bool = sys.platform == "win32"
__default_endpoint__ = "/default"
__default_executor__ = "BaseExecutor"
__default_gateway__ = "BaseGateway"
__default_http_gateway__ = "HTTPGateway"
__default_grpc_gateway__ = "GRPCGateway"
__default_websocket_gateway__ = "WebSocketGateway"
__default_composite_gateway__ = "CompositeGateway"
__docker_host__ = "host.docker.internal"
__ready_msg__ = "ready and listening"
__stop_msg__ = "terminated"
__unset_msg__ = "(unset)"
__args_executor_func__: set[str] = {"docs", "parameters", "docs_matrix"}
__args_executor_init__: set[str] = {"metas", "requests", "runtime_args"}


def __getattr__(name: str) -> Any:
    """Give what depends on the environment, read when it is asked for."""
    if name == "__default_host__":
        return os.environ.get("JINA_DEFAULT_HOST", "127.0.0.1")
    if name == "__cache_path__":
        return str(Path.home() / ".cache" / "jina")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
