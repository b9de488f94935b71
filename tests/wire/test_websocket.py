from __future__ import annotations

import codecs
import itertools
import os
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import Protocol, Side

from jina.wire import websocket
from jina.wire.buffered import SMALL, Buffered
from jina.wire.websocket import BROKEN, CLOSED, MESSAGE, MORE, Connection
from jina.wire.websocket_deflate import STEP_BYTES, answer_offer, make_offer, read_answer

MIB = 1 << 20
TEXT, BINARY, CONT, CLOSE, PING, PONG = Opcode.TEXT, Opcode.BINARY, Opcode.CONT, Opcode.CLOSE, Opcode.PING, Opcode.PONG


def server(*, buffered: Buffered | None = None, offer: str = "", max_message_bytes: int | None = MIB) -> Connection:
    deflate = answer_offer(offer)[1] if offer else None
    return Connection(is_client=False, max_message_bytes=max_message_bytes, deflate=deflate, buffered=buffered)


def events(connection: Connection, *pieces: bytes, now: float = 0.0) -> list[Any]:
    found = []
    for piece in pieces:
        connection.receive(piece)
        while (event := connection.next_event(now)) is not None:
            if event != (MORE,):
                found.append(event)
    return found


def frame(opcode: Opcode, data: bytes = b"", *, fin: bool = True, rsv1: bool = False, rsv2: bool = False) -> bytes:
    """A client's frame, whatever it holds: `serialize` would refuse some of them."""
    mask = os.urandom(4)
    head = bytes((opcode | fin << 7 | rsv1 << 6 | rsv2 << 5,))
    size = len(data)
    length = (
        bytes((0x80 | size,)) if size < 126 else b"\xfe" + size.to_bytes(2, "big") if size < 65536 else b"\xff" + size.to_bytes(8, "big")
    )
    return head + length + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))


def folded(data: bytes) -> bytes:
    made = zlib.compressobj(wbits=-15)
    return (made.compress(data) + made.flush(zlib.Z_SYNC_FLUSH))[:-4]


def frames_of(data: bytes) -> list[Any]:
    """What a server wrote, as the library reads it."""
    peer = Protocol(Side.CLIENT, max_size=None)
    peer.receive_data(data)
    return peer.events_received()


def cut(data: bytes, points: list[int]) -> list[bytes]:
    at = sorted({0, len(data), *(point % (len(data) + 1) for point in points)})
    return [data[a:b] for a, b in itertools.pairwise(at)]


@settings(deadline=None)
@given(
    st.lists(st.one_of(st.binary(max_size=3000), st.text(max_size=3000)), max_size=5),
    st.lists(st.integers(0, 9999), max_size=9),
    st.booleans(),
)
def test_messages_arrive_as_they_were_sent_however_the_bytes_are_cut(messages: list[Any], points: list[int], is_folded: bool) -> None:
    """Both roles, with compression and without."""
    answer, theirs = answer_offer(make_offer())
    ours = read_answer(answer)
    client = Connection(is_client=True, max_message_bytes=None, deflate=ours if is_folded else None)
    peer = Connection(is_client=False, max_message_bytes=None, deflate=theirs if is_folded else None)
    for sender, receiver in ((client, peer), (peer, client)):
        for message in messages:
            sender.send(message.encode() if isinstance(message, str) else message, is_text=isinstance(message, str))
        found = events(receiver, *cut(sender.take_output(), points))
        assert [(event[1].decode() if event[2] else event[1]) for event in found] == messages


@settings(deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=8))
def test_nothing_that_comes_makes_it_raise(pieces: list[bytes]) -> None:
    """What breaks a rule ends the connection once; nothing stays counted."""
    buffered = Buffered(MIB)
    connection = server(buffered=buffered, offer="permessage-deflate")
    found = events(connection, *pieces)
    assert [event[0] for event in found[:-1]].count(BROKEN) == 0
    connection.drop()
    assert buffered.n_bytes == sum(event[3] for event in found if event[0] == MESSAGE)
    assert events(connection, b"\x81\x80abcd") == []


