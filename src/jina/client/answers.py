"""A reply as a client sees it: its documents, its Response object, whether it tells of a failure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from jina.client.documents import ReturnType
from jina.client.failures import (
    FailedHttpError,
    FailedReply,
    HttpError,
    LateError,
    LateRefusedError,
    NoEndpointError,
    RefusedError,
    RpcError,
    UnreachableError,
    failure,
    streams,
    unreadable,
)
from jina.codec.messages import Envelope, StatusParts, read_document_request, read_request, read_status
from jina.errors import BadRequestType, MalformedError
from jina.transport.http_client import HttpResponse
from jina.wire.status import GrpcStatus, nearest_grpc_status


class Answer:
    """The reply to one request.

    Attributes:
        is_error: An executor failed, or did not get what it takes: callbacks may take it.
        remark: What a success says beside its documents: that there is no such endpoint, for one, so that they came back as they were.
    """

    is_error: bool = False
    remark: str = ""

    def docs(self, wanted: ReturnType) -> list[Any]:
        """The documents.

        Raises:
            MalformedError, InvalidInputError: They are not of that class.
        """
        raise NotImplementedError

    def response(self, wanted: ReturnType) -> Any:
        """The reply as a `jina.types.request.data.Response`."""
        raise NotImplementedError

    def error(self, wanted: ReturnType) -> Exception:
        """What to raise where nobody takes the failure."""
        raise NotImplementedError


class GrpcAnswer(Answer):
    """A DataRequestProto.

    Attributes:
        request_id: Of the request that it answers; empty where the peer does not say.

    Raises:
        ServiceError: It is none.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._envelope, self.is_error, self.remark = _read(read_request, data)
        self.request_id = self._envelope.request_id
        self._response: Any = None

    def docs(self, wanted: ReturnType) -> list[Any]:
        envelope = self._envelope
        if self._response is not None or envelope.docs_bytes is not None:
            return list(self.response(wanted).docs)
        return wanted.read("decode_proto", envelope.docs, self.remark) if envelope.docs else []

    def response(self, wanted: ReturnType) -> Any:
        if self._response is None:
            from jina.types.request.data import Response

            self._response = Response(self._data)
            self._response.document_array_cls = _response_class(wanted)
        return self._response

    def error(self, wanted: ReturnType) -> Exception:
        return failed_reply(self.response(wanted).header, read_status(self._envelope.status))


class StreamedGrpc(Answer):
    """One document of a stream, in a SingleDocumentRequestProto.

    Raises:
        ServiceError: It is none.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._envelope, self.is_error, self.remark = _read(read_document_request, data)

    def docs(self, wanted: ReturnType) -> list[Any]:
        data = self._envelope.docs
        return [] if data is None else [wanted.read("decode_proto_one", data, self.remark)]

    def error(self, wanted: ReturnType) -> Exception:
        from jina.types.request.data import SingleDocumentRequest

        return failed_reply(SingleDocumentRequest(self._data).header, read_status(self._envelope.status))


def _read(read: Callable[[bytes], Envelope], data: bytes) -> tuple[Envelope, bool, str]:
    """Read a message; also tells whether its status is a failure, or else what it remarks."""
    try:
        envelope = read(data)
        if not envelope.status:
            return envelope, False, ""
        status = read_status(envelope.status)
        return envelope, status.is_error, "" if status.is_error else status.description
    except MalformedError as error:
        raise unreadable(error) from error


class _Body(msgspec.Struct):
    """What a service answers over HTTP."""

    data: msgspec.Raw = msgspec.Raw(b"[]")
    parameters: dict[str, Any] | None = None
    header: dict[str, Any] | None = None
    routes: list[Any] | None = None


_read_body = msgspec.json.Decoder(_Body).decode
_NO_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class HttpAnswer(Answer):
    """A response to a POST. 500, 400 and 422 are an executor's failures; other statuses are raised as they come."""

    def __init__(self, response: HttpResponse, path: str, request_id: str) -> None:
        self._status, self._content, self._request_id = response.status, response.body, request_id
        self.is_error = response.status in (400, 422, 500)
        if not self.is_error and not 200 <= response.status < 300:
            raise http_failure(response.status, response.body, path)
        if response.headers.get("content-type", "").startswith("text/event-stream"):
            raise streams(path)
        self._body = _Body()
        if not self.is_error:
            try:
                self._body = _read_body(response.body)
            except _NO_JSON as error:
                raise self._no_reply(error) from None
        self._path = path
        self._response: Any = None

    def docs(self, wanted: ReturnType) -> list[Any]:
        data = bytes(self._body.data)
        return wanted.read("decode_json", b"[" + data + b"]" if data[:1] == b"{" else data) if data not in (b"[]", b"null") else []

    def response(self, wanted: ReturnType) -> Any:
        if self._response is None:
            from jina.types.request.data import Response

            try:
                self._response = made = Response(self._message())
            except BadRequestType as error:
                raise self._no_reply(error) from None
            made.document_array_cls = _response_class(wanted)
            made.direct_docs = wanted.make(self.docs(wanted))
            if self.is_error:
                made.header.status.code, made.header.status.description = 1, _detail(self._content)
        return self._response

    def _no_reply(self, error: Exception) -> RpcError:
        return failure(HttpError, _json_or_text(self._content), details=f"the answer is not a reply: {error}")

    def _message(self) -> dict[str, Any]:
        body = self._body
        header = {"request_id": self._request_id, **_snake(body.header or {})}
        return {"header": header, "parameters": body.parameters or {}, **({"routes": body.routes} if body.routes else {})}

    def error(self, wanted: ReturnType) -> Exception:
        return http_failure(self._status, self._content, self._path)


