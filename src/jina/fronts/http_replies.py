"""From a Reply, a failure or a page to the bytes of an HTTP response."""

from __future__ import annotations

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from jina.call import Reply, Status
from jina.errors import Code
from jina.observe.info import environment, versions
from jina.wire.content_coding import ACCEPTED
from jina.wire.envelope import EnvelopeError
from jina.wire.http_requests import Head
from jina.wire.status import HTTP_STATUS

encode = msgspec.json.encode
_LINES = {status.value: b"HTTP/1.1 %d %b\r\n" % (status.value, status.phrase.encode()) for status in HTTPStatus}
JSON = b"application/json"
_RESERVED = frozenset({"content-length", "transfer-encoding", "connection", "content-type", "x-request-id", "date"})


def status_line(status: int) -> bytes:
    """The first line of a response."""
    return _LINES.get(status) or b"HTTP/1.1 %d \r\n" % status


def documents_body(reply: Reply, header: dict[str, Any] | None = None) -> bytes:
    """Put the documents, which are JSON already, between the keys of a reply."""
    payload = reply.payload
    data = payload.data if payload is not None and payload.data else b"[]"
    parameters = encode(reply.parameters) if reply.parameters else b"{}"
    if header is None:
        return b"".join((b'{"data":', data, b',"parameters":', parameters, b"}"))
    return b'{"data":%b,"parameters":%b,"header":%b}' % (data, parameters, encode(header))


def detail_body(detail: Any) -> bytes:
    """FastAPI's shape of a failure."""
    return encode({"detail": detail})


def failure(status: Status, prefix: tuple[str, ...] = ("body", "data"), flow_request_id: str = "") -> tuple[int, bytes, bytes]:
    """Give HTTP status, body and further header lines for a failed call.

    Args:
        status: Of the call.
        prefix: Where the documents stand in what the caller sent.
        flow_request_id: Of a call to a Flow, which says in `header` too that a node cannot be reached, or was too late.
    """
    number = status.http_status or HTTP_STATUS.get(status.code, 500)
    detail: Any = status.description or status.code.value
    if status.code is Code.INVALID_INPUT and status.details and status.http_status is None:
        detail = [_located(finding, prefix) for finding in status.details]
    if status.retry_after_s is not None and math.isfinite(status.retry_after_s):
        lines = b"retry-after: %d\r\n" % max(1, math.ceil(status.retry_after_s))
    else:
        lines = lines_for(number)
    if number == 401:
        lines += b"www-authenticate: Bearer\r\n"
    if flow_request_id and number in (503, 504):
        header = {"request_id": flow_request_id, "status": _status(status)}
        return number, encode({"detail": detail, "header": header}), lines
    return number, detail_body(detail), lines


def status_body(status: Status | None) -> bytes:
    """Jina's StatusProto as JSON."""
    return encode({"code": 0, "description": "", "exception": None} if status is None else _status(status))


def info_body() -> bytes:
    """Versions and environment, as `/status` tells them."""
    return encode({"jina": versions(), "envs": environment()})


def _status(status: Status) -> dict[str, Any]:
    exception = {"name": status.name, "args": status.args, "stacks": status.stacks, "executor": status.executor}
    return {"code": 1, "description": status.description, "exception": exception}


def refusal(status: int, detail: str) -> tuple[int, bytes, bytes]:
    """Give status, body and further header lines for a request that nobody has read."""
    return status, detail_body(detail), lines_for(status)


def lines_for(status: int) -> bytes:
    """Header lines that a status asks for by itself: when to come again, or what may be sent instead."""
    if status in (429, 503):
        return b"retry-after: 1\r\n"
    return b"accept-encoding: %b\r\n" % ACCEPTED.encode() if status == 415 else b""


def envelope_failure(error: EnvelopeError) -> tuple[int, bytes]:
    """Give HTTP status and body for a request that cannot be read."""
    return error.status, detail_body(error.detail)


def header_lines(headers: Mapping[str, str]) -> bytes:
    """Further header lines; names and values that would break the framing are left out."""
    return b"".join(
        f"{name}: {value}\r\n".encode("latin-1", "replace")
        for name, value in headers.items()
        if name.lower() not in _RESERVED and name.replace("-", "").replace("_", "").isalnum() and name.isascii() and _is_clean(value)
    )


def _is_clean(value: str) -> bool:
    return not any(character in value for character in "\r\n\0")


def _located(finding: Mapping[str, Any], prefix: tuple[str, ...]) -> dict[str, Any]:
    loc = list(finding.get("loc", ()))
    before = ["body"] if loc[:1] == ["parameters"] else list(prefix)
    return {**finding, "loc": [*before, *loc]}


def cors_lines(head: Head) -> bytes:
    """Header lines that let the page of another origin read the reply."""
    origin = head.headers.get("origin")
    if origin is None:
        return b""
    return b"access-control-allow-origin: %b\r\naccess-control-allow-credentials: true\r\nvary: origin\r\n" % origin.encode("latin-1")
