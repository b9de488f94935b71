"""WebSocket in both roles, folded or not: cuts change nothing, text is UTF-8, sizes are kept, what one side sends the other reads."""

from __future__ import annotations

from collections.abc import Iterable

from fuzz.choices import Choices, cuts
from jina.wire import websocket as ws
from jina.wire.buffered import Buffered
from jina.wire.websocket_deflate import answer_offer, make_offer, read_answer

MAX_BYTES = 256
WORDS = (
    b"\x81\x80\0\0\0\0",
    b"\x82\x85\0\0\0\0hello",
    b"\xc1\x87\0\0\0\0\xf2\x48\xcd\xc9\xc9\x07\0",
    b"\x88\x82\0\0\0\0\x03\xe8",
    b"\x89\0",
    b"\x01\x7e",
    b"\x7f",
)
MAX_MESSAGE = 20_000
_SIZES = (0, 1, 5, 125, 126, 127, 2000, 65535, 70_000)


def check(data: bytes) -> None:
    choices = Choices(data)
    how = choices.number()
    is_client, is_folded = bool(how & 1), bool(how & 2)
    sent = choices.rest() if how & 4 else _frames(choices, not is_client)
    whole, output = _feed([sent], is_client, is_folded)
    pieces, cut_output = _feed(cuts(sent), is_client, is_folded)
    assert whole == pieces, (whole, pieces)
    assert is_client or output == cut_output  # a client's masks are random
    assert len(output) <= 2 * len(sent) + 200
    _check_round_trip(choices, data, is_client, is_folded)


def _frames(choices: Choices, is_masked: bool) -> bytes:
    out, size = list[bytes](), 0
    while not choices.is_empty and size < 64 << 10:
        head = choices.pick((0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x88, 0x89, 0x8A, 0xC1, 0xC2, 0x41, 0x40, 0x09, 0x83, 0xA1))
        kind = choices.number(4)
        payload = choices.string() if kind else bytes(choices.pick(_SIZES))
        payload = (choices.pick((b"\x03\xe8", b"\x03\xed", b"\x0f\xa0", b"")) + payload) if head == 0x88 and kind == 1 else payload
        bit = 0x80 if is_masked != (choices.number() == 255) else 0
        length = len(payload)
        short, n_bytes = (length, 0) if length < 126 else (126, 2) if length < 1 << 16 else (127, 8)
        sizes = bytes((bit | short,)) + length.to_bytes(8, "big")[8 - n_bytes :]
        out.append(bytes((head,)) + sizes + (b"\0\0\0\0" if bit else b"") + payload)
        size += len(out[-1])
    return b"".join(out)


def _connection(is_client: bool, is_folded: bool, buffered: Buffered) -> ws.Connection:
    deflate = None
    if is_folded:
        answer, deflate = answer_offer(make_offer())
        deflate = read_answer(answer) if is_client else deflate
    return ws.Connection(is_client=is_client, max_message_bytes=MAX_MESSAGE, deflate=deflate, buffered=buffered)


def _feed(pieces: Iterable[bytes], is_client: bool, is_folded: bool) -> tuple[list[ws.Event], bytes]:
    buffered = Buffered()
    connection = _connection(is_client, is_folded, buffered)
    events: list[ws.Event] = []
    for piece in pieces:
        connection.receive(piece)
        while (event := connection.next_event(0.0)) is not None:
            assert not events or events[-1][0] == ws.MESSAGE, "an event after the end"
            events.append(event)
            if event[0] == ws.MESSAGE:
                assert len(event[1]) <= MAX_MESSAGE
                buffered.give_back(event[3])
                if event[2]:
                    event[1].decode()
    connection.drop()
    assert not buffered.n_bytes
    return [event[:3] if event[0] == ws.MESSAGE else event[:2] for event in events], connection.take_output()


def _check_round_trip(choices: Choices, data: bytes, is_client: bool, is_folded: bool) -> None:
    buffered = Buffered()
    sender, reader = _connection(is_client, is_folded, buffered), _connection(not is_client, is_folded, buffered)
    message = data[:1000] * (choices.number() % 5)
    sender.send(message, is_text=False)
    sender.close(1000, data.decode(errors="replace"))
    reader.receive(sender.take_output())
    assert reader.next_event(0.0)[:3] == (ws.MESSAGE, message, False)  # type: ignore[index]
    closed = reader.next_event(0.0)
    assert closed is not None
    assert closed[:2] == (ws.CLOSED, 1000)


def seeds() -> list[bytes]:
    text, parts = b"\0\1\5hello\0", b"\2\1\3abc\0\4\1\0\0\5\1\2de\0"
    return [
        b"\0" + text,
        b"\1" + text,
        b"\2" + text + parts,
        b"\3\x09\1\7\xf2\x48\xcd\xc9\xc9\x07\0\0",
        b"\0\6\1\5bye\0\0",
        b"\4\x81\x80\0\0\0\0",
        b"\0\7\1\1x\0z",
    ]
