"""What gRPC says in header fields (gRPC's PROTOCOL-HTTP2): heads, metadata, deadlines, status messages."""

from __future__ import annotations

import binascii
import math
import re
from base64 import b64encode
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from jina.errors import InvalidInputError
from jina.wire import hpack
from jina.wire.grpc_messages import ENCODINGS
from jina.wire.hpack import Field
from jina.wire.http2_fields import MalformedError
from jina.wire.status import GrpcStatus

Metadata = Iterable[tuple[str, str | bytes]]
Pairs = tuple[tuple[str, str | bytes], ...]

_OWN: Final = frozenset((":method", ":scheme", ":path", ":authority", ":status", "te", "content-type", "content-length", "host"))
_NAME: Final = frozenset("0123456789abcdefghijklmnopqrstuvwxyz_-.")
_RESERVED: Final = hpack.HOP_BY_HOP | {"te", "content-type", "content-length", "host"}
_FOR_RETRIES: Final = frozenset(("grpc-retry-pushback-ms", "grpc-previous-rpc-attempts"))
"""Of the protocol's own names those that are said by who answers or retries a call (gRFC A6)."""
_UNITS: Final = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
_MAX_TIMEOUT: Final = 99_999_999
_MAX_TIMEOUT_DIGITS: Final = 9
"""One more than the protocol has; what grpcio reads as a time that is never over has more."""
_TIMEOUT: Final = re.compile(r" *([0-9]+) *([HMSmun]) *").fullmatch
ACCEPTED: Final = ",".join(ENCODINGS)
_LAST_STATUS: Final = max(GrpcStatus)
CONTENT_TYPE: Final = "application/grpc"


class _Head:
    """Fields of a header block, read further where they are asked for."""

    __slots__ = ("_headers", "_metadata", "fields", "values")

    def __init__(self, fields: list[Field], values: dict[str, str]) -> None:
        self.fields, self.values = fields, values
        self._metadata: Pairs | None = None
        self._headers: dict[str, str] | None = None
        if "-bin" in " ".join(values):
            self._metadata = self._read_binary()

    def _read_binary(self) -> Pairs:
        """Refuse bad base64 now, not when somebody looks."""
        return read_metadata(self.fields)

    @property
    def metadata(self) -> Pairs:
        """(name, value) in order, names in lower case, values str, or bytes for names in `-bin`; without the protocol's own."""
        if self._metadata is None:
            self._metadata = read_metadata(self.fields)
        return self._metadata

    @property
    def headers(self) -> dict[str, str]:
        """The same as a dict of str to str (the last wins; `-bin` left out). Not to be changed: equal blocks share it."""
        if self._headers is None:
            self._headers = {name: value for name, value in self.metadata if isinstance(value, str)}
        return self._headers


class RequestHead(_Head):
    """What a call's header block said; the same object for the same block, never changed.

    Attributes:
        path: e.g. `/jina.JinaRPC/Call`.
        encoding: Of the request's messages, e.g. `gzip`.
        timeout_s: From `grpc-timeout`; None for none.
        refusal: An HTTP status for what is not a gRPC request at all, else 0.
        fault: The status and text that end a call whose fields are wrong before it begins, else None.
        is_plain: A gRPC request without a fault.
    """

    __slots__ = ("encoding", "fault", "is_plain", "path", "refusal", "timeout_s")

    def __init__(self, fields: list[Field], values: dict[str, str]) -> None:
        self.fault: tuple[GrpcStatus, str] | None = None
        self.timeout_s: float | None = None
        self.refusal = 0
        if values[":method"] != "POST":
            self.refusal = 405
        elif values.get("content-type") != CONTENT_TYPE and not is_grpc(values.get("content-type", "")):
            self.refusal = 415
        _Head.__init__(self, fields, values)
        self.path = values.get(":path", "")
        self.encoding = values.get("grpc-encoding", "identity")
        if self.encoding not in ENCODINGS:
            text = f"grpc-encoding {self.encoding[:40]!r} is not known here; use one of {ACCEPTED}"
            self.fault = (GrpcStatus.UNIMPLEMENTED, text)
        if "grpc-timeout" in values:
            self._read_timeout(values["grpc-timeout"])
        self.is_plain = not self.refusal and self.fault is None

    def _read_binary(self) -> Pairs:
        if self.refusal:  # what HTTP calls `-bin` is text like the rest
            return tuple((name, value) for name, value in self.fields if not _is_own(name))
        try:
            return read_metadata(self.fields)
        except MalformedError as error:
            self.fault = (GrpcStatus.INTERNAL, str(error))
            return ()

    def _read_timeout(self, text: str) -> None:
        """As grpcio does: one that cannot be read is an error, and one of nothing has passed."""
        try:
            self.timeout_s = parse_timeout(text)
        except MalformedError as error:
            self.fault = (GrpcStatus.INTERNAL, str(error))
        else:
            if self.timeout_s == 0:
                self.fault = (GrpcStatus.DEADLINE_EXCEEDED, "Deadline Exceeded")

    @property
    def authority(self) -> str:
        """The `:authority`, else `host`; may be empty."""
        return self.values.get(":authority") or self.values.get("host", "")

    @property
    def accepted(self) -> tuple[str, ...]:
        """Encodings that the caller can read."""
        return tuple(name.strip() for name in self.values.get("grpc-accept-encoding", "").split(","))


