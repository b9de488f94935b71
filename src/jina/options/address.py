"""Where a service is: `grpc://host:port` and its relatives, read the same way for a Client, for `jina ping` and for external nodes."""

from __future__ import annotations

from typing import NamedTuple

from jina.errors import ConfigError

# scheme -> protocol, with TLS
_SCHEMES = {
    "grpc": ("GRPC", False),
    "grpcs": ("GRPC", True),
    "http": ("HTTP", False),
    "https": ("HTTP", True),
    "ws": ("WEBSOCKET", False),
    "wss": ("WEBSOCKET", True),
    "websocket": ("WEBSOCKET", False),
    "websockets": ("WEBSOCKET", True),
}


class Address(NamedTuple):
    """A service's address; what was not written is None."""

    host: str
    port: int | None = None
    protocol: str | None = None
    tls: bool | None = None


def parse_address(text: str) -> Address:
    """Read `host`, `host:port`, `scheme://host:port`, `[::1]:port`; a trailing `/` is dropped.

    Raises:
        ConfigError: An unknown scheme, or a port that is no number from 0 to 65535.
    """
    scheme, separator, rest = text.strip().partition("://")
    protocol: str | None = None
    tls: bool | None = None
    if separator:
        if scheme.lower() not in _SCHEMES:
            raise ConfigError(f"address {text!r} has the unknown scheme {scheme!r}; use one of {', '.join(_SCHEMES)}")
        protocol, tls = _SCHEMES[scheme.lower()]
    else:
        rest = text.strip()
    host, port = _split_port(rest.rstrip("/"), text)
    return Address(host, port, protocol, tls)


def _split_port(rest: str, text: str) -> tuple[str, int | None]:
    if rest.startswith("["):
        host, closed, tail = rest[1:].partition("]")
        if not closed or (tail and not tail.startswith(":")):
            raise ConfigError(f"address {text!r} is not valid; write an IPv6 address as [::1]:54321")
        return host, _port(tail[1:], text) if tail else None
    if rest.count(":") > 1:
        return rest, None
    host, separator, port = rest.partition(":")
    return host, _port(port, text) if separator else None


def _port(word: str, text: str) -> int:
    if not (word.isascii() and word.isdigit()) or int(word) > 65535:
        raise ConfigError(f"address {text!r} has the port {word!r}; a port is a number from 0 to 65535")
    return int(word)
