# mypy: disable-error-code="empty-body, no-untyped-def, no-any-return, misc, valid-type, name-defined"
# mypy: disable-error-code="override, attr-defined, arg-type, comparison-overlap, unused-ignore"
"""How methods are called: what they are given, what they may give back, what their failures look like."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import logging
import warnings
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any

import msgspec
import pydantic
import pytest

from jina import caller_gone
from jina.docs import BaseDoc, DocList
from jina.executor import Executor, requests
from jina.runtime import invoke
from tests.runtime.calling import HEADERS, Options, RowOptions, Text, run

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # docarray 0.41 uses what pydantic deprecates
    import docarray

    class Peer(docarray.BaseDoc):
        text: str = ""


class Number(BaseDoc):
    n: int = 0


class Model(pydantic.BaseModel):
    text: str = ""


@dataclasses.dataclass
class Record:
    text: str = ""


class Row(msgspec.Struct):
    text: str = ""


FAMILIES = [(Text, DocList[Text]), (Peer, docarray.DocList[Peer]), (Model, list[Model]), (Record, list[Record]), (Row, list[Row])]


def family(document: Any, documents: Any) -> Executor:
    """Make an executor with an endpoint of each kind for one family of document classes."""

    class E(Executor):
        @requests(on="/batch")
        def batch(self, docs: documents, **kwargs: Any) -> documents:
            for doc in docs:
                doc.text += "!"
            return docs

        @requests(on="/batch_async")
        async def batch_async(self, docs: documents, **kwargs: Any) -> documents:
            await asyncio.sleep(0)
            return self.batch(docs)

        @requests(on="/single")
        def single(self, doc: document, **kwargs: Any) -> document:
            return document(text=doc.text + "!")

        @requests(on="/single_async")
        async def single_async(self, doc: document, **kwargs: Any) -> document:
            await asyncio.sleep(0)
            return document(text=doc.text + "!")

        @requests(on="/stream")
        def stream(self, doc: document, **kwargs: Any) -> Iterator[document]:
            for _ in range(2):
                yield document(text=doc.text + "!")

        @requests(on="/stream_async")
        async def stream_async(self, doc: document, **kwargs: Any) -> AsyncIterator[document]:
            for _ in range(2):
                await asyncio.sleep(0)
                yield document(text=doc.text + "!")

    return E()


@pytest.mark.parametrize(("document", "documents"), FAMILIES)
@pytest.mark.parametrize("suffix", ["", "_async"])
def test_every_kind_works_with_every_family(document: Any, documents: Any, suffix: str) -> None:
    """Batch, single and streaming, `def` and `async def`."""
    executor = family(document, documents)

    docs, results = run(executor, f"/batch{suffix}", [document(text="a"), document(text="b")])
    assert ([doc.text for doc in docs], results) == (["a!", "b!"], None)
    docs, results = run(executor, f"/single{suffix}", [document(text="a"), document(text="b")])
    assert ([doc.text for doc in docs], results) == (["a!", "b!"], None)
    assert all(type(doc) is document for doc in docs)
    assert [doc.text for doc in run(executor, f"/stream{suffix}", [document(text="a")])] == ["a!", "a!"]


class Spy(Executor):
    """Keeps what its methods were given."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seen: dict[str, Any] = {}

    @requests(on="/all")
    def all(self, **kwargs: Any) -> None:
        self.seen = kwargs

    @requests(on="/one")
    def one(self, doc: Text, **kwargs: Any) -> None:
        self.seen = kwargs

    @requests(on="/stream")
    def stream(self, doc: Text, parameters: dict[str, Any], **kwargs: Any) -> Iterator[Text]:
        self.seen = {"parameters": parameters, **kwargs}
        yield doc

    @requests(on="/headers")
    def headers(self, docs: DocList[Text], headers: dict[str, str], **kwargs: Any) -> None:
        self.seen = {"headers": headers, **kwargs}

    @requests(on="/named")
    async def named(self, docs: DocList[Text], parameters: dict[str, Any], docs_matrix: Any) -> None:
        self.seen = {"docs": docs, "parameters": parameters, "docs_matrix": docs_matrix}


