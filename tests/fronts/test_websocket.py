from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from types import SimpleNamespace
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Close, Frame, Opcode

from jina.call import Item, Payload, Reply, Status
from jina.codec import messages
from jina.errors import Code
from jina.fronts import turns, websocket_session
from jina.fronts.front import Front
from jina.fronts.http_calls import Note
from jina.fronts.websocket_session import Answer, WebSocketSession
from jina.limits import FrontOptions
from jina.runtime.guards import make_guard
from jina.wire.buffered import Buffered
from jina.wire.http_requests import Head
from tests.fronts.listening import listening
from tests.fronts.test_http_front import INFOS, Handler
from tests.waiting import loop_turns, run_bounded, until

BYTES: Any = ["bytes"]


@contextlib.asynccontextmanager
async def serving(handler: Handler, *, buffered: Buffered | None = None, guard: Any = None, **options: Any) -> AsyncIterator[Front]:
    front = Front(handler, INFOS, guard=guard, options=FrontOptions(**options), buffered=buffered, protocols=["http", "websocket"])
    async with listening(front) as port:
        vars(front)["port"] = port
        yield front


def run(scenario: Callable[[Handler], Coroutine[Any, Any, None]]) -> None:
    run_bounded(scenario(Handler()))


def to(front: Front, path: str = "/", **options: Any) -> Any:
    return connect(f"ws://127.0.0.1:{vars(front)['port']}{path}", proxy=None, **options)


def request(request_id: str, endpoint: str = "/echo", docs: bytes | None = b"") -> bytes:
    return messages.write_request(messages.header_bytes(request_id, endpoint), docs=docs)


async def ask(socket: ClientConnection, **message: Any) -> Any:
    await socket.send(json.dumps(message))
    return json.loads(await socket.recv())


async def end_of(socket: ClientConnection) -> Close:
    """How the server closed."""
    with pytest.raises(ConnectionClosed) as caught:
        await socket.recv()
    assert caught.value.rcvd is not None
    return caught.value.rcvd


def test_a_message_is_answered_as_over_http_with_its_request_id() -> None:
    """`execEndpoint` names the endpoint; the documents pass unread."""

    async def scenario(handler: Handler) -> None:
        async with serving(handler) as front, to(front) as socket:
            found = await ask(socket, data={"text": "é"}, execEndpoint="/echo", parameters={"a": 1}, header={"requestId": "r"})
            assert found == {"data": [{"text": "é"}], "parameters": {"a": 1.0}, "header": {"requestId": "r", "targetExecutor": ""}}
            (call,) = handler.calls
            assert (call.endpoint, call.wants, call.is_stream, call.deadline) == ("/echo", "json", False, None)
            found = await ask(socket, data=[])
            assert len(found["header"]["requestId"]) == 32
            assert handler.calls[1].endpoint == "/default"

    run(scenario)


def test_answers_come_as_they_are_done() -> None:
    """A slow one does not hold up the next."""

    async def scenario(handler: Handler) -> None:
        handler.waits_for = asyncio.get_running_loop().create_future()
        async with serving(handler) as front, to(front) as socket:
            await socket.send('{"data": [], "header": {"requestId": "slow"}}')
            await handler.started.wait()
            slow, handler.waits_for = handler.waits_for, None
            assert (await ask(socket, data=[], header={"requestId": "quick"}))["header"]["requestId"] == "quick"
            slow.set_result(None)
            assert json.loads(await socket.recv())["header"]["requestId"] == "slow"

    run(scenario)


