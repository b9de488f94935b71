"""Public sockets."""

import socket

import pytest

from jina.errors import ConfigError, PortAlreadyUsed
from jina.process.ports import bind_all, is_loopback


def test_a_bound_port_is_taken_before_anybody_listens() -> None:
    """From the moment we tell a port, nobody else gets it."""
    with bind_all(["127.0.0.1"], 0)[0] as first:
        port = first.getsockname()[1]
        with pytest.raises(PortAlreadyUsed, match=f"port {port} on host '127.0.0.1' cannot be used"):
            bind_all(["127.0.0.1"], port)
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with pytest.raises(OSError, match="in use"):
                other.bind(("127.0.0.1", port))


def test_a_host_that_is_not_ours_is_named() -> None:
    """The error says which host cannot be listened on."""
    with pytest.raises(ConfigError, match=r"192\.0\.2\.1"):
        bind_all(["192.0.2.1"], 0)


def test_an_address_that_is_named_twice_is_bound_once() -> None:
    """Also where a name means it."""
    sockets = bind_all(["127.0.0.1", "127.0.0.1"], 0)
    assert len(sockets) == 1
    sockets[0].close()


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("::", False), ("unix:/run/a", True)],
)
def test_loopback_is_told_from_open_hosts(host: str, expected: bool) -> None:
    """Only this machine reaches a loopback address."""
    assert is_loopback(host) is expected
