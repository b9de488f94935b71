"""The two ways to drive an exchange: from a thread that waits, and from a coroutine. Documents are read and written here, in the
caller's own thread or task, and so run the caller's generators and callbacks.
"""

from __future__ import annotations

import asyncio
import queue
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Protocol

from jina.client.answers import Answer
from jina.client.background import Background
from jina.client.exchange import ANSWER, FAILED, Deliver, Exchange, Outcome
from jina.client.inputs import AwaitedIterator, Batch, Batches, ThreadedIterator
from jina.client.post import Post
from jina.codec.pieces import Message

_MAX_BYTES_IN_FLIGHT = 64 << 20
_GIVE_BACK_BYTES = 64 << 10


class Writer(Protocol):
    """Makes requests of batches."""

    def write(self, batch: Batch) -> tuple[str, Message]:
        """Give the request's id and bytes."""


class Window:
    """How much is on the way: at most `max_requests`, and no more bytes than are good for anyone."""

    def __init__(self, max_requests: int) -> None:
        self._max_requests = max_requests
        self._n_requests, self._n_bytes, self._n_taken = 0, 0, 0

    @property
    def is_open(self) -> bool:
        """Another request may be sent."""
        return self._n_requests < self._max_requests and (self._n_bytes < _MAX_BYTES_IN_FLIGHT or not self._n_requests)

    def add(self, n_bytes: int) -> None:
        """A request was sent."""
        self._n_requests += 1
        self._n_bytes += n_bytes

    def remove(self, outcome: Outcome) -> int:
        """An answer was taken; gives how many bytes of answers to give back now."""
        self._n_requests -= 1
        self._n_bytes -= outcome[1]
        return self.take(outcome)

    def take(self, outcome: Outcome) -> int:
        """The same for an answer of a stream."""
        self._n_taken += outcome[2]
        if self._n_taken < _GIVE_BACK_BYTES:
            return 0
        taken, self._n_taken = self._n_taken, 0
        return taken


Open = Callable[[Deliver], Exchange]


def _guarded(deliver: Deliver, function: Callable[..., object], *args: Any) -> None:
    """Call a function on the loop; what it raises reaches the thread that waits."""
    try:
        function(*args)
    except Exception as error:
        deliver((FAILED, error))


def post_sync(background: Background, open_exchange: Open, writer: Writer, batches: Batches, post: Post) -> Iterator[Answer]:
    """Send the batches, give the answers as they come.

    Raises:
        RpcError: A request, or the whole call, failed.
    """
    outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
    window = Window(post.prefetch)
    items = batches.items if batches.async_items is None else ThreadedIterator(batches.async_items)
    assert items is not None
    exchange = open_exchange(outcomes.put)
    n_sent, is_fed, is_over = 0, False, False
    try:
        while True:
            while not is_fed and window.is_open and outcomes.empty():
                batch = next(items, batches)
                if batch is batches:
                    is_fed = True
                    background.call(_guarded, outcomes.put, exchange.end)
                    break
                request_id, message = writer.write(batch)
                window.add(len(message))
                n_sent += 1
                is_fed = n_sent == batches.n_batches
                background.call(_guarded, outcomes.put, exchange.submit_last if is_fed else exchange.submit, request_id, message)
            outcome = outcomes.get()
            if outcome[0] == ANSWER:
                if n_bytes := window.remove(outcome):
                    background.call(exchange.consumed, n_bytes)
                yield outcome[3]
            elif outcome[0] == FAILED:
                raise outcome[1]
            else:
                is_over = True
                return
    finally:
        if not is_over:
            background.call(exchange.cancel)
        if isinstance(items, ThreadedIterator):
            items.close()


