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
    assert EventReader().feed(sse.update(data)) == [("update", _escaped(data))]


def _read(data: bytes) -> list[tuple[str, bytes]]:
    """Line by line, as the standard's text goes."""
    found, name, lines = list[tuple[str, bytes]](), b"", list[bytes]()
    for line in re.split(rb"\r\n|\r|\n", data.removeprefix(b"\xef\xbb\xbf"))[:-1]:
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


def _escaped(data: bytes) -> bytes:
    """What stands for the same in JSON, and no reader takes for a line's end or another event's beginning."""
    data = re.sub(rb"[\r\n]", b" ", data).replace(b"event: ", rb"event\u003a ")
    return data.replace("\u0085".encode(), rb"\u0085").replace("\u2028".encode(), rb"\u2028").replace("\u2029".encode(), rb"\u2029")


def seeds() -> list[bytes]:
    return [
        sse.update(b'{"text": "a"}') + sse.ping("now") + sse.error(b'{"detail": "x"}'),
        b"data: a\ndata: b\n\nevent: end\n\n",
        b"data\r\rdata:\r",
    ]
