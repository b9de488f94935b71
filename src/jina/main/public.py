"""What a front listens on: the sockets that its supervisor has bound, with TLS where that is asked for."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from jina.fronts.table import Service, make_front
from jina.process.messages import Listen
from jina.process.unix_sockets import remove

if TYPE_CHECKING:
    from jina.fronts.front import Front

_BACKLOG = 4096


class PublicPorts:
    """The public sockets of a front process.

    Attributes:
        fronts: One for each port that is open.
    """

    def __init__(self, listens: Sequence[Listen]) -> None:
        """Take the sockets, which do not listen yet."""
        self.fronts: list[Front] = []
        self._listens = listens
        self._servers: list[asyncio.Server] = []

    async def open(self, service: Service) -> None:
        """Make the fronts, and listen."""
        is_secure = service.options.ssl_certfile is not None
        for listen in self._listens:
            front = make_front(service, listen.protocols)
            self.fronts.append(front)
            make = _behind_tls(front, listen.protocols) if is_secure else front.make_protocol
            self._servers += [await _serve(fd, make) for fd in listen.fds]

    def close(self, *, is_end: bool, is_last: bool) -> None:
        """Take no new connections.

        Args:
            is_end: No other front will take our place; until the supervisor closes the sockets, callers are refused.
            is_last: There is no supervisor that removes socket files.
        """
        for server in self._servers:
            server.close()
        for fd in (fd for listen in self._listens if listen.is_ours and is_end for fd in listen.fds):
            with socket.socket(fileno=os.dup(fd)) as sock, contextlib.suppress(OSError):  # it may not listen yet
                if is_last and sock.family == socket.AF_UNIX and isinstance(sock.getsockname(), str):
                    remove(sock.getsockname())
                sock.shutdown(socket.SHUT_RDWR)


async def _serve(fd: int, make_protocol: Callable[[], asyncio.BaseProtocol]) -> asyncio.Server:
    loop, sock = asyncio.get_running_loop(), socket.socket(fileno=os.dup(fd))
    if sock.family == socket.AF_UNIX:
        keep: dict[str, Any] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}  # the file is the supervisor's
        return await loop.create_unix_server(make_protocol, sock=sock, backlog=_BACKLOG, **keep)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections inherit it: their TIME_WAIT does not hold the port
    return await loop.create_server(make_protocol, sock=sock, backlog=_BACKLOG)


def _behind_tls(front: Front, protocols: Sequence[str]) -> Callable[[], asyncio.BaseProtocol]:
    from jina.transport.tls import RenewedContext, listener_files
    from jina.transport.tls_link import TlsLink

    files = listener_files(front.options)
    assert files is not None
    context = RenewedContext(files, ("h2",) if list(protocols) == ["grpc"] else ("h2", "http/1.1"))
    return lambda: TlsLink(context, front.make_protocol, front.options.header_timeout_s)
