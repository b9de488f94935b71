"""What a user is told of an executor class that can be served and is hardly meant so."""

from __future__ import annotations

from typing import Any

from jina import Executor, dynamic_batching, requests
from jina.executor.bindings import DRY_RUN, endpoints_of
from jina.executor.doubts import doubts


class _Forgotten(Executor):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)

    def embed(self, docs: Any, **kwargs: Any) -> None: ...

    def close(self) -> None: ...


class _Empty(Executor): ...


class _Batching(Executor):
    @requests(on="/a")
    @dynamic_batching(preferred_batch_size=8)
    def a(self, docs: Any, **kwargs: Any) -> None: ...

    @dynamic_batching(use_dynamic_batching=False)
    @requests(on="/b")
    def b(self, docs: Any, **kwargs: Any) -> None: ...


def test_an_executor_without_endpoints_is_told_what_to_write() -> None:
    """With the method that was probably meant, if there is one."""
    assert doubts(_Forgotten, {}, {DRY_RUN}) == [
        "executor '_Forgotten' has no endpoint, so nothing can be called; write @requests(on='/embed') above its method 'embed'"
    ]
    assert "give it a method with @requests(on='/...')" in doubts(_Empty, {}, {DRY_RUN})[0]


def test_endpoints_that_configuration_gives_count() -> None:
    """`requests` in YAML binds methods that carry no decorator."""
    assert doubts(_Forgotten, {}, {DRY_RUN, "/embed"}) == []
    assert doubts(Executor, {}, set(Executor().requests)) == []


def test_batching_that_is_not_done_yet_is_said() -> None:
    """Like every option that a later release brings; where it is switched off nothing is promised."""
    found = doubts(_Batching, {"/b": {"preferred_batch_size": 2}}, set(endpoints_of(_Batching)))

    assert len(found) == 1
    assert found[0].startswith("accepted, but without effect in this release: dynamic batching of 'a', '/b'")
    assert doubts(_Batching, {"a": {"use_dynamic_batching": False}}, {"/a"}) == []
