"""What JSON must be before any schema is asked: RFC 8259, and not too deep.

pydantic's parser takes `NaN`, `Infinity` and `1e999`; msgspec's does not, nor invalid UTF-8, and it reads at a gigabyte in a few seconds.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
import numpy as np

from jina.errors import InvalidInputError, MalformedError

MAX_DEPTH = 64
_SMALL = 4096
_LITTLE = 256  # parsing that much takes no longer than a search; a search for one byte is nearly free in more

_parse = msgspec.json.Decoder(Any).decode
_escapes = re.compile(rb"\\.", re.DOTALL)
_strings = re.compile(rb'"[^"]*"')
_all_but_structure = bytes(set(range(256)) - set(b'[]{}"'))
_half_pair = re.compile(rb"\\u[dD][89abAB]..(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F]")
_no_number = re.compile(rb"\b(NaN|Infinity)\b")


def check_json(data: bytes) -> Any:
    """Refuse bytes that are not JSON, or nested deeper than 64.

    Returns:
        What the bytes say.

    Raises:
        MalformedError: They are not JSON (`NaN` and `Infinity` are not), not UTF-8, or hold a number that no float can.
        InvalidInputError: They are nested too deep.
    """
    check_depth(data)
    return _check_text(data)


def check_json_unless_guarded(data: bytes) -> None:
    """The same for who parses the data with a parser that itself refuses everything but depth, `NaN` and `Infinity`."""
    if len(data) > 2 * MAX_DEPTH:
        check_depth(data)
    if len(data) < _LITTLE or (b"N" in data and b"NaN" in data) or (b"I" in data and b"Infinity" in data):
        try:
            _parse(data)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise MalformedError(_explain(data, error)) from None


def _check_text(data: bytes) -> Any:
    try:
        return _parse(data)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise MalformedError(_explain(data, error)) from None


def _explain(data: bytes, error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"not JSON: invalid UTF-8 ({error.reason})"
    if _half_pair.search(data) and ("surrogate" in str(error) or "truncated" in str(error)):
        return "not JSON: a string holds half of a surrogate pair"
    found = _no_number.search(data) if "invalid character" in str(error) else None
    if found:
        return f"JSON has no {found[1].decode()}; send null or a number"
    return f"not JSON: {error}"


def check_depth(data: bytes) -> None:
    """Refuse data that are nested deeper than 64."""
    if len(data) > 2 * MAX_DEPTH:
        check_depth_to(MAX_DEPTH, data)


def check_depth_to(limit: int, data: bytes) -> None:
    """The same for another limit."""
    if len(data) < _SMALL:
        n_open = data.count(b"[") + data.count(b"{")
    else:
        n_open = int(np.count_nonzero((np.frombuffer(data, dtype=np.uint8) | 0x20) == ord("{")))  # ord("[") | 0x20 is ord("{")
    if n_open > limit:
        _count_depth(data, limit)


def _count_depth(data: bytes, limit: int) -> None:
    """Count brackets outside of strings: what is left of the data is small, and numpy adds it up."""
    if b"\\" in data:
        data = _escapes.sub(b"", data)
    structure = data.translate(None, _all_but_structure).replace(b'""', b"")  # two quotes in a row begin and end nothing that matters
    brackets = np.frombuffer(_strings.sub(b"", structure), dtype=np.uint8)
    opens = (brackets == ord("[")) | (brackets == ord("{"))
    closes = (brackets == ord("]")) | (brackets == ord("}"))
    depth = int(np.cumsum(opens.astype(np.int32) - closes, dtype=np.int64).max(initial=0))
    if depth > limit:
        message = f"JSON is nested {depth} deep; the limit is {limit}"
        if limit < MAX_DEPTH:
            message += " where a union holds models that no discriminator tells apart"
        raise InvalidInputError(message, [{"loc": (), "msg": message, "type": "recursion_loop"}])
