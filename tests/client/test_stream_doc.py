"""Streaming endpoints through the client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from jina import Client, Executor, requests
from jina.docs import BaseDoc, DocList
from jina.errors import BadClientInput, BadServer
from jina.testing import Service, serve
from tests.client.executors import Sample, Text
from tests.client.fakes import FakeHttpServer

pytestmark = pytest.mark.anyio


def test_documents_come_one_by_one(service: Service) -> None:
    """In order, in the class asked for, with parameters."""
    docs = list(service.stream_doc("/count_up", Text(text="a"), parameters={"n": 4}, return_type=Text))

    assert [doc.text for doc in docs] == ["a0", "a1", "a2", "a3"]
    assert all(isinstance(doc, Text) for doc in docs)
    assert [doc.text for doc in service.stream_doc("/count_up", Text(text="a"))] == ["a0", "a1", "a2"]
    assert [doc.text for doc in service.stream_doc("/count_up", Text(), return_type=DocList[Text])] == ["0", "1", "2"]


def test_failure_in_the_middle_follows_what_came_before(service: Service) -> None:
    """The first document is given, then BadServer with the executor's error."""
    found = service.stream_doc("/break_off", Text(), return_type=Text)

    assert next(found).text == "first"
    with pytest.raises(BadServer) as caught:
        next(found)
    error: Any = caught.value
    assert "broken off" in error.details()


def test_long_stream_read_slowly_comes_whole(service: Service) -> None:
    """More than any window holds; the server is stopped and goes on."""
    assert [len(doc.text) for doc in service.stream_doc("/big", Text(), return_type=Text)] == [200_000] * 40


def test_stream_that_is_left_ends_at_the_server(service: Service) -> None:
    """Leaving a stream early does not harm the next call."""
    found = service.stream_doc("/big", Text(), return_type=Text)
    next(found)
    found.close()  # type: ignore[attr-defined]

    assert service.post("/up", Text(text="a"), return_type=Text).text == "A"


def test_endpoint_that_does_not_stream(service: Service) -> None:
    """The same advice on every protocol; over gRPC and WebSocket after Jina's words."""
    with pytest.raises(Exception, match=r"'/up' does not stream; call it with post"):
        list(service.stream_doc("/up", Text()))


class Named(BaseDoc):
    name: str


class Spell(Executor):
    n_calls: ClassVar[int] = 0

    @requests(on="/spell")
    def spell(self, doc: Named, **kwargs: Any) -> Iterator[Named]:
        Spell.n_calls += 1
        for letter in doc.name:
            yield Named(name=letter)


class AnySpell(Executor):
    @requests
    def spell(self, doc: Named, **kwargs: Any) -> Iterator[Named]:
        for letter in doc.name:
            yield Named(name=letter)


class AnyEcho(Executor):
    @requests
    def echo(self, docs: DocList[Named], **kwargs: Any) -> DocList[Named]:
        return docs


PROTOCOLS = pytest.mark.parametrize("protocol", ["grpc", "http", "websocket"])


@PROTOCOLS
@pytest.mark.parametrize("inputs", [[Named(name="ab")], [Named(name="ab"), Named(name="c")]])
def test_post_to_an_endpoint_that_streams_says_so_and_runs_nothing(protocol: str, inputs: list[Named]) -> None:
    """Whatever the fields of its documents; nobody is told that a field is missing."""
    Spell.n_calls = 0
    with serve(Spell, protocol=protocol) as service:
        with pytest.raises(Exception, match="endpoint '/spell' streams; call it with stream_doc"):
            service.post("/spell", inputs, return_type=DocList[Named])
        with pytest.raises(Exception, match="endpoint '/spell' streams; call it with stream_doc"):
            service.post("/spell", inputs, parameters={"a": 1})
    assert Spell.n_calls == 0


@PROTOCOLS
def test_the_default_endpoint_streams_for_all_that_are_not_there(protocol: str) -> None:
    """Over HTTP too, where the path itself is unknown."""
    with serve(AnySpell, protocol=protocol) as service:
        for parameters in (None, {"a": 1}):
            assert [doc.name for doc in service.stream_doc("/x", Named(name="ab"), parameters=parameters, return_type=Named)] == ["a", "b"]


@PROTOCOLS
def test_a_default_endpoint_that_does_not_stream_says_so(protocol: str) -> None:
    """By the name that it was called by."""
    with serve(AnyEcho, protocol=protocol) as service, pytest.raises(Exception, match="'/x' does not stream; call it with post"):
        list(service.stream_doc("/x", Named(name="ab")))


def test_post_to_an_endpoint_of_jinas_that_takes_a_get_only_says_what_to_call() -> None:
    """Its services answer 405 and say in their OpenAPI that it streams; the default endpoint is not called in its place."""
    paths = {"/spell": {"get": {"operationId": "streaming_get_spell_get"}}, "/default": {"post": {}}}

    def respond(method: str, path: str, body: Any) -> tuple[int, Any]:
        return (200, {"paths": paths}) if path == "/openapi.json" else (405, {"detail": "Method Not Allowed"})

    server = FakeHttpServer(respond)
    with (
        Client(protocol="http", open_connection=server.connect) as client,
        pytest.raises(ValueError, match="endpoint '/spell' streams; call it with stream_doc"),
    ):
        client.post("/spell", Named(name="ab"))
    assert server.requests == [("POST", "/spell"), ("GET", "/openapi.json")]


@PROTOCOLS
def test_a_list_of_documents_is_no_input_of_a_stream(protocol: str) -> None:
    """The error does not call documents no documents."""
    with serve(Spell, protocol=protocol) as service, pytest.raises(BadClientInput, match=r"stream_doc takes one document .*, got .* list"):
        list(service.stream_doc("/spell", [Named(name="a")]))


@pytest.mark.parametrize("protocol", ["grpc", "http"])
async def test_async_client_streams(protocol: str) -> None:
    """`async for` over the documents."""
    async with serve(Sample, protocol=protocol) as service:
        docs = [doc async for doc in service.stream_doc("/count_up", Text(text="a"), return_type=Text)]
        with pytest.raises(BadServer):
            _ = [doc async for doc in service.stream_doc("/break_off", Text())]

    assert [doc.text for doc in docs] == ["a0", "a1", "a2"]
