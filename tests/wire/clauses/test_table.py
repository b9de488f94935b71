"""The table of clauses names tests, and the tests' cases are all in the table."""

from __future__ import annotations

import importlib
import re
from fnmatch import fnmatchcase
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.wire import test_http2_differential

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs/design/http2-clauses.md").read_text()
ROWS = [re.split(r"(?<!\\)\|", line)[1:-1] for line in TEXT.splitlines() if line.startswith("|")]
ALIASES = dict(re.findall(r"^\| `([\w-]+)(?:\[\.\.\.\]|::\.\.\.)` \| `([\w/.:]+)` \|$", TEXT, re.MULTILINE))
NAMED = re.compile(r"`([\w-]+)(\[([^\]`]+)\]|::(test_\w+))`")
CLAUSES = [row for row in ROWS if len(row) == 4 and row[0].strip() not in ("clause", "---")]


def module(file: str) -> ModuleType:
    return importlib.import_module(file.removesuffix(".py").replace("/", "."))


def cases(test: Any) -> list[str]:
    """Give the names of a test's cases."""
    (mark,) = (mark for mark in test.pytestmark if mark.name == "parametrize")
    return list(mark.kwargs.get("ids") or [getattr(case, "id", case) for case in mark.args[1]])


def named(text: str) -> list[tuple[str, str, list[str]]]:
    """Give (file, test, cases) of every name in a text; fails where there is none such."""
    found = []
    for alias, _, pattern, function in NAMED.findall(text):
        assert alias in ALIASES, alias
        file, _, test = ALIASES[alias].partition("::")
        test = test or function
        body = getattr(module(file), test, None)
        assert body is not None, f"{file}::{test}"
        matching = [case for case in cases(body) if fnmatchcase(case, pattern)] if pattern else []
        assert matching or not pattern, f"{file}::{test}[{pattern}]"
        found.append((file, test, matching))
    return found


def test_each_clause_names_a_test_that_exists() -> None:
    """And each name in the table is right, cases included."""
    assert len(CLAUSES) > 100
    for row in CLAUSES:
        assert named(row[3]), row


def test_each_place_exists() -> None:
    """A file of ours, or a dash for what does not apply, with the reason."""
    for clause, role, where, test in CLAUSES:
        assert role.strip() in ("client", "server", "both", "decoder", "encoder", "–"), clause
        places = re.findall(r"`([\w/]+\.py)`", where)
        assert all((ROOT / "src/jina" / place).exists() for place in places), where
        assert places or "not applicable" in test, clause


def test_each_case_of_the_tests_of_clauses_is_in_the_table() -> None:
    """Nothing is shown for which no clause is named."""
    listed: dict[tuple[str, str], set[str]] = {}
    for row in CLAUSES:
        for file, test, found in named(row[3]):
            listed.setdefault((file, test), set()).update(found)
    for path in Path(__file__).parent.glob("test_*.py"):
        if path.name == Path(__file__).name:
            continue
        file = str(path.relative_to(ROOT))
        for test, body in vars(module(file)).items():
            if not test.startswith("test_"):
                continue
            assert (file, test) in listed, f"{file}::{test}"
            if listed[file, test]:
                assert set(cases(body)) == listed[file, test], f"{file}::{test}"


def test_each_departure_of_the_libraries_is_in_the_table() -> None:
    """As the differential test knows them."""
    for departure in test_http2_differential.DEPARTURES:
        assert f"| {departure} |" in TEXT, departure
