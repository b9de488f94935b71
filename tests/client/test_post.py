"""What `post` takes, sends and gives, over each protocol."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec
import pydantic
import pytest

from jina.docs import AnyDoc, BaseDoc, DocList
from jina.errors import BadClientCallback, BadClientInput, BadServer
from jina.testing import Service
from tests.client.executors import Text

THREE = [Text(text="a"), Text(text="b"), Text(text="c")]


def generator() -> Iterator[Text]:
    yield from THREE


async def async_generator() -> AsyncIterator[Text]:
    for doc in THREE:
        yield doc


@pytest.mark.parametrize(
    "inputs",
    [
        THREE,
        tuple(THREE),
        DocList[Text](THREE),
        DocList(THREE),
        generator,
        iter(THREE),
        async_generator,
        lambda: THREE,
        [{"text": "a"}, {"text": "b"}, {"text": "c"}],
        [Text(text="a"), {"text": "b"}, AnyDoc(text="c")],  # type: ignore[call-arg]
    ],
    ids=["list", "tuple", "DocList", "untyped", "function", "iterator", "async", "lambda", "dicts", "mixed"],
)
@pytest.mark.parametrize("size", [2, 100, 0])
def test_inputs_of_every_kind_arrive(service: Service, inputs: Any, size: int) -> None:
    """Documents reach the executor whatever holds them, in requests of the size that was asked for."""
    if isinstance(inputs, Iterator):
        inputs = iter(THREE)

    docs = service.post("/up", inputs, request_size=size, results_in_order=True, return_type=DocList[Text])

    assert isinstance(docs, DocList[Text])  # type: ignore[misc]
    assert docs.text == ["A", "B", "C"]
    assert service.executor.n_calls == (2 if size == 2 else 1)


@pytest.mark.parametrize("stream", [True, False])
def test_no_inputs_are_one_request_without_documents(service: Service, stream: bool) -> None:
    """The endpoint is called with no documents."""
    assert service.post("/size", return_type=Text, stream=stream).text == "0"


def test_empty_inputs_send_nothing(service: Service) -> None:
    """An empty list is no request, and gives an empty list."""
    assert service.post("/size", [], return_type=DocList[Text]) == DocList[Text]()
    assert service.post("/size", iter(()), return_type=DocList[Text]) == DocList[Text]()


def test_document_comes_back_alone_when_asked_for_by_its_class(service: Service) -> None:
    """`return_type=Text` gives a Text for one document, a DocList for several."""
    one = service.post("/up", Text(text="a"), return_type=Text)
    many = service.post("/up", THREE, return_type=Text)

    assert isinstance(one, Text)
    assert one.text == "A"
    assert isinstance(many, DocList[Text])  # type: ignore[misc]


def test_ids_survive_the_round_trip(service: Service) -> None:
    """A document keeps the id that the client gave it."""
    assert service.post("/up", THREE, return_type=DocList[Text]).id == [doc.id for doc in THREE]


def test_documents_without_return_type_have_all_fields(service: Service) -> None:
    """Without `return_type` the documents are AnyDocs in a DocList."""
    docs = service.post("/up", THREE, results_in_order=True)

    assert isinstance(docs, DocList)
    assert docs.text == ["A", "B", "C"]
    assert service.post("/up", Text(text="z"), return_type=BaseDoc).text == "Z"


class Model(pydantic.BaseModel):
    text: str = ""


class Struct(msgspec.Struct):
    text: str = ""


@dataclasses.dataclass
class Data:
    text: str = ""


@pytest.mark.parametrize("kind", [Model, Struct, Data])
def test_plain_classes_are_documents_too(service: Service, kind: Any) -> None:
    """pydantic models, msgspec structs and dataclasses go and come as a plain list."""
    docs = service.post("/up", [kind(text="a"), kind(text="b")], return_type=list[kind])

    assert docs == [kind(text="A"), kind(text="B")]
    assert service.post("/up", kind(text="a"), return_type=kind) == kind(text="A")


@pytest.mark.docarray
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_docarray_classes_go_and_come(service: Service) -> None:
    """docarray's own classes are sent, and built for `return_type`."""
    docarray = pytest.importorskip("docarray")

    class Theirs(docarray.BaseDoc):  # type: ignore[misc,name-defined]
        text: str = ""

    docs = service.post("/up", docarray.DocList[Theirs]([Theirs(text="a")]), return_type=docarray.DocList[Theirs])

    assert isinstance(docs, docarray.DocList)
    assert isinstance(docs[0], Theirs)
    assert docs[0].text == "A"


