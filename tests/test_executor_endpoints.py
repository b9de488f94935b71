# mypy: disable-error-code="empty-body, no-untyped-def, no-any-return, misc, valid-type, name-defined"
# mypy: disable-error-code="override, attr-defined, arg-type, comparison-overlap, unused-ignore"
"""Which endpoints a class has, and what their signatures are read as."""

from __future__ import annotations

import dataclasses
import functools
import pickle
import typing
import warnings
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from typing import Annotated, Any, List, Optional  # noqa: UP035

import msgspec
import pydantic
import pytest

from jina.docs import BaseDoc, DocList, LegacyDocument
from jina.endpoint import Endpoint
from jina.errors import ConfigError
from jina.executor import Executor, requests
from jina.executor.bindings import endpoints_of

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # docarray 0.41 uses what pydantic deprecates
    import docarray


class A(BaseDoc):
    text: str = ""


class B(BaseDoc):
    n: int = 0


class Peer(docarray.BaseDoc):
    text: str = ""


class Model(pydantic.BaseModel):
    text: str = ""


@dataclasses.dataclass
class Record:
    text: str = ""


class Row(msgspec.Struct):
    text: str = ""


class Options(pydantic.BaseModel):
    top: int = 1


def only(cls: type[Executor]) -> Endpoint:
    found = [endpoint for path, endpoint in endpoints_of(cls).items() if path != "_jina_dry_run_"]
    assert len(found) == 1
    return found[0]


def test_paths_are_taken_as_written() -> None:
    """One or several, with or without a leading slash; none means `/default`."""

    class E(Executor):
        @requests(on=["/a", "b"])
        def f(self, docs: DocList[A], **kwargs: Any) -> DocList[A]: ...

        @requests
        def g(self, docs: DocList[A], **kwargs: Any) -> DocList[A]: ...

    assert {path: e.name for path, e in endpoints_of(E).items()} == {"/a": "f", "b": "f", "/default": "g", "_jina_dry_run_": "_dry_run"}


def test_subclass_inherits_and_overrides_bindings() -> None:
    """What it binds itself counts, the rest is its base's; the base stays as it was."""

    class Base(Executor):
        @requests(on="/a")
        def a(self, docs: DocList[A], **kwargs: Any) -> DocList[A]: ...

        @requests(on="/b")
        def b(self, docs: DocList[A], **kwargs: Any) -> DocList[A]: ...

    class Derived(Base):
        @requests(on="/a")
        def mine(self, docs: DocList[B], **kwargs: Any) -> DocList[B]: ...

    found = endpoints_of(Derived)
    assert (found["/a"].name, found["/a"].input, found["/b"].name) == ("mine", B, "b")
    assert endpoints_of(Base)["/a"].name == "a"


def test_overridden_method_without_decorator_serves_the_inherited_path() -> None:
    """Overriding works as everywhere in Python; annotations that it leaves out are its base's."""

    class Base(Executor):
        @requests(on="/a")
        def a(self, docs: DocList[A], **kwargs: Any) -> DocList[B]: ...

    class Derived(Base):
        def a(self, docs, **kwargs): ...  # type: ignore[no-untyped-def]

    endpoint = only(Derived)
    assert endpoint.fn is vars(Derived)["a"]
    assert (endpoint.input, endpoint.output) == (A, B)


def test_override_that_cannot_be_an_endpoint_leaves_the_bases_method_bound() -> None:
    """A helper of the same name with another signature does not break the class."""

    class Base(Executor):
        @requests(on="/a")
        def a(self, docs: DocList[A], **kwargs: Any) -> DocList[A]: ...

    class Derived(Base):
        def a(self, text: str) -> str:  # type: ignore[override]
            return text

    assert only(Derived).fn is vars(Base)["a"]


def test_classes_of_one_name_do_not_share_bindings() -> None:
    """They belong to the class object."""

    def make(path: str) -> type[Executor]:
        class Same(Executor):
            @requests(on=path)
            def f(self, docs: DocList[A], **kwargs: Any) -> DocList[A]: ...

        return Same

    first, second = make("/one"), make("/two")
    assert only(first).path == "/one"
    assert only(second).path == "/two"


def test_mixin_brings_its_endpoints() -> None:
    """A plain class beside Executor."""

    class Mixin:
        @requests(on="/mixed")
        def mixed(self, docs: DocList[A], **kwargs: Any) -> DocList[A]: ...

    class E(Mixin, Executor): ...

    assert only(E).path == "/mixed"


