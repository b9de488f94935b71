"""What a service tells of itself: versions of what it is made of, and Jina's environment variables."""

from __future__ import annotations

import os
import platform
import sys
import time
import uuid
from collections.abc import Mapping

import jina

_STARTED_S = time.monotonic()
_SESSION = uuid.uuid4().hex
_ENVIRONMENT = (
    "JINA_DEFAULT_HOST",
    "JINA_DEFAULT_TIMEOUT_CTRL",
    "JINA_DEPLOYMENT_NAME",
    "JINA_DISABLE_UVLOOP",
    "JINA_EARLY_STOP",
    "JINA_FULL_CLI",
    "JINA_GATEWAY_IMAGE",
    "JINA_GRPC_RECV_BYTES",
    "JINA_GRPC_SEND_BYTES",
    "JINA_HUB_NO_IMAGE_REBUILD",
    "JINA_LOG_CONFIG",
    "JINA_LOG_LEVEL",
    "JINA_LOG_NO_COLOR",
    "JINA_MP_START_METHOD",
    "JINA_OPTOUT_TELEMETRY",
    "JINA_RANDOM_PORT_MAX",
    "JINA_RANDOM_PORT_MIN",
    "JINA_LOCKS_ROOT",
    "JINA_K8S_ACCESS_MODES",
    "JINA_K8S_STORAGE_CLASS_NAME",
    "JINA_K8S_STORAGE_CAPACITY",
    "JINA_STREAMER_ARGS",
)


def versions() -> dict[str, str]:
    """Versions under the names that Jina gives them; what we do not use is `(unset)`."""
    unset = "(unset)"
    return {
        "jina": jina.__version__,
        "docarray": _version("docarray"),
        "jcloud": unset,
        "jina-hubble-sdk": unset,
        "jina-proto": jina.__proto_version__,
        "protobuf": unset,
        "proto-backend": unset,
        "grpcio": unset,
        "pyyaml": _version("pyyaml"),
        "python": platform.python_version(),
        "platform": platform.system(),
        "platform-release": platform.release(),
        "platform-version": platform.version(),
        "architecture": platform.machine(),
        "processor": platform.processor() or sys.platform,
        "uid": unset,
        "session-id": _SESSION,
        "uptime": f"{time.monotonic() - _STARTED_S:.3f}",
        "ci-vendor": unset,
        "internal": unset,
    }


def environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Jina's variables, `(unset)` where they are not set. They hold no secrets; those that could are not among them."""
    return {name: environ.get(name, "(unset)") for name in _ENVIRONMENT}


def _version(distribution: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        return "(unset)"
