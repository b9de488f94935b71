"""JSON of msgspec Structs. msgspec reads and writes them itself; only those with bytes or tensors go through plain objects first."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import numpy as np
from pydantic_core import PydanticCustomError, PydanticSerializationError

from jina.codec.json_forms import Unfit, Unwritable
from jina.codec.json_pydantic import loose, plain
from jina.codec.json_strict import MAX_DEPTH
from jina.codec.json_values import bytes_of
from jina.codec.schema import Schema
from jina.codec.types import Type
from jina.errors import ConfigError

_PATH = re.compile(r"^(?P<msg>.*?) - at `(?P<path>.*)`$", re.DOTALL)
_STEP = re.compile(r"\.(?P<name>[^.\[]+)|\[(?P<index>\d+)\]|\[\.\.\.\]")


class StructForm:
    """Reads and writes Structs of one class."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self.is_guarded, self.max_depth = True, MAX_DEPTH
        cls: Any = schema.cls
        self._has_bytes = _has_bytes(schema)
        try:
            self._list = msgspec.json.Decoder(list[cls], dec_hook=_read_special)
            self._one = msgspec.json.Decoder(cls, dec_hook=_read_special)
        except TypeError as error:
            raise ConfigError(f"document class {cls.__qualname__!r} has a field that msgspec cannot read: {error}") from error

    def read(self, data: bytes) -> list[Any]:
        return self._convert(data, self._list, is_list=True)  # type: ignore[no-any-return]

    def read_one(self, data: bytes) -> Any:
        return self._convert(data, self._one, is_list=False)

    def _convert(self, data: bytes, decoder: Any, is_list: bool) -> Any:
        try:
            if not data.isascii():
                str(data, "utf-8")  # msgspec does not look into what it skips
            if not self._has_bytes:
                return decoder.decode(data)
            tree = msgspec.json.decode(data)
            tree = [_with_bytes(item, self._schema) for item in tree] if isinstance(tree, list) else _with_bytes(tree, self._schema)
            return msgspec.convert(tree, decoder.type, builtin_types=(bytes,), str_keys=True, dec_hook=_read_special)
        except msgspec.ValidationError as error:
            raise Unfit([_detail(str(error))]) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Unfit([{"loc": (), "msg": str(error), "type": "json_invalid"}]) from None
        except PydanticCustomError as error:
            raise Unfit([{"loc": (), "msg": error.message(), "type": error.type}]) from None

    def write(self, docs: list[Any]) -> bytes:
        return self._write(docs)

    def write_one(self, doc: Any) -> bytes:
        return self._write(doc)

    def _write(self, value: Any) -> bytes:
        try:
            if not self._has_bytes:
                return msgspec.json.encode(value, enc_hook=_write_special)
            return msgspec.json.encode(loose_tree(value))
        except (TypeError, ValueError, NotImplementedError, PydanticSerializationError) as error:
            raise Unwritable(str(error)) from error

    def json_schema(self) -> dict[str, Any]:
        (top,), definitions = msgspec.json.schema_components([self._schema.cls], ref_template="#/$defs/{name}", schema_hook=_special_schema)
        definitions = _as_binary(definitions)
        name = top["$ref"].removeprefix("#/$defs/")
        rest = {
            key: known for key, known in definitions.items() if key != name or f'"#/$defs/{name}"' in str(definitions).replace("'", '"')
        }
        return {**definitions[name], **({"$defs": rest} if rest else {})}

    def find_unwritable(self, doc: Any) -> str | None:
        """The first field that cannot be written alone."""
        for field in self._schema.fields:
            try:
                self._write([getattr(doc, field.name)])
            except Unwritable:
                return field.name
        return None


def _has_bytes(schema: Schema) -> bool:
    parts = [part for known in (schema, *schema.nested) for field in known.fields for part in field.type.walk()]
    return any(part.kind in ("bytes", "typed_bytes", "any") for part in parts)


def _with_bytes(value: Any, schema: Schema) -> Any:
    """Turn text into bytes wherever the class says bytes."""
    if not isinstance(value, dict):
        return value
    known = {field.alias or field.name: field.type for field in schema.fields}
    return {key: _as_bytes(item, known[key]) if key in known else item for key, item in value.items()}


def _as_bytes(value: Any, wanted: Type) -> Any:
    from jina.codec.schema import schema_of

    if wanted.kind == "bytes":
        return bytes_of(value)
    if wanted.kind in ("doc", "model") and wanted.cls is not None:
        return _with_bytes(value, schema_of(wanted.cls))
    if wanted.kind in ("list", "set", "frozenset") and isinstance(value, list) and wanted.args:
        return [_as_bytes(item, wanted.args[0]) for item in value]
    if wanted.kind == "tuple" and isinstance(value, list):
        types = wanted.args * len(value) if wanted.is_variadic else wanted.args
        return [_as_bytes(item, part) for item, part in zip(value, types, strict=False)] + value[len(types) :]
    if wanted.kind == "dict" and isinstance(value, dict) and len(wanted.args) == 2:
        return {key: _as_bytes(item, wanted.args[1]) for key, item in value.items()}
    return value


def loose_tree(value: Any) -> Any:
    """Give Structs as plain objects whose bytes are text."""
    tree = msgspec.to_builtins(value, builtin_types=(bytes, bytearray, memoryview), enc_hook=_write_special, str_keys=True)
    return loose(tree)


def _read_special(cls: type, value: Any) -> Any:
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(_numpy_field(cls)).validate_python(value)
    except ValidationError as error:
        raise ValueError(error.errors(include_url=False)[0]["msg"]) from None


def _numpy_field(cls: type) -> Any:
    if cls is not np.ndarray:
        return cls
    from jina.docs.tensors import NdArray

    return NdArray


def _write_special(value: Any) -> Any:
    try:
        return plain(value)
    except PydanticSerializationError:
        return loose(value) if hasattr(type(value), "__pydantic_validator__") else _refuse(value)


def _refuse(value: Any) -> Any:
    raise NotImplementedError(f"objects of type {type(value).__qualname__} have no JSON form")


def _special_schema(cls: type) -> dict[str, Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(_numpy_field(cls)).json_schema()


def _as_binary(schema: Any) -> Any:
    """Msgspec says base64 of bytes; ours are text where they can be."""
    if isinstance(schema, dict):
        named = {("format" if key == "contentEncoding" else key): value for key, value in schema.items()}
        return {key: "binary" if key == "format" and value == "base64" else _as_binary(value) for key, value in named.items()}
    return [_as_binary(item) for item in schema] if isinstance(schema, list) else schema


def _detail(message: str) -> dict[str, Any]:
    """Msgspec's text ends with the place; give it apart, as pydantic does."""
    found = _PATH.match(message)
    if found is None:
        return {"loc": (), "msg": message, "type": "value_error"}
    steps = _STEP.finditer(found["path"])
    loc = tuple(int(step["index"]) if step["index"] else step["name"] for step in steps if step["index"] or step["name"])
    return {"loc": loc, "msg": found["msg"], "type": "missing" if "missing required" in found["msg"] else "value_error"}
