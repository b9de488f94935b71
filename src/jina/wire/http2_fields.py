"""Which lists of fields are a request, a response or trailers in HTTP/2 (RFC 9113, 8.1 to 8.3), and a memory of whole blocks.

`HeadReader` joins decoding, these rules and what the layer above makes of a list; a block that leaves the dynamic table alone is read once
as long as the table stays as it is. A block is remembered when it comes the second time, so that callers whose every block is new (a
deadline, a trace) neither fill nor flush the memory.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from jina.wire.hpack import HOP_BY_HOP, PSEUDO, Decoder, Field, is_name, is_value
from jina.wire.http2_stream import TUNNEL

_MAX_BLOCK_BYTES: Final = 1024
_MAX_COST: Final = 2048
"""Of a block that is remembered, in bytes of it and `_FIELD_COST` a field, in the mean: they are the peer's to choose."""
_UNKNOWN: Final = (None, None)
_REQUEST: Final = PSEUDO - {":status"}
_SINGLE: Final = frozenset(("host", "content-length"))
_USUAL: Final = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"))
_SCHEMES: Final = frozenset(("http", "https"))
_METHOD: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+\-.]*")
_NO_TARGET: Final = re.compile(r"[\0-\x20\x7f]")
_FIELD_COST: Final = 128
_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}


class MalformedError(ValueError):
    """Fields that HTTP/2 calls malformed: a stream error."""


def check_request(fields: list[Field], values: dict[str, str], *, takes_connect: bool = False) -> int | None:
    """Refuse what is not a request; give the length of its body, where it says one; `values` is `dict(fields)`.

    Names that come twice or may not stand in HTTP/2 are seen to (`check_each`), so looking at the beginning tells whether all
    pseudo-fields stand there.
    """
    path, authority = values.get(":path", ""), values.get(":authority", "")
    if (
        values.get(":method") in _USUAL
        and values.get(":scheme") in _SCHEMES
        and path[:1] == "/"
        and " " not in path
        and " " not in authority
        and "@" not in authority
        and "host" not in values
        and ":status" not in values
        and ":protocol" not in values
        and fields[0][0][:1] == fields[1][0][:1] == fields[2][0][:1] == fields[2 + (":authority" in values)][0][:1] == ":"
    ):
        return _content_length(values)
    _check_unusual(fields, values, takes_connect)
    return TUNNEL if values[":method"] == "CONNECT" else _content_length(values)


def _check_unusual(fields: list[Field], values: dict[str, str], takes_connect: bool) -> None:
    method, path, scheme, authority = (values.get(name) for name in (":method", ":path", ":scheme", ":authority"))
    n_pseudo, is_extended = _n_pseudo(fields), ":protocol" in values
    if ":status" in values or (is_extended and (not takes_connect or method != "CONNECT")):
        raise MalformedError("a request has :status, or :protocol where the server has not said that it takes it")
    if method == "CONNECT" and not is_extended:
        if path is not None or scheme is not None or n_pseudo != 2 or not authority:
            raise MalformedError("a CONNECT request has :method and :authority and no other pseudo-field")
    elif not method or not path or not scheme:
        raise MalformedError("a request has :method, :scheme and :path")
    elif path[0] != "/" and (path != "*" or method != "OPTIONS"):
        raise MalformedError(f"the :path {path!r} does not begin with a slash")
    elif n_pseudo != 3 + (authority is not None) + is_extended:
        raise MalformedError("a request has a pseudo-field that is not one of a request, or after other fields")
    if " " in (path or "") or " " in (authority or "") or "@" in (authority or ""):
        raise MalformedError("a request's :path has a space, or its :authority a space or a user's name")
    if not _METHOD.fullmatch(method) or not _SCHEME.fullmatch(scheme or "http"):
        raise MalformedError(f"the :method {method!r} or :scheme {scheme!r} is none")
    if authority is not None and not _is_same(values.get("host", authority), authority, scheme or ""):
        raise MalformedError(f"the fields host {values['host']!r} and :authority {authority!r} differ")


def _is_same(host: str, authority: str, scheme: str) -> bool:
    if host == authority:
        return True
    port = _DEFAULT_PORTS.get(scheme, "")
    return host.lower().removesuffix(port) == authority.lower().removesuffix(port)


