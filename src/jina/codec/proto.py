"""The binary codec of one document class: docarray's DocListProto and DocProto, in the strict dialect or in ours.

`strict` is byte-equal to what docarray writes in deterministic order. `ours` writes the same bytes wherever docarray has a form for a
value, and private type strings where it has none. Reading takes both, whoever wrote them.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import error as struct_error
from typing import Any, NoReturn

from jina.codec.locate import locate
from jina.codec.pieces import LARGE, Message, Pieces
from jina.codec.proto_encode import encoders_of
from jina.codec.proto_read import ROOT, Reading, decoders_of
from jina.codec.schema import Schema
from jina.errors import MalformedError, UnencodableError


class ProtoCodec:
    """Documents of one class to protobuf bytes and back; see `Codec` for what it raises."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._encoders = {"strict": encoders_of(schema.cls, False), "ours": encoders_of(schema.cls, True)}
        self._decode_one, self._decode = decoders_of(schema.cls)

    def encode(self, docs: Iterable[Any], *, dialect: str = "strict") -> bytes:
        """The bytes of a DocListProto.

        Raises:
            UnencodableError: A value has no form in the dialect; names the field and the value.
        """
        try:
            return self._encoders[dialect][1](docs, 0)
        except (UnencodableError, UnicodeEncodeError) as error:
            _say_where(error, docs, dialect == "ours", ())

    def encode_one(self, doc: Any, *, dialect: str = "strict") -> bytes:
        """The bytes of a DocProto."""
        try:
            return self._encoders[dialect][0](doc, 0)
        except (UnencodableError, UnicodeEncodeError) as error:
            _say_where(error, doc, dialect == "ours", ())

    def encode_pieces(self, docs: Iterable[Any], *, dialect: str = "strict") -> Message:
        """The same for a message to send: large documents are not copied together."""
        try:
            parts = self._encoders[dialect][2](docs, 0)
        except (UnencodableError, UnicodeEncodeError) as error:
            _say_where(error, docs, dialect == "ours", ())
        return b"".join(parts) if sum(map(len, parts)) < LARGE else Pieces(*parts)

    def decode(self, data: bytes, call_id: bytes = b"", *, dialect: str = "strict", trusted: bool = False, start: int = 0) -> list[Any]:
        """The documents of a DocListProto.

        Args:
            data: Its bytes.
            call_id: Makes ids of documents that come without one.
            dialect: Of no consequence: what our dialect adds is marked in the bytes.
            trusted: The bytes come from one of our own processes, where these documents were already checked.
            start: Where they begin in `data`.
        """
        try:
            return self._decode(bytes(data), start, len(data), ROOT, Reading(call_id, trusted))  # type: ignore[no-any-return]
        except (IndexError, struct_error):
            raise _truncated(len(data) - start) from None

    def decode_one(self, data: bytes, call_id: bytes = b"", *, dialect: str = "strict", trusted: bool = False, start: int = 0) -> Any:
        """The document of a DocProto."""
        try:
            return self._decode_one(bytes(data), start, len(data), ROOT, Reading(call_id, trusted, (0,)))
        except (IndexError, struct_error):
            raise _truncated(len(data) - start) from None


def _truncated(n_bytes: int) -> MalformedError:
    return MalformedError(f"not a protobuf message of documents: it ends within a field, after {n_bytes} bytes")


def _say_where(error: Exception, value: Any, is_ours: bool, path: tuple[str | int, ...]) -> NoReturn:
    where, found = locate(value, is_ours)
    error = found or error
    reason = "a string with lone surrogates cannot be written as UTF-8" if isinstance(error, UnicodeEncodeError) else str(error)
    raise UnencodableError(f"{reason} - at `{where}`" if where else reason) from None
