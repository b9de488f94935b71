"""Makes the protocol's part of a client."""

from __future__ import annotations

from typing import Any, Protocol

from jina.client.exchange import Deliver, Exchange
from jina.client.post import Post
from jina.enums import ProtocolType
from jina.options import ClientOptions
from jina.options.address import in_url, unix_path
from jina.transport import connect
from jina.transport.connect import Connect
from jina.transport.tls import TlsFiles
from jina.wire.grpc import Metadata


class Core(Protocol):
    """What the API asks of a protocol. Everything but making it, and `writer`, happens on its loop."""

    def writer(self, post: Post) -> Any:
        """Give what writes the requests of a post; in any thread."""

    def exchange(self, post: Post, deliver: Deliver) -> Exchange:
        """Begin a post."""

    def stream_doc(self, post: Post, deliver: Deliver) -> Exchange:
        """Begin a call of a streaming endpoint."""

    async def dry_run(self, timeout_s: float | None, metadata: Metadata) -> str:
        """Give the reason why the service takes no calls; empty if it does."""

    def close(self) -> None:
        """Close the connections."""


def make_core(options: ClientOptions, open_connection: Connect | None = None) -> Core:
    """Make a core; nothing is opened.

    Args:
        options: The client's.
        open_connection: Another way to the service than TCP.
    """
    address = authority_of(options)
    target = address if unix_path(options.host) is None else options.host
    if options.port == (443 if options.tls else 80):
        target += " (the port where none is given)"
    way = open_connection or _way(options)
    if options.protocol == ProtocolType.HTTP:
        from jina.client.http import HttpCore
        from jina.transport.http_client import HttpPool

        return HttpCore(HttpPool(way, target, max_body_bytes=options.max_message_bytes), address)
    if options.protocol == ProtocolType.WEBSOCKET:
        from jina.client.websocket import WebSocketCore
        from jina.client.websocket_pool import WebSocketPool

        return WebSocketCore(WebSocketPool(way, target, address, max_message_bytes=options.max_message_bytes))
    from jina.client.channel_options import read_channel_options
    from jina.client.grpc import GrpcCore
    from jina.transport.grpc_channel import GrpcChannel

    channel_options, authority = read_channel_options(options)
    return GrpcCore(GrpcChannel(way, target, channel_options), authority or address, "https" if options.tls else "http")


def _way(options: ClientOptions) -> Connect:
    tls = TlsFiles(options.ssl_certfile or "", options.ssl_keyfile or "", options.ssl_ca_certs or "") if options.tls else None
    alpn = ("h2",) if options.protocol == ProtocolType.GRPC else ("http/1.1",)
    name = (options.grpc_channel_options or {}).get("grpc.ssl_target_name_override", "")
    return connect.service(options.host, options.port, tls=tls, alpn=alpn, name=str(name))


def authority_of(options: ClientOptions) -> str:
    """Give `host:port`, an IPv6 address in brackets; for a Unix socket `localhost`, as gRPC does."""
    return f"{in_url(options.host)}:{options.port}" if unix_path(options.host) is None else "localhost"
