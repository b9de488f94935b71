"""What a type checker makes of the code that users write. Nothing here runs: `make types` reads it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, assert_type

from pydantic import BaseModel

from jina import Client, Deployment, Executor, requests
from jina.docs import BaseDoc, DocList, NdArray
from jina.testing import serve
from jina.testing.serving import AsyncService, HttpReply, Service


class Text(BaseDoc):
    text: str
    vector: NdArray | None = None  # `NdArray[3]` says the shape too, which no checker reads: it needs `# type: ignore`


class Options(BaseModel):
    factor: float = 1.0


class Words(Executor):
    def __init__(self, device: str = "cpu", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.device = device

    @requests(on="/upper")
    def upper(self, docs: DocList[Text], parameters: Options, **kwargs: Any) -> DocList[Text]:
        for doc in docs:
            assert_type(doc, Text)
        assert_type(docs[0], Text)
        assert_type(docs[:2], DocList[Text])
        assert_type(parameters.factor, float)
        return DocList[Text]([Text(text=doc.text.upper()) for doc in docs])

    @requests
    async def anything(self, docs: DocList[Text], **kwargs: Any) -> None:
        docs[0].text = "changed"

    @requests(on=["/split", "/words"])
    def split(self, doc: Text, **kwargs: Any) -> Iterator[Text]:
        for word in doc.text.split():
            yield Text(text=word)


def test_decorated_method_keeps_its_type(words: Words, docs: DocList[Text]) -> None:
    """`@requests` hides nothing: a method can be called, and checked, as it was written."""
    assert_type(words.upper(docs, Options()), DocList[Text])
    assert_type(words.split(docs[0]), Iterator[Text])
    assert_type(words.device, str)


def test_documents_know_their_fields() -> None:
    """A field has its declared type, `id` is a str, a list gives its own documents."""
    doc = Text(text="a")
    assert_type(doc.text, str)
    assert_type(doc.id, str)
    docs = DocList[Text]([doc])
    assert_type(docs, DocList[Text])
    assert_type(docs[0].text, str)
    assert_type([each.text for each in docs], list[str])


def test_a_deployment_is_its_own_context() -> None:
    """`with Deployment(...)` gives the Deployment."""
    with Deployment(uses=Words, protocol=["http", "grpc"], port=[0, 0], uses_with={"device": "cpu"}) as service:
        assert_type(service, Deployment)
        assert_type(service.port, int)
        assert_type(service.ports, list[int])


def test_post_gives_what_return_type_says_which_no_checker_knows() -> None:
    """The class is chosen at run time (sync, async, protocol), so `post` is Any and takes the annotation that the caller writes."""
    client = Client(port=1)
    found: DocList[Text] = client.post("/upper", Text(text="a"), return_type=DocList[Text])
    assert_type(found, DocList[Text])


def test_serve_gives_a_service() -> None:
    """Both ways to enter `serve` are typed."""
    with serve(Words) as service:
        assert_type(service, Service)
        assert_type(service.http("GET", "/"), HttpReply)
        assert_type(service.stream_doc("/split", Text(text="a b")), Iterator[Any])


async def test_serve_async_gives_an_async_service() -> None:
    """Both ways to enter `serve` are typed."""
    async with serve(Words) as service:
        assert_type(service, AsyncService)
        assert_type(service.post("/upper", Text(text="a")), AsyncIterator[Any])
