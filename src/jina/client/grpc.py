"""A client over gRPC: what it asks of a channel, and the bytes for it. One core belongs to one loop."""

from __future__ import annotations

import asyncio
from functools import lru_cache, partial

from jina.call import DIALECT
from jina.client.answers import Answer, GrpcAnswer
from jina.client.dialect import AgreeingExchange
from jina.client.exchange import Deliver, Exchange, SeparateExchange
from jina.client.failures import failure_of
from jina.client.grpc_exchanges import CallExchange, DocumentStream, refused_size
from jina.client.ids import SharedIds
from jina.client.post import Post
from jina.client.proto_requests import RequestWriter
from jina.codec import messages
from jina.codec.pieces import Message
from jina.errors import BadClientInput, JinaError
from jina.transport.grpc_calls import CallEnd, UnaryCall
from jina.transport.grpc_channel import GrpcChannel
from jina.wire import hpack
from jina.wire.grpc import Metadata, request_block
from jina.wire.status import GrpcStatus

_STREAM = "/jina.JinaRPC/Call"
_UNARY = "/jina.JinaSingleDataRequestRPC/process_single_data"
_STREAM_DOC = "/jina.JinaSingleDocumentRequestRPC/stream_doc"
_STATUS = "/jina.JinaInfoRPC/_status"
_DRY_RUN = "/jina.JinaGatewayDryRunRPC/dry_run"


@lru_cache(256)
def _block(path: str, authority: str, scheme: str, metadata: tuple[tuple[str, str | bytes], ...], encoding: str) -> bytes:
    block = request_block(path, authority, metadata, scheme=scheme)
    return block if encoding == "identity" else block + hpack.encode_field("grpc-encoding", encoding)


class GrpcCore:
    """What a client does over one channel."""

    def __init__(self, channel: GrpcChannel, authority: str, scheme: str = "http") -> None:
        self.channel, self._authority, self._scheme = channel, authority, scheme
        self._ids = SharedIds()
        self._is_ours = False

    def writer(self, post: Post) -> RequestWriter:
        """Give what writes the requests of a post; in any thread."""
        return RequestWriter(post, self._ids.request_id)

    def exchange(self, post: Post, deliver: Deliver) -> Exchange:
        """Begin a post."""
        metadata = post.metadata
        if post.results_in_order:
            metadata = (*metadata, ("__results_in_order__", "true"))
        if post.is_prefetch_given:
            metadata = (*metadata, ("__prefetch__", str(post.prefetch)))
        if post.stream:
            return self._agreeing(CallExchange(self.channel, self._head(_STREAM, metadata, post.encoding), post, deliver), post, deliver)
        block = self._head(_UNARY, metadata, post.encoding)

        async def answer(request_id: str, message: Message) -> tuple[int, Answer]:
            data = await self._retried(block, message, post)
            return len(data), GrpcAnswer(data)

        return self._agreeing(SeparateExchange(answer, deliver, in_order=post.results_in_order), post, deliver)

    def stream_doc(self, post: Post, deliver: Deliver) -> Exchange:
        """Begin a call of a streaming endpoint: `submit` it, once."""
        return self._agreeing(
            DocumentStream(self.channel, self._head(_STREAM_DOC, post.metadata, post.encoding), post, deliver), post, deliver
        )

    def _agreeing(self, exchange: Exchange, post: Post, deliver: Deliver) -> Exchange:
        return AgreeingExchange(exchange, lambda: self._is_ours, partial(self._agree, post), deliver)

    async def _agree(self, post: Post) -> bool:
        """Ask the service whether it reads our dialect."""
        data, end = await self._once(self._head(_STATUS, post.metadata, "identity"), b"", post.timeout_s, "identity")
        if data is None and end.status != GrpcStatus.UNIMPLEMENTED:
            raise failure_of(end, post=post)
        self._is_ours = DIALECT in end.metadata
        return self._is_ours

    async def dry_run(self, timeout_s: float | None, metadata: Metadata) -> str:
        """Ask whether the service would take calls; gives the reason why not, else an empty string."""
        data, end = await self._once(self._head(_DRY_RUN, tuple(metadata), "identity"), b"", timeout_s, "identity")
        if data is None:
            return str(failure_of(end))
        status = messages.read_status(data)
        return status.description or "the dry run failed" if status.is_error else ""

    def close(self) -> None:
        """Close the connection; on the core's loop."""
        self.channel.close()

    def _head(self, path: str, metadata: tuple[tuple[str, str | bytes], ...], encoding: str) -> bytes:
        try:
            return _block(path, self._authority, self._scheme, (*metadata, DIALECT), encoding)
        except JinaError as error:
            raise BadClientInput(str(error)) from None

    async def _retried(self, block: bytes, message: Message, post: Post) -> bytes:
        n_attempts = 0
        while True:
            n_attempts += 1
            data, end = await self._once(block, message, post.timeout_s, post.encoding)
            if data is not None:
                return data
            pause_s = post.retries.pause_s(n_attempts, end.status)
            if pause_s is None:
                raise failure_of(end, n_attempts, post)
            await asyncio.sleep(pause_s)

    async def _once(self, block: bytes, message: Message, timeout_s: float | None, encoding: str) -> tuple[bytes | None, CallEnd]:
        if (refused := refused_size(message, self.channel)) is not None:
            return None, refused
        future: asyncio.Future[tuple[bytes | None, CallEnd]] = asyncio.get_running_loop().create_future()

        def done(data: bytes | None, end: CallEnd) -> None:
            if not future.done():
                future.set_result((data, end))

        call = UnaryCall(block, message, done, timeout_s=timeout_s, encoding=encoding)
        self.channel.start(call)
        try:
            return await future
        finally:
            call.cancel()
