"""A client over gRPC: what it asks of a channel, and the bytes for it. One core belongs to one loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

from jina.call import DIALECT
from jina.client import documents
from jina.client.answers import Answer, GrpcAnswer, failed_reply
from jina.client.dialect import AgreeingExchange, in_either, ours_only
from jina.client.exchange import ANSWER, END, FAILED, Deliver, Exchange, SeparateExchange, StreamExchange, refused_size
from jina.client.failures import failure_of
from jina.client.ids import SharedIds
from jina.client.inputs import Batch
from jina.client.post import Post
from jina.codec import messages
from jina.codec.pieces import Message
from jina.codec.struct import EMPTY_RESULTS, dict_to_struct
from jina.errors import BadClientInput, JinaError
from jina.transport.grpc_calls import CallEnd, StreamCall, UnaryCall
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


class RequestWriter:
    """Writes the requests of one post, in the thread that has the documents."""

    def __init__(self, post: Post, request_id: Callable[[], str]) -> None:
        self._request_id = request_id
        self._endpoint, self._target = post.on, post.target_executor or None
        self._parameters = _parameters_bytes(post)

    def write(self, batch: Batch) -> tuple[str, Message]:
        """Give a new request id, and the request."""
        request_id = self._request_id()
        header = messages.header_bytes(request_id, self._endpoint, self._target)
        docs, refused = in_either(partial(documents.encode_proto, batch))
        return request_id, ours_only(messages.request_message(header, self._parameters, b"", docs), refused)

    def write_document(self, doc: Any) -> tuple[str, Message]:
        """The same for a streaming endpoint."""
        request_id = self._request_id()
        header = messages.header_bytes(request_id, self._endpoint, self._target)
        document, refused = in_either(partial(documents.encode_one_proto, doc))
        return request_id, ours_only(messages.write_document_request(header, self._parameters, b"", document), refused)


def _parameters_bytes(post: Post) -> bytes:
    try:
        return dict_to_struct(post.parameters) if post.parameters else EMPTY_RESULTS
    except JinaError as error:
        raise BadClientInput(str(error)) from error


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
            return self._agreeing(StreamExchange(self.channel, self._head(_STREAM, metadata, post.encoding), post, deliver), post, deliver)
        block = self._head(_UNARY, metadata, post.encoding)

        async def answer(request_id: str, message: Message) -> tuple[int, Answer]:
            data = await self._retried(block, message, post)
            return len(data), GrpcAnswer(data, messages.read_request(data))

        return self._agreeing(SeparateExchange(answer, deliver, in_order=post.results_in_order), post, deliver)

    def stream_doc(self, post: Post, deliver: Deliver) -> Exchange:
        """Begin a call of a streaming endpoint: `submit` it, once."""
        return self._agreeing(
            _DocumentStream(self.channel, self._head(_STREAM_DOC, post.metadata, post.encoding), post, deliver), post, deliver
        )

    def _agreeing(self, exchange: Exchange, post: Post, deliver: Deliver) -> Exchange:
        return AgreeingExchange(exchange, lambda: self._is_ours, partial(self._agree, post), deliver)

    async def _agree(self, post: Post) -> bool:
        """Ask the service whether it reads our dialect."""
        data, end = await self._once(self._head(_STATUS, post.metadata, "identity"), b"", post.timeout_s, "identity")
        if data is None and end.status != GrpcStatus.UNIMPLEMENTED:
            raise failure_of(end)
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
            raise BadClientInput(str(error)) from error

    async def _retried(self, block: bytes, message: Message, post: Post) -> bytes:
        n_attempts = 0
        while True:
            n_attempts += 1
            data, end = await self._once(block, message, post.timeout_s, post.encoding)
            if data is not None:
                return data
            pause_s = post.retries.pause_s(n_attempts, end.status)
            if pause_s is None:
                raise failure_of(end, n_attempts)
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


class StreamedGrpc(Answer):
    """One document of a stream."""

    def __init__(self, data: bytes) -> None:
        self._envelope = messages.read_document_request(data)
        self._data = data
        status = self._envelope.status
        self.is_error = bool(status) and messages.read_status(status).is_error

    def docs(self, wanted: documents.ReturnType) -> list[Any]:
        data = self._envelope.docs
        return [] if data is None else [wanted.read("decode_proto_one", data)]

    def error(self, wanted: documents.ReturnType) -> Exception:
        from jina.types.request.data import SingleDocumentRequest

        return failed_reply(SingleDocumentRequest(self._data).header, messages.read_status(self._envelope.status))


class _DocumentCall(StreamCall):
    """The call under a _DocumentStream."""

    def __init__(self, block: bytes, post: Post, deliver: Deliver) -> None:
        super().__init__(block, timeout_s=post.timeout_s, encoding=post.encoding)
        self._deliver = deliver

    def on_message(self, data: bytes) -> None:
        try:
            self._deliver((ANSWER, 0, len(data), StreamedGrpc(data)))
        except JinaError as error:
            self.cancel()
            self._deliver((FAILED, error))

    def on_end(self, end: CallEnd) -> None:
        self._deliver((FAILED, failure_of(end)) if end.status else (END,))


class _DocumentStream(Exchange):
    """A `stream_doc` call."""

    def __init__(self, channel: GrpcChannel, block: bytes, post: Post, deliver: Deliver) -> None:
        self._channel, self._call = channel, _DocumentCall(block, post, deliver)

    def submit(self, request_id: str, message: Message) -> None:
        self._call.send(message)
        self._call.half_close()
        self._channel.start(self._call)

    def consumed(self, n_bytes: int) -> None:
        self._call.consumed(n_bytes)

    def cancel(self) -> None:
        self._call.cancel()
