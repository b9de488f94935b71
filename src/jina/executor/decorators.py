"""The decorators of an executor's methods. Each only leaves a mark on the function, so their order is free; the class reads the marks.

`@write` also wraps: its calls exclude each other on one executor.
"""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, overload

from jina.endpoint import check_signature
from jina.hints import describe

if TYPE_CHECKING:
    import asyncio

F = TypeVar("F", bound=Callable[..., Any])
DEFAULT_ENDPOINT = "/default"


class Binding(NamedTuple):
    """What one `@requests` says: the paths, and schemas that count instead of annotations."""

    paths: tuple[str, ...]
    request_schema: Any = None
    response_schema: Any = None


class Marks(NamedTuple):
    """All that decorators said of one function."""

    bindings: tuple[Binding, ...] = ()
    batching: dict[str, Any] | None = None
    is_write: bool = False
    monitor: tuple[str | None, str | None] | None = None


def check_method(fn: Any) -> None:
    """Refuse a class, and a method that does not get the executor."""
    if isinstance(fn, type):
        raise TypeError(f"{fn.__name__!r} is a class; write @requests above a method of it")
    if isinstance(fn, staticmethod | classmethod):
        kind = type(fn).__name__
        raise TypeError(f"{describe(fn.__func__)} is a {kind}, but an endpoint is a method with 'self'; leave @{kind} out")


def marks_of(fn: Any) -> Marks:
    """Give the marks of a function; empty ones if no decorator of ours touched it."""
    marks = getattr(fn, "__jina_marks__", None)
    return marks if isinstance(marks, Marks) else Marks()


def _mark(fn: F, **changes: Any) -> F:
    fn.__jina_marks__ = marks_of(fn)._replace(**changes)  # type: ignore[attr-defined]
    return fn


@overload
def requests(func: F, /) -> F: ...
@overload
def requests(
    func: None = None, *, on: str | Sequence[str] | None = None, request_schema: Any = None, response_schema: Any = None
) -> Callable[[F], F]: ...
def requests(
    func: F | None = None, *, on: str | Sequence[str] | None = None, request_schema: Any = None, response_schema: Any = None
) -> F | Callable[[F], F]:
    """Make a method an endpoint.

    A method that takes `docs` gets all documents of a request and gives a list, a dict (which goes to `parameters["__results__"]`), or
    None to keep the documents. One that takes `doc` is called once a document; if it yields, it is a stream. It also gets `parameters`
    (a dict, or the model it is annotated with), and `headers` of the caller if it names them.

    Args:
        func: The method, where the decorator is used bare; it then answers for every endpoint that is not bound.
        on: Endpoint, or several, e.g. `"/embed"`. None means `/default`.
        request_schema: Counts instead of the annotation of `docs` or `doc`.
        response_schema: Counts instead of the return annotation.

    Raises:
        TypeError: The method cannot take what endpoints are called with; add `**kwargs`. Or this is no method.
    """
    if isinstance(func, str | list | tuple):
        raise TypeError(f"the path of an endpoint has a name: write @requests(on={func!r})")
    paths = (DEFAULT_ENDPOINT,) if on is None else (on,) if isinstance(on, str) else tuple(on)

    def bind(fn: F) -> F:
        check_method(fn)
        check_signature(fn)
        binding = Binding(paths, request_schema, response_schema)
        return _mark(fn, bindings=(*marks_of(fn).bindings, binding))

    return bind if func is None else bind(func)


