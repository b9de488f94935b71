"""Documents of many megabytes, which are passed on where they lie, through real processes and in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from jina import Client, Deployment, DocList, Executor, requests
from jina.docs import BaseDoc, NdArray
from jina.testing import serve

pytestmark = pytest.mark.process


class Large(BaseDoc):
    tensor: NdArray
    name: str = ""


class Twice(Executor):
    @requests(on="/twice")
    def twice(self, docs: DocList[Large], **kwargs: Any) -> DocList[Large]:
        for doc in docs:
            doc.tensor *= 2  # it is the method's own
        return docs

    @requests(on="/broken")
    def broken(self, docs: DocList[Large], **kwargs: Any) -> DocList[Large]:
        raise ValueError(docs[0].name)


@pytest.fixture(scope="module", params=["grpc", "http"])
def client(request: pytest.FixtureRequest) -> Iterator[Any]:
    with Deployment(uses=Twice, port=0, protocol=request.param, host="127.0.0.1", quiet=True) as deployment:
        found: Any = Client(host="127.0.0.1", port=deployment.port, protocol=request.param)
        yield found
        found.close()


def documents(*n_bytes: int) -> DocList[Large]:
    """Documents with arrays of these sizes, each with other numbers."""
    return DocList[Large]([Large(tensor=np.arange(n // 4, dtype=np.float32) % (1000 + at), name=str(at)) for at, n in enumerate(n_bytes)])


@pytest.mark.parametrize("n_bytes", [(3_000_000,), (100_000, 40, 2_000_000), (66_000, 65_000)])
@pytest.mark.parametrize("size", [1, 10])
def test_large_documents_come_back_as_they_should(client: Any, n_bytes: tuple[int, ...], size: int) -> None:
    """Alone or together, of sizes on both sides of what counts as large; what the caller holds is not touched."""
    sent = documents(*n_bytes)
    got = client.post("/twice", sent, return_type=DocList[Large], request_size=size, results_in_order=True)

    assert [doc.name for doc in got] == [doc.name for doc in sent]
    assert all(np.array_equal(back.tensor, doc.tensor * 2) for back, doc in zip(got, sent, strict=True))
    assert all(back.tensor.flags.writeable for back in got)


def test_a_large_request_that_fails_says_why(client: Any) -> None:
    """Its documents go back with the error, over gRPC as they came."""
    with pytest.raises(Exception, match="0"):
        client.post("/broken", documents(2_000_000), return_type=DocList[Large])
    assert len(client.post("/twice", documents(8), return_type=DocList[Large])) == 1


def test_many_large_requests_at_once_are_not_mixed_up(client: Any) -> None:
    """Streams take turns, a frame each: every answer has its own numbers."""
    sent = documents(*[1_500_000] * 12)
    got = client.post("/twice", sent, return_type=DocList[Large], request_size=1)

    assert sorted(doc.name for doc in got) == sorted(doc.name for doc in sent)
    for doc in got:
        assert np.array_equal(doc.tensor, sent[int(doc.name)].tensor * 2)


def test_large_documents_pass_in_memory_too() -> None:
    """Without sockets and processes the same pieces go from hand to hand."""
    with serve(Twice) as service:
        got = service.post("/twice", documents(1_000_000), return_type=DocList[Large])

    assert np.array_equal(got[0].tensor, documents(1_000_000)[0].tensor * 2)
