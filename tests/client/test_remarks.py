"""A success that says something beside its documents: as a rule that there is no such endpoint, so that they came back as they were."""

from __future__ import annotations

import warnings

import pytest

from jina.docs import BaseDoc, DocList
from jina.errors import InvalidInputError
from jina.testing import serve
from tests.client.executors import Sample, Text

pytestmark = pytest.mark.anyio
AS_THEY_CAME = pytest.mark.parametrize("protocol", ["grpc", "websocket"])
HINT = r"has no endpoint '/upp'; did you mean '/up'\?"


class Number(BaseDoc):
    number: int


@AS_THEY_CAME
def test_documents_that_come_back_from_a_misspelt_endpoint_bring_a_warning(protocol: str) -> None:
    """Once for each endpoint and client, at the line of the caller; the documents are given, as Jina does."""
    with serve(Sample, protocol=protocol) as service:
        with pytest.warns(UserWarning, match=HINT) as caught:
            assert service.client.post("/upp", Text(text="a"), return_type=Text).text == "a"
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            service.client.post("/upp", Text(text="a"))
            service.client.post("/up", Text(text="a"))
        with pytest.warns(UserWarning, match="has no endpoint '/downn'"):
            service.client.post("/downn", [Text(), Text()], request_size=1, on_done=lambda _: None)

    assert [warning.filename for warning in caught] == [__file__]


async def test_an_async_client_warns_too() -> None:
    """At the line that awaits."""
    async with serve(Sample) as service:
        with pytest.warns(UserWarning, match=HINT) as caught:
            assert [docs.text async for docs in service.post("/upp", Text(text="a"), return_type=Text)] == ["a"]

    assert [warning.filename for warning in caught] == [__file__]


@AS_THEY_CAME
def test_documents_that_do_not_fit_say_that_there_is_no_such_endpoint(protocol: str) -> None:
    """What came back are the inputs; nobody need guess that. There is no warning beside the error."""
    with (
        serve(Sample, protocol=protocol) as service,
        pytest.raises(InvalidInputError, match=rf"do not fit return_type 'Number': .*Field required.*; .*{HINT}"),
    ):
        service.client.post("/upp", Text(text="a"), return_type=DocList[Number])


@AS_THEY_CAME
def test_a_stream_from_a_misspelt_endpoint_brings_a_warning(protocol: str) -> None:
    """The same of what `stream_doc` gives: each item says it, the caller hears of it once."""
    with serve(Sample, protocol=protocol) as service, pytest.warns(UserWarning, match="has no endpoint '/countt'") as caught:
        assert [doc.text for doc in service.client.stream_doc("/countt", Text(text="a"), return_type=Text)] == ["a"]

    assert [warning.filename for warning in caught] == [__file__]


@AS_THEY_CAME
def test_a_profile_of_a_service_without_a_default_endpoint_brings_none(protocol: str) -> None:
    """It measures the way there and back."""
    with serve(Sample, protocol=protocol) as service:
        assert service.client.profiling(show_table=False)["Roundtrip"] > 0
