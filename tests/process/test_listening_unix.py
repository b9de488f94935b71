"""Deployments on Unix sockets, called by our client, grpcio, curl-like clients and `jina ping`."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import grpc
import pytest

from jina import Client, Deployment
from jina.cli import main
from jina.errors import ConfigError, PortAlreadyUsed
from tests.process.callers import echo, echo_by_grpcio, http_status, is_refused
from tests.process.executors import Echo
from tests.process.waiting import wait_until

pytestmark = pytest.mark.process


class UnixHttp(http.client.HTTPConnection):
    """The standard library's client over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=20)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(self._path)


def _status(path: str) -> int:
    return http_status(UnixHttp(path))


def test_http_is_served_on_a_unix_socket(own_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Only its owner may connect; the file goes when the service closes, and the start-up line is what a Client takes."""
    path = own_folder / "a.sock"
    with Deployment(uses=Echo, protocol="http", host=f"unix:{path}") as deployment:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert _status(str(path)) == 200
        assert echo(deployment) == echo(Client(host=f"unix:{path}", protocol="http")) == ["a!"]
        assert echo(Client(host=f"http+unix://{path}")) == ["a!"]
        assert (deployment.port, deployment.host) == (0, f"unix:{path}")
        assert f"listening on http+unix://{path}" in capfd.readouterr().out
        assert deployment.is_ready
    assert not path.exists()


def test_grpc_is_served_on_a_unix_socket(own_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """grpcio's `unix:path`, our client and `jina ping` call it."""
    path = own_folder / "a.sock"
    with Deployment(uses=Echo, host=f"unix://{path}", quiet=True) as deployment:
        with grpc.insecure_channel(f"unix:{path}") as channel:
            assert echo_by_grpcio(channel) == ["a!"]
        assert echo(deployment) == echo(Client(host=f"grpc+unix://{path}")) == echo(Client(host=f"unix:{path}")) == ["a!"]
        assert main(["ping", "executor", f"unix:{path}"]) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="abstract sockets are Linux's")
def test_an_abstract_socket_is_no_file(capfd: pytest.CaptureFixture[str]) -> None:
    """As grpcio writes it."""
    name = f"openjina-test-{os.getpid()}"
    with Deployment(uses=Echo, host=f"unix-abstract:{name}") as deployment:
        shown = capfd.readouterr().out.split("listening on ")[1].strip()
        assert shown == f"grpc+unix-abstract:{name}"
        assert echo(Client(host=shown)) == ["a!"]
        with grpc.insecure_channel(f"unix-abstract:{name}") as channel:
            assert echo_by_grpcio(channel) == ["a!"]
        assert echo(deployment) == ["a!"]
        with pytest.raises(PortAlreadyUsed, match=f"unix-abstract:{name}"):
            Deployment(uses=Echo, host=f"unix-abstract:{name}", quiet=True).start()


def test_a_service_may_listen_on_a_unix_socket_and_on_a_port(own_folder: Path) -> None:
    """Neither keeps the other away."""
    path = own_folder / "a.sock"
    with Deployment(uses=Echo, protocol="http", host=["127.0.0.1", f"unix:{path}"], quiet=True) as deployment:
        assert _status(str(path)) == 200
        assert echo(Client(port=deployment.port, protocol="http")) == ["a!"]


@pytest.mark.parametrize(("access", "mode"), [("group", 0o660), ("everyone", 0o666)])
def test_others_may_be_let_in(own_folder: Path, access: str, mode: int) -> None:
    """A proxy that runs as another user, for instance."""
    path = own_folder / "a.sock"
    with Deployment(uses=Echo, host=f"unix:{path}", unix_access=access, quiet=True):
        assert stat.S_IMODE(path.stat().st_mode) == mode


def test_the_socket_of_a_live_service_is_not_taken(own_folder: Path) -> None:
    """Neither while it starts nor while it serves; it goes on undisturbed."""
    path = own_folder / "a.sock"
    first, second = (Deployment(uses=Echo, protocol="http", host=f"unix:{path}", quiet=True) for _ in range(2))
    assert first.port == 0  # it is bound, and does not listen yet
    with pytest.raises(PortAlreadyUsed, match=r"a\.sock.*a service uses it already"):
        second.start()
    with first:
        with pytest.raises(PortAlreadyUsed, match=r"a\.sock.*a service uses it already"):
            second.start()
        assert _status(str(path)) == 200


def test_the_socket_of_another_program_is_not_taken(own_folder: Path) -> None:
    """Whoever answers there lives."""
    path = own_folder / "a.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen(1)
        with pytest.raises(PortAlreadyUsed, match=r"a\.sock"):
            Deployment(uses=Echo, host=f"unix:{path}", quiet=True).start()


def test_what_a_dead_service_left_is_replaced(own_folder: Path) -> None:
    """Nobody answers there."""
    path = own_folder / "a.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with Deployment(uses=Echo, protocol="http", host=f"unix:{path}", quiet=True):
        assert _status(str(path)) == 200


