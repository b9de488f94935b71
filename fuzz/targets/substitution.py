"""Variables in configurations: they end, they grow no more than they say, and a text without any stays what it is."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from jina.errors import ConfigError
from jina.options.values import scalar
from jina.yaml.substitution import substitute

MAX_BYTES = 256
HELD_FACTOR = 5_000
CONTEXT, ENVIRON = {"name": "value", "n": 5, "items": [1, "a"]}, {"HOME": "/h", "A": "$B ${{ name }}", "B": "${{root.a}}"}
WORDS = (
    *(
        b"${{ ENV.HOME }}",
        b"${{ name }}",
        b"${{ CONTEXT.n }}",
        b"$HOME",
        b"${A}",
        b"${{root.a}}",
        b"${{this.b}}",
        b"${{root.c[0]}}",
        b"${{ENV.A}}",
    ),
    *(b'{"a":"', b'","b":"', b'"c":["', b'"]}', b"${{root}}", b"${{root.c}}", b"${{ items }}", b"${{x}}"),
)


def check(data: bytes) -> None:
    text = data.decode(errors="replace")
    value: Any = {"a": text, "b": "${{root.a}}", "c": [text[::-1], "x${{this.a}}y"]}
    with suppress(ValueError, RecursionError):
        value = json.loads(text)
    if _depth(value) > 60:
        return  # YAML is not nested deeper
    try:
        found = substitute(value, context=CONTEXT, environ=ENVIRON)
    except ConfigError:
        return
    assert len(repr(found)) <= 200 + 60 * len(repr(value)) ** 2
    if isinstance(value, str) and "$" not in text:
        assert repr(found) == repr(scalar(value))


def _depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, inner), default=0)


def seeds() -> list[bytes]:
    return [
        b'{"a": "${{ ENV.HOME }}/x", "b": "${{root.a}}", "c": ["${{ name }}", "${{root.c[0]}}", "$HOME"]}',
        b'{"a": {"b": 1, "d": "x${{this.b}}y${{this.b}}"}, "c": "${{root.a.b}}"}',
        b'"${A}"',
        b"[1, 2]",
    ]
