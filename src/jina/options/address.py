"""Where a service is: `grpc://host:port` and its relatives, read the same way for a Client, for `jina ping` and for external nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

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


ABSTRACT = "\0"
"""The kernel's mark of a Unix socket that is a name and no file."""


class Address(NamedTuple):
    """A service's address; what was not written is None."""

    host: str
    port: int | None = None
    protocol: str | None = None
    tls: bool | None = None


def parse_address(text: str) -> Address:
    """Read `host`, `host:port`, `scheme://host:port`, `[::1]:port`, `unix:PATH`, `scheme+unix:PATH`; a trailing `/` is dropped.

    Raises:
        ConfigError: An unknown scheme, a port that is no number from 0 to 65535, or a Unix socket without a path.
    """
    text = text.strip()
    scheme, plus, rest = text.partition("+")
    if unix_path(text) is not None:
        return Address(text)
    if plus and unix_path(rest) is not None:
        return Address(rest, None, *_protocol(scheme, text))
    scheme, separator, rest = text.partition("://")
    if not separator:
        return Address(*_split_port(text.rstrip("/"), text))
    return Address(*_split_port(rest.rstrip("/"), text), *_protocol(scheme, text))


@dataclass(frozen=True, kw_only=True)
class Elsewhere:
    """An executor that somebody else runs: where it is, and how it is called.

    Attributes:
        addresses: `host:port` each, equal copies; as `runtime/remote.py` takes them.
        tls: Speak TLS to all of them.
        metadata: Sent with every call.
        retries: How often a call is tried again; below 0 it is decided by the number of addresses.
    """

    addresses: tuple[str, ...]
    tls: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict, repr=False)
    retries: int = -1


def pair(hosts: Sequence[str], ports: Sequence[int]) -> tuple[str, ...]:
    """Give hosts and ports as addresses: a host that brings its port has it, the others one each; a lone host or port is that of all.

    Raises:
        ConfigError: Their numbers do not fit, or a host cannot be read.
    """
    bare = [host for host in hosts if unix_path(host) is None and parse_address(host).port is None and "+" not in host]
    if not ports or not bare:
        if ports:
            raise ConfigError(f"every host has a port already, so port {', '.join(map(str, ports))} is whose? leave it out")
        return (*hosts,)
    if len(bare) > 1 < len(ports) and len(bare) != len(ports):
        raise ConfigError(f"{len(bare)} hosts and {len(ports)} ports make no addresses; give as many of each, or one of either")
    if len(bare) == 1 and len(hosts) == 1:
        return tuple(_with_port(hosts[0], port) for port in ports)
    rest = iter(ports if len(ports) == len(bare) else [*ports] * len(bare))
    return tuple(_with_port(host, next(rest)) if host in bare else host for host in hosts)


def _with_port(host: str, port: int) -> str:
    scheme, separator, _ = host.rpartition("://")
    return f"{scheme}{separator}{in_url(reachable(parse_address(host).host))}:{port}"


def _protocol(scheme: str, text: str) -> tuple[str, bool]:
    if scheme.lower() not in _SCHEMES:
        raise ConfigError(f"address {text!r} has the unknown scheme {scheme!r}; use one of {', '.join(_SCHEMES)}")
    return _SCHEMES[scheme.lower()]


def unix_path(host: str) -> str | None:
    """Give the path of a host like `unix:/run/a.sock` (as gRPC writes it), or a name behind ABSTRACT for `unix-abstract:name`.

    None for a host of the network.

    Raises:
        ConfigError: There is no path.
    """
    scheme, separator, rest = host.partition(":")
    if not separator or scheme not in ("unix", "unix-abstract"):
        return None
    path = rest.removeprefix("//")
    if not path:
        raise ConfigError(f"address {host!r} names no socket; write it as unix:/path/to/socket")
    return path if scheme == "unix" else ABSTRACT + path


def is_activated(host: str) -> bool:
    """Say whether a service means, by this host, the sockets that a service manager passes: `systemd` for all, `systemd:NAME`."""
    return host == "systemd" or host.startswith("systemd:")


def is_network(host: str) -> bool:
    """Say whether a host has ports."""
    return unix_path(host) is None and not is_activated(host)


def reachable(host: str) -> str:
    """Give the host; for one that means "all interfaces" the loopback."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)


def in_url(host: str) -> str:
    """Give a host as URLs write it: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


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
