"""The conditions of `when`: which documents come to a node of a Flow, in the MongoDB-like words of Jina and docarray.

    {"price": {"$gte": 3, "$lt": 9}}                                  several operators of a field must all hold
    {"$or": [{"tags__color": {"$eq": "red"}}, {"text": {"$exists": False}}]}
    {"price": {"$lt": "{limit}"}}                                     compared with another field of the same document

A condition is read once, into functions. A field that a document does not have holds for no operator but `$exists`; None holds where it is
compared for being equal or among others.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

from jina.errors import ConfigError, InvalidInputError

Condition = Callable[[Any], bool]

_MISSING: Final = object()
_ANOTHER_FIELD: Final = re.compile(r"\{\s*([A-Za-z0-9_]+)\s*\}")


def _matches(value: Any, pattern: Any) -> bool:
    return re.search(pattern, value) is not None


_OF_ANY: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "$eq": operator.eq,
    "$neq": operator.ne,
    "$in": lambda value, among: value in among,
    "$nin": lambda value, among: value not in among,
}
_OF_SOMETHING: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
    "$regex": _matches,
    "$size": lambda value, size: len(value) == size,
}
_LOGICAL: Final[Mapping[str, Callable[[Sequence[Condition], Any], bool]]] = {
    "$and": lambda parts, doc: all(part(doc) for part in parts),
    "$or": lambda parts, doc: any(part(doc) for part in parts),
    "$not": lambda parts, doc: not all(part(doc) for part in parts),
}
_OPERATORS: Final = (*_OF_ANY, *_OF_SOMETHING, "$exists")
_WHAT: Final = {"$exists": "True or False", "$in": "a list", "$nin": "a list", "$regex": "a regular expression", "$size": "a whole number"}


def condition(when: Any) -> Condition:
    """Read a condition: a mapping, or a list of which all must hold.

    Raises:
        ConfigError: It is none; the text names the operator or the field.
    """
    return _joined("$and", _parts(when))


def _parts(when: Any) -> list[Condition]:
    if isinstance(when, Mapping):
        return [part for key, value in when.items() for part in _entry(key, value)]
    if isinstance(when, Sequence) and not isinstance(when, str | bytes):
        return [condition(each) for each in when]
    raise ConfigError(f"a condition is {{field: {{operator: value}}}}, got {when!r}")


def _entry(key: Any, value: Any) -> list[Condition]:
    if key in _LOGICAL:
        return [_joined(key, _parts(value))]
    if not isinstance(key, str) or key.startswith("$"):
        raise _unknown(key, (*_LOGICAL, *_OPERATORS))
    return _of_field(key, value)


def _of_field(field: str, operators: Any) -> list[Condition]:
    if not isinstance(operators, Mapping) or not operators:
        raise ConfigError(f"the condition on {field!r} is {{{field!r}: {{operator: value}}}}, got {operators!r}")
    found = []
    for name, value in operators.items():
        if name in _LOGICAL:
            alternatives = [value] if isinstance(value, Mapping) else value
            if not isinstance(alternatives, Sequence) or isinstance(alternatives, str):
                raise ConfigError(f"the condition on {field!r}: {name} takes {{operator: value}}, or a list of them, got {value!r}")
            found.append(_joined(name, [part for each in alternatives for part in _of_field(field, each)]))
        elif name in _OPERATORS:
            found.append(_comparison(field, name, value))
        else:
            raise _unknown(name, (*_OPERATORS, *_LOGICAL))
    return found


def _joined(name: str, parts: Sequence[Condition]) -> Condition:
    if len(parts) == 1 and name != "$not":
        return parts[0]
    join = _LOGICAL[name]
    return lambda doc: join(parts, doc)


def _comparison(field: str, name: str, value: Any) -> Condition:
    other = _another_field(field, value)
    if other is None:
        _check(field, name, value)
    path = field.split("__")
    if name == "$exists":
        return lambda doc: (_get(doc, path) is not _MISSING) is value
    compare, takes_none = (_OF_ANY[name], True) if name in _OF_ANY else (_OF_SOMETHING[name], False)

    def holds(doc: Any) -> bool:
        found = _get(doc, path)
        if found is _MISSING or (found is None and not takes_none):
            return False
        wanted = value if other is None else _or_none(_get(doc, other))
        try:
            return bool(compare(found, wanted))
        except Exception as error:
            raise InvalidInputError(
                f"`when`: {field!r} of a document, {found!r}, cannot be compared by {name} with {wanted!r}: {error}"
            ) from error

    return holds


def _another_field(field: str, value: Any) -> list[str] | None:
    """The path of the field that a value in braces stands for."""
    if not isinstance(value, str) or not value.startswith("{"):
        return None
    match = _ANOTHER_FIELD.fullmatch(value)
    if match is None:
        raise ConfigError(f"the condition on {field!r}: {value!r} is no name of a field in braces, such as '{{price}}'")
    return match[1].split("__")


def _check(field: str, name: str, value: Any) -> None:
    kinds: dict[str, Any] = {"$exists": bool, "$in": list | tuple | set | frozenset | str, "$size": int, "$regex": str}
    kinds["$nin"] = kinds["$in"]
    if isinstance(value, kinds.get(name, object)):
        if name != "$regex":
            return
        try:
            re.compile(value)
            return
        except re.error:
            pass
    raise ConfigError(f"the condition on {field!r}: {name} takes {_WHAT[name]}, got {value!r}")


def _get(doc: Any, path: Sequence[str]) -> Any:
    """Go down a path of names, keys and places."""
    for part in path:
        try:
            if isinstance(doc, Mapping):
                doc = doc[part]
            elif isinstance(doc, Sequence) and part.isdecimal():
                doc = doc[int(part)]
            else:
                doc = getattr(doc, part)
        except (AttributeError, LookupError):
            return _MISSING
    return doc


def _or_none(value: Any) -> Any:
    return None if value is _MISSING else value


def _unknown(name: Any, known: Sequence[str]) -> ConfigError:
    near = get_close_matches(str(name), known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
    return ConfigError(f"the operator {name!r} of a condition is not known; {hint}")
