"""The sub-protocol of bytes, whose messages are gRPC's, and what both have in common."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.frames import Close

from jina.call import Item, Reply, Status
from jina.codec import messages
from jina.errors import Code
from tests.fronts.http_handler import Handler, run
from tests.fronts.websocket_peers import BYTES, end_of, request, serving, to


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
