"""The clients that users hold: one class a protocol, sync and async. Making one opens nothing and starts nothing."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import threading
import time
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from types import TracebackType
from typing import Any, ClassVar, Self

from jina.client.background import Background, background
from jina.client.cores import Core, make_core
from jina.client.documents import ReturnType
from jina.client.drive import post_async, post_sync, stream_async, stream_sync
from jina.client.inputs import batches_of, checked
from jina.client.post import read_metadata, read_post, refuse_credentials
from jina.client.profile import profile_of, table
from jina.client.settle import Progress, settle
from jina.enums import ProtocolType
from jina.errors import BadClient, BadClientInput, NotSupportedError
from jina.options import ClientOptions
from jina.transport.connect import Connect

_abandoned: list[object] = []
"""Connections of the process that forked us: kept, so that nothing closes them here."""


class _Done:
    """What `close` gives: it may be awaited, and need not."""

    def __await__(self) -> Generator[None, None, None]:
        return iter(())  # type: ignore[return-value]


class BaseClient:
    """What all clients share.

    Attributes:
        args: The options, with Jina's names: `host`, `port`, `protocol`, `tls`, ...
    """

    protocol: ClassVar[ProtocolType] = ProtocolType.GRPC
    is_async: ClassVar[bool] = False

    def __init__(self, args: Any = None, *, open_connection: Connect | None = None, loop: Background | None = None, **kwargs: Any) -> None:
        """Take the arguments of a client; see `jina.Client`.

        Args:
            args: A namespace of arguments (or ClientOptions), instead of keywords.
            open_connection: Another way to the service than TCP, for tests.
            loop: Where the sync API's connections live, instead of the process's own loop.
            **kwargs: See `jina.options.ClientOptions`.
        """
        options = read_options(args, kwargs)
        self.args = dataclasses.replace(options, protocol=self.protocol, asyncio=self.is_async)
        self._open_connection, self._background = open_connection, loop
        self._log: Any = None
        self._setup()

    def _setup(self) -> None:
        """Prepare what holds the connections."""

    @property
    def client(self) -> Self:
        """The client itself, as in Jina."""
        return self

    def check_input(self, inputs: Any = None, **kwargs: Any) -> None:
        """Look whether inputs can be sent, at their first batch.

        Raises:
            BadClientInput: They cannot; an async generator cannot be looked at.
        """
        if inputs is None:
            return
        batches = batches_of(inputs, 100)
        if batches.items is None:
            raise BadClientInput("an async generator cannot be checked without consuming it")
        first = next(batches.items, None)
        if first is not None:
            checked(first)

    def mutate(self, *args: Any, **kwargs: Any) -> Any:
        """Gone: GraphQL is not served."""
        raise NotSupportedError("mutate is GraphQL's, which is not served any more; use post")

    def _log_error(self, text: str) -> None:
        if self._log is None:
            from jina.observe.logging import JinaLogger

            self._log = JinaLogger(type(self).__name__, log_config=self.args.log_config)
        self._log.error(text)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.args.host}:{self.args.port})"


def read_options(args: Any, kwargs: dict[str, Any]) -> ClientOptions:
    """Give the options of a namespace and of keywords.

    Raises:
        ConfigError: A value that cannot work, one that is said twice, or `credentials`.
    """
    if isinstance(args, ClientOptions):
        return dataclasses.replace(args, **kwargs)
    given = {**({} if args is None else vars(args)), **kwargs}
    refuse_credentials(given)
    return ClientOptions.from_kwargs(**given)


class SyncClient(BaseClient):
    """A client whose methods wait. Works in any thread, also where an event loop runs, and after a fork."""

    def _setup(self) -> None:
        self._held: tuple[int, Background, Core] | None = None
        self._locks: dict[int, threading.Lock] = {}
        self._finalizer: Any = None

    def _core(self) -> tuple[Background, Core]:
        pid = os.getpid()
        held = self._held
        if held is None or held[0] != pid:
            with self._locks.setdefault(pid, threading.Lock()):  # one a process: a lock that was held at a fork stays held
                held = self._held
                if held is None or held[0] != pid:
                    held = self._make_core(pid, held)
        return held[1], held[2]

    def _make_core(self, pid: int, old: tuple[int, Background, Core] | None) -> tuple[int, Background, Core]:
        if old is not None:
            _abandoned.append(old)
        loop = self._background or background()
        core = make_core(self.args, self._open_connection)
        self._held = made = (pid, loop, core)
        self._finalizer = weakref.finalize(self, loop.call, core.close)
        self._finalizer.atexit = False
        return made

    def post(
        self,
        on: str,
        inputs: Any = None,
        on_done: Callable[[Any], Any] | None = None,
        on_error: Callable[[Any], Any] | None = None,
        on_always: Callable[[Any], Any] | None = None,
        parameters: Any = None,
        target_executor: str | None = None,
        request_size: int = 100,
        show_progress: bool = False,
        continue_on_error: bool = False,
        return_responses: bool = False,
        max_attempts: int = 1,
        initial_backoff: float = 0.5,
        max_backoff: float = 2,
        backoff_multiplier: float = 1.5,
        results_in_order: bool = False,
        stream: bool = True,
        prefetch: int | None = None,
        return_type: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Call an endpoint with documents.

        Args:
            on: The endpoint, e.g. `/embed`.
            inputs: A document, a list, a DocList, a generator, an async generator, or a function that gives one of these; None for a
                call without documents. A dict is a document of any fields.
            on_done: Called with the `Response` of each request that succeeded.
            on_error: Called with the `Response` of each request that an executor failed; nothing is raised then.
            on_always: Called with every `Response`, after the other two.
            parameters: A dict of JSON values, or a model.
            target_executor: A regular expression over executor names; others pass the documents through.
            request_size: Documents in one request; 0 for all in one.
            show_progress: Count the answers on stderr.
            continue_on_error: Log failures of an executor, and of callbacks, and go on.
            return_responses: Give the `Response` objects, not their documents.
            max_attempts: How often a request is sent at most.
            initial_backoff: Seconds before the second attempt.
            max_backoff: The longest pause before a later one, in seconds.
            backoff_multiplier: By how much that pause grows each time, at most.
            results_in_order: Give the answers in the order of the requests, not as they come.
            stream: gRPC: all requests in one call; else one call for each.
            prefetch: Requests on the way at once; 0 for no limit. By default the client's own.
            return_type: What the documents become: `DocList[X]`, `list[X]`, or X, where a lone document comes without a list.
            **kwargs: `timeout` (seconds), `metadata` or `headers` (pairs or a dict), `compression` (gRPC: `Gzip`, `Deflate`),
                `auth` (login and password), `cookies`.

        Returns:
            The documents of all answers in one list (or the Responses); None if `on_done` or `on_always` is given.

        Raises:
            BadServer: An executor failed; `args[0]` is the reply's header. Over HTTP a ValueError with the response's body.
            ConnectionError: The service cannot be reached, or was too late.
            BadClient: The inputs or a callback are at fault, or over HTTP there is no such endpoint.
            BadServerFlow: The service failed in another way.
        """
        given = {name: value for name, value in locals().items() if name not in ("self", "on", "inputs", "kwargs")}
        return self._post(on, inputs, {**given, **kwargs})

    def _post(self, on: str, inputs: Any, given: dict[str, Any]) -> Any:
        post = read_post(on, given, prefetch=self.args.prefetch, api_key=self.args.api_key)
        wanted = ReturnType(post.return_type)
        batches = batches_of(inputs, post.request_size)
        loop, core = self._core()
        progress = Progress(post.show_progress, batches.n_batches)
        docs: list[Any] = []
        answers = post_sync(loop, lambda deliver: core.exchange(post, deliver), core.writer(post), batches, post)
        try:
            for answer in answers:
                settle(answer, post, wanted, self._log_error)
                if post.has_result:
                    docs += [answer.response(wanted)] if post.return_responses else answer.docs(wanted)
                progress.add()
        finally:
            answers.close()  # type: ignore[attr-defined]
            progress.end()
        if not post.has_result:
            return None
        return docs if post.return_responses else wanted.result(docs)

    def stream_doc(
        self, on: str, inputs: Any, parameters: Any = None, return_type: Any = None, timeout: float | None = None, **kwargs: Any
    ) -> Iterator[Any]:
        """Call a streaming endpoint with one document, and give its documents as they come.

        Args:
            on: The endpoint.
            inputs: One document.
            parameters: A dict of JSON values, or a model.
            return_type: The class of the documents.
            timeout: Seconds for the whole stream.
            **kwargs: `metadata` or `headers`, `auth`, `cookies`.

        Raises:
            BadServer: The executor failed; documents that came before have been given.
            ConnectionError: The service cannot be reached, or was too late.
        """
        given = {"parameters": parameters, "return_type": return_type, "timeout": timeout, **kwargs}
        post = read_post(on, given, prefetch=0, api_key=self.args.api_key)
        wanted = ReturnType(post.return_type)
        loop, core = self._core()
        answers = stream_sync(loop, lambda deliver: core.stream_doc(post, deliver), core.writer(post).write_document(inputs))
        try:
            for answer in answers:
                if answer.is_error:
                    raise answer.error(wanted)
                yield from answer.docs(wanted)
        finally:
            answers.close()  # type: ignore[attr-defined]

    def is_flow_ready(self, timeout: float | None = None, **kwargs: Any) -> bool:
        """Tell whether the service takes calls, all its executors included; logs the reason if not."""
        metadata = read_metadata(kwargs, self.args.api_key)
        loop, core = self._core()
        reason = loop.run(core.dry_run(timeout, metadata))
        if reason:
            self._log_error(f"not ready: {reason}")
        return not reason

    dry_run = is_flow_ready

    def profiling(self, show_table: bool = True) -> dict[str, float]:
        """Measure one call to `/`: milliseconds of the round trip and its parts; printed as a table unless told not to."""
        from jina.docs import BaseDoc

        started_s, response = time.perf_counter(), None
        with contextlib.suppress(BadClient):  # over HTTP a service may have no default endpoint: the way there and back remains
            response = self.post("/", BaseDoc(), return_responses=True)[0]
        profile = profile_of(response, time.perf_counter() - started_s)
        if show_table:
            print(table(profile))
        return profile

    def close(self) -> Awaitable[None]:
        """Close the connections; the next call opens new ones. The result may be awaited, as in Jina, and need not."""
        held, self._held = self._held, None
        if self._finalizer is not None:
            self._finalizer.detach()
        if held is not None and held[0] == os.getpid():
            held[1].call(held[2].close)
        return _Done()

    teardown = close

    def index(self, *args: Any, **kwargs: Any) -> Any:
        """Call `/index`; see `post`."""
        return self.post("/index", *args, **kwargs)

    def search(self, *args: Any, **kwargs: Any) -> Any:
        """Call `/search`; see `post`."""
        return self.post("/search", *args, **kwargs)

    def update(self, *args: Any, **kwargs: Any) -> Any:
        """Call `/update`; see `post`."""
        return self.post("/update", *args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        """Call `/delete`; see `post`."""
        return self.post("/delete", *args, **kwargs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class AsyncClient(BaseClient):
    """A client of coroutines and async iterators, whose connections belong to the loop that runs them and end with it."""

    is_async: ClassVar[bool] = True

    def _setup(self) -> None:
        self._cores: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[int, Core, Any]] = weakref.WeakKeyDictionary()

    async def _core(self) -> Core:
        loop, pid = asyncio.get_running_loop(), os.getpid()
        held = self._cores.get(loop)
        if held is None or held[0] != pid:
            core = make_core(self.args, self._open_connection)
            end = _close_at_end(core)
            self._cores[loop] = (pid, core, end)
            await anext(end)
            return core
        return held[1]

    async def post(
        self,
        on: str,
        inputs: Any = None,
        on_done: Callable[[Any], Any] | None = None,
        on_error: Callable[[Any], Any] | None = None,
        on_always: Callable[[Any], Any] | None = None,
        parameters: Any = None,
        target_executor: str | None = None,
        request_size: int = 100,
        show_progress: bool = False,
        continue_on_error: bool = False,
        return_responses: bool = False,
        max_attempts: int = 1,
        initial_backoff: float = 0.5,
        max_backoff: float = 2,
        backoff_multiplier: float = 1.5,
        results_in_order: bool = False,
        stream: bool = True,
        prefetch: int | None = None,
        return_type: Any = None,
        **kwargs: Any,
    ) -> AsyncIterator[Any]:
        """Call an endpoint with documents; gives the documents (or the Response) of each request as its answer comes.

        The arguments and errors are those of the sync client's `post`.
        """
        given = {name: value for name, value in locals().items() if name not in ("self", "on", "inputs", "kwargs")}
        post = read_post(on, {**given, **kwargs}, prefetch=self.args.prefetch, api_key=self.args.api_key)
        wanted = ReturnType(post.return_type)
        batches = batches_of(inputs, post.request_size)
        core = await self._core()
        progress = Progress(post.show_progress, batches.n_batches)
        answers = post_async(lambda deliver: core.exchange(post, deliver), core.writer(post), batches, post)
        try:
            async for answer in answers:
                settle(answer, post, wanted, self._log_error)
                progress.add()
                yield answer.response(wanted) if post.return_responses else wanted.result(answer.docs(wanted))
        finally:
            await answers.aclose()  # type: ignore[attr-defined]
            progress.end()

    async def stream_doc(
        self,
        on: str,
        inputs: Any,
        parameters: Any = None,
        return_type: Any = None,
        timeout: float | None = None,  # noqa: ASYNC109 - Jina's name
        **kwargs: Any,
    ) -> AsyncIterator[Any]:
        """Call a streaming endpoint with one document, and give its documents as they come; see the sync client's."""
        given = {"parameters": parameters, "return_type": return_type, "timeout": timeout, **kwargs}
        post = read_post(on, given, prefetch=0, api_key=self.args.api_key)
        wanted = ReturnType(post.return_type)
        core = await self._core()
        answers = stream_async(lambda deliver: core.stream_doc(post, deliver), core.writer(post).write_document(inputs))
        try:
            async for answer in answers:
                if answer.is_error:
                    raise answer.error(wanted)
                for doc in answer.docs(wanted):
                    yield doc
        finally:
            await answers.aclose()  # type: ignore[attr-defined]

    async def is_flow_ready(self, timeout: float | None = None, **kwargs: Any) -> bool:  # noqa: ASYNC109 - Jina's name
        """Tell whether the service takes calls, all its executors included; logs the reason if not."""
        metadata = read_metadata(kwargs, self.args.api_key)
        reason = await (await self._core()).dry_run(timeout, metadata)
        if reason:
            self._log_error(f"not ready: {reason}")
        return not reason

    dry_run = is_flow_ready

    async def profiling(self, show_table: bool = True) -> dict[str, float]:
        """Measure one call to `/`; see the sync client's."""
        from jina.docs import BaseDoc

        started_s, response = time.perf_counter(), None
        with contextlib.suppress(BadClient):
            async with contextlib.aclosing(self.post("/", BaseDoc(), return_responses=True)) as responses:  # type: ignore[type-var]
                response = await anext(responses)
        profile = profile_of(response, time.perf_counter() - started_s)
        if show_table:
            print(table(profile))
        return profile

    def close(self) -> Awaitable[None]:
        """Close the connections of the running loop; the next call opens new ones. May be awaited, and need not."""
        try:
            held = self._cores.pop(asyncio.get_running_loop(), None)
        except RuntimeError:  # no loop runs: its end has closed them
            held = None
        if held is not None and held[0] == os.getpid():
            held[1].close()
        return _Done()

    teardown = close

    def index(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        """Call `/index`; see `post`."""
        return self.post("/index", *args, **kwargs)

    def search(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        """Call `/search`; see `post`."""
        return self.post("/search", *args, **kwargs)

    def update(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        """Call `/update`; see `post`."""
        return self.post("/update", *args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        """Call `/delete`; see `post`."""
        return self.post("/delete", *args, **kwargs)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


async def _close_at_end(core: Core) -> AsyncIterator[None]:
    """Close a core's connections when its loop shuts down its async generators, which `asyncio.run` does at its end."""
    try:
        yield
    finally:
        core.close()


class GRPCClient(SyncClient):
    """Calls a service over gRPC."""


class HTTPClient(SyncClient):
    """Calls a service over HTTP."""

    protocol: ClassVar[ProtocolType] = ProtocolType.HTTP


class AsyncGRPCClient(AsyncClient):
    """Calls a service over gRPC from coroutines."""


class AsyncHTTPClient(AsyncClient):
    """Calls a service over HTTP from coroutines."""

    protocol: ClassVar[ProtocolType] = ProtocolType.HTTP


class WebSocketClient:
    """WebSocket comes with a later release."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise NotSupportedError("a later release brings WebSocket; use protocol='grpc' or protocol='http'")


class AsyncWebSocketClient(WebSocketClient):
    """WebSocket comes with a later release."""


_CLASSES: dict[tuple[ProtocolType, bool], type[Any]] = {
    (ProtocolType.GRPC, False): GRPCClient,
    (ProtocolType.GRPC, True): AsyncGRPCClient,
    (ProtocolType.HTTP, False): HTTPClient,
    (ProtocolType.HTTP, True): AsyncHTTPClient,
    (ProtocolType.WEBSOCKET, False): WebSocketClient,
    (ProtocolType.WEBSOCKET, True): AsyncWebSocketClient,
}


def Client(args: Any = None, **kwargs: Any) -> Any:
    """Make a client of a service; connections are opened by the first call.

        client = Client(host="grpc://127.0.0.1:54321")
        docs = client.post("/embed", DocList[Text]([Text(text="hello")]), return_type=DocList[Embedded])

    Args:
        args: A namespace of arguments, instead of keywords.
        **kwargs: `host` (may hold scheme and port), `port`, `protocol` (`grpc` or `http`), `tls`, `asyncio` (give coroutines and async
            iterators), `prefetch`; all of them in `jina.options.ClientOptions`.

    Raises:
        ConfigError: A value that cannot work, or one that is said twice.
    """
    seams = {name: kwargs.pop(name) for name in ("open_connection", "loop") if name in kwargs}
    options = read_options(args, kwargs)
    return _CLASSES[options.protocol, options.asyncio](options, **seams)
