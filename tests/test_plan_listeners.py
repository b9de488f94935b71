"""What a Deployment listens on, from its options; nothing is bound."""

from __future__ import annotations

from typing import Any

import pytest

from jina.options import DeploymentOptions
from jina.plan import listeners_of

LOOPBACK = ("127.0.0.1",)


def _listeners(**given: Any) -> list[tuple[tuple[str, ...], tuple[str, ...], int]]:
    found = listeners_of(DeploymentOptions.from_mapping(given, environ={}))
    return [(each.protocols, each.hosts, each.port) for each in found]


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        (8080, [(("http", "grpc"), LOOPBACK, 8080)]),
        (0, [(("http", "grpc"), LOOPBACK, 0)]),
        (None, [(("http",), LOOPBACK, 0), (("grpc",), LOOPBACK, 0)]),
        ([0, 0], [(("http",), LOOPBACK, 0), (("grpc",), LOOPBACK, 0)]),
        ([8080, 8081], [(("http",), LOOPBACK, 8080), (("grpc",), LOOPBACK, 8081)]),
        ([8080, 8080], [(("http", "grpc"), LOOPBACK, 8080)]),
    ],
)
def test_a_lone_port_is_for_all_protocols(port: Any, expected: Any) -> None:
    """One port, or the same one twice, is shared; several are one each, and without any the system chooses one each."""
    assert _listeners(protocol=["http", "grpc"], port=port) == expected


def test_every_port_is_on_every_address() -> None:
    """Several hosts are several addresses of each port."""
    both = ("127.0.0.1", "::1")
    assert _listeners(protocol=["http", "grpc"], port=[1, 2], host=list(both)) == [(("http",), both, 1), (("grpc",), both, 2)]


def test_a_unix_socket_speaks_all_protocols() -> None:
    """It has no port, and may stand beside addresses that have."""
    host = ["127.0.0.1", "unix:/run/a.sock"]
    expected = [(("http",), LOOPBACK, 0), (("grpc",), LOOPBACK, 0), (("http", "grpc"), ("unix:/run/a.sock",), 0)]
    assert _listeners(protocol=["http", "grpc"], host=host) == expected
    assert _listeners(protocol=["http", "grpc"], host="systemd") == [(("http", "grpc"), ("systemd",), 0)]
