"""WebSocket on a front: which path and sub-protocol a request asks for, and who then speaks on its connection.

    /            calls with documents: `bytes` as in gRPC (`websocket_bytes.py`), `json` as in HTTP (`websocket_json.py`)
    /stream_doc  one document in, a stream of documents out, in `bytes`
    /dry_run     one status, as soon as the connection is there

`websocket_session.py` moves bytes through a channel: an HTTP/1.1 connection after 101, or a stream of an HTTP/2 connection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from jina.call import DIALECT
from jina.fronts.http_calls import Note
from jina.fronts.websocket_bytes import BytesSpeaker, DryRunSpeaker, StreamSpeaker
from jina.fronts.websocket_json import JsonSpeaker
from jina.fronts.websocket_session import Channel, Speaker, WebSocketSession
from jina.wire import websocket_deflate, websocket_handshake
from jina.wire.http_requests import Request
from jina.wire.websocket_handshake import BYTES, JSON, Refused

if TYPE_CHECKING:
    from jina.fronts.front import Front

SPEAKERS: dict[tuple[bytes, str], Callable[[WebSocketSession, Note], Speaker]] = {
    (b"/", BYTES): BytesSpeaker,
    (b"/", JSON): JsonSpeaker,
    (b"/stream_doc", BYTES): StreamSpeaker,
    (b"/stream_doc", JSON): StreamSpeaker,
    (b"/dry_run", BYTES): DryRunSpeaker,
    (b"/dry_run", JSON): DryRunSpeaker,
}
"""Who speaks, by path and sub-protocol."""
_DIALECT_LINE = f"{DIALECT[0]}: {DIALECT[1]}\r\n".encode()
_ORIGIN = "pages of another origin may not call this service; cors=True lets them"


def open_session(front: Front, request: Request, note: Note, channel: Channel) -> tuple[bytes, WebSocketSession] | Refused:
    """Give the header lines that grant a request to become a WebSocket and the session to begin, or the refusal.

    Browsers let any page open a WebSocket to any service, and send its cookies along: nothing but `Origin` keeps the pages that a developer
    visits from a service on the loopback.
    """
    head = request.head
    speaker = SPEAKERS.get((request.target.partition(b"?")[0], websocket_handshake.protocol_of(head.headers)))
    if note.problem:
        return Refused(400, note.problem)
    if speaker is None:
        return Refused(404, "Not Found")
    if not front.options.cors and not websocket_handshake.is_same_origin(head.headers):
        return Refused(403, _ORIGIN)
    if front.is_draining:
        return Refused(503, "the service is stopping", b"retry-after: 1\r\n")
    lines = websocket_handshake.answer(request.method, head.headers)
    if isinstance(lines, Refused):
        return lines
    chosen, deflate = websocket_deflate.answer_offer(head.headers.get("sec-websocket-extensions", ""))
    if chosen:
        lines += b"sec-websocket-extensions: %b\r\n" % chosen.encode()
    if head.headers.get(DIALECT[0]) == DIALECT[1]:
        lines += _DIALECT_LINE
    lines += b"date: %b\r\n" % front.date
    if note.request_id:
        lines += b"x-request-id: %b\r\n" % note.request_id.encode()
    session = WebSocketSession(front, channel, head, deflate)
    session.begin(speaker(session, note))
    return lines, session
