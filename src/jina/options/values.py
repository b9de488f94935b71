"""From what people write (Python values, YAML scalars, command-line words) to the values that option classes hold.

Each function takes one raw value and gives the typed one, or raises ValueError with a text that says what was expected; the caller
adds the option's name. Strings and numbers are interchangeable, as in Jina, where every argument went through the command line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from jina.enums import BetterEnum, PollingType, ProtocolType

_TRUE, _FALSE = frozenset({"true", "yes", "on", "1"}), frozenset({"false", "no", "off", "0", ""})
_SIZES = {"": 1, "b": 1, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "kb": 10**3, "mb": 10**6, "gb": 10**9}
_MAX_DEPTH = 64
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([a-z]*)")


def scalar(text: str, depth: int = 0) -> Any:
    """What a word stands for where no type is known: int, float, true/false, `[a, b]`, a quoted string; empty is None."""
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    if text.startswith("[") and text.endswith("]") and depth < _MAX_DEPTH:
        inner = text[1:-1].strip()
        return [scalar(part.strip(), depth + 1) for part in inner.split(",")] if inner else []
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return {"": None, "true": True, "false": False}.get(text.lower(), text)


def anything(value: Any) -> Any:
    """The value as it is."""
    return value


def text(value: Any) -> str:
    """A string; numbers are written out."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if hasattr(value, "__fspath__"):
        return str(value.__fspath__())
    raise ValueError(f"expected a string, got {value!r}")


def integer(value: Any) -> int:
    """A whole number, also as a string."""
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    try:
        number = float(value) if isinstance(value, float | str) else None
        if number is not None and number == int(number):
            return int(value) if isinstance(value, str) and "." not in value and "e" not in value.lower() else int(number)
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"expected a whole number, got {value!r}")


def seconds(value: Any) -> float | None:
    """Seconds; None, "none" and -1 mean without limit."""
    if value is None or (isinstance(value, str) and value.strip().lower() == "none"):
        return None
    try:
        number = float(value) if not isinstance(value, bool) else float("nan")
    except (TypeError, ValueError):
        number = float("nan")
    if number != number:
        raise ValueError(f"expected a number of seconds, got {value!r}")
    return None if number == -1 else number


def count(value: Any) -> int | None:
    """A number of things; None, "none" and -1 mean without limit."""
    if value is None or (isinstance(value, str) and value.strip().lower() == "none"):
        return None
    number = integer(value)
    return None if number == -1 else number


def size(value: Any) -> int | None:
    """A number of bytes, also as '100 MiB'; None, "none" and -1 mean without limit."""
    if isinstance(value, str):
        found = _SIZE.fullmatch(value.strip().lower())
        if found and found[2] in _SIZES:
            with suppress(ValueError, OverflowError):  # too many digits for an int, or for a float
                return int(float(found[1]) * _SIZES[found[2]]) if "." in found[1] else int(found[1]) * _SIZES[found[2]]
    try:
        return count(value)
    except ValueError:
        raise ValueError(f"expected a number of bytes such as 1048576 or '1 MiB', got {value!r}") from None


def flag(value: Any) -> bool:
    """Yes or no, also as a word."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower() if isinstance(value, str | int) else "?"
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise ValueError(f"expected true or false, got {value!r}")


def strings(value: Any) -> tuple[str, ...]:
    """A list of strings; one string is a list of one."""
    return tuple(text(each) for each in _items(value))


def hosts(value: Any) -> tuple[str, ...]:
    """Host names: one, several, or separated by commas."""
    return tuple(text(each).strip().rstrip("/") for each in _split(value))


def ports(value: Any) -> tuple[int, ...]:
    """Port numbers: one, several, or separated by commas."""
    return tuple(integer(each) for each in _split(value))


def protocols(value: Any) -> tuple[ProtocolType, ...]:
    """Protocols: one, several, or separated by commas; in any case."""
    return tuple(_protocol(each, "ssl_certfile and ssl_keyfile give TLS") for each in _split(value))


def protocol(value: Any) -> ProtocolType:
    """The protocol of a client, in any case."""
    return _protocol(value, "tls=True gives TLS")


def _protocol(value: Any, tls: str) -> ProtocolType:
    if isinstance(value, ProtocolType):
        return value
    try:
        return ProtocolType.from_string(str(value))
    except ValueError as error:
        raise ValueError(f"{error}; {tls}" if str(value).lower() in ("https", "grpcs", "wss", "websockets") else str(error)) from None


def mapping(value: Any) -> dict[str, Any]:
    """Keys and values: a mapping, a JSON object, or words such as `KEY: VALUE` and `KEY=VALUE`."""
    if isinstance(value, Mapping):
        return {key if isinstance(key, str) else str(key): each for key, each in value.items()}
    result: dict[str, Any] = {}
    for word in _items(value):
        result.update(mapping(word) if isinstance(word, Mapping) else _pair(word))
    return result


def polling(value: Any) -> str | dict[str, str]:
    """`ANY`, `ALL`, or a mapping from endpoints (and `*`) to one of them."""
    if isinstance(value, PollingType):
        return _polling_name(value.name)
    if isinstance(value, Mapping):
        return {str(key): _polling_name(str(each)) for key, each in value.items()}
    word = str(value).strip()
    if word.startswith("{"):
        return polling(mapping(word))
    return _polling_name(word)


def protocol_map_or_ports(value: Any) -> Any:
    """A list of ports, or a mapping from shards to lists of ports."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        value = mapping(value)
    return {str(key): ports(each) for key, each in value.items()} if isinstance(value, Mapping) else ports(value)


def enum_of(kind: type[BetterEnum]) -> Any:
    """A function that reads a member of `kind`, by name or as itself."""

    def parse(value: Any) -> BetterEnum:
        return value if isinstance(value, kind) else kind.from_string(str(value))

    parse.__name__ = kind.__name__
    return parse


def _polling_name(word: str) -> str:
    name = word.strip().upper()
    if name not in ("ANY", "ALL"):
        raise ValueError(f"expected ANY or ALL, got {word!r}")
    return name


def _pair(word: Any) -> dict[str, Any]:
    if not isinstance(word, str):
        raise ValueError(f"expected a mapping, a JSON object or KEY=VALUE, got {word!r}")
    try:
        loaded = json.loads(word)
    except (ValueError, RecursionError):
        key, separator, value = _partition(word)
        if separator:
            return {key: scalar(value.strip())}
    else:
        if isinstance(loaded, dict):
            return loaded
    raise ValueError(f"expected a mapping, a JSON object or KEY=VALUE, got {word!r}")


def _partition(word: str) -> tuple[str, str, str]:
    found = re.search(r"[:=]", word)
    return (word[: found.start()].strip(), found[0], word[found.end() :]) if found else (word, "", "")


def _items(value: Any) -> Iterable[Any]:
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        return (value,)
    return value


def _split(value: Any) -> list[Any]:
    found: list[Any] = []
    for item in _items(value):
        if isinstance(item, str):
            text = item.strip()
            is_listed = text.startswith("[") and text.endswith("]") and text.count("[") == 1
            found += [part.strip() for part in (text[1:-1] if is_listed else text).split(",") if part.strip()]
        else:
            found.append(item)
    return found
