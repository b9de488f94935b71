"""The envelope of a JSON request: reads `data`, `parameters` and `header` and leaves the documents as bytes.

msgspec splits the top level into raw values in C. It takes duplicate keys (the last wins) and passes invalid UTF-8 inside raw values, so
both are checked here: a body whose length is exactly that of its keys and values, written compactly, has no duplicate; any other
is walked over its top level, value by value, with the lengths that are already known. Documents are never parsed.
"""

from __future__ import annotations

import contextlib
import json
import re
from array import array
from collections.abc import Callable, Container, Sequence
from itertools import accumulate
from typing import Any, Final

import msgspec

_TOP: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ANY: Final = msgspec.json.Decoder()
_DEEP: Final = "the nesting is too deep"
_SPACE: Final = b" \t\r\n"
_KEY: Final = re.compile(rb'[ \t\r\n]*("(?:[^"\\]|\\.)*")[ \t\r\n]*:[ \t\r\n]*', re.DOTALL)
_AFTER: Final = re.compile(rb"[ \t\r\n]*([,}])")
_REQUEST_ID: Final = re.compile(r"[!-~]{1,128}", re.ASCII)
_STRING: Final = re.compile(rb'"(?:[^"\\]++|\\.?)*+"?', re.DOTALL)  # never goes back: what has no end is a string too
_ALL_BUT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_STEPS: Final = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")  # as signed bytes: one up, one down
_MAX_DEPTH: Final = 64
_MAX_VALUES: Final = 100_000
_ENVELOPE_KEYS: Final = frozenset({"data", "parameters", "header", "execEndpoint"})


class EnvelopeError(Exception):
    """The body is not a request.

    Attributes:
        status: HTTP status, 422 or 400.
        detail: FastAPI's list of findings, or a text.
        request_id: Of a message whose header can be read.
    """

    request_id = ""

    def __init__(self, detail: list[dict[str, Any]] | str, status: int = 422) -> None:
        super().__init__(detail)
        self.detail, self.status = detail, status


class Envelope(msgspec.Struct, gc=False):
    """What a body holds.

    Attributes:
        data: A JSON array of documents, or one document where that was asked for.
        parameters: Numbers are floats, as in protobuf's Struct.
        is_bare: The body is the document itself.
        endpoint: Of a message that names one.
        timeout_s: Of a message that brings one.
    """

    data: bytes
    parameters: dict[str, Any] = {}
    request_id: str = ""
    target_executor: str = ""
    is_bare: bool = False
    endpoint: str = ""
    timeout_s: float | None = None


def read_batch(body: bytes) -> Envelope:
    """Read the body of a POST to an endpoint that takes a list of documents; one document becomes a list of one.

    Raises:
        EnvelopeError: Not JSON, not an object, a key twice, or a part of the wrong type.
    """
    return _batch(_read_object(body))


def _batch(top: dict[str, msgspec.Raw]) -> Envelope:
    raw = top.get("data")
    if raw is None:
        raise _finding(("body", "data"), "Field required", "missing")
    data = bytes(raw)
    first = data[:1]
    if first == b"{":
        data = b"[" + data + b"]"
    elif first != b"[":
        raise _finding(("body", "data"), "Input should be a document or a list of documents", "list_type")
    return _fill(Envelope(data), top) if len(top) > 1 else Envelope(data)


def read_one(body: bytes, endpoint: str, properties: Container[str] = ()) -> Envelope:
    """Read the body for a streaming endpoint: the bare document, or an envelope with one.

    Args:
        body: JSON.
        endpoint: What errors call the endpoint.
        properties: Field names of the document. A body that has only these is the document, whatever they are called.
    """
    top = _read_object(body)
    is_envelope = "data" in top and top.keys() <= _ENVELOPE_KEYS and not all(key in properties for key in top)
    if not is_envelope:
        return Envelope(body.strip(_SPACE), is_bare=True)
    return _one(top, endpoint)


