"""What docarray's bytes cannot carry travels in our own dialect, once the service has said that it reads it.

Every gRPC request and every WebSocket's handshake says that we do (`jina-dialect`), so a service of ours answers in it where it must. A
request that needs it is held until the service has said the same, over gRPC through `JinaInfoRPC/_status`, over WebSocket in its answer to
the handshake; a foreign one gets no such request, and its caller an error.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

from jina.client.exchange import FAILED, Deliver, Exchange
from jina.codec.pieces import Message
from jina.errors import BadClientInput

T = TypeVar("T")


class OursOnly(bytes):
    """A request in our dialect.

    Attributes:
        refused: Why it cannot be told in docarray's.
    """

    refused: BadClientInput


def in_either(write: Callable[[str], T]) -> tuple[T, BadClientInput | None]:
    """Write in docarray's dialect, else in ours; then also give why.

    Raises:
        BadClientInput: Neither can carry it.
    """
    try:
        return write("strict"), None
    except BadClientInput as refused:
        try:
            return write("ours"), refused
        except BadClientInput:
            raise refused from None


def ours_only(message: Message, refused: BadClientInput | None) -> Message:
    """Mark a message that must not go to a foreign service."""
    if refused is None:
        return message
    marked = OursOnly(bytes(message))
    marked.refused = refused
    return marked


def foreign(refused: BadClientInput) -> BadClientInput:
    """Make the error for documents that docarray's bytes cannot carry, to a service that reads no others."""
    why = "the service does not say that it reads more than docarray's bytes"
    return BadClientInput(f"{refused}; {why}: call it with protocol='http', or send a BaseDoc, text or float in its place")


class AgreeingExchange(Exchange):
    """Another exchange, before which a request waits until the dialect is agreed on."""

    def __init__(self, inner: Exchange, is_agreed: Callable[[], bool], agree: Callable[[], Awaitable[bool]], deliver: Deliver) -> None:
        """Pass on to `inner`.

        Args:
            inner: Sends the requests.
            is_agreed: Whether the service is known to read our dialect.
            agree: Asks it.
            deliver: Hears of a failure to agree.
        """
        self._inner, self._is_agreed, self._agree, self._deliver = inner, is_agreed, agree, deliver
        self._held: deque[Callable[[], Any]] | None = None
        self._asking: asyncio.Task[None] | None = None

    def submit(self, request_id: str, message: Message) -> None:
        if self._held is not None:
            self._held.append(partial(self._inner.submit, request_id, message))
        elif isinstance(message, OursOnly) and not self._is_agreed():
            self._held = deque((partial(self._inner.submit, request_id, message),))
            self._asking = asyncio.get_running_loop().create_task(self._ask(message.refused))
        else:
            self._inner.submit(request_id, message)

    def end(self) -> None:
        if self._held is not None:
            self._held.append(self._inner.end)
        else:
            self._inner.end()

    def consumed(self, n_bytes: int) -> None:
        self._inner.consumed(n_bytes)

    def cancel(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
        self._inner.cancel()

    async def _ask(self, refused: BadClientInput) -> None:
        try:
            if not await self._agree():
                raise foreign(refused)
        except Exception as error:
            self._inner.cancel()
            self._deliver((FAILED, error))
            return
        held, self._held = self._held or (), None
        for pass_on in held:
            pass_on()