def test_a_streaming_endpoint_gives_a_message_a_document_and_one_at_the_end() -> None:
    """`header.event` says which is which, as server-sent events do."""

    async def scenario(handler: Handler) -> None:
        async with serving(handler) as front, to(front) as socket:
            await socket.send('{"data": {"text": "a"}, "execEndpoint": "/tell", "header": {"requestId": "r"}}')
            found = [json.loads(await socket.recv()) for _ in range(3)]
            assert [each["header"]["event"] for each in found] == ["update", "update", "end"]
            assert [each["data"] for each in found] == [[{"text": "a"}], [{"text": "a"}], []]
            assert {each["header"]["requestId"] for each in found} == {"r"}
            assert handler.calls[0].is_stream

            async def broken() -> AsyncIterator[Item]:
                yield Item(Payload(b"{}"))
                yield Item(status=Status(Code.EXECUTOR_FAILED, "ValueError('no')", "ValueError", ["no"], ["trace"], "E"))

            handler.reply = Reply(items=broken())
            await socket.send('{"data": {"text": "a"}, "execEndpoint": "/tell", "header": {"requestId": "s"}}')
            found = [json.loads(await socket.recv()) for _ in range(2)]
            assert [each["header"]["event"] for each in found] == ["update", "error"]

    run(scenario)


def test_a_failure_is_an_answer_and_the_connection_goes_on() -> None:
    """With what HTTP would say, and its status; the server's traceback stays here."""

    async def scenario(handler: Handler) -> None:
        async with serving(handler) as front, to(front) as socket:
            handler.reply = Reply(Status(Code.EXECUTOR_FAILED, "ValueError('no')", "ValueError", ["no"], ["trace"], "E"))
            found = await ask(socket, data=[], header={"requestId": "r"})
            status = {"code": 1, "description": "ValueError('no')", "httpStatus": 500}
            exception = {"name": "ValueError", "args": ["no"], "executor": "E"}
            assert found["header"] == {"requestId": "r", "targetExecutor": "", "status": {**status, "exception": exception}}
            assert found["detail"] == "ValueError('no')"
            handler.reply = Reply(Status(Code.OVERLOADED, "full", retry_after_s=1.0))
            found = await ask(socket, data=[])
            assert found["header"]["status"] == {"code": 1, "description": "full", "httpStatus": 503}
            handler.reply = None
            assert (await ask(socket, data=[]))["data"] == []

    run(scenario)


@pytest.mark.parametrize(
    ("message", "status", "request_id"),
    [
        ('{"header": {"requestId": "r"}}', 422, "r"),
        ("[]", 422, ""),
        ("nonsense", 422, ""),
        ('{"data": [], "header": {"requestId": "\\u0000"}}', 400, ""),
        ('{"data": [], "execEndpoint": 1, "header": {"requestId": "r"}}', 422, "r"),
        ('{"data": [{"text": 1}], "execEndpoint": "/tell", "header": {"requestId": "r"}}', 422, "r"),
    ],
)
def test_a_message_that_cannot_be_read_is_answered_and_the_connection_goes_on(message: str, status: int, request_id: str) -> None:
    """Under its request id, where that can be read."""

    async def scenario(handler: Handler) -> None:
        async with serving(handler) as front, to(front) as socket:
            await socket.send(message)
            found = json.loads(await socket.recv())
            assert (found["header"]["status"]["httpStatus"], found["header"]["requestId"]) == (status, request_id)
            assert handler.calls == []
            assert (await ask(socket, data=[]))["data"] == []

    run(scenario)


def test_an_unknown_endpoint_is_404_unless_there_is_a_default() -> None:
    """The answer names what there is."""

    async def scenario(handler: Handler) -> None:
        async with serving(handler) as front, to(front) as socket:
            assert (await ask(socket, data=[], execEndpoint="/other"))["data"] == []
            assert handler.calls[0].endpoint == "/other"
            front.set_endpoints(INFOS[:1])
            found = await ask(socket, data=[], execEndpoint="/other", header={"requestId": "r"})
            assert found["header"]["status"]["httpStatus"] == 404
            assert "'/echo'" in found["header"]["status"]["description"]

    run(scenario)


def test_an_empty_object_ends_the_input_and_the_rest_is_answered() -> None:
    """Then the connection closes with 1000; what comes after the end is not begun."""

    async def scenario(handler: Handler) -> None:
        handler.waits_for = asyncio.get_running_loop().create_future()
        async with serving(handler) as front, to(front) as socket:
            for message in ('{"data": []}', "{}", '{"data": []}'):
                await socket.send(message)
            await handler.started.wait()
            handler.waits_for.set_result(None)
            assert json.loads(await socket.recv())["data"] == []
            assert await end_of(socket) == Close(1000, "")
            assert len(handler.calls) == 1

    run(scenario)


