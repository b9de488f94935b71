"""Reads server-sent events (WHATWG HTML 9.2.6), however they are cut.

One thing is not as the standard has it: an event without data is given too, if it has a name, for Jina's streams end with such a one.
"""

from __future__ import annotations

from typing import Final

from jina.wire.http_client import BadResponseError

_BOM: Final = b"\xef\xbb\xbf"


class EventReader:
    """Turns bytes into (event, data) pairs; comments and other fields (`id`, `retry`) are passed over."""

    def __init__(self, max_event_bytes: int | None = None) -> None:
        """Begin a stream; an event that is larger is refused before it is held."""
        self._max_event_bytes = max_event_bytes
        self._start: bytes | None = b""
        self._is_after_cr = False
        self._line_parts: list[bytes] = []
        self._event, self._data = b"", list[bytes]()
        self._n_held = 0

    def feed(self, data: bytes) -> list[tuple[str, bytes]]:
        """Take bytes, give the events that are complete now.

        Raises:
            BadResponseError: An event is larger than allowed.
        """
        if self._start is not None:
            data = self._without_bom(data)
        if self._is_after_cr and data:
            data = data.removeprefix(b"\n")
            self._is_after_cr = False
        if not data:
            return []
        lines = data.splitlines()  # of bytes: at CR, LF and CRLF, and nowhere else
        rest = lines.pop() if data[-1] not in b"\r\n" else b""
        self._is_after_cr = data[-1:] == b"\r"
        found = []
        for line in lines:
            self._hold(len(line))
            if self._line_parts:
                line = b"".join((*self._line_parts, line))
                self._line_parts = []
            event = self._line(line)
            if event is not None:
                found.append(event)
        if rest:
            self._hold(len(rest))
            self._line_parts.append(rest)
        return found

    def _without_bom(self, data: bytes) -> bytes:
        assert self._start is not None
        data = self._start + data
        if len(data) < len(_BOM) and _BOM.startswith(data):
            self._start = data
            return b""
        self._start = None
        return data.removeprefix(_BOM)

    def _hold(self, n_bytes: int) -> None:
        self._n_held += n_bytes
        if self._max_event_bytes is not None and self._n_held > self._max_event_bytes:
            raise BadResponseError(f"the server's event exceeds max_message_bytes={self._max_event_bytes}")

    def _line(self, line: bytes) -> tuple[str, bytes] | None:
        if not line:
            event, data = self._event, self._data
            self._event, self._data, self._n_held = b"", [], 0
            return (event.decode("utf-8", "replace") or "message", b"\n".join(data)) if event or data else None
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"event":
            self._event = value
        elif name == b"data":
            self._data.append(value)
        else:
            self._n_held -= len(line)
        return None
