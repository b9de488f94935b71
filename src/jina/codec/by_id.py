"""The union of lists by their items' ids: what all forms of `join` stand on. A front loads it, so it imports no document class."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")


def by_id(branches: Iterable[Sequence[T]], id_of: Callable[[T], Hashable], update: Callable[[T, T], T]) -> list[T]:
    """Unite lists: `update` gives what becomes of two of one id; what has none (None) is united with nothing."""
    joined: list[T] = []
    places: dict[Hashable, int] = {}
    for branch in branches:
        new: dict[Hashable, int] = {}
        for item in branch:
            key = id_of(item)
            place = None if key is None else places.get(key)
            if place is None:
                new[key] = len(joined)
                joined.append(item)
            else:
                joined[place] = update(joined[place], item)
        places.update(new)
    return joined
