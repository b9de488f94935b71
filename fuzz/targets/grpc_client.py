"""A gRPC client's connection with calls under way: each call ends exactly once, and cuts do not change how."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fuzz import frames
from fuzz.choices import Choices, cuts
from jina.wire import grpc
from jina.wire.http2_frames import settings

MAX_BYTES = 512
HEAD = grpc.request_block("/jina.JinaRPC/Call")
REFUSING = {1, 3, 7}


def check(data: bytes) -> None:
    sent = settings({}) + frames.written(Choices(data))
    whole, output = _feed([sent])
    pieces, cut_output = _feed(cuts(sent))
    frames.check_output(cut_output, sent)
    if not any(kind == 3 or (kind == 7 and payload[4:8] != b"\0\0\0\0") for kind, _, _, payload in frames.read(output[24:])):
        assert whole == pieces


def _feed(pieces: Iterable[bytes]) -> tuple[dict[int, list[Any]], bytes]:
    connection = grpc.ClientConnection(limits=frames.LIMITS, max_message_bytes=20_000)
    calls: dict[int, list[Any]] = {connection.call(HEAD, bytes(size)): [] for size in (5, 0, 80_000)}
    streams = [connection.start(HEAD), connection.start(HEAD)]
    connection.send_message(streams[0], b"hello")
    connection.half_close(streams[0])
    calls |= {stream: [] for stream in streams}
    events, out = [], [connection.take_output()]
    for piece in pieces:
        events += connection.receive(piece)
        out.append(connection.take_output())
    for event in [*events, *connection.eof()]:
        kind = event[0]
        if kind in (grpc.UNARY_REPLY, grpc.HEAD, grpc.MESSAGE, grpc.ENDED):
            found = calls[event[1]]
            assert grpc.ENDED not in found, "an event after the call's end"
            assert grpc.UNARY_REPLY not in found
            head = [event[2].fields] if kind == grpc.HEAD else [*event[2:3]]
            found += [kind, *head, *(event[3:5] if kind == grpc.ENDED else ())]
    assert connection.is_closed
    for stream, found in calls.items():
        assert (grpc.ENDED in found) != (grpc.UNARY_REPLY in found), (stream, found)
    return calls, b"".join(out)


def seeds() -> list[bytes]:
    reply = b"\1\0\1\0\1" + b"\0\0\0\0\0\5hello" + b"\1\0\2\0\2"
    return [reply, b"\1\5\1\0\1" + b"\0\5\0\0\0\2ab" * 2 + b"\1\5\2\0\2", b"\7\x0b\0\0\1\0\0" + reply, b"\1\0\2\0\2", b"\3\0\0\0\2" + reply]
