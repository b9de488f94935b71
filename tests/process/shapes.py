"""The same Executor behind a Deployment, and as the last of a Flow of two."""

from __future__ import annotations

from typing import Any

from jina import Deployment, Executor, Flow, requests
from jina.docs import DocList
from tests.process.strict_executor import Thing

Service = Deployment | Flow
SHAPES = ["deployment", "flow"]


class Pass(Executor):
    """Takes part in all calls."""

    @requests
    def nothing(self, docs: DocList[Thing], **kwargs: Any) -> DocList[Thing]:
        return docs


def shaped(shape: str, uses: type[Executor], *, before: type[Executor], **options: Any) -> Service:
    """Give what is to be started; in a Flow `before` is asked first."""
    if shape == "deployment":
        return Deployment(uses=uses, quiet=True, **options)
    return Flow(quiet=True, **options).add(name="first", uses=before).add(name="second", uses=uses)
