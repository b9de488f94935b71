"""TCP sockets that are public: bound by the supervisor at once, listened on when a model is loaded, inherited by every front."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket
from collections.abc import Sequence
from typing import Any

from jina.errors import ConfigError, PortAlreadyUsed
from jina.process.stdio import above_stdio

_IN_USE = {errno.EADDRINUSE, errno.EACCES}
_NOT_HERE = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
_MAX_TRIES = 20
_EVERYWHERE_V4, _EVERYWHERE_V6 = "0.0.0.0", "::"


def bind_all(hosts: Sequence[str], port: int, *, reuse_port: bool = False) -> list[socket.socket]:
    """Bind one port on each of these hosts, with sockets that do not listen yet.

    A name is bound on all its addresses that this machine has (`localhost` on both families); `::` takes the callers of IPv4 too, unless
    `0.0.0.0` stands beside it.

    Args:
        hosts: Addresses or names of this machine; `0.0.0.0` or `::` for all addresses.
        port: 0 lets the system choose one that is free on all of them; `getsockname()` tells.
        reuse_port: Others that ask for this too may have the port at the same time, and the kernel divides the connections.

    Raises:
        PortAlreadyUsed: Another process has the port.
        ConfigError: A host is not one of this machine's.
    """
    found = {each[1]: (host, *each) for host in reversed(hosts) for each in _addresses(host, port, is_v6_only=_EVERYWHERE_V4 in hosts)}
    wanted = list(reversed(found.values()))
    for n_left in reversed(range(_MAX_TRIES)):
        try:
            return _bind_each(wanted, port, reuse_port)
        except PortAlreadyUsed:
            if port or not n_left:  # what the system chose on one address was taken on another
                raise
    raise AssertionError("unreachable")


def _addresses(host: str, port: int, *, is_v6_only: bool) -> list[tuple[socket.AddressFamily, Any, bool, bool]]:
    """Give (family, address, is one of several, only IPv6) for each address of a host."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError) as error:
        raise ConfigError(f"host {host!r} cannot be resolved: {error}") from error
    each = list(dict.fromkeys((family, address) for family, _, _, _, address in found))
    return [(family, address, len(each) > 1, is_v6_only or host != _EVERYWHERE_V6) for family, address in each]


def _bind_each(wanted: Sequence[tuple[str, socket.AddressFamily, Any, bool, bool]], port: int, reuse_port: bool) -> list[socket.socket]:
    with contextlib.ExitStack() as undo:
        sockets: list[socket.socket] = []
        for host, family, address, is_one_of_several, is_v6_only in wanted:
            here = (address[0], port or (sockets[0].getsockname()[1] if sockets else 0), *address[2:])
            try:
                sockets.append(undo.enter_context(_bound(family, here, is_v6_only, reuse_port)))
            except OSError as error:
                if not (is_one_of_several and error.errno in _NOT_HERE):
                    raise _refusal(host, here[1], error) from None  # it says all that the system said
        if not sockets:
            raise ConfigError(f"cannot listen on host {wanted[0][0]!r}: this machine has none of its addresses")
        undo.pop_all()
        return sockets


def _bound(family: socket.AddressFamily, address: Any, is_v6_only: bool, reuse_port: bool) -> socket.socket:
    """Bind.

    SO_REUSEADDR is on for the bind, so that a port in TIME_WAIT can be taken again, and off after it, so that nobody else can bind the
    port before we listen; whoever listens turns it on again.
    """
    sock = socket.socket(fileno=above_stdio(socket.socket(family, socket.SOCK_STREAM).detach()))
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, is_v6_only)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(address)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    except BaseException:
        sock.close()
        raise
    return sock


def _refusal(host: str, port: int, error: OSError) -> Exception:
    if error.errno in _IN_USE:
        reason = f"port {port} on host {host!r} cannot be used: {error.strerror}"
        return PortAlreadyUsed(f"{reason}; choose another or give port=0")
    return ConfigError(f"cannot listen on host {host!r}: {error.strerror}")


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach a listener on `host`: the loopback, or a Unix socket."""
    if host in ("localhost", "") or host.startswith(("unix:", "unix-abstract:")):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