@overload
def dynamic_batching(func: F, /) -> F: ...
@overload
def dynamic_batching(
    func: None = None,
    *,
    preferred_batch_size: int | None = None,
    timeout: float | None = 10_000,
    flush_all: bool = False,
    custom_metric: Callable[[Any], int | float] | None = None,
    use_custom_metric: bool = False,
    use_dynamic_batching: bool = True,
) -> Callable[[F], F]: ...
def dynamic_batching(
    func: F | None = None,
    *,
    preferred_batch_size: int | None = None,
    timeout: float | None = 10_000,
    flush_all: bool = False,
    custom_metric: Callable[[Any], int | float] | None = None,
    use_custom_metric: bool = False,
    use_dynamic_batching: bool = True,
) -> F | Callable[[F], F]:
    """Say how requests to a method should be joined to larger batches.

    For now this is only stored, in the class's and the executor's `dynamic_batching` under the method's name: the method is still
    called once a request.

    Args:
        func: The method, where the decorator is used bare.
        preferred_batch_size: Run as soon as this many documents wait. None waits for the timeout alone.
        timeout: Milliseconds that the first request of a batch waits at most.
        flush_all: One call with all that waits, instead of slices of the preferred size.
        custom_metric: What a document counts for, if `use_custom_metric`.
        use_custom_metric: Count with `custom_metric`.
        use_dynamic_batching: False switches it off, e.g. by configuration.
    """
    config = {
        "preferred_batch_size": preferred_batch_size,
        "timeout": timeout,
        "flush_all": flush_all,
        "custom_metric": custom_metric,
        "use_custom_metric": use_custom_metric,
        "use_dynamic_batching": use_dynamic_batching,
    }

    def store(fn: F) -> F:
        return _mark(fn, batching=config)

    return store if func is None else store(func)


@overload
def monitor(func: F, /) -> F: ...
@overload
def monitor(func: None = None, *, name: str | None = None, documentation: str | None = None) -> Callable[[F], F]: ...
def monitor(func: F | None = None, *, name: str | None = None, documentation: str | None = None) -> F | Callable[[F], F]:
    """Time a method under a metric.

    For now the wish is only stored; nothing is measured.

    Args:
        func: The method, where the decorator is used bare.
        name: Of the metric, without the prefix `jina_`. None means `<method>_seconds`.
        documentation: What the metric's help text says. None means `Time spent calling method <method>`.
    """

    def store(fn: F) -> F:
        own = getattr(fn, "__name__", "method")
        return _mark(fn, monitor=(name or f"{own}_seconds", documentation or f"Time spent calling method {own}"))

    return store if func is None else store(func)


def write(func: F) -> F:
    """Mark a method as changing the executor's state.

    Calls of such methods exclude each other on one executor, and a snapshot excludes them; one of them may call another. A method
    that yields is marked, but its streams may overlap.
    """
    if inspect.isgeneratorfunction(func) or inspect.isasyncgenfunction(func):
        return _mark(func, is_write=True)
    if inspect.iscoroutinefunction(func):

        @functools.wraps(func)
        async def call_async(self: Any, *args: Any, **kwargs: Any) -> Any:
            async with self._write_lock.held_async():
                return await func(self, *args, **kwargs)

        return _mark(call_async, is_write=True)  # type: ignore[return-value]

    @functools.wraps(func)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        with self._write_lock.held():
            return func(self, *args, **kwargs)

    return _mark(call, is_write=True)  # type: ignore[return-value]


_holding: ContextVar[frozenset[int]] = ContextVar("jina_write_holding", default=frozenset())


class WriteLock:
    """Excludes writers of one executor, in threads and in coroutines alike; whoever holds it may enter again."""

    def __init__(self) -> None:
        self._thread_lock = threading.Lock()
        self._loop_lock: asyncio.Lock | None = None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold it, in a thread."""
        if id(self) in _holding.get():
            yield
            return
        with self._thread_lock:
            token = _holding.set(_holding.get() | {id(self)})
            try:
                yield
            finally:
                _holding.reset(token)

    @asynccontextmanager
    async def held_async(self) -> AsyncIterator[None]:
        """Hold it, in a coroutine."""
        if id(self) in _holding.get():
            yield
            return
        import asyncio  # 30 ms that a process which only defines executors need not pay

        if self._loop_lock is None:
            self._loop_lock = asyncio.Lock()
        async with self._loop_lock:  # one coroutine at a time asks for the other lock, so that waiting takes one thread at most
            await self._acquire()
            token = _holding.set(_holding.get() | {id(self)})
            try:
                yield
            finally:
                _holding.reset(token)
                self._thread_lock.release()

    async def _acquire(self) -> None:
        import asyncio

        if self._thread_lock.acquire(blocking=False):
            return
        waiting = asyncio.ensure_future(asyncio.to_thread(self._thread_lock.acquire))
        try:
            await asyncio.shield(waiting)
        except asyncio.CancelledError:
            waiting.add_done_callback(lambda _: self._thread_lock.release())
            raise