def test_method_gets_jinas_keyword_arguments() -> None:
    """All of them by name, the documents as the list that it is annotated with."""
    spy, doc = Spy(), Text(text="a")
    run(spy, "/all", [doc], {"a": 1.0})

    assert set(spy.seen) == {"docs", "parameters", "docs_matrix", "docs_map", "tracing_context"}
    assert type(spy.seen["docs"]).__mro__[1] is not object
    assert list(spy.seen["docs"]) == [doc]
    assert spy.seen["docs_matrix"] == [spy.seen["docs"]]
    assert spy.seen["docs_map"] == {"gateway": spy.seen["docs"]}
    assert spy.seen["parameters"] == {"a": 1.0}
    assert spy.seen["tracing_context"] is None


def test_single_document_method_gets_them_too() -> None:
    """Beside its `doc`."""
    spy = Spy()
    run(spy, "/one", [Text()])

    assert set(spy.seen) == {"parameters", "docs_matrix", "docs_map", "tracing_context"}


def test_no_documents_mean_no_matrix() -> None:
    """None where all branches are empty."""
    spy = Spy()
    run(spy, "/all", [])

    assert spy.seen["docs_matrix"] is None
    assert len(spy.seen["docs"]) == 0


def test_headers_reach_only_methods_that_name_them() -> None:
    """A method with `**kwargs` alone does not see them, as in Jina."""
    spy = Spy()
    run(spy, "/headers", [Text()])

    assert spy.seen["headers"] == HEADERS
    assert "docs" not in spy.seen


def test_method_without_kwargs_gets_what_it_names() -> None:
    """No more and no less."""
    spy = Spy()
    run(spy, "/named", [Text()])

    assert set(spy.seen) == {"docs", "parameters", "docs_matrix"}


def test_streaming_method_sees_parameters() -> None:
    """Jina loses them over gRPC."""
    spy = Spy()
    run(spy, "/stream", [Text()], {"a": 1.0})

    assert spy.seen["parameters"] == {"a": 1.0}


def test_method_may_change_its_parameters_without_changing_the_calls() -> None:
    """The reply carries the request's own."""

    class E(Executor):
        @requests
        def f(self, docs: DocList[Text], parameters: dict[str, Any], **kwargs: Any) -> None:
            parameters["mine"] = 1

    parameters = {"a": 1.0}
    run(E(), "/", [], parameters)

    assert parameters == {"a": 1.0}


def test_unknown_path_falls_back_to_default() -> None:
    """Else there is no endpoint."""
    assert invoke.find_endpoint(Spy(), "/nope") is None
    fallback = invoke.find_endpoint(Executor(), "/nope")
    assert fallback is not None
    assert fallback.path == "/default"