def test_overridden_method_of_a_mixin_serves_the_mixins_path() -> None:
    """As that of an Executor."""

    class Mixin:
        @requests(on="/mixed")
        def mixed(self, docs: DocList[A], **kwargs: Any) -> DocList[B]: ...

    class E(Mixin, Executor):
        def mixed(self, docs, **kwargs): ...  # type: ignore[no-untyped-def]

    endpoint = only(E)
    assert endpoint.fn is vars(E)["mixed"]
    assert (endpoint.path, endpoint.input, endpoint.output) == ("/mixed", A, B)


def test_rebinding_moves_a_method() -> None:
    """Configuration names methods, decorated or not; the old path of a method goes away."""

    class E(Executor):
        @requests(on="/old")
        def f(self, docs: DocList[A], **kwargs: Any) -> DocList[A]: ...

        @requests(on="/kept")
        def g(self, docs: DocList[A], **kwargs: Any) -> DocList[A]: ...

        def h(self, doc: A, **kwargs: Any) -> B: ...

    found = E(requests={("/x", "/y"): "f", "/z": "h"}).requests
    assert {path: e.name for path, e in found.items() if path[0] == "/"} == {"/kept": "g", "/x": "f", "/y": "f", "/z": "h"}
    assert (found["/z"].kind, found["/z"].output) == ("single", B)
    assert "/old" in E().requests


@pytest.mark.parametrize("name", ["nope", None, 3])
def test_rebinding_to_an_unknown_method_is_refused(name: Any) -> None:
    """By name, whatever YAML makes of it."""

    class E(Executor): ...

    with pytest.raises(AttributeError, match=f"executor 'E' has no method '{name}', which 'requests' binds to '/a'"):
        E(requests={"/a": name})


@pytest.mark.parametrize("document", [A, Peer, Model, Record, Row])
def test_every_family_of_documents_makes_endpoints(document: type) -> None:
    """BaseDoc of ours and docarray's, pydantic models, dataclasses and Structs: as a list and as one."""

    class E(Executor):
        @requests(on="/many")
        def many(self, docs: list[document], **kwargs: Any) -> list[document]: ...  # type: ignore[valid-type]

        @requests(on="/one")
        async def one(self, doc: document, **kwargs: Any) -> document: ...  # type: ignore[valid-type]

        @requests(on="/stream")
        def stream(self, doc: document, **kwargs: Any) -> Iterator[document]:  # type: ignore[valid-type]
            yield doc

    found = endpoints_of(E)
    assert [(found[p].kind, found[p].is_async) for p in ("/many", "/one", "/stream")] == [
        ("batch", False),
        ("single", True),
        ("stream", False),
    ]
    assert all(found[p].input is document and found[p].output is document for p in ("/many", "/one", "/stream"))


@pytest.mark.parametrize(
    ("hint", "list_type"),
    [
        (DocList[A], DocList[A]),
        (docarray.DocList[Peer], typing.get_origin(docarray.DocList[Peer])),
        (list[A], list),
        (List[A], list),  # noqa: UP006
        (Optional[DocList[A]], DocList[A]),  # noqa: UP045
        (DocList[A] | None, DocList[A]),
        (Annotated[DocList[A], "note"], DocList[A]),
        ("DocList[A]", DocList[A]),
        ("Optional[list['A']]", list),
    ],
)
def test_batch_annotations_are_understood(hint: Any, list_type: type) -> None:
    """Of all spellings; `docs` is built as the list that is named."""

    def f(self, docs, **kwargs): ...  # type: ignore[no-untyped-def]

    f.__annotations__ = {"docs": hint, "return": hint}
    endpoint = only(type("E", (Executor,), {"f": requests(on="/a")(f), "__module__": __name__}))
    assert endpoint.list_type is list_type
    assert endpoint.request_schema is list_type
    assert endpoint.input.__name__ in ("A", "Peer")


@pytest.mark.parametrize(
    ("hint", "is_async"),
    [
        (Generator[B, None, None], False),
        (Iterator[B], False),
        (B, False),
        (AsyncGenerator[B, None], True),
        (AsyncIterator["B"], True),
        (B, True),
    ],
)
def test_stream_annotations_are_understood(hint: Any, is_async: bool) -> None:
    """A generator names what it yields by itself or inside `Iterator[...]` and its like."""

    def sync(self, doc: A, **kwargs):  # type: ignore[no-untyped-def]
        yield doc

    async def coroutine(self, doc: A, **kwargs):  # type: ignore[no-untyped-def]
        yield doc

    f = coroutine if is_async else sync
    f.__annotations__["return"] = hint
    endpoint = only(type("E", (Executor,), {"f": requests(on="/a")(f)}))
    assert (endpoint.kind, endpoint.is_async, endpoint.input, endpoint.output) == ("stream", is_async, A, B)
    assert endpoint.is_generator


