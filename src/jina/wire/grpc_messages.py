"""gRPC's length-prefixed messages: cutting them out of DATA, and compression."""

from __future__ import annotations

import zlib
from io import BytesIO
from struct import Struct
from typing import Final

from jina.codec.pieces import LARGE, Bytes, Message, Pieces
from jina.wire.buffered import FULL, Buffered
from jina.wire.status import GRPC_STATUS, GrpcStatus

_SMALL = 512
PREFIX: Final = Struct(">BI")
_WINDOW_BITS: Final = {"gzip": 31, "deflate": 15}
ENCODINGS: Final = ("identity", *_WINDOW_BITS)
MAX_RATIO: Final = 100
"""Decompressed messages may be that many times as large as they came, and 1 MiB in any case."""


class MessageError(Exception):
    """A message that ends its call; `retry_after_s` says when to try again, where that helps."""

    def __init__(self, status: GrpcStatus, text: str, retry_after_s: float | None = None) -> None:
        super().__init__(text)
        self.status, self.text, self.retry_after_s = status, text, retry_after_s


def framed(message: Message, encoding: str = "identity") -> tuple[Bytes, ...]:
    """Give a message as it stands in DATA frames: behind its prefix, compressed if it has an encoding."""
    flag = 0
    if encoding != "identity":
        flag, message = 1, compress(bytes(message), encoding)
    prefix = PREFIX.pack(flag, len(message))
    return (prefix, *message.parts) if isinstance(message, Pieces) else (prefix, message)


def compress(data: bytes, encoding: str) -> bytes:
    """Compress with gzip or deflate."""
    packer = zlib.compressobj(6, zlib.DEFLATED, _WINDOW_BITS[encoding])
    return packer.compress(data) + packer.flush()


def decompress(data: bytes, encoding: str, max_bytes: int | None, room: int | None = None) -> bytes:
    """Decompress; raises MessageError for what is broken, too large, more than there is `room` for, or in an encoding not known."""
    if encoding == "identity":
        raise MessageError(GrpcStatus.INTERNAL, "a message is marked as compressed, but grpc-encoding names no compression")
    allowed = max(len(data) * MAX_RATIO, 1 << 20)
    bound = min(each for each in (allowed, max_bytes, room) if each is not None)
    unpacker = zlib.decompressobj(_WINDOW_BITS[encoding])
    try:
        out = unpacker.decompress(data, bound + 1)
    except zlib.error as error:
        raise MessageError(GrpcStatus.INTERNAL, f"a message cannot be decompressed with {encoding}: {error}") from error
    if len(out) > bound and bound == room:
        raise MessageError(GRPC_STATUS[FULL.code], FULL.description, FULL.retry_after_s)
    if len(out) > bound:
        name = "max_message_bytes" if bound == max_bytes else f"a compression ratio of {MAX_RATIO}"
        raise MessageError(GrpcStatus.RESOURCE_EXHAUSTED, f"received message decompresses to more than {bound} bytes ({name})")
    if not unpacker.eof:
        raise MessageError(GrpcStatus.INTERNAL, f"a message compressed with {encoding} is cut short")
    return out


class _Body:
    """Memory for a large message, filled as its parts come: fresh memory is what costs most, so the parts are not kept beside it.

    It grows with what has come, to at most twice that: a prefix that promises much costs nothing.
    """

    __slots__ = ("_buffer", "_room", "_size", "n_bytes")

    def __init__(self, size: int) -> None:
        self._buffer, self._size = BytesIO(), size
        self._room = self.n_bytes = 0

    def write(self, data: Bytes) -> None:
        n_bytes = self.n_bytes + len(data)
        if n_bytes > self._room:
            self._room = min(self._size, max(2 * n_bytes, LARGE))
            self._buffer.seek(self._room - 1)
            self._buffer.write(b"\0")
            self._buffer.seek(self.n_bytes)
        self._buffer.write(data)
        self.n_bytes = n_bytes

    def value(self) -> bytes:
        """Give the message without a copy, once it is complete."""
        return self._buffer.getvalue()


class MessageReader:
    """Cuts one direction of one call into messages.

    Attributes:
        n_bytes: Held of a message that is not complete, its prefix included.
    """

    __slots__ = ("_body", "_buffered", "_encoding", "_flag", "_max_bytes", "_need", "_parts", "n_bytes")

    def __init__(self, encoding: str, max_bytes: int | None, buffered: Buffered | None = None) -> None:
        self._encoding, self._max_bytes, self._buffered = encoding, max_bytes, buffered or Buffered()
        self._parts: list[Bytes | bytearray] = []
        self._body: _Body | None = None
        self.n_bytes, self._need, self._flag = 0, 5, -1  # no flag: the prefix is not complete

    def feed(self, data: Bytes) -> list[bytes]:
        """Take bytes, give the messages that are now complete; raises MessageError."""
        left = self._need - self.n_bytes
        if len(data) < left:
            self._add(data)
            self.n_bytes += len(data)
            return []
        found: list[bytes] = []
        parts, self._parts = self._parts, []
        if self._flag >= 0:
            end = memoryview(data)[:left]
            if self._body is not None:
                self._body.write(end)
                message, self._body = self._body.value(), None
            else:
                message = b"".join((*parts, end))
            found.append(self._message(self._flag, message))
            data = memoryview(data)[left:]
        elif parts:
            data = b"".join((*parts, data))
        self._cut(data, found)
        return found

    def _add(self, data: Bytes) -> None:
        """Keep a part; small ones in one buffer, so that a message in frames of a byte costs no more than its bytes."""
        parts = self._parts
        if self._body is not None:
            self._body.write(data)
        elif len(data) >= _SMALL:
            parts.append(data)
        elif parts and isinstance(parts[-1], bytearray):
            parts[-1] += data
        else:
            parts.append(bytearray(data))

    def _cut(self, data: Bytes, found: list[bytes]) -> None:
        at, end = 0, len(data)
        self._need, self._flag, self.n_bytes = 5, -1, 0
        while end - at >= 5:
            flag, size = PREFIX.unpack_from(data, at)
            self._check(flag, size)
            at += 5
            if end - at < size:
                self._need, self._flag, self.n_bytes = size + 5, flag, 5
                self._body = _Body(size) if size >= LARGE else None
                break
            found.append(self._message(flag, bytes(data[at : at + size])))
            at += size
        if at < end:
            self._add(memoryview(data)[at:])
            self.n_bytes += end - at

    def _message(self, flag: int, data: bytes) -> bytes:
        return decompress(data, self._encoding, self._max_bytes, self._buffered.room()) if flag else data

    def _check(self, flag: int, size: int) -> None:
        if flag > 1:
            raise MessageError(GrpcStatus.INTERNAL, f"a message begins with flags {flag}, not 0 or 1")
        if self._max_bytes is not None and size > self._max_bytes:
            text = f"received message larger than max ({size} vs. {self._max_bytes}); max_message_bytes moves the limit"
            raise MessageError(GrpcStatus.RESOURCE_EXHAUSTED, text)
