"""What a caller hears of an exception, whatever the exception does."""

from __future__ import annotations

from typing import Any

import pytest

from jina.errors import CallerError, Code, InvalidInputError, OverloadedError
from jina.runtime import invoke
from jina.runtime.invoke import status_of


def raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:
        return caught


def test_exception_of_a_method_is_described_as_jina_does() -> None:
    """`repr`, class name, arguments as text, traceback lines, executor."""
    status = invoke.status_of(raised(ValueError("bad", 3)), "Echo")

    assert (status.code, status.description) == (Code.EXECUTOR_FAILED, "ValueError('bad', 3)")
    assert (status.name, status.args, status.executor) == ("ValueError", ["bad", "3"], "Echo")
    assert status.stacks[0].startswith("Traceback")
    assert status.stacks[-1] == "ValueError: ('bad', 3)\n"


def test_argument_whose_text_raises_does_not_hide_the_failure() -> None:
    """Whatever people put into exceptions."""

    class Mute:
        def __str__(self) -> str:
            raise RuntimeError("no")

        __repr__ = object.__repr__

    assert invoke.status_of(ValueError(Mute()), "E").args == ["<Mute whose str() raises RuntimeError>"]


def test_findings_of_validation_are_passed_on() -> None:
    """Without a traceback of ours."""
    details = [{"loc": ("parameters", "a"), "msg": "m", "type": "t"}]
    status = invoke.status_of(raised(InvalidInputError("wrong", details)), "E")

    assert (status.code, status.description, status.details, status.stacks) == (Code.INVALID_INPUT, "wrong", details, [])


def test_caller_error_of_a_method_is_the_callers_fault() -> None:
    """Also its base class, which has no code of its own."""
    assert invoke.status_of(CallerError("too long"), "E").code is Code.INVALID_INPUT
    assert invoke.status_of(CallerError("too long"), "E").description == "too long"


def test_overload_says_when_to_try_again() -> None:
    """Raised by a method that cannot take more."""
    status = invoke.status_of(OverloadedError("full", 2.5), "E")

    assert (status.code, status.retry_after_s) == (Code.OVERLOADED, 2.5)


def test_exception_may_carry_a_status() -> None:
    """As `http_status` and `grpc_status`; its text is then what the caller reads."""

    class Missing(Exception):
        http_status = 404
        grpc_status = 5

    status = invoke.status_of(raised(Missing("no such index")), "E")

    assert (status.http_status, status.grpc_status, status.description) == (404, 5, "no such index")
    assert status.code is Code.EXECUTOR_FAILED


@pytest.mark.parametrize("value", [200, 999, "404", None])
def test_status_that_is_none_is_ignored(value: Any) -> None:
    """Only failures can be asked for."""
    error = ValueError("x")
    error.http_status = value  # type: ignore[attr-defined]

    assert invoke.status_of(error, "E").http_status is None


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
