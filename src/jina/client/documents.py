"""Documents to bytes and back for a client: the class decides the codec. Nothing of pydantic or numpy is imported before a document is."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from jina.client.inputs import Batch, checked, is_document
from jina.codec.pieces import Message, placed
from jina.errors import BadClientInput, ConfigError, InvalidInputError, JinaError
from jina.hints import is_document_class, list_of


def encode_proto(batch: Batch, dialect: str = "strict") -> Message | None:
    """Give a batch as a serialised DocListProto, large ones in pieces; None for no documents at all.

    Raises:
        BadClientInput: A value that the dialect cannot carry.
    """
    if batch is None:
        return None
    parts = _encoded(batch, "encode_pieces", dialect=dialect)
    return parts[0] if len(parts) == 1 else b"".join(map(bytes, parts))


def encode_json(batch: Batch) -> bytes:
    """Give a batch as a JSON array.

    Raises:
        BadClientInput: A value that JSON cannot carry.
    """
    parts = [bytes(part)[1:-1] for part in _encoded(batch, "encode_json")] if batch is not None else []
    return b"[" + b",".join(part for part in parts if part) + b"]"


def _encoded(batch: Batch, method: str, **given: str) -> list[Message]:
    from jina.codec import codec_for

    kind: Any = getattr(batch, "doc_type", None)
    is_typed = kind is not None and kind.__name__ != "AnyDoc"
    if not is_typed:
        batch = checked(batch)
    kinds: set[Any] = {kind} if is_typed else set(map(type, batch))
    try:
        if len(kinds) == 1:
            return [getattr(codec_for(kinds.pop()), method)(batch, **given)]
        return [getattr(codec_for(type(doc)), method)([doc], **given) for doc in batch]
    except JinaError as error:
        raise BadClientInput(str(error)) from error


def encode_one_proto(doc: Any, dialect: str = "strict") -> bytes:
    """Give one document as a serialised DocProto."""
    return _encode_one(doc, "encode_proto_one", dialect=dialect)


def encode_one_json(doc: Any) -> bytes:
    """Give one document as a JSON object."""
    return _encode_one(doc, "encode_json_one")


def _encode_one(doc: Any, method: str, **given: str) -> bytes:
    from jina.codec import codec_for

    if not is_document(doc):
        raise BadClientInput(f"stream_doc takes one document (or dict), got an object of type {type(doc).__name__}")
    doc = checked([doc])[0]
    try:
        return bytes(getattr(codec_for(type(doc)), method)(doc, **given))
    except JinaError as error:
        raise BadClientInput(str(error)) from error


class ReturnType:
    """What replies become.

    Attributes:
        list_type: A DocList class, ours or docarray's, or `list`.
        item: The class of one document.
        is_single: A lone document comes without a list around it.
    """

    list_type: Any
    item: Any

    def __init__(self, wanted: Any = None) -> None:
        """Read `return_type`.

        Args:
            wanted: `DocList[X]`, `list[X]`, or a document class; None for documents of any fields.

        Raises:
            BadClientInput: Something else.
        """
        from jina.docs import AnyDoc, BaseDoc, DocList

        if wanted is None or wanted is DocList:
            self.list_type, self.item, self.is_single = DocList, AnyDoc, False
            return
        found = list_of(wanted)
        if found is not None:
            self.list_type, self.item = found
            self.is_single = False
        elif is_document_class(wanted):
            self.item, self.is_single = wanted, True
            self.list_type = _subscript(DocList, AnyDoc if wanted is BaseDoc else wanted)
            if any(base.__module__ == "docarray.base_doc.doc" for base in wanted.__mro__):
                import docarray

                self.list_type = _subscript(docarray.DocList, wanted)
        else:
            raise BadClientInput(f"return_type must be a document class, DocList[...] or list[...] of one, got {wanted!r}")
        if self.item is BaseDoc or self.item.__name__ == "AnyDoc":
            self.item = AnyDoc

    @property
    def codec(self) -> Any:
        """Reads one document class."""
        from jina.codec import codec_for

        try:
            return codec_for(self.item)
        except ConfigError as error:
            raise BadClientInput(f"return_type: {error}") from error

    def read(self, method: str, data: Any, remark: str = "") -> Any:
        """Decode an answer's documents.

        Args:
            method: What of the codec reads them.
            data: Their bytes.
            remark: What the answer says beside them, which may be why they do not fit.

        Raises:
            InvalidInputError: They are not of the class that was asked for.
        """
        try:
            whole, start = placed(data)
            return getattr(self.codec, method)(whole, **({"start": start} if start else {}))
        except InvalidInputError as error:
            text = f"the answer's documents do not fit return_type {self.item.__name__!r}: {error}" + (f"; {remark}" if remark else "")
            raise InvalidInputError(text, details=error.details) from None

    def make(self, docs: list[Any]) -> Any:
        """Make the list that the caller wants."""
        kind = self.list_type
        return docs if kind is list else kind.construct(docs) if hasattr(kind, "construct") else kind(docs)

    def result(self, docs: list[Any]) -> Any:
        """Make what `post` gives: the list, or the one document."""
        return docs[0] if self.is_single and len(docs) == 1 else self.make(docs)


_known_return_type = lru_cache(256)(ReturnType)


def return_type(wanted: Any) -> ReturnType:
    """Give the ReturnType of a `return_type`; see there."""
    try:
        return _known_return_type(wanted)
    except TypeError:  # not hashable: the class itself says what is wrong with it
        return ReturnType(wanted)


def _subscript(kind: Any, item: Any) -> Any:
    return kind[item]
