"""What of our own dialect stands in documents that are to go to a peer that reads nothing but docarray's; found without their class."""

from __future__ import annotations

import re
from collections.abc import Iterator
from struct import error as struct_error
from typing import Any, Final

from jina.codec import proto_wire as w
from jina.codec.pieces import placed
from jina.codec.proto_fields import entries_of, read_node, repeated, text_of
from jina.errors import MalformedError

_MARK: Final = re.compile(rb"j[\x05-\x0b]j\.")
"""The tag of a type string, its length, and what all private ones begin with. A hit may be chance, a value without one is docarray's."""
_N_MARK: Final = 3
_SLICE_BYTES: Final = 1 << 20
"""A search lets no other thread run, and takes more than a millisecond for so much."""
_MAX_SHOWN: Final = 60
_WHAT: Final = {
    w.J_MODEL: "a nested model that is no BaseDoc",
    w.J_DICT: "a dict whose keys are not all strings",
    w.J_FROZENSET: "a frozenset",
    w.J_ENUM: "an enum's member",
    w.J_COMPLEX: "a complex number",
}


def find_private(data: bytes, *, is_single: bool = False) -> str:
    """Say which value comes first that docarray's bytes have no form for, and where; empty if all have one.

    Args:
        data: A DocListProto, or with `is_single` a DocProto, in either dialect; a large one may be a `tail`.
        is_single: One document.

    Raises:
        MalformedError: Not that.
    """
    buf, start = placed(data)
    if not any(_MARK.search(buf, at, at + _SLICE_BYTES + _N_MARK) for at in range(start, len(buf), _SLICE_BYTES)):
        return ""
    root = (w.DOC if is_single else w.DOC_ARRAY), (buf, start, len(buf))
    try:
        found = next(_private(*root, "doc" if is_single else "docs", 0), None)
    except (IndexError, struct_error):
        raise MalformedError("not a protobuf message of documents: it ends within a field") from None
    return f"{found[0]} has no form in docarray's wire format - at `{found[1]}`" if found is not None else ""


def _private(content: int, data: Any, path: str, depth: int) -> Iterator[tuple[str, str]]:
    """What a value holds that is ours, each with its path."""
    if depth > w.MAX_DEPTH:
        raise MalformedError(f"documents nested deeper than {w.MAX_DEPTH}")
    for step, node in _parts(content, data):
        if content == w.DOC_ARRAY:
            yield from _private(w.DOC, node, path + step, depth + 1)
            continue
        inner, value, name = read_node(*node)
        if name.startswith("j."):
            yield _shown(name, value), path + step
        elif inner > w.NDARRAY:
            yield from _private(inner, value, path + step, depth + 1)


def _parts(content: int, data: Any) -> Iterator[tuple[str, tuple[bytes, int, int]]]:
    if content in (w.DOC, w.DICT):
        for key, node in entries_of(*data):
            yield (f".{text_of(key)}" if content == w.DOC else f"[{text_of(key)!r}]"), node
    else:
        for at, (start, stop) in enumerate(repeated(*data)):
            yield f"[{at}]", (data[0], start, stop)


def _shown(name: str, value: Any) -> str:
    if name == w.J_INT:
        number = int.from_bytes(value, "little", signed=True)
        return f"int {number}" if number.bit_length() < 256 else f"an int of {number.bit_length()} bits"
    known = _WHAT.get(name)
    if known is not None:
        return known
    text = str(value)
    return f"{name[2:]} {text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 3] + '...'}"
