"""HTTP/2 frames made from an input's decisions, and what must hold for whatever a connection writes and gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from fuzz.choices import Choices
from jina.wire import hpack, http2
from jina.wire import http2_frames as frames
from jina.wire.http2_limits import Http2Limits

LIMITS = Http2Limits(
    max_streams=5,
    max_header_list_bytes=512,
    max_header_fields=16,
    max_continuations=3,
    max_frame_bytes=1 << 14,
    stream_window_bytes=20_000,
    connection_window_bytes=70_000,
    max_blocks=4,
    max_resets=8,
    max_pings=8,
    max_settings=8,
    max_empty_frames=8,
    max_queued_bytes=5_000,
)
_SIZES = (0, 1, 4, 5, 6, 8, 100, 2304, 4096, 5000, 16384, 16385)
_MOST = 64 << 10
_KINDS = (*range(11), 0, 1, 0, 1, 9)
_FIELDS = (
    *((":method", "POST"), (":method", "GET"), (":scheme", "http"), (":path", "/jina.JinaRPC/Call"), (":path", "*"), (":authority", "h")),
    *((":status", "200"), (":status", "103"), (":protocol", "websocket"), ("content-type", "application/grpc"), ("te", "trailers")),
    *(("grpc-status", "0"), ("grpc-status", "5"), ("grpc-message", "%41%"), ("grpc-encoding", "gzip"), ("grpc-timeout", "5S")),
    *(("content-length", "5"), ("content-length", "0"), ("host", "h"), ("connection", "close"), ("x-bin", "AAE"), ("x", "y" * 300)),
)
_REQUEST, _REPLY, _TRAILERS = (0, 2, 3, 9, 10), (6, 9), (11,)
BLOCKS = tuple(hpack.encode(_FIELDS[index] for index in indices) for indices in (_REQUEST, _REPLY, _TRAILERS))


def written(choices: Choices) -> bytes:
    """Frames as a peer might write them, most of them well-formed; about 64 KiB at most."""
    out, size = list[bytes](), 0
    while not choices.is_empty and size < _MOST:
        kind, stream = choices.pick(_KINDS), choices.pick((1, 1, 1, 3, 3, 5, 7, 9, 11, 13, 15, 0, 0, 2, 0x7FFFFFFF))
        flags = choices.pick((0, 1, 4, 5, 4, 5, 8, 13, 0x20, 0xFF))
        payload = _payload(choices, kind, flags)
        out.append((len(payload) << 8 | kind).to_bytes(4, "big") + bytes((flags,)) + stream.to_bytes(4, "big") + payload)
        size += len(out[-1])
    return b"".join(out)


def _payload(choices: Choices, kind: int, flags: int) -> bytes:
    how = choices.number(8)
    if how == 7:
        return choices.string()
    if kind == frames.DATA:
        if how < 4:
            message = choices.string()
            return choices.pick((b"\0", b"\0", b"\1", b"\2")) + len(message).to_bytes(4, "big") + message
        return bytes(choices.pick(_SIZES))
    if kind in (frames.HEADERS, frames.CONTINUATION):
        padding = b"\0" * ((5 if flags & frames.HAS_PRIORITY else 0) + (1 if flags & frames.PADDED else 0))
        if how < 4:
            return padding + choices.pick(BLOCKS)
        return padding + hpack.encode(choices.pick(_FIELDS) for _ in range(choices.number(20)))
    if kind == frames.SETTINGS:
        key, value = choices.number(9), choices.pick((0, 1, 100, 4096, 1 << 14, 65535, 1 << 20, 0x7FFFFFFF, 0x80000000))
        return b"" if flags & frames.ACK else key.to_bytes(2, "big") + value.to_bytes(4, "big")
    if kind in (frames.WINDOW_UPDATE, frames.RST_STREAM):
        return choices.pick((0, 1, 8, 200, 70_000, 0x7FFFFFFF)).to_bytes(4, "big")
    if kind == frames.GOAWAY:
        return choices.pick((0, 1, 3, 0x7FFFFFFF)).to_bytes(4, "big") + choices.number(14).to_bytes(4, "big") + choices.string()
    return bytes({frames.PRIORITY: 5, frames.PING: 8}.get(kind, 4))


def read(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """(kind, flags, stream, payload) of each whole frame."""
    at = 0
    while at + 9 <= len(data):
        size = int.from_bytes(data[at : at + 3], "big")
        if at + 9 + size > len(data):
            return
        stream = int.from_bytes(data[at + 5 : at + 9], "big") & 0x7FFFFFFF
        yield data[at + 3], data[at + 4], stream, data[at + 9 : at + 9 + size]
        at += 9 + size


def without_credit(output: bytes) -> list[tuple[int, int, int, bytes]]:
    """The frames without GOAWAY's texts, and without the windows of streams: they open before the end of a long DATA frame is seen."""
    found = read(output.removeprefix(frames.PREFACE))
    return [
        (kind, flags, stream, payload[:8] if kind == frames.GOAWAY else payload)
        for kind, flags, stream, payload in found
        if kind != frames.WINDOW_UPDATE or not stream
    ]


