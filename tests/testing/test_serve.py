"""`jina.testing.serve`, as a user's tests would have it."""

from __future__ import annotations

import doctest
from typing import Any

import pytest

import jina.testing.serving
from jina import Executor, requests
from jina.client.failures import ServiceError
from jina.docs import BaseDoc, DocList
from jina.testing import serve


class Text(BaseDoc):
    text: str = ""


class Shout(Executor):
    def __init__(self, mark: str = "!", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mark, self.is_closed = mark, False

    @requests(on="/shout")
    def shout(self, docs: DocList[Text], **kwargs: Any) -> DocList[Text]:
        return DocList[Text]([Text(text=doc.text.upper() + self.mark) for doc in docs])

    def close(self) -> None:
        self.is_closed = True


def test_docstring_runs() -> None:
    """The example in `serve` does what it shows."""
    assert doctest.testmod(jina.testing.serving).attempted > 2
    assert doctest.testmod(jina.testing.serving).failed == 0


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_service_is_called_as_over_the_wire(protocol: str) -> None:
    """The client, raw HTTP and a look inside; the executor is closed at the end."""
    with serve(Shout, uses_with={"mark": "?"}, protocol=protocol) as service:
        assert service.post("/shout", Text(text="a"), return_type=Text).text == "A?"
        reply = service.http("POST", "/shout", json={"data": [{"text": "b"}]}, headers={"x-request-id": "mine"})
        assert (reply.status, reply.json()["data"][0]["text"]) == (200, "B?")
        assert reply.headers["x-request-id"] == "mine"
        assert service.http("GET", "/nosuch").json()["detail"]
        assert service.http("POST", "/shout", body=b"{").status in (400, 422)
        executor = service.executor
        assert not executor.is_closed

    assert executor.is_closed


@pytest.mark.anyio
async def test_async_service_runs_on_the_tests_own_loop() -> None:
    """With `async with`."""
    async with serve(Shout) as service:
        found = [doc async for doc in service.post("/shout", Text(text="a"), return_type=Text)]
        assert found[0].text == "A!"
        assert (await service.http("GET", "/")).status == 200


def test_error_of_the_constructor_comes_out() -> None:
    """As it was raised."""

    class Broken(Executor):
        def __init__(self, **kwargs: Any) -> None:
            raise LookupError("no weights")

    with pytest.raises(LookupError, match="no weights"), serve(Broken):
        pass


def test_several_clients_of_one_service() -> None:
    """Both protocols at once."""
    with serve(Shout) as service:
        over_http = service.make_client("http")
        assert over_http.post("/shout", Text(text="a"), return_type=Text).text == "A!"
        assert service.post("/shout", Text(text="a"), return_type=Text).text == "A!"
        over_http.close()


def test_max_buffered_bytes_holds_in_memory_too() -> None:
    """Over both protocols, as in a service of processes."""
    with serve(Shout, max_buffered_bytes=50_000) as service:
        assert service.http("POST", "/shout", json={"data": [{"text": "b" * 60_000}]}).status == 503
        with pytest.raises(ServiceError, match="max_buffered_bytes"):
            service.make_client("grpc").post("/shout", Text(text="b" * 60_000))
        assert service.http("POST", "/shout", json={"data": [{"text": "b" * 20_000}]}).status == 200