_FRAMES = st.builds(
    frame,
    st.sampled_from(list(Opcode)),
    st.one_of(
        st.binary(max_size=130),
        st.text(max_size=20).map(str.encode),
        st.integers(0, 5000).map(lambda code: code.to_bytes(2, "big") + b"bye"),
    ),
    fin=st.sampled_from([True, True, False]),
    rsv1=st.sampled_from([False] * 9 + [True]),
)


@settings(deadline=None, max_examples=300)
@given(st.lists(_FRAMES, max_size=6), st.lists(st.integers(0, 9999), max_size=5))
def test_the_library_finds_the_same_in_any_frames(frames: list[bytes], points: list[int]) -> None:
    """Messages, pongs and close codes are those of `websockets`' own connection, but for what it leaves to its users."""
    data = b"".join(frames)
    theirs = Protocol(Side.SERVER, max_size=MIB)
    theirs.receive_data(data)
    connection = server()
    found = events(connection, *cut(data, points))
    if theirs.close_sent is None or theirs.close_sent.reason != "incomplete fragmented message":  # RFC 6455, 5.4 lets a Close come there
        expected, code = _messages(theirs)
        assert [event[1] for event in found if event[0] == MESSAGE] == expected
        ends = [event[1] for event in found if event[0] != MESSAGE]
        assert ends == ([] if code is None else [code])
        if code != websocket.INVALID_DATA:
            assert [each.opcode for each in frames_of(connection.take_output())] == [each.opcode for each in _written(theirs)]


def _messages(protocol: Protocol) -> tuple[list[bytes], int | None]:
    """Whole messages before the first text that is not UTF-8, and the code of the end."""
    whole: list[bytes] = []
    decoder, data = codecs.getincrementaldecoder("utf-8")(), b""
    for each in protocol.events_received():
        if isinstance(each, Frame) and each.opcode in (TEXT, BINARY, CONT):
            if each.opcode != CONT:
                data, is_text = b"", each.opcode == TEXT
                decoder.reset()
            data += each.data
            try:
                if is_text:
                    decoder.decode(bytes(each.data), each.fin)
            except UnicodeDecodeError:
                return whole, websocket.INVALID_DATA
            if each.fin:
                whole.append(data)
    return whole, None if protocol.close_sent is None else int(protocol.close_sent.code)


def _written(protocol: Protocol) -> list[Any]:
    return frames_of(b"".join(protocol.data_to_send()))


def test_a_message_may_come_in_fragments_with_control_frames_between() -> None:
    """A ping between two fragments is answered at once."""
    connection = server()
    found = events(connection, frame(TEXT, b"a", fin=False), frame(PING, b"x"), frame(CONT, b"b", fin=False), frame(CONT))
    assert found == [(MESSAGE, b"ab", True, 0)]
    assert [(each.opcode, bytes(each.data)) for each in frames_of(connection.take_output())] == [(PONG, b"x")]


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([frame(CONT, b"a")], 1002),
        ([frame(TEXT, b"a", fin=False), frame(TEXT, b"b")], 1002),
        ([frame(TEXT, b"a", rsv1=True)], 1002),
        ([frame(TEXT, b"a", rsv2=True)], 1002),
        ([frame(PING, b"x" * 126)], 1002),
        ([frame(PING, b"x" * 65536)[:20]], 1002),
        ([frame(PING, b"", fin=False)], 1002),
        ([b"\x83\x80abcd"], 1002),
        ([b"\x81\x01a"], 1002),
        ([frame(CLOSE, b"\x03")], 1002),
        ([frame(CLOSE, (1005).to_bytes(2, "big"))], 1002),
        ([frame(CLOSE, (1000).to_bytes(2, "big") + b"\xff")], 1007),
        ([frame(TEXT, b"\xff")], 1007),
        ([frame(TEXT, b"\xe2\x82", fin=False), frame(CONT, b"a", fin=False)], 1007),
        ([frame(TEXT, b"\xe2\x82", fin=False), frame(CONT)], 1007),
    ],
)
def test_what_breaks_a_rule_is_told_so_once(frames: list[bytes], code: int) -> None:
    """A Close with the code, and whatever follows is not read."""
    connection = server()
    found = events(connection, *frames, frame(TEXT, b"more"))
    assert [event[:2] for event in found] == [(BROKEN, code)]
    (told,) = frames_of(connection.take_output())
    assert Close.parse(told.data) == Close(code, found[0][2])
    assert connection.is_over
    assert not connection.is_open