class ReplyHead(_Head):
    """A reply's initial metadata, or its trailers.

    Attributes:
        encoding: Of the reply's messages.
        status: `grpc-status`; -1 if it is missing or not a number, UNKNOWN for a number that has no meaning.
        is_plain: The beginning of a reply in gRPC that is not compressed.
    """

    __slots__ = ("encoding", "is_plain", "status")

    def __init__(self, fields: list[Field], values: dict[str, str]) -> None:
        super().__init__(fields, values)
        self.encoding = values.get("grpc-encoding", "identity")
        status = values.get("grpc-status", "")
        self.status = int(status) if status.isascii() and status.isdigit() and len(status) < 10 else -1
        if self.status > _LAST_STATUS:
            self.status = GrpcStatus.UNKNOWN
        is_reply = values.get(":status") == "200" and is_grpc(values.get("content-type", ""))
        self.is_plain = is_reply and self.encoding == "identity"

    @property
    def message(self) -> str:
        """The status message; what is not percent-encoded as it should be stays as it came."""
        raw = self.values.get("grpc-message", "").encode("latin-1")
        text = (unquote_to_bytes(raw) if b"%" in raw else raw).decode("utf-8", "replace")
        status = self.values.get("grpc-status", "")
        if self.status == GrpcStatus.UNKNOWN and status != "2":
            return f"the server ended the call with status {status}, which has no meaning: {text}"
        return text


def build_reply_head(fields: list[Field], values: dict[str, str]) -> ReplyHead | None:
    """Build a ReplyHead; None for an informational response."""
    return None if values[":status"][0] == "1" else ReplyHead(fields, values)


def is_grpc(content_type: str) -> bool:
    """Tell whether a content type is gRPC's: `application/grpc`, with `+...` or `;...` after it."""
    return content_type == CONTENT_TYPE or content_type[:17] in ("application/grpc+", "application/grpc;")


def read_metadata(fields: list[Field]) -> Pairs:
    """Give the caller's own fields."""
    found: list[tuple[str, str | bytes]] = []
    for name, value in fields:
        if _is_own(name):
            continue
        if name.endswith("-bin"):
            found.extend((name, _from_base64(name, part)) for part in value.split(","))
        else:
            found.append((name, value))
    return tuple(found)


def _is_own(name: str) -> bool:
    """Tell whether a field is the protocol's, not the caller's."""
    return name in _OWN or (name[:5] == "grpc-" and not name.endswith("-bin"))


def _from_base64(name: str, text: str) -> bytes:
    text = text.strip()
    try:
        return binascii.a2b_base64(text + "=" * (-len(text) % 4), strict_mode=True)
    except ValueError as error:
        raise MalformedError(f"the metadata {name!r} is not base64") from error


def encode_metadata(metadata: Metadata) -> bytes:
    """Encode a user's metadata as a piece of a block.

    Raises:
        InvalidInputError: A name or value that gRPC does not allow.
    """
    return hpack.encode(_written(metadata))


def _written(metadata: Metadata) -> list[Field]:
    return [(name, _checked(name, value)) for name, value in metadata]


