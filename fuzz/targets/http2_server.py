"""An HTTP/2 server's connection: nothing raises, cuts change nothing, and what is held and written is in proportion to what came."""

from __future__ import annotations

from fuzz import frames
from fuzz.choices import Choices, cuts
from jina.wire import http2
from jina.wire.buffered import Buffered
from jina.wire.http2_frames import PREFACE, settings

MAX_BYTES = 192
WORDS = (PREFACE, b"\0\0\0\4\0\0\0\0\0", b"\0\0\4\x08\0\0\0\0\0")
HELLO = PREFACE + settings({})


def check(data: bytes) -> None:
    choices = Choices(data)
    how = choices.number(4)
    sent = choices.rest() if how == 0 else HELLO + (choices.rest() if how == 1 else frames.written(choices))
    whole, whole_output, _ = _feed([sent])
    pieces, pieces_output, connection = _feed(cuts(sent))
    frames.same(frames.plain(whole), frames.plain(pieces))
    frames.same(frames.without_credit(whole_output), frames.without_credit(pieces_output))
    frames.check_output(whole_output, sent)
    assert len(whole_output) <= 500 + 6 * len(sent)
    assert len(connection.streams) <= frames.LIMITS.max_streams


def _feed(pieces: object) -> tuple[list[http2.Event], bytes, http2.Connection]:
    buffered = Buffered()
    connection = http2.Connection(
        is_client=False,
        limits=frames.LIMITS,
        build_head=lambda fields, _: tuple(fields),
        build_trailers=lambda fields, _: tuple(fields),
        takes_whole=True,
        buffered=buffered,
    )
    events, out = [], [connection.take_output()]
    for piece in pieces:  # type: ignore[attr-defined]
        events += connection.receive(piece)
        out.append(connection.take_output())
    was_closed = connection.is_closed
    events += connection.eof()
    assert connection.is_closed
    assert [event[0] for event in events].count(http2.CLOSED) == 1
    assert events[-1][0] == http2.CLOSED
    assert not connection.eof()
    assert not connection.receive(b"\0" * 20)
    assert not buffered.n_bytes
    assert was_closed or not connection.take_output()
    return events, b"".join(out), connection


def seeds() -> list[bytes]:
    request = b"\1\0\5" + b"\0"
    return [
        b"\0" + HELLO + b"\0\0\4\x08\0\0\0\0\0\0\0\0\1",
        b"\2" + request,
        b"\2\1\0\2\0" + b"\0\0\1\0\5hello" + b"\1\3\5\0\0",
        b"\2" + b"\1\0\0\0\0" + b"\x09\0\2\4\1\0",
        b"\3" + bytes(range(64)),
    ]