@pytest.mark.parametrize("inputs", ["text", [1, 2], 7, [Text(), "text"], object()])
def test_what_is_no_document_is_refused_by_name(service: Service, inputs: Any) -> None:
    """The error names value and type, and nothing is sent."""
    with pytest.raises(BadClientInput, match=r"inputs must be documents \(or dicts\), got .*(text|1|7|object)"):
        service.post("/up", inputs)
    with pytest.raises(BadClientInput):
        service.client.check_input(inputs)
    service.client.check_input(THREE)


def test_return_type_that_is_no_document_is_refused(service: Service) -> None:
    """A clear error, before anything is sent."""
    with pytest.raises(BadClientInput, match="return_type must be a document class"):
        service.post("/up", THREE, return_type=int)


def test_errors_of_a_generator_come_out_as_they_are(service: Service) -> None:
    """The caller's own exception is the caller's own."""

    def broken() -> Iterator[Text]:
        yield Text()
        raise LookupError("the file has ended")

    with pytest.raises(LookupError, match="the file has ended"):
        service.post("/up", broken, request_size=1)


@pytest.mark.parametrize("stream", [True, False])
def test_results_in_order_are_in_order(service: Service, stream: bool) -> None:
    """The first request is the slowest, and still the first answer."""
    inputs = [Text(text=str(number)) for number in range(20)]

    docs = service.post("/slow_first", inputs, request_size=1, stream=stream, results_in_order=True, return_type=DocList[Text])

    assert docs.text == [str(number) for number in range(20)]


@pytest.mark.parametrize("stream", [True, False])
def test_prefetch_bounds_what_is_on_the_way(service: Service, stream: bool) -> None:
    """With `prefetch=3` the executor never has more than three requests at a time."""
    inputs = [Text(text=str(number)) for number in range(20)]

    docs = service.post("/count", inputs, request_size=1, prefetch=3, stream=stream, return_type=DocList[Text])

    assert sorted(docs.text) == sorted(doc.text for doc in inputs)
    assert service.executor.n_most <= 3


def test_input_is_read_no_further_than_prefetch_allows(service: Service) -> None:
    """A generator is asked for the next batch only when there is room for it."""
    n_asked, most_ahead = 0, 0

    def inputs() -> Iterator[Text]:
        nonlocal n_asked, most_ahead
        for number in range(20):
            n_asked += 1
            most_ahead = max(most_ahead, n_asked - len(done))
            yield Text(text=str(number))

    done: list[Any] = []
    service.post("/up", inputs, request_size=1, prefetch=2, on_done=done.append)

    assert len(done) == 20
    assert most_ahead <= 3


class Parameters(pydantic.BaseModel):
    top: int = 3


@pytest.mark.parametrize("parameters", [{"top": 3}, Parameters(top=3), Data(text="t"), Struct(text="t")])
def test_parameters_may_be_a_dict_or_a_model(service: Service, parameters: Any) -> None:
    """The executor sees the model's fields."""
    service.post("/up", THREE, parameters=parameters)

    assert service.executor.seen == [{"text": "t"}] if hasattr(parameters, "text") else [{"top": 3.0}]


def test_missing_parameters_over_grpc_are_an_empty_results_dict(grpc_service: Service) -> None:
    """As from Jina's client: the executor sees `__results__`."""
    grpc_service.post("/up", THREE)

    assert grpc_service.executor.seen == [{"__results__": {}}]


def test_reserved_parameter_is_dropped_with_a_warning(service: Service) -> None:
    """`__results__` is the service's; what is not a dict cannot stay."""
    with pytest.warns(UserWarning, match="reserved key '__results__'"):
        service.post("/up", THREE, parameters={"__results__": 3, "a": 1})


def test_parameters_that_are_no_json_are_refused(service: Service) -> None:
    """The error names the place, before anything is sent."""
    with pytest.raises(BadClientInput):
        service.post("/up", THREE, parameters={"a": object()})


def test_responses_instead_of_documents(service: Service) -> None:
    """A Response has id, documents of the class asked for, parameters, and over gRPC the routes."""
    responses = service.post("/up", THREE, request_size=2, return_responses=True, parameters={"a": 1}, return_type=DocList[Text])

    assert len(responses) == 2
    first = responses[0]
    assert len(first.request_id) == 32
    assert isinstance(first.docs, DocList[Text])  # type: ignore[misc]
    assert first.parameters["a"] == 1.0
    assert not first.is_error