def test_a_text_cut_inside_a_character_is_whole_in_the_end() -> None:
    """Fragments may be cut anywhere."""
    assert events(server(), frame(TEXT, b"\xe2\x82", fin=False), frame(CONT, b"\xac")) == [(MESSAGE, "€".encode(), True, 0)]


def test_many_pings_end_the_connection_and_a_few_do_not() -> None:
    """A thousand in ten seconds are answered; time gives them back."""
    connection = server()
    assert events(connection, frame(PING) * 1000) == []
    assert events(connection, frame(PING) * 900, now=10.0) == []
    (end,) = events(connection, frame(PONG) * 200, now=10.0)
    assert end[:2] == (BROKEN, 1008)


def test_a_close_is_answered_with_its_own_code_also_inside_a_message() -> None:
    """RFC 6455, 5.5.1; what follows is not read."""
    connection = server()
    close = (4000).to_bytes(2, "big") + b"bye"
    found = events(connection, frame(TEXT, b"a", fin=False) + frame(CLOSE, close) + frame(TEXT, b"b"))
    assert found == [(CLOSED, 4000, "bye")]
    assert [bytes(each.data) for each in frames_of(connection.take_output())] == [close]


def test_a_close_without_a_code_is_1005() -> None:
    """And is answered without one."""
    connection = server()
    assert events(connection, frame(CLOSE)) == [(CLOSED, 1005, "")]
    assert [bytes(each.data) for each in frames_of(connection.take_output())] == [b""]


def test_after_our_close_messages_are_dropped_until_the_peer_closes() -> None:
    """Its answer is the end; what it sent before is not asked for any more."""
    buffered = Buffered(MIB)
    connection = server(buffered=buffered)
    connection.close(1011, "down")
    connection.close(1000)
    connection.send(b"late", is_text=False)
    connection.ping()
    connection.pong()
    told = frames_of(connection.take_output())
    assert [Close.parse(each.data) for each in told] == [Close(1011, "down")]
    assert events(connection, frame(BINARY, b"x" * (SMALL + 1)), frame(PING), frame(CLOSE, b"\x03\xf3")) == [(CLOSED, 1011, "")]
    assert connection.take_output() == b""
    assert buffered.n_bytes == 0


def test_a_reason_is_cut_at_a_character() -> None:
    """123 bytes fit."""
    connection = server()
    connection.close(1011, "a" + "€" * 60)
    assert Close.parse(frames_of(connection.take_output())[0].data).reason == "a" + "€" * 40


def test_a_close_without_a_code_can_be_sent() -> None:
    """1005 stands for none."""
    connection = server()
    connection.close(websocket.NO_CODE)
    assert [bytes(each.data) for each in frames_of(connection.take_output())] == [b""]


def test_a_sign_of_life_is_asked_for_and_given() -> None:
    """Empty control frames."""
    connection = server()
    connection.ping()
    connection.pong()
    assert [each.opcode for each in frames_of(connection.take_output())] == [PING, PONG]


@pytest.mark.parametrize("offer", ["", "permessage-deflate"])
@pytest.mark.parametrize("n_more", [0, 1])
@pytest.mark.parametrize("n_fragments", [1, 2, 3])
def test_the_largest_message_passes_and_one_byte_more_does_not(offer: str, n_more: int, n_fragments: int) -> None:
    """The limit is of whole messages, unfolded, whatever they are cut into."""
    limit = 90_000
    data = os.urandom(limit).hex().encode()[: limit + n_more]
    size = len(data) // n_fragments + 1
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    if offer:
        made = zlib.compressobj(wbits=-15)
        parts = [made.compress(part) + made.flush(zlib.Z_SYNC_FLUSH) for part in parts]
    last = len(parts) - 1
    sent = b"".join(frame(CONT if i else BINARY, part, fin=i == last, rsv1=bool(offer) and not i) for i, part in enumerate(parts))
    (found,) = events(server(offer=offer, max_message_bytes=limit), sent)
    assert found[:2] == ((BROKEN, 1009) if n_more else (MESSAGE, data))