def _one(top: dict[str, msgspec.Raw], endpoint: str) -> Envelope:
    data = bytes(top.get("data", b""))
    if data[:1] != b"{":
        raise _finding(("body", "data"), f"endpoint {endpoint!r} streams; call it with stream_doc, or with one document", "model_type")
    return _fill(Envelope(data), top)


def read_message(body: bytes, is_stream: Callable[[str], bool]) -> Envelope | None:
    """Read JSON that names its endpoint (a message of a WebSocket, the body of `/post`); None for `{}`, which says that no more come.

    Args:
        body: JSON.
        is_stream: Whether an endpoint takes one document, and not a list.

    Raises:
        EnvelopeError: As `read_batch`.
    """
    top = _read_object(body)
    if not top:
        return None
    try:
        endpoint = _endpoint(top)
        found = _one(top, endpoint) if is_stream(endpoint) else _batch(top)
        found.endpoint = endpoint
        if "targetExecutor" in top:  # where Jina's generic gateway has it
            found.target_executor = (
                _text({"targetExecutor": _decode(top["targetExecutor"], ("body", "targetExecutor"))}, "targetExecutor", "") or ""
            )
        if "timeout" in top:
            found.timeout_s = _read_timeout(top["timeout"])
        return found
    except EnvelopeError as error:
        with contextlib.suppress(EnvelopeError):
            error.request_id = _fill(Envelope(b""), {name: raw for name, raw in top.items() if name == "header"}).request_id
        raise


def _endpoint(top: dict[str, msgspec.Raw]) -> str:
    raw = top.get("execEndpoint", top.get("exec_endpoint"))
    name = None if raw is None else _decode(raw, ("body", "execEndpoint"))
    if not isinstance(name, str | None):
        raise _finding(("body", "execEndpoint"), "Input should be a valid string", "string_type")
    return "/" + (name or "default").strip("/")


def _read_timeout(raw: msgspec.Raw) -> float | None:
    seconds = _decode(raw, ("body", "timeout"))
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < 1e9:
        raise _finding(("body", "timeout"), "Input should be seconds above 0", "float_type")
    return float(seconds)


def read_parameters(raw: bytes | msgspec.Raw, loc: Sequence[str] = ("body", "parameters")) -> dict[str, Any]:
    """Read a JSON object (or null) with its numbers as floats; more values than the caller's neighbours can wait for are refused."""
    text = bytes(raw)
    if len(text) > _MAX_VALUES and text.count(b",") + text.count(b"{") + text.count(b"[") > _MAX_VALUES:
        raise _finding(loc, f"parameters may hold {_MAX_VALUES} values; send more as documents", "too_long")
    value = _decode(raw, loc)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _finding(loc, "Input should be a valid dictionary", "dict_type")
    try:
        return {key: _with_floats(item) for key, item in value.items()}
    except OverflowError:
        raise _finding(loc, "Input should fit a 64-bit float", "float_type") from None
    except RecursionError:
        raise _finding(loc, _DEEP, "recursion") from None


def read_documents(raw: bytes) -> bytes:
    """Read documents that no executor will read, and give them as clean JSON: nothing that a reader could stumble over is passed on."""
    try:
        clean = msgspec.json.encode(_decode(raw, ()))
    except (RecursionError, ValueError):
        raise _finding((), _DEEP, "recursion") from None
    if raw.count(b":") != clean.count(b":") or b"\\u003" in raw:  # a member that was lost takes its colon along; one may be escaped
        json.loads(raw, object_pairs_hook=_each_key_once, parse_int=str, parse_float=str)
    return clean


def _each_key_once(members: list[tuple[str, Any]]) -> None:
    seen = set[str]()
    for key, _ in members:
        if key in seen:
            raise _finding((), f"key {key!r} is given twice", "duplicate_key")
        seen.add(key)


def is_request_id(text: str) -> bool:
    """Whether a caller's request id may be used: 1 to 128 visible ASCII characters."""
    return _REQUEST_ID.fullmatch(text) is not None


