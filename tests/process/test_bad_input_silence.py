"""Clients that connect and then say nothing: they cost stopping no time."""

from __future__ import annotations

import socket
import ssl
import time
from pathlib import Path

import pytest
import trustme

from jina import Deployment
from tests.process.executors import Echo

pytestmark = pytest.mark.process


@pytest.mark.parametrize("is_tls", [False, True])
def test_silent_clients_do_not_hold_up_stopping(tmp_path: Path, is_tls: bool) -> None:
    """One that never began and one whose process hangs are closed at once, not after the grace of a minute, nor after TLS's own."""
    files, context = {}, None
    if is_tls:
        authority = trustme.CA()
        issued = authority.issue_cert("localhost")
        issued.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "both.pem"))
        files = {"ssl_certfile": str(tmp_path / "both.pem"), "ssl_keyfile": str(tmp_path / "both.pem")}
        context = ssl.create_default_context()
        authority.configure_trust(context)
    deployment = Deployment(uses=Echo, protocol=["http", "grpc"], port=[0, 0], quiet=True, **files)
    with deployment:
        silent = [socket.create_connection(("127.0.0.1", port), timeout=10) for port in deployment.ports]
        if context is not None:
            silent = [context.wrap_socket(each, server_hostname="localhost") for each in silent]
        silent[0].sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert silent[0].recv(12) == b"HTTP/1.1 200"
        began = time.monotonic()
    assert time.monotonic() - began < 25
    for each in silent:
        each.close()
