"""What a decoder takes and what an encoder sends: RFC 7541. See docs/design/http2-clauses.md."""

from __future__ import annotations

import pytest

from jina.wire import hpack, huffman
from jina.wire import http2_frames as frames
from tests.wire.clauses.peers import BLOCK, HELLO, OK, headers, parsed, server

ONE = b"\x40\x01a\x01b"  # puts a: b into the table: 34 bytes there
BIG = b"\x40\x01a\x7f" + bytes((4040 - 127 & 0x7F | 0x80, 4040 - 127 >> 7)) + b"x" * 4040  # 4073 bytes there

FAULTY: list[tuple[str, bytes]] = [
    ("index-0", b"\x80"),
    ("index-beyond-the-static-table", b"\xbe"),
    ("index-beyond-the-dynamic-table", ONE + b"\xbf"),
    ("name-index-beyond-both-tables", b"\x7e\x01b"),
    ("name-index-beyond-both-tables-not-added", b"\x0f\x2f\x01b"),
    ("integer-too-large", b"\xff\xff\xff\xff\xff\x7f"),
    ("integer-too-long", b"\xff\x80\x80\x80\x80\x80\x00"),
    ("integer-cut", b"\xff\xff"),
    ("length-too-large", b"\x40\x7f\xff\xff\xff\xff\x0f"),
    ("string-beyond-the-block", b"\x40\x05a"),
    ("name-alone", b"\x40\x01a"),
    ("prefix-alone", b"\x40"),
    ("huffman-padding-of-8-bits", b"\x40\x82\xff\xff\x01b"),
    ("huffman-padding-of-zeros", b"\x40\x81\x18\x01b"),
    ("huffman-eos", b"\x40\x84\xff\xff\xff\xff\x01b"),
    ("huffman-eos-after-letters", b"\x40\x85\x1f\xff\xff\xff\xff\x01b"),
    ("size-above-the-limit", b"\x3f\xe2\x1f"),
    ("size-after-a-field", b"\x82\x20"),
    ("size-between-fields", b"\x82\x20\x82"),
    ("three-sizes", b"\x20\x21\x22\x82"),
]


@pytest.mark.parametrize("block", [pytest.param(block, id=name) for name, block in FAULTY])
def test_block_with_a_fault_is_a_decoding_error(block: bytes) -> None:
    """Whatever the fault, the tables of both sides no longer agree."""
    with pytest.raises(hpack.HpackError):
        hpack.Decoder().decode(block)


TAKEN: list[tuple[str, list[bytes], list[hpack.Field]]] = [
    ("static", [b"\x82"], [(":method", "GET")]),
    ("static-last", [b"\xbd"], [("www-authenticate", "")]),
    ("dynamic", [ONE + b"\xbe"], [("a", "b"), ("a", "b")]),
    ("newest-first", [ONE, b"\x40\x01c\x01d", b"\xbe\xbf"], [("c", "d"), ("a", "b")]),
    ("name-of-the-dynamic-table", [ONE, b"\x7e\x01c"], [("a", "c")]),
    ("without-indexing", [ONE, b"\x00\x01c\x01d\xbe"], [("c", "d"), ("a", "b")]),
    ("never-indexed", [ONE, b"\x10\x01c\x01d\xbe"], [("c", "d"), ("a", "b")]),
    ("never-indexed-name-by-index", [b"\x1f\x08\x01b"], [("authorization", "b")]),
    ("integer-of-many-bytes", [b"\x40\x01a\x7f\x80\x00" + b"x" * 127], [("a", "x" * 127)]),
    ("empty-strings", [b"\x40\x00\x00"], [("", "")]),
    ("huffman-without-padding", [b"\x40\x01a\x85" + huffman.encode(b"0" * 8)], [("a", "0" * 8)]),
    ("huffman-padding-of-7-bits", [b"\x40\x01a\x84" + huffman.encode(b"0" * 5)], [("a", "0" * 5)]),
    ("size-0-clears", [ONE, b"\x20\x82"], [(":method", "GET")]),
    ("size-0-and-back", [ONE, b"\x20\x3f\xe1\x1f" + ONE + b"\xbe"], [("a", "b"), ("a", "b")]),
    ("size-twice-the-same", [b"\x3f\xe1\x1f", ONE + b"\xbe"], [("a", "b"), ("a", "b")]),
    ("size-that-holds-one", [b"\x3f\x03" + ONE + b"\x40\x01c\x01d\xbe"], [("a", "b"), ("c", "d"), ("c", "d")]),
    ("evicted-name-is-used", [b"\x3f\x03" + ONE, b"\x7e\x01c\xbe"], [("a", "c"), ("a", "c")]),
    ("duplicate-entries", [ONE + ONE, b"\xbe\xbf"], [("a", "b"), ("a", "b")]),
]


