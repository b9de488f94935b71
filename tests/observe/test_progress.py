"""The line that shows how far something is."""

from __future__ import annotations

import io
import sys

import pytest

from jina.logging.profile import ProgressBar


class Terminal(io.StringIO):
    """Somebody looks at it."""

    def isatty(self) -> bool:
        return True


def open_stderr(monkeypatch: pytest.MonkeyPatch, kind: type[io.StringIO] = Terminal) -> io.StringIO:
    """Put a terminal, or a file, in the place of stderr."""
    monkeypatch.delenv("GITHUB_WORKFLOW", raising=False)
    made = kind()
    monkeypatch.setattr(sys, "stderr", made)
    return made


def test_a_terminal_has_one_line_that_is_written_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends full, and what is printed next begins on a line of its own."""
    terminal = open_stderr(monkeypatch)
    with ProgressBar("working", 4) as bar:
        for _ in range(4):
            bar.update()

    lines = terminal.getvalue().split("\r\x1b[K")
    assert lines[1].startswith("working [                    ] 0 of 4, ")
    assert lines[-1].startswith("working [####################] 4 of 4, ")
    assert terminal.getvalue().count("\n") == 1
    assert terminal.getvalue().endswith("\n")


def test_steps_without_an_end_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows how many an endless generator will give; more steps than were told do no harm either."""
    terminal = open_stderr(monkeypatch)
    with ProgressBar("working") as bar:
        bar.update(3)
    assert "working 3, " in terminal.getvalue()

    with ProgressBar("working", 2) as bar:
        bar.update(3, description="still working")
    assert "still working [####################] 3 of 2, " in terminal.getvalue()


def test_many_steps_are_not_drawn_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing costs more than most steps."""
    terminal = open_stderr(monkeypatch)
    with ProgressBar(total_length=100_000) as bar:
        for _ in range(100_000):
            bar.update()

    assert terminal.getvalue().count("\r") < 1000
    assert "100000 of 100000" in terminal.getvalue()


def test_nothing_is_drawn_where_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not when it is disabled, not in a GitHub workflow, not into a file."""
    terminal = open_stderr(monkeypatch)
    with ProgressBar(disable=True) as bar:
        bar.update()
    monkeypatch.setenv("GITHUB_WORKFLOW", "ci")
    with ProgressBar(is_logged=True) as bar:
        bar.update()
    assert terminal.getvalue() == ""

    file = open_stderr(monkeypatch, io.StringIO)
    with ProgressBar() as bar:
        bar.update()
    assert file.getvalue() == ""


def test_a_log_has_whole_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is wanted: without control characters, and not a line a step."""
    file = open_stderr(monkeypatch, io.StringIO)
    with ProgressBar("working", 3, is_logged=True) as bar:
        for _ in range(3):
            bar.update()

    [line] = file.getvalue().splitlines()
    assert line.startswith("working 3 of 3, ")
    assert line.isprintable()
