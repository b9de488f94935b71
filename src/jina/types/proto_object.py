"""What all of Jina's wrapper objects around a protobuf message share."""

from __future__ import annotations

import json
from typing import Any

from jina.codec.message_text import to_dict
from jina.codec.message_values import Message


class ProtoObject:
    """A message with Python manners: unknown attributes are those of the message."""

    _message: Message | None = None

    @property
    def proto(self) -> Any:
        """The protobuf message; changes to it are changes of this object."""
        return self._message

    def to_dict(self, **options: Any) -> dict[str, Any]:
        """The message in protobuf's JSON form, keys as in the .proto file; `use_integers_for_enums=True` gives enums as numbers."""
        return to_dict(self.proto, names=True, numbers=bool(options.get("use_integers_for_enums")))  # type: ignore[no-any-return]

    def to_json(self) -> str:
        """The message in protobuf's JSON form, indented, keys sorted."""
        return json.dumps(to_dict(self.proto, names=True), indent=2, sort_keys=True)

    def to_bytes(self) -> bytes:
        """The message serialised."""
        return self.proto.SerializeToString()  # type: ignore[no-any-return]

    __bytes__ = to_bytes

    @property
    def nbytes(self) -> int:
        """Length of the serialised message."""
        return len(self.to_bytes())

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.proto, name)

    def __eq__(self, other: object) -> bool:
        return self.proto == other.proto if isinstance(other, ProtoObject) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        names = tuple(field.name for field, _ in self.proto.ListFields())
        return f"<{type(self).__module__}.{type(self).__qualname__} {names} at {id(self)}>"
