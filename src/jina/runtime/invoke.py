"""Calling a method as Jina's contract says: what it is given, what it may give back, and what its failures look like.

Pure functions: no IO, no threads, no codec on the way of a call. The worker decodes, picks the thread or loop, calls these, and encodes.
Documents come in as a list that fits the endpoint's `input` and go out as a list; a caller has the time of a microsecond here.

An exception may carry a status for the caller: raise a class of `jina.errors` (`InvalidInputError`: 422, `OverloadedError`: 503), or any
exception with an attribute `http_status` (an int from 400 to 599) or `grpc_status` (1 to 16), or both. Its `str()` is then the text
that the caller reads. Everything else that a method raises is a failed executor: HTTP 500, and over gRPC an answer with an ERROR header.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, closing, nullcontext, suppress
from typing import Any
from weakref import WeakSet

from jina.call import Status
from jina.caller import caller_gone, gone_flag, gone_scope
from jina.endpoint import Endpoint
from jina.errors import CallerError, Code, InvalidInputError, JinaError, OverloadedError
from jina.executor import BaseExecutor
from jina.executor.decorators import DEFAULT_ENDPOINT
from jina.hints import is_document_class
from jina.parameters import merge_parameters
from jina.runtime.describe import endpoint_infos

__all__ = [
    "Branched",
    "Endpoint",
    "arguments",
    "call",
    "call_async",
    "caller_gone",
    "encoded_class",
    "endpoint_infos",
    "find_endpoint",
    "finish_batch",
    "gone_flag",
    "gone_scope",
    "merge_parameters",
    "status_of",
    "stream",
    "stream_async",
]

_MAX_TEXT, _MAX_ARGUMENTS, _MAX_LINES = 8192, 32, 64
"""How much of a user's exception travels to its caller: characters of a text, arguments, traceback entries at either end."""
_NO_HEADERS: Mapping[str, str] = {}
Outcome = tuple[Any, dict[str, Any] | None]
"""Documents, and what a method that returned a dict said (for `parameters["__results__"]`), or None."""


class Branched(list[Any]):
    """Documents of several nodes in one list, for a method that takes them unjoined.

    Attributes:
        branches: The same documents by who gave them.
    """

    def __init__(self, branches: Mapping[str, list[Any]]) -> None:
        super().__init__(doc for branch in branches.values() for doc in branch)
        self.branches = branches


def find_endpoint(executor: BaseExecutor, path: str) -> Endpoint | None:
    """Give the endpoint of a path, else `/default`, else None."""
    found = executor.requests
    return found.get(path) or found.get(DEFAULT_ENDPOINT)


def arguments(
    endpoint: Endpoint,
    docs: list[Any],
    parameters: dict[str, Any],
    headers: Mapping[str, str] = _NO_HEADERS,
    *,
    docs_matrix: Sequence[Any] | None = None,
    docs_map: Mapping[str, Any] | None = None,
    tracing_context: Any = None,
) -> dict[str, Any]:
    """Give the keyword arguments of a call; `doc` is added by who goes through the documents.

    Args:
        endpoint: What is called.
        docs: The call's documents, of class `endpoint.input`.
        parameters: As merged for this executor (`merge_parameters`).
        headers: The caller's; handed over only to a method that names them.
        docs_matrix: The lists of several branches; None makes it of `docs`, and stays where there are none, as in Jina.
        docs_map: The same by the name of who sent them; None makes it of `docs`.
        tracing_context: OpenTelemetry's, if traces are on.

    Raises:
        InvalidInputError: The parameters do not fit the endpoint's model; `loc` begins with `parameters`.
    """
    made = endpoint.make_list(docs)
    if docs.__class__ is Branched:
        docs_map = {name: endpoint.make_list(branch) for name, branch in docs.branches.items()}
        docs_matrix = [*docs_map.values()] if docs else None
    read = endpoint.read_parameters
    if docs_matrix is None and docs:
        docs_matrix = [made]
    return endpoint.make_arguments(
        made,
        parameters if read is None else read(parameters),
        headers,
        docs_matrix,
        {endpoint.source: made} if docs_map is None else docs_map,
        tracing_context,
    )


def call(
    executor: BaseExecutor, endpoint: Endpoint, docs: list[Any], parameters: dict[str, Any], headers: Mapping[str, str] = _NO_HEADERS
) -> Outcome:
    """Call a `def` method that does not stream.

    Args:
        executor: Whose method it is.
        endpoint: A batch endpoint is called once, a single-document one for each document in order.
        docs: Documents of class `endpoint.input`.
        parameters: The node's; a dict under the executor's own name (`metas.name`) is laid on top.
        headers: The caller's.

    Raises:
        InvalidInputError: The parameters do not fit the endpoint's model.
        TypeError: The method returned something that is no answer.
        Exception: Whatever the method raises; later documents are not tried.
    """
    kwargs = arguments(endpoint, docs, _own(executor, parameters) if parameters else {}, headers)
    fn = endpoint.fn
    if endpoint.kind == "batch":
        return finish_batch(endpoint, kwargs["docs"], fn(executor, **kwargs))
    return [_finish_single(endpoint, doc, fn(executor, doc=doc, **kwargs)) for doc in docs], None


