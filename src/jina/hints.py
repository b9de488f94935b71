"""What a method's annotations say, read as a person would: strings resolved, `Optional` and `Annotated` off, `list[Model]` understood.

String annotations (quoted, or all of them after `from __future__ import annotations`) are looked up in the function's module, in its
closure and in the scopes around the class statement. A name that is not known yet is tried again when the class is first used.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import inspect
import sys
import types
import typing
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any, NamedTuple

from jina.errors import ConfigError

MISSING: Any = object()
_ITERATORS = frozenset(
    {
        collections.abc.Generator,
        collections.abc.AsyncGenerator,
        collections.abc.Iterator,
        collections.abc.AsyncIterator,
        collections.abc.Iterable,
        collections.abc.AsyncIterable,
    }
)
_ASYNC_ITERATORS = frozenset({collections.abc.AsyncGenerator, collections.abc.AsyncIterator, collections.abc.AsyncIterable})


class UnresolvedError(ConfigError):
    """A string annotation names something that cannot be found (yet)."""


class Iteration(NamedTuple):
    """What `Generator[X, ...]`, `AsyncIterator[X]` and their like say: of what, and whether `async for` takes it."""

    item: Any
    is_async: bool


class _Holder:
    """Carries one annotation to `typing.get_type_hints`."""

    def __init__(self, annotation: Any) -> None:
        self.__annotations__ = {"value": annotation}


def has_strings(fn: Callable[..., Any]) -> bool:
    """Tell whether any annotation of a function is a string, or may hold one."""
    try:
        hints = getattr(fn, "__annotations__", {}).values()
    except NameError:
        return True
    return any(not isinstance(hint, type) and hint is not None for hint in hints)


def enclosing_scopes(frame: FrameType | None) -> list[Mapping[str, Any]]:
    """Give the local names around a class statement, innermost first: those of its frame and of callers in the same module."""
    scopes: list[Mapping[str, Any]] = []
    module = frame.f_globals if frame is not None else None
    while frame is not None and frame.f_globals is module:
        if frame.f_locals is not frame.f_globals:
            scopes.append(dict(frame.f_locals))
        frame = frame.f_back
    return scopes


def resolve(fn: Callable[..., Any], name: str, scopes: typing.Sequence[Mapping[str, Any]] = ()) -> Any:
    """Give the annotation of one argument (or of `return`), without `Optional` and `Annotated`; MISSING where there is none.

    Raises:
        UnresolvedError: It is a string, or holds one, and a name in it is unknown.
    """
    try:
        annotation = getattr(fn, "__annotations__", {}).get(name, MISSING)
    except NameError as error:  # Python 3.14 evaluates annotations when they are read
        raise _unresolved(fn, name, "?", error) from error
    if annotation is MISSING or isinstance(annotation, type):
        return annotation
    if annotation is None:
        return type(None)
    inner = inspect.unwrap(fn)
    try:
        hint = typing.get_type_hints(_Holder(annotation), getattr(inner, "__globals__", {}), _names_in_reach(inner, scopes))["value"]
    except NameError as error:
        raise _unresolved(fn, name, annotation, error) from error
    except Exception as error:
        raise ConfigError(f"annotation {annotation!r} of {name!r} in {describe(fn)} cannot be understood: {error}") from error
    return unwrap(hint)


def _names_in_reach(fn: Callable[..., Any], scopes: typing.Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    names: dict[str, Any] = {}
    for scope in reversed(scopes):
        names.update(scope)
    code = getattr(fn, "__code__", None)
    for free, cell in zip(getattr(code, "co_freevars", ()), getattr(fn, "__closure__", None) or (), strict=False):
        try:
            names[free] = cell.cell_contents
        except ValueError:
            continue
    return names


def _unresolved(fn: Callable[..., Any], name: str, annotation: Any, error: NameError) -> UnresolvedError:
    unknown = getattr(error, "name", None) or error
    return UnresolvedError(
        f"annotation {annotation!r} of {name!r} in {describe(fn)} names {str(unknown)!r}, which is not known; "
        "define or import it at module level, or pass request_schema= and response_schema= to @requests"
    )


def unwrap(hint: Any) -> Any:
    """Take `Annotated` and `Optional` off: `Optional[Annotated[X, ...]]` is X. Other unions stay as they are."""
    origin = typing.get_origin(hint)
    if origin is typing.Annotated:
        return unwrap(typing.get_args(hint)[0])
    if origin in (typing.Union, types.UnionType):
        rest = [member for member in typing.get_args(hint) if member is not type(None)]
        if len(rest) == 1:
            return unwrap(rest[0])
    return hint


def is_optional(fn: Callable[..., Any], name: str) -> bool:
    """Tell whether an argument may be None, as far as its annotation, as written, says so."""
    annotation = fn.__annotations__.get(name)
    if isinstance(annotation, str):
        return "Optional[" in annotation or "None" in annotation
    return type(None) in typing.get_args(annotation)


def iteration(hint: Any) -> Iteration | None:
    """Read `Generator[X, ...]`, `AsyncIterator[X]` and their like; None for any other annotation."""
    origin = typing.get_origin(hint) or hint
    if not isinstance(origin, type) or origin not in _ITERATORS:
        return None
    arguments = typing.get_args(hint)
    return Iteration(unwrap(arguments[0]) if arguments else MISSING, origin in _ASYNC_ITERATORS)


def is_document_class(hint: Any) -> bool:
    """Tell whether a class describes one document: a pydantic model (docarray's too), a dataclass or a `msgspec.Struct`."""
    if not isinstance(hint, type) or typing.get_origin(hint) is not None:
        return False
    return hasattr(hint, "__pydantic_validator__") or dataclasses.is_dataclass(hint) or hasattr(hint, "__struct_fields__")


def list_of(hint: Any) -> tuple[type, Any] | None:
    """Read an annotation of many documents: `(what to build, class of one document)`, or None.

    `DocList[A]` and `DocVec[A]` (ours or docarray's) are known by their `doc_type`; `list[A]`, `List[A]`, `Sequence[A]` give `(list, A)`.
    """
    if typing.get_origin(hint) in (list, collections.abc.Sequence):
        return list, unwrap(typing.get_args(hint)[0])
    made = typing.get_origin(hint) or hint  # docarray's DocList[A] is an alias of a class made for A
    named = unwrap(typing.get_args(hint)[0]) if made is not hint and typing.get_args(hint) else None
    if is_document_class(named) and isinstance(getattr(made, "doc_type", None), type) and made.doc_type is not named:
        made = made[named]  # ours is an alias only of what was quoted: DocList["A"]
    if isinstance(made, type) and not is_document_class(made) and isinstance(element := getattr(made, "doc_type", None), type):
        return made, element
    return None


def describe(fn: Callable[..., Any]) -> str:
    """Name a method in an error: `'Encoder.encode'`."""
    name = getattr(fn, "__qualname__", None) or repr(fn)
    return repr(name.rpartition("<locals>.")[2])


def class_statement_frame(depth: int) -> FrameType | None:
    """Give the frame that executes the class statement, seen from `__init_subclass__`'s caller `depth` frames up."""
    try:
        return sys._getframe(depth + 1)
    except ValueError:
        return None
