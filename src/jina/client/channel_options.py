"""What grpcio's channel options mean here."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jina.errors import ConfigError
from jina.options import ClientOptions
from jina.transport.grpc_connection import ChannelOptions
from jina.warning import warn_user

Reader = tuple[str, Callable[[Any], Any]]


def _size(value: Any) -> int | None:
    return None if int(value) < 0 else int(value)


def _seconds(value: Any) -> float | None:
    return None if not 0 < int(value) < 2**31 - 1 else int(value) / 1000


def _waits_for_ready(value: Any) -> bool:
    """Read of a service config (JSON, or what it stands for) whether its methods wait for a connection."""
    try:
        config = json.loads(value) if isinstance(value, str | bytes) else value
        return any(method.get("waitForReady") is True for method in config.get("methodConfig", ()))
    except (ValueError, TypeError, AttributeError) as error:
        raise ConfigError(f"grpc.service_config must be a JSON object with a list 'methodConfig', got {str(value)[:80]!r}") from error


_READERS: dict[str, Reader] = {
    "grpc.max_receive_message_length": ("max_receive_bytes", _size),
    "grpc.max_send_message_length": ("max_send_bytes", _size),
    "grpc.max_metadata_size": ("max_metadata_bytes", int),
    "grpc.keepalive_time_ms": ("keepalive_time_s", _seconds),
    "grpc.keepalive_timeout_ms": ("keepalive_timeout_s", lambda value: _seconds(value) or 20.0),
    "grpc.keepalive_permit_without_calls": ("is_kept_alive_idle", bool),
    "grpc.http2.max_pings_without_data": ("max_pings_without_data", lambda value: int(value) or None),
    "grpc.initial_reconnect_backoff_ms": ("first_backoff_s", lambda value: max(0.1, int(value) / 1000)),
    "grpc.max_reconnect_backoff_ms": ("max_backoff_s", lambda value: max(0.1, int(value) / 1000)),
    "grpc.service_config": ("waits_for_ready", _waits_for_ready),
}
_AUTHORITIES = ("grpc.default_authority", "grpc.ssl_target_name_override")


def read_channel_options(options: ClientOptions) -> tuple[ChannelOptions, str]:
    """Give a channel's options, and the authority to name to the server (empty for the address).

    Options without a meaning here are named in one warning.
    """
    given: Any = options.grpc_channel_options or {}
    pairs: Iterable[tuple[str, Any]] = given.items() if isinstance(given, Mapping) else given
    found: dict[str, Any] = {"max_receive_bytes": options.max_message_bytes}
    authority, unknown = "", []
    for name, value in pairs:
        if name in _READERS:
            field, read = _READERS[name]
            found[field] = read(value)
        elif name in _AUTHORITIES:
            authority = str(value)
        else:
            unknown.append(name)
    if unknown:
        warn_user(f"grpc_channel_options without a meaning here are ignored: {', '.join(map(repr, unknown))}")
    return ChannelOptions(**found), authority
