"""A gRPC server's connection: no call is told of twice, none goes unanswered in silence, and cuts change nothing in what is well-formed.

The handler echoes, or leaves the calls alone; in the latter case whole and cut bytes give the same calls and messages, as long as we
had no reason to end a call ourselves (how much of it is seen before the refusal depends on the cuts).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fuzz import frames
from fuzz.choices import Choices, cuts
from jina.wire import grpc
from jina.wire.buffered import Buffered
from jina.wire.http2_frames import PREFACE, settings

MAX_BYTES = 192
HELLO = PREFACE + settings({})


def check(data: bytes) -> None:
    choices = Choices(data)
    is_unary, echoes = choices.number(2), choices.number(2)
    sent = HELLO + frames.written(choices)
    pieces, cut_output = _feed(cuts(sent), is_unary, echoes)
    frames.check_output(cut_output, sent)
    if echoes:
        return
    whole, output = _feed([sent], is_unary, echoes)
    has_reset = any(frame[0] == 3 for frame in frames.read(sent[24:]))  # of a call that is reset in the same read nobody hears
    if not has_reset and {frame[0] for frame in frames.read(output)} <= {4, 6, 8}:
        assert {frame[0] for frame in frames.read(cut_output)} <= {4, 6, 8}
        assert _plain(whole) == _plain(pieces)


def _feed(pieces: Iterable[bytes], is_unary: int, echoes: int) -> tuple[list[grpc.Event], bytes]:
    buffered = Buffered(30_000)
    paths = ("/jina.JinaRPC/Call",) if is_unary else ()
    connection = grpc.ServerConnection(limits=frames.LIMITS, max_message_bytes=20_000, unary_paths=paths, buffered=buffered)
    states: dict[int, str] = {}
    events, out = [], [connection.take_output()]
    for piece in pieces:
        found = connection.receive(piece)
        for event in found:
            _check_order(states, event)
            if echoes:
                _echo(connection, event)
        events += found
        out.append(connection.take_output())
    for event in connection.eof():
        _check_order(states, event)
    assert connection.is_closed
    assert "open" not in states.values() or echoes
    assert not buffered.n_bytes
    return events, b"".join(out)


def _check_order(states: dict[int, str], event: grpc.Event) -> None:
    assert states.get(-1) != "closed"
    kind = event[0]
    if kind == grpc.CLOSED:
        states[-1] = "closed"
    elif kind in (grpc.UNARY, grpc.CALL_STARTED):
        assert event[1] not in states
        states[event[1]] = "open"
    elif kind in (grpc.MESSAGE, grpc.HALF_CLOSED, grpc.CANCELLED):
        assert states[event[1]] == "open" or (kind == grpc.CANCELLED and states[event[1]] == "half-closed"), event
        states[event[1]] = {grpc.MESSAGE: "open", grpc.HALF_CLOSED: "half-closed"}.get(kind, "cancelled")


def _echo(connection: grpc.ServerConnection, event: grpc.Event) -> None:
    if event[0] == grpc.UNARY:
        connection.reply(event[1], event[3], (("x", "y"),) if len(event[3]) % 2 else ())
    elif event[0] == grpc.MESSAGE:
        connection.send_message(event[1], event[2] * 3)
        connection.is_writable(event[1])
    elif event[0] == grpc.HALF_CLOSED:
        connection.send_status(event[1], 0)


def _plain(events: list[grpc.Event]) -> dict[int, list[Any]]:
    """What was heard of each call."""
    found: dict[int, list[Any]] = {}
    for event in events:
        call = found.setdefault(event[1] if isinstance(event[1], int) else 0, [])
        if event[0] == grpc.UNARY:
            call += [event[2].fields, event[3], "end"]
        elif event[0] == grpc.CALL_STARTED:
            call.append(event[2].fields)
        elif event[0] == grpc.HALF_CLOSED:
            call.append("end")
        else:
            call.append(event[2] if event[0] == grpc.MESSAGE else event)
    return found


def seeds() -> list[bytes]:
    request = b"\1\0\2\0\0" + b"\0\0\1\0\0\5hello"
    stream = b"\1\3\2\0\0" + b"\0\3\0\0\0\5hello" + b"\0\3\1\0\0\3abc"
    return [b"\0\0" + request, b"\1\1" + request + request, b"\0\0" + stream, b"\0\1" + stream + b"\3\3\0\0\2", b"\1\0" + bytes(range(80))]
