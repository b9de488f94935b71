"""Configurations as whole: sources of text, and a Deployment's options from any values; what was read can be told, and read again."""

from __future__ import annotations

import io
import json
from typing import Any

from fuzz.choices import Choices
from jina.errors import BadConfigSource, ConfigError, NotSupportedError
from jina.options.deployment import DeploymentOptions
from jina.options.table import arguments_of
from jina.yaml.source import is_yaml_path, read_source

MAX_BYTES = 192
HELD_FACTOR = 20_000
MAX_SECONDS = 5.0
NAMES = tuple(arguments_of(DeploymentOptions))
VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    1.5,
    65536,
    "",
    "none",
    "a",
    "1 MiB",
    "http",
    ["grpc", "http"],
    {"a": 1},
    [],
    [None],
    {},
    1e400,
    float("nan"),
    "-1",
    "[1, 2]",
)
WORDS = (b"jtype: Deployment", b"!Name | {a: 1}", b"with: {", b'{"jtype": "A"}', b"module.Class", b"a.py")


def check(data: bytes) -> None:
    _check_source(data)
    choices, given = Choices(data), dict[str, Any]()
    while not choices.is_empty and len(given) < 20:
        name, kind = choices.pick(NAMES), choices.number(len(VALUES) + 2)
        given[name] = VALUES[kind] if kind < len(VALUES) else _value(choices.string())
    try:
        options = DeploymentOptions.from_mapping(given, environ={})
    except (ConfigError, NotSupportedError):
        return
    told = options.to_dict()
    assert repr(DeploymentOptions.from_mapping(told, environ={})) == repr(options), told
    options.front_options()


def _value(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text.decode("latin-1")


def _check_source(data: bytes) -> None:
    text = data.decode("latin-1")
    for source in (io.BytesIO(data), text):
        if source is text and (is_yaml_path(text) or text.startswith("http")):
            continue
        try:
            found = read_source(source)
        except (ConfigError, BadConfigSource):
            continue
        assert isinstance(found.data, dict)
        assert found.data


def seeds() -> list[bytes]:
    texts = ("jtype: Deployment\nwith: {uses: A}", "!A | {a: 1}", "module.Class", '{"jtype": "A", "with": {}}', "MyExecutor")
    return [text.encode() for text in texts] + [bytes((index, kind)) for index in range(0, 160, 9) for kind in (4, 7, 13)]
