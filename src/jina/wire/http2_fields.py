"""Which lists of fields are a request, a response or trailers in HTTP/2 (RFC 9113, 8.1 to 8.3), and a memory of whole blocks.

`HeadReader` joins decoding, these rules and what the layer above makes of a list; a block that leaves the dynamic table alone is read once
as long as the table stays as it is. A block is remembered when it comes the second time, so that callers whose every block is new (a
deadline, a trace) neither fill nor flush the memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from jina.wire.hpack import HOP_BY_HOP, PSEUDO, Decoder, Field, is_name, is_value

_MAX_BLOCK_BYTES: Final = 1024
_UNKNOWN: Final = (None, None)
_REQUEST: Final = PSEUDO - {":status"}


class MalformedError(ValueError):
    """Fields that HTTP/2 calls malformed: a stream error."""


def check_request(fields: list[Field], values: dict[str, str]) -> None:
    """Refuse what is not a request; `values` is `dict(fields)`.

    Names that come twice or may not stand in HTTP/2 are seen to (`check_each`), so counting the pseudo-fields at the beginning tells
    whether all of them stand there.
    """
    method, path = values.get(":method"), values.get(":path")
    n_pseudo = _n_pseudo(fields)
    if method == "CONNECT":
        if path is not None or ":scheme" in values or n_pseudo != 2:
            raise MalformedError("a CONNECT request has :method and :authority and no other pseudo-field")
    elif not method or not path or not values.get(":scheme"):
        raise MalformedError("a request has :method, :scheme and :path")
    elif path[0] != "/" and (path != "*" or method != "OPTIONS"):
        raise MalformedError(f"the :path {path!r} does not begin with a slash")
    elif n_pseudo != 3 + (":authority" in values):
        raise MalformedError("a request has a pseudo-field that is not one of a request, or after other fields")
    if ":status" in values or ":protocol" in values:
        raise MalformedError("a request has a pseudo-field that is not one of a request")
    host, authority = values.get("host"), values.get(":authority")
    if host is not None and authority is not None and host != authority:
        raise MalformedError(f"the fields host {host!r} and :authority {authority!r} differ")


def check_response(fields: list[Field], values: dict[str, str]) -> None:
    """Refuse what is not a response."""
    status = values.get(":status", "")
    if (
        _n_pseudo(fields) != 1
        or not _REQUEST.isdisjoint(values)
        or len(status) != 3
        or not (status.isascii() and status.isdigit())
        or status == "101"
    ):
        raise MalformedError(f"a response has one :status of three digits, got {status!r}")


def check_trailers(fields: list[Field], values: dict[str, str]) -> None:
    """Refuse what are not trailers."""
    if not PSEUDO.isdisjoint(values):
        raise MalformedError("trailers have a pseudo-field")


def _n_pseudo(fields: list[Field]) -> int:
    """Count the pseudo-fields at the beginning."""
    n = 0
    for name, _ in fields:
        if name[:1] != ":":
            break
        n += 1
    return n


def check_each(fields: list[Field]) -> None:
    """Refuse a list with a field that may not be in HTTP/2, a pseudo-field twice or after others."""
    seen, is_regular = set(), False
    for name, value in fields:
        if not is_name(name) or not is_value(value):
            raise MalformedError(f"the field {name!r} has characters that are not allowed")
        if name in HOP_BY_HOP or (name == "te" and value != "trailers"):
            raise MalformedError(f"the field {name!r} is for HTTP/1 connections")
        if name in PSEUDO:
            if is_regular or name in seen:
                raise MalformedError(f"the pseudo-field {name!r} comes twice, or after others")
            seen.add(name)
        else:
            is_regular = True


def read_content_length(text: str) -> int:
    """Give what content-length says."""
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise MalformedError(f"content-length is {text[:40]!r}")
    return int(text)


class HeadReader:
    """Reads header blocks of one kind.

    Args:
        decoder: Shared by all kinds of one direction, as the dynamic table is.
        check: One of the checks above.
        build: Makes what the layer above wants of (fields, dict of them); equal blocks share it.
        max_blocks: How many blocks to remember.
    """

    def __init__(
        self,
        decoder: Decoder,
        check: Callable[[list[Field], dict[str, str]], None],
        build: Callable[[list[Field], dict[str, str]], Any],
        max_blocks: int,
    ) -> None:
        self._decoder, self._check, self._build, self._max_blocks = decoder, check, build, max_blocks
        self._known: dict[bytes, tuple[Any, int | None]] = {}
        self._seen: set[int] = set()
        self._n_changes = 0

    def read(self, block: bytes) -> tuple[Any, int | None]:
        """Give what `build` made, and the content-length.

        Raises:
            HpackError, HeaderBombError: The connection is lost.
            HeaderListTooLargeError, MalformedError: The stream is.
        """
        decoder = self._decoder
        if self._n_changes == decoder.n_changes:
            known = self._known.get(block)
            if known is not None:
                return known
        n_changes = decoder.n_changes
        fields = decoder.decode(block)
        found = self._interpret(fields)
        if n_changes == decoder.n_changes and len(block) <= _MAX_BLOCK_BYTES:
            self._remember(block, found)
        return found

    def known(self, block: bytes) -> tuple[Any, int | None]:
        """Give the same for a block that was read before and has not changed its meaning; else (None, None)."""
        return self._known.get(block, _UNKNOWN) if self._n_changes == self._decoder.n_changes else _UNKNOWN

    def _interpret(self, fields: list[Field]) -> tuple[Any, int | None]:
        values = dict(fields)
        if self._decoder.is_suspect or len(values) != len(fields):
            check_each(fields)
        self._check(fields, values)
        return self._build(fields, values), read_content_length(values["content-length"]) if "content-length" in values else None

    def _remember(self, block: bytes, found: tuple[Any, int | None]) -> None:
        if self._n_changes != self._decoder.n_changes:
            self._known.clear()
            self._n_changes = self._decoder.n_changes
        key = hash(block)
        if key not in self._seen:
            if len(self._seen) >= 4 * self._max_blocks:
                self._seen.clear()
            self._seen.add(key)
        elif self._max_blocks:
            if len(self._known) >= self._max_blocks:
                self._known.clear()
            self._known[block] = found
