"""Requests out, answers back: what a `post` does on the loop that owns the connections.

An exchange hears of nothing but bytes. `submit`, `end`, `consumed` and `cancel` are called on its loop; what becomes of the requests is
told through `deliver`, in tuples that begin with one of the constants below, and may be handed to another thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from jina.client.answers import Answer
from jina.codec.pieces import Message

ANSWER: Final = 1
"""(ANSWER, n_request_bytes, n_answer_bytes, answer)."""
FAILED: Final = 2
"""(FAILED, exception): the last one."""
END: Final = 3
"""(END,): everything is answered; the last one."""

Outcome = tuple[Any, ...]
Deliver = Callable[[Outcome], object]


class Exchange:
    """The requests of one `post` and their answers."""

    def submit(self, request_id: str, message: Message) -> None:
        """Send a request."""
        raise NotImplementedError

    def end(self) -> None:
        """Say that no more requests come: END follows the last answer."""
        raise NotImplementedError

    def submit_last(self, request_id: str, message: Message) -> None:
        """Send a request, and say that no more come."""
        self.submit(request_id, message)
        self.end()

    def consumed(self, n_bytes: int) -> None:
        """Answers of this many bytes were taken."""

    def cancel(self) -> None:
        """Leave: nothing is delivered any more. Harmless after the end."""
        raise NotImplementedError


class SeparateExchange(Exchange):
    """Each request is a call of its own."""

    def __init__(self, answer: Callable[[str, Message], Awaitable[tuple[int, Answer]]], deliver: Deliver, *, in_order: bool) -> None:
        """Start.

        Args:
            answer: Sends one request (id, message); gives the size of the answer and the answer.
            deliver: Hears of what happens.
            in_order: Give the answers in the order of the requests.
        """
        self._answer, self._deliver, self._in_order = answer, deliver, in_order
        self._tasks: set[asyncio.Task[None]] = set()
        self._held: dict[int, Outcome] = {}
        self._n_submitted = self._n_delivered = 0
        self._has_ended = self._is_over = False

    def submit(self, request_id: str, message: Message) -> None:
        if self._is_over:
            return
        task = asyncio.get_running_loop().create_task(self._run(self._n_submitted, request_id, message))
        self._n_submitted += 1
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def end(self) -> None:
        self._has_ended = True
        self._finish()

    def cancel(self) -> None:
        self._is_over = True
        for task in list(self._tasks):
            task.cancel()

    async def _run(self, number: int, request_id: str, message: Message) -> None:
        outcome: Outcome
        try:
            size, answer = await self._answer(request_id, message)
            outcome = (ANSWER, len(message), size, answer)
        except Exception as error:
            outcome = (FAILED, error)
        if self._in_order:
            self._held[number] = outcome
            while not self._is_over and (ready := self._held.pop(self._n_delivered, None)) is not None:
                self._tell(ready)
        elif not self._is_over:
            self._tell(outcome)
        self._finish()

    def _tell(self, outcome: Outcome) -> None:
        self._n_delivered += 1
        self._deliver(outcome)
        if outcome[0] == FAILED:
            self.cancel()

    def _finish(self) -> None:
        if self._has_ended and not self._is_over and self._n_delivered == self._n_submitted:
            self._is_over = True
            self._deliver((END,))
