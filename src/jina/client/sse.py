"""Reads server-sent events (WHATWG HTML 9.2.6), however they are cut."""

from __future__ import annotations

import re

_LINE_END = re.compile(rb"\r\n|\n|\r")


class EventReader:
    """Turns bytes into (event, data) pairs; comments and other fields are passed over."""

    def __init__(self) -> None:
        self._rest = b""
        self._event, self._data = b"", list[bytes]()

    def feed(self, data: bytes) -> list[tuple[str, bytes]]:
        """Take bytes, give the events that are complete now."""
        text = self._rest + data
        # a CR at the very end may be half of a CRLF
        cut = len(text) - 1 if text.endswith(b"\r") else len(text)
        *lines, last = _LINE_END.split(text[:cut])
        self._rest = last + text[cut:]
        return [event for line in lines if (event := self._line(line)) is not None]

    def _line(self, line: bytes) -> tuple[str, bytes] | None:
        if not line:
            event, data = self._event, self._data
            self._event, self._data = b"", []
            return (event.decode("utf-8", "replace") or "message", b"\n".join(data)) if event or data else None
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"event":
            self._event = value
        elif name == b"data":
            self._data.append(value)
        return None
