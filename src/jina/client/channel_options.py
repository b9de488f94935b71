"""What grpcio's channel options mean here."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jina.options import ClientOptions
from jina.transport.grpc_connection import ChannelOptions

Reader = tuple[str, Callable[[Any], Any]]


def _size(value: Any) -> int | None:
    return None if int(value) < 0 else int(value)


def _seconds(value: Any) -> float | None:
    return None if not 0 < int(value) < 2**31 - 1 else int(value) / 1000


_READERS: dict[str, Reader] = {
    "grpc.max_receive_message_length": ("max_receive_bytes", _size),
    "grpc.max_send_message_length": ("max_send_bytes", _size),
    "grpc.max_metadata_size": ("max_metadata_bytes", int),
    "grpc.keepalive_time_ms": ("keepalive_time_s", _seconds),
    "grpc.keepalive_timeout_ms": ("keepalive_timeout_s", lambda value: _seconds(value) or 20.0),
    "grpc.keepalive_permit_without_calls": ("is_kept_alive_idle", bool),
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
        warnings.warn(f"grpc_channel_options without a meaning here are ignored: {', '.join(map(repr, unknown))}", stacklevel=4)
    return ChannelOptions(**found), authority
