"""Constants of docarray's protobuf messages, and headers that need be made only once.

Numbers of NodeProto's fields: text 1, integer 2, float 3, boolean 4, blob 5, ndarray 6, doc 7, doc_array 8, list 9, set 10,
tuple 11, dict 12, type 13. A document is a `map<string, NodeProto>`: entries `0A <length> 0A <key length> key 12 <node length> node`.

Private type strings (our own dialect) all begin with `j.`; no registry of docarray's has such a name.
"""

from __future__ import annotations

from typing import Any, Final

from jina.codec.varint import varint
from jina.errors import UnencodableError

MAX_DEPTH: Final = 64
INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1
TEXT, INTEGER, FLOAT, BOOLEAN, BLOB, NDARRAY, DOC, DOC_ARRAY, LIST, SET, TUPLE, DICT, TYPE = range(1, 14)
_CACHE_SIZE: Final = 4096

J_INT: Final = "j.int"
J_DATETIME: Final = "j.datetime"
J_DATE: Final = "j.date"
J_TIME: Final = "j.time"
J_TIMEDELTA: Final = "j.timedelta"
J_DECIMAL: Final = "j.decimal"
J_UUID: Final = "j.uuid"
J_COMPLEX: Final = "j.complex"
J_ENUM: Final = "j.enum"
J_MODEL: Final = "j.model"
J_DICT: Final = "j.dict"
J_FROZENSET: Final = "j.frozenset"


def type_suffix(name: str | None) -> bytes:
    """NodeProto.type, which follows the content."""
    if not name:
        return b""
    raw = name.encode()
    return b"\x6a" + varint(len(raw)) + raw


def entry_header(key: bytes, n_node: int) -> bytes:
    """A map entry up to the first of its node's `n_node` bytes."""
    inner = b"\n" + varint(len(key)) + key + b"\x12" + varint(n_node)
    return b"\n" + varint(len(inner) + n_node) + inner


class Lengths(dict[int, bytes]):
    """Length -> tag and length, for length-delimited fields."""

    __slots__ = ("tag",)

    def __init__(self, tag: bytes) -> None:
        super().__init__()
        self.tag = tag

    def __missing__(self, n: int) -> bytes:
        made = self.tag + varint(n)
        if len(self) < _CACHE_SIZE:
            self[n] = made
        return made


class EntryHeaders(dict[int, bytes]):
    """Length of a content -> map entry up to that content's first byte.

    Args:
        key: The map entry's key.
        tag: The tag of the content within its node.
        suffix: What follows the content in its node, counted but not written.
    """

    __slots__ = ("key", "n_suffix", "tag")

    def __init__(self, key: bytes, tag: bytes, suffix: bytes = b"") -> None:
        super().__init__()
        self.key, self.tag, self.n_suffix = key, tag, len(suffix)

    def __missing__(self, n: int) -> bytes:
        head = self.tag + varint(n)
        made = entry_header(self.key, len(head) + n + self.n_suffix) + head
        if len(self) < _CACHE_SIZE:
            self[n] = made
        return made


class IntEntries(dict[int, bytes]):
    """Number -> whole map entry; only small numbers are kept."""

    __slots__ = ("heads", "is_ours", "key")

    def __init__(self, key: bytes, is_ours: bool) -> None:
        super().__init__()
        self.key, self.is_ours = key, is_ours
        self.heads = [entry_header(key, n + 1) + b"\x10" for n in range(11)]

    def __missing__(self, value: int) -> bytes:
        if not INT32_MIN <= value <= INT32_MAX:
            node = big_int_node(value, self.is_ours)
            return entry_header(self.key, len(node)) + node
        body = varint(value)
        made = self.heads[len(body)] + body
        if -256 <= value < _CACHE_SIZE:
            self[value] = made
        return made


def big_int_node(value: int, is_ours: bool) -> bytes:
    """An int that the field for ints cannot hold: in our dialect its bytes, signed, little endian."""
    if not is_ours:
        shown = str(value) if value.bit_length() < 256 else f"of {value.bit_length()} bits"
        raise UnencodableError(f"int {shown} does not fit the 32 bits that docarray's wire format has")
    raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x2a" + varint(len(raw)) + raw + type_suffix(J_INT)


class TensorParts(dict[Any, tuple[bytes, bytes]]):
    """(shape, dtype) of an array -> what stands before and behind its bytes in its node."""

    __slots__ = ("suffix",)

    def __init__(self, wire_name: str | None) -> None:
        super().__init__()
        self.suffix = type_suffix(wire_name or "ndarray")

    def __missing__(self, form: Any) -> tuple[bytes, bytes]:
        shape, dtype = form
        n_bytes = dtype.itemsize
        for size in shape:
            n_bytes *= size
        if dtype.hasobject:
            raise UnencodableError(f"an array of Python objects (dtype {dtype.str}) has no bytes to send")
        if dtype.names is not None:
            raise UnencodableError(f"an array of records (dtype {dtype}) has no form on the wire; send a tensor for each field")
        made = self.parts(shape, dtype.str.encode(), n_bytes)
        if len(self) < _CACHE_SIZE:
            self[form] = made
        return made

    def parts(self, shape: tuple[int, ...], dtype: bytes, n_bytes: int) -> tuple[bytes, bytes]:
        sizes = b"".join(map(varint, shape))
        tail = (b"\x12" + varint(len(sizes)) + sizes if shape else b"") + b"\x1a" + varint(len(dtype)) + dtype
        head = b"\n" + varint(n_bytes) if n_bytes else b""
        head = b"\n" + varint(len(head) + n_bytes + len(tail)) + head  # NdArrayProto.dense
        head = b"\x32" + varint(len(head) + n_bytes + len(tail)) + head  # NodeProto.ndarray
        return head, tail + self.suffix


class TensorEntries(TensorParts):
    """The same with the map entry's header in front."""

    __slots__ = ("key",)

    def __init__(self, key: bytes, wire_name: str | None) -> None:
        super().__init__(wire_name)
        self.key = key

    def parts(self, shape: tuple[int, ...], dtype: bytes, n_bytes: int) -> tuple[bytes, bytes]:
        head, tail = super().parts(shape, dtype, n_bytes)
        return entry_header(self.key, len(head) + n_bytes + len(tail)) + head, tail
