"""A client over gRPC: what it asks of a channel, and the bytes for it. One core belongs to one loop."""

from __future__ import annotations

import asyncio
from functools import lru_cache, partial

from jina.call import DIALECT
from jina.client.answers import Answer, GrpcAnswer
from jina.client.attempts import Attempts
from jina.client.dialect import AgreeingExchange, OursOnly, foreign
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
            attempts, block = Attempts(post), self._head(_STREAM, metadata, post.encoding)
            return self._agreeing(CallExchange(self.channel, block, post, attempts, deliver), post, attempts, deliver)
        block, asking = self._head(_UNARY, metadata, post.encoding), asyncio.Lock()

        async def answer(request_id: str, message: Message) -> tuple[int, Answer]:
            attempts = Attempts(post)
            if isinstance(message, OursOnly):
                async with asking:  # the first of the post asks for all
                    if not self._is_ours and not await self._agree(post, attempts):
                        raise foreign(message.refused)
            data = await self._retried(block, message, post, attempts)
            return len(data), GrpcAnswer(data)

        return SeparateExchange(answer, deliver, in_order=post.results_in_order)

    def stream_doc(self, post: Post, deliver: Deliver) -> Exchange:
        """Begin a call of a streaming endpoint: `submit` it, once."""
        attempts, block = Attempts(post), self._head(_STREAM_DOC, post.metadata, post.encoding)
        return self._agreeing(DocumentStream(self.channel, block, post, attempts, deliver), post, attempts, deliver)

    def _agreeing(self, exchange: Exchange, post: Post, attempts: Attempts, deliver: Deliver) -> Exchange:
        return AgreeingExchange(exchange, lambda: self._is_ours, partial(self._agree, post, attempts), deliver)

    async def _agree(self, post: Post, attempts: Attempts) -> bool:
        """Ask the service whether it reads our dialect, in the time of the call that needs to know."""
        data, end = await self._once(self._head(_STATUS, post.metadata, "identity"), b"", attempts.left_s(), "identity")
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

    async def _retried(self, block: bytes, message: Message, post: Post, attempts: Attempts) -> bytes:
        while True:
            data, end = await self._once(block, message, attempts.begin(), post.encoding)
            if data is not None:
                return data
            pause_s = attempts.pause_s(end.status)
            if pause_s is None:
                raise failure_of(end, attempts.n, post)
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
