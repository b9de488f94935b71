"""From a Listener to its sockets, whatever kind they are: TCP ports, Unix sockets, sockets that a service manager passes."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Literal

from jina.errors import ConfigError
from jina.options.address import ABSTRACT, is_activated, is_network, unix_path
from jina.plan import Listener
from jina.process.activation import activated
from jina.process.forks import keep_from_forks, no_longer_ours
from jina.process.messages import Listen
from jina.process.ports import bind_all
from jina.process.unix_sockets import UnixSocket

_PROTOCOLS = ("http", "grpc", "websocket")


class Bound:
    """A Listener with the sockets that it got; they do not listen yet, but for those that somebody else opened.

    Attributes:
        listener: With the port that it got, and the addresses.
    """

    def __init__(
        self, listener: Listener, sockets: Sequence[socket.socket], unix: Sequence[UnixSocket] = (), *, is_ours: bool = True
    ) -> None:
        self.listener, self._is_ours = listener, is_ours
        self._sockets, self._unix = [*sockets, *(each.sock for each in unix)], unix

    def listen(self) -> Listen:
        """Give what a child needs to know; from now on the sockets are kept from forks of this process."""
        for sock in self._sockets:
            sock.setblocking(False)
            keep_from_forks(sock.fileno())
        return Listen(list(self.listener.protocols), [sock.fileno() for sock in self._sockets], self._is_ours)

    def renew(self) -> bool:
        """Make the files of Unix sockets again that somebody has removed, and say whether there was one.

        Raises:
            OSError: One cannot be made.
        """
        return sum(each.renew() for each in self._unix) > 0

    def close(self) -> None:
        """Close the sockets, and remove what was made for them."""
        for sock in self._sockets:
            no_longer_ours(sock.fileno())
            sock.close()
        for each in self._unix:
            each.close()


def bind(listeners: Sequence[Listener]) -> list[Bound]:
    """Bind all that is listened on.

    Raises:
        PortAlreadyUsed: Somebody else has one of them; none stays bound.
        ConfigError: An address cannot be listened on; none stays bound.
    """
    with contextlib.ExitStack() as undo:
        found: list[Bound] = []
        for listener in listeners:
            for bound in _bind(listener):
                undo.callback(bound.close)
                found.append(bound)
        served = {protocol for bound in found for protocol in bound.listener.protocols}
        for protocol in (protocol for listener in listeners for protocol in listener.protocols if protocol not in served):
            raise ConfigError(f"no socket was passed for protocol {protocol}: each one is named for another; name one so, or none")
        undo.pop_all()
        return found


def renew(served: Sequence[Bound], log: Callable[[Literal["info", "warning"], str], None]) -> None:
    """Before a process serves these: see that Unix sockets can be found. Where one cannot be made the others are served all the same."""
    for bound in served:
        where = ", ".join(bound.listener.hosts)
        try:
            if bound.renew():
                log("info", f"{where} was gone and is made again")
        except OSError as error:
            log("warning", f"{where} is gone and cannot be made again: {error.strerror or error}")


def _bind(listener: Listener) -> Iterator[Bound]:
    names = tuple(host for host in listener.hosts if is_network(host))
    if names:
        sockets = bind_all(names, listener.port, reuse_port=listener.reuse_port)
        yield Bound(replace(listener, hosts=names, port=sockets[0].getsockname()[1]), sockets)
    for host in listener.hosts:
        path = unix_path(host)
        if path is not None:
            yield Bound(replace(listener, hosts=(host,), port=0), [], [UnixSocket(path, listener.access)])
    for host in (host for host in listener.hosts if is_activated(host)):
        passed = activated(host)
        with contextlib.ExitStack() as undo:
            for _, sock in passed:
                undo.enter_context(sock)
            bound = [_of_manager(listener, name, sock) for name, sock in passed]
            undo.pop_all()
        yield from bound


def _of_manager(listener: Listener, name: str, sock: socket.socket) -> Bound:
    """A socket that is named for a protocol speaks that one, others speak all."""
    if name in _PROTOCOLS and name not in listener.protocols:
        raise ConfigError(f"a socket named {name!r} was passed, but protocol is {', '.join(listener.protocols)}; add it, or rename that")
    protocols = (name,) if name in _PROTOCOLS else listener.protocols
    address = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        text = address.decode() if isinstance(address, bytes) else address
        host, port = f"unix-abstract:{text[1:]}" if text[:1] == ABSTRACT else f"unix:{text}", 0
    else:
        host, port = address[:2]
    return Bound(replace(listener, protocols=protocols, hosts=(host,), port=port), [sock], is_ours=False)
