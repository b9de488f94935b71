"""The repeated fields and maps of message objects: lists and dicts that check what goes in and tell their message.

A change marks the owner as set, as in protobuf: `request.header.status.exception.args.append("x")` makes all four exist.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, SupportsIndex

if TYPE_CHECKING:
    from jina.codec.message_values import Message

Check = Callable[[Any], Any]


class ScalarList(list[Any]):
    """A repeated field of strings, numbers or bytes."""

    __slots__ = ("_check", "_owner")

    def __init__(self, owner: Message, check: Check) -> None:
        super().__init__()
        self._owner, self._check = owner, check

    def append(self, value: Any) -> None:
        super().append(self._check(value))
        self._owner._mark()

    def extend(self, values: Iterable[Any] | None) -> None:
        super().extend([self._check(value) for value in values or ()])
        self._owner._mark()

    def insert(self, index: SupportsIndex, value: Any) -> None:
        super().insert(index, self._check(value))
        self._owner._mark()

    def __setitem__(self, index: Any, value: Any) -> None:
        super().__setitem__(index, [self._check(each) for each in value] if isinstance(index, slice) else self._check(value))
        self._owner._mark()

    def __iadd__(self, values: Iterable[Any]) -> ScalarList:  # type: ignore[misc]
        self.extend(values)
        return self

    MergeFrom = extend

    def __reduce__(self) -> Any:
        return list, (list(self),)


class MessageList(list[Any]):
    """A repeated field of messages: `add()` makes one in place, `append` copies."""

    __slots__ = ("_make", "_owner")

    def __init__(self, owner: Message, make: type[Message]) -> None:
        super().__init__()
        self._owner, self._make = owner, make

    def add(self, **fields: Any) -> Any:
        message = self._make(**fields)
        super().append(message)
        self._owner._mark()
        return message

    def append(self, message: Any) -> None:
        super().append(self._copied(message))
        self._owner._mark()

    def extend(self, messages: Iterable[Any]) -> None:
        super().extend([self._copied(message) for message in messages])
        self._owner._mark()

    def insert(self, index: SupportsIndex, message: Any) -> None:
        super().insert(index, self._copied(message))
        self._owner._mark()

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TypeError("an element of a repeated message field cannot be replaced; change it, or use del and insert")

    def __iadd__(self, messages: Iterable[Any]) -> MessageList:  # type: ignore[misc]
        self.extend(messages)
        return self

    MergeFrom = extend

    def adopt(self, message: Message) -> None:
        """Append without copying; for who has just made the message."""
        super().append(message)

    def _copied(self, message: Any) -> Message:
        if not isinstance(message, self._make):
            raise TypeError(f"expected {self._make.__name__}, got {type(message).__name__}")
        copy = self._make()
        copy.CopyFrom(message)
        return copy

    def __reduce__(self) -> Any:
        return list, (list(self),)


class ScalarMap(dict[str, Any]):
    """A map from strings to strings or numbers."""

    __slots__ = ("_check", "_owner")

    def __init__(self, owner: Message, check: Check) -> None:
        super().__init__()
        self._owner, self._check = owner, check

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(_key(key), self._check(value))
        self._owner._mark()

    def update(self, *others: Any, **named: Any) -> None:
        for key, value in dict(*others, **named).items():
            self[key] = value

    MergeFrom = update

    def __reduce__(self) -> Any:
        return dict, (dict(self),)


class MessageMap(dict[str, Any]):
    """A map from strings to messages; reading a key that is not there makes it, as in protobuf."""

    __slots__ = ("_make", "_owner")

    def __init__(self, owner: Message, make: type[Message]) -> None:
        super().__init__()
        self._owner, self._make = owner, make

    def __missing__(self, key: str) -> Any:
        message = self._make()
        super().__setitem__(_key(key), message)
        self._owner._mark()
        return message

    def get_or_create(self, key: str) -> Any:
        return self[key]

    def __setitem__(self, key: str, value: Any) -> None:
        raise ValueError("a message in a map cannot be assigned; use map[key].CopyFrom(message)")

    def update(self, *others: Any, **named: Any) -> None:
        raise ValueError("a message in a map cannot be assigned; use map[key].CopyFrom(message)")

    def MergeFrom(self, other: Mapping[str, Any]) -> None:
        for key, message in other.items():
            self[key].CopyFrom(message)

    def adopt(self, key: str, message: Message) -> None:
        """Set without copying; for who has just made the message."""
        super().__setitem__(key, message)

    def __reduce__(self) -> Any:
        return dict, (dict(self),)


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(f"keys of this map are strings, got {key!r}")
    return key