def _read_object(body: bytes) -> dict[str, msgspec.Raw]:
    if not body.isascii():
        _check_utf8(body)
    try:
        top = _TOP.decode(body)
    except msgspec.ValidationError:
        raise _finding(("body",), "Input should be a JSON object", "model_attributes_type") from None
    except RecursionError:
        raise _finding(("body",), _DEEP, "recursion") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        if not body.strip(_SPACE):
            raise _finding(("body",), "Field required", "missing") from None
        raise _finding(("body",), f"JSON decode error: {error}", "json_invalid") from None
    compact = 1 + 4 * len(top)
    for key, raw in top.items():
        compact += len(key) + memoryview(raw).nbytes
    if compact != len(body) and top:
        _refuse_duplicates(body, top)
    return top


def _check_utf8(body: bytes) -> None:
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise _finding(("body",), f"JSON decode error: invalid UTF-8 at byte {error.start}", "json_invalid") from None


def _refuse_duplicates(body: bytes, top: dict[str, msgspec.Raw]) -> None:
    """Walk over the members; a value other than the one that msgspec kept for its key has been overwritten by a later one."""
    at, seen = body.index(b"{") + 1, set[str]()
    while True:
        match = _KEY.match(body, at)
        if match is None:
            raise _finding(("body",), "Input should be a JSON object", "json_invalid")
        key, at = _ANY.decode(match[1]), match.end()
        value = bytes(top[key])
        after = _AFTER.match(body, at + len(value)) if key not in seen and body.startswith(value, at) else None
        if after is None:
            raise _finding(("body", key), f"key {key!r} is given twice", "duplicate_key")
        seen.add(key)
        if after[1] == b"}":
            return
        at = after.end()


def _fill(envelope: Envelope, top: dict[str, msgspec.Raw]) -> Envelope:
    raw = top.get("parameters")
    if raw is not None:
        envelope.parameters = read_parameters(raw)
    raw = top.get("header")
    if raw is not None:
        _fill_header(envelope, _decode(raw, ("body", "header")))
    return envelope


def _fill_header(envelope: Envelope, header: Any) -> None:
    if header is None:
        return
    if not isinstance(header, dict):
        raise _finding(("body", "header"), "Input should be a valid dictionary", "dict_type")
    request_id = _text(header, "requestId", "request_id")
    if request_id is not None:
        if not is_request_id(request_id):
            raise EnvelopeError("header.requestId must have 1 to 128 visible ASCII characters", 400)
        envelope.request_id = request_id
    envelope.target_executor = _text(header, "targetExecutor", "target_executor") or ""


def _text(header: dict[str, Any], camel: str, snake: str) -> str | None:
    value = header.get(camel)
    if value is None:
        value = header.get(snake)
    if value is not None and not isinstance(value, str):
        raise _finding(("body", "header", camel), "Input should be a valid string", "string_type")
    return value


def _decode(raw: bytes | msgspec.Raw, loc: Sequence[str]) -> Any:
    if _is_too_deep(bytes(raw)):
        raise _finding(loc, _DEEP, "recursion")
    try:
        return _ANY.decode(raw)
    except RecursionError:
        raise _finding(loc, _DEEP, "recursion") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _finding(loc, f"JSON decode error: {error}", "json_invalid") from None


def _is_too_deep(raw: bytes) -> bool:
    """Whether values are nested more than 64 deep; what is not JSON may pass."""
    if raw.count(b"[") + raw.count(b"{") <= _MAX_DEPTH:
        return False
    steps = array("b", _STRING.sub(b"", raw).translate(_STEPS, _ALL_BUT_BRACKETS))
    return max(accumulate(steps), default=0) > _MAX_DEPTH


def _with_floats(value: Any) -> Any:
    kind = type(value)
    if kind is int:
        return float(value)
    if kind is dict:
        return {key: _with_floats(item) for key, item in value.items()}
    if kind is list:
        return [_with_floats(item) for item in value]
    return value


def _finding(loc: Sequence[str | int], msg: str, kind: str) -> EnvelopeError:
    return EnvelopeError([{"loc": list(loc), "msg": msg, "type": kind}])