async def call_async(
    executor: BaseExecutor, endpoint: Endpoint, docs: list[Any], parameters: dict[str, Any], headers: Mapping[str, str] = _NO_HEADERS
) -> Outcome:
    """Do the same for an `async def` method; documents of one call go one after the other."""
    kwargs = arguments(endpoint, docs, _own(executor, parameters) if parameters else {}, headers)
    fn = endpoint.fn
    if endpoint.kind == "batch":
        return finish_batch(endpoint, kwargs["docs"], await _awaited(fn(executor, **kwargs)))
    return [_finish_single(endpoint, doc, await _awaited(fn(executor, doc=doc, **kwargs))) for doc in docs], None


async def _awaited(returned: Any) -> Any:
    return await returned if inspect.isawaitable(returned) else returned


def _own(executor: BaseExecutor, parameters: dict[str, Any]) -> dict[str, Any]:
    """Give the parameters to the method as a dict of its own, which it may change."""
    return merge_parameters(parameters, executor.metas.name)


def finish_batch(endpoint: Endpoint, docs: Any, returned: Any) -> Outcome:
    """Read what a batch method returned.

    A list replaces the documents, None keeps them (as they are now), a dict keeps them and is a result.

    Raises:
        TypeError: It is something else, or holds documents of another class than the method declares.
    """
    if returned is None:
        return docs, None
    kind = type(returned)
    if kind is endpoint.output_list_type and kind is not list:
        return returned, None
    if kind is dict or isinstance(returned, dict):
        return docs, returned
    if not _is_document_list(endpoint, returned):
        raise TypeError(
            f"endpoint {endpoint.path!r} must return {_list_name(endpoint)}, a dict or None, got {_describe(returned)}"
            + ("; is it a coroutine that a decorator hides?" if inspect.iscoroutine(returned) else "")
        )
    if not hasattr(kind, "doc_type"):
        _check_items(endpoint, returned)
    return returned, None


def encoded_class(executor: BaseExecutor, endpoint: Endpoint, docs: Any) -> type:
    """Give the class whose codec encodes an endpoint's documents: mostly what it declares.

    Documents that a method kept are of the input's class, and a method without a return annotation, or one that returns another
    `DocList[...]` than it says, may give any one class, as in Jina. Where one was declared the executor's log says so, once an endpoint.

    Raises:
        TypeError: They are not of one class.
    """
    output: type = endpoint.output
    declared: object = getattr(docs, "doc_type", None)
    if declared is output:
        return output
    strangers = [doc for doc in docs if type(doc) is not output and not isinstance(doc, output)]
    if not strangers:
        return output
    stranger: type = type(strangers[0])
    if len(strangers) < len(docs) or any(type(doc) is not stranger for doc in strangers):
        raise TypeError(f"endpoint {endpoint.path!r} must return {output.__name__!r} documents, got {stranger.__name__!r} among them")
    if endpoint.is_output_declared and endpoint not in _told:
        _told.add(endpoint)
        with suppress(Exception):  # the logger may be the user's
            executor.logger.warning(_stranger_words(endpoint, stranger))
    return stranger


_told: WeakSet[Endpoint] = WeakSet()


def _stranger_words(endpoint: Endpoint, stranger: type) -> str:
    what = f"endpoint {endpoint.path!r} declares {endpoint.output.__name__!r} documents and gave {stranger.__name__!r}"
    if stranger is endpoint.input:
        return f"{what}, what it was called with: method {endpoint.name!r} may have forgotten to return the new ones"
    return f"{what}: what method {endpoint.name!r} returns, or its annotation, is not what was meant"


def _check_items(endpoint: Endpoint, returned: Sequence[Any]) -> None:
    """Refuse a plain list that holds something else than the method declares."""
    output = endpoint.output
    for position, doc in enumerate(returned):
        if not isinstance(doc, output) and (endpoint.is_output_declared or not is_document_class(type(doc))):
            raise TypeError(f"endpoint {endpoint.path!r} must return {output.__name__!r} documents, got {_describe(doc)} at [{position}]")


def _is_document_list(endpoint: Endpoint, returned: Any) -> bool:
    if isinstance(getattr(returned, "doc_type", None), type):
        return True
    return isinstance(returned, (list, tuple)) and endpoint.output_list_type is list


def _finish_single(endpoint: Endpoint, doc: Any, returned: Any) -> Any:
    if returned is None:
        return doc
    if isinstance(returned, endpoint.output):
        return returned
    if endpoint.is_output_declared or not is_document_class(type(returned)):
        raise TypeError(f"endpoint {endpoint.path!r} must return a {endpoint.output.__name__!r} or None, got {_describe(returned)}")
    return returned


