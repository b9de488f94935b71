"""One structural view of every class that may be a document.

BaseDocs (ours and docarray's), pydantic models, dataclasses and msgspec.Structs differ in how they keep fields, defaults and types.
The codecs see none of that: they see a `Schema` with `Field`s, each with a `Type`. Document types are known by their attributes
(`doc_type`, `_proto_type_name`, `__docarray_target_shape__`), so neither docarray nor `jina.docs` is imported here.
"""

from __future__ import annotations

import dataclasses
import threading
import typing
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Final

import msgspec
from pydantic import BaseModel

from jina.codec.types import Type, is_document, type_of
from jina.errors import ConfigError

_FRAMEWORKS: Final = ("docarray", "jina")
# Settings of a pydantic model that change nothing for a value that already has its field's exact type.
_HARMLESS_CONFIG: Final = frozenset(
    {
        "validate_assignment",
        "_load_extra_fields_from_protobuf",
        "json_encoders",
        "extra",
        "arbitrary_types_allowed",
        "title",
        "frozen",
        "populate_by_name",
        "validate_by_name",
        "validate_by_alias",
        "protected_namespaces",
        "json_schema_extra",
        "from_attributes",
        "ser_json_timedelta",
        "ser_json_bytes",
        "ser_json_inf_nan",
        "ser_json_temporal",
        "val_json_bytes",
        "defer_build",
        "alias_generator",
        "use_attribute_docstrings",
        "hide_input_in_errors",
        "strict",
        "serialize_by_alias",
        "json_schema_serialization_defaults_required",
        "json_schema_mode_override",
        "regex_engine",
        "cache_strings",
        "field_title_generator",
        "model_title_generator",
        "loc_by_alias",
        "coerce_numbers_to_str",
    }
)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Field:
    """One field of a document.

    Attributes:
        name: Attribute name, which is also its key on the binary wire.
        annotation: As written, resolved; `Optional` included.
        type: What the codecs make of the annotation.
        is_required: No default.
        default, default_factory: At most one is set; `...` means none.
        alias: The name that the class's own validation expects, where that is not `name`.
        is_init: False for a dataclass's `field(init=False)`.
        has_constraints: A bound, pattern or validator stands beside the annotation.
        description: For people, or None.
    """

    name: str
    annotation: Any
    type: Type
    is_required: bool = True
    default: Any = ...
    default_factory: Callable[[], Any] | None = None
    alias: str | None = None
    is_init: bool = True
    has_constraints: bool = False
    description: str | None = None

    @property
    def kind(self) -> str:
        return self.type.kind

    @property
    def is_optional(self) -> bool:
        return self.type.is_optional


class Schema:
    """One document class as the codecs see it.

    Attributes:
        cls: The class.
        name: Its name.
        family: "docarray" (real docarray), "jina" (our BaseDoc), "pydantic", "dataclass" or "struct".
        fields: In the order of declaration.
        by_name: The same by name.
        extra: "ignore", "allow" or "forbid": what happens to keys that are not fields.
        has_id: A BaseDoc kind with an `id` whose default is not the user's own: one that comes without gets `ids.document_id`.
        id_class: The class that an id has on instances (`str` or a subclass); only if `has_id`.
        is_unchecked: Nothing but the fields' own types is checked when an instance is made, so that values of exactly those types
            need no validation: no validators, no constraints, no private attributes, no `__init__` of the user's.
        is_constructible: An instance can be made from its values without validation (no private attributes, no own `__init__`).
    """

    def __init__(self, cls: type) -> None:
        self.cls = cls
        self.name: str = cls.__name__
        self.family: str = family_of(cls)
        self.fields: tuple[Field, ...] = ()
        self.by_name: dict[str, Field] = {}
        self.extra = "ignore"
        self.has_id = False
        self.id_class: type[str] = str
        self.is_unchecked = True
        self.is_constructible = True

    def __repr__(self) -> str:
        return f"Schema({self.name}: {', '.join(f'{f.name} {f.kind}' for f in self.fields)})"

    @property
    def is_model(self) -> bool:
        """Validated by pydantic and built on its BaseModel."""
        return self.family in ("docarray", "jina", "pydantic")

    @cached_property
    def nested(self) -> tuple[Schema, ...]:
        """Schemas of documents within this one, at any depth, itself included where it is recursive; in order of appearance."""
        found: dict[type, Schema] = {}

        def visit(schema: Schema) -> None:
            for part in [part for field in schema.fields for part in field.type.walk()]:
                if part.cls is not None and part.kind in ("doc", "doclist", "model") and part.cls not in found:
                    found[part.cls] = schema_of(part.cls)
                    visit(found[part.cls])

        visit(self)
        return tuple(found.values())


_SCHEMAS: Final[dict[type, Schema]] = {}
_LOCK: Final = threading.RLock()


def schema_of(cls: type) -> Schema:
    """The schema of a document class; the same object every time.

    Raises:
        ConfigError: The class is none that can be a document, or a field's annotation cannot be resolved.
    """
    found = _SCHEMAS.get(cls)
    if found is not None:
        return found
    if not is_document(cls):
        raise ConfigError(f"{cls!r} cannot be a document; use a BaseDoc, a pydantic BaseModel, a dataclass or a msgspec.Struct")
    with _LOCK:
        return _SCHEMAS.get(cls) or _build(cls)


def _build(cls: type) -> Schema:
    """Make a schema and publish it once it is whole: other threads look without the lock."""
    schema = Schema(cls)
    fill = _fill_model if schema.is_model else _fill_struct if schema.family == "struct" else _fill_dataclass
    fill(schema)
    schema.by_name = {field.name: field for field in schema.fields}
    _SCHEMAS[cls] = schema
    return schema