def test_a_deadline_comes_from_the_message_or_the_header() -> None:
    """In seconds from the message's arrival; the message goes before."""

    async def scenario(handler: Handler) -> None:
        headers = {"X-Request-Timeout": "50", "X-Request-Priority": "7", "X-Request-ID": "mine"}
        async with serving(handler) as front, to(front, additional_headers=headers) as socket:
            assert socket.response is not None
            assert socket.response.headers["x-request-id"] == "mine"
            now = asyncio.get_running_loop().time()
            assert (await ask(socket, data=[]))["header"]["requestId"] == "mine"
            await ask(socket, data=[], timeout=3)
            lefts = [call.deadline - now for call in handler.calls if call.deadline is not None]
            assert 49 < lefts[0] < 60
            assert 2 < lefts[1] < 13
            assert handler.calls[0].priority == 7

    run(scenario)


def test_bytes_are_grpcs_messages() -> None:
    """A DataRequestProto in, one out; the documents pass unread."""

    async def scenario(handler: Handler) -> None:
        async with serving(handler) as front, to(front, subprotocols=BYTES) as socket:
            await socket.send(request("r", docs=b"\x0a\x00"))
            found = messages.read_request(await socket.recv())
            assert (found.request_id, found.endpoint, found.docs) == ("r", "/echo", b"\x0a\x00")
            assert (handler.calls[0].wants, handler.calls[0].payload.encoding) == ("strict", "strict")

    run(scenario)


@pytest.mark.parametrize("end", [b"\x00", b"\x01"])
def test_a_lone_byte_ends_the_input(end: bytes) -> None:
    """Jina writes a zero and its description says one."""

    async def scenario(handler: Handler) -> None:
        async with serving(handler) as front, to(front, subprotocols=BYTES) as socket:
            await socket.send(request("r"))
            await socket.send(end)
            assert messages.read_request(await socket.recv()).request_id == "r"
            assert await end_of(socket) == Close(1000, "")

    run(scenario)


def test_an_executors_failure_is_a_reply_and_ours_closes_with_1011() -> None:
    """As Jina does; the reason is cut to what fits."""

    async def scenario(handler: Handler) -> None:
        async with serving(handler) as front, to(front, subprotocols=BYTES) as socket:
            handler.reply = Reply(Status(Code.EXECUTOR_FAILED, "ValueError('no')", "ValueError", ["no"], ["trace"], "E"))
            await socket.send(request("r"))
            status = messages.read_status(messages.read_request(await socket.recv()).status)
            assert (status.is_error, status.name, status.stacks) == (True, "ValueError", ["trace"])
            handler.reply = Reply(Status(Code.UNAVAILABLE, "x" * 200))
            await socket.send(request("r"))
            assert await end_of(socket) == Close(1011, "x" * 123)

    run(scenario)


def test_a_handler_that_raises_is_a_bug_that_the_caller_hears_of() -> None:
    """Without what it raised."""

    async def scenario(handler: Handler) -> None:
        async with serving(handler) as front, to(front, subprotocols=BYTES) as socket:
            handler.reply = RuntimeError("secret")
            await socket.send(request("r"))
            assert await end_of(socket) == Close(1011, "internal error; the server's log has its traceback")

    run(scenario)


def test_our_dialect_is_agreed_on_in_the_handshake() -> None:
    """Who says that it reads it is told the same, and answered in it."""

    async def scenario(handler: Handler) -> None:
        headers = {"jina-dialect": "1"}
        async with serving(handler) as front, to(front, subprotocols=BYTES, additional_headers=headers) as socket:
            assert socket.response is not None
            assert socket.response.headers["jina-dialect"] == "1"
            await socket.send(request("r"))
            await socket.recv()
            assert handler.calls[0].wants == "ours"

    run(scenario)


