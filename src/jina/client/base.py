"""What all clients share: their options, and what `post` is told."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Generator
from typing import Any, ClassVar, Generic, Self, TypeVar

from jina.client.background import Background
from jina.client.documents import ReturnType, return_type
from jina.client.inputs import batches_of, checked
from jina.client.post import Post, read_post, refuse_credentials
from jina.client.profile import profile_of, table
from jina.docarray_repairs import repair_when_imported
from jina.enums import ProtocolType
from jina.errors import BadClientInput, NotSupportedError
from jina.options import ClientOptions
from jina.transport.connect import Connect
from jina.warning import warn_user

Result = TypeVar("Result")
Items = TypeVar("Items")


class Done:
    """What `close` gives: it may be awaited, and need not."""

    def __await__(self) -> Generator[None, None, None]:
        return iter(())  # type: ignore[return-value]


class BaseClient(Generic[Result, Items]):
    """A client whose `post` gives a Result, and whose `stream_doc` gives Items.

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
        self._remarked: set[str] = set()
        self._setup()

    def _setup(self) -> None:
        """Prepare what holds the connections."""

    def _post(self, on: str, inputs: Any, given: dict[str, Any]) -> Result:
        raise NotImplementedError

    def _stream_doc(self, on: str, inputs: Any, given: dict[str, Any]) -> Items:
        raise NotImplementedError

    @property
    def client(self) -> Self:
        """The client itself, as in Jina."""
        return self

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
    ) -> Result:
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
            show_progress: Show on stderr how many requests are answered: as a bar, or where that is no terminal as a line now and then.
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
            **kwargs: `timeout` (seconds for a request with all its attempts; for all requests over WebSocket, and over gRPC with `stream`),
                `metadata` or `headers` (pairs or a dict), `compression` (gRPC: `Gzip`, `Deflate`; WebSocket: `Deflate`), `auth` (login
                and password), `cookies`.

        Returns:
            Sync: the documents of all answers in one list (or the Responses); None if `on_done` or `on_always` is given.
            Async: an iterator of the documents (or the Response) of each request, as its answer comes.

        Raises:
            BadServer: An executor failed; `args[0]` is the reply's header. Over HTTP it is also a ValueError, with the response's body.
            ConnectionError: The service cannot be reached, or was too late.
            TimeoutError: It was too late; the error is both.
            BadClient: The inputs or a callback are at fault, or over HTTP there is no such endpoint.
            BadServerFlow: The service failed in another way.
        """
        given = {name: value for name, value in locals().items() if name not in ("self", "on", "inputs", "kwargs")}
        return self._post(on, inputs, {**given, **kwargs})

    def index(self, *args: Any, **kwargs: Any) -> Result:
        """Call `/index`; see `post`."""
        return self.post("/index", *args, **kwargs)

    def search(self, *args: Any, **kwargs: Any) -> Result:
        """Call `/search`; see `post`."""
        return self.post("/search", *args, **kwargs)

    def update(self, *args: Any, **kwargs: Any) -> Result:
        """Call `/update`; see `post`."""
        return self.post("/update", *args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Result:
        """Call `/delete`; see `post`."""
        return self.post("/delete", *args, **kwargs)

    def stream_doc(
        self,
        on: str,
        inputs: Any,
        parameters: Any = None,
        return_type: Any = None,
        timeout: float | None = None,
        **kwargs: Any,
    ) -> Items:
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
            TimeoutError: It was too late; the error is both.
        """
        given = {"parameters": parameters, "return_type": return_type, "timeout": timeout, **kwargs}
        return self._stream_doc(on, inputs, given)

    def dry_run(self, *args: Any, **kwargs: Any) -> Any:
        """As `is_flow_ready`."""
        return self.is_flow_ready(*args, **kwargs)

    def is_flow_ready(self, *args: Any, **kwargs: Any) -> Any:
        """Tell whether the service takes calls."""
        raise NotImplementedError

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

    def _read(self, on: str, given: dict[str, Any]) -> tuple[Post, ReturnType]:
        post = read_post(on, given, prefetch=self.args.prefetch, api_key=self.args.api_key)
        return post, return_type(post.return_type)

    def _is_ready(self, reason: str) -> bool:
        if reason:
            self._log_error(f"not ready: {reason}")
        return not reason

    def _remark(self, endpoint: str, text: str) -> None:
        """Warn of what a success says beside its documents; once for each endpoint."""
        if endpoint not in self._remarked:
            self._remarked.add(endpoint)
            warn_user(text)

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


def profiled(response: Any, started_s: float, show_table: bool) -> dict[str, float]:
    """Give the profile of a call that has just ended, and print it where that is wanted."""
    profile = profile_of(response, time.perf_counter() - started_s)
    if show_table:
        print(table(profile))
    return profile


repair_when_imported()
