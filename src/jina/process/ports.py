"""Public sockets: bound by the supervisor at once, listened on when a model is loaded, inherited by every front."""

from __future__ import annotations

import errno
import ipaddress
import socket

from jina.errors import ConfigError, PortAlreadyUsed
from jina.process.stdio import above_stdio

_IN_USE = {errno.EADDRINUSE, errno.EACCES}


def bind(host: str, port: int) -> socket.socket:
    """Bind a TCP socket that does not listen yet.

    SO_REUSEADDR is on for the bind, so that a port in TIME_WAIT can be taken again, and off after it, so that nobody else can bind the
    port before we listen; whoever listens turns it on again.

    Args:
        host: An address or a name of this machine; `0.0.0.0` or `::` for all addresses.
        port: 0 lets the system choose; `getsockname()` tells.

    Raises:
        PortAlreadyUsed: Another process has the port.
        ConfigError: The host is not one of this machine's.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (socket.gaierror, UnicodeError) as error:
        raise ConfigError(f"host {host!r} cannot be resolved: {error}") from error
    sock = socket.socket(fileno=above_stdio(socket.socket(family, kind, protocol).detach()))
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    except OSError as error:
        sock.close()
        if error.errno in _IN_USE:
            reason = f"port {port} on host {host!r} cannot be used: {error.strerror}"
            raise PortAlreadyUsed(f"{reason}; choose another or give port=0") from error
        raise ConfigError(f"cannot listen on host {host!r}, port {port}: {error.strerror}") from error
    return sock


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach a listener on `host`."""
    if host in ("localhost", ""):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