def test_names_of_an_enclosing_function_are_found() -> None:
    """Every annotation of this file is a string; classes of a test function are resolved nevertheless."""

    class Local(BaseDoc):
        x: int = 0

    class E(Executor):
        @requests(on="/a")
        def f(self, docs: DocList[Local], **kwargs: Any) -> DocList[Local]: ...

    assert only(E).input is Local


def test_names_that_come_later_are_found_at_first_use() -> None:
    """A module may define its document below the executor."""

    class E(Executor):
        @requests(on="/a")
        def f(self, docs: DocList[Later], **kwargs: Any) -> DocList[Later]: ...  # type: ignore[name-defined] # noqa: F821

    with pytest.raises(ConfigError, match=r"annotation 'DocList\[Later\]' of 'return' in 'E\.f' names 'Later', which is not known"):
        E()
    globals()["Later"] = B
    try:
        assert only(E).input is B
    finally:
        del globals()["Later"]


def test_names_may_be_quoted_within_a_list() -> None:
    """`DocList["A"]` is a list of A, whatever else is quoted."""

    class E(Executor):
        @requests(on="/a")
        def f(self, docs: DocList["A"], **kwargs: Any) -> list["B"]:  # noqa: UP037
            return []

    assert (only(E).input, only(E).list_type, only(E).output) == (A, DocList[A], B)


def test_missing_annotations_mean_legacy_documents() -> None:
    """As in Jina, for what comes in; what goes out is then of the same class."""

    class E(Executor):
        @requests(on="/a")
        def f(self, docs, **kwargs): ...  # type: ignore[no-untyped-def]

    endpoint = only(E)
    assert (endpoint.input, endpoint.output, endpoint.is_output_declared) == (LegacyDocument, LegacyDocument, False)


@pytest.mark.parametrize("hint", [None, "None", Any])
def test_method_that_returns_none_gives_what_it_got(hint: Any) -> None:
    """`-> None` keeps the documents, so the output is the input's class."""

    def f(self, docs: DocList[A], **kwargs: Any): ...  # type: ignore[no-untyped-def]

    f.__annotations__["return"] = hint
    endpoint = only(type("E", (Executor,), {"f": requests(on="/a")(f)}))
    assert (endpoint.output, endpoint.is_output_declared) == (A, False)


def test_schemas_given_to_requests_count_more_than_annotations() -> None:
    """For batch and single methods alike."""

    class E(Executor):
        @requests(on="/a", request_schema=DocList[B], response_schema=DocList[A])
        def f(self, docs: DocList[A], **kwargs: Any) -> DocList[B]: ...

        @requests(on="/b", request_schema=B, response_schema=A)
        def g(self, doc: Unknown, **kwargs: Any) -> Unknown: ...  # type: ignore[name-defined] # noqa: F821

    found = endpoints_of(E)
    assert [(found[p].input, found[p].output) for p in ("/a", "/b")] == [(B, A), (B, A)]


@pytest.mark.parametrize("hint", [Options, Optional[Options], "Options", Annotated[Options, 1]])  # noqa: UP045
def test_parameters_model_is_found(hint: Any) -> None:
    """Also where it is optional, quoted or annotated."""

    def f(self, docs: DocList[A], parameters, **kwargs): ...  # type: ignore[no-untyped-def]

    f.__annotations__["parameters"] = hint
    endpoint = only(type("E", (Executor,), {"f": requests(on="/a")(f)}))
    assert endpoint.parameters_model is Options
    assert endpoint.parameters_is_pydantic_model


@pytest.mark.parametrize("hint", [dict, dict[str, Any], "dict[str, int]", Any, None])
def test_other_parameters_annotations_mean_a_dict(hint: Any) -> None:
    """Nothing is converted."""

    def f(self, docs: DocList[A], parameters, **kwargs): ...  # type: ignore[no-untyped-def]

    f.__annotations__["parameters"] = hint
    assert only(type("E", (Executor,), {"f": requests(on="/a")(f)})).parameters_model is None