def family_of(cls: type) -> str:
    """Which kind of class this is: see `Schema.family`."""
    if issubclass(cls, msgspec.Struct):
        return "struct"
    if not issubclass(cls, BaseModel):
        return "dataclass"
    for base in cls.__mro__:
        if base.__name__ == "BaseDocWithoutId" and _framework(base):
            return "docarray" if base.__module__.startswith("docarray.") else "jina"
    return "pydantic"


def _framework(cls: type) -> bool:
    return cls.__module__.split(".")[0] in _FRAMEWORKS


def _fill_model(schema: Schema) -> None:
    cls = typing.cast(type[BaseModel], schema.cls)
    if not cls.__pydantic_complete__:
        try:
            cls.model_rebuild()
        except Exception as error:
            raise ConfigError(f"document class {cls.__qualname__!r} names a type that cannot be resolved: {error}") from error
    schema.fields = tuple(_model_field(schema, name, info) for name, info in cls.model_fields.items())
    config = cls.model_config
    schema.extra = "allow" if config.get("_load_extra_fields_from_protobuf") else config.get("extra") or "ignore"
    has_own_init = cls.__pydantic_post_init__ or cls.__private_attributes__ or cls.__pydantic_custom_init__
    schema.is_constructible = not has_own_init and schema.extra != "allow"
    decorators = cls.__pydantic_decorators__
    has_validators = any(getattr(decorators, kind) for kind in ("validators", "field_validators", "root_validators", "model_validators"))
    harmless = all(key in _HARMLESS_CONFIG or not value for key, value in config.items()) and config.get("allow_inf_nan") is not False
    schema.is_unchecked = (
        schema.is_constructible
        and not has_validators
        and harmless
        and schema.extra != "forbid"
        and not any(f.has_constraints or f.type.has_constraints for f in schema.fields)
    )
    _note_id(schema)


def _model_field(schema: Schema, name: str, info: Any) -> Field:
    return Field(
        name=name,
        annotation=info.annotation,
        type=_type(schema, name, info.annotation),
        is_required=info.is_required(),
        default=... if info.is_required() or info.default_factory is not None else info.default,
        default_factory=info.default_factory,
        alias=_alias(info),
        has_constraints=bool(info.metadata),
        description=info.description,
    )


def _alias(info: Any) -> str | None:
    """The name that pydantic's validation expects: of several the first that is a plain one; a path alias has none."""
    alias = info.validation_alias or info.alias
    return alias if isinstance(alias, str) else next((name for name in getattr(alias, "choices", ()) if isinstance(name, str)), None)


def _note_id(schema: Schema) -> None:
    """Whether the framework, not the user, says what an absent id becomes."""
    field = next((field for field in schema.fields if field.name == "id"), None)
    is_doc = any(base.__name__ == "BaseDoc" and _framework(base) for base in schema.cls.__mro__)
    if field is None or not is_doc:
        return
    owner = next(base for base in schema.cls.__mro__ if "id" in vars(base).get("__annotations__", {}) or base.__name__ == "BaseDoc")
    schema.has_id = _framework(owner) or field.is_required
    if schema.has_id and field.type.cls is not None:
        schema.id_class = field.type.cls


def _fill_dataclass(schema: Schema) -> None:
    hints = _hints(schema.cls)
    schema.fields = tuple(
        Field(
            name=field.name,
            annotation=hints[field.name],
            type=_type(schema, field.name, hints[field.name]),
            is_required=field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING,
            default=... if field.default is dataclasses.MISSING else field.default,
            default_factory=None if field.default_factory is dataclasses.MISSING else field.default_factory,
            is_init=field.init,
        )
        for field in dataclasses.fields(schema.cls)
    )
    _note_own_checks(schema)
    checked = getattr(schema.cls, "__pydantic_fields__", None)  # a dataclass of pydantic's, whose __init__ wants aliases
    if checked is not None:
        schema.is_unchecked = False
        aliases = {name: _alias(info) for name, info in checked.items()}
        schema.fields = tuple(dataclasses.replace(field, alias=aliases.get(field.name)) for field in schema.fields)


def _fill_struct(schema: Schema) -> None:
    hints = _hints(schema.cls)
    schema.fields = tuple(
        Field(
            name=field.name,
            annotation=hints[field.name],
            type=_type(schema, field.name, hints[field.name]),
            is_required=field.required,
            default=... if field.default is msgspec.NODEFAULT else field.default,
            default_factory=None if field.default_factory is msgspec.NODEFAULT else field.default_factory,
            alias=field.encode_name if field.encode_name != field.name else None,
        )
        for field in msgspec.structs.fields(schema.cls)
    )
    schema.extra = "forbid" if schema.cls.__struct_config__.forbid_unknown_fields else "ignore"  # type: ignore[attr-defined]
    _note_own_checks(schema)


def _note_own_checks(schema: Schema) -> None:
    """A dataclass or Struct is always made by its own `__init__`, so `__post_init__` runs; only constraints on types count."""
    schema.is_unchecked = schema.extra != "forbid" and not any(f.type.has_constraints for f in schema.fields)


def _hints(cls: type) -> Mapping[str, Any]:
    try:
        return typing.get_type_hints(cls, include_extras=True)
    except (NameError, TypeError) as error:
        raise ConfigError(f"document class {cls.__qualname__!r} names a type that cannot be resolved: {error}") from error


def _type(schema: Schema, name: str, annotation: Any) -> Type:
    try:
        return type_of(annotation, schema.family)
    except ConfigError as error:
        raise ConfigError(f"field '{name}' of document class {schema.cls.__qualname__!r}: {error}") from error
