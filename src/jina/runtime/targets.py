"""Which executors a caller's `target_executor` means, and what an endpoint that is not there was probably meant to be.

Jina runs it as a regular expression. Callers write it, and a regular expression can keep a process busy for hours, so here it is a small
part of that language which is matched in linear time: letters, digits, `_`, `-`, `/`, then `.` for one character, `.*` for any, `|`
between alternatives, `^` and `$` around one. As with `re.match` the beginning of a name is enough. Any other text must be an executor's
name; if it is none, the caller is told so, for documents that come back as they were would look like an answer.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from jina.errors import InvalidInputError

MAX_CHARACTERS = 128
_MAX_SHOWN = 256
_IS_SIMPLE = re.compile(r"(?:[A-Za-z0-9_/|^$-]|\.\*?)*").fullmatch


def is_target(pattern: str, names: Iterable[str]) -> bool:
    """Whether a pattern means one of these names.

    Raises:
        InvalidInputError: It is neither a name nor a pattern that is understood.
    """
    names = tuple(names)
    if pattern in names:
        return True
    if len(pattern) > MAX_CHARACTERS or _IS_SIMPLE(pattern) is None:
        raise InvalidInputError(
            f"target_executor {pattern[:MAX_CHARACTERS]!r} is neither the name of an executor nor a pattern that is understood: "
            f"up to {MAX_CHARACTERS} letters, digits and _ - /, . for any one, .* for any number, | between and ^ $ around alternatives"
        )
    return any(_matches(alternative, name) for alternative in pattern.split("|") for name in names)


def _matches(pattern: str, name: str) -> bool:
    pattern, is_whole = pattern.removeprefix("^"), pattern.endswith("$")
    pattern = pattern.removesuffix("$")
    if "^" in pattern or "$" in pattern:
        return False
    first, *others = pattern.split(".*")
    if not _stands_at(first, name, 0):
        return False
    at = len(first)
    if is_whole and not others:
        return at == len(name)
    for piece in others[:-1] if is_whole else others:
        found = next((start for start in range(at, len(name) - len(piece) + 1) if _stands_at(piece, name, start)), None)
        if found is None:
            return False
        at = found + len(piece)
    last = len(name) - len(others[-1]) if is_whole else at
    return last >= at and (not is_whole or _stands_at(others[-1], name, last))


def _stands_at(piece: str, name: str, start: int) -> bool:
    """Whether a piece, whose dots are any character, stands at this place of a name."""
    return start + len(piece) <= len(name) and all(want in (".", name[start + at]) for at, want in enumerate(piece))


def no_endpoint(where: str, endpoint: str, paths: Iterable[str]) -> str:
    """Say that something (`there is`, `executor 'x' has`) has no such endpoint, which it has, and which is the nearest.

    An endpoint may be as long as a message: only its beginning is compared and told.
    """
    known = [path for path in paths if not path.strip("/").startswith("_jina")]
    near = difflib.get_close_matches(endpoint[:_MAX_SHOWN], known, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}? it has" if near else "; it has"
    return f"{where} no endpoint {endpoint[:_MAX_SHOWN]!r}{hint} {', '.join(map(repr, known))}"
