"""`max_buffered_bytes` of a running service: one bound for all its ports, and what passes it is refused while the rest goes on."""

from __future__ import annotations

import contextlib
import select
import socket

import grpc
import pytest

from jina import Deployment
from tests.process.callers import GrpcCaller, http_post
from tests.process.strict_executor import Strict, Thing
from tests.process.waiting import wait_until

pytestmark = pytest.mark.process


HALF = 900_000
LARGE = (1 << 20) - HALF
"""A text for which there is no room only once all of the half has come: then no question of ours can take the room that the half needs."""


def half_a_body(port: int) -> socket.socket:
    half = socket.create_connection(("127.0.0.1", port))
    half.sendall(b"POST /batch HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n" + bytes(HALF))
    return half


def test_one_bound_holds_for_http_and_grpc_together() -> None:
    """Half a body on one port leaves no room for a large message on the other, until its caller leaves."""
    with (
        Deployment(uses=Strict, protocol=["http", "grpc"], port=[0, 0], quiet=True, max_buffered_bytes="1 MiB") as deployment,
        GrpcCaller(deployment.ports[1]) as caller,
    ):
        http_port = deployment.ports[0]
        large, small = Thing(text="x" * LARGE), Thing(text="x")

        def refusal() -> grpc.RpcError | None:
            try:
                caller.post("/batch", [large])
            except grpc.RpcError as error:
                return error
            return None

        assert refusal() is None
        with contextlib.ExitStack() as stack:
            halves = [stack.enter_context(half_a_body(http_port))]

            def is_full() -> bool:
                if select.select(halves[-1:], [], [], 0)[0]:  # it asked for more while a question of ours was held, and lost
                    halves.append(stack.enter_context(half_a_body(http_port)))
                return refusal() is not None

            wait_until(is_full)
            error = refusal()
            assert error is not None
            assert (error.code().name, "max_buffered_bytes" in error.details()) == ("RESOURCE_EXHAUSTED", True)
            assert dict(error.trailing_metadata())["retry-after"] == "1"
            refused = http_post(http_port, "/batch", [{"text": "x" * LARGE}])
            assert (refused.status, refused.headers["retry-after"]) == (503, "1")
            assert "max_buffered_bytes" in refused.json["detail"]
            assert http_post(http_port, "/batch", [{"text": "x"}]).status == 200
            assert not caller.post("/batch", [small]).is_error
        wait_until(lambda: refusal() is None)
        assert http_post(http_port, "/batch", [{"text": "x" * LARGE}]).status == 200
