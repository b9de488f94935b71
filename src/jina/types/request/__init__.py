"""`Request`, the base of DataRequest, Response and SingleDocumentRequest."""

from __future__ import annotations

import copy
import json
import secrets
import traceback
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from jina.codec.message_text import from_dict, to_dict
from jina.codec.message_values import Message, message_class
from jina.codec.messages import Envelope, read_status
from jina.codec.struct import dict_to_struct, struct_to_dict
from jina.errors import BadRequestType, JinaError, MalformedError
from jina.types.proto_object import ProtoObject

__all__ = ["Request"]


class Request(ProtoObject):
    """A request message that is taken apart no further than somebody asks.

    Made from bytes it keeps them, and reads the envelope, the parameters or the documents when they are first wanted. As soon as the
    message itself is asked for (`proto`, `header`, `status`, `routes`, or setting anything) that message is what counts.
    """

    _proto_name: ClassVar[str]

    def __init__(self, request: Any = None) -> None:
        """Wrap a message.

        Args:
            request: The message, its bytes, its JSON form as a dict or string, or None for a new one with a random id.

        Raises:
            BadRequestType: Anything else, or a value that does not fit.
        """
        self._buffer: bytes | None = None
        self._read: Envelope | None = None
        self._message: Message | None = None
        self._data: Any = None
        if isinstance(request, bytes):
            self._buffer = request
            return
        try:
            self._message = self._message_of(request)
        except (JinaError, TypeError, ValueError) as error:
            raise BadRequestType(f"fail to construct a {type(self)} object from {request!r}: {error}") from error

    def _message_of(self, request: Any) -> Message:
        make = message_class(self._proto_name)
        if isinstance(request, make):
            return request
        message = make()
        if request is None:
            message.header.request_id = secrets.token_hex(16)
        elif isinstance(request, dict):
            from_dict(request, message)
        elif isinstance(request, str):
            from_dict(json.loads(request), message)
        else:
            raise TypeError(f"expected a {make.__name__}, dict, JSON string, bytes or None, got {type(request).__name__}")
        return message

    @classmethod
    def from_proto(cls, request: Any) -> Self:
        """Wrap a message, without copying it."""
        return cls(request)

    # the three forms

    @staticmethod
    def _split(data: bytes) -> Envelope:
        raise NotImplementedError

    def _envelope(self) -> Envelope | None:
        """The parts of the bytes, or None once the message itself counts."""
        if self._message is not None or self._buffer is None:
            return None
        if self._read is None:
            self._read = self._checked(self._split)
        return self._read

    def _checked(self, read: Any) -> Any:
        try:
            return read(self._buffer)
        except MalformedError as error:
            raise BadRequestType(f"these bytes are no {self._proto_name}: {error}") from error

    @property
    def proto(self) -> Any:
        """The protobuf message; from now on changes to it are changes of this request."""
        if self._message is None:
            self._message = self._checked(message_class(self._proto_name).FromString)
            self._buffer = self._read = None
        return self._message

    proto_wo_data = proto
    proto_with_data = proto

    @property
    def is_decompressed(self) -> bool:
        """Whether the bytes were parsed."""
        return self._message is not None

    is_decompressed_with_data = is_decompressed

    def to_bytes(self) -> bytes:
        """The message serialised; as it came, if nobody asked for more than parts of it."""
        return self._buffer if self._buffer is not None else self.proto.SerializeToString()

    __bytes__ = to_bytes

    # parts

    @property
    def header(self) -> Any:
        """`request_id`, `status`, `exec_endpoint`, `target_executor`."""
        return self.proto.header

    @property
    def request_id(self) -> str:
        """The id that the client gave the request."""
        envelope = self._envelope()
        return envelope.request_id if envelope else self.proto.header.request_id

    @property
    def status(self) -> Any:
        """`code` (0: success, 1: error), `description` and `exception` of the header."""
        return self.proto.header.status

    @property
    def is_error(self) -> bool:
        """Whether the status is an error; cheaper than `status.code`."""
        envelope = self._envelope()
        if envelope is None:
            return bool(self.proto.header.status.code)
        return bool(envelope.status) and read_status(envelope.status).is_error

    @property
    def routes(self) -> Any:
        """Who handled the request, from when to when."""
        return self.proto.routes

    @property
    def last_executor(self) -> str | None:
        """Name of the last stop, None if there was none."""
        routes = self.proto.routes
        return routes[-1].executor if routes else None

    def add_executor(self, executor_name: str) -> None:
        """Append a stop without times."""
        self.proto.routes.add(executor=executor_name)

    @property
    def parameters(self) -> dict[str, Any]:
        """A new dict at each reading; numbers are floats."""
        envelope = self._envelope()
        if envelope is not None:
            return struct_to_dict(envelope.parameters)
        return to_dict(self.proto.parameters)  # type: ignore[no-any-return]

    @parameters.setter
    def parameters(self, value: Any) -> None:
        """Replace them by a mapping, a pydantic model, or None for none."""
        if value is not None and not isinstance(value, Mapping):
            value = dict(value)
        parameters = self.proto.parameters
        parameters.ParseFromString(dict_to_struct(value or {}))

    def add_exception(self, ex: BaseException, executor: Any = None) -> None:
        """Make the status an error that tells of an exception, and of the Executor that raised it."""
        fill_status(self.proto.header.status, ex, type(executor).__name__ if executor else "")

    def to_dict(self, **options: Any) -> dict[str, Any]:
        """The message in protobuf's JSON form, enums as numbers; the documents as documents."""
        shown: dict[str, Any] = {}
        for field, value in self.proto.ListFields():
            if field.number <= 3:
                shown[field.name] = [_shown(route) for route in value] if field.is_repeated else _shown(value)
        return shown

    def __copy__(self) -> Self:
        return type(self)(self.proto)

    def __deepcopy__(self, _: Any) -> Self:
        return type(self)(self._buffer if self._buffer is not None else copy.deepcopy(self.proto))

    def __reduce__(self) -> Any:
        kept = {name: value for name, value in self.__dict__.items() if not name.startswith("_") and value is not None}
        return type(self), (self.to_bytes(),), kept


def _shown(message: Message) -> Any:
    return to_dict(message, names=True, numbers=True)


def fill_status(status: Any, ex: BaseException, executor: str = "") -> None:
    """Make a StatusProto an error that tells of an exception."""
    status.code = 1
    status.description = repr(ex)
    status.exception.name = type(ex).__name__
    if executor:
        status.exception.executor = executor
    status.exception.args.extend([str(arg) for arg in ex.args])
    status.exception.stacks.extend(traceback.format_exception(ex))
