"""A client over WebSocket: posts, streams and dry runs over a pool of connections. One core belongs to one loop."""

from __future__ import annotations

import asyncio

from jina.client.exchange import Deliver, Exchange
from jina.client.failures import RpcError
from jina.client.ids import SharedIds
from jina.client.post import Post
from jina.client.proto_requests import RequestWriter
from jina.client.websocket_exchanges import DocumentStream, SocketExchange, closed_failure
from jina.client.websocket_pool import WebSocketPool
from jina.codec.messages import read_status
from jina.errors import MalformedError, TransportError
from jina.wire.grpc import Metadata

_DRY_RUN = "/dry_run"


class WebSocketCore:
    """What a client does over one pool of connections."""

    def __init__(self, pool: WebSocketPool) -> None:
        self.pool = pool
        self._ids = SharedIds()

    def writer(self, post: Post) -> RequestWriter:
        """Give what writes the requests of a post; in any thread."""
        return RequestWriter(post, self._ids.request_id)

    def exchange(self, post: Post, deliver: Deliver) -> Exchange:
        """Begin a post."""
        return SocketExchange(self.pool, post, deliver)

    def stream_doc(self, post: Post, deliver: Deliver) -> Exchange:
        """Begin a call of a streaming endpoint: `submit` it, once."""
        return DocumentStream(self.pool, post, deliver)

    async def dry_run(self, timeout_s: float | None, metadata: Metadata) -> str:
        """Ask whether the service would take calls; gives the reason why not, else an empty string."""
        told = _Told()
        try:
            async with asyncio.timeout(timeout_s):
                connection = await self.pool.open(_DRY_RUN, tuple(metadata))
                connection.own(told)
                try:
                    data = await told.first
                finally:
                    connection.close()
            status = read_status(data)
        except (RpcError, TransportError, MalformedError) as error:
            return str(error)
        except TimeoutError:
            return "no answer in time"
        return status.description or "the dry run failed" if status.is_error else ""

    def close(self) -> None:
        """Close the connections; on the core's loop."""
        self.pool.close()


class _Told:
    """Waits for the first message."""

    def __init__(self) -> None:
        self.first: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def message(self, data: bytes, is_text: bool) -> None:
        if not self.first.done():
            self.first.set_result(data)

    def closed(self, code: int, reason: str) -> None:
        if not self.first.done():
            self.first.set_exception(closed_failure(code, reason))
