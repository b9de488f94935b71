"""Arguments of `post` that cannot work are named at once, the same on every protocol; odd ones that can work do."""

from __future__ import annotations

from typing import Any

import pytest

from jina.client import Client
from jina.docs import BaseDoc, DocList
from jina.errors import BadClientInput
from jina.testing import Service
from tests.client.executors import Text
from tests.client.fakes import FakeHttpServer


async def awaited(response: Any) -> None:
    """A callback that nobody would await."""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prefetch": "many"}, "prefetch must be a whole number, got 'many'"),
        ({"request_size": "100"}, "request_size must be a whole number, got '100'"),
        ({"request_size": 1.5}, r"request_size must be a whole number, got 1\.5"),
        ({"max_attempts": "3"}, "max_attempts must be a whole number, got '3'"),
        ({"initial_backoff": "1"}, "initial_backoff must be a number of seconds, got '1'"),
        ({"max_backoff": float("nan")}, "max_backoff must be a number of seconds, got nan"),
        ({"backoff_multiplier": "x"}, "backoff_multiplier must be a number, got 'x'"),
        ({"timeout": "5"}, "timeout must be a number of seconds, got '5'"),
        ({"timeout": float("nan")}, "timeout must be a number of seconds, got nan"),
        ({"metadata": ("x-a", "b")}, r"metadata must be a dict or pairs of name and value, got \('x-a', 'b'\)"),
        ({"headers": 5}, "headers must be a dict or pairs of name and value, got 5"),
        ({"metadata": (("x a", "b"),)}, "'x a'"),
        ({"metadata": (("x-a", "b\n"),)}, r"'b\\n'"),
        ({"metadata": (("content-length", "5"),)}, "'content-length' is reserved by the protocol"),
        ({"metadata": (("Transfer-Encoding", "chunked"),)}, "'transfer-encoding' is reserved by the protocol"),
        ({"auth": "secret"}, "auth must be a login and a password"),
        ({"cookies": "a=b"}, "cookies must be a dict or pairs of name and value, got 'a=b'"),
        ({"on_done": "print"}, "on_done must be a function, got 'print'"),
        ({"on_always": awaited}, "on_always must be a plain function: nobody awaits a coroutine function"),
        ({"return_type": [Text]}, "return_type must be a document class"),
        ({"parameters": {"x": float("nan")}}, "nan"),
    ],
)
def test_argument_that_cannot_work_is_named(service: Service, options: dict[str, Any], message: str) -> None:
    """BadClientInput, and the client goes on."""
    with pytest.raises(BadClientInput, match=message):
        service.client.post("/up", Text(text="a"), **options)

    assert service.client.post("/up", Text(text="a"), return_type=Text).text == "A"


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": 1e12},
        {"timeout": float("inf")},
        {"request_size": 10**30},
        {"request_size": -1},
        {"request_size": True},
        {"prefetch": -1},
    ],
)
def test_argument_without_a_limit_is_none(service: Service, options: dict[str, Any]) -> None:
    """Huge or negative says: as much, or as long, as there is."""
    inputs = (Text(text="a") for _ in range(3))

    assert len(service.client.post("/up", inputs, return_type=DocList[Text], **options)) == 3


def test_readiness_names_a_bad_timeout(service: Service) -> None:
    """Before anything is asked."""
    with pytest.raises(BadClientInput, match="timeout must be a number of seconds, got 'x'"):
        service.client.is_flow_ready(timeout="x")


def test_documents_of_another_class_than_return_type_say_so(service: Service) -> None:
    """What is at fault is the answer, or what was asked for; never the inputs."""

    class Number(BaseDoc):
        number: int

    with pytest.raises(Exception, match=r"the answer's documents do not fit return_type 'Number': .*Field required"):
        service.client.post("/up", Text(text="a"), return_type=DocList[Number])


def test_post_to_an_endpoint_that_streams_says_what_to_call(service: Service) -> None:
    """The same advice on every protocol."""
    with pytest.raises(Exception, match="call it with stream_doc"):
        service.client.post("/count_up", Text(text="a"), return_type=Text)


def test_answer_that_is_a_stream_of_events_says_what_to_call() -> None:
    """Also from another server."""
    answer = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 14\r\n\r\nevent: end\r\n\r\n"
    with (
        Client(protocol="http", open_connection=FakeHttpServer(lambda *_: answer).connect) as client,
        pytest.raises(ValueError, match="'/x' streams; call it with stream_doc"),
    ):
        client.post("/x", Text())


def test_coroutine_function_as_inputs_is_named(service: Service) -> None:
    """Nobody awaits it; and no warning comes beside the error."""

    async def inputs() -> list[Text]:
        return [Text(text="a")]

    with pytest.raises(BadClientInput, match="inputs are a coroutine; await it first, or give an async generator"):
        service.client.post("/up", inputs)


def test_stream_doc_of_an_endpoint_that_does_not_stream_says_so(service: Service) -> None:
    """It can be called with post."""
    with pytest.raises(Exception, match=r"endpoint must be generator|endpoint '/up' does not stream; call it with post"):
        list(service.client.stream_doc("/up", Text(text="a"), return_type=Text))
