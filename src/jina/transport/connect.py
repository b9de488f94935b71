"""How a client gets a connection: over TCP, over TLS, or (in tests) through memory."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

Connect = Callable[[Callable[[], asyncio.Protocol]], Awaitable[tuple[Any, Any]]]
"""Takes what makes a protocol, gives (transport, protocol); raises OSError if nobody listens."""

_ROOTS = "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"
_HINTS = {
    "WRONG_VERSION_NUMBER": "; it does not speak TLS",
    "CERTIFICATE_VERIFY_FAILED": f"; {_ROOTS} may name a file with further roots to trust",
}
_REACHABLE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}


def tcp(host: str, port: int, *, tls: bool = False, alpn: str = "h2") -> Connect:
    """Give a Connect to a host and port; an address that means "all interfaces" is reached on the loopback.

    Args:
        host: Name or address.
        port: Its port.
        tls: Speak TLS, with the system's roots, or those in the file that `GRPC_DEFAULT_SSL_ROOTS_FILE_PATH` names.
        alpn: The protocol that TLS is asked for.
    """
    made: list[ssl.SSLContext] = []

    async def connect(make_protocol: Callable[[], asyncio.Protocol]) -> tuple[Any, Any]:
        loop = asyncio.get_running_loop()
        if tls and not made:
            made.append(_tls_context(alpn))
        try:
            return await loop.create_connection(make_protocol, _REACHABLE.get(host, host), port, ssl=made[0] if made else None)
        except ssl.SSLError as error:
            raise ConnectionError(f"{error}{_HINTS.get(error.reason, '')}") from error
        except UnicodeError as error:
            raise ConnectionError(f"{host!r} is no host name: {error}") from error

    return connect


def _tls_context(alpn: str) -> ssl.SSLContext:
    roots = os.environ.get(_ROOTS) or None
    try:
        context = ssl.create_default_context(cafile=roots)
    except OSError as error:
        raise ConnectionError(f"the roots in {roots!r}, which {_ROOTS} names, cannot be read: {error}") from error
    context.set_alpn_protocols([alpn])
    return context