def stream_sync(background: Background, open_exchange: Open, request: tuple[str, Message]) -> Iterator[Answer]:
    """Send one request, give the answers of its stream."""
    outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
    window = Window(1)
    exchange = open_exchange(outcomes.put)
    background.call(_guarded, outcomes.put, exchange.submit, *request)
    try:
        while (outcome := outcomes.get())[0] == ANSWER:
            if n_bytes := window.take(outcome):
                background.call(exchange.consumed, n_bytes)
            yield outcome[3]
        if outcome[0] == FAILED:
            raise outcome[1]
    finally:
        background.call(exchange.cancel)


class Inbox:
    """Outcomes on their way to one coroutine of the same loop."""

    def __init__(self) -> None:
        self._items: deque[Outcome] = deque()
        self._wake: asyncio.Future[None] | None = None

    def put(self, outcome: Outcome) -> None:
        """Add one."""
        self._items.append(outcome)
        wake, self._wake = self._wake, None
        if wake is not None and not wake.done():
            wake.set_result(None)

    def is_empty(self) -> bool:
        """Whether `get` would wait."""
        return not self._items

    async def get(self) -> Outcome:
        """Take the oldest."""
        while not self._items:
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake
        return self._items.popleft()


async def post_async(open_exchange: Open, writer: Writer, batches: Batches, post: Post) -> AsyncIterator[Answer]:
    """As `post_sync`, on the running loop. Inputs that may wait are read beside the answers."""
    inbox, window = Inbox(), Window(post.prefetch)
    exchange = open_exchange(inbox.put)
    feeder = None if batches.is_quick else Feeder(exchange, writer, batches, window, inbox)
    is_fed = not batches.is_quick
    try:
        while True:
            while not is_fed and window.is_open and inbox.is_empty():
                assert batches.items is not None
                batch = next(batches.items, batches)
                if batch is batches:
                    is_fed = True
                    exchange.end()
                    break
                request_id, message = writer.write(batch)
                window.add(len(message))
                exchange.submit(request_id, message)
            outcome = await inbox.get()
            if outcome[0] == ANSWER:
                if n_bytes := window.remove(outcome):
                    exchange.consumed(n_bytes)
                if feeder is not None:
                    feeder.window_opened()
                yield outcome[3]
            elif outcome[0] == FAILED:
                raise outcome[1]
            else:
                return
    finally:
        exchange.cancel()
        if feeder is not None:
            await feeder.stop()


class Feeder:
    """Reads inputs that may wait, in a task of its own."""

    def __init__(self, exchange: Exchange, writer: Writer, batches: Batches, window: Window, inbox: Inbox) -> None:
        self._exchange, self._writer, self._window, self._inbox = exchange, writer, window, inbox
        self._opened = asyncio.Event()
        items = batches.async_items
        if items is None:
            assert batches.items is not None
            items = AwaitedIterator(batches.items)
        self._items = items
        self._task = asyncio.get_running_loop().create_task(self._run())

    def window_opened(self) -> None:
        """There may be room for another request."""
        self._opened.set()

    async def stop(self) -> None:
        """End the task, close the inputs."""
        self._task.cancel()
        await asyncio.wait((self._task,))
        if hasattr(self._items, "aclose"):
            await self._items.aclose()

    async def _run(self) -> None:
        try:
            async for batch in self._items:
                request_id, message = self._writer.write(batch)
                while not self._window.is_open:
                    self._opened.clear()
                    await self._opened.wait()
                self._window.add(len(message))
                self._exchange.submit(request_id, message)
            self._exchange.end()
        except Exception as error:
            self._inbox.put((FAILED, error))


async def stream_async(open_exchange: Open, request: tuple[str, Message]) -> AsyncIterator[Answer]:
    """As `stream_sync`, on the running loop."""
    inbox, window = Inbox(), Window(1)
    exchange = open_exchange(inbox.put)
    exchange.submit(*request)
    try:
        while (outcome := await inbox.get())[0] == ANSWER:
            if n_bytes := window.take(outcome):
                exchange.consumed(n_bytes)
            yield outcome[3]
        if outcome[0] == FAILED:
            raise outcome[1]
    finally:
        exchange.cancel()
