"""An endpoint: one method of an executor, its path, and all that the runtime must know to call it, read once from its signature.

What calling costs is decided here, not per call: which keyword arguments the method takes becomes one small closure.
"""

from __future__ import annotations

import collections.abc
import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jina import hints
from jina.hints import MISSING, describe
from jina.parameters import ParametersReader, parameters_reader

KEYWORDS = ("docs", "doc", "parameters", "docs_matrix", "docs_map", "tracing_context")
"""What Jina hands to every method. `headers` is ours and goes only to methods that name it."""

Make = Callable[[Any, Any, Any, Any, Any, Any], dict[str, Any]]


@dataclass(frozen=True, eq=False)
class Endpoint:
    """One method under one path.

    Attributes:
        path: As bound, e.g. `/embed`; `/default` answers for paths that are not bound.
        name: Name of the method.
        fn: The function; its first argument is the executor.
        kind: `"batch"` (takes `docs`), `"single"` (takes `doc`, called once a document) or `"stream"` (takes `doc`, gives many).
        is_async: It must be awaited (batch, single) or iterated with `async for` (stream).
        is_generator: Kind is `"stream"`.
        input, output: Class of one document.
        list_type: What `docs` is built with: a `DocList[...]` of ours or docarray's, or `list`.
        output_list_type: What a batch method said that it returns: a `DocList[...]`, or `list`.
        is_output_declared: False where the method has no return annotation; then `output` is a guess (the input's class).
        parameters_model: Class that `parameters` is converted to, or None for a plain dict.
        is_write: The method carries `@write`.
        keywords: The keyword arguments that the method is called with.
        source: Who gives the documents where they come from one: the key of `docs_map`.
    """

    path: str
    name: str
    fn: Callable[..., Any]
    kind: str
    is_async: bool
    input: type
    output: type
    list_type: type
    output_list_type: type
    is_output_declared: bool = True
    parameters_model: type | None = None
    is_parameters_optional: bool = False
    is_write: bool = False
    keywords: frozenset[str] = frozenset(KEYWORDS)
    source: str = "gateway"
    make_list: Callable[[list[Any]], Any] = field(init=False, repr=False)
    make_arguments: Make = field(init=False, repr=False)
    read_parameters: ParametersReader | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        set_ = object.__setattr__
        set_(self, "make_list", _list_maker(self.list_type))
        set_(self, "make_arguments", _arguments_maker(self.kind, self.keywords))
        model = self.parameters_model
        set_(self, "read_parameters", None if model is None else parameters_reader(model, is_optional=self.is_parameters_optional))

    def __reduce__(self) -> tuple[Any, ...]:
        names = [name for name, spec in self.__dataclass_fields__.items() if spec.init]
        return Endpoint, tuple(getattr(self, name) for name in names)

    def __call__(self, executor: Any, **kwargs: Any) -> Any:
        """Call the method as it is, without any of the runtime's rules."""
        return self.fn(executor, **kwargs)

    @property
    def is_generator(self) -> bool:
        """It streams documents."""
        return self.kind == "stream"

    # the names that Jina's record has
    @property
    def is_batch_docs(self) -> bool:
        """It takes a list of documents."""
        return self.kind == "batch"

    @property
    def is_singleton_doc(self) -> bool:
        """It takes one document at a time."""
        return self.kind != "batch"

    @property
    def request_schema(self) -> type:
        """What it takes: a list type, or the class of a document."""
        return self.list_type if self.kind == "batch" else self.input

    @property
    def response_schema(self) -> type:
        """What it gives: a list type, or the class of a document."""
        return self.output_list_type if self.kind == "batch" else self.output

    @property
    def parameters_is_pydantic_model(self) -> bool:
        """Its `parameters` are a pydantic model."""
        return hasattr(self.parameters_model, "__pydantic_validator__")


def _list_maker(list_type: type) -> Callable[[list[Any]], Any]:
    """Give a function that makes a method's `docs` of a list of documents that are known to fit."""
    if list_type is list:
        return lambda docs: docs
    construct = getattr(list_type, "construct", None)
    return construct if callable(construct) else list_type


