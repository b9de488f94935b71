"""YAML, as text from anywhere: plain values of bounded size or a ConfigError; what is written is read back as the same values."""

from __future__ import annotations

import math
from typing import Any

from jina.errors import ConfigError
from jina.yaml.loading import MAX_NODES, dump_yaml, load_yaml

MAX_BYTES = 512
HELD_FACTOR = 20_000
MAX_SECONDS = 5.0
"""PyYAML takes 10 us a byte, here three times."""
WORDS = (
    *(
        b"!Name {a: 1}",
        b"jtype: ",
        b"&a ",
        b"*a",
        b"<<: *a",
        b"on: off",
        b"? ",
        b"- ",
        b": |\n  x",
        b"!!python/object:os.system",
        b"!!set {a}",
    ),
    *(
        b"with:\n  a: 1\n",
        b"'",
        b'"',
        b"[[",
        b"{a: ",
        b"%YAML 1.1\n---\n",
        b"2024-02-29",
        b"0x1F",
        b"1:30",
        b".nan",
        b"!!binary aGk=",
        b"\xef\xbb\xbf",
    ),
)


def check(data: bytes) -> None:
    text = data.decode(errors="replace")
    try:
        value = load_yaml(text)
    except ConfigError:
        return
    assert _size(value) <= MAX_NODES
    try:
        written = dump_yaml(value)
    except ConfigError:
        return
    assert _plain(load_yaml(written)) == _plain(value), written


def _size(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + sum(map(_size, value)) + sum(map(_size, value.values()))
    return 1 + sum(map(_size, value)) if isinstance(value, list | tuple) else 1


def _plain(value: Any) -> Any:
    """Comparable: NaN equals NaN, a list equals the tuple it becomes as a key."""
    if isinstance(value, dict):
        return {_plain(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return tuple(map(_plain, value))
    return "nan" if isinstance(value, float) and math.isnan(value) else value


def seeds() -> list[bytes]:
    return [
        b"jtype: Deployment\nversion: '1'\nwith:\n  uses: MyExecutor\n  port: 12345\n  env: {A: b}\n",
        b"!MyExecutor\nwith: {a: [1, 2.5, null, true]}\nmetas:\n  name: x\nrequests:\n  on: a\n",
        b"a: &x {b: 1}\nc: *x\nd:\n  <<: *x\n  e: |\n    text\n",
        b"? [a, b]\n: 2024-02-29\n",
    ]
