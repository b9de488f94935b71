"""A stream of an HTTP/2 connection as we keep it, and the events that a connection gives.

Events are tuples: first a constant below, second, where there is one, the Stream.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from jina.codec.pieces import Bytes
from jina.wire.http2_states import OPEN

Event = tuple[Any, ...]
TUNNEL: Final = -1
"""The length of a CONNECT's body: what follows its head is no message."""

HEADERS: Final = 101
"""(HEADERS, stream, is_end): `stream.head` is what `build_head` made."""
DATA: Final = 102
"""(DATA, stream, data, is_end): some bytes of the body, maybe none."""
TRAILERS: Final = 103
"""(TRAILERS, stream, what `build_trailers` made): the end of the body."""
RESET: Final = 104
"""(RESET, stream, code, is_ours, reason): the stream ended early, by the peer or by a fault of its that we found."""
TOO_LARGE: Final = 105
"""(TOO_LARGE, stream): the list of fields passes the limits; the stream waits for an answer (server)."""
WRITABLE: Final = 106
"""(WRITABLE, stream): what was queued has left; after `is_writable` was False."""
PING_ACK: Final = 107
"""(PING_ACK, data)."""
GOAWAY: Final = 108
"""(GOAWAY, last_stream, code, text)."""
WHOLE: Final = 110
"""(WHOLE, stream, data, start, end, trailers): in place of HEADERS, DATA and, for a client, TRAILERS; the body is `data[start:end]`."""
CLOSED: Final = 109
"""(CLOSED, code, reason): the last event."""


class Stream:
    """One stream that is not idle and not closed.

    Attributes:
        number: As on the wire.
        head: What `build_head` made of the peer's first block; None before it came.
        call: Of the layer above.
        begun_at: Server: when the peer opened it.
        expected: Bytes of the body that are still to come, `TUNNEL`, or None where nobody said.
        is_begun: We sent our header block.
        held: Bytes of the peer's window that the layer above holds back.
        n_queued: Bytes that wait for the peer's windows.
        n_counted: Bytes held for this stream that are in the process's count.
        has_moved, stalled_since: Where something was queued: whether some of it left since the last look, and since when none has.
    """

    __slots__ = (
        "begun_at",
        "call",
        "expected",
        "finish",
        "has_moved",
        "head",
        "held",
        "is_begun",
        "is_full",
        "n_counted",
        "n_queued",
        "number",
        "queue",
        "stalled_since",
        "state",
        "unread",
        "window",
    )

    begun_at: float
    has_moved: bool
    stalled_since: float

    def __init__(self, number: int, window: int) -> None:
        self.number, self.state, self.window = number, OPEN, window
        self.unread = self.held = self.n_queued = self.n_counted = 0
        self.head: Any = None
        self.call: Any = None
        self.expected: int | None = None
        self.queue: deque[Bytes] | None = None
        self.finish: bytes | None = None
        self.is_begun = self.is_full = False
