"""Callers that leave in the turn in which their request came, before anything of it has run."""

from __future__ import annotations

import asyncio
import gc
import warnings
from unittest.mock import Mock

import pytest

from jina.call import Call, EndpointInfo, Reply
from jina.fronts.front import Front
from jina.wire import grpc

pytestmark = pytest.mark.anyio
CALL = "/jina.JinaSingleDataRequestRPC/process_single_data"
POST = b'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n{"data":[]}'


async def handler(call: Call) -> Reply:
    raise AssertionError("nobody waits for this call")


def grpc_request() -> bytes:
    client = grpc.ClientConnection()
    client.call(grpc.request_block(CALL, "host"), b"")
    return client.take_output()


@pytest.mark.parametrize("protocol", ["http", "grpc"])
async def test_call_that_never_began_to_run_leaves_no_trace(protocol: str) -> None:
    """Python warns of coroutines that were made and not awaited."""
    infos = [EndpointInfo("/echo", "batch")]
    front = Front(handler, infos, protocols=[protocol])
    transport = Mock(spec=asyncio.Transport)
    transport.is_closing.return_value = False
    transport.get_write_buffer_size.return_value = 0
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        connection = front.make_protocol()
        connection.connection_made(transport)
        connection.data_received(POST if protocol == "http" else grpc_request())
        connection.connection_lost(None)
        del connection
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        gc.collect()
    assert [str(warning.message) for warning in caught] == []
    await front.drain()