def test_users_own_decorators_may_stand_on_either_side() -> None:
    """As long as they use `functools.wraps`."""

    def logged(fn: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(fn)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return fn(*args, **kwargs)

        return wrapper

    class E(Executor):
        @logged
        @requests(on="/a")
        async def f(self, doc: A, **kwargs: Any) -> A: ...

        @requests(on="/b")
        @logged
        def g(self, docs: DocList[A], **kwargs: Any) -> DocList[A]: ...

    found = endpoints_of(E)
    assert (found["/a"].kind, found["/a"].is_async) == ("single", True)
    assert found["/b"].input is A


def test_method_that_cannot_take_the_arguments_is_refused() -> None:
    """When it is decorated."""
    with pytest.raises(TypeError, match=r"takes only \['docs'\].*please add `\*\*kwargs`"):

        @requests(on="/a")
        def f(self, docs): ...  # type: ignore[no-untyped-def]


@pytest.mark.parametrize("path", ["/a", ["/a", "/b"]])
def test_a_path_without_its_name_is_refused(path: Any) -> None:
    """The first argument of the decorator is the method."""
    with pytest.raises(TypeError, match=r"write @requests\(on=['\[]"):
        requests(path)


def test_requests_above_a_class_is_refused() -> None:
    """It belongs above a method; the class would serve nothing by it."""
    for decorate in (requests, requests(on="/a")):
        with pytest.raises(TypeError, match="'Whole' is a class; write @requests above a method of it"):

            @decorate
            class Whole(Executor):
                pass


@pytest.mark.parametrize("kind", [staticmethod, classmethod])
def test_a_method_without_the_executor_is_refused_when_the_class_is_made(kind: Any) -> None:
    """In both orders of the decorators."""

    def f(docs: DocList[A], **kwargs: Any) -> DocList[A]: ...
    def g(self, docs: DocList[A], **kwargs: Any) -> DocList[A]: ...  # type: ignore[no-untyped-def]

    with pytest.raises(TypeError, match=f"'g' is a {kind.__name__}, but an endpoint is a method with 'self'; leave @{kind.__name__} out"):
        type("E", (Executor,), {"f": kind(requests(on="/a")(g))})
    with pytest.raises(TypeError, match=f"'f' is a {kind.__name__}"):
        type("E", (Executor,), {"f": requests(on="/a")(kind(f))})


def test_arguments_of_a_decorated_method_s_inside_are_its_decorator_s_matter() -> None:
    """A decorator may give what the method asks for and endpoints do not."""

    def with_model(fn: Any) -> Any:
        @functools.wraps(fn)
        def call(self: Any, docs: Any, **kwargs: Any) -> Any:
            return fn(self, docs, model="m", **kwargs)

        return call

    class E(Executor):
        @requests(on="/a")
        @with_model
        def f(self, docs: DocList[A], model: str, **kwargs: Any) -> DocList[A]:
            return DocList[A]([A(text=model)])

    assert E()("/a", docs=DocList[A]()).text == ["m"]


def _misspelt(self, docs: DocList[A], paramters: dict[str, Any], **kwargs: Any) -> DocList[A]: ...  # type: ignore[no-untyped-def]
def _asks(self, docs: DocList[A], *, model: str, **kwargs: Any) -> DocList[A]: ...  # type: ignore[no-untyped-def]
def _positional(self, docs: DocList[A], /, **kwargs: Any) -> DocList[A]: ...  # type: ignore[no-untyped-def]
def _selfless(docs: DocList[A], **kwargs: Any) -> DocList[A]: ...
def _only_keywords(**kwargs: Any) -> DocList[A]: ...
def _generator(self, docs: DocList[A], **kwargs: Any) -> DocList[A]:  # type: ignore[no-untyped-def]
    yield docs


def _both(self, doc: A, docs: DocList[A], **kwargs: Any) -> DocList[A]: ...  # type: ignore[no-untyped-def]
def _not_a_list(self, docs: A, **kwargs: Any) -> DocList[A]: ...  # type: ignore[no-untyped-def]
def _list_of_text(self, docs: list[str], **kwargs: Any) -> DocList[A]: ...  # type: ignore[no-untyped-def]
def _list_for_one(self, doc: DocList[A], **kwargs: Any) -> A: ...  # type: ignore[no-untyped-def]
def _returns_one(self, docs: DocList[A], **kwargs: Any) -> A: ...  # type: ignore[no-untyped-def]
def _returns_many(self, doc: A, **kwargs: Any) -> DocList[A]: ...  # type: ignore[no-untyped-def]
def _union(self, doc: A | B, **kwargs: Any) -> A: ...  # type: ignore[no-untyped-def]
def _nonsense(self, doc: "A[", **kwargs: Any) -> A: ...  # type: ignore[no-untyped-def,syntax] # noqa: F722
async def _iterator(self, doc: A, **kwargs: Any) -> AsyncIterator[A]: ...  # type: ignore[no-untyped-def]


@pytest.mark.parametrize(
    ("fn", "message"),
    [
        (_both, r"'_both' takes both 'doc' and 'docs'"),
        (_misspelt, r"'_misspelt' asks for 'paramters', which .* did you mean 'parameters'\? if not, give it a default"),
        (_asks, r"'_asks' asks for 'model', which endpoints are not given; give it a default"),
        (_positional, r"'_positional' takes 'docs' by position; endpoints are called by name, so leave out the '/'"),
        (_selfless, r"'_selfless' has no 'self'; write it before 'docs'"),
        (_only_keywords, r"'_only_keywords' has no 'self'"),
        (_generator, r"'_generator' is a generator, so it must take 'doc'"),
        (
            _not_a_list,
            r"'docs' of '_not_a_list' must be DocList\[...\] or list\[...\] of a document class, got 'A'; name",
        ),
        (_list_of_text, r"'docs' of '_list_of_text' must be DocList.*, got 'list\[str\]'"),
        (_list_for_one, r"'doc' of '_list_for_one' must be one document class .*name the argument 'docs'"),
        (_returns_one, r"what '_returns_one' returns must be DocList"),
        (_returns_many, r"what '_returns_many' returns must be one document class"),
        (_union, r"'doc' of '_union' must be one document class .*got '.*A \| .*B'"),
        (_nonsense, r"annotation .* of 'doc' in '_nonsense' cannot be understood"),
        (_iterator, r"'_iterator' is a coroutine that returns an iterator; yield the documents"),
    ],
)
def test_wrong_signature_is_refused_when_the_class_is_made(fn: Any, message: str) -> None:
    """With what to change."""
    with pytest.raises((TypeError, ConfigError), match=message):
        type("E", (Executor,), {"f": requests(on="/a")(fn)})


def test_taking_the_dry_run_warns() -> None:
    """It checks whether a service lives."""
    with pytest.warns(UserWarning, match="takes the place of the dry run"):

        class E(Executor):
            @requests(on="_jina_dry_run_")
            def f(self, docs: DocList[A], **kwargs: Any) -> DocList[A]: ...


@pytest.mark.parametrize(("on", "path"), [("/a", "/a"), (None, "/default"), (["/b", "/a"], "/a")])
def test_an_endpoint_given_to_two_methods_of_a_class_warns(on: Any, path: str) -> None:
    """The last one answers, as in Jina; the first would never be called, and nobody would know why."""
    with pytest.warns(UserWarning, match=f"methods 'one' and 'two' of executor 'E' both have the endpoint '{path}'.*'two' takes") as found:

        class E(Executor):
            @requests(on=path if on else None)
            def one(self, docs: DocList[A], **kwargs: Any) -> DocList[A]: ...

            @requests(on=on)
            def two(self, docs: DocList[A], **kwargs: Any) -> DocList[A]: ...

    assert found[0].filename == __file__
    assert endpoints_of(E)[path].name == "two"


def test_a_subclass_takes_an_endpoint_without_a_word() -> None:
    """With a method of the same name or of another; that is what subclasses are for."""

    class E(Executor):
        @requests(on="/a")
        def one(self, docs: DocList[A], **kwargs: Any) -> DocList[A]: ...

    class Renamed(E):
        @requests(on="/a")
        def two(self, docs: DocList[A], **kwargs: Any) -> DocList[A]: ...

    class Overridden(E):
        def one(self, docs: DocList[A], **kwargs: Any) -> DocList[A]: ...

    class Both(E):
        def one(self, docs: DocList[A], **kwargs: Any) -> DocList[A]: ...

        @requests(on="/a")
        def two(self, docs: DocList[A], **kwargs: Any) -> DocList[A]: ...

    assert [endpoints_of(each)["/a"].name for each in (Renamed, Overridden, Both)] == ["two", "one", "two"]


def test_endpoint_can_be_pickled() -> None:
    """It travels with its class to a worker."""

    class E(Executor): ...

    endpoint = endpoints_of(E)["_jina_dry_run_"]
    again = pickle.loads(pickle.dumps(endpoint))
    assert (again.path, again.kind, again.input) == (endpoint.path, endpoint.kind, endpoint.input)


def test_jinas_names_of_the_record_work() -> None:
    """What people read from `executor.requests`."""

    class E(Executor):
        @requests(on="/a")
        def f(self, docs: DocList[A], **kwargs: Any) -> DocList[B]: ...

        @requests(on="/b")
        def g(self, doc: A, **kwargs: Any) -> B: ...

    batch, single = endpoints_of(E)["/a"], endpoints_of(E)["/b"]
    assert (batch.is_batch_docs, batch.is_singleton_doc, batch.is_generator) == (True, False, False)
    assert (batch.request_schema, batch.response_schema) == (DocList[A], DocList[B])
    assert (single.is_batch_docs, single.is_singleton_doc, single.request_schema, single.response_schema) == (False, True, A, B)
