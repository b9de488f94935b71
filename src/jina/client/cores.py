"""Makes the protocol's part of a client."""

from __future__ import annotations

from typing import Any, Protocol

from jina.client.exchange import Deliver, Exchange
from jina.client.post import Post
from jina.enums import ProtocolType
from jina.options import ClientOptions
from jina.transport import connect
from jina.transport.connect import Connect
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
    is_http = options.protocol == ProtocolType.HTTP
    address = authority_of(options)
    way = open_connection or connect.tcp(options.host, options.port, tls=options.tls, alpn="http/1.1" if is_http else "h2")
    if is_http:
        from jina.client.http import HttpCore
        from jina.transport.http_client import HttpPool

        return HttpCore(HttpPool(way, address, max_body_bytes=options.max_message_bytes), address)
    from jina.client.channel_options import read_channel_options
    from jina.client.grpc import GrpcCore
    from jina.transport.grpc_channel import GrpcChannel

    channel_options, authority = read_channel_options(options)
    return GrpcCore(GrpcChannel(way, address, channel_options), authority or address, "https" if options.tls else "http")


def authority_of(options: ClientOptions) -> str:
    """Give `host:port`, an IPv6 address in brackets."""
    host = f"[{options.host}]" if ":" in options.host else options.host
    return f"{host}:{options.port}"
