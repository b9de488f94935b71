"""JSON of pydantic models (ours, docarray's, the user's) and dataclasses.

pydantic compiles the class; where the class has bytes or tensors that pydantic alone would treat otherwise than we do, its compiled
description is rewritten and compiled once more. Values that only the run shows (bytes in an `Any`) take a slower writer, made when first
needed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, cached_property
from typing import Any, ClassVar

import msgspec
import numpy as np
from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, JsonSchemaWarningKind
from pydantic_core import PydanticSerializationError, SchemaSerializer, SchemaValidator, core_schema

from jina.codec.json_forms import Form, Unfit, Unwritable, form_of
from jina.codec.json_tensors import list_of, read_tensor, tensor_writer, write_tensor
from jina.codec.json_unions import depth_limit
from jina.codec.json_values import MARK, bytes_leaf, rewrite, text_of
from jina.codec.schema import Schema, schema_of
from jina.errors import ConfigError

_OPEN_CLASSES = frozenset({"AnyDoc", "BaseDoc", "BaseDocWithoutId"})


class _Describe(GenerateJsonSchema):
    """Leaves defaults without a JSON form out, silently."""

    ignored_warning_kinds: ClassVar[set[JsonSchemaWarningKind]] = {"skipped-choice", "non-serializable-default"}  # type: ignore[misc]

    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> JsonSchemaValue:
        """Say nothing of what has no JSON: it may be a field that is never sent."""
        return {}


class PydanticForm:
    """Compiled readers and writers for a list of documents and for one."""

    def __init__(self, schema: Schema) -> None:
        if schema.family == "docarray":
            from jina.docarray_repairs import repair

            repair()
        self._schema = schema
        self.is_guarded = not any(known.extra == "allow" or _takes_anything(known) for known in (schema, *schema.nested))
        cls: Any = schema.cls
        try:
            self._list, self._one = TypeAdapter(list[cls]), TypeAdapter(cls)
        except PydanticUserError as error:
            raise ConfigError(f"document class {cls.__qualname__!r} has a field that pydantic cannot read: {error}") from error
        self.max_depth = depth_limit(self._one.core_schema)
        self._read, self._write = _compile(self._list)
        self._read_one, self._write_one = _compile(self._one)

    def read(self, data: bytes) -> list[Any]:
        try:
            return self._read(data)  # type: ignore[no-any-return]
        except ValidationError as error:
            raise Unfit(_details(error)) from None

    def read_one(self, data: bytes) -> Any:
        try:
            return self._read_one(data)
        except ValidationError as error:
            raise Unfit(_details(error)) from None

    def write(self, docs: list[Any]) -> bytes:
        try:
            return self._write(docs, by_alias=True, warnings=False, fallback=plain)
        except PydanticSerializationError:
            return self._write_slowly(self._slow[0], docs)

    def write_one(self, doc: Any) -> bytes:
        try:
            return self._write_one(doc, by_alias=True, warnings=False, fallback=plain)
        except PydanticSerializationError:
            return self._write_slowly(self._slow[1], doc)

    @cached_property
    def _slow(self) -> tuple[Any, Any]:
        """Writers that look into values of no declared type."""
        return tuple(_serializer(rewrite(rewrite(adapter.core_schema, _leaf), _any_leaf)) for adapter in (self._list, self._one))  # type: ignore[return-value]

    def _write_slowly(self, writer: Any, value: Any) -> bytes:
        try:
            return writer.to_json(value, by_alias=True, warnings=False, fallback=plain)  # type: ignore[no-any-return]
        except (PydanticSerializationError, ValueError, TypeError) as error:
            raise Unwritable(str(error)) from error

    def json_schema(self) -> dict[str, Any]:
        """What is read, plus what only appears in what is written (computed fields)."""
        read = self._one.json_schema(mode="validation", schema_generator=_Describe)
        written = self._one.json_schema(mode="serialization", schema_generator=_Describe)
        for name, known in written.get("properties", {}).items():
            read.setdefault("properties", {}).setdefault(name, known)
        if "$defs" in written:
            read["$defs"] = {**written["$defs"], **read.get("$defs", {})}
        return _at_the_top(read)

    def find_unwritable(self, doc: Any) -> str | None:
        """The first field that cannot be written alone."""
        for field in self._schema.fields:
            try:
                self._slow[1].to_json(doc, include={field.name}, by_alias=True, warnings=False, fallback=plain)
            except (PydanticSerializationError, ValueError, TypeError):
                return field.name
        return None


def _takes_anything(schema: Schema) -> bool:
    """Whether a number may end up where nothing asks whether it is finite."""
    return any(part.kind in ("any", "custom") for field in schema.fields for part in field.type.walk())


def _compile(adapter: TypeAdapter[Any]) -> tuple[Callable[[bytes], Any], Callable[..., bytes]]:
    schema = rewrite(adapter.core_schema, _leaf)
    if schema is adapter.core_schema:
        return adapter.validator.validate_json, adapter.serializer.to_json
    try:
        validator = SchemaValidator(schema, None, _use_prebuilt=False)
    except TypeError:  # before pydantic 2.12, which had no such choice
        validator = SchemaValidator(schema)
    return validator.validate_json, tensor_writer(adapter.core_schema, _serializer(schema).to_json)


def _serializer(schema: Any) -> SchemaSerializer:
    try:
        return SchemaSerializer(schema, None, _use_prebuilt=False)
    except TypeError:
        return SchemaSerializer(schema)


def _details(error: ValidationError) -> list[dict[str, Any]]:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return [{"loc": one["loc"], "msg": one["msg"], "type": one["type"]} for one in found]


def _leaf(schema: dict[str, Any]) -> dict[str, Any] | None:
    kind = schema["type"]
    if kind == "bytes":
        return bytes_leaf(schema)
    if kind == "model" and schema["cls"].__name__ in _OPEN_CLASSES and schema["cls"].__module__.partition(".")[0] in ("jina", "docarray"):
        return {**schema, "serialization": _by_own_class(schema["cls"])} if "serialization" not in schema else None
    if kind == "union":
        return _docarray_list_leaf(schema)
    if kind == "is-instance" and isinstance(schema["cls"], type) and issubclass(schema["cls"], np.ndarray):
        return _array_schema()
    if kind == "float" and schema.get("allow_inf_nan") is not False:
        return {**schema, "allow_inf_nan": False}  # "inf" and 1e999 are not numbers in JSON
    if kind == "function-plain" and "serialization" in schema:
        return _tensor_leaf(schema)
    return None


def _array_schema() -> dict[str, Any]:
    """`numpy.ndarray` itself as an annotation, where the class allows arbitrary types."""
    from jina.docs.tensors import NdArray

    return dict(rewrite(TypeAdapter(NdArray).core_schema, _leaf))


def _by_own_class(cls: type) -> Any:
    """Where any document may stand, each is written by its own class."""

    def write(value: Any, handler: Any) -> Any:
        return handler(value) if type(value) is cls else loose(value)

    return core_schema.wrap_serializer_function_ser_schema(write, when_used="json")


def _docarray_list_leaf(schema: dict[str, Any]) -> dict[str, Any] | None:
    """List fields of docarray are a union of `the class itself` and a list of documents; JSON knows only the second."""
    is_instance, *others = schema["choices"]
    if not isinstance(is_instance, dict) or len(others) != 1 or is_instance.get("type") != "is-instance":
        return None
    if not hasattr(is_instance["cls"], "doc_type") or others[0].get("type") != "function-after":
        return None
    either = others[0]["schema"]
    read = either.get("json_schema") if either.get("type") == "json-or-python" else None
    return None if read is None else {**others[0], "schema": rewrite(read, _leaf)}


def _tensor_leaf(schema: dict[str, Any]) -> dict[str, Any] | None:
    """Tensors may hold no infinity; docarray's declare that they are written as bytes, then give lists."""
    function = schema.get("function", {}).get("function")
    owner = getattr(function, "__self__", None)
    is_ours = getattr(function, "is_tensor_validator", False)
    if not is_ours and not (hasattr(owner, "__unparametrizedcls__") and owner.__module__.startswith("docarray.")):
        return None
    writer = getattr(schema["serialization"].get("function"), "__module__", None) or ""
    if writer.partition(".")[0] in ("jina", "docarray"):  # otherwise it is the user's own
        when: Any = "json" if is_ours else "json-unless-none"
        write = core_schema.plain_serializer_function_ser_schema(write_tensor, info_arg=True, when_used=when)
        schema = {**schema, "serialization": write}
    read: Any = core_schema.no_info_wrap_validator_function(read_tensor, schema)
    return {**read, "metadata": {MARK: True}}


