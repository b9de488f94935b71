"""gRPC-Web on the HTTP front: a small client of ours over HTTP/1.1 and over HTTP/2, and a browser's fetch."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import json
import struct
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote

import httptools
import pytest

from jina.call import Call, EndpointInfo, Item, Reply, Status
from jina.codec import messages
from jina.codec import service_messages as services
from jina.codec.descriptors import file_descriptors
from jina.codec.varint import varint
from jina.errors import Code
from jina.fronts.front import Front
from jina.limits import FrontOptions
from jina.runtime.guards import make_guard
from jina.transport.memory import join
from jina.wire.buffered import Buffered
from tests.fronts.http2_peer import Client as Http2Client
from tests.fronts.listening import listening
from tests.interop import npm
from tests.interop.browser import open_browser
from tests.interop.conftest import Service
from tests.waiting import loop_turns, until

ONE = "/jina.JinaSingleDataRequestRPC/process_single_data"
STREAM_DOC = "/jina.JinaSingleDocumentRequestRPC/stream_doc"
CALL = "/jina.JinaRPC/Call"
CHECK, WATCH = "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"
FULL = "full: 100 % 😈"
BINARY, TEXT = "application/grpc-web+proto", "application/grpc-web-text+proto"


@dataclass(frozen=True)
class Answer:
    """A response, read."""

    status: int
    headers: dict[str, str]
    messages: list[bytes]
    trailers: dict[str, str]

    @property
    def grpc_status(self) -> int:
        return int(self.trailers["grpc-status"])

    @property
    def text(self) -> str:
        return unquote(self.trailers.get("grpc-message", ""))


def framed(*parts: bytes, flag: int = 0) -> bytes:
    return b"".join(struct.pack(">BI", flag, len(part)) + part for part in parts)


def read(status: int, headers: dict[str, str], body: bytes) -> Answer:
    """Cut a response into messages and trailers; nothing may follow those."""
    if headers["content-type"] == TEXT:
        body = b"".join(b64decode(body[at : at + 4], validate=True) for at in range(0, len(body), 4))
    else:
        assert headers["content-type"] == BINARY, headers
    found, trailers = list[bytes](), None
    while body:
        assert trailers is None
        flag, size = struct.unpack_from(">BI", body)
        part, body = body[5 : 5 + size], body[5 + size :]
        assert len(part) == size
        if flag == 0x80:
            trailers = dict(line.split(": ", 1) for line in part.decode("ascii").split("\r\n") if line)
        else:
            assert flag == 0
            found.append(part)
    assert trailers is not None
    return Answer(status, headers, found, trailers)


class Web(Protocol):
    """Sends requests on one connection, and reads responses."""

    async def post(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]: ...
    async def begin(self, path: str, body: bytes, headers: dict[str, str]) -> Callable[[], bytes]: ...
    def leave(self) -> None: ...


class Http1(asyncio.Protocol):
    """HTTP/1.1."""

    def __init__(self) -> None:
        self.status, self.headers, self.body = 0, dict[str, str](), b""
        self.changed, self.is_complete = asyncio.Event(), False

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)
        self.changed.set()

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode().lower()] = value.decode()

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.is_complete = True

    async def begin(self, path: str, body: bytes, headers: dict[str, str]) -> Callable[[], bytes]:
        self.headers, self.body, self.is_complete = {}, b"", False
        self.parser = httptools.HttpResponseParser(self)
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.transport.write(f"POST {path} HTTP/1.1\r\nhost: x\r\n{lines}content-length: {len(body)}\r\n\r\n".encode() + body)
        return lambda: self.body

    async def post(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        await self.begin(path, body, headers)
        while not self.is_complete:
            self.changed.clear()
            await self.changed.wait()
        return self.parser.get_status_code(), self.headers, self.body

    def leave(self) -> None:
        self.transport.close()


def _as_arguments(headers: dict[str, str]) -> dict[str, Any]:
    return {name.replace("-", "_"): value for name, value in headers.items()}


class Http2(Http2Client):
    """HTTP/2."""

    async def begin(self, path: str, body: bytes, headers: dict[str, str]) -> Callable[[], bytes]:
        stream = self.send("POST", path, body, **_as_arguments(headers))
        self.last = stream
        return lambda: self.bodies.get(stream, b"")

    async def post(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        head, found = await self.ask("POST", path, body, **_as_arguments(headers))
        return int(head[":status"]), head, found

    def leave(self) -> None:
        self.h2.reset_stream(self.last, 8)
        self.flush()


class Handler:
    """Gives documents back, or three of each over a stream."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.left, self.n_items = asyncio.Event(), 3
        self.n_made = 0

    async def __call__(self, call: Call) -> Reply:
        self.calls.append(call)
        if call.endpoint == "/wait":
            try:
                await asyncio.Event().wait()
            finally:
                self.left.set()
        if call.endpoint == "/raise":
            raise RuntimeError("a bug")
        if call.endpoint == "/full":
            return Reply(status=Status(Code.OVERLOADED, FULL, retry_after_s=2.0))
        return Reply(items=self.items(call)) if call.is_stream else Reply(payload=call.payload)

    async def items(self, call: Call) -> AsyncIterator[Item]:
        try:
            for _ in range(self.n_items):
                self.n_made += 1
                yield Item(call.payload)
        finally:
            self.left.set()


