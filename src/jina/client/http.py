"""A client over HTTP/1.1: which path a request goes to, its body, and what the response means. One core belongs to one loop.

An endpoint `/x` is a POST to `/x`. Only where that does not exist the service's `/openapi.json` is read, until it has told, and Jina's
rule decides: `/default` if the service has it, else `/post`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from math import isfinite
from typing import Any
from urllib.parse import quote

import msgspec

from jina.client import documents
from jina.client.answers import Answer, HttpAnswer, dry_run_failure, http_failure
from jina.client.attempts import Attempts
from jina.client.exchange import Deliver, Exchange, SeparateExchange
from jina.client.failures import late, no_stream, streams, unreachable
from jina.client.fields import request_fields
from jina.client.http_streams import DocumentStream
from jina.client.ids import SharedIds
from jina.client.inputs import Batch
from jina.client.post import Post
from jina.client.sse import EventReader
from jina.codec.pieces import Message
from jina.errors import BadClientInput, InvalidInputError, TransportError
from jina.transport.http_client import HttpPool, HttpResponse
from jina.wire import http_client as wire
from jina.wire.content_coding import ACCEPTED
from jina.wire.grpc import Metadata
from jina.wire.status import GrpcStatus

_ABSENT = frozenset((404, 405))
_MAX_FAILURE_BYTES = 1 << 20
_DEFAULT = "/default"
_JSON = {"content-type": "application/json"}
_EVENTS = {"accept": "text/event-stream", "accept-encoding": "identity"}


class RequestWriter:
    """Writes the bodies of one post, in the thread that has the documents."""

    def __init__(self, post: Post, request_id: Callable[[], str]) -> None:
        self._request_id = request_id
        try:
            _check_finite(post.parameters)
            self._parameters = b',"parameters":%b' % _json(post.parameters) if post.parameters else b""
            self._header = b',"targetExecutor":%b' % _json(post.target_executor) if post.target_executor else b""
            self._rest = b',"execEndpoint":%b}' % _json(post.on)
        except (TypeError, ValueError) as error:
            raise BadClientInput(f"parameters must be JSON values: {error}") from error

    def write(self, batch: Batch) -> tuple[str, bytes]:
        """Give a new request id, and the body."""
        request_id = self._request_id()
        header = b',"header":{"requestId":"%b"%b}' % (request_id.encode(), self._header)
        return request_id, b"".join((b'{"data":', documents.encode_json(batch), self._parameters, header, self._rest))

    def write_document(self, doc: Any) -> tuple[str, bytes]:
        """The same for a streaming endpoint: the bare document, if there is nothing else to say."""
        data = documents.encode_one_json(doc)
        body = b'{"data":%b%b}' % (data, self._parameters) if self._parameters else data
        return self._request_id(), body


_json = msgspec.json.encode


def _check_finite(value: Any) -> None:
    """Refuse what JSON would silently make null."""
    if isinstance(value, float) and not isfinite(value):
        raise ValueError(f"{value} is no JSON number")
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ():
        _check_finite(inner)


class HttpCore:
    """What a client does over one pool of connections."""

    def __init__(self, pool: HttpPool, authority: str) -> None:
        self.pool, self._authority = pool, authority
        self._fields = {"host": authority, "accept": "application/json", "accept-encoding": ACCEPTED}
        self._ids = SharedIds()
        self._paths: dict[str, str] = {}
        self._has_learnt = False
        self._taking_post = self._streaming = frozenset[str]()

    def writer(self, post: Post) -> RequestWriter:
        """Give what writes the requests of a post; in any thread."""
        return RequestWriter(post, self._ids.request_id)

    def exchange(self, post: Post, deliver: Deliver) -> Exchange:
        """Begin a post."""
        path = _path_of(post.on)

        async def answer(request_id: str, message: Message) -> tuple[int, Answer]:
            attempts = Attempts(post)
            while True:
                left_s = attempts.begin()
                try:
                    response = await self._in_time(post, path, bytes(message), left_s)
                except TransportError as error:
                    pause_s = attempts.pause_s(GrpcStatus.UNAVAILABLE)
                    if pause_s is None:
                        raise unreachable(str(error)) from None
                else:
                    pause_s = attempts.pause_s(GrpcStatus.OK, response.status)
                    if pause_s is None:
                        return len(response.body), HttpAnswer(response, path, request_id)
                await asyncio.sleep(pause_s)

        return SeparateExchange(answer, deliver, in_order=post.results_in_order)

    def stream_doc(self, post: Post, deliver: Deliver) -> Exchange:
        """Begin a call of a streaming endpoint: `submit` it, once."""
        return DocumentStream(partial(self._stream, post), post, deliver)

    async def dry_run(self, timeout_s: float | None, metadata: Metadata) -> str:
        """Ask whether the service would take calls; gives the reason why not, else an empty string."""
        headers = request_fields(self._fields, tuple(metadata))
        try:
            async with asyncio.timeout(timeout_s):
                response = await self._ask("GET", "/dry_run", headers)
                if response.status == 404:  # a service of one executor has none
                    response = await self._ask("GET", "/", headers)
        except (TransportError, TimeoutError) as error:
            return str(error) or "no answer in time"
        if response.status != 200:
            return f"HTTP status {response.status}"
        return dry_run_failure(response.body)

    def close(self) -> None:
        """Close the connections; on the core's loop."""
        self.pool.close()

    async def _ask(self, method: str, path: str, headers: dict[str, str], body: bytes | None = None) -> HttpResponse:
        try:
            return await self.pool.request(method, path, headers, body)
        except InvalidInputError as error:
            raise BadClientInput(str(error)) from None

    async def _in_time(self, post: Post, own: str, body: bytes, timeout_s: float | None) -> HttpResponse:
        if timeout_s is None:
            return await self._send(post, own, body)
        try:
            async with asyncio.timeout(timeout_s):
                return await self._send(post, own, body, timeout_s)
        except TimeoutError:
            raise late(f"no answer from {self._authority}", post) from None

    async def _send(self, post: Post, own: str, body: bytes, timeout_s: float | None = None) -> HttpResponse:
        """Send a request to the endpoint's own path, or to what Jina's rule has in its place."""
        headers = request_fields({**self._fields, **_JSON}, post.metadata, timeout_s)
        path = self._paths.get(own)
        if path is not None:
            return await self._ask("POST", path, headers, body)
        if own != "/":
            response = await self._ask("POST", own, headers, body)
            if response.status not in _ABSENT:
                self._paths[own] = own
                return response
            await self._learn(headers)
            if own in self._taking_post:
                self._paths[own] = own
                return response
            if own in self._streaming:  # with Jina such a path takes a GET only
                raise streams(own)
        else:
            await self._learn(headers)
        path = _DEFAULT if _DEFAULT in self._taking_post else "/post"
        response = await self._ask("POST", path, headers, body)
        if response.status not in _ABSENT:
            self._paths[own] = path
        return response

    async def _learn(self, headers: dict[str, str]) -> None:
        """Read which paths the service has, once it says so."""
        if self._has_learnt:
            return
        response = await self._ask("GET", "/openapi.json", headers)
        self._has_learnt = response.status in (200, 404)  # any other says nothing of its paths
        try:
            paths = [("/" + path.strip("/"), methods) for path, methods in msgspec.json.decode(response.body)["paths"].items()]
            self._taking_post = frozenset(path for path, methods in paths if "post" in methods)
            self._streaming = frozenset(path for path, methods in paths if _is_streaming(methods))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError, TypeError, AttributeError):
            pass  # it has none, or one that is no use: all that is known is that the endpoint's own path does not exist

    async def _stream(self, post: Post, request_id: str, body: bytes) -> AsyncIterator[tuple[str, bytes]]:
        """Call a streaming endpoint, or the default one where it does not exist, and give its events.

        Raises:
            RpcError: The service does not stream.
            TransportError: The connection broke.
        """
        headers = {**request_fields({**self._fields, **_JSON}, post.metadata), **_EVENTS}
        headers.setdefault("x-request-id", request_id)
        path = own = _path_of(post.on)
        while True:
            reader, status, content, is_events = EventReader(self.pool.max_body_bytes), 0, b"", False
            async for event in self.pool.stream("POST" if post.parameters else "GET", path, headers, body):
                if event[0] == wire.HEAD:
                    status = event[1]
                    is_events = status == 200 and event[2].get("content-type", "").startswith("text/event-stream")
                elif event[0] == wire.BODY and is_events:
                    for found in _events_of(reader, event[1]):
                        yield found
                elif event[0] == wire.BODY and len(content) < _MAX_FAILURE_BYTES:
                    content += event[1]
            if is_events:
                return
            if status == 404:
                await self._learn(headers)
            if status != 404 or path == _DEFAULT or _DEFAULT not in self._streaming:
                break
            path = _DEFAULT
        if status in (200, 405) or (status == 404 and _DEFAULT in self._taking_post):
            raise no_stream(own)
        raise http_failure(status, content, own)


def _path_of(endpoint: str) -> str:
    return "/" + quote(endpoint.strip("/"), safe="/!$&'()*+,;=:@%")


def _is_streaming(methods: dict[str, Any]) -> bool:
    return str(methods.get("get", {}).get("operationId", "")).startswith("streaming_get_")


def _events_of(reader: EventReader, data: bytes) -> list[tuple[str, bytes]]:
    try:
        return reader.feed(data)
    except wire.BadResponseError as error:
        raise TransportError(str(error)) from None
