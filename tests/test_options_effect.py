"""No option is accepted in silence and then forgotten."""

from __future__ import annotations

import re
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import jina
from jina.errors import NotSupportedError
from jina.options import ClientOptions, DeploymentOptions, FlowOptions, arguments_of

_PACKAGE = Path(jina.__file__).parent
_SOURCES = {path: path.read_text() for path in _PACKAGE.rglob("*.py") if path.parent.name != "options"}
_ALL: list[tuple[Any, str]] = [(kind, name) for kind in (DeploymentOptions, FlowOptions, ClientOptions) for name in arguments_of(kind)]


@pytest.mark.parametrize(("options", "name"), _ALL)
def test_every_option_is_read_by_some_code_or_said_to_be_inactive(options: Any, name: str) -> None:
    """An option occurs in code outside the options, is listed as inactive, or asks for what is always so."""
    read_as = {"timeout_ready": "timeout_ready_s", "timeout_send": "timeout_send_s", "port": "ports"}.get(name, name)
    words = re.compile(rf"""\.{read_as}\b|['"]{read_as}['"]""")

    is_read = any(words.search(text) for text in _SOURCES.values())

    assert is_read or name in (*options.INACTIVE, *options.LATER, *options.ALWAYS_SO)


@pytest.mark.parametrize(("options", "name"), [(options, name) for options, name in _ALL if name in options.INACTIVE])
def test_an_inactive_option_warns_unless_it_is_left_at_its_default(options: Any, name: str) -> None:
    """One warning names what was given in vain; the default is silent."""
    argument = arguments_of(options)[name]
    candidates = (7, "x", {"a": "b"}, True, "ALL", "HOST", "GATEWAY", "HANG", ["7"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        options.from_kwargs(**{name: argument.default})
    for raw in candidates:
        try:
            if argument.parse(raw) == argument.default:
                continue
        except (ValueError, TypeError, KeyError, AttributeError):
            continue
        with pytest.warns(UserWarning, match=f"without effect in this release: {name}$"), suppress(NotSupportedError):
            options.from_kwargs(**{name: raw})
        return
    raise AssertionError(f"no value of {candidates} fits {name}")


def test_no_compression_is_what_happens_anyway() -> None:
    """Saying NoCompression deserves no warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        DeploymentOptions.from_kwargs(compression="NoCompression")