_SERVES = """
import sys
from jina import Deployment
from tests.process.executors import Echo
with Deployment(uses=Echo, host=sys.argv[1], quiet=True) as deployment:
    print("ready", flush=True)
    deployment.block()
"""


def test_the_socket_goes_with_a_supervisor_that_is_killed(own_folder: Path) -> None:
    """The front's last will removes the file."""
    path = own_folder / "a.sock"
    with subprocess.Popen([sys.executable, "-c", _SERVES, f"unix:{path}"], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        parent.send_signal(signal.SIGKILL)
        wait_until(lambda: not path.exists())


def test_callers_are_refused_while_a_service_finishes_what_it_holds(own_folder: Path) -> None:
    """As on a port."""
    path = own_folder / "a.sock"
    with Deployment(uses=Echo, protocol="http", host=f"unix:{path}", quiet=True, timeout_ctrl=60) as deployment:
        with socket.socket(socket.AF_UNIX) as held:
            held.connect(str(path))
            held.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n{")
            closer = threading.Thread(target=deployment.close)
            closer.start()
            wait_until(lambda: is_refused(socket.AF_UNIX, str(path)))
            assert closer.is_alive()
        closer.join(20)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("missing/a.sock", r"cannot listen on Unix socket '.*missing/a\.sock': No such file or directory"),
        ("file", r"'.*file': there is a file that is no socket; choose another path"),
        ("x" * 120, r"cannot listen on Unix socket '.*x': AF_UNIX path too long"),
    ],
)
def test_a_path_that_cannot_be_used_is_named(own_folder: Path, place: str, words: str) -> None:
    """What, where, why."""
    (own_folder / "file").write_text("precious")
    with pytest.raises(ConfigError, match=words):
        Deployment(uses=Echo, host=f"unix:{own_folder / place}", quiet=True).start()
    assert (own_folder / "file").read_text() == "precious"


def test_a_client_says_which_socket_nobody_listens_on(own_folder: Path) -> None:
    """Its path stands in the error."""
    for protocol in ("grpc", "http"):
        with pytest.raises(ConnectionError, match=r"failed to connect to unix:.*a\.sock: .*No such file"):
            echo(Client(host=f"unix:{own_folder / 'a.sock'}", protocol=protocol))


def test_a_web_app_is_served_on_a_unix_socket(own_folder: Path) -> None:
    """uvicorn takes the socket as it takes a port."""
    path = own_folder / "a.sock"
    with Deployment(uses=Echo, protocol="http", host=f"unix:{path}", app="tests.process.web_apps:own", quiet=True):
        assert _status(str(path)) in (200, 401)


def test_a_front_that_is_ended_from_outside_leaves_the_socket_to_the_next_one(own_folder: Path) -> None:
    """The file goes with the service, not with one of its fronts."""
    path = own_folder / "a.sock"
    with Deployment(uses=Echo, protocol="http", host=f"unix:{path}", quiet=True) as deployment:
        before = deployment.pids["executor/front"]
        os.kill(before, signal.SIGTERM)
        wait_until(lambda: deployment.pids.get("executor/front") not in (None, before))
        assert _status(str(path)) == 200


@pytest.mark.parametrize("app", [None, "tests.process.web_apps:own"])
def test_a_socket_file_that_somebody_removed_comes_back_with_the_next_front(
    own_folder: Path, app: str | None, capfd: pytest.CaptureFixture[str]
) -> None:
    """With the same access; what was made goes when the service closes. So it is where a web app answers."""
    path = own_folder / "a.sock"
    with Deployment(uses=Echo, protocol="http", host=f"unix:{path}", unix_access="group", app=app) as deployment:
        name = "executor/front" if app is None else "executor/app"
        before = deployment.pids[name]
        path.unlink()
        os.kill(before, signal.SIGKILL)
        wait_until(lambda: deployment.pids.get(name) not in (None, before))
        wait_until(lambda: path.exists() and not is_refused(socket.AF_UNIX, str(path)))
        assert _status(str(path)) in (200, 401)
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        assert f"unix:{path} was gone and is made again" in capfd.readouterr().out
    assert not path.exists()


def test_a_front_serves_its_other_sockets_where_one_cannot_be_made_again(own_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Its folder has gone too; the log says so."""
    path = own_folder / "gone" / "a.sock"
    path.parent.mkdir()
    with Deployment(uses=Echo, protocol="http", host=["127.0.0.1", f"unix:{path}"]) as deployment:
        before = deployment.pids["executor/front"]
        path.unlink()
        path.parent.rmdir()
        os.kill(before, signal.SIGKILL)
        wait_until(lambda: deployment.pids.get("executor/front") not in (None, before))
        wait_until(lambda: not is_refused(socket.AF_INET, ("127.0.0.1", deployment.port)))
        assert echo(Client(port=deployment.port, protocol="http")) == ["a!"]
        captured = capfd.readouterr()
        assert "is gone and cannot be made again: No such file or directory" in captured.out + captured.err