@pytest.mark.parametrize(("blocks", "expected"), [pytest.param(*case, id=name) for name, *case in TAKEN])
def test_last_block_is_read(blocks: list[bytes], expected: list[hpack.Field]) -> None:
    """After the ones before it."""
    decoder = hpack.Decoder()
    fields = [decoder.decode(block) for block in blocks][-1]
    assert fields == expected


GONE: list[tuple[str, list[bytes]]] = [
    ("oldest-entry", [ONE, BIG, b"\xbe\xbf"]),
    ("entries-beyond-a-smaller-size", [ONE, b"\x3f\x02", b"\xbe"]),
    ("all-entries-for-one-too-large", [ONE, b"\x3f\x03", b"\x40\x02aa\x01b", b"\xbe"]),
]


@pytest.mark.parametrize("blocks", [pytest.param(blocks, id=name) for name, blocks in GONE])
def test_entries_are_evicted(blocks: list[bytes]) -> None:
    """An entry counts its name, its value and 32 bytes; what does not fit is gone from the end of the table."""
    decoder = hpack.Decoder()
    for block in blocks[:-1]:
        decoder.decode(block)
    with pytest.raises(hpack.HpackError):
        decoder.decode(blocks[-1])


def test_entry_that_fits_to_the_byte_stays() -> None:
    """Two entries of 34 bytes in a table of 68; a third pushes the first out."""
    decoder = hpack.Decoder(max_table_bytes=68)
    assert decoder.decode(ONE + b"\x40\x01c\x01d" + b"\xbe\xbf")[2:] == [("c", "d"), ("a", "b")]
    assert decoder.decode(b"\x40\x01e\x01f" + b"\xbe\xbf")[1:] == [("e", "f"), ("c", "d")]


def test_secrets_are_never_indexed_and_nothing_else_is() -> None:
    """So that a proxy on the way keeps them out of its table as well; others are literals without indexing, or of the static table."""
    for name in ("authorization", "proxy-authorization", "cookie", "set-cookie"):
        assert hpack.encode_field(name, "x")[0] & 0xF0 == 0x10
    assert hpack.encode_field("x-own", "x")[0] & 0xF0 == 0
    assert hpack.encode_field(":method", "GET") == b"\x82"
    assert hpack.Decoder().decode(hpack.encode_field("authorization", "x")) == [("authorization", "x")]


@pytest.mark.parametrize(("sizes", "prefix"), [((0,), b"\x20"), ((100,), b"\x20"), ((4096,), b""), ((8192,), b""), ((0, 4096), b"\x20")])
def test_first_block_after_a_lowering_begins_with_a_size_update(sizes: tuple[int, ...], prefix: bytes) -> None:
    """The smallest size of the interval is met by one of 0, once, after the acknowledgement, and whatever way the block goes out."""
    for send in ("headers", "exchange"):
        end = server()
        sent = frames.PREFACE + b"".join(frames.settings({frames.HEADER_TABLE_SIZE: size}) for size in sizes)
        events = end.receive(sent + headers(1) + headers(3))
        assert {kind for kind, _, _, _ in parsed(end.take_output())} == {frames.SETTINGS}
        for (_, stream, _), expected in zip(events, (prefix + OK, OK), strict=True):
            if send == "headers":
                end.send_headers(stream, OK)
            else:
                end.exchange(stream, OK, (b"x",), 1, b"")
            assert parsed(end.take_output())[0][3] == expected


def test_table_of_a_closed_stream_s_block_is_kept() -> None:
    """Blocks for streams that are gone, refused or malformed still move the table."""
    end = server(max_streams=1)
    events = end.receive(HELLO + headers(1) + frames.rst_stream(1, 8) + headers(1, BLOCK + ONE))
    events += end.receive(headers(3) + headers(5, BLOCK + b"\x40\x01c\x01d") + headers(7, b"\x40\x01e\x01f"))
    end.reset(3, frames.CANCEL)
    (event,) = end.receive(headers(9, BLOCK + b"\xbe\xbf\xc0"))
    assert event[1].head[4:] == (("e", "f"), ("c", "d"), ("a", "b"))
