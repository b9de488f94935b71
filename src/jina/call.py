"""What travels inside: a Handler turns a Call into a Reply.

These are plain values (msgspec structs: built in C, no validation of their own). Fronts make Calls from bytes and bytes from
Replies; everything between them is a Handler, so handlers nest and stand in for each other. Nothing here knows a protocol.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol

import msgspec

from jina.errors import Code

DIALECT = ("jina-dialect", "1")
"""The metadata with which gRPC peers tell each other that they read `ours`; the number rises with every new type string."""


class Payload(msgspec.Struct, gc=False):
    """Documents as bytes, and in which encoding.

    Attributes:
        data: The documents. `json`: a JSON array (or one JSON object if `is_single`). `strict` and `ours`: a serialised
            `DocListProto` (or one `DocProto` if `is_single`) in docarray's dialect or in ours.
            Large ones in a binary encoding may be `codec.pieces`: for passing on, or for `placed`.
        encoding: `"json"`, `"strict"` or `"ours"`.
        is_single: One document rather than a list: what streaming endpoints take and give.
    """

    data: bytes
    encoding: str = "json"
    is_single: bool = False


class Status(msgspec.Struct):
    """Why a call failed. Success has no Status.

    Attributes:
        code: Protocol-independent; `wire/status.py` maps it.
        description: For people; what Jina calls `header.status.description` (`repr` of the exception for an executor's error).
        name, args, stacks, executor: The exception's class name, `str` of each of its arguments, traceback lines as
            `traceback.format_exception` gives them, and the Executor's class name. Empty where no user code ran.
        details: Findings of a validation, each with `loc`, `msg`, `type`; `loc` begins at the documents list or at `parameters`.
        retry_after_s: When to try again, where that is known.
        http_status, grpc_status: What the exception itself asked for (see `runtime/invoke.py`); they go before what `code` maps to.
    """

    code: Code
    description: str = ""
    name: str = ""
    args: list[str] = []
    stacks: list[str] = []
    executor: str = ""
    details: list[dict[str, Any]] = []
    retry_after_s: float | None = None
    http_status: int | None = None
    grpc_status: int | None = None


class Route(msgspec.Struct):
    """One stop of a call: who, and from when to when (Unix seconds)."""

    executor: str
    start_s: float
    end_s: float
    is_failed: bool = False


class Call(msgspec.Struct):
    """One request inside the framework.

    Attributes:
        endpoint: As the caller wrote it, e.g. `/embed`.
        payload: The documents, still encoded. Empty data means no documents.
        request_id: 1-128 visible ASCII characters; the caller's, else ours. Not unique: callers repeat theirs.
        parameters: JSON values; numbers are floats, as in protobuf's Struct.
        headers: What the caller sent beside the documents (HTTP headers or gRPC metadata), names in lower case.
        target_executor: A regular expression over executor names; empty means all.
        deadline: Monotonic clock (`time.monotonic()`), None for none.
        priority: 0 (first to be shed) to 9.
        is_stream: The caller wants documents one by one, as they are produced.
        wants: The encoding of the reply's documents.
        call_id: 16 random bytes drawn by the first front; makes ids of documents that come without one.
        branches: Where branches of a flow meet: the documents of each, by the node they come from, in the order in which they are joined.
            `payload` is empty then.
        keeps_branches: The method gets them as they are (`docs_matrix`, `docs_map`), not joined.
    """

    endpoint: str
    payload: Payload
    request_id: str = ""
    parameters: dict[str, Any] = {}
    headers: Mapping[str, str] = {}
    target_executor: str = ""
    deadline: float | None = None
    priority: int = 5
    is_stream: bool = False
    wants: str = "json"
    call_id: bytes = b""
    branches: tuple[tuple[str, Payload], ...] = ()
    keeps_branches: bool = False


class Item(msgspec.Struct):
    """One element of a streamed reply: a document, or the failure of one (the stream may go on after it)."""

    payload: Payload | None = None
    status: Status | None = None


class Reply(msgspec.Struct):
    """The answer to a Call.

    Attributes:
        status: None means success.
        payload: The documents of an unary reply; after a failure the input's, or None.
        items: A streamed reply instead: must be iterated to its end or closed (`aclose`) by whoever got it.
        parameters: What the reply's `parameters` shall say: the request's own, plus `__results__` where methods returned dicts.
        routes: The stops behind the front, in graph order.
        description: A remark on success, e.g. the nearest name of an unknown endpoint.
        headers: Names and values to send beside the documents (HTTP headers, gRPC trailing metadata).
    """

    status: Status | None = None
    payload: Payload | None = None
    items: AsyncIterator[Item] | None = None
    parameters: dict[str, Any] = {}
    routes: list[Route] = []
    description: str = ""
    headers: dict[str, str] = {}


class Handler(Protocol):
    """The one callable. Cancelling the task that awaits it, or closing `Reply.items`, means that the caller has gone.

    It gives every failure of a call as a Reply with a Status; what it raises (other than CancelledError) is a bug.

    A front runs it in a task of its own, unless it has an attribute `needs_task` that is False: such a Handler waits for nothing but
    `transport.run.Waiter`s before it awaits `transport.run.as_task()`, and so do all Handlers that it calls.
    """

    async def __call__(self, call: Call) -> Reply: ...


class EndpointInfo(msgspec.Struct):
    """What a front must know of an endpoint, as plain values (made in the worker, which alone imports the user's classes).

    Attributes:
        path: As bound, e.g. `/embed`.
        kind: `"batch"`, `"single"` or `"stream"`.
        input, output: JSON Schema (2020-12, pydantic v2 style, `$defs`) of ONE document.
        input_name, output_name: Class names of the documents.
        parameters: JSON Schema of the pydantic model of `parameters`, or None; `parameters_name` its class name.
        is_parameters_required: The model has fields without a default.
        is_write: The method carries `@write`.
        is_output_declared: The method says what it gives; else `output` is a guess, the input's.
        has_aliases: A field of the documents has another name in JSON than between executors.
        takes_headers: The method names `headers`; they are not passed on otherwise.
        discovery: What `endpoint_discovery` of a worker says of it (JSON values, pydantic v1 schema dialect).
        is_idle: It gives back documents of any kind as they are (`/default` of an Executor without methods), so a flow need not ask it.
    """

    path: str
    kind: str
    input: dict[str, Any] = {}
    output: dict[str, Any] = {}
    input_name: str = ""
    output_name: str = ""
    parameters: dict[str, Any] | None = None
    parameters_name: str = ""
    is_parameters_required: bool = False
    is_write: bool = False
    takes_headers: bool = True
    discovery: dict[str, Any] = {}
    is_idle: bool = False
    is_output_declared: bool = True
    has_aliases: bool = False
