"""Callers over TLS that read slowly, or not at all."""

from __future__ import annotations

import json
import os
import socket
import ssl
import time
from collections.abc import Iterator

import pytest
import trustme

from jina import Deployment
from tests.process.executors import Echo
from tests.process.waiting import wait_until

pytestmark = pytest.mark.process

_N_BYTES = 32 << 20
_LIMIT_S = 3.0


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    own = tmp_path_factory.mktemp("tls") / "own.pem"
    trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(own))
    files = {"ssl_certfile": str(own), "ssl_keyfile": str(own)}
    with Deployment(uses=Echo, protocol="http", quiet=True, write_timeout_s=_LIMIT_S, **files) as deployment:
        yield deployment


@pytest.fixture
def asked(running: Deployment) -> Iterator[ssl.SSLSocket]:
    """A connection on which a large reply is awaited, and then its end."""
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    plain.settimeout(60)
    plain.connect(("127.0.0.1", running.port))
    with ssl._create_unverified_context().wrap_socket(plain) as sock:
        body = json.dumps({"data": [{"text": "x" * _N_BYTES}]}).encode()
        head = (
            f"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        sock.sendall(head.encode() + body)
        assert sock.recv(12) == b"HTTP/1.1 200"
        yield sock


def test_a_stalled_reader_is_cut_off(running: Deployment, asked: ssl.SSLSocket) -> None:
    """It takes nothing for longer than the limit."""
    folder = f"/proc/{running.pids['executor/front']}/fd"
    n_open = len(os.listdir(folder))
    wait_until(lambda: len(os.listdir(folder)) < n_open)


def test_a_slow_reader_gets_all(asked: ssl.SSLSocket) -> None:
    """It takes longer than the limit, but something all the time."""
    n_bytes, began = 0, time.monotonic()
    while data := asked.recv(1 << 16):
        n_bytes += len(data)
        if time.monotonic() - began < 2 * _LIMIT_S:
            time.sleep(0.01)
    assert n_bytes > _N_BYTES
    assert time.monotonic() - began > 2 * _LIMIT_S
