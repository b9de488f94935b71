"""Variables in configurations: the environment, a given context, and other places of the same document.

    ${{ ENV.NAME }}, ${{ env.NAME }}      the environment; a variable that is not set stays as $NAME
    ${{ CONTEXT.name }}, ${{ name }}      the context; an unknown name stays as it is
    $NAME, ${NAME}                        the environment, the old way
    ${{root.a.b[0]}}, ${{this.key}}       another value: from the top, or beside this one; no spaces inside

Each text is read once: what a variable holds is never read for variables again, so that a secret with a `$` in it stays whole.
What references bring in is bounded together: ten references to ten references to ten, and so on, would fill any memory.
Afterwards texts that look like numbers, true, false, `[a, b]` or nothing become that.
"""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from jina.errors import ConfigError
from jina.options.values import scalar
from jina.warning import warn_user
from jina.yaml.loading import MAX_CHARACTERS

_VARIABLE = re.compile(
    r"\$\{\{\s(?:ENV|env)\.(?P<env>[a-zA-Z0-9_]+)\s\}\}"
    r"|\$\{\{\s(?:CONTEXT\.|context\.)?(?P<context>[a-zA-Z0-9_]+)\s\}\}"
    r"|\$\{(?P<braced>[a-zA-Z_][a-zA-Z0-9_]*)\}"
    r"|\$(?P<bare>[a-zA-Z_][a-zA-Z0-9_]*)"
)
_REFERENCE = re.compile(r"\$\{\{([\w\[\].]+)\}\}")
_ITEM = 100
"""What is no text counts as so many characters."""
_STEP = re.compile(r"(?:^|\.)([\w]+)|\[(\w+)\]")


class BrokenReferenceError(ConfigError, AttributeError):
    """`${{root...}}` or `${{this...}}` names a place that is not there."""


class _Pending(str):
    """A text that holds references; its variables are replaced already."""


class _Growth:
    """Counts what references bring into a document, in characters and items."""

    def __init__(self) -> None:
        self._n = 0

    def add(self, value: Any) -> Any:
        """Count a value, and give it."""
        self._n += _size(value)
        if self._n > MAX_CHARACTERS:
            raise ConfigError(f"references within the configuration grow it by more than {MAX_CHARACTERS} characters")
        return value


def substitute(data: Any, *, context: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None) -> Any:
    """A copy of `data` with all variables replaced and texts turned into what they look like.

    Raises:
        BrokenReferenceError: A reference within the document leads nowhere.
        ConfigError: References bring in more than 10 Mi characters.
    """
    environ = os.environ if environ is None else environ
    data = _map_texts(data, lambda text, here: _replace_variables(text, context or {}, environ))
    before, growth = None, _Growth()
    while data != before:
        before, data = data, _resolve(data, environ, growth)
    return _map_texts(data, lambda text, here: str(text))


def _map_texts(data: Any, change: Callable[[str, Any], Any], here: Any = None) -> Any:
    if isinstance(data, dict):
        return {key: _map_texts(value, change, data) for key, value in data.items()}
    if isinstance(data, list):
        return [_map_texts(value, change, data) for value in data]
    return change(data, here) if isinstance(data, str) else data


def _replace_variables(text: str, context: Mapping[str, Any], environ: Mapping[str, str]) -> Any:
    whole = _VARIABLE.fullmatch(text)
    if whole and whole["context"] in context:
        value = context[whole["context"]]
        return scalar(value) if isinstance(value, str) else value
    text = _VARIABLE.sub(lambda match: _value_of(match, context, environ), text)
    return _Pending(text) if _REFERENCE.search(text) else scalar(text)


def _value_of(match: re.Match[str], context: Mapping[str, Any], environ: Mapping[str, str]) -> str:
    if match["env"]:
        return environ.get(match["env"], "$" + match["env"])
    if match["context"]:
        return str(context.get(match["context"], match[0]))
    name = match["braced"] or match["bare"]
    if name not in environ:
        return match[0]
    warn_user(f"variable {match[0]!r} is written the old way; use '${{{{ ENV.{name} }}}}'", DeprecationWarning)
    return environ[name]


def _resolve(root: Any, environ: Mapping[str, str], growth: _Growth) -> Any:
    def replace(text: str, here: Any) -> Any:
        if not isinstance(text, _Pending):
            return text
        whole = _REFERENCE.fullmatch(text)
        if whole:
            value = growth.add(_look_up(whole, root, here, environ))
            return scalar(value) if whole[1].startswith("ENV.") and not isinstance(value, _Pending) else _copy(value)
        replaced = _REFERENCE.sub(lambda match: growth.add(str(_look_up(match, root, here, environ))), text)
        return _Pending(replaced) if _REFERENCE.search(replaced) else scalar(replaced)

    return _map_texts(root, replace)


def _size(value: Any) -> int:
    if isinstance(value, list):
        return _ITEM + sum(map(_size, value))
    return len(value) if isinstance(value, str) else _ITEM


def _copy(value: Any) -> Any:
    return copy.deepcopy(value) if isinstance(value, list) else value


def _look_up(match: re.Match[str], root: Any, here: Any, environ: Mapping[str, str]) -> Any:
    steps = [found[0] or found[1] for found in _STEP.findall(match[1])]
    tops = {"root": root, "this": here, "ENV": environ}
    if not steps or steps[0] not in tops:
        return _Pending(match[0])
    value = tops[steps[0]]
    for step in steps[1:]:
        try:
            value = value[int(step)] if isinstance(value, list) else value[step]
        except (KeyError, IndexError, ValueError, TypeError):
            raise BrokenReferenceError(f"reference {match[0]!r} leads nowhere: there is no {step!r}") from None
    if isinstance(value, Mapping):
        raise BrokenReferenceError(f"reference {match[0]!r} names a mapping; name one value of it")
    is_open = isinstance(value, _Pending) or (isinstance(value, list) and any(isinstance(each, _Pending) for each in value))
    return _Pending(match[0]) if is_open else value