def test_a_message_that_is_too_large_is_refused_by_its_head() -> None:
    """Nothing of it is waited for."""
    (found,) = events(server(max_message_bytes=100), frame(BINARY, b"x" * 101)[:6])
    assert found[:2] == (BROKEN, 1009)
    assert "max_message_bytes" in found[2]


@pytest.mark.parametrize("n_bytes", [64 << 10, 200 << 10])
def test_a_message_may_unfold_to_a_hundred_times_its_size(n_bytes: int) -> None:
    """64 KiB are free; beyond them a thousandfold is refused."""
    (found,) = events(server(offer="permessage-deflate", max_message_bytes=None), frame(TEXT, folded(b"0" * n_bytes), rsv1=True))
    assert found[:2] == ((MESSAGE, b"0" * n_bytes) if n_bytes <= 64 << 10 else (BROKEN, 1009))


def test_a_bomb_in_small_pieces_is_refused_at_the_same_size() -> None:
    """Each piece has a ratio that would pass alone; where nothing is left, zlib's 0 must not mean no limit."""
    bomb = folded(b"\0" * 4 * MIB)
    pieces = [bomb[at : at + 64] for at in range(0, len(bomb), 64)]
    connection = server(offer="permessage-deflate", max_message_bytes=None)
    sent = [frame(CONT if i else BINARY, piece, fin=False, rsv1=not i) for i, piece in enumerate(pieces)]
    (found,) = events(connection, *sent)
    assert found == (BROKEN, 1009, "a compressed message unfolds to more than 100 times its size")


def test_not_a_byte_more_unfolds_where_nothing_is_left() -> None:
    """To zlib 0 would mean no limit."""
    made = zlib.compressobj(wbits=-15)
    parts = [made.compress(data) + made.flush(zlib.Z_SYNC_FLUSH) for data in (b"0" * (64 << 10), b"1")]
    connection = server(offer="permessage-deflate")
    assert events(connection, frame(BINARY, parts[0], fin=False, rsv1=True), frame(PING)) == []
    assert events(connection, frame(CONT, parts[1]))[0][:2] == (BROKEN, 1009)


def test_a_large_message_unfolds_in_steps() -> None:
    """Between them others have their turn; what comes meanwhile waits."""
    data = os.urandom(2 * STEP_BYTES).hex().encode()
    connection = server(offer="permessage-deflate", max_message_bytes=None)
    connection.receive(frame(TEXT, folded(data), rsv1=True) + frame(PING))
    found = [connection.next_event(0.0)]
    while found[-1] == (MORE,):
        found.append(connection.next_event(0.0))
    assert len(found) > 2
    assert found[-1] == (MESSAGE, data, True, len(data))
    assert connection.take_output() == b""
    assert connection.next_event(0.0) is None
    assert [each.opcode for each in frames_of(connection.take_output())] == [PONG]


def test_what_unfolds_to_nothing_takes_steps_too() -> None:
    """A frame of empty blocks is work without a result."""
    connection = server(offer="permessage-deflate", max_message_bytes=None)
    connection.receive(frame(TEXT, b"\x00\x00\x00\xff\xff" * 200_000, rsv1=True))
    found = [connection.next_event(0.0)]
    while found[-1] == (MORE,):
        found.append(connection.next_event(0.0))
    assert len(found) > 2
    assert found[-1] == (MESSAGE, b"", True, 0)


def test_a_client_reads_messages_that_share_a_window() -> None:
    """Servers may keep theirs."""
    made = zlib.compressobj(wbits=-15)
    client = Connection(is_client=True, max_message_bytes=None, deflate=read_answer("permessage-deflate"))
    for _ in range(3):
        part = (made.compress(b"again and again") + made.flush(zlib.Z_SYNC_FLUSH))[:-4]
        assert events(client, bytes((0xC1, len(part))) + part) == [(MESSAGE, b"again and again", True, 0)]


def test_an_uncompressed_message_passes_where_compression_is_agreed_on() -> None:
    """Each message says which it is."""
    connection = server(offer="permessage-deflate")
    assert [event[1] for event in events(connection, frame(TEXT, b"a"), frame(TEXT, folded(b"b"), rsv1=True))] == [b"a", b"b"]