Scenario = Callable[[Web, Handler, Front], Coroutine[Any, Any, None]]
CARRIERS = pytest.mark.parametrize("carrier", [Http1, Http2], ids=["HTTP/1.1", "HTTP/2"])
FORMS = pytest.mark.parametrize("kind", [BINARY, TEXT])


def run(scenario: Scenario, carrier: Callable[[], Any], *, guard: Any = None, buffered: Buffered | None = None, **options: Any) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            handler, web, info = Handler(), carrier(), EndpointInfo("/one", "batch")
            front = Front(handler, [info], protocols=["http"], guard=guard, options=FrontOptions(**options), buffered=buffered)
            join(web, front.make_protocol())
            await scenario(web, handler, front)
            web.transport.close()
            await front.drain()
            assert front.buffered.n_bytes == 0

    asyncio.run(bounded())


def request(endpoint: str = "/one", docs: bytes = b"docs", request_id: str = "r1") -> bytes:
    return messages.write_request(messages.header_bytes(request_id, endpoint), docs=docs)


async def ask(web: Web, path: str, *parts: bytes, kind: str = BINARY, body: bytes | None = None, **headers: str) -> Answer:
    body = framed(*parts) if body is None else body
    given = {"content-type": kind, "x-grpc-web": "1", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return read(*await web.post(path, b64encode(body) if kind == TEXT else body, given))


@CARRIERS
@FORMS
def test_unary_call(carrier: type[Web], kind: str) -> None:
    """One message in, one message and the trailers out, as over gRPC; several on one connection."""

    async def scenario(web: Web, handler: Handler, front: Front) -> None:
        for size in (0, 4, 100_000):
            answer = await ask(web, ONE, request(docs=b"d" * size), kind=kind, x_a="1")
            assert (answer.status, answer.grpc_status, answer.text) == (200, 0, "")
            (reply,) = map(messages.read_request, answer.messages)
            assert (reply.request_id, len(reply.docs or b"")) == ("r1", size)
            assert answer.headers["x-request-id"] == "r1"
            assert answer.headers["content-type"] == kind
        assert handler.calls[0].headers["x-a"] == "1"

    run(scenario, carrier)


@CARRIERS
@FORMS
def test_server_stream(carrier: type[Web], kind: str) -> None:
    """Each document is a message, and the status comes at the end."""

    async def scenario(web: Web, handler: Handler, front: Front) -> None:
        document = messages.write_document_request(messages.header_bytes("r2", "/tell"), document=b"doc")
        answer = await ask(web, STREAM_DOC, document, kind=kind)
        assert [messages.read_document_request(data).docs for data in answer.messages] == [b"doc"] * 3
        assert answer.grpc_status == 0
        assert handler.left.is_set()

    run(scenario, carrier)


@CARRIERS
def test_stream_of_requests_that_came_whole(carrier: type[Web]) -> None:
    """Each is answered; replies come in their order where that is asked for. Reflection answers too."""

    async def scenario(web: Web, handler: Handler, front: Front) -> None:
        sent = [request(request_id=f"r{n}") for n in range(20)]
        answer = await ask(web, CALL, *sent, __results_in_order__="true")
        assert [messages.read_request(data).request_id for data in answer.messages] == [f"r{n}" for n in range(20)]
        assert answer.grpc_status == 0
        assert (await ask(web, CALL)).messages == []
        reflection = await ask(web, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", b"\x3a\x01*", b"\x3a\x01*")
        assert (len(reflection.messages), reflection.grpc_status) == (2, 0)

    run(scenario, carrier)


@CARRIERS
def test_base64_in_padded_pieces(carrier: type[Web]) -> None:
    """A browser may have encoded each of its pieces by itself."""

    async def scenario(web: Web, handler: Handler, front: Front) -> None:
        body = framed(request())
        text = b64encode(body[:5]) + b64encode(body[5:])
        assert b"=" in b64encode(body[:5])
        _, headers, found = await web.post(ONE, text, {"content-type": TEXT})
        assert read(200, headers, found).grpc_status == 0

    run(scenario, carrier)


@CARRIERS
def test_reply_in_the_form_that_the_caller_accepts(carrier: type[Web]) -> None:
    """A request of bytes may ask for base64."""

    async def scenario(web: Web, handler: Handler, front: Front) -> None:
        answer = await ask(web, ONE, request(), accept="application/grpc-web-text")
        assert answer.headers["content-type"] == TEXT
        assert len(answer.messages) == 1

    run(scenario, carrier)


@CARRIERS
def test_compressed_requests(carrier: type[Web]) -> None:
    """grpc-encoding with the flag set; without it the message is as it is; an unknown one is answered with those that are known."""

    async def scenario(web: Web, handler: Handler, front: Front) -> None:
        packed = framed(gzip.compress(request(docs=b"d" * 5000)), flag=1)
        assert len(messages.read_request((await ask(web, ONE, body=packed, grpc_encoding="gzip")).messages[0]).docs or b"") == 5000
        assert (await ask(web, ONE, request(), grpc_encoding="gzip")).grpc_status == 0
        assert (await ask(web, ONE, body=packed)).grpc_status == 13
        unknown = await ask(web, ONE, body=packed, grpc_encoding="br")
        assert (unknown.grpc_status, unknown.headers["grpc-accept-encoding"]) == (12, "identity,gzip,deflate")

    run(scenario, carrier)


@CARRIERS
def test_failures_are_the_statuses_of_grpc(carrier: type[Web]) -> None:
    """HTTP says 200; the trailers say what is wrong, with the request's id, and the connection goes on."""

    async def scenario(web: Web, handler: Handler, front: Front) -> None:
        assert (await ask(web, "/a.B/C", b"x")).grpc_status == 12
        assert (await ask(web, ONE, b"\xff\xff")).grpc_status == 13
        assert (await ask(web, ONE)).grpc_status == (await ask(web, ONE, request(), request())).grpc_status == 12
        assert (await ask(web, ONE, body=framed(request())[:-1])).grpc_status == 13
        assert (await ask(web, ONE, body=framed(b"x", flag=0x80))).grpc_status == 13
        full = await ask(web, ONE, request("/full"))
        assert (full.grpc_status, full.text, full.trailers["grpc-retry-pushback-ms"]) == (8, FULL, "2000")
        assert full.trailers["x-request-id"] == "r1"
        refused = await ask(web, "/a.B/C", b"x", x_request_id="own")
        assert (refused.trailers["x-request-id"], refused.headers["x-request-id"]) == ("own", "own")
        assert (await ask(web, ONE, request())).grpc_status == 0

    run(scenario, carrier)


@CARRIERS
def test_bug_of_ours_is_internal(carrier: type[Web], caplog: pytest.LogCaptureFixture) -> None:
    """The caller hears of it, the log has the traceback."""

    async def scenario(web: Web, handler: Handler, front: Front) -> None:
        answer = await ask(web, ONE, request("/raise"))
        assert (answer.grpc_status, answer.text) == (13, "internal error; the server's log has its traceback")

    run(scenario, carrier)
    assert "RuntimeError: a bug" in caplog.text


@CARRIERS
def test_deadlines(carrier: type[Web]) -> None:
    """grpc-timeout reaches the handler; one that is none is INTERNAL, one of nothing has passed; a stream ends when its time is up."""

    async def scenario(web: Web, handler: Handler, front: Front) -> None:
        now = asyncio.get_running_loop().time()
        await ask(web, ONE, request(), grpc_timeout="5S")
        deadline = handler.calls[0].deadline
        assert deadline is not None
        assert 4 < deadline - now < 6
        assert (await ask(web, ONE, request(), grpc_timeout="soon")).grpc_status == 13
        assert (await ask(web, ONE, request(), grpc_timeout="0m")).grpc_status == 4
        assert (await ask(web, CALL, request("/wait"), grpc_timeout="50m")).grpc_status == 4
        assert handler.left.is_set()

    run(scenario, carrier)


@CARRIERS
def test_key_is_asked_for_but_not_for_health(carrier: type[Web]) -> None:
    """As over gRPC: UNAUTHENTICATED in the trailers."""

    async def scenario(web: Web, handler: Handler, front: Front) -> None:
        for path, sent in ((ONE, request()), (CALL, request()), ("/jina.JinaInfoRPC/_status", b"")):
            assert (await ask(web, path, sent)).grpc_status == 16
            assert (await ask(web, path, sent, authorization="Bearer wrong")).grpc_status == 16
            assert (await ask(web, path, sent, authorization="Bearer key")).grpc_status == 0
        assert (await ask(web, CHECK, b"")).grpc_status == 0

    run(scenario, carrier, guard=make_guard("key"))


@CARRIERS
def test_message_over_the_limit(carrier: type[Web]) -> None:
    """max_message_bytes itself passes, a byte more is RESOURCE_EXHAUSTED, as it came or unfolded."""

    async def scenario(web: Web, handler: Handler, front: Front) -> None:
        exact = request(docs=b"d" * (1000 - len(request(docs=b"d" * 900)) + 900))
        assert len(exact) == 1000
        assert (await ask(web, ONE, exact)).grpc_status == 0
        assert (await ask(web, ONE, exact + b"x")).grpc_status == 8
        packed = framed(gzip.compress(exact + b"x"), flag=1)
        assert (await ask(web, ONE, body=packed, grpc_encoding="gzip")).grpc_status == 8

    run(scenario, carrier, max_message_bytes=1000)


@CARRIERS
def test_memory_of_all_callers_is_bounded(carrier: type[Web]) -> None:
    """What would unfold to more than there is room for is refused, and so is a reply."""

    async def scenario(web: Web, handler: Handler, front: Front) -> None:
        packed = framed(gzip.compress(request(docs=bytes(90_000))), flag=1)
        assert (await ask(web, ONE, body=packed, grpc_encoding="gzip")).grpc_status == 8
        assert (await ask(web, ONE, request())).grpc_status == 0

    run(scenario, carrier, buffered=Buffered(limit=50_000))


@CARRIERS
def test_body_in_a_content_coding_is_refused(carrier: type[Web]) -> None:
    """gRPC-Web has compression of its own; 415 says so."""

    async def scenario(web: Web, handler: Handler, front: Front) -> None:
        status, _, body = await web.post(ONE, gzip.compress(framed(request())), {"content-type": BINARY, "content-encoding": "gzip"})
        assert status == 415
        assert b"grpc-encoding" in body

    run(scenario, carrier)


@CARRIERS
@pytest.mark.parametrize("path", [ONE, CALL])
def test_call_whose_caller_leaves_is_cancelled(carrier: type[Web], path: str) -> None:
    """The handler hears of it."""

    async def scenario(web: Web, handler: Handler, front: Front) -> None:
        await web.begin(path, framed(request("/wait")), {"content-type": BINARY})
        await until(lambda: bool(handler.calls))
        web.leave()
        await handler.left.wait()

    run(scenario, carrier)


def test_calls_sent_ahead_are_answered_in_order() -> None:
    """On one HTTP/1.1 connection, with calls of plain HTTP between; each response ends before the next begins."""

    async def scenario(web: Web, handler: Handler, front: Front) -> None:
        def written(path: str, body: bytes, kind: str = BINARY) -> bytes:
            return f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body

        assert isinstance(web, Http1)
        bodies, statuses = list[bytes](), list[int]()

        def finish() -> None:
            statuses.append(web.parser.get_status_code())
            bodies.append(web.body)
            web.body = b""

        web.on_message_complete = finish  # type: ignore[method-assign]
        web.parser = httptools.HttpResponseParser(web)
        stream = framed(*(request(request_id=f"r{n}") for n in range(3)))
        sent = (written(CALL, stream), written(ONE, framed(request())), written("/nowhere", b"{}", "application/json"))
        for one in (*sent, *sent):
            web.transport.write(one)
            await asyncio.sleep(0)
        await until(lambda: len(bodies) == 6)
        assert statuses == [200, 200, 404] * 2
        counts = [len(read(200, {"content-type": BINARY}, body).messages) for body in bodies if body[:1] == b"\0"]
        assert counts == [3, 1, 3, 1]

    run(scenario, Http1)


@CARRIERS
def test_watched_health_tells_changes_and_the_end(carrier: type[Web]) -> None:
    """Messages leave as they are made; a server that stops says so before it goes."""

    async def scenario(web: Web, handler: Handler, front: Front) -> None:
        body = await web.begin(WATCH, framed(b""), {"content-type": BINARY})
        serving, stopped = (framed(services.write_health_reply(state)) for state in (services.SERVING, services.NOT_SERVING))
        await until(lambda: body() == serving)
        await front.drain()
        await until(lambda: b"grpc-status: 14" in body())
        assert body().startswith(serving + stopped)

    run(scenario, carrier)


@pytest.mark.parametrize("opens_windows", [True, False])
def test_reader_that_stalls_stops_the_stream(opens_windows: bool) -> None:
    """With its window shut the handler makes no more than fits; one that reads gets all."""

    async def scenario(web: Web, handler: Handler, front: Front) -> None:
        handler.n_items = 400
        document = messages.write_document_request(messages.header_bytes("r", "/tell"), document=b"d" * 10_000)
        await web.begin(STREAM_DOC, framed(document), {"content-type": BINARY})
        n_before = -1
        while handler.n_made != n_before:
            n_before = handler.n_made
            await loop_turns(200)
        assert (handler.n_made == 400) is opens_windows

    run(scenario, lambda: Http2(opens_windows=opens_windows))


def test_stream_of_replies_waits_for_a_slow_reader_and_goes_on() -> None:
    """Replies of a `Call` that its reader does not take hold back the next requests; then all are answered."""

    async def scenario(web: Web, handler: Handler, front: Front) -> None:
        assert isinstance(web, Http1)
        web.transport.pause_reading()
        sent = framed(*(request(docs=b"d" * 200_000, request_id=f"r{n}") for n in range(40)))
        post = asyncio.ensure_future(web.post(CALL, sent, {"content-type": BINARY}))
        n_before = -1
        while len(handler.calls) != n_before:
            n_before = len(handler.calls)
            await loop_turns(200)
        assert 0 < n_before < 40
        web.transport.resume_reading()
        answer = read(*await post)
        assert (len(answer.messages), answer.grpc_status) == (40, 0)

    run(scenario, Http1, prefetch=4)


ORIGIN: dict[str, Any] = {"origin": "http://page.example"}


async def preflight(front: Front, path: str) -> tuple[int, dict[str, str]]:
    client = Http2Client()
    join(client, front.make_protocol())
    asked: dict[str, Any] = {
        "access_control_request_method": "POST",
        "access_control_request_headers": "content-type,x-grpc-web,grpc-timeout",
    }
    head, _ = await client.ask("OPTIONS", path, **ORIGIN, **asked)
    client.transport.close()
    return int(head[":status"]), head


@pytest.mark.parametrize("guard", [None, make_guard("key")], ids=["open", "with a key"])
def test_page_of_another_origin_may_call_where_cors_is_on(guard: Any) -> None:
    """The preflight, which brings no key, allows what it asks for; the reply exposes status and message."""

    async def scenario(web: Web, handler: Handler, front: Front) -> None:
        status, head = await preflight(front, ONE)
        assert status == 200
        assert head["access-control-allow-origin"] == "http://page.example"
        assert head["access-control-allow-headers"] == "content-type,x-grpc-web,grpc-timeout"
        assert "POST" in head["access-control-allow-methods"]
        document = messages.write_document_request(messages.header_bytes("r2", "/tell"), document=b"doc")
        for path, sent in ((ONE, request()), (STREAM_DOC, document)):
            answer = await ask(web, path, sent, authorization="Bearer key", **ORIGIN)
            assert answer.headers["access-control-allow-origin"] == "http://page.example"
            assert {"grpc-status", "grpc-message"} <= set(answer.headers["access-control-expose-headers"].split(", "))

    run(scenario, Http1, cors=True, guard=guard)


def test_page_of_another_origin_may_not_call_where_cors_is_off() -> None:
    """No preflight is granted, and no reply is shown to it."""

    async def scenario(web: Web, handler: Handler, front: Front) -> None:
        status, head = await preflight(front, ONE)
        assert status >= 400
        answer = await ask(web, ONE, request(), **ORIGIN)
        assert not any(name.startswith("access-control") for name in (*head, *answer.headers))

    run(scenario, Http1)


PACKAGES = ("@connectrpc/connect@2.1.2", "@connectrpc/connect-node@2.1.2", "@bufbuild/protobuf@2.17.0")


async def serving(handler: Handler, use: Callable[[int], Any], **options: Any) -> Any:
    """What `use` gives, in a thread, with the port of a service that speaks everything."""
    front = Front(handler, [EndpointInfo("/one", "batch")], protocols=["http", "grpc"], options=FrontOptions(**options))
    async with listening(front) as port:
        return await asyncio.to_thread(use, port)


@pytest.mark.process
def test_connects_clients(tmp_path: Path) -> None:
    """Over gRPC-Web on both versions of HTTP, and over gRPC: calls, streams, compression, failures, deadlines, health."""
    modules = npm.modules("OPENJINA_CONNECT", *PACKAGES)
    descriptors = tmp_path / "descriptors"
    files = file_descriptors().values()
    descriptors.write_bytes(b"".join(b"\n" + varint(len(data)) + data for data in files))
    failures = asyncio.run(serving(Handler(), lambda port: npm.run_node(modules, "connect_client.js", str(port), str(descriptors))))
    assert len(failures) == 21
    assert {name: text for name, text in failures.items() if text is not None} == {}


@pytest.mark.process
@pytest.mark.docarray
def test_http_port_of_a_deployment_takes_grpc_web(ours: Service) -> None:
    """The call reaches the worker and comes back, on one connection with calls of plain HTTP."""
    connection = http.client.HTTPConnection("127.0.0.1", ours.http, timeout=20)

    def post(path: str, message: bytes) -> Answer:
        connection.request("POST", path, framed(message), {"content-type": BINARY})
        response = connection.getresponse()
        return read(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())

    assert (post("/jina.JinaGatewayDryRunRPC/dry_run", b"").messages, post(CHECK, b"").grpc_status) == ([b""], 0)
    endpoints = post("/jina.JinaDiscoverEndpointsRPC/endpoint_discovery", b"").messages[0]
    assert b"/one" in endpoints
    connection.request("GET", "/")
    assert connection.getresponse().read() == b"{}"
    answer = post(ONE, request("/nowhere"))
    assert (answer.grpc_status, messages.read_request(answer.messages[0]).docs) == (0, b"docs")
    connection.close()


_SCRIPT = """(async () => {
  const frame = bytes => { const made = new Uint8Array(5 + bytes.length); new DataView(made.buffer).setUint32(1, bytes.length);
    made.set(bytes, 5); return made }
  const call = async (path, bytes) => {
    const headers = {'content-type': 'application/grpc-web+proto', 'x-grpc-web': '1', 'grpc-timeout': '10S'}
    const answer = await fetch('%(address)s' + path, {method: 'POST', headers, body: frame(bytes)})
    const reader = answer.body.getReader(), parts = []
    for (let part; !(part = await reader.read()).done;) parts.push(...part.value)
    const found = [], data = new Uint8Array(parts)
    for (let at = 0; at < data.length;) {
      const size = new DataView(data.buffer).getUint32(at + 1)
      found.push([data[at], Array.from(data.slice(at + 5, at + 5 + size))])
      at += 5 + size
    }
    return [answer.status, answer.headers.get('x-request-id') !== null, found]
  }
  window.told = JSON.stringify([await call('%(one)s', new Uint8Array(%(unary)s)), await call('%(many)s', new Uint8Array(%(stream)s))])
})().catch(error => { window.told = JSON.stringify(String(error)) })"""


@pytest.mark.process
def test_browser_calls_a_service_of_another_origin(tmp_path: Path) -> None:
    """Chromium's fetch, with its preflight, an unary call and a stream; it is shown the messages, the trailers and the exposed header."""

    document = messages.write_document_request(messages.header_bytes("r2", "/tell"), document=b"doc")

    def browse(port: int) -> Any:
        sent = {"unary": list(request()), "stream": list(document)}
        script = _SCRIPT % {"address": f"http://127.0.0.1:{port}", "one": ONE, "many": STREAM_DOC, **sent}
        with open_browser(tmp_path) as page:
            page.run(script + ", 1")
            return json.loads(page.wait_for("window.told"))

    unary, stream = asyncio.run(serving(Handler(), browse, cors=True))
    assert unary[:2] == stream[:2] == [200, True]
    assert messages.read_request(bytes(unary[2][0][1])).docs == b"docs"
    assert [messages.read_document_request(bytes(data)).docs for _, data in stream[2][:-1]] == [b"doc"] * 3
    for found in (unary, stream):
        assert found[2][-1] == [0x80, list(b"grpc-status: 0\r\n")]
