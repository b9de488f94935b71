"""Documents as JSON: read and checked by pydantic's core (msgspec's, for Structs), with our rules where theirs differ.

The rules: bytes as in `json_values`; tensors are nested lists, read with the dtype that numpy infers and written as the shortest numbers
that give the same float64, so a float32 comes back with the same value; NaN and infinities are null on the way out, and null in a tensor
is NaN on the way in; depth, UTF-8 and numbers as in `json_strict`; of duplicate keys in a document the last one counts; documents that
come without an id are named by their path (`ids`). Aliases and serializers of the user's classes count, as in FastAPI.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from jina.codec.ids import document_id
from jina.codec.json_forms import Form, Unfit, Unwritable, form_of
from jina.codec.json_strict import MAX_DEPTH, check_depth_to, check_json, check_json_unless_guarded
from jina.codec.schema import Schema, schema_of
from jina.errors import InvalidInputError, MalformedError, UnencodableError

__all__ = ["JsonCodec", "check_json", "json_codec"]

_MAX_DETAILS = 100
_DOCUMENTS = frozenset({"doc", "doclist", "model"})


class JsonCodec:
    """Reads and writes the documents of one class.

    Raises:
        ConfigError: pydantic or msgspec cannot make sense of the class.
    """

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._form: Form = form_of(schema)
        self._read, self._read_one, self._write, self._write_one = (
            self._form.read,
            self._form.read_one,
            self._form.write,
            self._form.write_one,
        )
        self._check = self._check_format = check_json_unless_guarded if self._form.is_guarded else check_json
        if self._form.max_depth < MAX_DEPTH:
            self._check = self._check_lower
        self._has_ids = any(known.has_id for known in (schema, *schema.nested))

    def decode(self, data: bytes, call_id: bytes = b"") -> list[Any]:
        """Read a JSON array of documents; no bytes at all are no documents.

        Raises:
            MalformedError: The bytes are not JSON.
            InvalidInputError: They do not fit the class; `details` say where (index first), or they are nested too deep.
        """
        if not data:
            return []
        self._check(data)
        try:
            docs: list[Any] = self._read(data)
        except Unfit as unfit:
            raise _refusal(self.schema.name, unfit) from None
        if call_id and self._has_ids:
            for index, doc in enumerate(docs):
                _name(doc, call_id, str(index))
        return docs

    def decode_one(self, data: bytes, call_id: bytes = b"") -> Any:
        """Read one document from a JSON object; errors as from `decode`, without the index."""
        self._check(data)
        try:
            doc = self._read_one(data)
        except Unfit as unfit:
            raise _refusal(self.schema.name, unfit) from None
        if call_id and self._has_ids:
            _name(doc, call_id, "0")
        return doc

    def _check_lower(self, data: bytes) -> None:
        check_depth_to(self._form.max_depth, data)
        self._check_format(data)

    def encode(self, docs: Sequence[Any]) -> bytes:
        """Write documents as a JSON array.

        Raises:
            UnencodableError: A value has no JSON form; the text names document, field and value.
        """
        try:
            return self._write(docs if isinstance(docs, list) else _as_list(docs))
        except Unwritable as error:
            raise self._blame(docs, error) from error

    def encode_one(self, doc: Any) -> bytes:
        """Write one document as a JSON object; errors as from `encode`."""
        try:
            return self._write_one(doc)
        except Unwritable as error:
            raise self._blame([doc], error) from error

    def json_schema(self) -> dict[str, Any]:
        """The JSON Schema (2020-12) of one document, in pydantic's style: its classes under `$defs`, its fields at the top."""
        return self._form.json_schema()

    def _blame(self, docs: Iterable[Any], error: Exception) -> UnencodableError:
        """Find the value that has no JSON form."""
        for index, doc in enumerate(docs):
            name = self._form.find_unwritable(doc)
            if name is not None:
                value = _shown(getattr(doc, name, None))
                return UnencodableError(f"field '{name}' of document {index} ({self.schema.name}) has no JSON form: {value}: {error}")
        return UnencodableError(f"documents of class {self.schema.name!r} have no JSON form: {error}")


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except Exception:  # nested too deep, for one; or the class's own
        return f"a {type(value).__name__}"
    return text if len(text) <= 80 else text[:77] + "..."


def _as_list(docs: Any) -> list[Any]:
    """A DocVec of docarray has views of columns for documents, which cannot be written as such."""
    return list(docs.to_doc_list() if hasattr(docs, "to_doc_list") else docs)


@cache
def json_codec(cls: type) -> JsonCodec:
    """The JSON codec of a class, for who needs no other encoding."""
    return JsonCodec(schema_of(cls))


def _refusal(name: str, unfit: Unfit) -> InvalidInputError | MalformedError:
    details = unfit.details[:_MAX_DETAILS]
    first = details[0]
    if first["type"] == "json_invalid":
        return MalformedError(f"not JSON: {first['msg']}")
    path = ".".join(map(str, first["loc"]))
    more = f" ({len(unfit.details)} findings)" if len(unfit.details) > 1 else ""
    return InvalidInputError(f"input does not fit {name!r}: {path + ': ' if path else ''}{first['msg']}{more}", details)


_plans: dict[type, tuple[type[str] | None, tuple[str, ...]]] = {}


def _plan(cls: type) -> tuple[type[str] | None, tuple[str, ...]]:
    """Class of the id that the framework gives (None: not ours to give), and the fields that may hold documents."""
    schema = schema_of(cls)
    names = tuple(field.name for field in schema.fields if any(part.kind in _DOCUMENTS for part in field.type.walk()))
    plan = _plans[cls] = (schema.id_class if schema.has_id else None, names)
    return plan


def _name(doc: Any, call_id: bytes, path: str) -> None:
    """Give the document at `path`, and those within it, the ids that they came without."""
    id_class, names = _plans.get(type(doc)) or _plan(type(doc))
    if id_class is not None and "id" not in doc.__pydantic_fields_set__:
        drawn = document_id(call_id, path)
        doc.__dict__["id"] = drawn if id_class is str else id_class(drawn)
    for name in names:
        _name_within(getattr(doc, name), call_id, f"{path}.{name}")


def _name_within(value: Any, call_id: bytes, path: str) -> None:
    if value is None or isinstance(value, (str, bytes, int, float)):
        return
    if isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            _name_within(item, call_id, f"{path}.{index}")
    elif isinstance(value, dict):
        for key, item in value.items():
            _name_within(item, call_id, f"{path}.{key}")
    elif hasattr(type(value), "__pydantic_validator__") or hasattr(type(value), "__dataclass_fields__"):
        _name(value, call_id, path)