def _response_class(wanted: ReturnType) -> Any:
    return wanted.item if wanted.list_type is list else wanted.list_type


def _snake(header: dict[str, Any]) -> dict[str, Any]:
    names = {"requestId": "request_id", "targetExecutor": "target_executor", "execEndpoint": "exec_endpoint"}
    return {names.get(name, name): value for name, value in header.items() if value is not None}


def failed_reply(header: Any, status: StatusParts) -> RpcError:
    """Make the error for a reply whose header tells of a failure."""
    error = failure(FailedReply, header, status=GrpcStatus.UNKNOWN, details=status.description)
    assert isinstance(error, FailedReply)
    error.reply_status = status
    return error


def http_failure(status: int, content: bytes, path: str) -> RpcError:
    """Make the error for an HTTP status that is no success."""
    body = _json_or_text(content)
    detail = _detail(content)
    number = nearest_grpc_status(status)
    error: RpcError
    if status == 404:
        hint = body.get("hint") if isinstance(body, dict) else None
        text = f"no such endpoint {path}" + (f"; {hint}" if isinstance(hint, str) else "")
        error = failure(NoEndpointError, text, status=number, details=detail)
    elif status in (503, 504):
        described = "description" in _status_in(body)
        kinds = (RefusedError, UnreachableError) if status == 503 else (LateRefusedError, LateError)
        error = failure(kinds[described], detail if described else body, status=number, details=detail)
    else:
        has_failed = status == 500 and isinstance(body, dict) and "detail" in body
        error = failure(FailedHttpError if has_failed else HttpError, body, status=number, details=detail)
    error.http_status = status
    return error


def _json_or_text(content: bytes) -> Any:
    try:
        return msgspec.json.decode(content)
    except _NO_JSON:
        return content.decode("utf-8", "replace")


def dry_run_failure(content: bytes) -> str:
    """Why a dry run over HTTP failed, from the status that is its answer; empty if it did not."""
    status = _json_or_text(content)
    if not isinstance(status, dict) or status.get("code") not in (1, "ERROR"):
        return ""
    return str(status.get("description") or "the dry run failed")


def _status_in(body: Any) -> dict[str, Any]:
    """Jina's status in a reply's body; whoever answered may be a proxy, or anybody."""
    header = body.get("header") if isinstance(body, dict) else None
    status = header.get("status") if isinstance(header, dict) else None
    return status if isinstance(status, dict) else {}


def _dotted(loc: Any) -> str:
    return ".".join(map(str, loc)) if isinstance(loc, list) else str(loc or "")


def _detail(content: bytes) -> str:
    """What a body says, as a sentence: of findings where and what, without the rest."""
    body = _json_or_text(content)
    if isinstance(body, dict):
        body = _status_in(body).get("description") or body.get("detail", body)
    if isinstance(body, list) and body and all(isinstance(one, dict) and "msg" in one for one in body):
        return "; ".join(f"{one['msg']} - at `{_dotted(one.get('loc'))}`" for one in body)
    return body if isinstance(body, str) else msgspec.json.encode(body).decode()
