"""What a front listens on: the sockets that its supervisor has bound, with TLS where that is asked for."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jina.fronts.table import Service, make_front
from jina.process.messages import Listen
from jina.process.unix_sockets import remove

if TYPE_CHECKING:
    import ssl

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
        for listen in self._listens:
            front = make_front(service, listen.protocols)
            self.fronts.append(front)
            context = _tls_context(listen.protocols, service.options)
            handshake_s = front.options.header_timeout_s or None if context else None
            for fd in listen.fds:
                self._servers.append(await _serve(fd, front, ssl=context, ssl_handshake_timeout=handshake_s))

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


async def _serve(fd: int, front: Front, **security: Any) -> asyncio.Server:
    loop, sock = asyncio.get_running_loop(), socket.socket(fileno=os.dup(fd))
    if sock.family == socket.AF_UNIX:
        return await loop.create_unix_server(front.make_protocol, sock=sock, backlog=_BACKLOG, **security)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections inherit it: their TIME_WAIT does not hold the port
    return await loop.create_server(front.make_protocol, sock=sock, backlog=_BACKLOG, **security)


def _tls_context(protocols: Sequence[str], options: Mapping[str, Any]) -> ssl.SSLContext | None:
    if not options.get("ssl_certfile"):
        return None
    from jina.transport.tls import RenewedContext, TlsFiles

    files = TlsFiles(options["ssl_certfile"], options["ssl_keyfile"], options.get("ssl_ca_certs") or "")
    return RenewedContext(files, ("h2",) if list(protocols) == ["grpc"] else ("h2", "http/1.1"))