def _any_leaf(schema: dict[str, Any]) -> dict[str, Any] | None:
    """Give `Any`, and containers of nothing in particular, a writer that looks at the value."""
    kind = schema["type"]
    look: Any = core_schema.plain_serializer_function_ser_schema(loose, when_used="json")
    if kind == "any" or (kind in ("list", "set", "frozenset") and "items_schema" not in schema):
        return {**schema, "serialization": look} if "serialization" not in schema else None
    if kind == "dict" and "values_schema" not in schema and "serialization" not in schema:
        return {**schema, "serialization": look}
    if kind == "model" and (schema.get("config") or {}).get("extra_fields_behavior") == "allow":
        fields = schema["schema"]
        if fields.get("type") == "model-fields" and "extras_schema" not in fields:
            extras = {"extra_behavior": "allow", "extras_schema": {"type": "any", "serialization": look}}
            return {**schema, "schema": {**rewrite(fields, _any_leaf), **extras}}
    return None


def plain(value: Any) -> Any:
    """Give a value that pydantic does not know as lists and numbers."""
    if isinstance(value, (np.ndarray, np.generic)):
        return list_of(value)
    if isinstance(value, msgspec.Struct):
        return loose(value)
    if hasattr(value, "to_doc_list"):
        return loose(value.to_doc_list())
    if type(value).__module__.partition(".")[0] == "torch" and hasattr(value, "detach"):
        return list_of(value)
    raise PydanticSerializationError(f"Unable to serialize unknown type: {type(value).__qualname__}")


def loose(value: Any) -> Any:
    """Give a value of no declared type in a form whose bytes are text."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return text_of(value)
    if isinstance(value, dict):
        return {key: loose(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [loose(item) for item in value]
    if hasattr(type(value), "__pydantic_validator__") or isinstance(value, msgspec.Struct) or hasattr(type(value), "__dataclass_fields__"):
        return msgspec.json.decode(_form(type(value)).write_one(value))  # type: ignore[arg-type]
    return value


@cache
def _form(cls: type) -> Form:
    return form_of(schema_of(cls))


def _at_the_top(schema: dict[str, Any]) -> dict[str, Any]:
    """A recursive class is a bare reference into its own `$defs`: show its fields, as for every other class."""
    every = schema.get("allOf", [])
    ref = (every[0] if len(every) == 1 else schema).get("$ref", "")  # pydantic before 2.9 refers by `allOf`
    if not ref.startswith("#/$defs/"):
        return schema
    return {**schema["$defs"][ref.removeprefix("#/$defs/")], "$defs": schema["$defs"]}