def test_a_request_that_is_not_valid_is_answered_with_an_error() -> None:
    """Bytes that are no message close the connection."""

    async def scenario(handler: Handler) -> None:
        async with serving(handler) as front, to(front, subprotocols=BYTES) as socket:
            await socket.send(request("no spaces"))
            found = messages.read_request(await socket.recv())
            assert (found.request_id, messages.read_status(found.status).is_error) == ("", True)
            await socket.send(b"\xff\xff")
            end = await end_of(socket)
            assert (end.code, end.reason[:9]) == (1007, "malformed")

    run(scenario)


@pytest.mark.parametrize(("protocols", "message"), [(None, b"{}"), (BYTES, "text")])
def test_each_sub_protocol_has_its_kind_of_message(protocols: Any, message: Any) -> None:
    """1003 for the other."""

    async def scenario(handler: Handler) -> None:
        async with serving(handler) as front, to(front, subprotocols=protocols) as socket:
            await socket.send(message)
            assert (await end_of(socket)).code == 1003

    run(scenario)


def test_a_stream_has_a_connection_of_its_own() -> None:
    """One document in, documents out, 1000 at the end; a failure is the last one."""

    async def scenario(handler: Handler) -> None:
        single = messages.write_document_request(messages.header_bytes("r", "/tell"), document=b"\x0a\x00")
        async with serving(handler) as front:
            async with to(front, "/stream_doc", subprotocols=BYTES) as socket:
                await socket.send(single)
                found = [messages.read_document_request(await socket.recv()) for _ in range(2)]
                assert [(each.request_id, each.docs) for each in found] == [("r", b"\x0a\x00")] * 2
                assert await end_of(socket) == Close(1000, "")
            handler.reply = Reply(Status(Code.EXECUTOR_FAILED, "no"))
            async with to(front, "/stream_doc", subprotocols=BYTES) as socket:
                await socket.send(single)
                assert messages.read_status(messages.read_document_request(await socket.recv()).status).description == "no"
                assert await end_of(socket) == Close(1000, "")

            async def broken() -> AsyncIterator[Item]:
                yield Item(status=Status(Code.UNAVAILABLE, "gone"))

            handler.reply = Reply(items=broken())
            async with to(front, "/stream_doc", subprotocols=BYTES) as socket:
                await socket.send(single)
                assert await end_of(socket) == Close(1011, "gone")
            for sent, code in (([single, single], 1008), (["text"], 1003), ([b"\xff"], 1007)):
                handler.reply, handler.waits_for = None, asyncio.get_running_loop().create_future()
                async with to(front, "/stream_doc", subprotocols=BYTES) as socket:
                    for message in sent:
                        await socket.send(message)
                    assert (await end_of(socket)).code == code
            handler.waits_for = None
            async with to(front, "/stream_doc", subprotocols=BYTES) as socket:
                await socket.send(messages.write_document_request(messages.header_bytes("a b", "/tell")))
                assert messages.read_status(messages.read_document_request(await socket.recv()).status).is_error
                assert await end_of(socket) == Close(1000, "")

    run(scenario)


@pytest.mark.parametrize("protocols", [None, BYTES])
def test_a_dry_run_is_told_at_once_and_ends_when_the_caller_speaks(protocols: Any) -> None:
    """One status; Jina's client sends an empty message beside it."""

    async def scenario(handler: Handler) -> None:
        async with serving(handler) as front:
            async with to(front, "/dry_run", subprotocols=protocols) as socket:
                told = await socket.recv()
                assert told == b"" if protocols else json.loads(told) == {"code": 0, "description": "", "exception": None}
                await socket.send(b"")
                assert await end_of(socket) == Close(1000, "")
            handler.reply = Reply(Status(Code.UNAVAILABLE, "no replica"))
            async with to(front, "/dry_run", subprotocols=protocols) as socket:
                told = await socket.recv()
                text = messages.read_status(told).description if isinstance(told, bytes) else json.loads(told)["description"]
                assert text == "no replica"

    run(scenario)


