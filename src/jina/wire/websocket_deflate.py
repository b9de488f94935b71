"""permessage-deflate (RFC 7692), agreed on and unfolded in steps, sans-IO: what is compressed may hold neither the process nor its memory.

Which messages are compressed, and what becomes of what is unfolded, is decided in `websocket.py`.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any, Final

from websockets.exceptions import InvalidHeader, NegotiationError, PayloadTooBig, ProtocolError
from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    PerMessageDeflate,
    ServerPerMessageDeflateFactory,
)
from websockets.frames import Frame, Opcode
from websockets.headers import build_extension, parse_extension

STEP_BYTES: Final = 256 << 10
"""What is unfolded at once: about half a millisecond's work."""
PIECE_BYTES: Final = 64 << 10
"""What zlib is given at once."""
_MAX_RATIO: Final = 100
_FREE_BYTES: Final = 64 << 10
"""A compressed message may unfold to this much, whatever its ratio."""
_END_OF_FOLDED: Final = b"\x00\x00\xff\xff"
"""What a sender leaves out (RFC 7692, 7.2.2)."""
_LEAST_WINDOW_BITS: Final = 9
"""What zlib can write; newer versions of the library look for themselves."""
_COMPRESS: Final = {"level": 1, "memLevel": 5}
_NO_EXTENSIONS: Final[list[Any]] = []


class RatioError(Exception):
    """A compressed message unfolds to far more than its size."""


class Deflate(PerMessageDeflate):
    """permessage-deflate whose messages unfold in steps, and to no more than a limit and a ratio allow, whatever they are cut into.

    Attributes:
        is_folded: The message that comes is compressed.
    """

    def __init__(self, agreed: PerMessageDeflate) -> None:
        """Take what was agreed on."""
        super().__init__(
            agreed.remote_no_context_takeover,
            agreed.local_no_context_takeover,
            agreed.remote_max_window_bits,
            agreed.local_max_window_bits,
            agreed.compress_settings,
        )
        self.is_folded = False
        self._n_folded = self._n_unfolded = 0

    def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:
        """Leave a frame as it is: `unfold` does the work."""
        if frame.opcode >= Opcode.CLOSE or (frame.opcode == Opcode.CONT and frame.rsv1):
            return frame
        if frame.opcode != Opcode.CONT:
            self.is_folded = frame.rsv1
        return Frame(frame.opcode, frame.data, frame.fin, False, frame.rsv2, frame.rsv3)

    def unfold(self, frame: Frame, max_size: int | None) -> Iterator[bytes]:
        """Give what a compressed frame holds in pieces, some of them empty; each costs little.

        Raises:
            PayloadTooBig: It is more than `max_size`.
            RatioError: It is more than its size in bytes allows.
            ProtocolError: It is no such thing.
        """
        if frame.opcode != Opcode.CONT:
            self._n_folded = self._n_unfolded = 0
            if self.remote_no_context_takeover:
                self.decoder = zlib.decompressobj(wbits=-self.remote_max_window_bits)
        self._n_folded += len(frame.data)
        by_ratio = max(_FREE_BYTES, _MAX_RATIO * self._n_folded) - self._n_unfolded
        left = by_ratio if max_size is None else min(by_ratio, max_size)
        for folded in _pieces_of(frame):
            n_asked = n_given = 0
            while n_given == n_asked:
                n_asked = min(STEP_BYTES, left + 1)  # to zlib 0 is no limit
                try:
                    piece = self.decoder.decompress(folded, n_asked)
                except zlib.error as error:
                    raise ProtocolError("decompression failed") from error
                folded, n_given = self.decoder.unconsumed_tail, len(piece)
                left -= n_given
                if left < 0 and max_size is not None and max_size <= by_ratio:
                    raise PayloadTooBig(None, max_size)
                if left < 0:
                    raise RatioError(f"a compressed message unfolds to more than {_MAX_RATIO} times its size")
                self._n_unfolded += n_given
                yield piece


def _pieces_of(frame: Frame) -> Iterator[memoryview | bytes]:
    """Cut a frame, for zlib copies what it has not used."""
    data = memoryview(frame.data)
    for at in range(0, len(data), PIECE_BYTES):
        yield data[at : at + PIECE_BYTES]
    if frame.fin:
        yield _END_OF_FOLDED


def answer_offer(offer: str) -> tuple[str, Deflate | None]:
    """Choose among the extensions that a client offers; gives the field that tells it, empty for none.

    Neither side keeps a window between messages: a connection that idles costs nothing.
    """
    ours = ServerPerMessageDeflateFactory(server_no_context_takeover=True, client_no_context_takeover=True, compress_settings=_COMPRESS)
    try:
        offered = parse_extension(offer) if offer else []
    except InvalidHeader:
        return "", None
    for name, parameters in offered:
        if name == ours.name:
            try:
                found, agreed = ours.process_request_params(parameters, _NO_EXTENSIONS)
            except NegotiationError:
                continue
            if agreed.local_max_window_bits < _LEAST_WINDOW_BITS:
                continue
            return build_extension([(name, found)]), Deflate(agreed)
    return "", None


def make_offer() -> str:
    """Give the field with which a client offers compression."""
    ours = _client_offer()
    return build_extension([(ours.name, ours.get_request_params())])


def read_answer(answer: str) -> Deflate | None:
    """Read what a server chose of `make_offer`.

    Raises:
        ValueError: It chose what was not offered.
    """
    try:
        found = parse_extension(answer)
        if [name for name, _ in found] != [_client_offer().name]:
            raise ValueError(f"the server chose the extensions {answer[:80]!r}, which were not offered")
        agreed = _client_offer().process_response_params(found[0][1], _NO_EXTENSIONS)
        if agreed.local_max_window_bits < _LEAST_WINDOW_BITS:
            raise ValueError("the server chose a window of 256 bytes, which zlib cannot write")
        return Deflate(agreed)
    except (InvalidHeader, NegotiationError) as error:
        raise ValueError(f"the server's choice of extensions cannot be read: {error}") from None


def _client_offer() -> ClientPerMessageDeflateFactory:
    return ClientPerMessageDeflateFactory(client_no_context_takeover=True, compress_settings=_COMPRESS)
