"""HPACK (RFC 7541): header blocks to fields and back.

Decoding keeps the dynamic table; encoding never touches the peer's, so a block can be made once and sent on every connection. Fields are
(name, value) pairs of str (latin-1, which loses nothing). Whether a field may stand in HTTP/2 at all is asked once, when its literal is
read: the decoder turns `is_suspect` for good at the first one that may not (or that needs a closer look), and only then does
`http2_fields` look at every field of every block. So the usual block costs a table look-up a field.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Final

from jina.wire import huffman

Field = tuple[str, str]

_STATIC_TEXT: Final = """\
:authority|:method GET|:method POST|:path /|:path /index.html|:scheme http|:scheme https|:status 200|:status 204|:status 206|:status 304|\
:status 400|:status 404|:status 500|accept-charset|accept-encoding gzip, deflate|accept-language|accept-ranges|accept|\
access-control-allow-origin|age|allow|authorization|cache-control|content-disposition|content-encoding|content-language|content-length|\
content-location|content-range|content-type|cookie|date|etag|expect|expires|from|host|if-match|if-modified-since|if-none-match|if-range|\
if-unmodified-since|last-modified|link|location|max-forwards|proxy-authenticate|proxy-authorization|range|referer|refresh|retry-after|\
server|set-cookie|strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate"""
STATIC: Final[tuple[Field, ...]] = (("", ""), *((line.partition(" ")[0], line.partition(" ")[2]) for line in _STATIC_TEXT.split("|")))
"""The static table; its indices begin at 1."""

PSEUDO: Final = frozenset((":method", ":scheme", ":path", ":authority", ":status", ":protocol"))
HOP_BY_HOP: Final = frozenset(("connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"))
_TOKEN: Final = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")
_MAX_NAMES: Final = 128
_MAX_SIZES: Final = 2
_MAX_INTEGER: Final = (1 << 31) - 1


class HpackError(ValueError):
    """A block that cannot be decoded: the tables of both sides no longer agree."""


class HeaderBombError(ValueError):
    """A block that unfolds to many times what is allowed."""


class HeaderListTooLargeError(ValueError):
    """A well-formed block that holds more than is allowed; the tables still agree."""


def is_name(name: str) -> bool:
    """Tell whether a field of HTTP/2 may be called so: a lower-case token, or one of the pseudo-fields."""
    return name in PSEUDO or (bool(name) and _TOKEN.issuperset(name))


def is_value(value: str) -> bool:
    """Tell whether a field of HTTP/2 may have this value (RFC 9113, 8.2.1)."""
    return not ("\0" in value or "\r" in value or "\n" in value or value != value.strip(" \t"))


class Decoder:
    """One direction of one connection.

    Args:
        max_table_bytes: What our SETTINGS_HEADER_TABLE_SIZE says.
        max_list_bytes, max_fields: A larger list raises HeaderListTooLargeError, four times as many fields HeaderBombError.

    Attributes:
        n_changes: Rises whenever the dynamic table changes: blocks decoded before mean something else after.
        is_suspect: A field that is not plainly allowed was read on this connection.
    """

    def __init__(self, max_table_bytes: int = 4096, max_list_bytes: int = 65536, max_fields: int = 100) -> None:
        self.n_changes, self.is_suspect = 0, False
        self._max_list_bytes, self._max_fields = max_list_bytes, max_fields
        self._entries: list[Field] = []  # the newest last
        self._used, self._size, self._max_size = 0, max_table_bytes, max_table_bytes
        self._names: dict[bytes, str] = {}

    def decode(self, block: bytes) -> list[Field]:
        """Decode one whole block; raises HpackError, HeaderBombError or HeaderListTooLargeError."""
        try:
            return self._decode(block)
        except (IndexError, huffman.HuffmanError) as error:
            raise HpackError(f"not a header block: {error}") from error

    def _decode(self, block: bytes) -> list[Field]:
        position, end, entries, most, n_sizes = 0, len(block), self._entries, 4 * self._max_fields, 0
        is_long = end > most  # a field takes a byte at least
        fields: list[Field] = []
        while position < end:
            byte = block[position]
            position += 1
            if byte >= 0x80:
                index = byte & 0x7F
                if index == 0x7F:
                    index, position = _integer(block, position, index)
                field = STATIC[index] if index < 62 else entries[61 - index]
                if not index:
                    raise HpackError("index 0")
            elif byte >> 5 == 1:
                n_sizes += 1
                position = self._resize(block, byte, position, not fields and n_sizes <= _MAX_SIZES)
                continue
            else:
                index = byte & (0x3F if byte >= 0x40 else 0x0F)
                if index and index != 0x0F and index != 0x3F:
                    name = STATIC[index][0] if index < 62 else entries[61 - index][0]
                else:
                    name, position = self._name(block, byte, position)
                size = block[position]
                position += 1
                if size < 0x7F and position + size <= end:
                    value = str(block[position : position + size], "latin-1")
                    position += size
                else:
                    raw, position = _string(block, position - 1)
                    value = str(raw, "latin-1")
                field = (name, value)
                if not (value.isprintable() and value[:1] != " " != value[-1:]) or name == "te":
                    self._look(name, value)
                if byte >= 0x40:
                    self._add(field)
            fields.append(field)
            if is_long and len(fields) > most:
                raise HeaderBombError(f"a header block of more than {most} fields, four times what is allowed")
        n_bytes = sum(map(len, chain.from_iterable(fields))) + 32 * len(fields)
        if n_bytes > self._max_list_bytes or len(fields) > self._max_fields:
            raise HeaderListTooLargeError(f"{len(fields)} header fields of {n_bytes} bytes together")
        return fields

    def _look(self, name: str, value: str) -> None:
        if not is_value(value) or name[:1] == ":" or (name == "te" and value != "trailers"):
            self.is_suspect = True

    def _name(self, block: bytes, byte: int, position: int) -> tuple[str, int]:
        """Read the name of a literal field: an index, or a string of its own."""
        mask = 0x3F if byte >= 0x40 else 0x0F
        index = byte & mask
        if index:
            if index == mask:
                index, position = _integer(block, position, mask)
            return (STATIC[index] if index < 62 else self._entries[61 - index])[0], position
        raw, position = _string(block, position)
        return self._names.get(raw) or self._new_name(raw), position

    def _new_name(self, raw: bytes) -> str:
        name = str(raw, "latin-1")
        if not is_name(name) or name in HOP_BY_HOP:
            self.is_suspect = True
        elif len(self._names) < _MAX_NAMES and len(raw) <= 64:
            self._names[raw] = name
        return name

    def _add(self, field: Field) -> None:
        self.n_changes += 1
        self._used += len(field[0]) + len(field[1]) + 32
        self._entries.append(field)
        if self._used > self._size:
            self._evict()

    def _evict(self) -> None:
        while self._used > self._size:
            name, value = self._entries.pop(0)
            self._used -= len(name) + len(value) + 32

    def _resize(self, block: bytes, byte: int, position: int, is_placed: bool) -> int:
        size = byte & 0x1F
        if size == 0x1F:
            size, position = _integer(block, position, size)
        if size > self._max_size or not is_placed:
            raise HpackError(f"dynamic table size update to {size} where at most {self._max_size} is allowed, at most two first in a block")
        self._size = size
        self.n_changes += 1
        self._evict()
        return position


def _integer(block: bytes, position: int, value: int) -> tuple[int, int]:
    """Read the rest of an integer whose prefix was full (RFC 7541, 5.1)."""
    shift = 0
    while True:
        byte = block[position]
        position += 1
        value += (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
        if shift > 28:
            raise HpackError("an integer of more than five bytes")
    if value > _MAX_INTEGER:
        raise HpackError(f"an integer beyond {_MAX_INTEGER}")
    return value, position


def _string(block: bytes, position: int) -> tuple[bytes, int]:
    """Read a string literal (RFC 7541, 5.2)."""
    byte = block[position]
    size = byte & 0x7F
    position += 1
    if size == 0x7F:
        size, position = _integer(block, position, size)
    end = position + size
    if end > len(block):
        raise HpackError("a string ends after its block")
    raw = block[position:end]
    return (huffman.decode(raw) if byte & 0x80 else raw), end


TABLE_SIZE_ZERO: Final = b"\x20"
"""A dynamic table size update to 0, due once if the peer makes its table smaller than it was."""

_NEVER_INDEXED: Final = 0x10
_SECRETS: Final = frozenset(("authorization", "proxy-authorization", "cookie", "set-cookie"))
"""Proxies on the way must not put these into their tables, where others could guess at them (RFC 7541, 7.1.3)."""
_INDEX_OF_FIELD: Final = {field: index for index, field in enumerate(STATIC) if index and field[1]}
_INDEX_OF_NAME: Final = {STATIC[index][0]: index for index in range(61, 0, -1)}


def encode(fields: Iterable[Field]) -> bytes:
    """Encode fields by the static table and literals without indexing; the caller has checked names and values."""
    return b"".join(encode_field(name, value) for name, value in fields)


def encode_field(name: str, value: str) -> bytes:
    """Encode one field; pieces may be appended to a block."""
    index = _INDEX_OF_FIELD.get((name, value))
    if index is not None:
        return bytes((0x80 | index,))
    index = _INDEX_OF_NAME.get(name, 0)
    flags = _NEVER_INDEXED if name in _SECRETS else 0
    head = _encode_integer(index, 0x0F, flags) if index else bytes((flags,)) + _encode_string(name)
    return head + _encode_string(value)


def _encode_string(text: str) -> bytes:
    raw = text.encode("latin-1")
    return _encode_integer(len(raw), 0x7F, 0) + raw


def _encode_integer(value: int, mask: int, flags: int) -> bytes:
    if value < mask:
        return bytes((flags | value,))
    out = bytearray((flags | mask,))
    value -= mask
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