def test_dict_results_are_in_the_parameters(service: Service) -> None:
    """What a method returns as a dict comes back under `__results__`."""
    response = service.post("/dict", THREE, return_responses=True)[0]

    assert list(response.parameters["__results__"].values()) == [{"n": 3.0}]


def test_callbacks_see_every_response_and_nothing_is_returned(service: Service) -> None:
    """`on_done` for successes, `on_error` for failures, `on_always` for both."""
    done: list[Any] = []
    failed: list[Any] = []
    always: list[Any] = []
    inputs = [Text(text="fine"), Text(text="bad")]

    result = service.post(
        "/fail", inputs, request_size=1, on_done=done.append, on_error=failed.append, on_always=always.append, return_type=DocList[Text]
    )

    assert result is None
    assert [response.docs.text for response in done] == [["fine"]]
    assert [response.status.description for response in failed] == ["KeyError('no such thing')"]
    assert len(always) == 2


def test_on_error_alone_still_gives_the_documents(service: Service) -> None:
    """Only `on_done` and `on_always` take the place of the result."""
    assert len(service.post("/up", THREE, on_error=print, return_type=DocList[Text])) == 3


def test_exception_in_a_callback_is_a_bad_client_callback(service: Service) -> None:
    """It names the callback; with `continue_on_error` it is only logged."""

    def broken(response: Any) -> None:
        raise ValueError("oops")

    with pytest.raises(BadClientCallback, match=r"uncaught exception in callback broken\(\): ValueError\('oops'\)"):
        service.post("/up", THREE, on_done=broken)
    service.post("/up", THREE, on_done=broken, continue_on_error=True)


def test_continue_on_error_goes_on(service: Service) -> None:
    """A failed request does not keep the others from their answers."""
    done: list[Any] = []
    inputs = [Text(text="bad"), Text(text="fine")]

    service.post("/fail", inputs, request_size=1, on_done=done.append, continue_on_error=True)

    assert len(done) == 1


def test_crud_methods_call_their_endpoints(grpc_service: Service) -> None:
    """`index` is `post('/index')`; over gRPC an unknown endpoint gives the documents back."""
    for method in ("index", "search", "update", "delete"):
        with pytest.warns(UserWarning, match=f"has no endpoint '/{method}'"):
            assert getattr(grpc_service.client, method)(THREE, return_type=DocList[Text]).text == ["a", "b", "c"]


def test_headers_and_metadata_reach_the_executor(service: Service) -> None:
    """Both names, as a dict or as pairs, on each protocol."""
    for given in ({"headers": {"X-Colour": "red"}}, {"metadata": (("x-colour", "red"),)}):
        assert service.post("/headers", Text(), return_type=Text, **given).text == "red"


def test_large_documents_pass(service: Service) -> None:
    """Requests and answers far larger than any window."""
    inputs = [Text(text="x" * 3_000_000) for _ in range(8)]

    docs = service.post("/up", inputs, request_size=1, return_type=DocList[Text])

    assert [len(doc.text) for doc in docs] == [3_000_000] * 8


def test_progress_is_shown_on_stderr(service: Service, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts the answers, of as many as are known; nothing is said where nobody asked."""
    monkeypatch.delenv("GITHUB_WORKFLOW", raising=False)
    service.post("/up", THREE, request_size=1, show_progress=True)
    assert capsys.readouterr().err.startswith("requests answered 3 of 3, ")

    service.post("/up", iter(THREE), request_size=1, show_progress=True)
    assert capsys.readouterr().err.startswith("requests answered 3, ")

    service.post("/up", THREE, request_size=1)
    assert capsys.readouterr().err == ""


def test_progress_ends_where_the_post_fails(service: Service, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The line is whole, and tells how far it came."""
    monkeypatch.delenv("GITHUB_WORKFLOW", raising=False)
    with pytest.raises(BadServer):
        service.post("/fail", [Text(text="fine"), Text()], request_size=1, prefetch=1, show_progress=True)

    assert capsys.readouterr().err.startswith("requests answered 1 of 2, ")


def test_ready_and_profile(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    """`is_flow_ready` is True, and the profile has a round trip."""
    assert service.client.is_flow_ready(timeout=5)
    assert service.client.dry_run()
    assert service.client.profiling()["Roundtrip"] > 0
    assert "Roundtrip" in capsys.readouterr().out