def check_response(fields: list[Field], values: dict[str, str]) -> int | None:
    """Refuse what is not a response; give the length of its body, where it says one."""
    status = values.get(":status", "")
    if (
        _n_pseudo(fields) != 1
        or not _REQUEST.isdisjoint(values)
        or len(status) != 3
        or not (status.isascii() and status.isdigit())
        or status == "101"
    ):
        raise MalformedError(f"a response has one :status of three digits, got {status!r}")
    return 0 if status in ("204", "304") else _content_length(values)


def check_trailers(fields: list[Field], values: dict[str, str]) -> int | None:
    """Refuse what are not trailers."""
    if not PSEUDO.isdisjoint(values):
        raise MalformedError("trailers have a pseudo-field")
    return None


def _n_pseudo(fields: list[Field]) -> int:
    """Count the pseudo-fields at the beginning."""
    n = 0
    for name, _ in fields:
        if name[:1] != ":":
            break
        n += 1
    return n


def check_each(fields: list[Field]) -> None:
    """Refuse a list with a field that may not be in HTTP/2, or comes twice where it may not, or a pseudo-field after others."""
    seen, is_regular = set[str](), False
    for name, value in fields:
        if not is_name(name) or not is_value(value):
            raise MalformedError(f"the field {name!r} has characters that are not allowed")
        if name in HOP_BY_HOP or (name == "te" and value != "trailers"):
            raise MalformedError(f"the field {name!r} is for HTTP/1 connections")
        if name in PSEUDO or name in _SINGLE:
            if name in seen or (is_regular and name[0] == ":"):
                raise MalformedError(f"the field {name!r} comes twice, or after others")
            if name[0] == ":" and _NO_TARGET.search(value):
                raise MalformedError(f"the pseudo-field {name!r} has a space or a control character")
            seen.add(name)
        is_regular = is_regular or name[0] != ":"


def join_cookies(fields: list[Field]) -> list[Field]:
    """Give the list with its cookies in one field (RFC 9113, 8.2.3)."""
    cookies = [value for name, value in fields if name == "cookie"]
    if len(cookies) < 2:
        return fields
    first = next(at for at, (name, _) in enumerate(fields) if name == "cookie")
    others = [(name, value) for name, value in fields if name != "cookie"]
    others.insert(first, ("cookie", "; ".join(cookies)))
    return others


def _content_length(values: dict[str, str]) -> int | None:
    text = values.get("content-length")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise MalformedError(f"content-length is {text[:40]!r}")
    return int(text)


class HeadReader:
    """Reads header blocks of one kind.

    Args:
        decoder: Shared by all kinds of one direction, as the dynamic table is.
        check: One of the checks above, which gives the length of the body.
        build: Makes what the layer above wants of (fields, dict of them); equal blocks share it.
        max_blocks: How many blocks of usual size to remember.
    """

    def __init__(
        self,
        decoder: Decoder,
        check: Callable[[list[Field], dict[str, str]], int | None],
        build: Callable[[list[Field], dict[str, str]], Any],
        max_blocks: int,
    ) -> None:
        self._decoder, self._check, self._build, self._max_blocks = decoder, check, build, max_blocks
        self._known: dict[bytes, tuple[Any, int | None]] = {}
        self._seen: set[int] = set()
        self._n_changes = self._cost = 0

    def read(self, block: bytes) -> tuple[Any, int | None]:
        """Give what `build` made, and the length of the body.

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
            self._remember(block, found, len(block) + _FIELD_COST * len(fields))
        return found

    def known(self, block: bytes) -> tuple[Any, int | None]:
        """Give the same for a block that was read before and has not changed its meaning; else (None, None)."""
        return self._known.get(block, _UNKNOWN) if self._n_changes == self._decoder.n_changes else _UNKNOWN

    def _interpret(self, fields: list[Field]) -> tuple[Any, int | None]:
        values = dict(fields)
        if self._decoder.is_suspect or len(values) != len(fields) or "transfer-encoding" in values:  # the static table has that one
            check_each(fields)
            fields = join_cookies(fields)
            values = dict(fields)
        length = self._check(fields, values)
        return self._build(fields, values), length

    def _remember(self, block: bytes, found: tuple[Any, int | None], cost: int) -> None:
        if self._n_changes != self._decoder.n_changes:
            self._known.clear()
            self._n_changes, self._cost = self._decoder.n_changes, 0
        key = hash(block)
        if key not in self._seen:
            if len(self._seen) >= 4 * self._max_blocks:
                self._seen.clear()
            self._seen.add(key)
        elif self._max_blocks:
            self._cost += cost
            if len(self._known) >= self._max_blocks or self._cost > _MAX_COST * self._max_blocks:
                self._known.clear()
                self._cost = cost
            self._known[block] = found
