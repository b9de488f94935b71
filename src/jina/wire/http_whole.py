"""The short way for most HTTP/1.1 requests: their opening, every byte from the method to the empty line, was read before.

Clients repeat theirs byte for byte. What llhttp and our own rules made of one is remembered, and where the same bytes stand at the
beginning of a message, with the whole body behind them, they mean the same again. All else is left to the parser.
"""

from __future__ import annotations

from typing import Final

from jina.wire.buffered import SMALL
from jina.wire.http_requests import Refusal, Request

_MAX_OPENINGS: Final = 256
_MAX_OPENING_BYTES: Final = 2048


class Openings:
    """The openings that the connections of one port have learnt; the port's limits are the same for all."""

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[Request, int]] = {}
        self._seen: set[int] = set()

    def take(self, data: bytes, events: list[Request | Refusal]) -> int:
        """Add the whole requests that `data` begins with, as far as they are known; give where the rest begins."""
        at, known = 0, self._known
        while known:
            end = data.find(b"\r\n\r\n", at, at + _MAX_OPENING_BYTES) + 4
            found = known.get(data[at:end]) if end > 3 else None
            if found is None or end + found[1] > len(data):
                break
            like, n_bytes = found
            request = Request(like.method, like.target, like.head, True, False)
            at = end + n_bytes
            request.body = data[end:at]
            events.append(request)
        return at

    def learn(self, data: bytes, request: Request) -> None:
        """Remember an opening when it comes the second time: those that are all different neither fill nor flush the memory.

        Args:
            data: What was read, from the beginning of a message.
            request: All that came of it.
        """
        end, n_bytes = data.find(b"\r\n\r\n", 0, _MAX_OPENING_BYTES) + 4, len(request.body)
        is_plain = request.head.is_plain and not request.head.expects_continue and request.keep_alive and not request.is_http_10
        if end < 4 or end + n_bytes != len(data) or n_bytes > SMALL or not is_plain or request.is_upgrade:
            return
        opening = data[:end]
        key = hash(opening)
        if key not in self._seen:
            if len(self._seen) >= 4 * _MAX_OPENINGS:
                self._seen.clear()
            self._seen.add(key)
            return
        if len(self._known) >= _MAX_OPENINGS:
            self._known.clear()
        self._known[opening] = (Request(request.method, request.target, request.head, True, False), n_bytes)
