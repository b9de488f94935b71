"""`DocList[T]`: a list of documents of one class, with their fields as columns.

There is one class for each T, so `isinstance(docs, DocList[Text])` works and pydantic, annotations and pickle see an ordinary class.
"""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter
from pathlib import Path
from types import GenericAlias
from typing import TYPE_CHECKING, Any, ClassVar, ForwardRef, Self, SupportsIndex, TypeVar, get_args, overload

import numpy as np
from pydantic import BaseModel, GetCoreSchemaHandler, TypeAdapter
from pydantic_core import CoreSchema, core_schema

from jina.docs.base import AnyDoc, _codec_of, _json_codec_of
from jina.docs.framing import ProtoBytes, compress, decompress, join_frames, message_bytes, refuse_pickle, split_frames
from jina.docs.subscription import Subscripted, register, subscript

T = TypeVar("T")
_PROTOCOLS = ("protobuf-array", "json-array", "protobuf", "json")


class DocListType(Subscripted):
    """Metaclass of `DocList`, so that its classes are pickled as `DocList[T]`."""


register(DocListType)


def field_names(doc_type: Any) -> tuple[str, ...]:
    """Names of the fields of a document class: pydantic model, dataclass or msgspec.Struct."""
    if isinstance(doc_type, type) and issubclass(doc_type, BaseModel):
        return tuple(doc_type.model_fields)
    if dataclasses.is_dataclass(doc_type):
        return tuple(field.name for field in dataclasses.fields(doc_type))
    return tuple(getattr(doc_type, "__struct_fields__", ()))


def _is_document_class(item: Any) -> bool:
    if not isinstance(item, type):
        return False
    return issubclass(item, BaseModel) or dataclasses.is_dataclass(item) or hasattr(item, "__struct_fields__")


def _column(name: str) -> property:
    return property(lambda docs: docs._get_column(name), lambda docs, values: docs._set_column(name, values))


_N_SHOWN, _MAX_SHOWN = 3, 120  # documents in a list's repr, characters of each
_lists: dict[tuple[type, Any], Any] = {}


def _short(doc: Any) -> str:
    text = " ".join(repr(doc).split())
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 3] + "..."


def _make_list_of(cls: Any, item: Any) -> Any:
    if isinstance(item, tuple) and len(item) == 1:
        item = item[0]
    if cls.__subscription__ is not None:
        if cls.doc_type is item:
            return cls
        raise TypeError(f"{cls.__name__} is a list of {cls.doc_type.__name__} already")
    if isinstance(item, (TypeVar, ForwardRef, str)):
        return GenericAlias(cls, (item,))
    if item is Any:
        item = AnyDoc
    if not _is_document_class(item):
        raise TypeError(f"DocList needs a document class, got {item!r}")
    made = _lists.get((cls, item))
    if made is None:
        columns = {name: _column(name) for name in field_names(item)}
        made = subscript(cls, item, f"{cls.__name__}[{item.__name__}]", {"doc_type": item, **columns})
        made = _lists.setdefault((cls, item), made)  # another thread's, if it was first
    return made


