"""From an HTTP request to a Call: headers, body or query."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from jina.call import Call, EndpointInfo, Payload
from jina.runtime.targets import no_endpoint
from jina.wire import content_coding, envelope
from jina.wire.buffered import Buffered
from jina.wire.content_coding import CodingError
from jina.wire.envelope import Envelope, EnvelopeError
from jina.wire.http_requests import Head

_encode = msgspec.json.encode
_decode = msgspec.json.decode


class Note:
    """What the front makes of headers, once for all requests that bring the same.

    Attributes:
        codings: What the body is folded in.
        problem: Why requests with these headers are refused, or an empty string.
        problem_status: The HTTP status that goes with it.
    """

    __slots__ = ("codings", "priority", "problem", "problem_status", "request_id", "timeout_s")

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.problem, self.problem_status, self.timeout_s, self.priority = "", 400, None, 5
        self.request_id = headers.get("x-request-id", "")
        if self.request_id and not envelope.is_request_id(self.request_id):
            self.problem, self.request_id = "X-Request-ID must have 1 to 128 visible ASCII characters", ""
        if "x-request-timeout" in headers:
            self._read_timeout(headers["x-request-timeout"])
        priority = headers.get("x-request-priority", "5")
        if len(priority) == 1 and priority in "0123456789":
            self.priority = int(priority)
        else:
            self.problem = f"X-Request-Priority must be 0 to 9, got {priority!r}"
        self.codings: tuple[str, ...] = ()
        if "content-encoding" in headers:
            try:
                self.codings = content_coding.codings_of(headers["content-encoding"])
            except CodingError as error:
                self.problem, self.problem_status = str(error), error.status

    timeout_s: float | None

    def _read_timeout(self, text: str) -> None:
        try:
            seconds = float(text)
        except ValueError:
            seconds = math.nan
        if not 0 < seconds < 1e9:
            self.problem = f"X-Request-Timeout must be seconds above 0, got {text!r}"
        else:
            self.timeout_s = seconds


def note_of(head: Head) -> Note:
    """Give the note of a head, made on its first request."""
    note = head.note
    if note is None:
        note = head.note = Note(head.headers)
    return note  # type: ignore[return-value]


async def unfolded(body: bytes, codings: Sequence[str], max_bytes: int | None, buffered: Buffered) -> tuple[bytes, int]:
    """Undo the codings of a body, in steps between which the loop goes on; gives how many bytes of `buffered` it holds, too.

    Raises:
        CodingError: It cannot be unfolded, or not within the limits.
    """
    with closing(content_coding.unfold(body, codings, max_bytes, buffered)) as steps:
        while True:
            try:
                next(steps)
            except StopIteration as end:
                found: tuple[bytes, int] = end.value
                return found
            await asyncio.sleep(0)


def read(info: EndpointInfo, body: bytes, query: str, *, is_get: bool) -> Envelope:
    """Read what a request brings for an endpoint.

    Raises:
        EnvelopeError: It cannot be read.
    """
    if info.kind != "stream":
        return envelope.read_batch(body)
    properties = info.input.get("properties", {})
    if not body and is_get:
        return _read_query(query, info.input, properties)
    found = envelope.read_one(body, info.path, properties)
    if query and "parameters" not in properties:
        pairs = dict(_pairs(query))
        if "parameters" in pairs:
            found.parameters = envelope.read_parameters(pairs["parameters"].encode(), ("query", "parameters"))
    return found


def read_named(endpoints: Mapping[str, EndpointInfo], body: bytes) -> tuple[EndpointInfo, Envelope]:
    """Read a body that names its endpoint (`execEndpoint`).

    Raises:
        EnvelopeError: It cannot be read, or there is no such endpoint.
    """

    def find(name: str) -> EndpointInfo:
        info = endpoints.get(name) or endpoints.get("/default")
        if info is None:
            raise EnvelopeError(no_endpoint("there is", name, endpoints), 404)
        return info

    found = envelope.read_message(body, lambda name: find(name).kind == "stream")
    if found is None:
        raise EnvelopeError([{"loc": ["body", "data"], "msg": "Field required", "type": "missing"}])
    return find(found.endpoint), found


def make_call(info: EndpointInfo, found: Envelope, head: Head, note: Note, request_id: str, now: float, call_id: bytes) -> Call:
    """Put the parts together; `now` is monotonic seconds."""
    is_stream = info.kind == "stream"
    return Call(
        info.path,
        Payload(found.data, "json", is_stream),
        request_id,
        found.parameters,
        head.headers,
        found.target_executor,
        None if note.timeout_s is None else now + note.timeout_s,
        note.priority,
        is_stream,
        "json",
        call_id,
    )


def _pairs(query: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=1000)
    except ValueError as error:
        raise EnvelopeError([{"loc": ["query"], "msg": str(error), "type": "query_invalid"}]) from None


def _read_query(query: str, schema: dict[str, Any], properties: Mapping[str, Any]) -> Envelope:
    document: dict[str, Any] = {}
    parameters: dict[str, Any] = {}
    for name, text in _pairs(query):
        if name == "parameters" and name not in properties:
            parameters = envelope.read_parameters(text.encode(), ("query", "parameters"))
            continue
        kinds = _kinds(properties.get(name, {}), schema, 0)
        if "array" in kinds and not text.startswith("["):
            item, known = _value(text, _kinds(properties[name].get("items", {}), schema, 0)), document.get(name)
            document[name] = [*known, item] if isinstance(known, list) else [item]
        else:
            document[name] = _value(text, kinds)
    return Envelope(_encode(document), parameters, is_bare=True)


def _kinds(field: Any, schema: dict[str, Any], depth: int) -> set[str]:
    """The JSON types that a field takes; nothing if its schema does not say."""
    if not isinstance(field, dict) or depth > 8:
        return set()
    kind = field.get("type", [])
    kinds = {kind} if isinstance(kind, str) else set(kind)
    for other in (*field.get("anyOf", ()), *field.get("allOf", ()), *field.get("oneOf", ())):
        kinds |= _kinds(other, schema, depth + 1)
    reference = field.get("$ref", "")
    if reference.startswith("#/$defs/"):
        kinds |= _kinds(schema.get("$defs", {}).get(reference[8:]), schema, depth + 1)
    return kinds


def _value(text: str, kinds: set[str]) -> Any:
    """Text where text is taken, else the JSON value that it spells."""
    if not kinds or "string" in kinds:
        return text
    try:
        return _decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text
