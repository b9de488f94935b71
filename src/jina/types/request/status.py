"""`StatusMessage`: the answer to a dry run."""

from __future__ import annotations

import json
from typing import Any

from jina.codec.message_text import from_dict
from jina.codec.message_values import Message, message_class
from jina.errors import BadRequestType, JinaError
from jina.types.proto_object import ProtoObject
from jina.types.request import fill_status


class StatusMessage(ProtoObject):
    """A StatusProto with Python manners."""

    def __init__(self, status_object: Any = None) -> None:
        """Wrap a StatusProto, its bytes, its JSON form as a dict or string, or None for a success.

        Raises:
            BadRequestType: Anything else, or a value that does not fit.
        """
        try:
            self._message = _message_of(status_object)
        except (JinaError, TypeError, ValueError) as error:
            raise BadRequestType(f"fail to construct a {type(self)} object from {status_object!r}: {error}") from error

    def set_exception(self, ex: BaseException) -> None:
        """Become an error that tells of an exception."""
        fill_status(self.proto, ex)

    def set_code(self, code: int) -> None:
        """Set the code, e.g. `jina_pb2.StatusProto.ERROR`."""
        self.proto.code = code


def _message_of(value: Any) -> Message:
    make = message_class("jina.StatusProto")
    if isinstance(value, make):
        return value
    if isinstance(value, bytes):
        return make.FromString(value)
    message = make()
    if isinstance(value, dict):
        from_dict(value, message)
    elif isinstance(value, str):
        from_dict(json.loads(value), message)
    elif value is not None:
        raise TypeError(f"expected a StatusProto, dict, JSON string, bytes or None, got {type(value).__name__}")
    return message