def _arguments_maker(kind: str, keywords: frozenset[str]) -> Make:
    """Give the closure that builds a call's keyword arguments; `doc` of the other kinds is added by who loops over documents."""
    if keywords == frozenset(KEYWORDS):
        if kind == "batch":
            return lambda docs, parameters, headers, matrix, by_name, tracing: {
                "docs": docs,
                "parameters": parameters,
                "docs_matrix": matrix,
                "docs_map": by_name,
                "tracing_context": tracing,
            }
        return lambda docs, parameters, headers, matrix, by_name, tracing: {
            "parameters": parameters,
            "docs_matrix": matrix,
            "docs_map": by_name,
            "tracing_context": tracing,
        }
    order = ["docs", "parameters", "headers", "docs_matrix", "docs_map", "tracing_context"]
    wanted = [(name, position) for position, name in enumerate(order) if name in keywords and (name != "docs" or kind == "batch")]

    def make(*values: Any) -> dict[str, Any]:
        return {name: values[position] for name, position in wanted}

    return make


def keywords_of(fn: Callable[..., Any]) -> tuple[frozenset[str], bool]:
    """Give the names of the keyword arguments that a method can take, and whether it takes any by `**kwargs`."""
    parameters = list(inspect.signature(fn).parameters.values())[1:]
    names = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    return frozenset(names), any(p.kind is p.VAR_KEYWORD for p in parameters)


def check_signature(fn: Callable[..., Any]) -> None:
    """Refuse a method that cannot take what an endpoint is called with.

    Raises:
        TypeError: It has no `**kwargs` and does not name all of docs (or doc), parameters and docs_matrix; it has no `self`, or asks for
            what endpoints are not given.
    """
    _check_names(fn)
    names, takes_all = keywords_of(fn)
    if takes_all or ({"parameters", "docs_matrix"} <= names and names & {"docs", "doc"}):
        return
    raise TypeError(
        f"{describe(fn)} takes only {sorted(names)}, but endpoints are called with more; please add `**kwargs` to its signature"
    )


def _check_names(fn: Callable[..., Any]) -> None:
    parameters = list(inspect.signature(fn, follow_wrapped=False).parameters.values())  # what a decorator passes on is its own matter
    given = (*KEYWORDS, "headers")
    first = parameters[0] if parameters else None
    if first is None or first.kind in (first.KEYWORD_ONLY, first.VAR_KEYWORD) or first.name in given:
        where = f"; write it before {first.name!r}" if first is not None else ""
        raise TypeError(f"{describe(fn)} has no 'self'{where}: the executor is its first argument")
    for each in parameters[1:]:
        if each.default is not each.empty or each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD):
            continue
        if each.kind is each.POSITIONAL_ONLY:
            raise TypeError(f"{describe(fn)} takes {each.name!r} by position; endpoints are called by name, so leave out the '/'")
        if each.name not in given:
            from difflib import get_close_matches

            near = get_close_matches(each.name, given, n=1)
            advice = f"did you mean {near[0]!r}? if not, give it a default" if near else "give it a default"
            raise TypeError(f"{describe(fn)} asks for {each.name!r}, which endpoints are not given; {advice}")


