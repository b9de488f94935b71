"""What a gRPC server sends, sans-IO: replies, messages, statuses, and the responses to requests that are no gRPC."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import Final

from jina.codec.pieces import Message
from jina.wire import grpc_fields, hpack, http2
from jina.wire.buffered import Buffered
from jina.wire.grpc_fields import Metadata, Pairs, RequestHead
from jina.wire.grpc_messages import PREFIX, framed
from jina.wire.grpc_side import Call, Side
from jina.wire.hpack import Field
from jina.wire.http2_frames import CANCEL

REPLY: Final = grpc_fields.reply_block()
_OK: Final = grpc_fields.trailers_block(0)


class Replies(Side):
    """The sending half of `grpc_server.ServerConnection`, which documents the arguments."""

    def __init__(
        self,
        connection: http2.Connection,
        max_message_bytes: int | None,
        buffered: Buffered | None,
        unary_paths: Container[str],
        refusal_metadata: Callable[[RequestHead | None], Metadata],
    ) -> None:
        super().__init__(connection, max_message_bytes, buffered)
        self._unary_paths, self._refusal_metadata = unary_paths, refusal_metadata

    def _call_of(self, stream: http2.Stream) -> Call:
        call: Call | None = stream.call
        if call is None:
            call = stream.call = Call(is_unary=stream.head.path in self._unary_paths)
        return call

    def reply(self, stream: int, message: Message, metadata: Metadata = ()) -> None:
        """Answer an unary call: headers, the message, status OK with trailing `metadata`."""
        found = self._streams.get(stream)
        if found is None:
            return
        trailers = grpc_fields.trailers_block(0, "", metadata) if metadata else _OK
        if found.is_begun:
            self.send_message(stream, message)
            self._http2.send_headers(found, trailers, is_end=True)
        else:
            size = len(message)
            parts = (PREFIX.pack(0, size), message) if message.__class__ is bytes else framed(message)
            self._http2.exchange(found, REPLY, parts, size + 5, trailers)

    def send_headers(self, stream: int, metadata: Metadata = (), *, encoding: str = "identity") -> None:
        """Send initial metadata now (else the first message or the status does).

        Later messages are compressed with `encoding`, if that is one the caller reads.
        """
        found = self._streams.get(stream)
        if found is not None and not found.is_begun:
            if encoding != "identity" and encoding not in found.head.accepted:
                encoding = "identity"
            self._http2.send_headers(found, grpc_fields.reply_block(metadata, encoding) if metadata or encoding != "identity" else REPLY)
            if encoding != "identity":
                self._call_of(found).encoding = encoding

    def send_message(self, stream: int, message: Message, *, is_compressed: bool = True) -> None:
        """Send one message; it queues here as far as the peer's windows are shut (see `is_writable`).

        Where the reply has an encoding, a message may go without it.
        """
        found = self._streams.get(stream)
        if found is not None:
            if not found.is_begun:
                self._http2.send_headers(found, REPLY)
            self._send_message(found, message, found.call.encoding if is_compressed and found.call is not None else "identity")

    def send_status(self, stream: int, status: int, message: str = "", metadata: Metadata = ()) -> None:
        """End a call. Where nothing was sent yet, this is a reply of trailers only."""
        found = self._streams.get(stream)
        if found is not None:
            trailers = grpc_fields.trailers_block(status, message, metadata) if status or message or metadata else _OK
            self._http2.send_headers(found, trailers if found.is_begun else REPLY + trailers, is_end=True)

    def refuse(self, stream: int, status: int, message: str, metadata: Pairs = ()) -> None:
        """End a call that nobody has read, with `refusal_metadata` beside the status."""
        found = self._streams.get(stream)
        if found is not None:
            head = found.head if isinstance(found.head, RequestHead) else None
            self.send_status(stream, status, message, (*metadata, *self._refusal_metadata(head)))

    def send_http(self, stream: int, fields: Sequence[Field] = (), data: bytes = b"", *, is_end: bool) -> None:
        """Send a part of the response to a request that is no gRPC: a head (with `:status`) or trailers, and a piece of the body.

        Args:
            stream: Of the request.
            fields: Names in lower case; empty for a piece of the body.
            data: What follows the head.
            is_end: Nothing comes after it.
        """
        found = self._streams.get(stream)
        if found is None:
            return
        if fields:
            self._http2.send_headers(found, hpack.encode(fields), is_end=is_end and not data)
        if data or (is_end and not fields):
            self._http2.send_data(found, (data,), is_end=is_end)

    def reset(self, stream: int, code: int = CANCEL) -> None:
        """End a call at once, without a status."""
        if stream in self._streams:
            self._http2.reset(stream, code)