async def refused(front: Front, path: str = "/", **options: Any) -> Any:
    with pytest.raises(InvalidStatus) as caught:
        async with to(front, path, **options):
            pass
    return caught.value.response


def test_a_key_is_asked_for_before_the_upgrade() -> None:
    """Also on `/`, which answers a plain GET without one."""

    async def scenario(handler: Handler) -> None:
        async with serving(handler, guard=make_guard("secret")) as front:
            found = await refused(front)
            assert (found.status_code, found.headers["www-authenticate"]) == (401, "Bearer")
            async with to(front, additional_headers={"Authorization": "Bearer secret"}) as socket:
                assert (await ask(socket, data=[]))["data"] == []

    run(scenario)


def test_pages_of_another_origin_need_cors() -> None:
    """A browser lets any page open any WebSocket, and sends cookies along, so a key does not stand for it."""

    async def scenario(handler: Handler) -> None:
        page = {"Origin": "http://evil.example"}
        async with serving(handler) as front:
            assert (await refused(front, additional_headers=page)).status_code == 403
            async with to(front, additional_headers={"Origin": f"http://127.0.0.1:{vars(front)['port']}"}, subprotocols=["json"]) as socket:
                assert socket.subprotocol == "json"
        async with serving(handler, cors=True) as front, to(front, additional_headers=page):
            pass
        keyed = {**page, "Authorization": "Bearer secret"}
        async with serving(handler, guard=make_guard("secret")) as front:
            assert (await refused(front, additional_headers=keyed)).status_code == 403
            assert (await refused(front, additional_headers=page)).status_code == 401

    run(scenario)


def test_the_sub_protocol_is_not_echoed_to_programs() -> None:
    """As Jina does it."""

    async def scenario(handler: Handler) -> None:
        async with serving(handler) as front, to(front, subprotocols=BYTES) as socket:
            assert socket.subprotocol is None

    run(scenario)


def test_what_is_no_websocket_is_refused() -> None:
    """A path that is none, a header that is wrong, a service that stops."""

    async def scenario(handler: Handler) -> None:
        async with serving(handler) as front:
            assert (await refused(front, "/nowhere")).status_code == 404
            assert (await refused(front, additional_headers={"X-Request-Timeout": "soon"})).status_code == 400
            async with to(front, "/?token=1"):
                pass
            front.is_draining = True
            found = await refused(front)
            assert (found.status_code, found.headers["retry-after"]) == (503, "1")

    run(scenario)


def test_another_version_is_refused_with_426() -> None:
    """And told which one is spoken."""

    async def scenario(handler: Handler) -> None:
        async with serving(handler) as front:
            reader, writer = await asyncio.open_connection("127.0.0.1", vars(front)["port"])
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 12\r\n\r\n")
            told = await reader.read()
            assert told.startswith(b"HTTP/1.1 426 Upgrade Required\r\n")
            assert b"sec-websocket-version: 13\r\n" in told
            writer.close()

    run(scenario)