def read_endpoint(
    path: str,
    name: str,
    fn: Callable[..., Any],
    *,
    request_schema: Any = None,
    response_schema: Any = None,
    is_write: bool = False,
    scopes: Sequence[Mapping[str, Any]] = (),
) -> Endpoint:
    """Read a method's signature.

    Args:
        path: As in Endpoint; so are `name`, `fn` and `is_write`.
        name: Of the method.
        fn: The function.
        request_schema: Counts instead of the annotation of `docs` or `doc`.
        response_schema: Counts instead of the return annotation.
        is_write: It carries `@write`.
        scopes: Local names around the class statement, for string annotations.

    Raises:
        TypeError: The signature does not make an endpoint; the text says what to change.
        UnresolvedError: A string annotation names something unknown.
    """
    check_signature(fn)
    names, takes_all = keywords_of(fn)
    if {"doc", "docs"} <= names:
        raise TypeError(f"{describe(fn)} takes both 'doc' and 'docs'; take 'docs' for a batch, or 'doc' to be called once a document")
    returned = hints.resolve(fn, "return", scopes) if response_schema is None else hints.unwrap(response_schema)
    iterated = hints.iteration(returned)
    inner = inspect.unwrap(fn)
    is_coroutine = inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(inner)
    is_async_iterator = inspect.isasyncgenfunction(inner) or (iterated is not None and iterated.is_async and not is_coroutine)
    is_stream = is_async_iterator or inspect.isgeneratorfunction(inner) or (iterated is not None and not is_coroutine)
    if iterated is not None and is_coroutine:
        raise TypeError(f"{describe(fn)} is a coroutine that returns an iterator; yield the documents, or drop 'async'")
    kind = "stream" if is_stream else "single" if "doc" in names else "batch"
    if kind == "stream" and "docs" in names:
        raise TypeError(f"{describe(fn)} is a generator, so it must take 'doc' (one document), not 'docs'")

    given = request_schema if request_schema is not None else hints.resolve(fn, "doc" if kind != "batch" else "docs", scopes)
    given = hints.unwrap(given)
    returned = iterated.item if iterated is not None else returned
    read = _read_batch if kind == "batch" else _read_one
    list_type, input_ = read(fn, "docs" if kind == "batch" else "doc", given)
    is_declared = not _keeps_documents(returned)
    output_list, output = read(fn, "return", returned) if is_declared else (list_type, input_)
    model = parameters_class(hints.resolve(fn, "parameters", scopes)) if "parameters" in names else None
    return Endpoint(
        path=path,
        name=name,
        fn=fn,
        kind=kind,
        is_async=is_coroutine or is_async_iterator,
        input=input_,
        output=output,
        list_type=list_type,
        output_list_type=output_list,
        is_output_declared=is_declared,
        parameters_model=model,
        is_parameters_optional=model is not None and hints.is_optional(fn, "parameters"),
        is_write=is_write,
        keywords=frozenset(names & {"headers"} | set(KEYWORDS)) if takes_all else frozenset(names & {*KEYWORDS, "headers"}),
    )


def _keeps_documents(returned: Any) -> bool:
    """Tell whether a return annotation names no document class: none, `None`, `Any`, or a dict of results."""
    return returned in (MISSING, type(None), Any, dict) or typing.get_origin(returned) in (dict, collections.abc.Mapping)


def _read_batch(fn: Callable[..., Any], where: str, hint: Any) -> tuple[type, type]:
    if hint is MISSING or hint is Any:
        return _legacy_list()
    found: tuple[type, Any] | None = hints.list_of(hint)
    if found is None or not hints.is_document_class(found[1]):
        raise TypeError(
            f"{_place(fn, where)} must be DocList[...] or list[...] of a document class, got {_name(hint)}; "
            "name the argument 'doc' to be called once a document"
        )
    return found


def _read_one(fn: Callable[..., Any], where: str, hint: Any) -> tuple[type, type]:
    if hint is MISSING or hint is Any:
        return list, _legacy_list()[1]
    if not hints.is_document_class(hint):
        many = "; name the argument 'docs' to take a batch" if hints.list_of(hint) is not None else ""
        raise TypeError(
            f"{_place(fn, where)} must be one document class (BaseDoc, a pydantic model, a dataclass or a Struct), got {_name(hint)}{many}"
        )
    return list, hint


def _place(fn: Callable[..., Any], where: str) -> str:
    return f"what {describe(fn)} returns" if where == "return" else f"{where!r} of {describe(fn)}"


def _name(hint: Any) -> str:
    return repr(hint.__name__) if isinstance(hint, type) else repr(str(hint).replace("typing.", ""))


def _legacy_list() -> tuple[type, type]:
    """Give the schema of methods that declare none."""
    from jina.docs import DocList, LegacyDocument

    return DocList[LegacyDocument], LegacyDocument


def parameters_class(hint: Any) -> type | None:
    """Give the model that `parameters` shall be converted to, or None if a dict will do."""
    return hint if hints.is_document_class(hint) else None