class DocList(list[T], metaclass=DocListType):
    """A list of documents of one class.

    `docs.text` is the list of the documents' texts and can be assigned to. An index may be an int, a slice, a list of ints, a list of
    bools or a numpy array of either; all but an int give a DocList.

    Raises:
        ValueError: A document is not of the list's class (on making it, `append`, `extend`, `insert` and assignment).
    """

    doc_type: ClassVar[Any] = AnyDoc
    _adapter: ClassVar[Any] = None

    if not TYPE_CHECKING:

        def __class_getitem__(cls, item: Any) -> Any:
            try:
                return _lists[cls, item]
            except (KeyError, TypeError):
                return _make_list_of(cls, item)

    def __init__(self, docs: Iterable[T] | None = None) -> None:
        list.__init__(self, () if docs is None else docs)
        doc_type = self.doc_type
        for doc in self:
            if type(doc) is not doc_type:
                self._check(doc)

    @classmethod
    def construct(cls, docs: Iterable[T]) -> Self:
        """Make a list of documents that are known to be of its class, without looking at them."""
        made: Self = list.__new__(cls)
        list.extend(made, docs)
        return made

    def _check(self, doc: Any) -> Any:
        doc_type = self.doc_type
        if isinstance(doc, doc_type) or (doc_type is AnyDoc and _is_document_class(type(doc))):
            return doc
        raise ValueError(f"expected a {doc_type.__name__}, got {type(doc).__name__}")

    def append(self, doc: T) -> None:
        """Add a document at the end."""
        super().append(self._check(doc))

    def insert(self, index: SupportsIndex, doc: T) -> None:
        """Add a document before `index`."""
        super().insert(index, self._check(doc))

    def extend(self, docs: Iterable[T]) -> None:
        """Add documents at the end: all of them, or none if one is of another class."""
        super().extend([self._check(doc) for doc in docs])

    def __iadd__(self, docs: Iterable[T]) -> Self:  # type: ignore[misc,override]
        self.extend(docs)
        return self

    def __add__(self, docs: Any) -> Any:
        made = self.construct(self)
        made.extend(docs)
        return made

    def __mul__(self, n: SupportsIndex) -> Self:
        return self.construct(list.__mul__(self, n))

    __rmul__ = __mul__

    def copy(self) -> Self:
        """Make a list of the same documents."""
        return self.construct(self)

    @overload
    def __getitem__(self, index: SupportsIndex) -> T: ...
    @overload
    def __getitem__(self, index: Any) -> Self: ...
    def __getitem__(self, index: Any) -> Any:
        if type(index) is int:
            return list.__getitem__(self, index)
        if isinstance(index, slice):
            return self.construct(list.__getitem__(self, index))
        if isinstance(index, (list, tuple, np.ndarray)):
            return self.construct([list.__getitem__(self, i) for i in self._positions(index)])
        return list.__getitem__(self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(index, slice):
            list.__setitem__(self, index, [self._check(doc) for doc in value])
        elif isinstance(index, (list, tuple, np.ndarray)):
            positions, docs = self._positions(index), [self._check(doc) for doc in value]
            if len(positions) != len(docs):
                raise ValueError(f"{len(docs)} documents for {len(positions)} places")
            for position, doc in zip(positions, docs, strict=True):
                list.__setitem__(self, position, doc)
        else:
            list.__setitem__(self, index, self._check(value))

    def __delitem__(self, index: Any) -> None:
        if not isinstance(index, (list, tuple, np.ndarray)):
            list.__delitem__(self, index)
            return
        gone = {position % len(self) for position in self._positions(index)}
        self[:] = [doc for position, doc in enumerate(self) if position not in gone]

    def _positions(self, index: Any) -> list[int]:
        """Positions that a mask or a list of ints selects."""
        picks = index.tolist() if isinstance(index, np.ndarray) else list(index)
        if picks and all(isinstance(pick, (bool, np.bool_)) for pick in picks):
            if len(picks) != len(self):
                raise IndexError(f"a mask of {len(picks)} for {len(self)} documents")
            return [position for position, pick in enumerate(picks) if pick]
        for pick in picks:
            if isinstance(pick, (bool, np.bool_)) or not isinstance(pick, (int, np.integer)):
                raise TypeError(f"an index list holds ints or bools only, got {pick!r}")
            if not -len(self) <= pick < len(self):
                raise IndexError(f"no document {pick} among {len(self)}")
        return [int(pick) for pick in picks]

    def __repr__(self) -> str:
        shown = [_short(doc) for doc in self[:_N_SHOWN]] + ["..."] * (len(self) > _N_SHOWN)
        return f"<{type(self).__name__} (length={len(self)}): [{', '.join(shown)}]>" if self else f"<{type(self).__name__} (length=0)>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), list(self))

    def __getattr__(self, name: str) -> Any:
        """Fields that were unknown when the list's class was made (a recursive document), or of documents of several classes."""
        if name.startswith("__") or not (
            name in field_names(self.doc_type) or (self.doc_type is AnyDoc and self and hasattr(self[0], name))
        ):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return self._get_column(name)

    def __setattr__(self, name: str, values: Any) -> None:
        if name in field_names(self.doc_type):
            self._set_column(name, values)
        elif name == "__class__" or hasattr(type(self), name):
            object.__setattr__(self, name, values)
        else:
            raise AttributeError(f"{self.doc_type.__name__} has no field {name!r}")

    def _get_column(self, name: str) -> Any:
        values = list(map(attrgetter(name), self))
        inner = _document_in(self.doc_type, name)
        return values if inner is None else DocList[inner].construct(values)  # type: ignore[valid-type]

    def _set_column(self, name: str, values: Any) -> None:
        values = list(values)
        if len(values) != len(self):
            raise ValueError(f"{len(values)} values for field {name!r} of {len(self)} documents")
        for doc, value in zip(self, values, strict=True):
            setattr(doc, name, value)

    def traverse_flat(self, access_path: str) -> Any:
        """Give the values at a path such as `chunks__text`, of all documents, in one flat list (a DocList where they are documents)."""
        values: list[Any] = list(self)
        for name in access_path.split("__"):
            values = list(_step(values, name))
        classes = set(map(type, values))
        if len(classes) == 1 and _is_document_class(next(iter(classes))):
            return DocList[classes.pop()].construct(values)  # type: ignore[misc]
        return values

    @classmethod
    def _types(cls) -> Any:
        adapter = cls.__dict__.get("_adapter")
        if adapter is None:
            adapter = cls._adapter = TypeAdapter(cls, config={"title": cls.__name__})
        return adapter

    def to_json(self) -> str:
        """Give the documents as a JSON array; bytes and NaN as `BaseDoc.to_json` gives them."""
        return _json_codec_of(self.doc_type).encode(self).decode()  # type: ignore[no-any-return]

    @classmethod
    def from_json(cls, data: str | bytes) -> Self:
        """Make a list from a JSON array.

        Raises:
            pydantic.ValidationError: It is not an array of such documents.
        """
        return cls._types().validate_json(data)  # type: ignore[no-any-return]

    def to_protobuf(self) -> ProtoBytes:
        """Give the documents as a serialised `DocListProto`; `SerializeToString()` of the result is the result."""
        return ProtoBytes(_codec_of(self.doc_type).encode_proto(self))

    @classmethod
    def from_protobuf(cls, message: Any) -> Self:
        """Make a list from a `DocListProto`: its bytes, or any message object that has `SerializeToString()`."""
        return cls.construct(_codec_of(cls.doc_type).decode_proto(message_bytes(message)))

    def to_bytes(self, protocol: str = "protobuf-array", compress: str | None = None) -> bytes:
        """Give the documents as bytes.

        Args:
            protocol: `protobuf-array` (one message), `json-array`, or `protobuf` and `json`: each document behind its length.
            compress: `gzip`, `zlib`, `bz2`, `lzma`, or None.
        """
        refuse_pickle(protocol, _PROTOCOLS)
        return _compress(_WRITE[protocol](self), compress)

    @classmethod
    def from_bytes(cls, data: bytes, protocol: str = "protobuf-array", compress: str | None = None) -> Self:
        """Make a list from what `to_bytes` with the same arguments gave."""
        refuse_pickle(protocol, _PROTOCOLS)
        return _READ[protocol](cls, decompress(data, compress))  # type: ignore[no-any-return]

    def to_base64(self, protocol: str = "protobuf-array", compress: str | None = None) -> str:
        """Give `to_bytes` as base64 text."""
        return base64.b64encode(self.to_bytes(protocol, compress)).decode()

    @classmethod
    def from_base64(cls, data: str, protocol: str = "protobuf-array", compress: str | None = None) -> Self:
        """Make a list from what `to_base64` with the same arguments gave."""
        return cls.from_bytes(base64.b64decode(data), protocol, compress)

    def save_binary(self, file: str | Path, protocol: str = "protobuf-array", compress: str | None = None) -> None:
        """Write `to_bytes` to a file."""
        Path(file).write_bytes(self.to_bytes(protocol, compress))

    @classmethod
    def load_binary(cls, file: str | Path, protocol: str = "protobuf-array", compress: str | None = None) -> Self:
        """Read a file that `save_binary` with the same arguments wrote."""
        return cls.from_bytes(Path(file).read_bytes(), protocol, compress)

    def summary(self) -> None:
        """Print class, length and fields."""
        print(f"{type(self).__name__}, {len(self)} documents: {', '.join(field_names(self.doc_type))}")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        arguments = get_args(source)
        if arguments:  # DocList[T] with a type variable or a forward reference, resolved by now
            cls = cls[arguments[0]]  # type: ignore[index]
        return _core_schema(cls, handler.generate_schema(cls.doc_type))


def _core_schema(cls: Any, item: CoreSchema) -> CoreSchema:
    """Lists are read by pydantic's core; a list of ours is kept as the object it is."""
    if cls.doc_type is AnyDoc:  # JSON says nothing of classes, Python objects do
        kept = core_schema.is_instance_schema(BaseModel)
        either = core_schema.union_schema([kept, item], mode="left_to_right")
        item = core_schema.json_or_python_schema(json_schema=item, python_schema=either)
    read = core_schema.no_info_after_validator_function(cls.construct, core_schema.list_schema(item))

    def keep(value: Any, handler: Callable[[Any], Any]) -> Any:
        return value if type(value) is cls else handler(value)

    return core_schema.json_or_python_schema(json_schema=read, python_schema=core_schema.no_info_wrap_validator_function(keep, read))


def _rebuild(cls: Any, docs: list[Any]) -> Any:
    return cls.construct(docs)


def _document_in(doc_type: Any, name: str) -> Any:
    """The class of a field that holds exactly one document, else None."""
    if not (isinstance(doc_type, type) and issubclass(doc_type, BaseModel)):
        return None
    field = doc_type.model_fields.get(name)
    inner = field.annotation if field is not None else None
    return inner if isinstance(inner, type) and issubclass(inner, BaseModel) else None


def _step(values: list[Any], name: str) -> Iterator[Any]:
    for value in values:
        found = getattr(value, name)
        if isinstance(found, (list, tuple, set)):
            yield from found
        elif isinstance(found, dict):
            yield from found.values()
        elif found is not None or not isinstance(value, BaseModel):
            yield found


_compress = compress
_WRITE: dict[str, Callable[[Any], bytes]] = {
    "protobuf-array": lambda docs: bytes(docs.to_protobuf()),
    "json-array": lambda docs: docs.to_json().encode(),
    "protobuf": lambda docs: join_frames(_codec_of(docs.doc_type).encode_proto_one(doc) for doc in docs),
    "json": lambda docs: join_frames(doc.to_json().encode() for doc in docs),
}
_READ: dict[str, Callable[[Any, bytes], Any]] = {
    "protobuf-array": lambda cls, data: cls.from_protobuf(data),
    "json-array": lambda cls, data: cls.from_json(data),
    "protobuf": lambda cls, data: cls.construct([_codec_of(cls.doc_type).decode_proto_one(part) for part in split_frames(data)]),
    "json": lambda cls, data: cls.construct([cls.doc_type.from_json(part) for part in split_frames(data)]),
}
