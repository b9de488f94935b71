"""gRPC's length-prefixed messages: cutting them out of DATA, and compression."""

from __future__ import annotations

import zlib
from struct import Struct
from typing import Final

from jina.wire.status import GrpcStatus

Bytes = bytes | bytearray | memoryview
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


def compress(data: bytes, encoding: str) -> bytes:
    """Compress with gzip or deflate."""
    packer = zlib.compressobj(6, zlib.DEFLATED, _WINDOW_BITS[encoding])
    return packer.compress(data) + packer.flush()


def decompress(data: bytes, encoding: str, max_bytes: int | None) -> bytes:
    """Decompress; raises MessageError for what is broken, too large or in an encoding not known."""
    if encoding == "identity":
        raise MessageError(GrpcStatus.INTERNAL, "a message is marked as compressed, but grpc-encoding names no compression")
    allowed = max(len(data) * MAX_RATIO, 1 << 20)
    bound = allowed if max_bytes is None else min(allowed, max_bytes)
    unpacker = zlib.decompressobj(_WINDOW_BITS[encoding])
    try:
        out = unpacker.decompress(data, bound + 1)
    except zlib.error as error:
        raise MessageError(GrpcStatus.INTERNAL, f"a message cannot be decompressed with {encoding}: {error}") from error
    if len(out) > bound:
        name = "max_message_bytes" if bound == max_bytes else f"a compression ratio of {MAX_RATIO}"
        raise MessageError(GrpcStatus.RESOURCE_EXHAUSTED, f"received message decompresses to more than {bound} bytes ({name})")
    if not unpacker.eof:
        raise MessageError(GrpcStatus.INTERNAL, f"a message compressed with {encoding} is cut short")
    return out


class MessageReader:
    """Cuts one direction of one call into messages.

    Attributes:
        n_bytes: Held of a message that is not complete.
    """

    __slots__ = ("_encoding", "_max_bytes", "_need", "_parts", "n_bytes")

    def __init__(self, encoding: str, max_bytes: int | None) -> None:
        self._encoding, self._max_bytes = encoding, max_bytes
        self._parts: list[Bytes] = []
        self.n_bytes, self._need = 0, 5

    def feed(self, data: Bytes) -> list[bytes]:
        """Take bytes, give the messages that are now complete; raises MessageError."""
        self._add(data)
        self.n_bytes += len(data)
        if self.n_bytes < self._need:
            return []
        return self._cut(b"".join(self._parts) if len(self._parts) > 1 else self._parts[0])

    def _add(self, data: Bytes) -> None:
        """Keep a part; small ones in one buffer, so that a message in frames of a byte costs no more than its bytes."""
        parts = self._parts
        if len(data) >= _SMALL or self.n_bytes + len(data) >= self._need:
            parts.append(data)
        elif parts and isinstance(parts[-1], bytearray):
            parts[-1] += data
        else:
            parts.append(bytearray(data))

    def _cut(self, data: Bytes) -> list[bytes]:
        at, end, found = 0, len(data), list[bytes]()
        while end - at >= 5:
            flag, size = PREFIX.unpack_from(data, at)
            self._check(flag, size)
            self._need = size + 5
            if end - at < self._need:
                break
            message = bytes(data[at + 5 : at + self._need])
            found.append(decompress(message, self._encoding, self._max_bytes) if flag else message)
            at += self._need
            self._need = 5
        self._parts = [data[at:]] if at < end else []
        self.n_bytes = end - at
        return found

    def _check(self, flag: int, size: int) -> None:
        if flag > 1:
            raise MessageError(GrpcStatus.INTERNAL, f"a message begins with flags {flag}, not 0 or 1")
        if self._max_bytes is not None and size > self._max_bytes:
            text = f"received message larger than max ({size} vs. {self._max_bytes}); max_message_bytes moves the limit"
            raise MessageError(GrpcStatus.RESOURCE_EXHAUSTED, text)
