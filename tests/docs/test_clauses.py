"""Tables of clauses name tests: each is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from tests.wire.http_table import CASES

ROOT = Path(__file__).parents[2]
PAGES = ["grpc-clauses.md", "http1-clauses.md"]
_NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


@pytest.mark.parametrize("name", PAGES)
def test_tests_that_a_table_of_clauses_names_exist(name: str) -> None:
    """Each row names one, and no name is wrong."""
    text = (ROOT / "docs/design" / name).read_text()
    rows = [line for line in text.splitlines() if line.startswith("|") and not line.startswith(("|---", "| clause"))]
    assert len(rows) > 30
    for row in rows:
        assert _NAMED.search(row), row
    for file, test in _NAMED.findall(text):
        found = {
            each.name for each in ast.walk(ast.parse((ROOT / file).read_text())) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        assert test in found, f"{file}::{test}"


@pytest.mark.parametrize("name", PAGES)
def test_places_that_a_table_of_clauses_names_exist(name: str) -> None:
    """Each file of its second column."""
    text = (ROOT / "docs/design" / name).read_text()
    for place in set(re.findall(r"`((?:wire|transport|fronts|client)/\w+\.py)`", text)):
        assert (ROOT / "src/jina" / place).exists(), place


def test_raw_requests_that_the_table_of_http_1_names_exist() -> None:
    """Each in brackets behind the test that reads them all."""
    text = (ROOT / "docs/design/http1-clauses.md").read_text()
    named = [case for cases in re.findall(r"::test_each_case` \(([^)]+)\)", text) for case in re.findall("`(.+?)`", cases)]
    assert len(named) > 50
    assert set(named) <= set(CASES), set(named) - set(CASES)
