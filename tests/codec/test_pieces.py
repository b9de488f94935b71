"""Messages in pieces: what is large is never copied, what is small is joined."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jina.codec.pieces import LARGE, Bytes, Pieces, gathered, message_of, placed, tail


def test_a_small_message_is_plain_bytes() -> None:
    """Below the limit a copy is cheaper than keeping track."""
    assert message_of(b"head", b"body") == b"headbody"


def test_a_large_message_keeps_its_body_where_it_lies() -> None:
    """The body is the same object, and the message has the length and the bytes of both."""
    body = bytes(LARGE)
    message = message_of(b"head", body)

    assert isinstance(message, Pieces)
    assert message.parts[1] is body
    assert len(message) == 4 + LARGE
    assert bytes(message) == b"head" + body


@given(st.lists(st.sampled_from([b"", b"a", bytes(LARGE // 4), bytes(LARGE)]), max_size=12))
def test_gathering_keeps_the_bytes_and_their_order(parts: list[Bytes]) -> None:
    """Whatever is gathered, the same bytes leave; large ones are not copied."""
    out = gathered(list(parts))

    assert b"".join(out) == b"".join(parts)
    if len(b"".join(parts)) >= LARGE:
        kept = [part for part in parts if len(part) >= LARGE // 4]
        assert [id(part) for part in out if len(part) >= LARGE // 4 and any(part is one for one in kept)] == [id(part) for part in kept]


def test_the_tail_of_a_large_message_is_found_in_it_again() -> None:
    """Its reader gets the whole message and a place, so that nothing is copied."""
    message = bytes(10) + bytes(range(256)) * 1000
    rest = tail(message, 10)

    assert bytes(rest) == message[10:]
    assert placed(rest)[0] is message
    assert placed(rest)[1] == 10
    assert placed(tail(b"0123", 2)) == (b"23", 0)
