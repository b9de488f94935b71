"""The API pages in a real browser: Swagger UI, with its buttons, and Redoc."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from jina import Deployment, Executor, requests
from jina.docs import BaseDoc, DocList
from tests.interop.browser import Page, open_browser

pytestmark = pytest.mark.process
N_OPERATIONS = 4  # health, a batch, and a stream by GET and POST


class Sentence(BaseDoc):
    text: str
    vector: list[float] | None = None


class Loud(Executor):
    @requests(on="/shout")
    def shout(self, docs: DocList[Sentence], **kwargs: object) -> DocList[Sentence]:
        return DocList[Sentence](Sentence(text=doc.text.upper() + "!") for doc in docs)

    @requests(on="/words")
    def words(self, doc: Sentence, **kwargs: object) -> Iterator[Sentence]:
        for word in doc.text.split():
            yield Sentence(text=word + "!")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with open_browser(tmp_path_factory.mktemp("browser")) as page:
        yield page


@pytest.fixture(scope="module")
def address(page: Page) -> Iterator[str]:
    with Deployment(uses=Loud, protocol="http", quiet=True) as service:
        yield f"http://127.0.0.1:{service.port}"


@pytest.fixture
def swagger(page: Page, address: str) -> Iterator[Page]:
    """The page `/docs`, rendered; no test may leave an error in its console."""
    page.complaints.clear()
    page.open(f"{address}/docs")
    page.wait_for(f"document.querySelectorAll('.opblock').length === {N_OPERATIONS}")
    yield page
    assert page.complaints == []


def try_out(page: Page, operation: str, **values: str) -> str:
    """Press "Try it out", fill in query parameters, and press "Execute"; gives what the page shows of the reply."""
    block = f"#operations-default-{operation}"
    page.click(f"{block} .opblock-summary-control")
    page.click(f"{block} .try-out__btn")
    for name, value in values.items():
        page.type_into(f"{block} [data-param-name={name}] input", value)
    page.click(f"{block} .execute")
    shown: str = page.wait_for(f"(document.querySelector('{block} .live-responses-table .response') || {{}}).innerText")
    return shown


def test_swagger_ui_shows_every_endpoint(swagger: Page) -> None:
    """With its method and path."""
    script = "[...document.querySelectorAll('.opblock-summary')].map(each => each.innerText.split('\\n').slice(0, 2).join(' '))"
    shown = [line.replace("\u200b", "") for line in swagger.run(script)]

    assert shown == ["GET /", "POST /shout", "GET /words", "POST /words"]


def test_what_swagger_ui_proposes_is_answered_by_the_executor(swagger: Page) -> None:
    """A reader who only presses the buttons sees the method's answer: the proposed body must not name another executor, as to skip it."""
    assert "STRING!" in try_out(swagger, "post_shout_post")


def test_swagger_ui_shows_the_events_of_a_stream(swagger: Page) -> None:
    """With the document in the body of a POST."""
    assert "string!" in try_out(swagger, "streaming_post_words_post")


def test_swagger_ui_shows_the_events_of_a_stream_by_get(swagger: Page) -> None:
    """With the document's plain fields in the query, as a browser sends no GET with a body."""
    shown = try_out(swagger, "streaming_get_words_get", text="two words")

    assert "two!" in shown
    assert "words!" in shown


def test_redoc_shows_every_endpoint(page: Page, address: str) -> None:
    """And loads nothing from elsewhere, which would stand among the complaints."""
    page.complaints.clear()
    page.open(f"{address}/redoc")
    shown = page.wait_for("(document.querySelector('.api-content') || {}).innerText")

    assert all(name in shown for name in ("/shout", "/words", "vector"))
    assert page.complaints == []