def stream(
    executor: BaseExecutor, endpoint: Endpoint, doc: Any, parameters: dict[str, Any], headers: Mapping[str, str] = _NO_HEADERS
) -> Iterator[Any]:
    """Run a `def` streaming method: its documents one by one, with a TypeError in place of each item that is none.

    What the method raises passes through and ends the stream. Closing the iterator closes the method's generator.
    """
    kwargs = arguments(endpoint, [doc], _own(executor, parameters) if parameters else {}, headers)
    items = endpoint.fn(executor, doc=doc, **kwargs)
    with closing(items) if hasattr(items, "close") else nullcontext():
        for item in items:
            yield item if isinstance(item, endpoint.output) else _stray(endpoint, item)


async def stream_async(
    executor: BaseExecutor, endpoint: Endpoint, doc: Any, parameters: dict[str, Any], headers: Mapping[str, str] = _NO_HEADERS
) -> AsyncGenerator[Any, None]:
    """Do the same for an `async def` method that yields; close it with `aclose`."""
    kwargs = arguments(endpoint, [doc], _own(executor, parameters) if parameters else {}, headers)
    items = endpoint.fn(executor, doc=doc, **kwargs)
    async with aclosing(items) if hasattr(items, "aclose") else nullcontext():
        async for item in items:
            yield item if isinstance(item, endpoint.output) else _stray(endpoint, item)


def _stray(endpoint: Endpoint, item: Any) -> Any:
    """Judge an item that is not of the output class: another document where none was declared, else a failure of this item."""
    if not endpoint.is_output_declared and is_document_class(type(item)):
        return item
    return TypeError(f"endpoint {endpoint.path!r} must yield {endpoint.output.__name__!r}, got {_describe(item)}")


def status_of(error: BaseException, executor_name: str) -> Status:
    """Describe what a call raised.

    Args:
        error: What the method, or one of the functions here, raised.
        executor_name: Class name of the executor.
    """
    http, grpc = _number(error, "http_status", 400, 599), _number(error, "grpc_status", 1, 16)
    status = Status(
        code=_code(error),
        description=_shown(repr, error),
        name=type(error).__name__,
        args=[_text(argument) for argument in _arguments_of(error)],
        executor=executor_name,
        http_status=http,
        grpc_status=grpc,
    )
    if isinstance(error, JinaError):
        status.description = _text(error) or status.description
        if isinstance(error, InvalidInputError):
            status.details = [dict(item) for item in error.details]
        if isinstance(error, OverloadedError):
            status.retry_after_s = error.retry_after_s
        return status
    if http is not None or grpc is not None:
        status.description = _text(error) or status.description
    status.stacks = _stacks(error)
    return status


def _code(error: BaseException) -> Code:
    if isinstance(error, JinaError):
        return Code.INVALID_INPUT if type(error).code is Code.INTERNAL and isinstance(error, CallerError) else error.code
    return Code.EXECUTOR_FAILED


def _number(error: BaseException, name: str, lowest: int, highest: int) -> int | None:
    value = getattr(error, name, None)
    return int(value) if isinstance(value, int) and lowest <= value <= highest else None


def _text(value: Any) -> str:
    return _shown(str, value)


def _shown(show: Callable[[Any], str], value: Any) -> str:
    """`str` or `repr` of what a user made, whatever it does; cut where it would be a burden to carry."""
    try:
        text = show(value)
    except BaseException as error:
        return f"<{type(value).__name__} whose {show.__name__}() raises {type(error).__name__}>"
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}... ({len(text)} characters)"


def _arguments_of(error: BaseException) -> Sequence[Any]:
    return error.args[:_MAX_ARGUMENTS] if isinstance(error.args, tuple) else ()


def _stacks(error: BaseException) -> list[str]:
    """Lines as `traceback.format_exception` gives them; a long traceback keeps its ends."""
    try:
        lines = traceback.format_exception(error)
    except BaseException as failure:
        return [f"<no traceback: formatting it raises {type(failure).__name__}>\n"]
    if len(lines) > 2 * _MAX_LINES:
        lines = [*lines[:_MAX_LINES], f"... {len(lines) - 2 * _MAX_LINES} more\n", *lines[-_MAX_LINES:]]
    return [line if len(line) <= _MAX_TEXT else f"{line[:_MAX_TEXT]}...\n" for line in lines]


def _describe(value: Any) -> str:
    shown = _text(value)
    return f"{type(value).__name__!r}" + (f" ({shown[:40]!r})" if isinstance(value, (str, int, float)) else "")


def _list_name(endpoint: Endpoint) -> str:
    kind = "DocList" if hasattr(endpoint.output_list_type, "doc_type") else endpoint.output_list_type.__name__
    return f"{kind}[{endpoint.output.__name__}]"
