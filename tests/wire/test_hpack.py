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


def integer(value: int, bits: int, flags: int) -> bytes:
    """An integer with a prefix of so many bits (RFC 7541, 5.1)."""
    most = (1 << bits) - 1
    if value < most:
        return bytes((flags | value,))
    out, value = [flags | most], value - most
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))


def string(data: bytes, is_huffman: bool) -> bytes:
    raw = huffman.encode(data) if is_huffman else data
    return integer(len(raw), 7, 0x80 if is_huffman else 0) + raw


STRINGS = st.builds(string, st.binary(max_size=40) | st.sampled_from((b"a", b"bc", b"x" * 2000)), st.booleans())
INDICES = st.integers(0, 70) | st.sampled_from((0, 61, 62, 63, 64, 1000))
LITERALS = st.sampled_from(((6, 0x40), (6, 0x40), (4, 0), (4, 0x10)))
FIELDS = st.one_of(
    INDICES.map(lambda index: integer(index, 7, 0x80)),
    st.builds(lambda kind, index, value: integer(index, *kind) + value, LITERALS, INDICES.filter(bool), STRINGS),
    st.builds(lambda kind, name, value: bytes((kind[1],)) + name + value, LITERALS, STRINGS, STRINGS),
)
SIZES = st.lists(st.sampled_from((0, 33, 100, 2100, 4096, 4097)).map(lambda size: integer(size, 5, 0x20)), max_size=2)
BLOCKS = st.builds(lambda sizes, fields: b"".join((*sizes, *fields)), SIZES, st.lists(FIELDS, max_size=6))


@given(st.lists(BLOCKS, max_size=6))
@settings(deadline=None, max_examples=150)
def test_representations_are_read_as_by_the_oracle(blocks: list[bytes]) -> None:
    """Every kind of field, one block after the other on the same tables, until a block is an error for both."""
    decoder, other = hpack.Decoder(max_list_bytes=1 << 20), oracle.Decoder(max_header_list_size=1 << 20)
    for block in blocks:
        try:
            ours = _latin(decoder.decode(block))
        except hpack.HpackError:
            with pytest.raises(oracle.HPACKError):
                other.decode(block, raw=True)
            return
        assert ours == [(bytes(name), bytes(value)) for name, value in other.decode(block, raw=True)]


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
