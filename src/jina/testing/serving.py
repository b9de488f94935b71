"""`serve`: a Deployment or a flow for unit tests, called through the real client over connections that are only memory.

What is left out is what costs time: processes, sockets, and so also what only they can show (a crash of the worker, a restart).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from types import TracebackType
from typing import Any, NamedTuple

import msgspec

from jina.client import Client
from jina.client.background import Background
from jina.testing.parts import Parts
from jina.transport.http_client import HttpPool, HttpResponse

_HOST = "memory"


class HttpReply(NamedTuple):
    """A response over HTTP; names of headers in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Give the body as a JSON value."""
        return msgspec.json.decode(self.body)

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


def serve(uses: Any, **options: Any) -> Serve:
    """Serve an Executor, or several, in memory, while a `with` or `async with` lasts.

        >>> from jina import DocList, Executor, requests
        >>> from jina.docs import TextDoc
        >>> class Shout(Executor):
        ...     @requests(on="/shout")
        ...     def shout(self, docs: DocList[TextDoc], **kwargs) -> DocList[TextDoc]:
        ...         return DocList[TextDoc]([TextDoc(doc.text.upper()) for doc in docs])
        >>> with serve(Shout) as service:
        ...     service.post("/shout", TextDoc("hello"), return_type=TextDoc).text
        ...     service.http("POST", "/shout", json={"data": [{"text": "hi"}]}).status
        'HELLO'
        200

    Args:
        uses: An Executor class, or anything else that `Deployment(uses=...)` takes. Or several Executors: a Deployment or Flow that is
            made already and does not run, or a list of nodes, each a name, an Executor, and perhaps what it needs (a name, or several;
            without, the node before it).
        **options: Arguments of a Deployment, or of the Flow whose nodes are given: `uses_with`, `protocol` (what `client` speaks),
            `api_key`, `cors`, ...

    Raises:
        Exception: On entering: whatever the Executor's `__init__` raises.
    """
    return Serve(uses, options)


class Serve:
    """A service that can be entered: with `with` it runs on a loop in a thread, with `async with` on the running loop."""

    def __init__(self, uses: Any, options: dict[str, Any]) -> None:
        self._given = uses, options
        self._service: Service | None = None
        self._async_service: AsyncService | None = None

    def __enter__(self) -> Service:
        self._service = Service(*self._given)
        return self._service

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        service, self._service = self._service, None
        if service is not None:
            service.close()

    async def __aenter__(self) -> AsyncService:
        parts = Parts(*self._given)
        await parts.start()
        self._async_service = AsyncService(parts)
        return self._async_service

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        service, self._async_service = self._async_service, None
        if service is not None:
            await service.close()


class Service:
    """A running service for sync tests.

    Attributes:
        client: A sync client of the deployment's first protocol.
        executors: The Executors of a flow by the names of their nodes.
    """

    def __init__(self, uses: Any, options: dict[str, Any]) -> None:
        self._parts = Parts(uses, options)
        self.executors: dict[str, Any] = {**self._parts.executors}
        self._loop = Background("jina-testing")
        self._loop.run(self._parts.start())
        self.client: Any = self.make_client(self._parts.protocol)
        self._pool = HttpPool(self._parts.connectors["http"], _HOST)

    @property
    def executor(self) -> Any:
        """The Executor itself; of a flow the last one."""
        return [*self.executors.values()][-1]

    def make_client(self, protocol: str, **options: Any) -> Any:
        """Give another client, of `grpc`, `http` or `websocket`."""
        return Client(host=_HOST, protocol=protocol, open_connection=self._parts.connectors[protocol], loop=self._loop, **options)

    def post(self, on: str, inputs: Any = None, **options: Any) -> Any:
        """Call an endpoint; see `Client.post`."""
        return self.client.post(on, inputs, **options)

    def stream_doc(self, on: str, inputs: Any, **options: Any) -> Iterator[Any]:
        """Call a streaming endpoint; see the client's `stream_doc`."""
        found: Iterator[Any] = self.client.stream_doc(on, inputs, **options)
        return found

    def http(
        self, method: str, path: str, *, json: Any = None, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> HttpReply:
        """Send one HTTP request, as it is."""
        return self._loop.run(_request(self._pool, method, path, json, body, headers))

    def close(self) -> None:
        """Stop serving, close the Executor."""
        self.client.close()
        self._loop.call(self._pool.close)
        try:
            self._loop.run(self._parts.stop())
        finally:
            self._loop.stop()
            self._parts.close()


class AsyncService:
    """A running service for async tests; everything, also the Executor's `async def` methods, runs on the test's own loop.

    Attributes:
        client: An async client of the deployment's first protocol.
        executors: The Executors of a flow by the names of their nodes.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.executors: dict[str, Any] = {**parts.executors}
        self.client: Any = self.make_client(parts.protocol)
        self._pool = HttpPool(parts.connectors["http"], _HOST)

    @property
    def executor(self) -> Any:
        """The Executor itself; of a flow the last one."""
        return [*self.executors.values()][-1]

    def make_client(self, protocol: str, **options: Any) -> Any:
        """Give another client, of `grpc`, `http` or `websocket`."""
        return Client(host=_HOST, protocol=protocol, asyncio=True, open_connection=self._parts.connectors[protocol], **options)

    def post(self, on: str, inputs: Any = None, **options: Any) -> AsyncIterator[Any]:
        """Call an endpoint; gives what the async client's `post` gives."""
        found: AsyncIterator[Any] = self.client.post(on, inputs, **options)
        return found

    def stream_doc(self, on: str, inputs: Any, **options: Any) -> AsyncIterator[Any]:
        """Call a streaming endpoint; see the client's `stream_doc`."""
        found: AsyncIterator[Any] = self.client.stream_doc(on, inputs, **options)
        return found

    async def http(
        self, method: str, path: str, *, json: Any = None, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> HttpReply:
        """Send one HTTP request, as it is."""
        return await _request(self._pool, method, path, json, body, headers)

    async def close(self) -> None:
        """Stop serving, close the Executor."""
        self.client.close()
        self._pool.close()
        try:
            await self._parts.stop()
        finally:
            self._parts.close()


async def _request(pool: HttpPool, method: str, path: str, json: Any, body: bytes | None, headers: Mapping[str, str] | None) -> HttpReply:
    sent = {"host": _HOST, **(headers or {})}
    if json is not None:
        body = msgspec.json.encode(json)
        sent.setdefault("content-type", "application/json")
    response: HttpResponse = await pool.request(method, path, sent, body)
    return HttpReply(*response)