class Answers(Executor):
    """Gives back whatever it is told to."""

    def __init__(self, answer: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.answer = answer

    @requests(on="/batch")
    def batch(self, docs: DocList[Text], **kwargs: Any) -> DocList[Number]:
        return self.answer

    @requests(on="/plain")
    def plain(self, docs: list[Text], **kwargs: Any) -> list[Number]:
        return self.answer

    @requests(on="/free")
    def free(self, docs: DocList[Text], **kwargs: Any):  # type: ignore[no-untyped-def]
        return self.answer

    @requests(on="/single")
    def single(self, doc: Text, **kwargs: Any) -> Number:
        return self.answer

    @requests(on="/single_free")
    async def single_free(self, doc: Text, **kwargs: Any):  # type: ignore[no-untyped-def]
        return self.answer


def test_none_keeps_the_documents_as_they_are_now() -> None:
    """Changes in place stay."""

    class E(Executor):
        @requests(on="/batch")
        def batch(self, docs: DocList[Text], **kwargs: Any) -> None:
            docs[0].text = "changed"

        @requests(on="/single")
        async def single(self, doc: Text, **kwargs: Any) -> None:
            doc.text = "changed"

    for path in ("/batch", "/single"):
        docs, results = run(E(), path, [Text(text="a"), Text(text="b")])
        assert docs[0].text == "changed"
        assert len(docs) == 2
        assert results is None


def test_dict_is_a_result_and_keeps_the_documents() -> None:
    """The caller puts it into `parameters["__results__"]`."""
    docs, results = run(Answers({"a": 1}), "/batch", [Text(text="a")])

    assert results == {"a": 1}
    assert docs[0].text == "a"


@pytest.mark.parametrize(
    ("path", "answer", "message"),
    [
        ("/batch", "text", r"endpoint '/batch' must return DocList\[Number\], a dict or None, got 'str' \('text'\)"),
        ("/batch", 3, r"got 'int'"),
        ("/batch", [Number()], r"got 'list'"),
        ("/plain", [Text()], r"endpoint '/plain' must return 'Number' documents, got 'Text' at \[0\]"),
        ("/plain", (Number(), "x"), r"got 'str' \('x'\) at \[1\]"),
        ("/single", Text(), r"endpoint '/single' must return a 'Number' or None, got 'Text'"),
        ("/single", {"a": 1}, r"got 'dict'"),
        ("/single", DocList[Number]([Number(), Number()]), r"must return a 'Number' or None, got"),
        ("/single_free", "x", r"got 'str'"),
    ],
)
def test_anything_else_is_a_type_error(path: str, answer: Any, message: str) -> None:
    """Which says what the endpoint must return."""
    with pytest.raises(TypeError, match=message):
        run(Answers(answer), path, [Text()])


def test_coroutine_behind_a_decorator_is_named() -> None:
    """The usual reason for a `def` method that gives a coroutine."""

    async def later() -> None: ...

    coroutine = later()
    with pytest.raises(TypeError, match="got 'coroutine'; is it a coroutine that a decorator hides"):
        run(Answers(coroutine), "/batch", [])
    coroutine.close()


def test_class_to_encode_follows_what_came_back() -> None:
    """Mostly what is declared; kept documents are of the input's class, undeclared ones may be of any."""
    given = [Text()]
    for path, answer, expected in [
        ("/batch", DocList[Number]([Number()]), Number),
        ("/batch", None, Text),
        ("/batch", DocList[Number]([]), Number),
        ("/batch", DocList[Text]([Text()]), Text),
        ("/free", DocList[Number]([Number()]), Number),
        ("/free", None, Text),
        ("/plain", [Number()], Number),
        ("/plain", None, Text),
        ("/single", None, Text),
        ("/single", Number(), Number),
        ("/single_free", Number(), Number),
    ]:
        executor = Answers(answer)
        docs, _ = run(executor, path, given)
        endpoint = invoke.find_endpoint(executor, path)
        assert endpoint is not None
        assert invoke.encoded_class(executor, endpoint, docs) is expected, path


class Third(BaseDoc):
    pass


@pytest.mark.parametrize(
    ("path", "answer", "words"),
    [
        ("/batch", None, "gave 'Text', what it was called with: method 'batch' may have forgotten to return the new ones"),
        ("/single", None, "gave 'Text', what it was called with: method 'single' may have forgotten to return the new ones"),
        ("/batch", DocList[Third]([Third()]), "gave 'Third': what method 'batch' returns, or its annotation, is not what was meant"),
        ("/batch", DocList[Number]([Number()]), ""),
        ("/free", DocList[Number]([Number()]), ""),
        ("/free", None, ""),
    ],
)
def test_documents_of_another_class_than_declared_are_told_once(
    path: str, answer: Any, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    """They are answered as in Jina, and the log says what was declared and what came; never for a method that declares nothing."""
    executor = Answers(answer)
    executor.logger = logging.getLogger("the-executor")
    found = invoke.find_endpoint(executor, path)
    assert found is not None
    endpoint = dataclasses.replace(found)  # the class's own may have been told of before
    docs, _ = run(executor, path, [Text()])
    for _ in range(2):
        invoke.encoded_class(executor, endpoint, docs)
    assert [record.getMessage() for record in caplog.records] == [f"endpoint {path!r} declares 'Number' documents and {words}"] * bool(
        words
    )


def test_documents_of_two_classes_cannot_be_encoded() -> None:
    """A single-document method that answers some and keeps others."""

    class E(Executor):
        @requests(on="/f")
        def f(self, doc: Text, **kwargs: Any) -> Number:
            return Number() if doc.text else None  # type: ignore[return-value]

    executor = E()
    docs, _ = run(executor, "/f", [Text(text="a"), Text()])
    endpoint = invoke.find_endpoint(executor, "/f")
    assert endpoint is not None
    with pytest.raises(TypeError, match="must return 'Number' documents, got 'Text' among them"):
        invoke.encoded_class(executor, endpoint, docs)


def test_worker_takes_parameters_for_its_own_name() -> None:
    """A dict under `metas.name`."""
    spy = Spy(metas={"name": "mine"})
    run(spy, "/all", [], {"mine": {"a": 1.0}, "b": 2.0})

    assert spy.seen["parameters"] == {"mine": {"a": 1.0}, "a": 1.0, "b": 2.0}


def test_nobody_has_gone_outside_a_call() -> None:
    """There is nobody who could."""
    assert not caller_gone()


def test_method_sees_that_its_caller_has_gone() -> None:
    """In the thread that it runs in, as soon as it happens."""
    work = SimpleNamespace(is_gone=False)

    class E(Executor):
        @requests
        def f(self, docs: DocList[Text], **kwargs: Any) -> Any:
            before = caller_gone()
            work.is_gone = True
            return {"before": before, "after": caller_gone()}

    with invoke.gone_scope(work):
        _, results = run(E(), "/", [])
    assert results == {"before": False, "after": True}
    assert not caller_gone()


def test_endpoints_are_described_as_plain_values() -> None:
    """Schemas, names and kinds, and what Jina's discovery asks for."""

    class E(Executor):
        @requests(on="/a")
        def a(self, docs: DocList[Text], parameters: Options, **kwargs: Any) -> DocList[Number]: ...

        @requests(on="/b")
        def b(self, doc: Model, parameters: RowOptions | None = None, **kwargs: Any) -> Iterator[Record]:
            yield Record()

    infos = {info.path: info for info in invoke.endpoint_infos(E())}
    assert set(infos) == {"/a", "/b", "_jina_dry_run_"}
    a, b = infos["/a"], infos["/b"]
    assert (a.kind, a.input_name, a.output_name, a.parameters_name, a.is_parameters_required) == (
        "batch",
        "Text",
        "Number",
        "Options",
        True,
    )
    assert a.input["properties"]["text"]["type"] == "string"
    assert a.parameters is not None
    assert set(a.parameters["properties"]) == {"top", "name"}
    assert (b.kind, b.input_name, b.output_name, b.parameters_name, b.is_parameters_required) == (
        "stream",
        "Model",
        "Record",
        "RowOptions",
        False,
    )
    assert a.discovery["input"]["name"] == "Text"
    assert (a.discovery["is_generator"], a.discovery["is_singleton_doc"]) == (False, False)
    assert (b.discovery["is_generator"], b.discovery["is_singleton_doc"]) == (True, True)
    assert infos["_jina_dry_run_"].discovery["parameters"] == {"name": None, "model": None}
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(list(infos.values())))


def test_hot_functions_are_plain() -> None:
    """Calling a `def` method goes through no coroutine."""
    assert not inspect.iscoroutinefunction(invoke.call)