def test_what_is_not_deflate_breaks_the_rules() -> None:
    """1002, and a compressed continuation too."""
    for sent in (frame(TEXT, b"\xff\xff", rsv1=True), frame(TEXT, folded(b"a"), rsv1=True, fin=False) + frame(CONT, b"", rsv1=True)):
        assert events(server(offer="permessage-deflate"), sent)[0][:2] == (BROKEN, 1002)


def test_fragments_that_are_mostly_framing_are_refused() -> None:
    """A thousand empty ones are allowed, and any number that carry something."""
    few = frame(BINARY, b"", fin=False) + frame(CONT, b"", fin=False) * 1000
    assert events(server(), few) == []
    assert events(server(), few + frame(CONT, b"", fin=False) * 100)[0][:2] == (BROKEN, 1008)
    assert events(server(), frame(BINARY, b"x" * 64, fin=False) + frame(CONT, b"x" * 64, fin=False) * 3000) == []


def test_what_has_come_of_messages_is_counted_until_they_are_taken() -> None:
    """Whole messages by who takes them, parts by the connection."""
    buffered = Buffered(MIB)
    connection = server(buffered=buffered)
    sent = frame(BINARY, b"x" * 100_000)
    assert events(connection, sent[:50_000]) == []
    assert buffered.n_bytes == 50_000
    (found,) = events(connection, sent[50_000:])
    assert found[3] == buffered.n_bytes == 100_000
    buffered.give_back(found[3])
    assert events(connection, frame(BINARY, b"x" * SMALL))[0][3] == 0
    assert events(connection, frame(BINARY, b"x" * 50_000, fin=False)) == []
    assert buffered.n_bytes == 50_000
    connection.drop()
    assert buffered.n_bytes == 0


@pytest.mark.parametrize(
    "sent",
    [
        frame(BINARY, b"x" * 60_000)[:50_000],
        frame(BINARY, b"x" * 50_000, fin=False),
        frame(TEXT, folded(b"0" * 60_000), rsv1=True),
        frame(TEXT, folded(b"0" * 60_000), rsv1=True, fin=False),
    ],
    ids=["cut", "not the last", "folded", "folded and not the last"],
)
def test_what_the_process_has_no_room_for_is_refused(sent: bytes) -> None:
    """With 1011, which Jina's clients understand, and the reason."""
    buffered = Buffered(45_000)
    connection = server(buffered=buffered, offer="permessage-deflate")
    (found,) = events(connection, sent)
    assert found[:2] == (BROKEN, 1011)
    assert "max_buffered_bytes" in found[2]
    assert buffered.n_bytes == 0


@pytest.mark.parametrize(
    ("offer", "answer"),
    [
        ("permessage-deflate", "permessage-deflate; server_no_context_takeover; client_no_context_takeover"),
        (
            "permessage-deflate; client_max_window_bits; server_max_window_bits=10",
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10",
        ),
        ("permessage-deflate; server_max_window_bits=8", ""),
        (
            "x-webkit-deflate-frame, permessage-deflate; server_max_window_bits=8, permessage-deflate",
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        ),
        ("permessage-deflate; bogus=1", ""),
        ("x-other", ""),
        ("=;", ""),
        ("", ""),
    ],
)
def test_what_of_an_offer_is_taken(offer: str, answer: str) -> None:
    """No window is kept between messages; what cannot be read is passed over."""
    chosen, deflate = answer_offer(offer)
    assert chosen == answer
    assert (deflate is not None) == bool(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "x-other",
        "permessage-deflate; client_max_window_bits=77",
        "permessage-deflate; client_max_window_bits=8",
        "=;",
        "permessage-deflate, permessage-deflate",
    ],
)
def test_an_answer_that_does_not_fit_our_offer_is_an_error(answer: str) -> None:
    """The server chose what it could not."""
    with pytest.raises(ValueError, match="the server"):
        read_answer(answer)


def test_a_message_unfolds_no_further_than_there_is_room() -> None:
    """What the process may hold bounds the work, not only what is kept of it."""
    buffered = Buffered(MIB)
    connection = server(offer="permessage-deflate", max_message_bytes=None, buffered=buffered)
    (event,) = events(connection, frame(BINARY, folded(bytes(50 * MIB)), rsv1=True))
    assert event[:2] == (BROKEN, websocket.INTERNAL)
    assert "max_buffered_bytes" in event[2]
    assert buffered.n_bytes == 0
