"""gRPC's length-prefixed messages: cutting them out of DATA, and compression."""

from __future__ import annotations

import zlib
from io import BytesIO
from struct import Struct
from typing import Final, NoReturn

from jina.codec.pieces import LARGE, Bytes, Message, Pieces
from jina.wire.buffered import FULL, Buffered
from jina.wire.status import GRPC_STATUS, GrpcStatus

_SMALL = 512
PREFIX: Final = Struct(">BI")
_WINDOW_BITS: Final = {"gzip": 31, "deflate": 15}
ENCODINGS: Final = ("identity", *_WINDOW_BITS)
MAX_RATIO: Final = 100
"""Decompressed messages may be that many times as large as they came, and 1 MiB in any case."""
TURN_BYTES: Final = 1 << 20
"""About 3 ms."""
_SLICE_BYTES: Final = 64 << 10
"""zlib copies what it has been given and not used."""


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


class Allowance:
    """How much the messages of a connection may unfold to before others have their turn; what they are read from counts, too.

    Attributes:
        n_bytes: What is left of it in this turn; none, if it is not positive. A turn begins with TURN_BYTES.
    """

    __slots__ = ("n_bytes",)

    def __init__(self) -> None:
        self.n_bytes = TURN_BYTES


class _Unfolding:
    """One compressed message.

    Attributes:
        n_bytes: Held: as it came, and what was made of it.
    """

    __slots__ = ("_at", "_bound", "_data", "_encoding", "_max_bytes", "_n_made", "_out", "_unpacker")

    def __init__(self, data: bytes, encoding: str, max_bytes: int | None) -> None:
        if encoding == "identity":
            raise MessageError(GrpcStatus.INTERNAL, "a message is marked as compressed, but grpc-encoding names no compression")
        self._data, self._encoding, self._max_bytes = data, encoding, max_bytes
        bound = max(len(data) * MAX_RATIO, 1 << 20)
        self._bound = bound if max_bytes is None or bound < max_bytes else max_bytes
        self._unpacker = zlib.decompressobj(_WINDOW_BITS[encoding])
        self._at = self._n_made = 0
        self._out: BytesIO | None = None

    @property
    def n_bytes(self) -> int:
        return len(self._data) + self._n_made

    def step(self, allowance: Allowance | None, room: int | None) -> bytes | None:
        """Go on as far as that is allowed; gives the message once it is whole.

        Raises:
            MessageError: It is broken, too large, or there is no `room` for more of it.
        """
        bound, unpacker, data = self._bound, self._unpacker, self._data
        is_short = room is not None and self._n_made + room <= bound
        if room is not None and is_short:
            bound = self._n_made + room
        while allowance is None or allowance.n_bytes > 0:
            piece, at = unpacker.unconsumed_tail, self._at
            if not piece and at < len(data):
                piece, self._at = data[at : at + _SLICE_BYTES], at + _SLICE_BYTES
            n_asked = bound + 1 - self._n_made
            if allowance is not None and allowance.n_bytes < n_asked:
                n_asked = allowance.n_bytes
            try:
                made = unpacker.decompress(piece, n_asked)
            except zlib.error as error:
                raise MessageError(GrpcStatus.INTERNAL, f"a message cannot be decompressed with {self._encoding}: {error}") from error
            self._n_made += len(made)
            if allowance is not None:
                allowance.n_bytes -= len(made) + len(piece) - len(unpacker.unconsumed_tail)
            if self._n_made > bound:
                self._refuse(bound, is_full=is_short)
            if unpacker.eof and self._out is None:
                return made
            if self._out is None:
                self._out = BytesIO()
            self._out.write(made)
            if unpacker.eof:
                return self._out.getvalue()  # no copy
            if not made and self._at >= len(data) and not unpacker.unconsumed_tail:
                raise MessageError(GrpcStatus.INTERNAL, f"a message compressed with {self._encoding} is cut short")
        return None

    def _refuse(self, bound: int, *, is_full: bool) -> NoReturn:
        if is_full:
            raise MessageError(GRPC_STATUS[FULL.code], FULL.description, FULL.retry_after_s)
        name = "max_message_bytes" if bound == self._max_bytes else f"a compression ratio of {MAX_RATIO}"
        raise MessageError(GrpcStatus.RESOURCE_EXHAUSTED, f"received message decompresses to more than {bound} bytes ({name})")


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

    Args:
        encoding: Of messages that are marked as compressed.
        max_bytes: A message may have, as it came and unfolded; None for no limit.
        buffered: Says how much room there is for what messages unfold to; whoever feeds counts it (`n_bytes`).
        allowance: How far they are unfolded by one `feed`; None for as far as they go.

    Attributes:
        n_bytes: Held of messages that are not complete, prefixes included, and of what waits behind one that is not unfolded.
        is_unfolding: A message is here that is not unfolded; `feed`, with nothing if nothing came, goes on with it.
    """

    __slots__ = ("_allowance", "_body", "_buffered", "_encoding", "_flag", "_max_bytes", "_need", "_parts", "_unfolding", "n_bytes")

    def __init__(self, encoding: str, max_bytes: int | None, buffered: Buffered | None = None, allowance: Allowance | None = None) -> None:
        self._encoding, self._max_bytes, self._buffered, self._allowance = encoding, max_bytes, buffered or Buffered(), allowance
        self._parts: list[Bytes | bytearray] = []
        self._body: _Body | None = None
        self._unfolding: _Unfolding | None = None
        self.n_bytes, self._need, self._flag = 0, 5, -1  # no flag: the prefix is not complete

    @property
    def is_unfolding(self) -> bool:
        """A message is here that is not unfolded."""
        return self._unfolding is not None

    def feed(self, data: Bytes) -> list[bytes]:
        """Take bytes, give the messages that are now complete; raises MessageError."""
        if self._unfolding is not None:
            return self._go_on(self._unfolding, data)
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
            data = memoryview(data)[left:]
            if not self._take(self._flag, message, found, data):
                return found
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

    def _cut(self, data: Bytes | bytearray, found: list[bytes]) -> None:
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
            message, at = bytes(data[at : at + size]), at + size
            if flag and not self._take(flag, message, found, memoryview(data)[at:]):
                return
            if not flag:
                found.append(message)
        if at < end:
            self._add(memoryview(data)[at:])
            self.n_bytes += end - at

    def _take(self, flag: int, data: bytes, found: list[bytes], rest: Bytes) -> bool:
        """Whether a message is complete; if not, the `rest` waits for that."""
        if not flag:
            found.append(data)
            return True
        unfolding = _Unfolding(data, self._encoding, self._max_bytes)
        message = unfolding.step(self._allowance, self._buffered.room())
        if message is None:
            self._unfolding, self.n_bytes = unfolding, unfolding.n_bytes + len(rest)
            if rest:
                self._add(rest)
            return False
        found.append(message)
        return True

    def _go_on(self, unfolding: _Unfolding, data: Bytes) -> list[bytes]:
        found: list[bytes] = []
        if data:
            self._add(data)
        n_behind = self.n_bytes - unfolding.n_bytes + len(data)
        message = unfolding.step(self._allowance, self._buffered.room())
        if message is None:
            self.n_bytes = unfolding.n_bytes + n_behind
        else:
            found.append(message)
            parts, self._parts, self._unfolding = self._parts, [], None
            self._cut(parts[0] if len(parts) == 1 else b"".join(parts), found)
        return found

    def _check(self, flag: int, size: int) -> None:
        if flag > 1:
            raise MessageError(GrpcStatus.INTERNAL, f"a message begins with flags {flag}, not 0 or 1")
        if self._max_bytes is not None and size > self._max_bytes:
            text = f"received message larger than max ({size} vs. {self._max_bytes}); max_message_bytes moves the limit"
            raise MessageError(GrpcStatus.RESOURCE_EXHAUSTED, text)
