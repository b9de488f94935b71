"""Where a configuration comes from: a file, a URL, text, a dict, an open stream, a class name."""

from __future__ import annotations

import copy
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from jina.errors import BadConfigSource
from jina.yaml.loading import MAX_CHARACTERS, load_yaml

_INLINE_WITH = re.compile(r"\A(\s*(?:![\w.]+|jtype:\s*[\w.]+))\s*\|\s*")
_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_URL_TIMEOUT_S = 10.0


class Source(NamedTuple):
    """A configuration as it was written: no variable replaced, nothing imported.

    Attributes:
        data: A mapping; `{"jtype": "Name"}` for a bare class name.
        path: The file it came from, absolute.
        module: To import for `jtype`, where the source was `module.sub.Class`.
    """

    data: dict[str, Any]
    path: str | None = None
    module: str = ""


def read_source(source: Any, search_paths: Iterable[str] = ()) -> Source:
    """Read a configuration, whatever it is given as.

    Raises:
        BadConfigSource: It is none of the forms that are understood, does not exist, or is empty.
        ConfigError: It is not valid YAML.
    """
    if isinstance(source, Mapping) and source:
        return Source(copy.deepcopy(dict(source)))
    if hasattr(source, "read"):
        return Source(_as_mapping(load_yaml(_text(source.read())), "the stream"), _path_of(source))
    if hasattr(source, "__fspath__"):
        source = source.__fspath__()
    if isinstance(source, str) and source.strip():
        return _read_text(source, search_paths)
    forms = "a YAML file, YAML or JSON text, a class or its name, a dict or an open file"
    raise BadConfigSource(f"{source!r} is no configuration; give {forms}{_of_object(source)}")


def _of_object(source: Any) -> str:
    """What to write where an object is given in the place of its class."""
    cls = type(source)
    return f": {cls.__name__}, not {cls.__name__}()" if cls.__module__ != "builtins" else ""


def find_file(path: str, search_paths: Iterable[str] = ()) -> str | None:
    """The absolute path of a file: searched in `search_paths`, beside the calling code, here, and in $PATH."""
    path = os.path.expanduser(path)
    if os.path.isabs(path):
        return path if os.path.exists(path) else None
    for folder in [*search_paths, *_calling_folders(), os.getcwd(), *os.environ.get("PATH", "").split(os.pathsep)]:
        candidate = os.path.join(folder, path)
        if os.path.exists(candidate):
            return os.path.abspath(candidate)
    return None


def is_yaml_path(source: str) -> bool:
    """It looks like the name of a YAML file."""
    return source.rstrip().lower().endswith((".yml", ".yaml")) and "\n" not in source.strip()


def _read_text(source: str, search_paths: Iterable[str]) -> Source:
    if source.startswith(("http://", "https://")):
        return Source(_as_mapping(load_yaml(_fetch(source)), source))
    if is_yaml_path(source):
        return _read_file(source.strip(), search_paths)
    stripped = source.lstrip()
    if stripped.startswith(("!", "jtype")):
        return Source(_as_mapping(load_yaml(_expand_inline(stripped)), "the YAML text"))
    if source.isidentifier():
        return Source({"jtype": source})
    if source.endswith(".py"):
        raise BadConfigSource(f"{source!r} is a Python file; name the class in it, and the file under 'py_modules'")
    module, _, name = source.rpartition(".")
    if name.isidentifier() and all(part.isidentifier() for part in module.split(".")):
        return Source({"jtype": name}, module=module)
    try:
        return Source(_as_mapping(json.loads(source), "the JSON text"))
    except (ValueError, RecursionError):
        raise BadConfigSource(f"{source!r} cannot be read; give a YAML file, YAML or JSON text, a class name or module.Class") from None


def _read_file(source: str, search_paths: Iterable[str]) -> Source:
    path = find_file(source, search_paths)
    if path is None:
        raise BadConfigSource(f"file {source!r} does not exist; looked beside the calling code and in {os.getcwd()!r}")
    with open(path, "rb") as file:
        return Source(_as_mapping(load_yaml(_text(file.read())), source), path)


def _expand_inline(text: str) -> str:
    """`!Name | {key: value}` is short for a mapping with `with`."""
    found = _INLINE_WITH.match(text)
    if not found:
        return text
    indent = "  " if found[1].lstrip().startswith("!") else ""
    return f"{found[1]}\n{indent}with: {text[found.end() :]}"


def _as_mapping(data: Any, where: str) -> dict[str, Any]:
    if not isinstance(data, dict) or not data:
        raise BadConfigSource(f"{where} must hold a mapping such as 'jtype: MyExecutor', got {'nothing' if not data else repr(data)[:80]}")
    return data


def _text(content: str | bytes) -> str:
    try:
        return content.decode() if isinstance(content, bytes) else content
    except UnicodeDecodeError as error:
        raise BadConfigSource(f"the configuration is not UTF-8: {error}") from None


def _path_of(stream: Any) -> str | None:
    name = getattr(stream, "name", None)
    return os.path.abspath(name) if isinstance(name, str) and os.path.exists(name) else None


def _fetch(url: str) -> str:
    from urllib.request import Request, urlopen

    try:
        with urlopen(Request(url, headers={"User-Agent": "openjina"}), timeout=_URL_TIMEOUT_S) as response:
            return str(response.read(MAX_CHARACTERS).decode())
    except OSError as error:
        raise BadConfigSource(f"{url} cannot be read: {error}") from error


def _calling_folders() -> Iterator[str]:
    frame = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if os.path.isabs(file) and not file.startswith(_OURS + os.sep):
            yield os.path.dirname(file)
        frame = frame.f_back  # type: ignore[assignment]