def _checked(name: str, value: str | bytes) -> str:
    if not name or not _NAME.issuperset(name):
        raise InvalidInputError(f"metadata name {name!r} must consist of lower-case ASCII letters, digits, '_', '-' and '.'")
    if name in _RESERVED or (name.startswith("grpc-") and not name.endswith("-bin") and name not in _FOR_RETRIES):
        raise InvalidInputError(f"metadata name {name!r} is reserved by the protocol; use another")
    if name.endswith("-bin"):
        raw = value if isinstance(value, bytes) else value.encode()
        return b64encode(raw).rstrip(b"=").decode()
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    if not (text.isascii() and (text.isprintable() or not text)):
        raise InvalidInputError(f"metadata {name!r} must be printable ASCII, got {text[:80]!r}; use a name ending in '-bin' for bytes")
    return text.strip(" ")


def retry_metadata(retry_after_s: float | None) -> tuple[tuple[str, str], ...]:
    """Say when to try again: as gRPC's clients read it (gRFC A6), and as HTTP says it."""
    if retry_after_s is None:
        return ()
    return (("grpc-retry-pushback-ms", str(int(retry_after_s * 1000))), ("retry-after", str(math.ceil(retry_after_s))))


def parse_timeout(text: str) -> float | None:
    """Read `grpc-timeout`, with the spaces and many digits that grpcio reads too; None for a time that is never over.

    Raises:
        MalformedError: It is not a number and a unit.
    """
    found = _TIMEOUT(text)
    if found is None:
        raise MalformedError(f"grpc-timeout must be up to eight digits and one of H, M, S, m, u, n, got {text[:40]!r}")
    digits = found[1]
    if len(digits) > _MAX_TIMEOUT_DIGITS and len(digits.lstrip("0")) > _MAX_TIMEOUT_DIGITS:
        return None
    return int(digits[-_MAX_TIMEOUT_DIGITS:]) * _UNITS[found[2]]


def format_timeout(timeout_s: float) -> str:
    """Write seconds as `grpc-timeout`, rounded up, in the finest unit that fits eight digits."""
    for unit in ("n", "u", "m", "S", "M"):
        n = math.ceil(max(0.0, timeout_s) / _UNITS[unit])
        if n <= _MAX_TIMEOUT:
            return f"{n}{unit}"
    return f"{min(math.ceil(timeout_s / 3600.0), _MAX_TIMEOUT)}H"


def timeout_field(timeout_s: float) -> bytes:
    """Encode `grpc-timeout` as a piece to append to a block."""
    return hpack.encode_field("grpc-timeout", format_timeout(timeout_s))


def request_block(
    path: str, authority: str = "localhost", metadata: Metadata = (), timeout_s: float | None = None, *, scheme: str = "http"
) -> bytes:
    """Encode the head of a request. Cache it; for a call with a deadline append `timeout_field(seconds)` to it.

    Raises:
        InvalidInputError: A name is not lower-case ASCII, or reserved, or a value holds a newline or other control character.
    """
    fields = ((":method", "POST"), (":scheme", scheme), (":path", path), (":authority", authority), ("te", "trailers"))
    own = (("content-type", CONTENT_TYPE), ("grpc-accept-encoding", ACCEPTED))
    timeout = b"" if timeout_s is None else timeout_field(timeout_s)
    return hpack.encode(fields) + hpack.encode(own) + timeout + encode_metadata(metadata)


def reply_block(metadata: Metadata = (), encoding: str = "identity") -> bytes:
    """Encode the head of a reply."""
    own = [(":status", "200"), ("content-type", CONTENT_TYPE)]
    if encoding != "identity":
        own.append(("grpc-encoding", encoding))
    return hpack.encode(own) + encode_metadata(metadata)


def trailers_block(status: int, message: str = "", metadata: Metadata = ()) -> bytes:
    """Encode trailers."""
    return hpack.encode(trailers_fields(status, message, metadata))


def trailers_fields(status: int, message: str, metadata: Metadata) -> list[Field]:
    """Give the fields of trailers: status, percent-encoded message, metadata."""
    fields = [("grpc-status", str(int(status)))]
    if message:
        fields.append(("grpc-message", quote(message, safe=_UNQUOTED, errors="replace")))
    return fields + _written(metadata)


_UNQUOTED: Final = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")
