"""Two ends to feed frames to, and what they make of them."""

from __future__ import annotations

from typing import Any

from jina.wire import hpack, http2
from jina.wire import http2_frames as frames
from jina.wire.http2_limits import Http2Limits

Fields = tuple[hpack.Field, ...]
REQUEST: Fields = ((":method", "POST"), (":scheme", "http"), (":path", "/a"), (":authority", "h"))
GET: Fields = ((":method", "GET"), *REQUEST[1:])
OPEN: Fields = (*REQUEST, ("x-n", "1"))
CONNECT: Fields = ((":method", "CONNECT"), (":authority", "h:80"))
WEBSOCKET: Fields = ((":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":path", "/chat"), (":authority", "h"))
BLOCK = hpack.encode(REQUEST)
OK = hpack.encode(((":status", "200"),))
TRAILERS = hpack.encode((("x-t", "1"),))
HELLO = frames.PREFACE + frames.settings({})
END, END_HEADERS, PADDED, HAS_PRIORITY, ACK = frames.END_STREAM, frames.END_HEADERS, frames.PADDED, frames.HAS_PRIORITY, frames.ACK
frame = frames.frame

Outcome = tuple[str, int] | None
"""`connection` or `stream` and the error's code; None where the frames are taken."""


def headers(number: int = 1, block: bytes = BLOCK, flags: int = END_HEADERS) -> bytes:
    return frame(frames.HEADERS, flags, number, block)


def data(number: int = 1, payload: bytes = b"ab", flags: int = 0) -> bytes:
    return frame(frames.DATA, flags, number, payload)


def build(fields: list[hpack.Field], values: dict[str, str]) -> Any:
    """Keep the fields; None for an informational response, as the layers above do."""
    return None if values.get(":status", "")[:1] == "1" else tuple(fields)


def server(takes_connect: bool = False, /, **limits: int) -> http2.Connection:
    """A server that has said its greeting."""
    made = http2.Connection(
        is_client=False, limits=Http2Limits(**limits), build_head=build, build_trailers=build, takes_connect=takes_connect
    )
    made.take_output()
    return made


def client(n_requests: int = 1, is_ready: bool = True, /, **limits: int) -> http2.Connection:
    """A client with requests 1, 3, ... whose bodies have not ended, and the server's SETTINGS."""
    made = http2.Connection(is_client=True, limits=Http2Limits(**limits), build_head=build, build_trailers=build)
    if is_ready:
        made.receive(frames.settings({}))
    for _ in range(n_requests):
        made.send_headers(made.start(), BLOCK)
    made.take_output()
    return made


def outcome(end: http2.Connection, sent: bytes) -> Outcome:
    """Say what an end makes of frames, and check that it answers as it says: RST_STREAM, or GOAWAY and no more."""
    found: Outcome = None
    for event in end.receive(sent):
        if event[0] == http2.CLOSED:
            found = ("connection", event[1])
        elif event[0] == http2.RESET and event[3] and found is None:
            found = ("stream", event[2])
    out = parsed(end.take_output())
    if found is None:
        found = next((("stream", int.from_bytes(body, "big")) for kind, _, _, body in out if kind == frames.RST_STREAM), None)
    if found is not None and found[0] == "stream":
        assert [int.from_bytes(body, "big") for kind, _, _, body in out if kind == frames.RST_STREAM] == [found[1]]
    if end.is_closed:
        assert found is not None
        assert (out[-1][0], out[-1][2], int.from_bytes(out[-1][3][4:8], "big")) == (frames.GOAWAY, 0, found[1])
        assert end.receive(HELLO) == []
    return found


def parsed(output: bytes) -> list[tuple[int, int, int, bytes]]:
    """Cut what an end sends into (type, flags, stream, payload)."""
    found, at = [], len(frames.PREFACE) if output.startswith(frames.PREFACE) else 0
    while at < len(output):
        size, flags, number = frames.HEADER.unpack_from(output, at)
        found.append((size & 0xFF, flags, number, output[at + 9 : at + 9 + (size >> 8)]))
        at += 9 + (size >> 8)
    assert at == len(output)
    return found


def kinds(output: bytes) -> list[int]:
    """Give the types of the frames an end sends."""
    return [kind for kind, _, _, _ in parsed(output)]
