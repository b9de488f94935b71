from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from typing import Any

import httpx
import pytest

from jina.call import Item, Payload, Reply, Status
from jina.errors import Code
from jina.fronts.front import Front
from jina.limits import FrontOptions
from tests.fronts.http_handler import INFOS, Handler, run
from tests.fronts.listening import listening
from tests.waiting import loop_turns


@contextlib.asynccontextmanager
async def serving(handler: Handler, *, guard: Any = None, is_ready: Any = lambda: True, **options: Any) -> Any:
    front = Front(handler, INFOS, guard=guard, is_ready=is_ready, options=FrontOptions(**options), protocols=["http"])
    async with listening(front) as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=10) as client:
        vars(client).update(port=port, front=front)
        yield client


async def exchange(port: int, data: bytes) -> bytes:
    """Send bytes, and read until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    try:
        return await reader.read()
    finally:
        writer.close()


def post(body: bytes, *lines: bytes, path: bytes = b"/echo") -> bytes:
    return b"POST %b HTTP/1.1\r\nHost: x\r\n%bContent-Length: %d\r\n\r\n%b" % (path, b"".join(lines), len(body), body)


CLOSE = b"Connection: close\r\n"


def test_documents_come_back_in_jinas_shape() -> None:
    async def scenario(handler: Handler) -> None:
        async with serving(handler) as client:
            answer = await client.post("/echo", content=b'{"data": {"text":"hi"}, "parameters": {"a": 1}}', headers={"x-request-id": "r"})
            assert answer.content == b'{"data":[{"text":"hi"}],"parameters":{"a":1.0}}'
            assert (answer.status_code, answer.headers["content-type"], answer.headers["x-request-id"]) == (200, "application/json", "r")
            (call,) = handler.calls
            assert (call.endpoint, call.wants, call.is_stream, len(call.call_id)) == ("/echo", "json", False, 16)
            assert (await client.post("/echo/", json={"data": []})).json() == {"data": [], "parameters": {}}

    run(scenario)


def test_a_flows_front_adds_the_header() -> None:
    async def scenario(handler: Handler) -> None:
        async with serving(handler, is_flow=True) as client:
            answer = await client.post("/echo", json={"data": [], "header": {"requestId": "q"}})
            assert answer.json()["header"] == {"requestId": "q", "targetExecutor": ""}
            assert answer.headers["x-request-id"] == "q"

    run(scenario)


def test_health_and_unknown_paths_and_methods() -> None:
    async def scenario(handler: Handler) -> None:
        async with serving(handler) as client:
            assert (await client.get("/")).content == b"{}"
            head = await client.head("/")
            assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "2")
            assert (await client.get("/xyz")).json() == {"detail": "Not Found"}
            unknown = await client.post("/ecko", json={"data": []})
            assert unknown.status_code == 404
            assert unknown.json() == {"detail": "Not Found", "hint": "did you mean '/echo'?"}
            wrong = await client.get("/echo")
            assert (wrong.status_code, wrong.headers["allow"], wrong.json()) == (405, "POST", {"detail": "Method Not Allowed"})
            assert (await client.put("/")).headers["allow"] == "GET, HEAD"
        async with serving(handler, is_ready=lambda: False) as client:
            assert (await client.get("/")).status_code == 503

    run(scenario)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 422),
        (b"{}", 422),
        (b'{"data":[],"data":[]}', 422),
        (b'{"data":[],"header":' + b"[" * 1000 + b"]" * 1000 + b"}", 422),
        (b'{"data":["\xff"]}', 422),
        (b'{"data":[NaN]}', 422),
        (b'{"data":[],"header":{"requestId":"a b"}}', 400),
        (b'{"data":[' + b" " * 5000 + b"]}", 413),
    ],
)
def test_bad_bodies_are_answered_and_the_service_goes_on(body: Any, status: Any) -> None:
    async def scenario(handler: Handler) -> None:
        async with serving(handler, max_body_bytes=4000) as client:
            assert (await client.post("/echo", content=body)).status_code == status
            assert handler.calls == []
            assert (await client.post("/echo", json={"data": []})).status_code == 200

    run(scenario)


def test_a_document_of_10_mb_comes_back() -> None:
    async def scenario(handler: Handler) -> None:
        async with serving(handler) as client:
            answer = await client.post("/echo", json={"data": [{"text": "a" * 10_000_000}]})
            assert len(answer.json()["data"][0]["text"]) == 10_000_000

    run(scenario)


@pytest.mark.parametrize(
    "header", [("x-request-id", "a b"), ("x-request-timeout", "soon"), ("x-request-timeout", "-1"), ("x-request-priority", "10")]
)
def test_bad_headers_are_400(header: Any) -> None:
    async def scenario(handler: Handler) -> None:
        async with serving(handler) as client:
            assert (await client.post("/echo", json={"data": []}, headers=[header])).status_code == 400

    run(scenario)


def test_deadline_and_priority_come_from_headers() -> None:
    async def scenario(handler: Handler) -> None:
        async with serving(handler) as client:
            await client.post("/echo", json={"data": []}, headers={"x-request-timeout": "5", "x-request-priority": "9"})
            assert handler.calls[0].priority == 9
            deadline = handler.calls[0].deadline
            assert deadline is not None
            assert 4 < deadline - asyncio.get_running_loop().time() <= 5

    run(scenario)


def test_failures_have_fastapis_shape() -> None:
    async def scenario(handler: Handler) -> None:
        async with serving(handler) as client:
            details: list[dict[str, Any]] = [
                {"loc": (0, "n"), "msg": "m", "type": "t"},
                {"loc": ["parameters", "p"], "msg": "m", "type": "t"},
            ]
            handler.reply = Reply(Status(Code.INVALID_INPUT, "bad", details=details))
            answer = await client.post("/echo", json={"data": []})
            assert answer.status_code == 422
            assert [finding["loc"] for finding in answer.json()["detail"]] == [["body", "data", 0, "n"], ["body", "parameters", "p"]]
            handler.reply = Reply(Status(Code.EXECUTOR_FAILED, "ValueError('x')"))
            answer = await client.post("/echo", json={"data": []})
            assert (answer.status_code, answer.json()) == (500, {"detail": "ValueError('x')"})
            handler.reply = Reply(Status(Code.OVERLOADED, "full", retry_after_s=1.2))
            answer = await client.post("/echo", json={"data": []})
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
            handler.reply = RuntimeError("a bug")
            assert (await client.post("/echo", json={"data": []})).json() == {"detail": "Internal Server Error"}

    run(scenario)


def test_streams_are_events_from_get_and_post() -> None:
    async def scenario(handler: Handler) -> None:
        async with serving(handler) as client:
            expected = b'event: update\r\ndata: {"text":"hi"}\r\n\r\n' * 2 + b"event: end\r\n\r\n"
            answer = await client.request("GET", "/tell", content=b'{"text":"hi"}')
            assert answer.content == expected
            assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
            assert (await client.get("/tell?text=hi")).content == expected
            assert (await client.post("/tell", content=b'{"data":{"text":"hi"},"parameters":{"a":1}}')).content == expected
            assert handler.calls[-1].parameters == {"a": 1.0}
            await client.get("/tell", params={"n": "3", "text": "4", "parameters": '{"b":2}'})
            assert json.loads(handler.calls[-1].payload.data) == {"n": 3, "text": "4"}
            assert handler.calls[-1].parameters == {"b": 2.0}

    run(scenario)


def test_a_stream_that_fails_says_so_and_has_no_end() -> None:
    async def scenario(handler: Handler) -> None:
        async def items() -> Any:
            yield Item(Payload(b"{}", is_single=True))
            yield Item(status=Status(Code.EXECUTOR_FAILED, "broken"))

        handler.reply = Reply(items=items())
        async with serving(handler) as client:
            content = (await client.get("/tell")).content
            assert content == b'event: update\r\ndata: {}\r\n\r\nevent: error\r\ndata: {"detail":"broken"}\r\n\r\n'

    run(scenario)


def test_a_reader_that_stalls_stops_the_producer_and_one_that_leaves_closes_it() -> None:
    async def scenario(handler: Handler) -> None:
        n_made, closed = 0, asyncio.Event()

        async def items() -> Any:
            nonlocal n_made
            try:
                while True:
                    n_made += 1
                    yield Item(Payload(b'"' + b"a" * 100_000 + b'"', is_single=True))
                    await asyncio.sleep(0)
            finally:
                closed.set()

        handler.reply = Reply(items=items())
        async with serving(handler) as client:
            loop = asyncio.get_running_loop()
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.setblocking(False)
            await loop.sock_connect(sock, ("127.0.0.1", client.port))
            await loop.sock_sendall(sock, b"GET /tell HTTP/1.1\r\nHost: x\r\n\r\n")
            while True:
                before = n_made
                await loop_turns(300)
                if n_made and n_made == before:
                    break
            assert n_made < 500
            sock.close()
            await closed.wait()

    run(scenario)


def test_a_reader_that_takes_nothing_is_cut_off() -> None:
    async def scenario(handler: Handler) -> None:
        closed = asyncio.Event()

        async def items() -> Any:
            try:
                while True:
                    yield Item(Payload(b'"' + b"a" * 100_000 + b'"', is_single=True))
            finally:
                closed.set()

        handler.reply = Reply(items=items())
        async with serving(handler, write_timeout_s=0.01) as client:
            _, writer = await asyncio.open_connection("127.0.0.1", client.port, limit=1)
            writer.write(b"GET /tell HTTP/1.1\r\nHost: x\r\n\r\n")
            await closed.wait()
            writer.close()

    run(scenario)


def test_a_caller_that_leaves_cancels_its_call() -> None:
    async def scenario(handler: Handler) -> None:
        handler.waits_for = asyncio.get_running_loop().create_future()
        async with serving(handler) as client:
            _, writer = await asyncio.open_connection("127.0.0.1", client.port)
            writer.write(post(b'{"data":[]}'))
            await handler.started.wait()
            writer.close()
            await handler.cancelled.wait()

    run(scenario)


def test_pipelined_requests_are_answered_in_order() -> None:
    async def scenario(handler: Handler) -> None:
        async with serving(handler) as client:
            requests = [post(b'{"data":[%d]}' % i) for i in range(300)] + [post(b'{"data":[300]}', CLOSE)]
            answers = await exchange(client.port, b"".join(requests))
            found = [json.loads(part.partition(b"\r\n\r\n")[2])["data"] for part in answers.split(b"HTTP/1.1 200 OK")[1:]]
            assert found == [[i] for i in range(301)]

    run(scenario)


def test_malformed_bytes_get_400_and_the_connection_closes() -> None:
    async def scenario(handler: Handler) -> None:
        async with serving(handler) as client:
            answer = await exchange(client.port, b"nonsense\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
            assert b"connection: close\r\n" in answer

    run(scenario)


def test_continue_is_sent_to_who_waits_for_it() -> None:
    async def scenario(handler: Handler) -> None:
        async with serving(handler) as client:
            reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
            whole = post(b'{"data":[]}', b"Expect: 100-continue\r\n", CLOSE)
            writer.write(whole[:-11])
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(whole[-11:])
            assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")
            writer.close()

    run(scenario)


def test_draining_finishes_what_is_held_and_closes() -> None:
    async def scenario(handler: Handler) -> None:
        handler.waits_for = asyncio.get_running_loop().create_future()
        async with serving(handler) as client:
            answering = asyncio.ensure_future(exchange(client.port, post(b'{"data":[]}')))
            await handler.started.wait()
            draining = asyncio.ensure_future(client.front.drain())
            await asyncio.sleep(0)
            assert not draining.done()
            handler.waits_for.set_result(None)
            answer = await answering
            assert answer.startswith(b"HTTP/1.1 200 OK")
            assert b"connection: close\r\n" in answer
            await draining

    run(scenario)


@pytest.mark.parametrize("is_async", [False, True])
def test_a_guard_keeps_everything_but_health(is_async: Any) -> None:
    def check(headers: Any) -> Any:
        return None if headers.get("x-api-key") == "k" else Status(Code.UNAUTHENTICATED, "no key")

    async def check_later(headers: Any) -> Any:
        await asyncio.sleep(0)
        return check(headers)

    async def scenario(handler: Handler) -> None:
        async with serving(handler, guard=check_later if is_async else check) as client:
            assert (await client.get("/")).status_code == 200
            for path in ("/docs", "/openapi.json", "/nowhere"):
                assert (await client.get(path)).status_code == 401
            refused = await client.post("/echo", json={"data": []})
            assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
            assert (await client.post("/echo", json={"data": []}, headers={"x-api-key": "k"})).status_code == 200
            assert (await client.get("/tell?text=a", headers={"x-api-key": "k"})).status_code == 200

    run(scenario)


def test_browsers_of_other_origins_are_let_in_on_demand() -> None:
    async def scenario(handler: Handler) -> None:
        asks = {"origin": "http://a", "access-control-request-method": "POST", "access-control-request-headers": "x-y"}
        async with serving(handler, cors=True) as client:
            answer = await client.options("/echo", headers=asks)
            assert answer.status_code == 200
            assert answer.headers["access-control-allow-headers"] == "x-y"
            answer = await client.post("/echo", json={"data": []}, headers={"origin": "http://a"})
            assert answer.headers["access-control-allow-origin"] == "http://a"
        async with serving(handler) as client:
            answer = await client.options("/echo", headers=asks)
            assert (answer.headers["allow"], answer.headers.get("access-control-allow-origin")) == ("POST, OPTIONS", None)

    run(scenario)


def test_pages_come_from_the_package_alone() -> None:
    async def scenario(handler: Handler) -> None:
        async with serving(handler, title="A & B") as client:
            page = await client.get("/docs")
            assert "A &amp; B" in page.text
            assert "//" not in page.text.replace("<!DOCTYPE html>", "")
            for path in ("/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css", "/redoc", "/redoc/redoc.standalone.js"):
                assert (await client.get(path)).status_code == 200
            assert (await client.get("/openapi.json")).json()["info"]["title"] == "A & B"

    run(scenario)


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
def test_a_page_with_a_slash_behind_its_path_leads_to_the_page(path: str) -> None:
    """As FastAPI does, but by a relative address: behind a proxy that adds a prefix it leads to the same page."""

    async def scenario(handler: Handler) -> None:
        async with serving(handler) as client:
            answer = await client.get(f"{path}/", follow_redirects=False)
            assert (answer.status_code, answer.headers["location"]) == (307, f"..{path}")
            assert (await client.head(f"{path}/", follow_redirects=False)).status_code == 307
            assert (await client.get(f"{path}/", follow_redirects=True)).content == (await client.get(path)).content
            assert (await client.post(f"{path}/")).status_code == 405
            assert (await client.get("/nowhere/")).status_code == 404

    run(scenario)


def test_a_caller_that_sends_its_whole_body_before_it_reads_hears_why_it_is_refused() -> None:
    """The connection stays open for reading a moment longer, for a reset would overtake the reply."""

    async def scenario(handler: Handler) -> None:
        async with serving(handler, max_body_bytes=1000) as client:
            reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
            writer.write(post(b" " * (8 << 20)))
            await writer.drain()
            answer = await reader.read()
            assert answer.startswith(b"HTTP/1.1 413 ")
            assert b"max_body_bytes" in answer
            writer.close()

    run(scenario)


def test_a_refused_caller_that_does_not_stop_is_cut_off() -> None:
    """It is not read for longer than a moment, however much it sends."""

    async def send_for_ever(writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b" " * 1000)
            await writer.drain()
            await asyncio.sleep(0.01)

    async def scenario(handler: Handler) -> None:
        async with serving(handler, max_body_bytes=1000) as client:
            _, writer = await asyncio.open_connection("127.0.0.1", client.port)
            writer.write(post(b" " * (1 << 20)))
            with pytest.raises(ConnectionError):
                await send_for_ever(writer)

    run(scenario)
