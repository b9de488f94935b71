"""How a client gets a connection: over TCP or a Unix socket, with TLS or without, or (in tests) through memory."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from jina.errors import TransportError
from jina.options.address import reachable, unix_path
from jina.transport.tls import TlsFiles, client_context, explain

Connect = Callable[[Callable[[], asyncio.Protocol]], Awaitable[tuple[Any, Any]]]
"""Takes what makes a protocol, gives (transport, protocol); raises OSError if nobody listens."""
_OPEN_TIMEOUT_S = 20.0


def service(
    host: str, port: int, *, tls: TlsFiles | None = None, alpn: Sequence[str] = ("h2",), name: str = "", is_pinned: bool = False
) -> Connect:
    """Give a Connect to a service.

    Args:
        host: Name or address, or `unix:PATH`.
        port: Its port; a Unix socket has none.
        tls: Speak TLS, with these files; empty ones mean the system's roots and no client certificate.
        alpn: The protocols that TLS is asked for, best first.
        name: What the service's certificate must name, where that is not `host`.
        is_pinned: The service has the very certificate in `tls.ca_certs`, as that file is whenever a connection is opened.
    """
    made: list[ssl.SSLContext] = []
    path, host = unix_path(host), reachable(host)
    name = name or (host if path is None else "localhost")

    async def connect(make_protocol: Callable[[], asyncio.Protocol]) -> tuple[Any, Any]:
        loop = asyncio.get_running_loop()
        if tls is not None and (is_pinned or not made):
            made[:] = [client_context(tls, alpn, is_pinned=is_pinned)]
        security: dict[str, Any] = {"ssl": made[0], "server_hostname": name} if made else {}
        try:
            if path is not None:
                return await loop.create_unix_connection(make_protocol, sock=await _connected(path), **security)
            return await loop.create_connection(make_protocol, host, port, **security)
        except ssl.SSLError as error:
            raise ConnectionError(explain(error)) from error
        except (ConnectionResetError, ConnectionAbortedError) as error:
            if not made:
                raise
            raise ConnectionError(f"the connection was closed while TLS began ({error}); does it speak TLS?") from error
        except UnicodeError as error:
            raise ConnectionError(f"{host!r} is no host name: {error}") from error

    return connect


@asynccontextmanager
async def opening(target: str) -> AsyncIterator[None]:
    """Bound the time in which a connection is opened, and say why it is not.

    Raises:
        TransportError: It was too late, or an OSError.
    """
    try:
        async with asyncio.timeout(_OPEN_TIMEOUT_S):
            yield
    except TimeoutError:
        raise TransportError(f"failed to connect to {target}: no answer within {_OPEN_TIMEOUT_S:g} s") from None
    except OSError as error:
        raise TransportError(f"failed to connect to {target}: {error}") from error


async def _connected(path: str) -> socket.socket:
    """Connect to a Unix socket, also to an abstract one, whose name event loops do not all take."""
    sock = socket.socket(socket.AF_UNIX)
    sock.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(sock, path)
    except BaseException:
        sock.close()
        raise
    return sock
