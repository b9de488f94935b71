"""Streaming endpoints over HTTP: server-sent events as answers, and as many of them as the caller takes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from jina.client import documents
from jina.client.answers import Answer, failed_reply, http_failure
from jina.client.exchange import ANSWER, END, FAILED, Deliver, Exchange
from jina.client.failures import late, unreachable
from jina.client.post import Post
from jina.codec.messages import StatusParts
from jina.codec.pieces import Message
from jina.errors import TransportError

Events = Callable[[str, bytes], AsyncIterator[tuple[str, bytes]]]
"""Calls an endpoint (request id, body), gives name and data of its events."""
_HIGH_BYTES = 1 << 20


class StreamedJson(Answer):
    """One document of a stream."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def docs(self, wanted: documents.ReturnType) -> list[Any]:
        return [wanted.read("decode_json_one", self._data)]


class StreamedFailure(Answer):
    """The failure that ends a stream."""

    is_error = True

    def __init__(self, data: bytes) -> None:
        self._data = data

    def docs(self, wanted: documents.ReturnType) -> list[Any]:
        return []

    def error(self, wanted: documents.ReturnType) -> Exception:
        from jina.types.request.data import SingleDocumentRequest

        text = http_failure(500, self._data, "").details()
        request = SingleDocumentRequest()
        request.header.status.code, request.header.status.description = 1, text
        return failed_reply(request.header, StatusParts(True, text, "", [], [], ""))


class DocumentStream(Exchange):
    """A streaming endpoint's events."""

    def __init__(self, events: Events, post: Post, deliver: Deliver) -> None:
        self._events, self._post, self._deliver = events, post, deliver
        self._task: asyncio.Task[None] | None = None
        self._n_held = 0
        self._may_go_on = asyncio.Event()

    def submit(self, request_id: str, message: Message) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run(request_id, bytes(message)))

    def consumed(self, n_bytes: int) -> None:
        self._n_held -= n_bytes
        if self._n_held < _HIGH_BYTES:
            self._may_go_on.set()

    def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _run(self, request_id: str, body: bytes) -> None:
        limit = asyncio.timeout(self._post.timeout_s)
        try:
            async with limit:
                await self._read(request_id, body)
            self._deliver((END,))
        except TransportError as error:
            self._deliver((FAILED, unreachable(str(error))))
        except Exception as error:
            self._deliver((FAILED, late("the stream did not end", self._post) if limit.expired() else error))

    async def _read(self, request_id: str, body: bytes) -> None:
        has_ended = False
        async for name, data in self._events(request_id, body):
            if name == "end":
                has_ended = True
            elif name in ("update", "error"):
                has_ended = name == "error"
                self._deliver((ANSWER, 0, len(data), StreamedJson(data) if name == "update" else StreamedFailure(data)))
                self._n_held += len(data)
            if self._n_held > _HIGH_BYTES:
                self._may_go_on.clear()
                await self._may_go_on.wait()
        if not has_ended:
            raise TransportError("the server closed the stream before its end")
