"""Streaming endpoints through the client."""

from __future__ import annotations

from typing import Any

import pytest

from jina.docs import DocList
from jina.errors import BadServer
from jina.testing import Service, serve
from tests.client.executors import Sample, Text

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


def test_endpoint_that_does_not_stream(http_service: Service) -> None:
    """A clear error."""
    with pytest.raises(ValueError, match=r"Method Not Allowed|does not stream"):
        list(http_service.stream_doc("/up", Text()))


@pytest.mark.parametrize("protocol", ["grpc", "http"])
async def test_async_client_streams(protocol: str) -> None:
    """`async for` over the documents."""
    async with serve(Sample, protocol=protocol) as service:
        docs = [doc async for doc in service.stream_doc("/count_up", Text(text="a"), return_type=Text)]
        with pytest.raises(BadServer):
            _ = [doc async for doc in service.stream_doc("/break_off", Text())]

    assert [doc.text for doc in docs] == ["a0", "a1", "a2"]
