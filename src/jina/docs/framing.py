"""What surrounds serialised documents: compression, docarray's framed stream, message objects. Pickle is not among the forms."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from jina.errors import MalformedError, NotSupportedError

_STREAM_VERSION = b"\x02"
_HEADER_SIZE = 9

_COMPRESS: dict[str, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]] = {
    "gzip": (gzip.compress, gzip.decompress),
    "zlib": (zlib.compress, zlib.decompress),
    "bz2": (bz2.compress, bz2.decompress),
    "lzma": (lzma.compress, lzma.decompress),
}


class ProtoBytes(bytes):
    """A serialised message that passes where code calls `SerializeToString` on a message object."""

    def SerializeToString(self, **_: Any) -> bytes:
        """Give the bytes."""
        return bytes(self)


def message_bytes(message: Any) -> bytes:
    """Give the bytes of a protobuf message object; bytes as they are."""
    if isinstance(message, (bytes, bytearray, memoryview)):
        return bytes(message)
    try:
        return bytes(message.SerializeToString())
    except AttributeError:
        raise TypeError(f"expected a protobuf message or its bytes, got {type(message).__name__}") from None


def refuse_pickle(protocol: str, known: Sequence[str]) -> None:
    """Raise unless `protocol` is one of `known`.

    Raises:
        NotSupportedError: It is a pickle form, which runs code on loading.
        ValueError: It is unknown.
    """
    if protocol in known:
        return
    if protocol.startswith("pickle"):
        raise NotSupportedError(f"protocol {protocol!r} runs code from the data; use {known[0]!r}")
    raise ValueError(f"unknown protocol {protocol!r}; known are {', '.join(map(repr, known))}")


def compress(data: bytes, method: str | None) -> bytes:
    """Compress with `gzip`, `zlib`, `bz2` or `lzma`; None leaves the data as they are."""
    return data if method is None else _find(method)[0](data)


def decompress(data: bytes, method: str | None) -> bytes:
    """Undo `compress`."""
    return data if method is None else _find(method)[1](data)


def _find(method: str) -> tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]:
    try:
        return _COMPRESS[method]
    except KeyError:
        raise NotSupportedError(f"compression {method!r} is not supported; use one of {', '.join(_COMPRESS)}") from None


def join_frames(documents: Iterable[bytes]) -> bytes:
    """Docarray's stream form: a version byte, the count as 8 bytes, then each document behind its length as 4 bytes."""
    frames = [len(data).to_bytes(4, "big") + data for data in documents]
    return b"".join([_STREAM_VERSION, len(frames).to_bytes(8, "big"), *frames])


def split_frames(data: bytes) -> list[bytes]:
    """Undo `join_frames`.

    Raises:
        MalformedError: The data end early, or go on after the last document.
    """
    if len(data) < _HEADER_SIZE or data[:1] != _STREAM_VERSION:
        raise MalformedError("not a stream of documents: wrong version or no header")
    count, at, documents = int.from_bytes(data[1:_HEADER_SIZE], "big"), _HEADER_SIZE, []
    for index in range(count):
        size = int.from_bytes(data[at : at + 4], "big")
        at += 4
        if at + size > len(data):
            raise MalformedError(f"the stream ends inside document {index} of {count}")
        documents.append(data[at : at + size])
        at += size
    if at != len(data):
        raise MalformedError(f"{len(data) - at} bytes follow the last document")
    return documents
