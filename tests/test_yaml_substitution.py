"""Variables in configurations."""

from __future__ import annotations

from typing import Any

import pytest

from jina.errors import ConfigError
from jina.yaml import BrokenReferenceError, substitute

ENVIRON = {"A": "1", "HOME_DIR": "/home/x", "SECRET": "pa$A${A}ss", "LIST": "[1, b]"}


def sub(value: Any, **context: Any) -> Any:
    return substitute({"v": value}, context=context, environ=ENVIRON)["v"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${{ ENV.A }}", 1),
        ("${{ env.A }}", 1),
        ("${{ ENV.A }}_x", "1_x"),
        ("${{ ENV.HOME_DIR }}/${{ ENV.A }}", "/home/x/1"),
        ("${{ ENV.MISSING }}", "$MISSING"),
        ("${{ENV.A}}", 1),
        ("${{ ENV.SECRET }}", "pa$A${A}ss"),
        ("${{ ENV.LIST }}", [1, "b"]),
        ("${{  ENV.A  }}", "${{  ENV.A  }}"),
        ("$MISSING ${MISSING}", "$MISSING ${MISSING}"),
        ("costs 5$", "costs 5$"),
    ],
)
def test_environment(text: str, expected: Any) -> None:
    """Variables of the environment are filled in once, and what follows them stays."""
    assert sub(text) == expected


@pytest.mark.parametrize("text", ["$A", "${A}"])
def test_old_style_warns(text: str) -> None:
    """`$NAME` still works and tells the new way."""
    with pytest.warns(DeprecationWarning, match=r"\$\{\{ ENV.A \}\}"):
        assert sub(text) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${{ name }}", "n"),
        ("${{ CONTEXT.name }}-${{ context.name }}", "n-n"),
        ("${{ number }}", 5),
        ("${{ table }}", {"a": 1}),
        ("${{ unknown }}", "${{ unknown }}"),
    ],
)
def test_context(text: str, expected: Any) -> None:
    """Values that the caller of load_config gives; an unknown name stays as it is."""
    assert sub(text, name="n", number=5, table={"a": 1}) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12", 12),
        ("1e-3", 0.001),
        ("TRUE", True),
        ("", None),
        ("[a, 2.5]", ["a", 2.5]),
        ("'12'", "12"),
        ("a b", "a b"),
        ("[]", []),
    ],
)
def test_values_are_read(text: str, expected: Any) -> None:
    """Texts become numbers, booleans, lists and None, as on the command line."""
    assert sub(text) == expected


def test_references_within_the_document() -> None:
    """`root` starts at the top, `this` in the same mapping; chains resolve in three passes."""
    data = {
        "with": {"port": [1, 2], "name": "x", "twice": "${{this.name}}-${{root.with.port[1]}}"},
        "a": "${{root.b}}",
        "b": "${{root.c}}",
        "c": "${{root.with.twice}}",
        "ports": "${{root.with.port}}",
        "other": "${{what.is.this}}",
    }

    found = substitute(data, environ={})

    assert found["with"]["twice"] == "x-2"
    assert (found["a"], found["b"], found["c"]) == ("x-2", "x-2", "x-2")
    assert found["ports"] == [1, 2]
    assert found["other"] == "${{what.is.this}}"
    assert type(found["other"]) is str


@pytest.mark.parametrize("text", ["${{root.nope}}", "${{this.v.x}}", "${{root.l[7]}}", "${{ENV.MISSING}}", "${{root.v.__class__}}"])
def test_reference_that_leads_nowhere(text: str) -> None:
    """It is an AttributeError, as in Jina, and names the reference."""
    with pytest.raises(AttributeError, match="leads nowhere"):
        substitute({"v": text, "l": [1]}, environ={})


def test_reference_to_a_mapping_is_refused() -> None:
    """A whole mapping cannot stand for a value."""
    with pytest.raises(BrokenReferenceError, match="mapping"):
        substitute({"v": "${{root.m}}", "m": {"a": 1}}, environ={})


def test_the_input_is_left_alone() -> None:
    """Substitution gives a copy."""
    data = {"a": ["${{ ENV.A }}"]}
    assert substitute(data, environ=ENVIRON) == {"a": [1]}
    assert data == {"a": ["${{ ENV.A }}"]}


@pytest.mark.parametrize("kind", ["texts", "lists"])
def test_references_to_references_do_not_fill_the_memory(kind: str) -> None:
    """Ten levels that name the one below ten times would be 10 GB: the configuration is refused instead."""
    data: dict[str, object] = {"l0": "x" * 10 if kind == "texts" else ["x" * 10]}
    for level in range(1, 11):
        reference = f"${{{{root.l{level - 1}}}}}"
        data[f"l{level}"] = reference * 10 if kind == "texts" else [reference] * 10

    with pytest.raises(ConfigError, match="grow it by more than 10485760 characters"):
        substitute(data)
