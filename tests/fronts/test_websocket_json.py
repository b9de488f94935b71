"""The JSON sub-protocol: what a message may be, and what answers it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from websockets.frames import Close

from jina.call import Item, Payload, Reply, Status
from jina.errors import Code
from tests.fronts.http_handler import INFOS, Handler, run
from tests.fronts.websocket_peers import ask, end_of, serving, to


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