def check_output(output: bytes, sent: bytes) -> None:
    """What was written is whole frames that a peer may be sent, and no more DATA than the peer's windows allow."""
    at, data, decoder, is_over = 0, Counter[int](), hpack.Decoder(), False
    output = output.removeprefix(frames.PREFACE)
    for kind, flags, stream, payload in read(output):
        assert not is_over, "a frame after GOAWAY with an error"
        at += 9 + len(payload)
        assert kind in (0, 1, 3, 4, 6, 7, 8, 9), kind
        if kind == frames.DATA:
            data[stream] += len(payload)
            data[0] += len(payload)
        elif kind == frames.HEADERS and flags & frames.END_HEADERS:
            decoder.decode(payload)
        elif kind == frames.WINDOW_UPDATE:
            assert int.from_bytes(payload, "big") > 0
        elif kind == frames.GOAWAY:
            is_over = payload[4:8] != b"\0\0\0\0"
        assert len(payload) == {2: 5, 3: 4, 6: 8, 8: 4}.get(kind, len(payload))
    assert at == len(output), "the output ends within a frame"
    opened, initial = Counter[int](), 65535
    for kind, _, stream, payload in read(sent):
        if kind == frames.WINDOW_UPDATE and len(payload) == 4:
            opened[stream] += int.from_bytes(payload, "big") & 0x7FFFFFFF
        elif kind == frames.SETTINGS:
            values = (int.from_bytes(payload[i + 2 : i + 6], "big") for i in range(0, len(payload) - 5, 6) if payload[i : i + 2] == b"\0\4")
            initial = max(initial, *values, 0)
    for stream, size in data.items():
        assert size <= opened[stream] + (initial if stream else 65535), (stream, size)


def plain(events: Iterable[http2.Event]) -> list[Any]:
    """The events, however the bytes were cut: bodies in one piece, and WHOLE taken apart."""
    found: list[Any] = []
    for event in events:
        kind = event[0]
        if kind == http2.WHOLE:
            _, stream, data, start, end, trailers = event
            found.append([http2.HEADERS, stream.number, stream.head, False])
            found.append([http2.DATA, stream.number, bytes(data[start:end]), trailers is None])
            if trailers is not None:
                found.append([http2.TRAILERS, stream.number, trailers])
        elif kind == http2.HEADERS:
            found.append([kind, event[1].number, event[1].head, event[2]])
        elif kind == http2.DATA:
            _, stream, data, is_end = event
            if found and found[-1][:2] == [kind, stream.number]:
                found[-1][2:] = [found[-1][2] + bytes(data), is_end]
            else:
                found.append([kind, stream.number, bytes(data), is_end])
        elif kind in (http2.RESET, http2.CLOSED):  # the text may tell of another fault of the same frame
            found.append([kind, *(part.number if isinstance(part, http2.Stream) else part for part in event[1:-1])])
        else:
            found.append([part.number if isinstance(part, http2.Stream) else part for part in event])
    return found


def same(left: list[Any], right: list[Any]) -> None:
    """Assert that two lists are equal; the text shows where they first differ."""
    if left != right:
        at = next((at for at, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))
        raise AssertionError(f"item {at} differs: {repr(left[at : at + 1])[:300]} and {repr(right[at : at + 1])[:300]}")
