"""What answers the calls of an HTTP front in tests, and runs them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from jina.call import Call, EndpointInfo, Item, Reply
from tests.waiting import run_bounded

TEXT = {"type": "object", "properties": {"text": {"type": "string"}, "n": {"type": "integer"}}}
INFOS = [
    EndpointInfo("/echo", "batch", TEXT, TEXT, "Text", "Text"),
    EndpointInfo("/tell", "stream", TEXT, TEXT, "Text", "Text"),
    EndpointInfo("/default", "batch", TEXT, TEXT, "Text", "Text"),
]


class Handler:
    """Gives documents back, or what `reply` says; waits first if it is told to."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.reply: Reply | Exception | None = None
        self.cancelled, self.started = asyncio.Event(), asyncio.Event()
        self.closed = asyncio.Event()
        self.waits_for: asyncio.Future[None] | None = None

    async def __call__(self, call: Call) -> Reply:
        self.calls.append(call)
        self.started.set()
        if self.waits_for is not None:
            try:
                await self.waits_for
            except asyncio.CancelledError:
                self.cancelled.set()
                raise
        if isinstance(self.reply, Exception):
            raise self.reply
        if self.reply is not None:
            return self.reply
        return Reply(items=self.items(call)) if call.is_stream else Reply(payload=call.payload, parameters=call.parameters)

    async def items(self, call: Any) -> Any:
        try:
            for _ in range(2):
                yield Item(call.payload)
        finally:
            self.closed.set()


def run(scenario: Callable[[Handler], Coroutine[Any, Any, None]]) -> None:
    """Run a scenario with a handler of its own."""
    run_bounded(scenario(Handler()))
