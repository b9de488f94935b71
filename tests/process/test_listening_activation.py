"""Sockets that a service manager passes, as systemd does."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from jina import Client, Deployment
from jina.errors import ConfigError
from jina.process.activation import activated
from tests.process.callers import echo, http_status
from tests.process.executors import Echo

pytestmark = pytest.mark.process

# what systemd does between fork and exec, and then a service
_ACTIVATED = """
import os, sys
passed = [os.dup(int(word)) for word in sys.argv[1].split(",")]
for number, fd in enumerate(passed):
    os.dup2(fd, 3 + number)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(passed)), LISTEN_FDNAMES=sys.argv[2])
from jina import Deployment
from tests.process.executors import Echo
with Deployment(uses=Echo, host=sys.argv[4], protocol=sys.argv[3].split(",")) as deployment:
    print("ports", deployment.ports, flush=True)
    deployment.block()
"""


@contextmanager
def _service(sockets: list[socket.socket], names: str, protocols: str, host: str = "systemd") -> Iterator[list[str]]:
    fds = [sock.fileno() for sock in sockets]
    argv = [sys.executable, "-c", _ACTIVATED, ",".join(map(str, fds)), names, protocols, host]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, pass_fds=fds, text=True) as parent:
        try:
            lines: list[str] = []
            assert parent.stdout is not None
            while not lines or not lines[-1].startswith("ports"):
                lines.append(parent.stdout.readline())
                assert lines[-1]
            yield lines
        finally:
            parent.terminate()


@contextmanager
def _listening(n: int) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(n)]
        yield sockets


def _get(port: int) -> int:
    return http_status(http.client.HTTPConnection("127.0.0.1", port, timeout=60))


def test_a_passed_socket_is_served_and_told() -> None:
    """Its address is what the service says, and it stays open when the service has gone."""
    with _listening(1) as [sock]:
        port = sock.getsockname()[1]
        for _ in range(2):
            with _service([sock], "", "http") as lines:
                assert _get(port) == 200
                assert f"listening on http://127.0.0.1:{port}" in "".join(lines)
                assert lines[-1] == f"ports [{port}]\n"
        socket.create_connection(("127.0.0.1", port)).close()  # waits for the next one


def test_a_passed_unix_socket_is_served(own_folder: Path) -> None:
    """The manager made its file and removes it."""
    path = own_folder / "a.sock"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        sock.listen()
        with _service([sock], "", "grpc"):
            assert echo(Client(host=f"unix:{path}")) == ["a!"]
        assert path.exists()


def test_sockets_named_for_protocols_speak_these() -> None:
    """`FileDescriptorName=grpc` in the socket unit."""
    with _listening(2) as sockets:
        grpc_port, http_port = (sock.getsockname()[1] for sock in sockets)
        with _service(sockets, "grpc:http", "http,grpc"):
            assert _get(http_port) == 200
            assert echo(Client(port=http_port, protocol="http")) == echo(Client(port=grpc_port, protocol="grpc")) == ["a!"]


def test_one_of_several_sockets_is_chosen_by_its_name() -> None:
    """Others stay for other services."""
    with _listening(2) as sockets, _service(sockets, "first:second", "http", "systemd:second") as lines:
        assert lines[-1] == f"ports [{sockets[1].getsockname()[1]}]\n"


def test_without_a_manager_the_error_says_so() -> None:
    """No guess at descriptors that may be somebody else's."""
    with pytest.raises(ConfigError, match=r"host 'systemd': no socket was passed to this process \(LISTEN_PID is not set"):
        Deployment(uses=Echo, host="systemd", quiet=True).start()
    environ = {"LISTEN_PID": "1", "LISTEN_FDS": "1"}
    with pytest.raises(ConfigError, match=r"LISTEN_PID is 1, it is"):
        activated("systemd", environ)


@pytest.mark.parametrize(
    ("host", "environ", "words"),
    [
        ("systemd", {"LISTEN_FDS": "many"}, "LISTEN_FDS is 'many'"),
        ("systemd", {"LISTEN_FDS": "0"}, "no such socket was passed; there are none with a name"),
        ("systemd:x", {"LISTEN_FDS": "0", "LISTEN_FDNAMES": "a:b"}, "no such socket was passed; there are 'a', 'b'"),
    ],
)
def test_what_a_manager_says_is_checked(host: str, environ: dict[str, str], words: str) -> None:
    """Each fault has its text."""
    with pytest.raises(ConfigError, match=words):
        activated(host, {"LISTEN_PID": str(os.getpid()), **environ})


@pytest.mark.parametrize(("names", "words"), [("grpc", "a socket named 'grpc' was passed, but protocol is http"), ("", "does not listen")])
def test_a_socket_that_does_not_fit_is_refused(names: str, words: str) -> None:
    """Before anything starts."""
    script = _ACTIVATED.replace("with Deployment", "import jina.errors\ntry:\n    Deployment").split(" as deployment")[0]
    script += ".start()\nexcept jina.errors.ConfigError as error:\n    print(error)\n"
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        if names:
            sock.listen()
        argv = [sys.executable, "-c", script, str(sock.fileno()), names, "http", "systemd"]
        done = subprocess.run(argv, capture_output=True, text=True, pass_fds=[sock.fileno()], timeout=60, check=True)
    assert words in done.stdout
