"""`DataRequest`, `Response` and `SingleDocumentRequest`: what callbacks and custom gateways hold in their hands.

Documents are decoded at the first `.docs`, by the codec of `document_array_cls`; a request that is only passed on is never decoded.
"""

from __future__ import annotations

from typing import Any, ClassVar

from jina.codec.messages import Envelope, read_document_request, read_request
from jina.types.request import Request

__all__ = ["DataRequest", "Response", "SingleDocumentRequest"]


class DataContent:
    """The documents of a DataRequest; `docs` is decoded once and kept until it is set anew."""

    def __init__(self, request: DataRequest) -> None:
        self._request = request
        self._loaded: Any = None

    @property
    def docs(self) -> Any:
        """The documents, as `document_array_cls`."""
        if self._loaded is None:
            self._loaded = self._request._decoded()
        return self._loaded

    @docs.setter
    def docs(self, value: Any) -> None:
        if value is not None:
            self._request.proto.data.set_raw("docs", encode_documents(value))
            self._loaded = None

    def set_docs_convert_arrays(self, value: Any, ndarray_type: str | None = None) -> None:
        """Set the documents; Jina's name, `ndarray_type` has no meaning any more."""
        self.docs = value

    @property
    def docs_bytes(self) -> bytes:
        """Docarray's own binary form, if the sender chose it."""
        return self._request.proto.data.docs_bytes  # type: ignore[no-any-return]

    @docs_bytes.setter
    def docs_bytes(self, value: bytes) -> None:
        if value:
            self._loaded = None
            self._request.proto.data.docs_bytes = value


class DataRequest(Request):
    """A batch of documents with header, parameters and routes.

    Attributes:
        direct_docs: If not None, what `docs` gives, whatever the message holds.
    """

    _proto_name: ClassVar[str] = "jina.DataRequestProto"
    _split = staticmethod(read_request)
    direct_docs: Any = None
    _document_array_cls: Any = None

    @property
    def document_array_cls(self) -> Any:
        """What `docs` is decoded into, e.g. `DocList[TextDoc]`; `DocList` of any documents if not set."""
        return self._document_array_cls or _any_list()

    @document_array_cls.setter
    def document_array_cls(self, value: Any) -> None:
        self._document_array_cls = value

    @property
    def data(self) -> DataContent:
        """The part that holds the documents."""
        if self._data is None:
            self._data = DataContent(self)
        return self._data  # type: ignore[no-any-return]

    @property
    def docs(self) -> Any:
        """The documents, as `document_array_cls`.

        Raises:
            MalformedError, InvalidInputError: They are not that.
        """
        return self.direct_docs if self.direct_docs is not None else self.data.docs

    def _decoded(self) -> Any:
        cls = self.document_array_cls
        docs, docs_bytes = self._documents()
        if docs_bytes is not None:
            return cls.from_bytes(docs_bytes)
        return decode_documents(docs or b"", cls)

    def _documents(self) -> tuple[bytes | None, bytes | None]:
        envelope: Envelope | None = self._envelope()
        if envelope is not None:
            return None if envelope.docs is None else bytes(envelope.docs), envelope.docs_bytes
        data = self.proto.data
        if data.WhichOneof("documents") == "docs_bytes":
            return None, data.docs_bytes
        return data.raw("docs"), None

    def to_dict(self, **options: Any) -> dict[str, Any]:
        """`header`, `parameters`, `routes` in protobuf's JSON form (those that are set, enums as numbers), `data` as the documents."""
        return {**super().to_dict(**options), "data": self.docs}

    @property
    def response(self) -> Response:
        """This request as a Response, on the same message."""
        return Response(self.proto)


class Response(DataRequest):
    """What a service answered, the same thing as a DataRequest."""


class SingleDocumentRequest(Request):
    """One document with header, parameters and routes, for streaming endpoints.

    Attributes:
        document_cls: What `doc` is decoded into.
        direct_doc: If not None, what `doc` gives, whatever the message holds.
    """

    _proto_name: ClassVar[str] = "jina.SingleDocumentRequestProto"
    _split = staticmethod(read_document_request)
    direct_doc: Any = None
    _document_cls: Any = None

    @property
    def document_cls(self) -> Any:
        """What `doc` is decoded into; any document if not set."""
        return self._document_cls or _any_list().doc_type

    @document_cls.setter
    def document_cls(self, value: Any) -> None:
        self._document_cls = value

    @property
    def data(self) -> SingleDocumentContent:
        """The part that holds the document."""
        if self._data is None:
            self._data = SingleDocumentContent(self)
        return self._data  # type: ignore[no-any-return]

    @property
    def doc(self) -> Any:
        """The document, as `document_cls`."""
        return self.direct_doc if self.direct_doc is not None else self.data.doc

    def _document(self) -> bytes:
        envelope: Envelope | None = self._envelope()
        if envelope is not None:
            return bytes(envelope.docs or b"")
        return self.proto.raw("document") or b""

    def to_dict(self, **options: Any) -> dict[str, Any]:
        """`header`, `parameters`, `routes` in protobuf's JSON form (those that are set, enums as numbers), `document` as itself."""
        return {**super().to_dict(**options), "document": self.doc}


class SingleDocumentContent:
    """The document of a SingleDocumentRequest."""

    def __init__(self, request: SingleDocumentRequest) -> None:
        self._request = request
        self._loaded: Any = None

    @property
    def doc(self) -> Any:
        """The document, as `document_cls`."""
        if self._loaded is None:
            self._loaded = _codec(self._request.document_cls).decode_proto_one(self._request._document())
        return self._loaded

    @doc.setter
    def doc(self, value: Any) -> None:
        if value is not None:
            self._request.proto.set_raw("document", _codec(type(value)).encode_proto_one(value, dialect="strict"))
            self._loaded = None


def decode_documents(data: bytes, cls: Any) -> Any:
    """A serialised DocListProto as a list class (`DocList[X]`), or as a plain list for a bare document class."""
    doc_type = getattr(cls, "doc_type", None)
    if doc_type is None:
        return _codec(cls).decode_proto(data)
    docs = _codec(doc_type).decode_proto(data)
    return cls.construct(docs) if hasattr(cls, "construct") else cls(docs)


def encode_documents(docs: Any) -> bytes:
    """Documents of one class as a serialised DocListProto in the dialect that every peer reads."""
    doc_type = getattr(docs, "doc_type", None)
    items = list(docs)
    if doc_type is None or doc_type is _any_list().doc_type:
        if not items:
            return b""
        doc_type = type(items[0])
    return bytes(_codec(doc_type).encode_proto(items, dialect="strict"))


def _codec(cls: Any) -> Any:
    from jina.codec import codec_for

    return codec_for(cls)


def _any_list() -> Any:
    from jina.docs import DocList

    return DocList
