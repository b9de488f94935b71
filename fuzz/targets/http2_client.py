"""An HTTP/2 client's connection with requests under way: nothing raises, cuts change nothing, no window is passed."""

from __future__ import annotations

from collections.abc import Iterable

from fuzz import frames
from fuzz.choices import Choices, cuts
from jina.wire import http2
from jina.wire.buffered import Buffered
from jina.wire.http2_frames import settings

MAX_BYTES = 192
WORDS = (settings({}), b"\0\0\4\x08\0\0\0\0\0")


def check(data: bytes) -> None:
    choices = Choices(data)
    how, waiting = choices.number(4), choices.pick((0, 10, 20_000, 90_000))
    sent = choices.rest() if how == 0 else settings({}) + (choices.rest() if how == 1 else frames.written(choices))
    whole, whole_output = _feed([sent], waiting)
    pieces, pieces_output = _feed(cuts(sent), waiting)
    frames.same(frames.plain(whole), frames.plain(pieces))
    frames.same(frames.without_credit(whole_output), frames.without_credit(pieces_output))
    frames.check_output(whole_output, sent)
    assert len(whole_output) <= 1500 + waiting * 10 // 9 + 6 * len(sent)


def _feed(pieces: Iterable[bytes], n_waiting: int) -> tuple[list[http2.Event], bytes]:
    buffered = Buffered()
    connection = http2.Connection(
        is_client=True,
        limits=frames.LIMITS,
        build_head=lambda fields, values: None if values[":status"][0] == "1" else tuple(fields),
        build_trailers=lambda fields, _: tuple(fields),
        takes_whole=True,
        buffered=buffered,
    )
    for size in (5, n_waiting, 0):
        connection.begin(frames.BLOCKS[0], (bytes(size),), size)
    connection.send_headers(connection.start(), frames.BLOCKS[0])
    events, out = [], [connection.take_output()]
    for piece in pieces:
        events += connection.receive(piece)
        out.append(connection.take_output())
    if len(out) % 2:
        connection.goaway()
    out.append(connection.take_output())
    events += connection.eof()
    assert connection.is_closed
    assert [event[0] for event in events].count(http2.CLOSED) == 1
    assert not connection.streams
    assert not buffered.n_bytes
    return events, b"".join(out[:-1])


def seeds() -> list[bytes]:
    reply = b"\1\0\1\0\1" + b"\0\0\0\0\0\5hello" + b"\1\0\5\0\2"
    return [b"\2\0" + reply, b"\2\2" + b"\4\x0b\0\0\4\6" + reply, b"\3\2\x08\0\0\0\4" + reply, b"\2\1\7\x0b\0\0\1\0\0", b"\2\1\3\0\0\0\2"]
