"""Frames of HTTP/2 (RFC 9113, 4 and 6) as numbers and bytes."""

from __future__ import annotations

from struct import Struct
from typing import Final

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADER: Final = Struct(">IBI")
"""A frame's first 9 bytes: length and type in one number (`length << 8 | type`), flags, stream."""
HEADER_BYTES: Final = 9
MAX_STREAM: Final = (1 << 31) - 1
MAX_WINDOW: Final = (1 << 31) - 1
DEFAULT_WINDOW: Final = 65535
MIN_MAX_FRAME: Final = 1 << 14
"""Frames of this size everybody takes (RFC 9113, 4.2)."""

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM: Final = 0x1
ACK: Final = 0x1
END_HEADERS: Final = 0x4
PADDED: Final = 0x8
HAS_PRIORITY: Final = 0x20

HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = range(1, 7)
ENABLE_CONNECT_PROTOCOL: Final = 8

NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED, FRAME_SIZE_ERROR, REFUSED_STREAM = range(8)
CANCEL, COMPRESSION_ERROR, CONNECT_ERROR, ENHANCE_YOUR_CALM, INADEQUATE_SECURITY, HTTP_1_1_REQUIRED = range(8, 14)

WORD: Final = Struct(">I")
_SETTING: Final = Struct(">HI")
_GOAWAY: Final = Struct(">II")


class ConnectionError2(Exception):
    """The peer broke a rule in a way that ends the connection (RFC 9113, 5.4.1)."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class StreamError(Exception):
    """The peer broke a rule in a way that ends one stream (RFC 9113, 5.4.2)."""

    def __init__(self, stream: int, code: int, reason: str) -> None:
        super().__init__(reason)
        self.stream, self.code, self.reason = stream, code, reason


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Give a whole frame."""
    return HEADER.pack(len(payload) << 8 | kind, flags, stream) + payload


def settings(values: dict[int, int]) -> bytes:
    """Give a SETTINGS frame."""
    return frame(SETTINGS, 0, 0, b"".join(_SETTING.pack(key, value) for key, value in values.items()))


def read_settings(payload: bytes) -> list[tuple[int, int]]:
    """Give (identifier, value) of each setting, in order; the length has been checked."""
    return [_SETTING.unpack_from(payload, at) for at in range(0, len(payload), 6)]


def window_update(stream: int, n_bytes: int) -> bytes:
    """Give a WINDOW_UPDATE frame."""
    return frame(WINDOW_UPDATE, 0, stream, WORD.pack(n_bytes))


def rst_stream(stream: int, code: int) -> bytes:
    """Give a RST_STREAM frame."""
    return frame(RST_STREAM, 0, stream, WORD.pack(code))


def goaway(last_stream: int, code: int, text: str = "") -> bytes:
    """Give a GOAWAY frame."""
    return frame(GOAWAY, 0, 0, _GOAWAY.pack(last_stream, code) + text.encode()[:200])


def read_goaway(payload: bytes) -> tuple[int, int, str]:
    """Give last stream, code and text of a GOAWAY frame of at least 8 bytes."""
    last, code = _GOAWAY.unpack_from(payload)
    return last & MAX_STREAM, code, payload[8:208].decode("utf-8", "replace")


def headers(stream: int, block: bytes, flags: int, max_frame_bytes: int) -> bytes:
    """Give a HEADERS frame and the CONTINUATION frames that a long block needs."""
    if len(block) <= max_frame_bytes:
        return frame(HEADERS, flags | END_HEADERS, stream, block)
    parts = [block[at : at + max_frame_bytes] for at in range(0, len(block), max_frame_bytes)]
    middle = [frame(CONTINUATION, 0, stream, part) for part in parts[1:-1]]
    return b"".join([frame(HEADERS, flags, stream, parts[0]), *middle, frame(CONTINUATION, END_HEADERS, stream, parts[-1])])
