# mypy: disable-error-code="empty-body, no-untyped-def, no-any-return, misc, valid-type, name-defined"
# mypy: disable-error-code="override, attr-defined, arg-type, comparison-overlap, unused-ignore"
"""What methods get as parameters: a model of their own, and what is meant for them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from enum import IntEnum
from typing import Any, Literal

import pydantic
import pytest

from jina.docs import DocList
from jina.errors import InvalidInputError
from jina.executor import Executor, requests
from jina.runtime import invoke
from tests.runtime.calling import Options, RecordOptions, RowOptions, Text, run


@pytest.mark.parametrize("model", [Options, RecordOptions, RowOptions])
@pytest.mark.parametrize("kind", ["batch", "single", "stream"])
@pytest.mark.parametrize("is_async", [False, True])
def test_parameters_become_the_model(model: Any, kind: str, is_async: bool) -> None:
    """For every kind of method; Jina fails for an `async def` one with `doc`, and for streams."""
    seen = []

    class E(Executor):
        @requests(on="/batch")
        def batch(self, docs: DocList[Text], parameters: model, **kwargs: Any) -> None:
            seen.append(parameters)

        @requests(on="/batch_async")
        async def batch_async(self, docs: DocList[Text], parameters: model, **kwargs: Any) -> None:
            seen.append(parameters)

        @requests(on="/single")
        def single(self, doc: Text, parameters: model, **kwargs: Any) -> None:
            seen.append(parameters)

        @requests(on="/single_async")
        async def single_async(self, doc: Text, parameters: model, **kwargs: Any) -> None:
            seen.append(parameters)

        @requests(on="/stream")
        def stream(self, doc: Text, parameters: model, **kwargs: Any) -> Iterator[Text]:
            seen.append(parameters)
            yield doc

        @requests(on="/stream_async")
        async def stream_async(self, doc: Text, parameters: model, **kwargs: Any) -> AsyncIterator[Text]:
            seen.append(parameters)
            yield doc

    run(E(), f"/{kind}" + ("_async" if is_async else ""), [Text()], {"top": 3.0, "__results__": {}})

    assert seen == [model(top=3)]
    assert type(seen[0].top) is int


@pytest.mark.parametrize("model", [Options, RecordOptions, RowOptions])
def test_parameters_that_do_not_fit_are_the_callers_fault(model: Any) -> None:
    """With the place of each finding, below `parameters`."""

    class E(Executor):
        @requests
        def f(self, docs: DocList[Text], parameters: model, **kwargs: Any) -> None: ...

    with pytest.raises(InvalidInputError) as caught:
        run(E(), "/", [], {"top": 1.5})
    assert caught.value.details[0]["loc"] == ("parameters", "top")
    assert set(caught.value.details[0]) == {"loc", "msg", "type"}
    assert "at `parameters.top`" in str(caught.value)


def test_integral_floats_become_ints_where_the_model_is_strict() -> None:
    """On the wire all numbers are floats."""

    class Level(IntEnum):
        LOW = 1

    class Strict(pydantic.BaseModel):
        n: int = pydantic.Field(strict=True)
        one: Literal[1, 2]
        level: Level
        many: list[int]

    class E(Executor):
        @requests
        def f(self, docs: DocList[Text], parameters: Strict, **kwargs: Any) -> Any:
            return parameters.model_dump()

    _, results = run(E(), "/", [], {"n": 3.0, "one": 1.0, "level": 1.0, "many": [1.0, 2.0]})
    assert results == {"n": 3, "one": 1, "level": 1, "many": [1, 2]}


def test_optional_model_is_none_without_parameters() -> None:
    """Where it has fields that must be given; else it is made of its defaults."""
    seen = []

    class Free(pydantic.BaseModel):
        top: int = 5

    class E(Executor):
        @requests(on="/a")
        def a(self, docs: DocList[Text], parameters: Options | None = None, **kwargs: Any) -> None:
            seen.append(parameters)

        @requests(on="/b")
        def b(self, docs: DocList[Text], parameters: Free | None = None, **kwargs: Any) -> None:
            seen.append(parameters)

    run(E(), "/a", [])
    run(E(), "/b", [])
    assert seen == [None, Free(top=5)]
    with pytest.raises(InvalidInputError):
        run(E(), "/a", [], {"name": "x"})


SENT = {"executor__a": 1, "foo__b": 2, "G": {"c": 3}, "foo": {"d": 4}, "executor": {"e": 5}}


def test_parameters_merge_as_in_jina() -> None:
    """Seen with Jina 3.33: the node's prefix, the node's dict and the class's dict."""
    front = invoke.merge_parameters(SENT, deployment_name="executor")

    assert invoke.merge_parameters(front, "G") == {"a": 1, "e": 5, "c": 3, "G": {"c": 3}, "foo": {"d": 4}, "executor": {"e": 5}}
    assert "executor__a" in SENT


def test_separator_splits_at_its_first_place() -> None:
    """The rest of the name is the parameter's, underscores included."""
    sent = {"executor___z": 1, "executor__x__y": 2, "other__x__y": 3}

    assert invoke.merge_parameters(sent, deployment_name="executor") == {"_z": 1, "x__y": 2}


def test_parameters_may_also_use_a_deployments_real_name() -> None:
    """The stronger name last."""
    assert invoke.merge_parameters(SENT, "G", ("executor", "foo")) == {
        "a": 1,
        "b": 2,
        "c": 3,
        "d": 4,
        "e": 5,
        "G": {"c": 3},
        "foo": {"d": 4},
        "executor": {"e": 5},
    }


@pytest.mark.parametrize("key", ["__results__", "a__", "__a", "plain"])
def test_separator_at_an_end_is_no_prefix(key: str) -> None:
    """Such keys go to everybody."""
    assert invoke.merge_parameters({key: 1}, deployment_name="a") == {key: 1}
