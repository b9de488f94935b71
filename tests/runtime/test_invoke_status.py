"""What a caller hears of an exception, whatever the exception does."""

from __future__ import annotations

import pytest

from jina.errors import Code
from jina.runtime.invoke import status_of


class Hostile(Exception):
    """Raises something else when it is shown."""

    def __init__(self, raised: BaseException) -> None:
        super().__init__("args are fine")
        self._raised = raised

    def __str__(self) -> str:
        raise self._raised

    __repr__ = __str__


@pytest.mark.parametrize("raised", [ValueError("no"), SystemExit(3), KeyboardInterrupt(), RecursionError()])
def test_an_exception_that_cannot_be_shown_is_still_told(raised: BaseException) -> None:
    """Its class is named, and what showing it raises."""
    status = status_of(Hostile(raised), "Sample")
    assert (status.code, status.name) == (Code.EXECUTOR_FAILED, "Hostile")
    assert status.description == f"<Hostile whose repr() raises {type(raised).__name__}>"
    assert status.stacks


def test_a_status_of_its_own_does_not_need_a_text() -> None:
    """`http_status` is honoured even if `str()` raises."""
    error = Hostile(ValueError("no"))
    error.http_status = 418  # type: ignore[attr-defined]
    assert status_of(error, "Sample").http_status == 418


def test_a_huge_exception_is_cut() -> None:
    """What travels is a few thousand characters, and says how many there were."""
    status = status_of(ValueError("x" * 10_000_000, *range(1000)), "Sample")
    assert len(status.description) < 10_000
    assert len(status.args) == 32
    assert status.args[0].endswith("... (10000000 characters)")
    assert sum(map(len, status.stacks)) < 100_000


def test_a_deep_traceback_keeps_its_ends() -> None:
    """The outermost and the innermost entries are what people read."""

    def deeper(n: int) -> None:
        try:
            raise KeyError(n)
        except KeyError as error:
            if n:
                deeper(n - 1)
            raise ValueError(n) from error

    with pytest.raises(ValueError, match="0") as raised:
        deeper(100)
    assert len(status_of(raised.value, "Sample").stacks) <= 130
