"""Where a Deployment listens: IPv6, several addresses of one port, ports that are shared with others."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import threading

import grpc
import pytest

from jina import Client, Deployment
from jina.docs import DocList
from jina.errors import ConfigError, PortAlreadyUsed
from tests.process.callers import echo, echo_by_grpcio, http_status, is_refused
from tests.process.executors import Count, Echo, Text
from tests.process.waiting import wait_until

pytestmark = pytest.mark.process


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6")


def _status(host: str, port: int) -> int:
    return http_status(http.client.HTTPConnection(host, port, timeout=20))


@needs_ipv6
@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_a_service_on_ipv6_is_called_by_its_address_in_brackets(protocol: str, capfd: pytest.CaptureFixture[str]) -> None:
    """The start-up lines show the address as a Client takes it."""
    with Deployment(uses=Echo, protocol=protocol, host="::1") as deployment:
        shown = f"{protocol}://[::1]:{deployment.port}"
        assert echo(Client(host=shown)) == ["a!"]
        assert echo(deployment) == ["a!"]
        assert echo(Client(host="::1", port=deployment.port, protocol=protocol)) == ["a!"]
        assert shown in capfd.readouterr().out
        with pytest.raises(OSError, match="refused"):
            _status("127.0.0.1", deployment.port)


@needs_ipv6
def test_all_interfaces_of_ipv6_are_those_of_ipv4_too() -> None:
    """`::` is every address of the machine."""
    with Deployment(uses=Echo, protocol="http", host="::", api_key="k", quiet=True) as deployment:
        assert _status("127.0.0.1", deployment.port) == _status("::1", deployment.port) == 200


@needs_ipv6
def test_both_wildcards_may_be_given() -> None:
    """Then each family has its own socket."""
    with Deployment(uses=Echo, protocol="http", host=["0.0.0.0", "::"], api_key="k", quiet=True) as deployment:
        assert _status("127.0.0.1", deployment.port) == _status("::1", deployment.port) == 200


@needs_ipv6
def test_one_port_is_open_on_several_addresses() -> None:
    """Also where the system chooses the number; each port is on each address."""
    with Deployment(uses=Echo, protocol=["http", "grpc"], host=["127.0.0.1", "::1"], quiet=True) as deployment:
        assert deployment.hosts == ["127.0.0.1", "::1"]
        http_port, grpc_port = deployment.ports
        assert _status("127.0.0.1", http_port) == _status("::1", http_port) == 200
        for target in (f"127.0.0.1:{grpc_port}", f"[::1]:{grpc_port}"):
            with grpc.insecure_channel(target) as channel:
                assert echo_by_grpcio(channel) == ["a!"]


def test_a_name_is_listened_on_at_each_of_its_addresses() -> None:
    """`localhost` is what the machine says it is."""
    with Deployment(uses=Echo, protocol="http", host="localhost", quiet=True) as deployment:
        addresses = {str(each[4][0]) for each in socket.getaddrinfo("localhost", 0, type=socket.SOCK_STREAM)}
        assert [_status(address, deployment.port) for address in addresses] == [200] * len(addresses)


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("192.0.2.1", r"cannot listen on host '192\.0\.2\.1': Cannot assign requested address"),
        ("no.such.host.invalid", r"host 'no\.such\.host\.invalid' cannot be resolved"),
        ("x" * 70, r"cannot be resolved"),
    ],
)
def test_an_address_that_is_not_ours_is_named(host: str, words: str) -> None:
    """What, where, which value."""
    with pytest.raises(ConfigError, match=words):
        Deployment(uses=Echo, host=["127.0.0.1", host], quiet=True).start()


def test_a_port_that_is_taken_on_one_address_is_not_used_on_the_other() -> None:
    """Nothing stays bound."""
    with socket.socket() as other:
        other.bind(("127.0.0.2", 0))
        port = other.getsockname()[1]
        with pytest.raises(PortAlreadyUsed, match=f"port {port} on host '127.0.0.2' cannot be used"):
            Deployment(uses=Echo, host=["127.0.0.1", "127.0.0.2"], port=port, quiet=True).start()
        with socket.socket() as free:
            free.bind(("127.0.0.1", port))


def test_two_services_share_a_port_if_both_agree() -> None:
    """The kernel divides the connections between them, and those that come after one has gone all reach the other."""
    first = Deployment(uses=Echo, protocol="http", port=0, reuse_port=True, quiet=True).start()
    with first, Deployment(uses=Echo, protocol="http", port=first.port, reuse_port=True, quiet=True) as second:
        assert first.port == second.port
        both = {_pid(first.port) for _ in range(60)}
        assert both == {deployment.pids["executor/rep-0"] for deployment in (first, second)}
        first.close()
        assert {_pid(second.port) for _ in range(10)} == {second.pids["executor/rep-0"]}


def _pid(port: int) -> int:
    client = Client(port=port, protocol="http")
    try:
        return int(client.post("/pid", Text(), return_type=DocList[Count])[0].n)
    finally:
        client.close()


def test_a_port_is_not_shared_with_who_does_not_agree() -> None:
    """Both sides must ask for it."""
    with Deployment(uses=Echo, port=0, reuse_port=True, quiet=True) as first, pytest.raises(PortAlreadyUsed):
        Deployment(uses=Echo, port=first.port, quiet=True).start()


def test_callers_are_refused_while_a_service_finishes_what_it_holds() -> None:
    """They do not wait in the queue of a socket that nobody listens on any more."""
    with Deployment(uses=Echo, protocol="http", quiet=True, timeout_ctrl=60) as deployment:
        port = deployment.port
        with socket.create_connection(("127.0.0.1", port)) as held:
            held.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n{")
            closer = threading.Thread(target=deployment.close)
            closer.start()
            wait_until(lambda: is_refused(socket.AF_INET, ("127.0.0.1", port)))
            assert closer.is_alive()
        closer.join(20)
        assert not closer.is_alive()


def test_a_front_that_is_ended_from_outside_gives_its_port_to_the_next_one() -> None:
    """Who ends the front process alone does not take the port from the service."""
    with Deployment(uses=Echo, protocol="http", quiet=True) as deployment:
        before = deployment.pids["executor/front"]
        os.kill(before, signal.SIGTERM)
        wait_until(lambda: deployment.pids.get("executor/front") not in (None, before))
        assert _status("127.0.0.1", deployment.port) == 200
