"""gRPC's length-prefixed messages, cut in whatever way."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina.codec.pieces import Pieces
from jina.wire.buffered import Buffered
from jina.wire.grpc_messages import MessageError, MessageReader, framed
from jina.wire.status import GrpcStatus

MESSAGES = st.lists(st.sampled_from([b"", b"a", b"ab" * 300, bytes(2000), bytes(range(256)) * 1000]), max_size=6)


@given(MESSAGES, st.lists(st.integers(0, 800_000), max_size=12))
def test_messages_come_out_as_they_were_whatever_the_cuts(messages: list[bytes], cuts: list[int]) -> None:
    """Parts of any size, empty ones too, give the same messages, as bytes, and what is left is counted."""
    data = b"".join(b"".join(framed(message)) for message in messages)
    rest = framed(b"not all of it")[0]
    reader, found, start = MessageReader("identity", None), [], 0
    for cut in (*sorted(min(cut, len(data)) for cut in cuts), len(data)):
        found += reader.feed(memoryview(data)[start:cut])
        start = cut

    assert found == messages
    assert all(type(message) is bytes for message in found)
    assert reader.n_bytes == 0
    assert reader.feed(rest) == []
    assert reader.n_bytes == len(rest)


def test_a_prefix_that_promises_much_takes_no_memory() -> None:
    """What is held is at most about twice what has come, however large the message says it is."""
    reader = MessageReader("identity", None)
    tracemalloc.start()
    reader.feed(b"\0\x3f\xff\xff\xff" + bytes(1000))
    reader.feed(bytes(100_000))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert held < 300_000
    assert reader.n_bytes == 101_005


def test_a_message_in_pieces_is_framed_like_one() -> None:
    """The prefix counts all pieces; compressed, they are one."""
    assert b"".join(framed(Pieces(b"ab", b"cd"))) == b"\0\0\0\0\4abcd"
    assert MessageReader("gzip", None).feed(b"".join(framed(Pieces(b"ab", b"cd"), "gzip"))) == [b"abcd"]


def test_a_message_unfolds_no_further_than_there_is_room() -> None:
    """What the process may hold bounds the work, not only what is kept of it; the caller hears when to try again."""
    folded = b"".join(framed(bytes(50 << 20), "gzip"))
    reader = MessageReader("gzip", None, Buffered(1 << 20))
    tracemalloc.start()
    with pytest.raises(MessageError, match="max_buffered_bytes") as caught:
        reader.feed(folded)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert caught.value.status == GrpcStatus.RESOURCE_EXHAUSTED
    assert caught.value.retry_after_s
    assert peak < 8 << 20
