"""The sub-protocol `json`: each text message is the JSON that HTTP takes, with `execEndpoint`; `{}` says that no more come.

Answers are HTTP's, and each names its request in `header.requestId`, as they come in the order in which they are done. Those of a streaming
endpoint also say in `header.event` what they are, as server-sent events do: `update`, at the end `end` or `error`. A failure is an answer
whose `header.status.code` is 1; the connection goes on.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec

from jina.call import Call, EndpointInfo, Payload, Reply, Status
from jina.errors import Code
from jina.fronts import http_replies
from jina.fronts.http_calls import Note
from jina.fronts.http_replies import encode
from jina.fronts.http_stream import close_items
from jina.fronts.websocket_session import Answer, WebSocketSession
from jina.runtime.targets import no_endpoint
from jina.wire import websocket
from jina.wire.envelope import Envelope, EnvelopeError, read_message

_ERROR = 1
_DEFAULT = "/default"


class JsonSpeaker:
    """See the module's docstring."""

    def __init__(self, session: WebSocketSession, note: Note) -> None:
        self._session, self._note, self._front = session, note, session.front

    def opened(self) -> Answer | None:
        """Wait for messages."""
        return None

    def message(self, data: bytes, is_text: bool) -> Answer | None:
        """Begin the answer to a request."""
        if not is_text:
            self._session.fail(websocket.UNSUPPORTED, "the sub-protocol 'json' takes text messages; 'bytes' is another")
            return None
        try:
            found = read_message(data, self._is_stream)
        except EnvelopeError as error:
            text = error.detail if isinstance(error.detail, str) else "the message cannot be read"
            return partial(self._fail, error.request_id, error.status, text, http_replies.detail_body(error.detail))
        if found is None:
            self._session.end_input()
            return None
        return partial(self._answer, found)

    def _is_stream(self, endpoint: str) -> bool:
        info = self._info(endpoint)
        return info is not None and info.kind == "stream"

    def _info(self, endpoint: str) -> EndpointInfo | None:
        by_path = self._front.by_path
        return by_path.get(endpoint) or by_path.get(_DEFAULT)

    async def _answer(self, found: Envelope) -> None:
        front, session = self._front, self._session
        request_id = found.request_id or self._note.request_id or front.ids.request_id()
        info = self._info(found.endpoint)
        if info is None:
            text = no_endpoint("there is", found.endpoint, front.by_path)
            await self._refuse(request_id, Status(Code.UNKNOWN_ENDPOINT, text))
            return
        call = self._call(found, info, request_id)
        reply = await front.handler(call)
        if reply.items is not None:
            await self._stream(request_id, reply)
        elif reply.status is not None:
            await self._refuse(request_id, reply.status, "error" if call.is_stream else "")
        else:
            body = http_replies.documents_body(reply, _header(request_id, "end" if call.is_stream else ""))
            await session.send(body, is_text=True)

    def _call(self, found: Envelope, info: EndpointInfo, request_id: str) -> Call:
        timeout_s = found.timeout_s if found.timeout_s is not None else self._note.timeout_s
        now, is_stream = self._session.now(), info.kind == "stream"
        return Call(
            found.endpoint,
            Payload(found.data, "json", is_stream),
            request_id,
            found.parameters,
            self._session.head.headers,
            found.target_executor,
            None if timeout_s is None else now + timeout_s,
            self._note.priority,
            is_stream,
            "json",
            self._front.ids.call_id(),
        )

    async def _stream(self, request_id: str, reply: Reply) -> None:
        assert reply.items is not None
        update = b'],"header":%b}' % encode(_header(request_id, "update"))
        try:
            async for item in reply.items:
                if item.status is not None:
                    await self._refuse(request_id, item.status, "error")
                    return
                if item.payload is not None:
                    await self._session.send(b'{"data":[%b%b' % (item.payload.data, update), is_text=True, has_more=True)
        finally:
            await close_items(reply.items)
        reply.payload = None
        await self._session.send(http_replies.documents_body(reply, _header(request_id, "end")), is_text=True)

    async def _refuse(self, request_id: str, status: Status, event: str = "") -> None:
        number, body, _ = http_replies.failure(status)
        await self._fail(request_id, number, status.description or status.code.value, body, event, status)

    async def _fail(self, request_id: str, number: int, text: str, body: bytes, event: str = "", status: Status | None = None) -> None:
        """Send a failure; `body` is what HTTP would answer."""
        header = _header(request_id, event)
        header["status"] = told = {"code": _ERROR, "description": text, "httpStatus": number}
        if status is not None and status.name:
            told["exception"] = {"name": status.name, "args": status.args, "executor": status.executor}
        await self._session.send(encode({"header": header, **msgspec.json.decode(body)}), is_text=True)


def _header(request_id: str, event: str) -> dict[str, Any]:
    header: dict[str, Any] = {"requestId": request_id, "targetExecutor": ""}
    return {**header, "event": event} if event else header
