"""A gRPC client's connection with calls under way: each call ends exactly once, and cuts do not change how."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fuzz import frames
from fuzz.choices import Choices, cuts
from jina.wire import grpc
from jina.wire.http2_frames import settings

MAX_BYTES = 192
HEAD = grpc.request_block("/jina.JinaRPC/Call")


def check(data: bytes) -> None:
    choices = Choices(data)
    n_waiting = choices.pick((10, 300, 1000, 80_000))
    sent = settings({}) + frames.written(choices)
    whole, output = _feed([sent], n_waiting)
    pieces, cut_output = _feed(cuts(sent), n_waiting)
    frames.check_output(cut_output, sent)
    if not {3, 7} & {kind for kind, *_ in [*frames.read(sent), *frames.read(output[24:]), *frames.read(cut_output[24:])]}:
        assert whole == pieces, "not the same once cut, where nobody ended anything early"


def _feed(pieces: Iterable[bytes], n_waiting: int) -> tuple[dict[int, list[Any]], bytes]:
    connection = grpc.ClientConnection(limits=frames.LIMITS, max_message_bytes=20_000)
    calls: dict[int, list[Any]] = {connection.call(HEAD, bytes(size)): [] for size in (5, 0, n_waiting)}
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
    started = b"\1\5\1\0\1" + b"\0\5\0\0\0\2ab" * 2 + b"\1\5\2\0\2"
    found = [reply, started, b"\7\x0b\0\0\1\0\0" + reply, b"\1\0\2\0\2", b"\3\0\0\0\2" + reply]
    return [b"\0" + each for each in found] + [b"\3" + found[0]]
