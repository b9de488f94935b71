"""Serve any model as a typed service over gRPC and HTTP. Names are imported when first used, so that `import jina` stays cheap."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jina.client import Client as Client
    from jina.deployment import Deployment as Deployment
    from jina.docs import BaseDoc as BaseDoc
    from jina.docs import DocList as DocList
    from jina.docs import Document as Document
    from jina.docs import DocumentArray as DocumentArray
    from jina.executor import Executor as Executor
    from jina.executor import caller_gone as caller_gone
    from jina.executor import dynamic_batching as dynamic_batching
    from jina.executor import monitor as monitor
    from jina.executor import requests as requests
    from jina.flow import AsyncFlow as AsyncFlow
    from jina.flow import Flow as Flow

__version__ = "4.0.0a1"
__proto_version__ = "0.1.27"

_HOME = {
    "BaseDoc": "jina.docs",
    "Client": "jina.client",
    "Deployment": "jina.deployment",
    "DocList": "jina.docs",
    "Document": "jina.docs",
    "DocumentArray": "jina.docs",
    "AsyncFlow": "jina.flow",
    "Executor": "jina.executor",
    "Flow": "jina.flow",
    "caller_gone": "jina.executor",
    "dynamic_batching": "jina.executor",
    "monitor": "jina.executor",
    "requests": "jina.executor",
}


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise _missing(name)
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def _missing(name: str) -> AttributeError:
    why = ": gateways of your own come with a later release; a Flow has one" if name == "Gateway" else ""
    return AttributeError(f"module 'jina' has no attribute {name!r}{why}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