def test_what_is_sent_behind_the_request_is_read_as_messages() -> None:
    """Some clients do not wait for the answer."""

    async def scenario(handler: Handler) -> None:
        async with serving(handler) as front:
            reader, writer = await asyncio.open_connection("127.0.0.1", vars(front)["port"])
            head = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            message = Frame(Opcode.TEXT, b'{"data": []}').serialize(mask=True)
            writer.write(head + b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" + message)
            told = await reader.readuntil(b'"parameters":{}')
            assert told.startswith(b"HTTP/1.1 101 ")
            writer.close()

    run(scenario)


def test_a_message_beyond_the_limit_closes_with_1009() -> None:
    """One byte less is answered."""

    async def scenario(handler: Handler) -> None:
        async with serving(handler, max_message_bytes=1000) as front, to(front, compression=None) as socket:
            await socket.send('{"data": []}' + " " * 988)
            assert json.loads(await socket.recv())["data"] == []
            await socket.send('{"data": []}' + " " * 989)
            assert (await end_of(socket)).code == 1009

    run(scenario)


def test_compressed_messages_are_read_and_large_answers_compressed() -> None:
    """Where the client offers it."""

    async def scenario(handler: Handler) -> None:
        async with serving(handler) as front, to(front) as socket:
            assert socket.response is not None
            assert "permessage-deflate" in socket.response.headers["sec-websocket-extensions"]
            assert (await ask(socket, data=[{"text": "x" * 5000}]))["data"] == [{"text": "x" * 5000}]

    run(scenario)


def test_no_more_messages_are_begun_at_once_than_may_be() -> None:
    """The next is begun when one is done; messages count as held until then."""

    async def scenario(handler: Handler) -> None:
        buffered = Buffered(1 << 30)
        handler.waits_for = asyncio.get_running_loop().create_future()
        async with serving(handler, buffered=buffered, prefetch=2) as front, to(front, compression=None, max_size=None) as socket:
            for _ in range(5):
                await socket.send(json.dumps({"data": [{"text": "x" * 100_000}]}))
            await until(lambda: len(handler.calls) == 2)
            await loop_turns(200)
            assert len(handler.calls) == 2
            assert buffered.n_bytes >= 200_000
            handler.waits_for.set_result(None)
            for _ in range(5):
                await socket.recv()
            assert len(handler.calls) == 5
            assert buffered.n_bytes == 0

    run(scenario)


def test_many_small_messages_are_answered_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many come in one read, another caller is answered meanwhile."""
    ticks = itertools.count()
    monkeypatch.setattr(turns, "time", SimpleNamespace(monotonic=lambda: next(ticks) * turns.TURN_S / 10))

    async def scenario(handler: Handler) -> None:
        async with serving(handler) as front, to(front, compression=None) as busy, to(front) as other:
            busy.transport.write(Frame(Opcode.TEXT, b'{"data": []}').serialize(mask=True) * 2000)
            await until(lambda: bool(handler.calls))
            await ask(other, data=[])
            assert len(handler.calls) < 1000
            for _ in range(2000):
                await busy.recv()

    run(scenario)


def test_a_message_without_room_closes_with_1011() -> None:
    """And so does a reply without room; nothing stays counted."""

    async def scenario(handler: Handler) -> None:
        buffered = Buffered(50_000)
        async with serving(handler, buffered=buffered) as front:
            async with to(front, compression=None) as socket:
                await socket.send("x" * 60_000)
                assert (await end_of(socket)).code == 1011
            handler.reply = Reply(payload=Payload(b'["%b"]' % (b"x" * 60_000)))
            async with to(front, compression=None) as socket:
                await socket.send('{"data": []}')
                end = await end_of(socket)
                assert (end.code, "max_buffered_bytes" in end.reason) == (1011, True)
            assert buffered.n_bytes == 0

    run(scenario)


def test_a_caller_that_leaves_cancels_its_calls() -> None:
    """With a Close or without; a stream is closed."""

    async def scenario(handler: Handler) -> None:
        for leave in (lambda socket: socket.close(), lambda socket: asyncio.to_thread(socket.transport.abort)):
            handler.waits_for = asyncio.get_running_loop().create_future()
            handler.cancelled.clear()
            async with serving(handler) as front, to(front) as socket:
                handler.started.clear()
                await socket.send('{"data": []}')
                await handler.started.wait()
                await leave(socket)
                await handler.cancelled.wait()

    run(scenario)


def test_draining_answers_what_is_begun_and_closes_with_1001() -> None:
    """What comes meanwhile is not begun."""

    async def scenario(handler: Handler) -> None:
        handler.waits_for = asyncio.get_running_loop().create_future()
        async with serving(handler) as front, to(front) as socket, to(front) as idle:
            await socket.send('{"data": []}')
            await handler.started.wait()
            drained = asyncio.create_task(front.drain())
            assert (await end_of(idle)).code == 1001
            await socket.send('{"data": []}')
            await socket.ping()
            handler.waits_for.set_result(None)
            assert json.loads(await socket.recv())["data"] == []
            assert await end_of(socket) == Close(1001, "the service is stopping")
            await drained
            assert len(handler.calls) == 1

    run(scenario)


class Channel:
    """A channel in memory."""

    def __init__(self) -> None:
        self.written, self.calls = bytearray(), list[str]()
        self.full: asyncio.Future[None] | None = None

    def write(self, data: bytes) -> None:
        self.written += data

    def blocked(self) -> asyncio.Future[None] | None:
        return self.full

    def __getattr__(self, name: str) -> Any:
        return lambda: self.calls.append(name)


class Silent:
    """A speaker that answers nothing."""

    def __init__(self, session: WebSocketSession, note: Note) -> None:
        self.taken: list[bytes] = []

    def opened(self) -> Answer | None:
        return None

    def message(self, data: bytes, is_text: bool) -> Answer | None:
        self.taken.append(data)
        return None


def session_on(channel: Channel, handler: Handler) -> tuple[WebSocketSession, Silent]:
    front = Front(handler, INFOS, protocols=["websocket"])
    session = WebSocketSession(front, channel, Head(()), None)
    speaker = Silent(session, Note({}))
    session.begin(speaker)
    return session, speaker


def client_frame(opcode: Opcode, data: bytes = b"") -> bytes:
    return Frame(opcode, data).serialize(mask=True)


def test_a_silent_caller_is_asked_for_a_sign_of_life_and_then_cut_off() -> None:
    """20 seconds each; whatever comes is a sign."""

    async def scenario(handler: Handler) -> None:
        channel = Channel()
        session, _ = session_on(channel, handler)
        now, s = session.now(), websocket_session.PING_S
        session.tick(now + s - 1)
        assert channel.written == b""
        session.tick(now + s + 1)
        assert bytes(channel.written) == b"\x89\x00"
        session.data_received(client_frame(Opcode.PONG))
        session.tick(session.now() + s + 1)
        session.tick(session.now() + 2 * s)
        assert channel.calls == []
        session.tick(session.now() + 2 * s + 2)
        assert channel.calls == ["abort"]

    run(scenario)


def test_a_caller_whose_bytes_are_not_read_is_not_asked() -> None:
    """It could not be heard; the write timeout counts instead."""

    async def scenario(handler: Handler) -> None:
        channel = Channel()
        session, speaker = session_on(channel, handler)
        channel.full = asyncio.get_running_loop().create_future()
        session.data_received(client_frame(Opcode.TEXT, b"a"))
        assert (speaker.taken, channel.calls) == ([], ["pause_reading"])
        session.tick(session.now() + 1000)
        assert channel.written == b""
        full, channel.full = channel.full, None
        full.set_result(None)
        await until(lambda: channel.calls == ["pause_reading", "resume_reading"])
        assert speaker.taken == [b"a"]

    run(scenario)


def test_a_caller_that_does_not_answer_our_close_is_cut_off() -> None:
    """After five seconds; one that broke a rule after one, or with its own Close."""

    async def scenario(handler: Handler) -> None:
        channel = Channel()
        session, _ = session_on(channel, handler)
        session.fail(1011, "no")
        session.tick(session.now() + 4)
        assert channel.calls == []
        session.tick(session.now() + 6)
        session.tick(session.now() + 7)
        assert channel.calls == ["close"]
        for answer in (b"", b"more" * 10, client_frame(Opcode.CLOSE, b"\x03\xea")):
            channel = Channel()
            session, _ = session_on(channel, handler)
            session.data_received(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")
            assert channel.written[0] == 0x88
            session.data_received(answer)
            assert channel.calls == (["close"] if answer[:1] == b"\x88" else [])
            session.tick(session.now() + 2)
            assert channel.calls == ["close"]

    run(scenario)


def test_an_answer_waits_while_the_caller_does_not_read() -> None:
    """It counts as held meanwhile; when the caller leaves it is forgotten."""

    async def scenario(handler: Handler) -> None:
        channel = Channel()
        session, _ = session_on(channel, handler)
        buffered, loop = session.front.buffered, asyncio.get_running_loop()
        channel.full = loop.create_future()
        sending = [asyncio.create_task(session.send(b"x", is_text=True, has_more=True)) for _ in range(2)]
        await asyncio.sleep(0)
        assert (bytes(channel.written), buffered.n_bytes) == (b"", 2)
        full, channel.full = channel.full, loop.create_future()
        full.set_result(None)
        await loop_turns(20)
        assert (bytes(channel.written), buffered.n_bytes) == (b"", 2)
        sending[0].cancel()
        await asyncio.sleep(0)
        assert buffered.n_bytes == 1
        full, channel.full = channel.full, None
        full.set_result(None)
        await sending[1]
        await asyncio.sleep(0)
        assert (bytes(channel.written), buffered.n_bytes) == (b"\x81\x01x", 0)

    run(scenario)


def test_answers_that_are_done_at_once_do_not_pass_a_caller_that_does_not_read() -> None:
    """Only as much is written as fills the channel; the others wait and are counted."""

    async def scenario(handler: Handler) -> None:
        size = 1 << 20
        handler.waits_for = asyncio.get_running_loop().create_future()
        handler.reply = Reply(payload=Payload(b'"%b"' % bytes(size)))
        buffered = Buffered()
        async with serving(handler, buffered=buffered) as front, to(front, compression=None, max_size=None) as socket:
            (connection,) = front.connections
            transport = vars(connection)["_transport"]
            for _ in range(20):
                await socket.send('{"data": []}')
            await until(lambda: len(handler.calls) == 20)
            socket.transport.pause_reading()
            handler.waits_for.set_result(None)
            await until(lambda: transport.get_write_buffer_size() > 64 << 10 and buffered.n_bytes > 10 * size)
            assert transport.get_write_buffer_size() <= (64 << 10) * 2 + size + 1000
            socket.transport.resume_reading()
            for _ in range(20):
                assert len(await socket.recv()) > size

    run(scenario)


def test_a_message_that_trickles_in_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a body below 1 KiB/s is, with 1008; a pause between messages is none."""
    monkeypatch.setattr(turns, "TURN_S", 60.0)  # all of this is one turn of the loop

    async def scenario(handler: Handler) -> None:
        channel = Channel()
        session, speaker = session_on(channel, handler)
        now = session.now()
        big = client_frame(Opcode.TEXT, b"x" * 100_000)
        for second in range(100):
            session.tick(now + second)
            session.data_received(big)
        assert len(speaker.taken) == 100
        session.data_received(big[:1000])
        for second in range(100, 200):
            session.data_received(big[1000 + second : 1001 + second])
            session.tick(now + second)
        assert channel.written.endswith((1008).to_bytes(2, "big") + b"the message came slower than min_body_bytes_per_s=1024")
        assert channel.calls == ["close"]

    run(scenario)


def test_a_call_may_end_with_its_session_closed() -> None:
    """Nothing is written, nothing is raised."""

    async def scenario(handler: Handler) -> None:
        channel = Channel()
        session, _ = session_on(channel, handler)
        session.connection_lost()
        await loop_turns(20)
        await session.send(b"x" * 20_000, is_text=True)
        session.drain()
        assert channel.written == b""

    run(scenario)


def test_calls_of_two_answers_leave_together() -> None:
    """Those of one turn of the loop are one write."""

    async def scenario(handler: Handler) -> None:
        writes: list[int] = []
        async with serving(handler) as front, to(front, compression=None) as socket:
            handler.waits_for = asyncio.get_running_loop().create_future()
            (connection,) = front.connections
            channel: Any = connection
            write = channel.write

            def counted(data: bytes) -> None:
                writes.append(len(data))
                write(data)

            channel.write = counted
            for _ in range(3):
                await socket.send('{"data": []}')
            await until(lambda: len(handler.calls) == 3)
            handler.waits_for.set_result(None)
            for _ in range(3):
                await socket.recv()
            assert len(writes) < 3

    run(scenario)
