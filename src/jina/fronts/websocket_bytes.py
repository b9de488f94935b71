"""Jina's sub-protocol `bytes`: what gRPC's messages are, each in a binary message.

An executor's failure is a reply with an ERROR in its header. What no executor answered (unavailable, overloaded, too late) closes the
connection with 1011 and the reason, as Jina does: its clients make a ConnectionError of that.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from jina.call import Call, Payload, Reply, Status
from jina.codec.messages import Envelope, read_document_request, read_request, status_bytes, write_reply
from jina.errors import CallerError, MalformedError
from jina.fronts import grpc_requests
from jina.fronts.dry_run import dry_run
from jina.fronts.grpc_data import item_message
from jina.fronts.http_calls import Note
from jina.fronts.http_replies import status_body
from jina.fronts.http_stream import close_items
from jina.fronts.websocket_session import Answer, WebSocketSession
from jina.wire import websocket
from jina.wire.envelope import is_request_id
from jina.wire.websocket_handshake import JSON, protocol_of

_ENDS = (b"\x00", b"\x01")
"""What says that no more come: Jina writes `bytes(True)`, which is one zero byte, and tells of a one."""
_ONLY_BINARY = "the sub-protocol 'bytes' takes binary messages"


class BytesSpeaker:
    """Each message a DataRequestProto, each answer too, as they are done; a lone byte 0 or 1 says that no more come."""

    def __init__(self, session: WebSocketSession, note: Note) -> None:
        self._session, self._note = session, note

    def opened(self) -> Answer | None:
        """Wait for messages."""
        return None

    def message(self, data: bytes, is_text: bool) -> Answer | None:
        """Begin the answer to a request."""
        if is_text:
            self._session.fail(websocket.UNSUPPORTED, _ONLY_BINARY)
        elif data in _ENDS:
            self._session.end_input()
        else:
            return partial(self._answer, data)
        return None

    async def _answer(self, data: bytes) -> None:
        session, started_s = self._session, time.time()
        found = await _read(session, self._note, data, read_request, is_stream=False)
        if found is None:
            return
        call, envelope = found
        reply = await session.front.handler(call)
        if reply.status is not None and grpc_requests.ends_with_status(reply.status):
            session.fail(websocket.INTERNAL, reply.status.description)
        else:
            await session.send(bytes(grpc_requests.reply_message(call, envelope, reply, started_s)), is_text=False)


class StreamSpeaker:
    """One SingleDocumentRequestProto in, a stream of them out; its end is the connection's."""

    def __init__(self, session: WebSocketSession, note: Note) -> None:
        self._session, self._note = session, note
        self._is_asked = False

    def opened(self) -> Answer | None:
        """Wait for the request."""
        return None

    def message(self, data: bytes, is_text: bool) -> Answer | None:
        """Begin the stream."""
        if is_text:
            self._session.fail(websocket.UNSUPPORTED, _ONLY_BINARY)
            return None
        if self._is_asked:
            self._session.fail(websocket.POLICY, "a stream has one request; open another connection for the next")
            return None
        self._is_asked = True
        return partial(self._answer, data)

    async def _answer(self, data: bytes) -> None:
        session, started_s = self._session, time.time()
        found = await _read(session, self._note, data, read_document_request, is_stream=True)
        if found is None:
            return
        call, envelope = found
        reply = await session.front.handler(call)
        if reply.items is None:
            await self._send(call, envelope, reply, reply.status, reply.payload, started_s)
        else:
            try:
                async for item in reply.items:
                    if not await self._send(call, envelope, reply, item.status, item.payload, started_s):
                        return
            finally:
                await close_items(reply.items)
        session.end_input()

    async def _send(
        self, call: Call, envelope: Envelope, reply: Reply, status: Status | None, payload: Payload | None, started_s: float
    ) -> bool:
        if status is not None and grpc_requests.ends_with_status(status):
            self._session.fail(websocket.INTERNAL, status.description)
            return False
        await self._session.send(item_message(call, envelope, reply, status, payload, started_s), is_text=False, has_more=True)
        return True


class DryRunSpeaker:
    """One StatusProto (or its JSON) as soon as the connection is there; whatever the caller then sends ends it."""

    def __init__(self, session: WebSocketSession, note: Note) -> None:
        self._session = session
        self._is_text = protocol_of(session.head.headers) == JSON

    def opened(self) -> Answer | None:
        """Ask every part."""
        return self._answer

    def message(self, data: bytes, is_text: bool) -> Answer | None:
        """Take what Jina's client sends beside it."""
        self._session.end_input()
        return None

    async def _answer(self) -> None:
        session = self._session
        reply = await session.front.handler(dry_run(session.front.ids.request_id()))
        body = status_body(reply.status) if self._is_text else grpc_requests.status_parts(reply.status)
        await session.send(body, is_text=self._is_text)


async def _read(
    session: WebSocketSession, note: Note, data: bytes, read: Callable[[bytes], Envelope], *, is_stream: bool
) -> tuple[Call, Envelope] | None:
    """Read a request; None if it is not valid, and then its caller is told."""
    deadline = None if note.timeout_s is None else time.monotonic() + note.timeout_s
    envelope = None
    try:
        envelope = read(data)
        return grpc_requests.call_of(envelope, session.head, deadline, is_stream=is_stream), envelope
    except MalformedError as error:
        session.fail(websocket.INVALID_DATA, str(error))
    except CallerError as error:
        assert envelope is not None
        known = envelope.request_id if is_request_id(envelope.request_id) else ""
        await session.send(bytes(write_reply(known, envelope.endpoint, status_bytes(True, str(error)))), is_text=False)
        if is_stream:
            session.end_input()
    return None
