"""A reader that takes little is told from one that takes nothing."""

from __future__ import annotations

import asyncio
import socket

import pytest

from jina.fronts.unsent import Unsent, in_kernel
from jina.wire.buffered import Buffered

pytestmark = pytest.mark.anyio


async def test_what_arrives_out_of_the_kernels_memory_is_progress() -> None:
    """The transport's own memory stays as full as it was: the kernel refills itself from there only once a good part has gone."""
    loop = asyncio.get_running_loop()
    made: asyncio.Future[asyncio.Transport] = loop.create_future()

    class Server(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            made.set_result(transport)  # type: ignore[arg-type]

    server = await loop.create_server(Server, "127.0.0.1", 0)
    with socket.create_connection(server.sockets[0].getsockname()) as reader:
        transport = await made
        buffered = Buffered()
        unsent = Unsent(transport, buffered)
        transport.write(bytes(32 << 20))
        n_kept, n_kernel = -1, -2
        while (n_kept, n_kernel) != (transport.get_write_buffer_size(), in_kernel(transport)):  # until it is full
            n_kept, n_kernel = transport.get_write_buffer_size(), in_kernel(transport)
            await asyncio.sleep(0.05)
        assert n_kept > 0 < n_kernel
        unsent.watch(100.0)
        assert not unsent.is_stalled(101.0, 20.0)
        assert not unsent.is_stalled(121.0, 20.0)
        assert unsent.is_stalled(121.5, 20.0)
        n_read = 0
        while in_kernel(transport) + transport.get_write_buffer_size() >= n_kept + n_kernel:
            n_read += len(await asyncio.to_thread(reader.recv, 16_384))
        assert n_read < 1 << 20
        assert not unsent.is_stalled(121.5, 20.0)
        assert unsent.is_stalled(142.0, 20.0)
        transport.abort()
        await asyncio.sleep(0)
        assert in_kernel(transport) == 0
    server.close()


async def test_transport_without_a_socket_has_nothing_in_the_kernel() -> None:
    assert in_kernel(asyncio.Transport()) == 0
