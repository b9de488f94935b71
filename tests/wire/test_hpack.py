"""HPACK against the `hpack` library, both ways, and against its own limits."""

from __future__ import annotations

import hpack as oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jina.wire import hpack, huffman

NAMES = st.one_of(
    st.sampled_from([name for name, _ in hpack.STATIC[1:]]), st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=140)
)
VALUES = st.text(st.characters(min_codepoint=0, max_codepoint=255), max_size=300)
LISTS = st.lists(st.tuples(NAMES, VALUES), max_size=20)


def _latin(fields: list[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields]


@given(st.lists(st.tuples(LISTS, st.booleans(), st.sampled_from([None, 0, 100, 4096])), max_size=8))
@settings(deadline=None)
def test_blocks_of_another_encoder_are_read(blocks: list[tuple[list[tuple[str, str]], bool, int | None]]) -> None:
    """Whatever `hpack` encodes, with Huffman or not, with tables of any size, comes out as it went in."""
    encoder, decoder = oracle.Encoder(), hpack.Decoder()
    for fields, is_huffman, size in blocks:
        if size is not None:
            encoder.header_table_size = size
        block = encoder.encode(_latin(fields), huffman=is_huffman)
        assert decoder.decode(block) == fields


@given(LISTS)
@settings(deadline=None)
def test_our_blocks_are_read_by_another_decoder(fields: list[tuple[str, str]]) -> None:
    """What we encode, `hpack` reads, and its dynamic table stays empty."""
    decoder = oracle.Decoder()
    assert [tuple(field) for field in decoder.decode(hpack.encode(fields), raw=True)] == _latin(fields)
    assert not decoder.header_table.dynamic_entries


def n_size_updates(block: bytes) -> int:
    """How many a block begins with; RFC 7541, 4.2 allows two, the library any number."""
    n, at = 0, 0
    while at < len(block) and block[at] >> 5 == 1:
        at += 1
        if block[at - 1] & 0x1F == 0x1F:
            while at < len(block) and block[at] >= 0x80:
                at += 1
            at += 1
        n += 1
    return n


@given(st.binary(max_size=200))
@settings(deadline=None, max_examples=500)
def test_random_bytes_are_read_or_refused_as_by_the_oracle(block: bytes) -> None:
    """No bytes make the decoder raise anything but its own errors, and it accepts what `hpack` accepts: but for a third size update."""
    ours: list[tuple[bytes, bytes]] | None
    theirs: list[tuple[bytes, bytes]] | None
    try:
        ours = _latin(hpack.Decoder().decode(block))
    except hpack.HpackError:
        ours = None
    try:
        theirs = [(bytes(name), bytes(value)) for name, value in oracle.Decoder().decode(block, raw=True)]
    except oracle.HPACKError:
        theirs = None
    assert ours == theirs or (ours is None and n_size_updates(block) > 2)


@given(st.binary(max_size=300))
def test_huffman_there_and_back(data: bytes) -> None:
    """Every string survives the Huffman code."""
    assert huffman.decode(huffman.encode(data)) == data


@pytest.mark.parametrize("data", [b"\xff", b"\x1c\xff\xff", bytes.fromhex("ffffffff"), b"\x00"])
def test_wrong_padding_and_eos_are_refused(data: bytes) -> None:
    """Padding of 8 bits, of zeros, or the EOS symbol are errors (RFC 7541, 5.2)."""
    with pytest.raises(huffman.HuffmanError):
        huffman.decode(data)


@pytest.mark.parametrize(
    "block",
    [
        b"\x80",
        b"\xff",
        b"\xbe",
        b"\xff\xff\xff\xff\xff\xff",
        b"\x40",
        b"\x00\x01a",
        b"\x00\x05a",
        b"\x82\x20",
        b"\x3f\xe2\x1f",
        b"\xff\xff\xff\xff\xff\x7f",
    ],
)
def test_broken_blocks_are_hpack_errors(block: bytes) -> None:
    """Index 0, an index or string beyond the end, a late or too large size update."""
    with pytest.raises(hpack.HpackError):
        hpack.Decoder().decode(block)


def test_bomb_stops_and_large_list_keeps_the_tables_in_step() -> None:
    """A list over the limit is read to its end; one four times over is cut off."""
    decoder = hpack.Decoder(max_list_bytes=1000, max_fields=10)
    with pytest.raises(hpack.HeaderListTooLargeError):
        decoder.decode(b"\x40\x01a\x01b" + b"\x82" * 12)
    assert decoder.decode(b"\xbe") == [("a", "b")]
    with pytest.raises(hpack.HeaderBombError):
        decoder.decode(b"\xbe" * 100)


def test_sixty_four_blocks_that_vary_are_read_each_for_itself() -> None:
    """Blocks with other deadlines and traces, with incremental indexing, never mix."""
    encoder, decoder = oracle.Encoder(), hpack.Decoder()
    for n in range(64):
        fields = [(":method", "POST"), (":path", "/a"), ("grpc-timeout", f"{n + 1}m"), ("traceparent", f"00-{n:032x}-{n:016x}-01")]
        assert decoder.decode(encoder.encode(fields)) == fields
