"""The client that a service gives its own program: it knows the key and trusts the very certificate of the service."""

from __future__ import annotations

from typing import Any

from jina.options.address import reachable
from jina.options.service import ServiceOptions
from jina.plan import Listener


def own_client(options: ServiceOptions, listener: Listener, *, is_async: bool = False) -> Any:
    """Make a client of the first protocol and address of a listener, one of coroutines if asked for; it connects when it is used."""
    from jina.client import Client

    is_secure = bool(options.ssl_certfile)
    where = {"host": reachable(listener.hosts[0]), "port": listener.port, "protocol": listener.protocols[0], "tls": is_secure}
    way = _pinned_way(options, listener) if is_secure else None
    return Client(**where, asyncio=is_async, api_key=_own_key(options.api_key), open_connection=way)


def _pinned_way(options: ServiceOptions, listener: Listener) -> Any:
    """Trust our certificate, whatever it names, and show it to a service that asks for one."""
    from jina.transport import connect
    from jina.transport.tls import TlsFiles

    certfile = options.ssl_certfile or ""
    files = TlsFiles(certfile, options.ssl_keyfile or "", certfile)
    alpn = ("h2",) if listener.protocols[0] == "grpc" else ("http/1.1",)
    return connect.service(listener.hosts[0], listener.port, tls=files, alpn=alpn, is_pinned=True)


def _own_key(key: Any) -> str | None:
    """A key that the service takes from its own client; none where a function decides."""
    if key is None or isinstance(key, str) or callable(key):
        return key if isinstance(key, str) else None
    return next(iter(key), None)
