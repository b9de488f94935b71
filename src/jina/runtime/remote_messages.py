"""Calls as Jina's messages, and what an executor elsewhere says of itself and of calls as ours: strings of bytes in, plain values out."""

from __future__ import annotations

from typing import Any

from jina.call import Call, EndpointInfo, Payload, Reply, Status
from jina.codec.messages import (
    header_bytes,
    read_document_request,
    read_request,
    read_status,
    request_message,
    write_document_request,
)
from jina.codec.pieces import Message
from jina.codec.schema_v1 import from_v1
from jina.codec.service_messages import read_endpoints
from jina.codec.struct import dict_to_struct, struct_to_dict
from jina.errors import Code, MalformedError
from jina.parameters import RESULTS

DEFAULT = "/default"


def write_request(call: Call) -> Message:
    """A call with binary documents as DataRequestProto; for a stream as SingleDocumentRequestProto.

    Raises:
        UnencodableError: The parameters are not JSON's.
    """
    header = header_bytes(call.request_id, call.endpoint)
    parameters = dict_to_struct(call.parameters) if call.parameters else b""
    documents = call.payload.data or None
    if call.is_stream:
        return write_document_request(header, parameters, b"", documents)
    return request_message(header, parameters, b"", documents)


def read_reply(data: bytes, encoding: str) -> Reply:
    """A DataRequestProto as a Reply; its parameters are the `__results__`, if there are any.

    Raises:
        MalformedError, InvalidInputError: Not such a message.
    """
    envelope = read_request(data)
    if envelope.docs_bytes is not None:
        raise MalformedError("the reply's documents are in docarray's own binary form, not in DocListProto")
    status, description = _read_status(envelope.status)
    results = struct_to_dict(envelope.parameters).get(RESULTS) if envelope.parameters else None
    parameters = {RESULTS: results} if isinstance(results, dict) and results else {}
    return Reply(status, Payload(envelope.docs or b"", encoding), parameters=parameters, description=description)


def read_item(data: bytes, encoding: str) -> tuple[Status | None, Payload | None, str]:
    """A SingleDocumentRequestProto of a stream as status, document and remark.

    Raises:
        MalformedError: Not such a message.
    """
    envelope = read_document_request(data)
    status, description = _read_status(envelope.status)
    return status, None if envelope.docs is None else Payload(envelope.docs, encoding, True), description


def _read_status(data: bytes) -> tuple[Status | None, str]:
    """Give the failure that a StatusProto tells, or None and what a success remarks."""
    if not data:
        return None, ""
    found = read_status(data)
    if not found.is_error:
        return None, found.description
    return Status(Code.EXECUTOR_FAILED, found.description, found.name, found.args, found.stacks, found.executor), ""


def read_discovery(data: bytes) -> list[EndpointInfo]:
    """What an EndpointsProto says, a worker's or a gateway's; of endpoints without a schema little more than the path.

    Raises:
        MalformedError, InvalidInputError: Not such a message.
    """
    found = read_endpoints(data)
    writes = frozenset(found.write_endpoints)
    return [_info(path, _dict(found.schemas.get(path)), is_write=path in writes) for path in dict.fromkeys(found.endpoints)]


def default_endpoint() -> EndpointInfo:
    """What is known of a service that does not tell its endpoints: as Jina has it, that it takes calls to all of them."""
    return EndpointInfo(DEFAULT, "batch", takes_headers=False)


def _info(path: str, schema: dict[str, Any], *, is_write: bool) -> EndpointInfo:
    given, returned, parameters = (_dict(schema.get(side)) for side in ("input", "output", "parameters"))
    model = _dict(parameters.get("model"))
    is_stream, is_single = bool(schema.get("is_generator")), bool(schema.get("is_singleton_doc"))
    told = {
        "input": {"name": _name_of(given), "model": _model_of(given)},
        "output": {"name": _name_of(returned), "model": _model_of(returned)},
        "is_generator": is_stream,
        "is_singleton_doc": is_single,
        "parameters": {"name": _name_of(parameters) or None, "model": model or None},
    }
    return EndpointInfo(
        path,
        "stream" if is_stream else "single" if is_single else "batch",
        from_v1(_model_of(given)),
        from_v1(_model_of(returned)),
        _name_of(given),
        _name_of(returned),
        from_v1(model) if model else None,
        _name_of(parameters),
        bool(model.get("required")),
        is_write,
        False,
        told if schema else {},
        is_output_declared=given != returned,  # it need not say that it gives something else
    )


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _model_of(side: dict[str, Any]) -> dict[str, Any]:
    """The schema of one side, in pydantic v1's dialect: a worker tells it as `model`, a gateway in place."""
    return _dict(side.get("model", side))


def _name_of(side: dict[str, Any]) -> str:
    name = side.get("name", side.get("title"))
    return name if isinstance(name, str) else ""
