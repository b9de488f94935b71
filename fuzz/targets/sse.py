"""Server-sent events: cuts change nothing, a plain second reading of the standard agrees, and what we write is read back."""

from __future__ import annotations

import re

from fuzz.choices import cuts
from jina.client.sse import EventReader
from jina.wire import sse

WORDS = (b"event: update\r\n", b"data: ", b"data", b"\r\n\r\n", b"\n\n", b"\r\r", b": ping\n\n", b"id: 1\n", b"retry: 5\n", b"\xef\xbb\xbf")


def check(data: bytes) -> None:
    whole = EventReader().feed(data)
    reader = EventReader()
    assert [event for piece in cuts(data) for event in reader.feed(piece)] == whole
    assert whole == _read(data)
    assert EventReader().feed(sse.update(data)) == [("update", re.sub(rb"[\r\n]", b" ", data))]


def _read(data: bytes) -> list[tuple[str, bytes]]:
    """Line by line, as the standard's text goes."""
    found, name, lines = list[tuple[str, bytes]](), b"", list[bytes]()
    text = data[:-1] if data.endswith(b"\r") else data
    for line in re.split(rb"\r\n|\r|\n", text)[:-1]:
        field, _, value = line.partition(b":")
        value = value[1:] if value[:1] == b" " else value
        if not line:
            if name or lines:
                found.append((name.decode(errors="replace") or "message", b"\n".join(lines)))
            name, lines = b"", []
        elif field == b"event":
            name = value
        elif field == b"data":
            lines.append(value)
    return found


def seeds() -> list[bytes]:
    return [
        sse.update(b'{"text": "a"}') + sse.ping("now") + sse.error(b'{"detail": "x"}'),
        b"data: a\ndata: b\n\nevent: end\n\n",
        b"data\r\rdata:\r",
    ]
